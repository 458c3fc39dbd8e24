"""The pytest plugin as its users meet it: a pytest of its own in a folder of its own, and nothing where nobody asked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DAY = 'extends = "smoke"\nname = "{name}"\nclaims = ["the books balance"]\nchecks.all_of = ["L01", "INV-03"]\n'
QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:locust", "-p", "no:xdist"]


def _pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A pytest in this folder that knows the plugin, installed or not."""
    plugin = [] if _installed() else ["-p", "scenarios.pytest_plugin"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", *QUIET, *plugin, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def _installed() -> bool:
    """Whether the entry point is known here: before `make` has run again after an update it is not."""
    from importlib.metadata import entry_points

    return any(point.value == "scenarios.pytest_plugin" for point in entry_points(group="pytest11"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenarios, a broken one, and TOML files that are none."""
    place = tmp_path_factory.mktemp("mine")
    (place / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    (place / "day.toml").write_text(DAY.format(name="day"))
    (place / "target.toml").write_text('factory = "reference"\n')
    (place / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (place / "wrong").mkdir()
    (place / "wrong" / "typo.toml").write_text(DAY.format(name="typo") + 'story_ = "?"\n')
    return place


def test_scenarios_are_tests_with_seeds_and_the_reference_passes(folder: Path) -> None:
    done = _pytest(
        folder, "day.toml", "--chargerig-target", "reference", "--chargerig-seeds", "1-2", "--junitxml", "j.xml"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    cases = ET.parse(folder / "j.xml").getroot().iter("testcase")
    told = {case.attrib["name"]: {one.attrib["name"] for one in case.iter("property")} for case in cases}
    assert told == {f"day[{seed}]": {"chargerig_verdict", "chargerig_digest"} for seed in (1, 2)}


def test_a_finding_fails_with_its_sentence_and_a_broken_file_is_one_sentence(folder: Path) -> None:
    done = _pytest(
        folder, "--chargerig-target", "mutant:rounding-lost-in-the-ledger", "--continue-on-collection-errors"
    )
    assert done.returncode == 1
    assert re.search(r"L01 entry .+: the entry does not balance", done.stdout)
    assert "see it again: chargerig run" in done.stdout and "Traceback" not in done.stdout
    assert "there is no key 'story_' (did you mean story?) here" in done.stdout
    assert "1 failed" in done.stdout and "1 error" in done.stdout, "neither target.toml nor pyproject.toml is a test"


def test_nothing_is_collected_or_imported_where_nobody_asked(folder: Path) -> None:
    test = (
        "import sys\n\ndef test_none():\n    assert not [one for one in sys.modules if one[:4] in ('sim.', 'repo')]\n"
    )
    (folder / "test_none.py").write_text(test)
    done = _pytest(folder)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout


def test_our_own_suite_collects_no_scenario() -> None:
    done = _pytest(ROOT, "--collect-only", "scenarios/library", "-c", str(ROOT / "pyproject.toml"))
    assert "no tests collected" in done.stdout or "no tests ran" in done.stdout


@pytest.mark.slow
def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(example.splitlines()) <= 10
    (tmp_path / "test_mine.py").write_text(example)
    (scenario,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "my-day.toml").write_text(scenario)
    done = _pytest(tmp_path, "--chargerig-target", "reference")
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
