"""Targets that misbehave: whose mistake is told, nothing is made up, no second process and no half a folder stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from reference_csms import assemble
from scenarios import catalogue, repeat
from scenarios.cli import app
from scenarios.cli_doors import Doors
from scenarios.load import load_scenario, with_sessions
from scenarios.model import Duration, Fault, LocalTime, Scenario, Where, Window
from scenarios.runner import Played, judge
from scenarios.targets import REFERENCE, Target, reference, resolve
from sim.backend import BackEnd, Factory, Setup, Unverifiable
from sim.clock import MINUTE
from sim.errors import BadInput, TargetFailed
from sim.evidence.verdict import CheckResult, Verdict

FILE = '''
"""Back-ends of somebody else."""
import sys
from reference_csms import assemble
sound = lambda setup: assemble(setup)
def none(setup): return None
def leaves(setup): sys.exit(0)
def raises(setup): raise LookupError("no licence")
def chatty(setup):
    print("hello")
    return assemble(setup)
def falls(setup):
    made = assemble(setup)
    def accept(link, identity, subprotocols, now): raise LookupError("lost")
    made.accept = accept
    return made
def leaves_later(setup):
    made = assemble(setup)
    def flush(now, release): sys.exit(0)
    made.flush = flush
    return made
def shy(setup):
    made = assemble(setup)
    def books(now): sys.exit(0)
    made.books = books
    return made
def second_run_dies(setup):
    import os
    if os.environ.get("PYTHONHASHSEED") in ("20190612", "4711"):
        sys.exit(7)
    return assemble(setup)
'''


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Three sessions of the day, so that it is over at once."""
    head, *lines = catalogue.session_file("acn-2019-june.csv").read_text("utf-8").splitlines()
    file = tmp_path / "few.csv"
    file.write_text("\n".join([head, *[line for line in lines if line.startswith("2019-06-12")][:3]]) + "\n")
    return file


@pytest.fixture
def day(sessions: Path) -> Scenario:
    """The first day with these sessions, and no faults."""
    one = with_sessions(load_scenario("first-day"), str(sessions), "America/Los_Angeles")
    return replace(one, fault=(), move=None, fleet=replace(one.fleet, heartbeat_s=3600, sample_s=1800))


def run(day: Scenario, target: Target, checks: Sequence[str], **named: Any) -> tuple[Played, dict[str, CheckResult]]:
    named.setdefault("repeat", False)
    played, results = judge(day, 1, sessions=Path(day.sessions.file), target=target, checks=checks, **named)
    return played, {result.check: result for result in results}


def changed(**parts: Callable[..., Any]) -> Callable[[Setup], BackEnd]:
    """The reference with some of its methods replaced."""

    def factory(setup: Setup) -> BackEnd:
        made = assemble(setup)
        for name, part in parts.items():
            setattr(made, name, part)
        return made

    return factory


def raising(*args: Any) -> Any:
    raise LookupError("lost")


@pytest.fixture
def chargerig(tmp_path: Path, sessions: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`chargerig run` with a factory of the user's file theirs.py."""
    (tmp_path / "theirs.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "theirs", raising=False)

    def call(target: str, *more: str) -> Result:
        args = ["run", "first-day", "--sessions", str(sessions), "--zone", "America/Los_Angeles", "--target", target]
        return CliRunner().invoke(app, [*args, *more], obj=Doors(reports=lambda folder: None))

    return call


def nothing_left(tmp_path: Path) -> bool:
    out = tmp_path / "reports" / "out"
    return not out.is_dir() or not any(out.iterdir())


def test_a_back_end_that_hides_a_column_leaves_only_its_readers_unjudged(day: Scenario) -> None:
    def shy(setup: Setup) -> BackEnd:
        made = assemble(setup)
        whole = made.books
        made.books = lambda now: {**whole(now), "books_journal.hash": Unverifiable("not ours to show")}  # type: ignore[method-assign]
        return made

    _, results = run(day, Target(name="shy", legacy=shy, new=shy), ["L01", "L05"])
    assert results["L01"].verdict is Verdict.PASS
    assert results["L05"].verdict is Verdict.UNKNOWN
    assert "legacy: no books_journal.hash (not ours to show)" in results["L05"].reason


# -- the second run --------------------------------------------------------------------------------------------------


def test_a_factory_that_cannot_be_pickled_is_found_again_by_its_name(
    chargerig: Callable[..., Result], day: Scenario
) -> None:
    """INV-39: the second process resolves what the user wrote; a lambda is no obstacle."""
    assert chargerig("nowhere:sound").exit_code == 2
    target = resolve("theirs:sound")
    assert target.spec == "theirs:sound"
    _, results = run(day, target, ["INV-39"], repeat=True)
    assert results["INV-39"].verdict is Verdict.PASS, results["INV-39"].reason


@pytest.mark.parametrize("kind", ["closure", "lambda", "partial of a closure"])
def test_a_target_made_in_python_leaves_the_repeat_unknown_and_no_process(
    day: Scenario, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-39 says why it cannot be judged."""
    broken = changed()
    factories: dict[str, Factory] = {
        "closure": broken,
        "lambda": lambda setup: assemble(setup),
        "partial of a closure": partial(broken),
    }
    factory = factories[kind]

    def no_process(*args: Any, **named: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(repeat.subprocess, "Popen", no_process)
    _, results = run(day, Target("mine", factory, factory), ["INV-39"], repeat=True)
    assert results["INV-39"].verdict is Verdict.UNKNOWN
    assert "'mine' was made in Python" in results["INV-39"].reason


def test_a_target_of_importable_functions_needs_no_name(day: Scenario) -> None:
    """INV-39: pickled by reference, as the reference is."""
    second = repeat.Repeat(day, 1, Path(day.sessions.file), Target("plain", reference, reference))
    try:
        assert isinstance(second.digest(), str)
    finally:
        second.stop()


def test_a_second_run_that_dies_does_not_end_the_first(chargerig: Callable[..., Result], day: Scenario) -> None:
    """INV-39 is UNKNOWN with the reason; everything else is judged."""
    assert chargerig("theirs:nothing").exit_code == 2
    _, results = run(day, resolve("theirs:second_run_dies"), ["INV-39", "INV-01"], repeat=True)
    assert results["INV-39"].verdict is Verdict.UNKNOWN
    assert "SystemExit: 7" in results["INV-39"].reason
    assert results["INV-01"].verdict is Verdict.PASS


def test_a_second_run_is_stopped_and_its_pipes_are_closed(day: Scenario) -> None:
    second = repeat.Repeat(day, 1, Path(day.sessions.file), REFERENCE)
    process = second._process
    assert process is not None
    second.stop()
    assert process.returncode is not None and process.stdout is not None and process.stdout.closed


def test_what_a_target_prints_does_not_spoil_the_digest(chargerig: Callable[..., Result], day: Scenario) -> None:
    """INV-39"""
    assert chargerig("theirs:nothing").exit_code == 2
    _, results = run(day, resolve("theirs:chatty"), ["INV-39"], repeat=True)
    assert results["INV-39"].verdict is Verdict.PASS, results["INV-39"].reason


# -- import, factory, running ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["raise SystemExit(0)", "import sys; sys.exit()", "raise GeneratorExit", "1 / 0"])
def test_a_module_that_raises_when_it_is_imported_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leave: str
) -> None:
    name = f"leaving_{abs(len(leave))}"
    (tmp_path / f"{name}.py").write_text(leave)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(BadInput, match=f"'{name}' cannot be imported"):
        resolve(f"{name}:factory")


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("none", "its factory returned None"),
        ("leaves", "it raised SystemExit: 0"),
        ("raises", "it raised LookupError: no licence"),
    ],
)
def test_a_factory_that_makes_no_back_end_is_bad_input_and_named(
    chargerig: Callable[..., Result], tmp_path: Path, factory: str, says: str
) -> None:
    result = chargerig(f"theirs:{factory}", "--no-repeat")
    assert result.exit_code == 2
    assert f"target theirs:{factory}, the factory of legacy (theirs:{factory}): {says}" in result.stderr
    assert "Traceback" not in result.stderr and nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("factory", "says"),
    [("falls", "while judging the handshake"), ("leaves_later", "it raised SystemExit: 0")],
)
def test_a_target_that_raises_in_the_middle_is_the_target_s_failure(
    chargerig: Callable[..., Result], tmp_path: Path, factory: str, says: str
) -> None:
    result = chargerig(f"theirs:{factory}", "--no-repeat", "--json")
    assert result.exit_code == 3
    sentence = json.loads(result.stdout)["error"]["sentence"]
    assert f"the target theirs:{factory} failed, not chargerig" in sentence and says in sentence
    assert "2019-06-1" in sentence, "the virtual time is named"
    assert "our own failure" not in result.stderr and nothing_left(tmp_path)


@pytest.mark.parametrize("duty", ["accept", "flush", "next_deadline", "tick", "operate"])
def test_every_duty_of_a_target_is_answered_for_by_the_target(day: Scenario, duty: str) -> None:
    parts: dict[str, Callable[..., Any]] = {duty: raising}
    if duty == "tick":
        parts["next_deadline"] = lambda: _soon(day)
    target = Target("mine", changed(**parts), reference)
    with pytest.raises((TargetFailed, BadInput), match="LookupError: lost") as caught:
        run(day, target, ["INV-01"])
    assert isinstance(caught.value.__cause__, LookupError)


def _soon(day: Scenario) -> int:
    return day.day.start + MINUTE


def test_a_mistake_of_the_reference_is_ours_and_raises_as_it_is(day: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    from reference_csms.backend import ReferenceCsms

    monkeypatch.setattr(ReferenceCsms, "accept", raising)
    with pytest.raises(LookupError, match="lost"):
        run(day, REFERENCE, ["INV-01"])
    monkeypatch.undo()
    monkeypatch.setattr(ReferenceCsms, "books", raising)
    with pytest.raises(LookupError, match="lost"):
        run(day, REFERENCE, ["INV-01"])


# -- books and quotes ------------------------------------------------------------------------------------------------


def _rows(value: Any) -> Callable[[Any], Any]:
    return lambda now: {"books_bills": value}


@pytest.mark.parametrize(
    ("books", "says"),
    [
        (raising, "books() of new failed: LookupError: lost"),
        (lambda now: None, "books() of new returned None"),
        (_rows(7), "new shows a int instead of rows"),
        (_rows([None]), "new shows None instead of a row"),
        (_rows([{"gross": 2**70}]), "too large"),
        (_rows([{"number": "\ud800"}]), "cannot be kept"),
        (_rows([{"gross": 1.5}]), "cannot be kept"),
        (_rows(object()), "instead of rows"),
    ],
)
def test_books_that_cannot_be_read_are_unknown_with_the_reason(
    day: Scenario, books: Callable[..., Any], says: str
) -> None:
    played, results = run(day, Target("mine", reference, changed(books=books)), ["INV-01"])
    assert results["INV-01"].verdict is Verdict.UNKNOWN
    reasons = played.evidence.rows("SELECT reason FROM unverifiable WHERE backend = 'new' AND book = 'books_bills'")
    assert says in reasons[0]["reason"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (raising, "quote() of new failed: LookupError: lost"),
        (lambda request, now: None, "quote() of new returned None"),
        (lambda request, now: {"components": 7}, "instead of components"),
        (lambda request, now: {"components": [{"price": "1"}]}, "a component without component"),
    ],
)
def test_quotes_that_cannot_be_read_are_unknown_with_the_reason(
    day: Scenario, answer: Callable[..., Any], says: str
) -> None:
    played, results = run(day, Target("mine", reference, changed(quote=answer)), ["INV-22"])
    assert results["INV-22"].verdict is Verdict.UNKNOWN
    reasons = played.evidence.rows("SELECT reason FROM unverifiable WHERE book = 'quotes_grid'")
    assert says in reasons[0]["reason"]


def test_a_target_that_leaves_while_showing_its_books_is_exit_code_4(
    chargerig: Callable[..., Result], tmp_path: Path
) -> None:
    result = chargerig("theirs:shy", "--no-repeat", "--json")
    assert result.exit_code in (1, 4) and "Traceback" not in result.stderr
    checks = {one["check"]: one for one in json.loads(result.stdout)["runs"][0]["checks"]}
    assert checks["INV-01"]["verdict"] == "UNKNOWN" and "SystemExit" in checks["INV-01"]["reason"]


# -- down at the end -------------------------------------------------------------------------------------------------


def down_at_the_end(day: Scenario) -> Scenario:
    """The old back-end dies in the afternoon and does not come back before the run is over."""
    noon = Window(from_=LocalTime(12 * 60 * MINUTE), to=LocalTime(12 * 60 * MINUTE))
    crash = Fault(
        kind="backend.crash", where=Where(backend="legacy"), at=noon, lasts=Duration(99 * 60 * MINUTE),
        moment="before-commit",
    )  # fmt: skip
    return replace(day, fault=(crash,))


def test_a_back_end_that_is_down_at_the_end_is_started_from_its_disk_for_its_books(day: Scenario) -> None:
    played, results = run(down_at_the_end(day), REFERENCE, ["L01", "L05"])
    assert {result.verdict for result in results.values()} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert played.evidence.rows("SELECT COUNT(*) AS n FROM books_stations WHERE backend = 'legacy'")[0]["n"] > 0
    assert played.evidence.rows("SELECT COUNT(*) AS n FROM truth_faults")[0]["n"] == 1


def test_a_back_end_that_cannot_be_started_again_is_unverifiable(day: Scenario) -> None:
    def once(setup: Setup) -> BackEnd:
        if setup.disk.setdefault("started", 0):
            raise LookupError("disk full")
        setup.disk["started"] = 1
        return assemble(setup)

    played, results = run(down_at_the_end(day), Target("mine", once, reference), ["INV-01"])
    assert results["INV-01"].verdict is Verdict.UNKNOWN and "disk full" in results["INV-01"].reason
    missing = played.evidence.rows("SELECT DISTINCT backend FROM unverifiable WHERE book = 'books_bills'")
    assert missing == [{"backend": "legacy"}]


def test_a_crash_that_comes_due_while_its_back_end_is_down_waits_for_it(day: Scenario) -> None:
    def crash(minute: int, name: str) -> Fault:
        at = LocalTime((12 * 60 + minute) * MINUTE)
        return Fault(
            kind="backend.crash", id=name, where=Where(backend="new"), at=Window(from_=at, to=at),
            lasts=Duration(10 * MINUTE), moment="before-commit",
        )  # fmt: skip

    played, _ = run(replace(day, fault=(crash(0, "first"), crash(3, "second"))), REFERENCE, ["L01"])
    rows = played.evidence.rows("SELECT fault_id, at, until FROM truth_faults ORDER BY at")
    assert [row["fault_id"] for row in rows] == ["first", "second"]
    assert rows[1]["at"] == rows[0]["until"], "the second one strikes as soon as there is somebody to die"


def test_the_second_run_is_found_from_any_folder(tmp_path: Path, day: Scenario) -> None:
    """INV-39: a folder `scenarios` of the user's own does not stand in the way of ours."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "__init__.py").write_text("raise SystemExit(9)")
    code = (
        f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}\n"
        "from pathlib import Path\nfrom msgspec.structs import replace\n"
        "from scenarios.load import load_scenario, with_sessions\nfrom scenarios.repeat import Repeat\n"
        "from scenarios.targets import REFERENCE\n"
        f"file = {day.sessions.file!r}\n"
        "day = replace(with_sessions(load_scenario('first-day'), file, 'America/Los_Angeles'), fault=())\n"
        "second = Repeat(day, 1, Path(file), REFERENCE)\nprint(second.digest())\nsecond.stop()\n"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert len(done.stdout.strip()) == 64, done.stdout + done.stderr
