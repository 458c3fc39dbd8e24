"""What users copy into their CI: the files are well-formed, what they name is there, and what can run here runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from scenarios.cli import app
from scenarios.sockets.child import free_port
from sim.evidence.wire import read_wire

ROOT = Path(__file__).parents[1]
CI = ROOT / "docs" / "ci"
WORKFLOW: Any = yaml.safe_load((CI / "github-workflow.yml").read_text("utf-8"))
COMPOSE: Any = yaml.safe_load((CI / "compose.yaml").read_text("utf-8"))
CONTAINER = (CI / "Containerfile").read_text("utf-8").replace("\\\n", "")
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["smoke"]["steps"]
LONGEST_S = 60


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which `chargerig` is the code of this folder."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "chargerig").write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m scenarios.cli "$@"\n')
    (tools / "chargerig").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def words_of(instruction: str) -> list[str]:
    """The JSON form of the Containerfile's instruction that begins so."""
    [found] = re.findall(rf"^{instruction} (\[.*\])$", CONTAINER, re.MULTILINE)
    return list(json.loads(found))


def commands() -> list[str]:
    """Every command line of chargerig in these files."""
    runs = [step["run"] for step in STEPS if "run" in step]
    lines = [line for text in (*runs, (CI / "smoke.sh").read_text("utf-8")) for line in text.splitlines()]
    found = [line.strip() for line in lines if line.strip().startswith("chargerig ")]
    return [*found, f"chargerig {COMPOSE['services']['fleet']['command']}", shlex.join(["chargerig", *words_of("CMD")])]


def test_every_option_in_these_files_exists() -> None:
    known = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    }
    lines = commands()
    assert len(lines) >= 6
    for line in lines:
        _, name, *words = line.split()
        used = {word for word in words if word.startswith("--")}
        assert used and used <= known[name], line


def test_the_workflow_installs_runs_and_keeps_the_evidence() -> None:
    runs = [step.get("run", "") for step in STEPS]
    scripts = [text for text in runs if text.startswith("rig/")]
    assert [(ROOT / text.split()[0].removeprefix("rig/")).is_file() for text in scripts] == [True]
    assert any("pip install -c rig/constraints.txt" in text for text in runs)
    assert STEPS[-1]["uses"].startswith("actions/upload-artifact@") and STEPS[-1]["if"] == "always()"
    folder = STEPS[-1]["with"]["path"].rstrip("/")
    assert all(f" {folder}" in text for text in runs if text.startswith(("rig/", "chargerig")))
    assert {step["uses"].partition("@")[2] for step in STEPS if "uses" in step} == {"v4", "v5"}


def test_the_image_holds_every_package_and_runs_as_nobody_in_particular() -> None:
    """What pip is to install is copied, its extras exist, and root is given up before anything runs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert {
        one for one, other in re.findall(r"^COPY (\w+) (\w+)$", CONTAINER, re.MULTILINE) if one == other
    } == packages
    for extras in re.findall(r"\[(\w+(?:,\w+)*)\]", CONTAINER):
        assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()
    for file in re.findall(r"^COPY ([^/]+) \./$", CONTAINER, re.MULTILINE)[0].split():
        assert (ROOT / file).is_file()
    instructions = [line.split()[0] for line in CONTAINER.splitlines() if line and not line.startswith("#")]
    assert instructions.index("USER") < instructions.index("ENTRYPOINT") < instructions.index("CMD")
    assert "--only-binary :all:" in CONTAINER and instructions.count("FROM") == 2


def test_compose_builds_the_image_and_starts_the_fleet_at_the_csms() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        build = service["build"]
        assert (CI / build["context"]).resolve() == ROOT and (ROOT / build["dockerfile"]).is_file()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert "//csms:9000/" in services["fleet"]["command"] and "//csms:9001" in services["fleet"]["command"]
    assert services["fleet"]["depends_on"] == {"csms": {"condition": "service_healthy"}}


def test_the_command_of_the_image_serves_and_its_health_check_sees_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Both as they stand in the file, but at loopback, on free ports and with the books elsewhere."""
    port, api = free_port(), free_port()
    command = [word.replace("0.0.0.0", "127.0.0.1").replace("/data", str(tmp_path)) for word in words_of("CMD")]
    check = [word.replace("9001", str(api)) for word in words_of("HEALTHCHECK .*CMD")]
    entry = words_of("ENTRYPOINT")
    process = subprocess.Popen([*entry, *command, "--port", str(port), "--api-port", str(api)], env=environment)
    try:
        until = time.monotonic() + LONGEST_S
        while True:
            ready = subprocess.run([sys.executable, *check[1:]], capture_output=True, timeout=10).returncode
            if ready == 0 or time.monotonic() > until or process.poll() is not None:
                break
            time.sleep(0.2)
        assert ready == 0
        with urllib.request.urlopen(f"http://127.0.0.1:{api}/health/ready", timeout=5) as answer:
            assert answer.status == 200
        assert (tmp_path / "csms.sqlite").exists()
        process.terminate()
        assert process.wait(LONGEST_S) == 0
    finally:
        process.kill()
        process.wait()
    assert subprocess.run([sys.executable, *check[1:]], capture_output=True, timeout=10).returncode != 0


def smoke(folder: Path, environment: dict[str, str], **given: str) -> subprocess.CompletedProcess[str]:
    command = [str(CI / "smoke.sh"), str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, env={**environment, **given}, timeout=LONGEST_S, check=False
    )


def test_the_smoke_run_ends_within_a_minute_with_a_verdict(environment: dict[str, str], tmp_path: Path) -> None:
    run = smoke(tmp_path, environment)
    assert run.returncode == 0, run.stdout + run.stderr
    books = re.search(r"books: (\d+) sessions driven, (\d+) stored, (\d+) billed, 0 in quarantine", run.stdout)
    assert books is not None, run.stdout
    assert int(books[1]) >= 20 and books[1] == books[2] == books[3]
    cases = list(ET.parse(tmp_path / "junit.xml").getroot().iter("testcase"))
    assert len(cases) > 20 and not [case for case in cases if case.find("failure") is not None]
    assert len([line for line in read_wire(tmp_path / "wire.jsonl.zst") if line.w == "open"]) == 20


def test_a_smoke_run_at_a_back_end_that_is_not_there_fails(environment: dict[str, str], tmp_path: Path) -> None:
    nowhere = f"ws://127.0.0.1:{free_port()}/{{id}}"
    run = smoke(tmp_path, environment, BACK_END=nowhere, STATIONS="2", LASTS="1s")
    assert run.returncode == 2 and "no station could connect" in run.stderr
