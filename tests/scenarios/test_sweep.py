"""Many seeds: the same wherever they are played, the lowest finding first, swarms that are legal, findings made small."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from reference_csms import assemble
from reports import sweep as sweep_page
from scenarios import load_rules
from scenarios.cli import app
from scenarios.faults.kinds import KINDS
from scenarios.load import extended, load_scenario, sessions_path
from scenarios.model import Fault, Scenario
from scenarios.processes import stream
from scenarios.stopping import Stopped
from scenarios.strict import parse_toml
from scenarios.sweep.shrink import least, shrink
from scenarios.sweep.small import small_toml
from scenarios.sweep.swarm import LEFT_OUT, drawn
from scenarios.sweep.sweep import sweep
from scenarios.sweep.task import Checked, Outcome, Task, played
from scenarios.targets import resolve
from sim.backend import BackEnd, Setup
from sim.errors import BadInput

FEW = ("INV-01", "INV-03", "INV-29", "L01", "T01")
BUG = "mutant:rounding-lost-in-the-ledger"


@pytest.fixture(scope="module")
def smoke() -> Scenario:
    """The smallest day, under a few checks."""
    day = load_scenario("smoke")
    claims = tuple(replace(one, checks=()) for one in day.claims)
    return replace(day, checks=replace(day.checks, all_of=FEW), claims=claims)


def _task(scenario: Scenario, seeds: Sequence[int], target: str = "reference", swarm: bool = False) -> Task:
    return Task(scenario, tuple(seeds), sessions_path(scenario), target, swarm)


# -- many seeds -----------------------------------------------------------------------------------------------------------


def test_outcomes_do_not_depend_on_how_many_are_played_at_once(smoke: Scenario) -> None:
    task = _task(smoke, range(2), swarm=True)
    one, two = sweep(task, 1, everything=True), sweep(task, 2, everything=True)
    assert one == two
    assert [outcome.seed for outcome in one.outcomes] == [0, 1]
    assert len({outcome.digest for outcome in one.outcomes}) == 2
    assert all(not outcome.found and not outcome.failed for outcome in one.outcomes)


def _canned(found: Sequence[int], order: Sequence[int]) -> Any:
    """Plays nothing: tasks of one seed end in this order, some with a finding."""

    def play(parts: Sequence[Task]) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        for number in order:
            seed = parts[number].seeds[0]
            checks = (Checked("L01", "FAIL" if seed in found else "PASS", int(seed in found), "said"),)
            yield number, (Outcome(seed, f"digest-{seed}", checks),)

    return play


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_the_first_finding_is_that_of_the_lowest_seed_whichever_ends_first(smoke: Scenario, order: list[int]) -> None:
    done = sweep(_task(smoke, range(4)), 2, where=_canned((1, 3), order))
    assert done.stopped
    assert [outcome.seed for outcome in done.outcomes] == [0, 1]
    every = sweep(_task(smoke, range(4)), 2, everything=True, where=_canned((1, 3), order))
    assert [outcome.seed for outcome in every.outcomes if outcome.found] == [1, 3]
    assert not every.stopped


def test_what_was_done_before_a_signal_is_told(smoke: Scenario) -> None:
    def play(parts: Sequence[Task]) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        yield 1, (Outcome(1, "one"),)
        yield 0, (Outcome(0, "none"),)
        raise Stopped(signal.SIGTERM)

    done = sweep(_task(smoke, range(4)), where=play)
    assert ([one.seed for one in done.outcomes], done.asked, done.signal) == ([0, 1], 4, 143)


def dies_at_its_first_commit(setup: Setup) -> BackEnd:
    """A target that gets through the day."""
    made = assemble(setup)

    def flush(*known: Any) -> Any:
        raise RuntimeError("the books are locked away")

    made.flush = flush  # type: ignore[method-assign]
    return made


def test_a_day_that_raises_is_told_and_the_others_go_on(smoke: Scenario) -> None:
    target = f"{__name__}:{dies_at_its_first_commit.__name__}"
    done = sweep(_task(smoke, (1, 2), target), everything=True)
    assert [outcome.seed for outcome in done.outcomes] == [1, 2]
    assert all("locked away" in outcome.failed and not outcome.digest for outcome in done.outcomes)


def test_what_no_seed_could_use_is_the_users_to_hear(smoke: Scenario) -> None:
    with pytest.raises(BadInput, match="no callable"):
        sweep(_task(smoke, (1, 2), "scenarios.sweep.task:nothing"))


def _double(number: int) -> int:
    return 2 * number


@pytest.mark.slow
def test_who_closes_a_stream_ends_what_still_runs() -> None:
    results = stream(_double, [1, 2], ["one", "two"], 1)
    assert next(results) == (0, 2)
    results.close()  # type: ignore[attr-defined]
    assert list(results) == []


# -- a swarm --------------------------------------------------------------------------------------------------------------


def test_each_seed_draws_a_legal_plan_of_its_own_and_always_the_same_one() -> None:
    day = load_scenario("first-day")
    plans = [drawn(day, seed) for seed in range(12)]
    assert plans[:4] == [drawn(day, seed) for seed in range(4)]
    assert len({plan.fault for plan in plans}) == 12
    for plan in plans:
        load_rules.judge(plan, "drawn")
        assert plan.fault and "DRV-01" not in plan.checks.all_of
    kinds = {fault.kind for plan in plans for fault in plan.fault}
    assert len(kinds) > 25 and not kinds & set(LEFT_OUT)
    assert {kind.partition(".")[0] for kind in kinds} >= {"link", "station", "backend", "meter", "leftover"}


def test_a_day_on_which_nothing_moves_draws_no_fault_of_a_move(smoke: Scenario) -> None:
    plans = [drawn(smoke, seed) for seed in range(12)]
    kinds = {fault.kind for plan in plans for fault in plan.fault}
    assert "link.stall" in kinds and {KINDS[kind].aims for kind in kinds} == {"station", "back-end"}


# -- made small -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guilty", [{3}, {0, 7}, {2, 3, 5}, {1, 4, 6, 7}, set(range(8))])
def test_what_is_left_is_guilty_to_the_last_part(guilty: set[int]) -> None:
    asked: list[tuple[int, ...]] = []

    def fails(some: tuple[int, ...]) -> bool:
        asked.append(some)
        return guilty <= set(some)

    assert set(least(range(8), fails)) == guilty
    assert len(asked) < 60


@pytest.fixture(scope="module")
def small(smoke: Scenario, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A finding of the smoke day with two faults that have nothing to do with it, made small."""
    faults = tuple(Fault(kind="link.reset", id=f"cut-{n}", at=load_scenario("first-day").fault[0].at) for n in range(2))
    found = shrink(replace(smoke, fault=faults), 2, "L01", sessions=sessions_path(smoke), target=resolve(BUG), most=40)
    file = tmp_path_factory.mktemp("small") / "small.toml"
    file.write_text(small_toml(found.scenario, "smoke", found.finding.sentence, file), encoding="utf-8")
    return found, file


def test_a_finding_is_made_as_small_as_one_session(small: tuple[Any, Path]) -> None:
    found, file = small
    assert (found.before.faults, found.before.sessions) == (2, 4)
    assert (found.after.faults, found.after.sessions, found.after.stations) == (0, 1, 1)
    assert found.least and found.finding.check == "L01"
    assert len(file.read_text("utf-8").splitlines()) <= 15


def test_its_file_is_the_same_scenario_and_shows_the_finding_again(small: tuple[Any, Path]) -> None:
    found, file = small
    again = load_scenario(str(file))
    assert again == found.scenario
    outcome = played(again, 2, sessions_path(again), resolve(BUG))
    assert [one.check for one in outcome.found] == ["L01"]
    assert not played(again, 2, sessions_path(again)).found, "without the bug there is nothing"


def test_a_check_that_finds_nothing_cannot_be_made_small(smoke: Scenario) -> None:
    with pytest.raises(BadInput, match="T01 finds nothing at seed 1"):
        shrink(smoke, 1, "T01", sessions=sessions_path(smoke), target=resolve("reference"))
    with pytest.raises(BadInput, match="compares two runs"):
        shrink(smoke, 1, "INV-39", sessions=sessions_path(smoke), target=resolve("reference"))


def test_rows_of_a_session_file_are_replayed_as_they_are_among_all_others(smoke: Scenario) -> None:
    from scenarios.stage import workload_of

    whole = workload_of(smoke, sessions_path(smoke))
    line = whole.visits[2].line
    some = replace(smoke, sessions=replace(smoke.sessions, rows=(line,)))
    part = workload_of(some, sessions_path(some))
    assert part.visits == (whole.visits[2],)
    assert list(part.stations) == [whole.visits[2].station]
    wrong = replace(smoke, sessions=replace(smoke.sessions, rows=(9_999,)))
    with pytest.raises(BadInput, match=r"line 9999: no visit of this day"):
        workload_of(wrong, sessions_path(wrong))


FOUND_BY_A_SWARM = """
extends = "first-day"
name = "refused-begin"
claims = ["Nothing honest is held."]
day.horizon = "25h"
day.settle = "1h"
sessions.sites = ["campus-5"]
sessions.rows = [821]
checks.all_of = ["INV-03"]
fault = [{kind = "backend.errors", where = {backend = "new"}, at = {from = "01:02", to = "10:54"}, lasts = "9m29s", id = "backend.errors-3"}]
"""  # noqa: E501


def test_a_session_whose_begin_was_refused_on_purpose_is_held_and_that_is_no_finding(tmp_path: Path) -> None:
    """A swarm found it at seed 13 among 84 faults: the back-end was made to answer the begin with an error."""
    file = tmp_path / "day.toml"
    file.write_text(FOUND_BY_A_SWARM)
    day = load_scenario(str(file))
    done = played(day, 13, sessions_path(day))
    assert [(one.verdict, one.said) for one in done.checks] == [("PASS", "0 billed, 0 free, 1 quarantined")]
    calm = played(day.without_faults("backend.errors"), 13, sessions_path(day))
    assert [one.said for one in calm.checks] == ["1 billed, 0 free, 0 quarantined"]


# -- a scenario that extends another --------------------------------------------------------------------------------------


def test_tables_are_merged_and_lists_replaced(tmp_path: Path) -> None:
    (tmp_path / "below.toml").write_text('extends = "smoke"\nfleet.sample_s = 30\n')
    data = parse_toml('extends = "below.toml"\nname = "mine"\nfleet.power_w = 3700\nchecks.all_of = ["L01"]', "mine")
    both = extended(data, str(tmp_path / "mine.toml"))
    smoke = extended({"extends": "smoke"}, "x")
    assert both["fleet"] == {**smoke["fleet"], "sample_s": 30, "power_w": 3700}
    assert (both["name"], both["checks"]["all_of"], both["owners"]) == ("mine", ["L01"], smoke["owners"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('extends = "smokey"', "there is no scenario 'smokey' .did you mean smoke"),
        ("extends = 3", "3 is no text"),
        ('extends = "./mine.toml"', "extends itself"),
        ('extends = "./gone.toml"', "there is no such file"),
    ],
)
def test_what_cannot_be_extended_is_one_sentence(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=complaint):
        load_scenario(str(file))


# -- the command ----------------------------------------------------------------------------------------------------------


def test_the_command_finds_shrinks_and_says_how_to_see_it_again(tmp_path: Path, smoke: Scenario) -> None:
    day = tmp_path / "day.toml"
    day.write_text(
        'extends = "smoke"\nname = "day"\nclaims = ["the books balance"]\nchecks.all_of = ["L01", "INV-01"]\n'
    )
    command = [
        "sweep",
        str(day),
        "--seeds",
        "5-7",
        "--jobs",
        "1",
        "--target",
        BUG,
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    done = CliRunner().invoke(app, command)
    told = json.loads(done.stdout)
    assert done.exit_code == told["exit_code"] == 1
    assert (told["seeds"], told["stopped"], told["asked"]) == ([5], True, 3)
    assert told["findings"][0]["replay"] == shlex.join(["chargerig", "run", str(day), "--seed", "5", "--target", BUG])
    (less,) = told["shrunk"]
    assert less["command"].split()[:2] == ["chargerig", "run"] and less["after"].startswith(
        "0 faults, 1 sites, 1 stations"
    )
    text = (tmp_path / "out" / less["file"]).read_text("utf-8")
    assert 'extends = "../day.toml"' in text and len(text.splitlines()) <= 15
    assert played(load_scenario(str(tmp_path / "out" / less["file"])), 5, sessions_path(smoke), resolve(BUG)).found
    page = (tmp_path / "out" / "sweep.html").read_text("utf-8")
    assert "made small" in page and "http" not in page.replace("http://www.w3.org", "")
    assert done.stderr.count("seeds") >= 1, "progress goes to standard error in a pipe too"


def test_the_page_shows_each_verdict_by_height_as_well_as_by_colour() -> None:
    drawn = sweep_page.strip(["PASS", "FAIL", "UNKNOWN", "PASS"], [1, 2, 3, 4])
    assert "M0 20v-7h9" in drawn and "M10 20v-20h9" in drawn and "M20 20v-13h9" in drawn
    assert "<title>found at seeds 2</title>" in drawn


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "SCENARIO: is missing"),
        (["smoke", "--target", "mutant:nothing"], "no mutant is called 'nothing'"),
        (["smoke", "--target", "mutant:rollback-forgets-sessions"], "mutant"),
        (["smoke", "--seeds", "9-1"], "9-1 is no range"),
    ],
)
def test_wrong_wishes_are_one_sentence(words: list[str], complaint: str) -> None:
    done = CliRunner().invoke(app, ["sweep", *words])
    assert done.exit_code == 2 and complaint in " ".join(done.stderr.split())
