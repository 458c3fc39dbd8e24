"""Numbers, times and codes as a reader sees them, and the sentences that explain the words of the trade.

No wall clock and no locale: the same run gives the same text everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim import clock

VERDICTS = {
    "PASS": "holds",
    "FAIL": "broken",
    "UNKNOWN": "could not be judged",
    "NOT_APPLICABLE": "nothing to examine",
    "NOT_ASKED": "not asked this time",
}

QUARANTINE = {
    "wrong-signature": "the signature does not fit what the record says",
    "key-unknown": "nobody registered the public key of this meter",
    "malformed-record": "the signed record cannot be read",
    "record-missing": "the session ended without a signed record",
    "not-billable": "the signed record itself says that it must not be billed",
    "replay": "the signed record was used before",
    "unknown-transaction": "the end of a session that these books never saw begin",
    "unknown-token": "nobody is registered for the card or app",
    "unknown-tariff": "no price is known for the place",
    "implausible": "the numbers cannot be true",
    "second-stop": "the session had ended already, with other numbers",
    "stray-stop": "the message names a session of another station",
}

FREE = {"below-minimum": "less energy than the tariff's minimum"}

FAULTS = {
    "link.stall": "uplink carries nothing",
    "link.reset": "connection torn down",
    "backend.crash": "back-end dies and comes back",
    "meter.tamper": "signed record changed on the way",
    "meter.key-unregistered": "meter's key never registered",
    "station.stray-stop": "stop sent for another's session",
    "station.second-stop": "same session ended twice",
    "station.withhold": "station withholds power",
    "station.power-loss": "station without mains",
    "link.latency": "every frame late",
    "link.bandwidth": "narrow uplink",
    "link.refuse": "connections refused",
    "link.slow-close": "closes learnt of late",
    "link.flap": "connection comes and goes",
    "link.half-open": "half-open connection",
    "link.stale-name": "name leads to the old back-end",
    "station.flash-loss": "memory lost",
    "station.reboot": "station restarts",
    "station.clock-step": "clock jumps",
    "station.clock-drift": "clock drifts",
    "station.register-reset": "counter back at 0",
    "station.quirk": "station with a quirk",
    "backend.restart": "back-end restarted",
    "backend.stall": "back-end does nothing, sockets up",
    "backend.slow-store": "slow commits",
    "backend.errors": "error replies, sockets up",
    "backend.full-disk": "disk full",
    "backend.lost-outbox": "messages to partners lost",
    "backend.duplicate-delivery": "messages delivered twice",
    "people.wrong-password": "wrong password",
    "tool.bulk-wipe": "settings wiped",
    "move.rollback-aborted": "rollback aborted",
}

PHASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("waiting for its turn", ("PLANNED", "PREFLIGHT_OK", "NOTIFIED")),
    ("draining: no new sessions", ("DRAINING",)),
    ("switching over", ("SWITCH_SENT", "OFFLINE_WINDOW")),
    ("being set up at new", ("SEEN_AT_NEW", "PROVISIONED")),
    ("moved", ("VERIFIED", "CLOSED_AT_OLD")),
    ("in trouble", ("ROLLBACK", "BACK_AT_OLD", "STUCK", "SPLIT")),
)

STATES = {
    "PLANNED": "waits for its turn",
    "PREFLIGHT_OK": "fit to move: known at both ends, way of switching found",
    "NOTIFIED": "everybody concerned has been told",
    "DRAINING": "takes no new session; the running one may end",
    "SWITCH_SENT": "told to go to the new back-end",
    "OFFLINE_WINDOW": "gone from the old, not yet at the new",
    "SEEN_AT_NEW": "has announced itself at the new back-end",
    "PROVISIONED": "has its settings, cards and running sessions at the new",
    "VERIFIED": "meter goes on where the old back-end saw it last",
    "CLOSED_AT_OLD": "moved; the old back-end refuses it from now on",
    "ROLLBACK": "on its way back",
    "BACK_AT_OLD": "back at the old back-end",
    "STUCK": "not seen for too long",
    "SPLIT": "seen at both back-ends",
}

GLOSSARY = (
    (
        "Back-end (CSMS)",
        "The operator's server: it lets drivers charge, collects what meters say and writes the bills.",
    ),
    ("legacy, new", "The two back-ends of this run: the one that stations move away from, and the one they move to."),
    (
        "Station",
        "A charging station in a car park. It talks to one back-end over a web socket, in a protocol named OCPP.",
    ),
    ("Connector", "One plug of a station; one car at a time."),
    (
        "OCPP 1.6",
        "The protocol between stations and back-ends. StartTransaction begins a session, StopTransaction ends it.",
    ),
    ("Session", "One charging, from the driver's go to the end; a car may stay plugged in after it is full."),
    ("Register", "The meter's counter of energy, in watt-hours. It only goes up; no message can change it."),
    (
        "OCMF",
        "A format for meter readings that the meter signs, so that nobody can change them on the way to the bill.",
    ),
    ("Truth, wire, books", "What physically happened; what was said over the network; what a back-end wrote down."),
    (
        "Quarantine",
        "Where a back-end puts a session that it must not bill: kept with its reason, for a person to look at.",
    ),
    ("Idle time", "Time that a full car stays plugged in; it may cost a fee after a grace period."),
    (
        "Journal",
        "The ledger: entries that balance and are only ever added, each sealed with the one before (hash chain).",
    ),
    ("Check", "A rule about the evidence that must hold for every item: each session, each bill, each message."),
    ("Finding", "A proven breach of a check, with the rows that prove it."),
    ("Seed", "A number from which everything random in the run is drawn. The same seed gives the same run."),
    ("Digest", "A fingerprint of the whole run. Two runs with the same digest are the same, byte for byte."),
    ("Virtual time", "The day is simulated: its clock jumps from event to event, so that a day takes seconds."),
)

_MINUS = "\u2212"
_THIN = "\u202f"


def number(value: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", _THIN)


def kwh(wh: int) -> str:
    """Wh as kWh with three decimals, exactly."""
    sign, wh = (_MINUS, -wh) if wh < 0 else ("", wh)
    return f"{sign}{number(wh // 1000)}.{wh % 1000:03d}\u00a0kWh"


def kwh_round(wh: int) -> str:
    """Wh as kWh with one decimal, for pictures and headlines."""
    tenths = (abs(wh) + 50) // 100
    return (_MINUS if wh < 0 else "") + f"{number(tenths // 10)}.{tenths % 10}\u00a0kWh"


def money(minor: int, currency: str) -> str:
    """Minor units as an amount with two decimals and its currency."""
    sign, minor = (_MINUS, -minor) if minor < 0 else ("", minor)
    return f"{sign}{number(minor // 100)}.{minor % 100:02d}\u00a0{currency}"


def moment(instant: int | None, zone: str, day: str = "") -> str:
    """Local `HH:MM:SS`, with the date in front where it is not `day`."""
    if instant is None:
        return "\u2014"
    local = clock.to_datetime(instant, clock.zone(zone))
    text = f"{local:%H:%M:%S}"
    return text if f"{local:%Y-%m-%d}" == day else f"{local:%d %b} {text}"


def duration(ms: int) -> str:
    """`2 h 05 min`, `3 min 20 s`, `4.2 s`, `85 ms`."""
    if ms < 1_000:
        return f"{ms}\u00a0ms"
    if ms < 60_000:
        return f"{ms // 1000}.{ms % 1000 // 100}\u00a0s"
    if ms < 3_600_000:
        return f"{ms // 60_000}\u00a0min {ms % 60_000 // 1000:02d}\u00a0s"
    return f"{ms // 3_600_000}\u00a0h {ms % 3_600_000 // 60_000:02d}\u00a0min"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 bill`, `12 bills`."""
    return f"{number(count)}\u00a0{one if count == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


DOCUMENTS = {
    "subscription": "Invoices to owners",
    "cancellation": "Cancellations",
    "credit": "Credit notes",
    "drivers": "Invoices to drivers",
    "letter": "Letters",
    "bill": "Bills of one session",
}
"""The documents of a run by the kind that their file names begin with."""
