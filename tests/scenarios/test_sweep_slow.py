"""What takes longer of sweeps: planted bugs of the first day made small, a finding drawn by a swarm, and a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.load import load_scenario, sessions_path
from scenarios.mutants.registry import mutant
from scenarios.sweep.shrink import shrink
from scenarios.sweep.small import small_toml
from scenarios.sweep.sweep import sweep
from scenarios.sweep.task import Task, played
from scenarios.targets import resolve

ROOT = Path(__file__).parents[2]
BUGS = {
    "signature-not-checked": "meter.tamper",
    "repeated-stop-billed-twice": "backend.crash",
    "withheld-power-billed-as-idle": "station.withhold",
    "local-time-taken-as-utc": "",
    "energy-cut-to-ten-wh": "",
}
"""Planted bugs, and the kind of the one fault that each of them needs."""


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_made_small_and_its_file_shows_it_again(bug: str, tmp_path: Path) -> None:
    planted, target = mutant(bug), resolve(f"mutant:{bug}")
    day = load_scenario("first-day").at_sites(*planted.sites)
    small = shrink(day, 1, planted.check, sessions=sessions_path(day), target=target)
    file = tmp_path / "small.toml"
    file.write_text(small_toml(small.scenario, "first-day", small.finding.sentence, file), encoding="utf-8")
    assert len(file.read_text("utf-8").splitlines()) <= 15
    assert [fault.kind for fault in small.scenario.fault] == ([BUGS[bug]] if BUGS[bug] else [])
    assert small.least and small.after.sessions <= 3 and small.after.hours < small.before.hours
    again = load_scenario(str(file))
    assert [one.check for one in played(again, 1, sessions_path(again), target).found] == [planted.check]
    assert not played(again, 1, sessions_path(again)).found


CLUSTER = """
import sys
from distributed import LocalCluster
from scenarios.load import load_scenario, sessions_path
from scenarios.sweep.cluster import on_cluster
from scenarios.sweep.sweep import sweep
from scenarios.sweep.task import Task

if __name__ == "__main__":
    day = load_scenario("smoke")
    task = Task(day, (0, 1), sessions_path(day), swarm=True)
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        done = sweep(task, everything=True, where=on_cluster(cluster.scheduler_address))
    print("digests", *(one.digest for one in done.outcomes))
"""


@pytest.mark.slow
def test_a_cluster_gives_what_one_process_gives(tmp_path: Path) -> None:
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr[-2000:]
    day = load_scenario("smoke")
    here = sweep(Task(day, (0, 1), sessions_path(day), swarm=True), everything=True)
    assert done.stdout.split() == ["digests", *(one.digest for one in here.outcomes)]
