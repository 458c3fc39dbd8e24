"""How many signed records a second are parsed, verified and held against all rules, by ours and by pyocmf in the same run.

Both get the same records of P-256, each another one, begin and end in one, and both must call every one billable and a
forged one not; otherwise the figures would say nothing. CPU time, the two in turn, best of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from scenarios.bench.metering_peer import peer
from scenarios.bench.world import BenchFailed
from sim.clock import HOUR, MINUTE, Instant, parse_iso
from sim.metering.facts import SessionFacts
from sim.metering.judge import Judge, Value
from sim.metering.registry import Entry, Registry
from sim.rng import derive
from sim.wire import keys, ocmf, ocmf_parse
from sim.wire.ocmf import Reading

Item = TypeVar("Item")
WANTED = 2.0
"""How many times the rate of pyocmf ours must have (issue 5)."""
_METER, _STATION, _TOKEN = "M-BENCH", "CS-BENCH", "04A1B2C3D4E5F6"
_BEGUN = parse_iso("2026-03-02T08:00:00Z")


class MeteringFigures(Struct, frozen=True):
    """Records per CPU second: ours whole and in parts, and pyocmf's whole."""

    records: int
    rounds: int
    ours: float
    parse: float
    verify: float
    pyocmf: float
    pyocmf_version: str
    ratio: float
    wanted: float = WANTED

    @property
    def enough(self) -> bool:
        """Whether the wanted ratio is reached."""
        return self.ratio >= self.wanted

    def text(self) -> str:
        """For people."""
        return (
            f"{self.records:,} records of P-256, best of {self.rounds} rounds, per CPU second\n"
            f"  ours, parse + verify + rules    {self.ours:>10,.0f}\n"
            f"    parse alone                   {self.parse:>10,.0f}\n"
            f"    verify alone                  {self.verify:>10,.0f}\n"
            f"  pyocmf {self.pyocmf_version}, the same          {self.pyocmf:>10,.0f}\n"
            f"  ratio {self.ratio:.2f} (wanted: at least {self.wanted:g})"
        )


def bench_metering(records: int, rounds: int) -> MeteringFigures:
    """Measure. Raises BadInput without pyocmf, and BenchFailed if one of the two judges wrongly."""
    key = keys.private_key(derive("bench", "meter-key", _METER))
    public = keys.public_key_hex(key)
    texts = [_record(number, key) for number in range(1, records + 1)]
    judge = Judge(Registry([Entry(meter=_METER, key=public, time_billing="absolute")]))
    facts = SessionFacts(station=_STATION, connector=1, id_tag=_TOKEN)
    theirs, version = peer(public)

    def ours(text: str) -> bool:
        return judge.session((Value(text),), facts).billable

    _hold_against(texts, ours, theirs)
    parsed = [ocmf.parse(text) for text in texts]
    best = dict.fromkeys(("ours", "pyocmf", "parse", "verify"), float("inf"))
    for _ in range(rounds):
        best["ours"] = min(best["ours"], _took(ours, texts))
        best["pyocmf"] = min(best["pyocmf"], _took(theirs, texts))
        best["parse"] = min(best["parse"], _took(ocmf.parse, texts))
        best["verify"] = min(best["verify"], _took(lambda record: ocmf.verify(record, public), parsed))
    rate = {name: records / seconds for name, seconds in best.items()}
    return MeteringFigures(
        records,
        rounds,
        rate["ours"],
        rate["parse"],
        rate["verify"],
        rate["pyocmf"],
        version,
        rate["ours"] / rate["pyocmf"],
    )


def _took(do: Callable[[Item], object], items: Sequence[Item]) -> float:
    ocmf_parse.parse.cache_clear()  # nobody reads the same record twice
    begun = time.process_time()
    for item in items:
        do(item)
    return time.process_time() - begun


def _hold_against(texts: Sequence[str], ours: Callable[[str], bool], theirs: Callable[[str], bool]) -> None:
    for name, judged in (("ours", ours), ("pyocmf", theirs)):
        if not all(judged(text) for text in texts[:50]):
            raise BenchFailed(f"{name} calls an honest record not billable")
        if any(judged(ocmf.tamper(text)) for text in texts[:5]):
            raise BenchFailed(f"{name} calls a forged record billable")


def _record(number: int, key: keys.PrivateKey) -> str:
    begin = Instant(_BEGUN + number * 2 * MINUTE)
    return ocmf.build(
        meter_id=_METER,
        station_id=_STATION,
        connector=1,
        pagination=number,
        id_tag=_TOKEN,
        id_type="ISO14443",
        readings=[
            Reading(begin, "S", "B", ocmf.kwh(1_000_000 + number * 9_250)),
            Reading(Instant(begin + HOUR), "S", "E", ocmf.kwh(1_009_250 + number * 9_250)),
        ],
        key=key,
        meter_vendor="Any",
        meter_model="One",
        firmware="1.0",
    )
