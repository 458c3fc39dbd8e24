"""What the tables of faults must mean: kinds that exist, fields that they know, moments that come and heal in time.

Pure. Each rule raises BadInput with the key path and what is allowed; none may repair anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from msgspec.structs import fields

from scenarios import catalogue
from scenarios.faults.fields import AT, Kind
from scenarios.faults.kinds import KINDS
from scenarios.faults.timing import Timing
from scenarios.migration.states import LEGAL
from scenarios.model import Fault, Scenario, Where, duration_text, hhmm, local_instant
from sim.clock import DAY, Instant
from sim.errors import BadInput, need, unknown

FROM_STATIONS = (
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
    "TransactionEvent",
    "Started",
    "Updated",
    "Ended",
    "NotifyEvent",
    "NotifyReport",
)
"""The actions that a station calls: of OCPP 1.6 (§4; security white paper §4), then those of 2.0.1 besides, among them the
three kinds of TransactionEvent."""

_PLAIN = ("kind", "id", "where")
_LEAST = {"latency": 1, "jitter": 1, "rate": 1, "up": 1, "down": 1, "copies": 1, "times": 1}
_WHY = {"rate": "bits a second, 1 or more", "ppm": "parts per million, from -100000 to 100000, not 0"}
FASTEST_PPM = 100_000


def judge(scenario: Scenario, file: str) -> None:
    """Raise BadInput for the first rule that a fault breaks."""
    for number, fault in enumerate(scenario.fault):
        _fault(fault, scenario, file, f"fault[{number}]")
    names = Counter(fault.id for fault in scenario.fault if fault.id)
    twice = [name for name, count in names.items() if count > 1]
    need(not twice, file, "fault", f"the id {twice[:1]} is there twice", "one fault for each id")


def known(name: str, names: Iterable[str], file: str, place: str, what: str, see: str = "") -> None:
    """Raise BadInput unless there is such a thing."""
    there = list(names)
    if name not in there:  # the nearest names are worked out for the complaint alone
        raise BadInput(file, place, *unknown(what, name, there, see))


def _fault(fault: Fault, scenario: Scenario, file: str, place: str) -> None:
    known(fault.kind, KINDS, file, f"{place}.kind", "kind of fault", "`chargerig list faults`")
    kind = KINDS[fault.kind]
    given = [one.encode_name for one in fields(Fault) if one.name not in _PLAIN and getattr(fault, one.name)]
    for key in kind.needs:
        there = key in given or (key == AT and "when" in given)
        need(there, file, f"{place}.{key}", f"a {fault.kind} needs it", f"{', '.join(kind.needs)}")
    usable = kind.fields
    for key in given:
        allowed = ", ".join(usable) or "kind, id and where"
        need(
            key in usable or _says_state(kind, key), file, f"{place}.{key}", f"a {fault.kind} has no such key", allowed
        )
    both = "at" in given and "when" in given
    need(not both, file, f"{place}.when", "`at` says it already", "one of the two")
    if kind.aims in ("moving", "tool"):
        moves = scenario.move is not None or bool(scenario.wave)
        need(moves, file, f"{place}.kind", "nothing moves on this day", "a table [move], or [[wave]]")
        need(fault.on in LEGAL, file, f"{place}.on", f"{fault.on!r} is no state of a move", [*LEGAL][1:])
    elif fault.on:
        known(fault.on, FROM_STATIONS, file, f"{place}.on", "action of a station that a back-end could die at,")
    _amounts(fault, file, place)
    if fault.timing is not None:
        _timing(fault.timing, kind, fault, file, f"{place}.when")
    _date(fault, scenario, file, place)
    _window(fault, file, place)
    _heals(fault, scenario, file, place)
    _where(fault.where, kind, scenario, file, f"{place}.where")


def _says_state(kind: Kind, key: str) -> bool:
    """`when = "in DRAINING"` stands for `on` of the faults that wait for a state."""
    return key == "when" and "on" in kind.may and kind.aims == "moving"


def _amounts(fault: Fault, file: str, place: str) -> None:
    for key, least in _LEAST.items():
        value = getattr(fault, key)
        need(
            value is None or value >= least,
            file,
            f"{place}.{key}",
            f"{value} is too small",
            _WHY.get(key, "more than 0"),
        )
    fits = fault.ppm is None or 0 < abs(fault.ppm) <= FASTEST_PPM
    need(fits, file, f"{place}.ppm", f"{fault.ppm} is no drift of a clock", _WHY["ppm"])
    fits = fault.status is None or 400 <= fault.status <= 599
    need(fits, file, f"{place}.status", f"{fault.status} is no refusal", "a status of HTTP from 400 to 599")
    if fault.how:
        known(fault.how, catalogue.tampers(), file, f"{place}.how", "tampering with a signed record")
    if fault.quirk:
        known(fault.quirk, catalogue.quirks(), file, f"{place}.quirk", "quirk", "`chargerig list quirks`")


def _timing(timing: Timing, kind: Kind, fault: Fault, file: str, place: str) -> None:
    if timing.state:
        need(
            kind.aims == "moving",
            file,
            place,
            f"a {kind.name} waits for no state of a move",
            "a time, a share or an event",
        )
        need(timing.state in LEGAL, file, place, f"{timing.state!r} is no state of a move", [*LEGAL][1:])
    elif kind.aims == "moving":
        need(False, file, place, f"a {kind.name} waits for a state of the move", f'"in {[*LEGAL][1]}"')
    if timing.event is not None:
        known(timing.event.action, FROM_STATIONS, file, place, "action of a station")
        need(kind.name != "backend.crash", file, place, "a crash waits for its own moment", "a time, and `on`")
        need(fault.repeat is None, file, place, "an event comes when it comes", "no `repeat`")
    if fault.where.sender:
        need(timing.event is not None, file, place, "nobody sends anything at a time", "an event, for where.sender")
    local = timing.local is not None
    need(
        fault.date is None or local, file, f"{place.removesuffix('when')}date", "belongs to a time of the day", "a time"
    )


def _date(fault: Fault, scenario: Scenario, file: str, place: str) -> None:
    first = scenario.day.date
    last = first + timedelta(days=max(0, (_latest(fault, scenario) - 1) // DAY))
    if fault.date is not None:
        fits = first <= fault.date <= last
        need(fits, file, f"{place}.date", f"{fault.date} is not in the run", f"{first} to {last}")
        timed = fault.at is not None or fault.when is not None
        need(timed, file, f"{place}.at", "a day alone says no time", "a time, or from and to")


def _window(fault: Fault, file: str, place: str) -> None:
    if fault.at is not None:
        span = f"{hhmm(fault.at.from_)} to {hhmm(fault.at.to)}"
        need(fault.at.from_ <= fault.at.to, file, f"{place}.at", f"{span} runs backwards", "from before to, on one day")
    if fault.lasts is not None:
        need(fault.lasts > 0, file, f"{place}.lasts", "has no length", "a duration such as 4m")


def _latest(fault: Fault, scenario: Scenario) -> int:
    """How long after midnight of the first day a fault must be over, ms: a back-end may fail in a billing run later on."""
    day = scenario.day
    late = KINDS[fault.kind].aims in ("back-end", "partner") and day.settle > DAY
    return int(day.horizon + day.settle - DAY) if late else int(day.horizon)


def _heals(fault: Fault, scenario: Scenario, file: str, place: str) -> None:
    """Whoever is hit, and wherever they live: it is over before the horizon, so that everything can come to rest."""
    lasts = _whole_length(fault)
    if not lasts:
        return
    day, told, timing = scenario.day, duration_text(lasts), fault.timing
    if timing is None or timing.event is not None or timing.state:  # it may come as late as the horizon
        allowed = f"at most day.settle, {duration_text(day.settle)}"
        need(lasts <= day.settle, file, f"{place}.lasts", f"{told} would not be over when the run ends", allowed)
        return
    zones = {str(day.zone): None} | {str(owner.zone): None for owner in scenario.owners.values()}
    if timing.local is not None:
        latest = max(local_instant(fault.date or day.date, timing.local[1], zone) for zone in zones)
        begins = hhmm(timing.local[1])
    else:
        latest, begins = Instant(max(span(timing, scenario, zone)[1] for zone in zones)), "the moment"
    end = min(local_instant(day.date, 0, zone) for zone in zones) + _latest(fault, scenario)
    problem = f"{told} from {begins} on reaches beyond the horizon of the day"
    allowed = f"at most {duration_text(max(0, end - latest))} for this fault"
    need(latest + lasts <= end, file, f"{place}.lasts", problem, allowed)


def _whole_length(fault: Fault) -> int:
    """From the first moment to the last, ms, with all repeats and until the last station is let go."""
    repeats = 0 if fault.repeat is None else (fault.repeat.times - 1) * fault.repeat.every
    over = 0 if fault.release is None else 2 * fault.release.over
    return int(fault.lasts or 0) + repeats + over


def span(timing: Timing, scenario: Scenario, zone: str) -> tuple[int, int]:
    """The instants of an offset or a share: from local midnight of the first day, in that zone."""
    midnight = int(local_instant(scenario.day.date, 0, zone))
    if timing.offset is not None:
        return midnight + timing.offset[0], midnight + timing.offset[1]
    low, high = timing.share or (0.0, 0.0)
    length = scenario.day.days * DAY
    return midnight + round(low * length), midnight + round(high * length)


def window(scenario: Scenario, fault: Fault, zone: str) -> tuple[int, int]:
    """Between which instants the seed draws the moment of a fault, in that zone; all of the run if nothing says when."""
    timing = fault.timing
    if timing is None or timing.event is not None or timing.state:
        return scenario.day.start, scenario.day.settles_at
    if timing.local is None:
        return span(timing, scenario, zone)
    date = fault.date or scenario.day.date
    return local_instant(date, timing.local[0], zone), local_instant(date, timing.local[1], zone)


def _where(where: Where, kind: Kind, scenario: Scenario, file: str, place: str) -> None:
    plain = Where()
    for key in where.__struct_fields__:
        said = getattr(where, key) != getattr(plain, key)
        allowed = ", ".join(kind.where) or "nothing"
        need(not said or key in kind.where, file, f"{place}.{key}", f"means nothing to a {kind.name}", allowed)
    one = where.count is None or where.share is None
    need(one, file, place, "count and share exclude each other", "one of the two")
    need(where.count is None or where.count >= 1, file, f"{place}.count", f"{where.count} hits nobody", "1 or more")
    share = where.share
    need(
        share is None or 0 < share <= 1, file, f"{place}.share", f"{share} is no share", 'above 0 and up to 1, or "2 %"'
    )
    if where.site:
        known(where.site, scenario.sites, file, f"{place}.site", "site")
    if where.profile:
        known(where.profile, catalogue.profiles(), file, f"{place}.profile", "profile", "`chargerig list profiles`")
    if where.action and kind.aims == "back-end":
        known(where.action, FROM_STATIONS, file, f"{place}.action", "action of a station")
    moves = scenario.move is not None or bool(scenario.wave) or where.moving is None
    need(moves, file, f"{place}.moving", "nothing moves on this day", "a table [move]")
    if kind.aims == "partner":
        need(scenario.upgrade is not None, file, place, "there are no partners on this day", "a table [upgrade]")
        who = ("stripe", "riverty", "bank", "mailbox")
        need(bool(where.partner), file, f"{place}.partner", f"a {kind.name} needs to know whose", who)
    named = kind.aims != "back-end" or bool(where.backend)
    whose = "a crash needs to know whose" if kind.name == "backend.crash" else f"a {kind.name} needs to know whose"
    need(named, file, f"{place}.backend", whose, ("legacy", "new"))
