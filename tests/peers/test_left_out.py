"""Where there is no Node, the tests that need it are named in the summary and the others run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import node

ROOT = Path(__file__).parents[2]


def collected(path: str, tmp_path: Path) -> str:
    """What pytest says of the tests at peers of a machine with this PATH."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only"]
    run = subprocess.run(
        [*command, "tests/peers/test_fleet_at_peers.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_without_node_its_tests_are_named_and_not_run(tmp_path: Path) -> None:
    said, _, summary = collected(str(tmp_path), tmp_path).partition(" tests NOT RUN")
    assert "they need node: there is no node on the path" in summary
    assert "[ocpp-rpc, strict]" in summary and "[ocpp-ts]" in summary
    assert "[ocpp]" in said and "[ocpp-ts]" not in said


def test_packages_that_are_not_installed_are_a_reason_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node.shutil, "which", lambda name: "/somewhere/node")
    monkeypatch.setattr(node, "NPM", tmp_path)
    assert node.missing() == "their packages are not installed (`make peers`)"
