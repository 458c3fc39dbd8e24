"""`make verify` holds every packaged scenario to its word: a check that examined nothing fails it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "verify_runs.py"


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with runs that take no time: `verify.items` says what the check of the first one examined."""
    spec = importlib.util.spec_from_file_location("verify_runs", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Run:
        def __init__(self, scenario: str, seed: int, hash_seed: str, folder: Path, *options: str) -> None:
            self._seed = seed

        def result(self) -> dict[str, Any]:
            return {
                "digest": f"{self._seed:064}",
                "checks": [{"check": "INV-01", "items": 7}, {"check": "T02", "items": items[0]}],
            }

    items = [3]
    monkeypatch.setattr(module, "Run", Run)
    monkeypatch.setattr(module, "items", items, raising=False)
    return module


def test_it_passes_where_every_check_examined_something(verify: Any) -> None:
    assert verify.main() == 0


def test_it_fails_and_names_the_check_that_examined_nothing(verify: Any, capsys: pytest.CaptureFixture[str]) -> None:
    verify.items[0] = 0
    assert verify.main() == 1
    expected = [f"{name}: T02 examined nothing" for name in verify.days()]
    assert capsys.readouterr().err.splitlines() == expected


def test_it_fails_where_there_is_nothing_to_verify(verify: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script lies beside a folder `scenarios`: without `-P` it would find no scenario and call that well."""
    monkeypatch.setattr(verify.catalogue, "scenarios", dict)
    assert verify.main() == 1
    assert "python -P tests/verify_runs.py" in (SCRIPT.parents[1] / "Makefile").read_text("utf-8")


def test_a_run_with_a_check_that_examined_nothing_is_no_pass_for_a_user_either() -> None:
    """The same rule in a run: NOT_APPLICABLE beside PASS is told apart, and zero items never become a PASS."""
    from scenarios.checks import run_checks
    from sim.evidence.store import open_evidence
    from sim.evidence.verdict import Verdict

    with open_evidence(":memory:") as evidence:
        assert {result.verdict for result in run_checks(evidence)} <= {Verdict.NOT_APPLICABLE, Verdict.UNKNOWN}
