"""`chargerig run --target`: a scenario on real sockets against our own server, reached only by OCPP, OCPI and CSV."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from reference_csms import assemble
from reference_csms.backend import ReferenceCsms
from scenarios.cli import app
from scenarios.cli_doors import Doors
from scenarios.load import load_scenario, sessions_path, with_sessions
from scenarios.model import Scenario
from scenarios.mutants.registry import mutant
from scenarios.sockets.live import judge_live
from scenarios.sockets.serve import Where
from scenarios.targets.file import load_target
from sim.backend import BackEnd, Row, Setup
from sim.clock import SECOND, Instant
from sim.errors import BadInput
from sim.evidence.verdict import CheckResult, Verdict
from tests.scenarios.sockets.test_serve import SECRET, served, serving

EXAMPLE = Path(__file__).parents[3] / "docs" / "target-reference.toml"
PACE = 60.0
PATIENCE_S = 80.0
HURRIED = {"INV-16", "INV-17"}
"""What cannot be judged while the world runs faster than the clock of the back-end."""
HEAD = "start_local,end_local,station,connector,energy_kwh,requested_kwh,registered,site\n"
SESSIONS = (
    "2024-05-15T10:00:00,2024-05-15T10:04:00,SMOKE-1,1,0.311,1.00,yes,depot\n"
    "2024-05-15T10:00:20,2024-05-15T10:03:20,SMOKE-2,1,0.253,1.00,no,depot\n"
    "2024-05-15T10:00:40,2024-05-15T10:04:20,SMOKE-3,1,0.287,1.00,yes,depot\n"
)
CAUGHT = {
    "rounding-lost-in-the-ledger": "L01",
    "cent-moved-from-revenue-to-vat": "L02",
    "bill-posted-to-the-wrong-customer": "L02",
    "hash-chain-broken": "L05",
    "line-lost-from-the-bill": "B02",
    "kwh-rounded-on-the-lines": "B06",
    "energy-cut-to-ten-wh": "INV-01",
    "meter-values-refused": "INV-05",
    "answer-with-a-key-too-many": "INV-13",
    "remote-starts-refused": "DRV-01",
    "transaction-ids-restart-at-one": "",
}
"""Planted bugs of our server with the check that must find each of them; no finding for one that needs two back-ends."""


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Three sessions within five minutes."""
    file = tmp_path / "few.csv"
    file.write_text(HEAD + SESSIONS)
    return file


@pytest.fixture(autouse=True)
def billed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bills come a second after a stop, so that no run has to wait five times as long for them."""
    monkeypatch.setattr("reference_csms.billing.run.DELAY", SECOND)


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Where], Path]:
    """The target file of the documents, for a server at other ports."""
    monkeypatch.setenv("CHARGERIG_API_TOKEN", SECRET)

    def at(where: Where) -> Path:
        text = EXAMPLE.read_text("utf-8").replace(
            "ws://127.0.0.1:9000/ocpp/{station}", where.ocpp.replace("{id}", "{station}")
        )
        settled = re.sub(r"settle_s( +)= 8 ", r"settle_s\1= 2 ", text)
        assert settled != text
        file = tmp_path / f"target-{where.api.rpartition(':')[2]}.toml"
        file.write_text(settled.replace("http://127.0.0.1:9001", where.api))
        return file

    return at


def judged(day: Scenario, file: Path, state: Path | None = None) -> tuple[dict[str, str], list[CheckResult]]:
    """One run, in a thread beside the loop of the server: what the manifest says of it, and the verdicts."""
    played, results = judge_live(day, 1, load_target(file), sessions=sessions_path(day), pace=PACE, state=state)
    played.evidence.close()
    return played.facts, results


def test_a_run_on_sockets_finds_nothing_wrong_and_says_what_it_could_not_judge(
    few: Path, target: Callable[[Where], Path], tmp_path: Path
) -> None:
    doors = Doors(reports=lambda folder: None)
    out, state, shown = tmp_path / "run", tmp_path / "state", []

    async def run(where: Where, stop: asyncio.Event) -> None:
        args = ["run", "smoke", "--target", str(target(where)), "--pace", str(PACE), "--state", str(state), "--json"]
        more = ["--sessions", str(few), "--zone", "Europe/Oslo", "--documents", "none", "--out", str(out)]
        shown.append(await asyncio.to_thread(CliRunner().invoke, app, [*args, *more], obj=doors))

    serving(run, PATIENCE_S)
    result: Result = shown[0]
    assert result.exit_code == 4, result.output
    checks = {one["check"]: one for one in json.loads(result.stdout)["runs"][0]["checks"]}
    assert {name for name, one in checks.items() if one["verdict"] not in ("PASS", "NOT_APPLICABLE")} == HURRIED
    assert "another pace" in checks["INV-17"]["reason"]
    assert {checks[name]["verdict"] for name in ("INV-01", "INV-31", "T01", "L01", "L02", "B01", "DRV-01")} == {"PASS"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest["live"]["salt"]) >= 16
    registers = json.loads((state / "meters.json").read_text())
    assert {*registers} == {"SMOKE-1", "SMOKE-2", "SMOKE-3"}
    assert all(page > 0 for meters in registers.values() for _, page in meters.values())


@pytest.mark.parametrize(
    ("quoted", "verdicts"),
    [
        (Decimal(1), {"T03": Verdict.PASS, "INV-22": Verdict.PASS}),
        pytest.param(Decimal("0.5"), {"T03": Verdict.FAIL, "INV-22": Verdict.FAIL}, marks=pytest.mark.slow),
    ],
)
def test_prices_are_asked_for_and_what_was_billed_is_held_against_them(
    quoted: Decimal,
    verdicts: dict[str, Verdict],
    few: Path,
    target: Callable[[Where], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = with_sessions(load_scenario("smoke"), str(few), "Europe/Oslo")
    day = replace(day, checks=replace(day.checks, all_of=tuple(verdicts)))
    true, found, reasons = ReferenceCsms.quote, {}, []

    def other(self: ReferenceCsms, request: Row, now: Instant) -> Row:
        shown = true(self, request, now)
        return {
            **shown,
            "components": [{**one, "price": str(Decimal(one["price"]) * quoted)} for one in shown["components"]],
        }

    async def run(where: Where, stop: asyncio.Event) -> None:
        file = target(where)
        before, _, rest = file.read_text().partition("[books.cdrs]")  # OCPI does not tell the group of a driver
        csv = '[books.cdrs]\nkind = "csv"\nurl = "/export/cdrs.csv"\n\n[books.sessions]'
        file.write_text(before + csv + rest.partition("[books.sessions]")[2])
        _, results = await asyncio.to_thread(judged, day, file)
        found.update({one.check: one.verdict for one in results})
        reasons.extend(one.reason for one in results)

    monkeypatch.setattr(ReferenceCsms, "quote", other)
    serving(run, PATIENCE_S)
    assert found == verdicts, reasons


def failed_with(
    names: Sequence[str], few: Path, target: Callable[[Where], Path], monkeypatch: pytest.MonkeyPatch
) -> dict[str, set[str]]:
    """Serve the reference CSMS with each of these bugs in it, all at once; what failed at each server."""
    planted: ContextVar[str] = ContextVar("planted")  # each server is a task, and a task has a context of its own

    def broken(setup: Setup) -> BackEnd:
        return assemble(setup, **mutant(planted.get()).parts(setup))

    monkeypatch.setattr("scenarios.sockets.serve.assemble", broken)
    day = with_sessions(load_scenario("smoke"), str(few), "Europe/Oslo")
    failed: dict[str, set[str]] = {}

    async def play(name: str) -> None:
        planted.set(name)

        async def run(where: Where, stop: asyncio.Event) -> None:
            _, results = await asyncio.to_thread(judged, day, target(where))
            failed[name] = {result.check for result in results if result.verdict is Verdict.FAIL}

        await served(run, PATIENCE_S)

    async def all_at_once() -> None:
        await asyncio.gather(*map(play, names))

    asyncio.run(all_at_once())
    return failed


@pytest.mark.slow
@pytest.mark.parametrize("names", [[*CAUGHT][0::2], [*CAUGHT][1::2]], ids=",".join)
def test_bugs_of_servers_are_caught_through_their_sockets(
    names: list[str], few: Path, target: Callable[[Where], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = failed_with(names, few, target, monkeypatch)
    assert found.keys() == {*names}
    for name, failed in found.items():
        assert CAUGHT[name] in failed if CAUGHT[name] else not failed, (name, failed)


@pytest.mark.slow
def test_three_runs_with_one_seed_against_one_database_find_nothing(
    few: Path, target: Callable[[Where], Path], tmp_path: Path
) -> None:
    day = with_sessions(load_scenario("smoke"), str(few), "Europe/Oslo")
    state, salts, failed = tmp_path / "state", [], []

    async def thrice(where: Where, stop: asyncio.Event) -> None:
        for _ in range(3):
            facts, results = await asyncio.to_thread(judged, day, target(where), state)
            salts.append(facts["salt"])
            failed.extend(result for result in results if result.findings)
            unjudged = [(one.check, one.reason[:90]) for one in results if one.verdict is not Verdict.PASS]
            assert len(results) - len(unjudged) >= 20, unjudged

    serving(thrice, 3 * PATIENCE_S, store=f"sqlite:///{tmp_path / 'books.sqlite'}")
    assert failed == []
    assert len(set(salts)) == 3


@pytest.mark.parametrize(
    ("scenario", "text", "says"),
    [
        ("first-day", '[ocpp]\nurl = "ws://127.0.0.1:1/{station}"\n', "nothing can be moved on sockets yet"),
        ("smoke", "[clock]\nsettle_s = 1\n", r"\[ocpp\] with the url"),
        ("smoke", '[ocpp]\nurl = "ws://127.0.0.1:1/{station}/1.6"\n', "does not end with the identity"),
        ("smoke", '[legacy.ocpp]\nurl = "ws://a"\n[new.ocpp]\nurl = "ws://b"\n', "is for two back-ends"),
    ],
)
def test_what_cannot_be_played_on_sockets_is_told_before_anything_is_dialled(
    tmp_path: Path, scenario: str, text: str, says: str
) -> None:
    file = tmp_path / "target.toml"
    file.write_text(text)
    day = load_scenario(scenario)
    with pytest.raises(BadInput, match=says):
        judge_live(day, 1, load_target(file), sessions=sessions_path(day))


def test_pace_and_state_are_for_sockets_only(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", "smoke", "--pace", "2", "--json"])
    assert result.exit_code == 2
    assert "--target TARGET.toml with [ocpp]" in json.loads(result.stdout)["error"]["sentence"]


def test_stations_do_not_dial_twice_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    file.write_text('[ocpp]\nurl = "ws://127.0.0.1:1/{station}"\n')
    result = CliRunner().invoke(app, ["run", "smoke", "--seeds", "1-2", "--jobs", "2", "--target", str(file), "--json"])
    assert result.exit_code == 2
    assert "--jobs: one station cannot dial twice" in json.loads(result.stdout)["error"]["sentence"]
