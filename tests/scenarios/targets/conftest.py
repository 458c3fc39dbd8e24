"""A day that is over, and its books as somebody else would get them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.load import load_scenario, sessions_path
from scenarios.runfolder import write_manifest, write_verdicts
from scenarios.runner import play
from sim.evidence.reader import Evidence
from sim.evidence.store import open_evidence


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a first day, whole, with nothing planted."""
    folder = tmp_path_factory.mktemp("finished")
    day = load_scenario("first-day")
    play(day, 1, sessions=sessions_path(day), folder=folder, wire="index").evidence.close()
    write_verdicts(folder, [])
    write_manifest(folder, {"scenario_name": day.name, "digest": "-", "verdict": "PASS"})
    return folder


@pytest.fixture
def evidence(finished: Path) -> Iterator[Evidence]:
    """Its evidence, opened."""
    with open_evidence(finished / "evidence.sqlite") as opened:
        yield opened
