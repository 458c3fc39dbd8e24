"""All 75 tamperings of the catalogue by name: what is done, the verdict that is due, and the verdict that is given.

A tampering that is done in several ways must get its verdict in each of them. Source: reference ocmf §7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from sim.metering.judge import Judgement
from sim.metering.tampers import sessions as made
from sim.metering.tampers.edits import Tampering
from sim.metering.tampers.records import RECORD_TAMPERS
from sim.metering.tampers.scene import Case, Scene
from sim.wire.keys import PrivateKey
from sim.wire.ocmf_wrap import WAYS

Making = Callable[[Scene], Case]


class Way(Struct, frozen=True):
    """One way to do it. `code` is a reason that must be among those given, `time` whether time may be billed then."""

    due: str
    make: Making
    code: str = ""
    time: bool | None = None


class Tamper(Struct, frozen=True):
    """One tampering. `on_record` does it to a record and its key, for those that can be done to one record alone."""

    number: int
    name: str
    sentence: str
    ways: tuple[Way, ...]
    on_record: tuple[Tampering, ...] = ()

    @property
    def due(self) -> str:
        """The verdicts that are due, in the words of the catalogue."""
        return "/".join(dict.fromkeys(way.due for way in self.ways))


class Outcome(Struct, frozen=True):
    """One way done and judged."""

    tamper: Tamper
    way: Way
    case: Case
    judgement: Judgement

    @property
    def right(self) -> bool:
        """Whether the verdict is the one that is due, for the reason that is due."""
        judgement, way = self.judgement, self.way
        told = not way.code or any(reason.code == way.code for reason in judgement.reasons)
        timed = way.time is None or judgement.time_billable == way.time
        return judgement.letters == way.due and told and timed


def _of_record(change: Tampering, due: str, name: str) -> Way:
    """A tampering with the end record; where begin and end change places, with a record that has both."""

    def make(scene: Scene) -> Case:
        if name == "marks-swapped":
            return scene.case(change(scene.whole_record(), scene.key()))
        return scene.case(scene.begin_record(), change(scene.end_record(), scene.key()))

    codes = {"version-1.4": "reference-tool", "undefined-unit": "other-unit"}
    return Way(due, make, codes.get(name, ""), False if name == "time-error" else None)


_MORE: tuple[tuple[int, str, str, tuple[Way, ...]], ...] = (
    (14, "wiring-swapped", "the registered key is that of the other connector", (Way("SIG", made.swapped_wiring),)),
    (
        15,
        "forged-key-sent",
        "signed anew with a key that is sent along",
        (Way("KEY", made.forged_key_sent, "foreign-key"),),
    ),
    (16, "key-unregistered", "the key is not in the registry", (Way("KEY", made.unregistered, "key-unregistered"),)),
    (17, "key-expired", "the key or the calibration had run out", (Way("KEY", made.expired, "key-expired"),)),
    (18, "meter-swapped", "the old meter's record after the swap, its key kept", (Way("OK", made.meter_swapped),)),
    (
        21,
        "algorithm-removed",
        "a record of another curve does not name it",
        (Way("KEY", made.algorithm_removed, "key-mismatch"),),
    ),
    (23, "brainpool-spelled", "brainpoolP256r1 for brainpool256r1", (Way("DEV", made.brainpool_spelled),)),
    (24, "curve-not-built", "secp192k1 where this build lacks it", (Way("ALG", made.curve_not_built),)),
    (28, "signature-mirrored", "", (Way("REPLAY", made.mirrored_replay),)),
    (34, "hostile-strings", "", (Way("KEY", made.hostile_key),)),
    (35, "replayed", "the records of an old session in a new one", (Way("REPLAY", made.replayed),)),
    (36, "foreign-begin", "begin of one session, end of another", (Way("SESS", made.foreign_begin),)),
    (
        37,
        "unpaired",
        "end before begin, two begins, no end",
        (Way("SESS", made.end_before_begin), Way("SESS", made.two_begins), Way("SESS", made.no_end, "record-missing")),
    ),
    (
        38,
        "register-falls",
        "the end is lower than the begin, and signed",
        (Way("SESS", made.register_falls, "register-falls"),),
    ),
    (39, "time-falls", "the end is earlier than the begin, and signed", (Way("SESS", made.time_falls, "time-falls"),)),
    (40, "page-gap", "a record in between is missing", (Way("SESS", made.page_gap, "page-gap"),)),
    (
        41,
        "page-gap-before",
        "pages between two sessions are missing",
        (Way("INFO", made.page_gap_before, "page-gap-before"),),
    ),
    (42, "page-restart", "the page counter began anew", (Way("SESS", made.page_restart, "page-restart"),)),
    (
        43,
        "page-context",
        "fiscal page with a transaction, or the reverse",
        (Way("SESS", made.fiscal_page, "page-context"), Way("SESS", made.page_without_mark)),
    ),
    (
        44,
        "serials-differ",
        "begin and end name different serial numbers",
        (Way("SESS", made.serials_differ, "serials"),),
    ),
    (
        45,
        "other-meter-named",
        "the meter named is that of the other connector",
        (Way("KEY", made.other_meter_named, "key-elsewhere"),),
    ),
    (47, "state-between", "a reading in between is not good", (Way("INFO", made.state_between, "state"),)),
    (49, "time-error", "", (Way("NOBILL", made.billed_by_time(made.time_error), "time-not-billable"),)),
    (
        50,
        "error-carried-forward",
        "an error of the begin that the end leaves out",
        (Way("NOBILL", made.error_carried, "energy-error"),),
    ),
    (
        53,
        "other-person",
        "the signed person is not the one who started",
        (Way("SESS", made.other_person, "other-person"),),
    ),
    (
        54,
        "clock-unsynchronised",
        "the clock was not synchronised (U or I)",
        (
            Way("OK", made.clock_unsynchronised("U"), "clock-informative", False),
            Way("OK", made.clock_unsynchronised("I"), "clock-informative", False),
            Way("NOBILL", made.billed_by_time(made.clock_unsynchronised("I")), "time-not-billable"),
        ),
    ),
    (55, "relative-begin", "begin in relative time, end not", (Way("SESS", made.relative_begin, "clock"),)),
    (
        56,
        "registers-differ",
        "begin and end of different registers",
        (Way("SESS", made.registers_differ("1-b:1.8.1"), "registers"), Way("SESS", made.registers_differ("1-0:2.8.0"))),
    ),
    (
        57,
        "units-differ",
        "begin in kWh, end in Wh",
        (Way("DEV", made.units_differ(False), "units"), Way("SESS", made.units_differ(True), "units")),
    ),
    (58, "undefined-unit", "", (Way("NOBILL", made.only_seconds),)),
    (61, "loss-negative", "", (Way("DEV", made.loss_at_begin, "loss"),)),
    (64, "meter-missing", "no meter is named, only the gateway", (Way("DEV", made.meter_missing, "no-meter"),)),
    (
        65,
        "raw-values-differ",
        "meterStop contradicts the signed values",
        (Way("INFO", made.raw_values_differ, "raw-values"),),
    ),
    (
        66,
        "other-transport",
        "the record is not wrapped as the note wants it",
        (
            *(
                Way("DEV", lambda scene, way=way: made.other_ways(scene, way), "transport")
                for way in WAYS
                if way != "oca"
            ),
            Way("MAL", made.nothing_fits),
        ),
    ),
    (67, "cut-at-2500", "a long record in the 2,500 characters of 2.0.1", (Way("MAL", made.cut_at_2500),)),
    (68, "no-signed-data", "the stop carries no signed data", (Way("NOBILL", made.no_values, "record-missing"),)),
    (
        69,
        "other-transaction",
        "a signed value of another transaction",
        (Way("SESS", made.other_transaction, "other-transaction"),),
    ),
    (70, "late", "the records come late, in order", (Way("OK", made.late, "", True),)),
    (
        71,
        "other-tariff",
        "the signed tariff is not the billed one",
        (Way("NOBILL", made.other_tariff, "other-tariff"),),
    ),
    (72, "clock-change", "the zone changes in the session", (Way("OK", made.clock_change, "", True),)),
    (
        73,
        "power-failure",
        "the end was signed after a power failure (P)",
        (Way("OK", made.power_failure, "power-failure"),),
    ),
    (
        74,
        "gateway-meters-swapped",
        "one gateway, the other connector's meter",
        (Way("KEY", made.gateway_meters_swapped),),
    ),
    (
        75,
        "implausible",
        "signed, and more than anybody charges",
        (
            Way("INFO", made.implausible("2000", 300), "implausible"),
            Way("INFO", made.implausible("60", 1), "implausible"),
        ),
    ),
)


def _collect() -> dict[str, Tamper]:
    found: dict[str, Tamper] = {}
    for number, name, sentence, due, changes in RECORD_TAMPERS:
        ways = tuple(_of_record(change, due, name) for change in changes)
        found[name] = Tamper(number, name, sentence, ways, changes)
    for number, name, sentence, ways in _MORE:
        known = found.get(name)
        found[name] = (
            Tamper(number, name, sentence, ways)
            if known is None
            else Tamper(number, name, known.sentence, known.ways + ways, known.on_record)
        )
    return dict(sorted(found.items(), key=lambda item: item[1].number))


TAMPERS: dict[str, Tamper] = _collect()
"""The whole catalogue, in the order of its numbers."""


def play(tamper: Tamper, seed: int = 1) -> Iterator[Outcome]:
    """Do it in each of its ways and judge what comes of it."""
    for way in tamper.ways:
        case = way.make(Scene(seed))
        yield Outcome(tamper, way, case, case.judged())


def station_tampers() -> dict[str, Tamper]:
    """Those that a station can do to one record it signed, by name."""
    return {name: tamper for name, tamper in TAMPERS.items() if tamper.on_record}


def tampered(name: str, text: str, key: PrivateKey) -> str:
    """A record tampered with, in the first way. Raises KeyError for one that is not in `station_tampers`.

    Raises ValueError for a record that has nothing to tamper with in this way.
    """
    return TAMPERS[name].on_record[0](text, key)
