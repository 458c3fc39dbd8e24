"""`chargerig rehearse` on a tiny scenario: real processes, the files that it writes, and what it leaves behind."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scenarios import catalogue, cli_rehearse
from scenarios.cli import app
from scenarios.cli_seed import play_seed
from scenarios.load import load_scenario, sessions_path
from scenarios.runner import play
from sim.errors import BadInput, TargetFailed

SESSIONS = """start_local,end_local,station,connector,energy_kwh,site
2019-06-12T08:12:00,2019-06-12T09:40:00,P-1,1,6.5,pier
2019-06-12T10:05:00,2019-06-12T12:30:00,P-1,1,4.2,pier
2019-06-12T08:55:00,2019-06-12T15:10:00,P-2,1,30.0,pier
2019-06-12T11:20:00,2019-06-12T11:50:00,P-3,1,2.0,pier
"""
PLACES = """
[sites.pier]
owner   = "fjordlading"
backend = "move"
"""
REST = """
[[fault]]
kind = "move.rollback-ordered"
id   = "ordered-back"

[budgets]
refused_starts         = 9
interrupted_charges    = 9
connector_minutes_lost = 900

[checks]
all_of = ["INV-01", "INV-02", "INV-26", "DRV-01", "DRV-02", "DRV-03"]
"""
FORGETFUL = """
from reference_csms import assemble

def factory(setup):
    made = assemble(setup)
    shown = made.books

    def books(now):
        books = dict(shown(now))
        return {**books, "books_sessions": [row for row in books["books_sessions"] if row["state"] != "billed"]}

    made.books = books
    return made
"""
HALF = """
from reference_csms import assemble

def factory(setup):
    made = assemble(setup)
    if setup.seed == 2:
        made.accept = broken
    return made

def broken(*args):
    raise LookupError("no disk on this day")
"""


def tiny(folder: Path) -> Path:
    """A day of three stations at one site that moves, made from the first day."""
    (folder / "tiny.csv").write_text(SESSIONS)
    text = catalogue.scenario_file("first-day").read_text("utf-8")
    head, rest = text[: text.index("[sites.")], text[text.index("[fleet]") :]
    head = (
        head[: head.index("claims = [")]
        + 'claims = [{says = "Nothing is lost.", checks = ["INV-01"]}]\n'
        + head[head.index("default_owners") :]
    )
    head = head.replace('"acn-2019-june.csv"', f'"{folder / "tiny.csv"}"')
    head = head.replace('"America/Los_Angeles"', '"Europe/Oslo"').replace('"first-day"', '"tiny"')
    rest = (
        rest[: rest.index("[[fault]]")]
        .replace('"campus-4"', '"pier"')
        .replace("heartbeat_s = 900", "heartbeat_s = 3600")
    )
    rest = rest.replace('stuck_after   = "30m"', 'stuck_after   = "30m"\nprobation     = "15m"')
    place = folder / "tiny.toml"
    place.write_text(head + PLACES + rest + REST)
    return place


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda *args: CliRunner().invoke(app, ["rehearse", *map(str, args)])


def test_two_seeds_give_a_forecast_the_same_whoever_ends_first(
    tmp_path: Path, chargerig: Callable[..., Result]
) -> None:
    day = tiny(tmp_path)
    alone = chargerig(day, "--seeds", "1,2", "--jobs", 1, "--json", "--out", "alone")
    told = json.loads(alone.stdout)
    assert alone.exit_code == told["exit_code"] == 0, told
    assert (told["verdict"], told["seeds"], told["waves"][0]["sites"]) == ("go", [1, 2], ["pier"])
    assert told["rollbacks"]["measured"] == 2 and told["waves"][0]["last_rollback"]["stations"] == 3
    assert told["hours"]["pier"]["best"] is not None and told["combinations"]["growth"][0][0] == 1
    both = chargerig(day, "--seeds", "1-2", "--jobs", 2, "--out", "both")
    assert both.exit_code == 0 and "Go: 2" in both.stdout and "both/rehearsal.html" in both.stdout
    assert "1 of 2 seeds" in both.stderr and "2 of 2 seeds" in both.stderr
    alone_files, both_files = sorted((tmp_path / "alone").iterdir()), sorted((tmp_path / "both").iterdir())
    assert [one.read_bytes() for one in alone_files] == [one.read_bytes() for one in both_files]
    assert [one.name for one in both_files] == ["rehearsal.html", "rehearsal.json"]


def test_a_seed_in_a_process_of_its_own_tells_what_is_played_here(tmp_path: Path) -> None:
    day = load_scenario(str(tiny(tmp_path)))
    here = play_seed(day, 3, sessions_path(day))
    done = cli_rehearse.rehearse(day, [3], 1, "reference", lambda *_: None)
    assert (done.failed, done.stopped) == ({}, 0)
    assert (done.seeds[0].digest, done.seeds[0].facts) == (here["digest"], here["facts"])
    assert here["digest"] == play(day, 3, sessions=sessions_path(day)).evidence.digest


def test_a_seed_with_a_finding_is_named_with_its_replay(tmp_path: Path, chargerig: Callable[..., Result]) -> None:
    (tmp_path / "forgetful.py").write_text(FORGETFUL)
    day = tiny(tmp_path)
    result = chargerig(day, "--seeds", "1", "--target", "forgetful:factory", "--out", "here")
    told = json.loads((tmp_path / "here" / "rehearsal.json").read_text())
    assert (result.exit_code, told["verdict"], told["waves"][0]["verdict"]) == (1, "no-go", "no-go")
    assert "INV-01" in [row["check"] for row in told["findings"]]
    assert f"chargerig run {day} --seed 1" in result.stdout.replace("\n", "")


def test_a_target_that_fails_on_one_day_is_told_and_the_others_count(
    tmp_path: Path, chargerig: Callable[..., Result]
) -> None:
    (tmp_path / "half.py").write_text(HALF)
    result = chargerig(tiny(tmp_path), "--seeds", "1-2", "--target", "half:factory", "--json", "--out", "here")
    told = json.loads(result.stdout)
    assert (result.exit_code, told.get("verdict"), told.get("seeds")) == (3, "no-go", [1]), told
    assert [row["seed"] for row in told["failed"]] == [2] and "no disk on this day" in told["failed"][0]["problem"]


def test_ctrl_c_ends_the_processes_and_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chargerig: Callable[..., Result]
) -> None:
    started: list[int] = []

    def stop_after_one(done: int, total: int, running: int) -> None:
        started.append(running)
        if done and running:
            raise KeyboardInterrupt

    day = load_scenario(str(tiny(tmp_path)))
    done = cli_rehearse.rehearse(day, [1, 2, 3], 1, "reference", stop_after_one)
    assert [one.seed for one in done.seeds] == [1] and done.stopped == 130
    assert started == [1, 0, 1] and multiprocessing.active_children() == []
    told, code = cli_rehearse.finish("tiny", day, done, 3, tmp_path / "out")
    assert code == 130 and (told["seeds"], told["asked"]) == ([1], 3)
    assert "3 were asked for" in (tmp_path / "out" / "rehearsal.html").read_text()


def test_nothing_done_writes_nothing(tmp_path: Path) -> None:
    day = load_scenario(str(tiny(tmp_path)))
    with pytest.raises(KeyboardInterrupt):
        cli_rehearse.finish("tiny", day, cli_rehearse.Rehearsed([], {}, 130), 3, tmp_path / "out")
    with pytest.raises(TargetFailed, match="no disk"):
        cli_rehearse.finish("tiny", day, cli_rehearse.Rehearsed([], {1: "no disk"}), 3, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "seeds"), [("7", [7]), ("0-3", [0, 1, 2, 3]), ("5,1-2,2", [1, 2, 5]), (" 4 , 6", [4, 6])]
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert cli_rehearse.seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-", "-3", "9-1", "1,,2", "0-99999", "1.5"])
def test_what_are_no_seeds_is_one_sentence(text: str, chargerig: Callable[..., Result]) -> None:
    result = chargerig("first-day", f"--seeds={text}")
    assert result.exit_code == 2 and "--seeds" in result.stderr


def test_jobs_are_the_cores_and_never_more_than_seeds() -> None:
    assert cli_rehearse.jobs_of(None, 1) == cli_rehearse.jobs_of(8, 1) == 1
    assert cli_rehearse.jobs_of(3, 100) == 3 and cli_rehearse.jobs_of(None, 100) >= 1


def test_a_foreign_folder_is_never_touched(tmp_path: Path, chargerig: Callable[..., Result]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    result = chargerig(tiny(tmp_path), "--seeds", "1", "--out", "mine")
    assert result.exit_code == 2 and "no rehearsal has written" in result.stderr
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is no folder"):
        cli_rehearse.place_of(tmp_path / "file", load_scenario("first-day"), [1])


def test_what_the_session_file_lacks_is_one_sentence(tmp_path: Path, chargerig: Callable[..., Result]) -> None:
    day = tiny(tmp_path)
    (tmp_path / "tiny.csv").write_text("start_local,end_local\n")
    result = chargerig(day, "--seeds", "1-3")
    assert result.exit_code == 2 and "tiny.csv" in result.stderr
    assert not (tmp_path / "reports").exists()
