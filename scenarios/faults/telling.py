"""A fault in plain words, and what `chargerig list faults` teaches of each kind. Only texts."""

from __future__ import annotations

from typing import Any

from scenarios.faults.fields import AT, FIELDS, Kind
from scenarios.faults.kinds import KINDS
from scenarios.faults.timing import Timing, ordinal
from scenarios.migration.states import LEGAL
from scenarios.model import Fault, Where, duration_text, hhmm, plain

_WORDS = {
    "latency": "later by {}",
    "jitter": "up to {} more",
    "rate": "at {} bits a second",
    "up": "up for {}",
    "down": "down for {}",
    "status": "with status {}",
    "code": "with the code {}",
    "quirk": "the quirk {}",
    "step": "by {}",
    "ppm": "by {} ppm",
    "copies": "{} more each",
    "times": "at most {} times",
    "groups": "after {} groups",
    "moment": "{}",
}


def told(fault: Fault) -> str:
    """The whole fault as one sentence: what, who, when, for how long, how it ends, how often."""
    kind = KINDS[fault.kind]
    parts = [kind.what, _who(fault.where, kind), _when(fault)]
    if fault.on and kind.aims == "back-end":
        parts.append(f"at a {fault.on}")
    parts += [words.format(_text(getattr(fault, name))) for name, words in _WORDS.items() if getattr(fault, name)]
    if fault.lasts:
        parts.append(f"for {duration_text(fault.lasts)}")
    if fault.release is not None:
        parts.append(f"released {fault.release}")
    if fault.repeat is not None:
        parts.append(str(fault.repeat))
    return "; ".join(part for part in parts if part)


def _text(value: Any) -> str:
    return str(plain(value))


def _who(where: Where, kind: Kind) -> str:
    if kind.aims == "tool":
        return ""
    if kind.aims == "back-end":
        some = "" if where.share is None else f", {where.share:.3g} of them"
        return f"at {where.backend}" + (f", each {where.action}{some}" if where.action else "")
    if kind.aims == "partner":
        return f"{where.partner}: {where.action or 'all'}"
    if where.sender:
        return "at the station whose message it was"
    many = f"{100 * where.share:.3g} % of the" if where.share is not None else f"{where.count or 1}"
    noun = "station" if many == "1" else "stations"
    hints = [f"at {where.site}" * bool(where.site), f"named {where.station}" * bool(where.station)]
    hints += [
        f"at the back-end {where.backend}" * bool(where.backend),
        f"of profile {where.profile}" * bool(where.profile),
    ]
    hints += [f"of OCPP {where.version}" * bool(where.version)]
    hints += [{True: "that move", False: "that stay"}.get(where.moving, "") if where.moving is not None else ""]
    hints += ["with somebody there" if where.busy and kind.aims == "station" else ""]
    return " ".join([many, noun, *filter(None, hints)])


def _when(fault: Fault) -> str:
    timing = fault.timing
    kind = KINDS[fault.kind]
    if kind.aims == "moving":
        state = fault.on or (timing.state if timing else "") or kind.defaults.get("on", "PLANNED")
        return f"when it is {state}"
    if timing is None:
        return "all day"
    day = f"{fault.date}, " if fault.date else ""
    return day + moment(timing)


def moment(timing: Timing) -> str:
    """When that is, in words."""
    if timing.event is not None:
        event = timing.event
        where = f" at {event.backend}" if event.backend else ""
        return f"after the {ordinal(event.count)} {event.action} was {event.state}{where}"
    if timing.share is not None:
        low, high = (f"{100 * part:.3g} %" for part in timing.share)
        return f"at {low} of the day" if low == high else f"from {low} to {high} of the day"
    if timing.offset is not None:
        begin, end = (duration_text(ms) for ms in timing.offset)
        return f"{begin} after midnight" if begin == end else f"{begin} to {end} after midnight"
    if timing.local is not None:
        begin, end = (hhmm(ms) for ms in timing.local)
        return begin if begin == end else f"{begin} to {end}"
    return f"in {timing.state}"


def lesson(kind: Kind) -> dict[str, Any]:
    """All that a user has to know of a kind: JSON-able."""
    return {
        "name": kind.name,
        "sentence": kind.what,
        "group": kind.group,
        "hits": kind.aims,
        "where": list(kind.where),
        "fields": [_field(kind, name) for name in kind.fields],
        "example": example(kind),
    }


def _field(kind: Kind, name: str) -> dict[str, Any]:
    meaning = FIELDS[name]
    if name == "on" and kind.aims == "moving":
        meaning = f"the state of the move that it waits for: {', '.join([*LEGAL][1:])}"
    return {
        "name": name,
        "meaning": meaning,
        "needed": name in kind.needs,
        "default": kind.defaults.get(name),
        "instead": "when" if name == AT else None,
    }


EXAMPLES: dict[str, Any] = {
    "at": {"from": "10:00", "to": "14:00"},
    "lasts": "5m",
    "moment": "before-replies",
    "latency": "2s",
    "rate": 9600,
    "up": "40s",
    "down": "20s",
    "quirk": "resend-stop-after-boot",
    "step": "-2h",
    "ppm": 20000,
}
"""A value of each field that some kind needs."""


def example(kind: Kind) -> dict[str, Any]:
    """A table [[fault]] of this kind with what it needs."""
    table: dict[str, Any] = {"kind": kind.name}
    if kind.aims == "back-end":
        table["where"] = {"backend": "new"}
    elif kind.aims == "partner":
        table["where"] = {"partner": "stripe"}
    return table | {key: EXAMPLES[key] for key in kind.needs}
