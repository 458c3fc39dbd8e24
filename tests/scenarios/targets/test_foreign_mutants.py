"""Planted bugs, seen from outside: stations, OCPI CDRs and CSV books are all that the named check gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.checks.registry import run_checks
from scenarios.load import sessions_path
from scenarios.mutants.registry import mutant
from scenarios.runner import play
from scenarios.targets.books import read_target
from scenarios.targets.file import load_target
from scenarios.targets.rebook import rebooked
from sim.evidence.verdict import Verdict
from tests.scenarios.targets.exported import EVERY_BOOK, export

QUICK = ("rounding-lost-in-the-ledger", "local-time-taken-as-utc", "energy-cut-to-ten-wh")
"""Those that every test run plays; the others are for `make slow`."""
CAUGHT = (
    *QUICK,
    "repeated-stop-billed-twice",
    "withheld-power-billed-as-idle",
    "signature-not-checked",
    "quarantine-billed",
    "idle-billed-by-an-unapproved-clock",
    "bill-posted-to-the-wrong-customer",
    "cent-moved-from-revenue-to-vat",
    "line-lost-from-the-bill",
    "hash-chain-broken",
    "newest-tariff-version-taken",
    "stop-time-offset-twice",
    "second-stop-billed-again",
    "energy-in-binary-floats",
    "kwh-rounded-on-the-lines",
    "held-session-ends-at-midnight",
    "price-list-renumbered",
)


@pytest.mark.parametrize("name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in CAUGHT])
def test_the_check_named_for_a_bug_catches_it_from_outside(name: str, tmp_path: Path) -> None:
    planted = mutant(name)
    day = planted.day()
    played = play(day, 1, sessions=sessions_path(day), target=planted.target(), wire="index")
    target = load_target(export(played.evidence, tmp_path, EVERY_BOOK))
    books, statements = read_target(target, {})
    with rebooked(played.evidence, books, statements) as foreign:
        (result,) = run_checks(foreign, [planted.check])
    assert result.verdict is Verdict.FAIL, (name, result)
