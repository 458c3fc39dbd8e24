"""Thresholds and the books decide what a load is worth; wrong ones are one sentence."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from scenarios.cli import app
from scenarios.load_run.figures import ActionTimes, Figures, merged, packed, unpacked
from scenarios.load_run.plan import LoadPlan
from scenarios.load_run.result import RESULT_FILE, LoadResult, result_of
from scenarios.load_run.thresholds import METRICS, check_baseline, judge, measure, threshold
from scenarios.sockets.account import Account
from sim.errors import BadInput
from sim.evidence.verdict import Verdict
from sim.runtimes.aio_ledger import ActionCount, Latencies

URL = "ws://127.0.0.1:9/ocpp/{id}"
CLEAN = Account(driven=4, stored=4, billed=4, quarantined=0, lost=(), extra=(), wrong=())


def figures(ms: float = 100.0, errors: int = 0, calls: int = 100, over: bool = True) -> Figures:
    times = Latencies()
    for _ in range(calls):
        times.add(ms)
    counts = ActionCount(sent=calls, answered=calls - errors, accepted=calls - errors, errors=errors)
    return Figures(
        stations=4,
        dials=4,
        opened=4,
        sessions=4,
        actions={"Heartbeat": counts},
        times={"Heartbeat": ActionTimes(dict(times.buckets), times.worst)},
        over=over,
        began=1,
    )


def result(books: Account | None = CLEAN, unsettled: int = 0, **what: object) -> LoadResult:
    plan = LoadPlan(url=URL, lasts_s=10.0)
    made = result_of(plan, 4, 10.0, figures(**what), books)  # type: ignore[arg-type]
    return replace(made, unsettled=unsettled)


def verdicts(one: LoadResult, *texts: str, baseline: LoadResult | None = None) -> list[Verdict]:
    checks = judge([threshold(text) for text in texts], one, baseline)
    return [check.verdict for check in checks]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("p95>500ms", Verdict.PASS),
        ("p95>50ms", Verdict.FAIL),
        ("p95 > 0.05s", Verdict.FAIL),
        ("p95@Heartbeat>50ms", Verdict.FAIL),
        ("p95@Authorize>50ms", Verdict.UNKNOWN),
        ("errors>2", Verdict.FAIL),
        ("errors>2%", Verdict.FAIL),
        ("errors>3%", Verdict.PASS),
        ("rate<5", Verdict.PASS),
        ("rate<20", Verdict.FAIL),
        ("lost>0", Verdict.PASS),
        ("billed<100%", Verdict.PASS),
        ("answered>=97", Verdict.FAIL),
        ("lag>1000ms", Verdict.PASS),
    ],
)
def test_a_threshold_is_judged_by_what_was_measured(text: str, verdict: Verdict) -> None:
    assert verdicts(result(errors=3), text)[1] is verdict


def test_a_session_that_the_books_do_not_have_is_a_failure_however_fast() -> None:
    lossy = replace(CLEAN, stored=3, billed=3, lost=("CS-1*1, 40 Wh",))
    assert verdicts(result(lossy, ms=1.0), "p95>500ms", "lost>0") == [Verdict.FAIL, Verdict.PASS, Verdict.FAIL]
    doubled = replace(CLEAN, stored=5, extra=("CS-1*1, 40 Wh",))
    assert verdicts(result(doubled), "errors>0")[0] is Verdict.FAIL
    assert verdicts(result(replace(CLEAN, wrong=("CS-1*1: 1 Wh",))), "errors>0")[0] is Verdict.FAIL


def test_books_that_nobody_could_read_or_finish_are_no_pass() -> None:
    assert verdicts(result(None), "lost>0") == [Verdict.NOT_APPLICABLE, Verdict.UNKNOWN]
    assert verdicts(result(unsettled=1))[0] is Verdict.UNKNOWN
    assert verdicts(result(over=False))[0] is Verdict.UNKNOWN
    assert verdicts(result(replace(CLEAN, driven=0)))[0] is Verdict.UNKNOWN
    assert verdicts(result())[0] is Verdict.PASS


def test_a_baseline_makes_a_multiple_a_limit() -> None:
    before = result(ms=100.0)
    assert verdicts(result(ms=110.0), "p95>1.2x", baseline=before)[1] is Verdict.PASS
    slow = judge([threshold("p95>1.2x")], result(ms=200.0), before)[1]
    assert slow.verdict is Verdict.FAIL and "in the baseline" in slow.findings[0].sentence
    assert verdicts(result(), "lost>1x", baseline=result(None))[1] is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("p95", "no threshold"),
        ("p95>fast", "no threshold"),
        ("p95>5", "needs a unit"),
        ("p96>5ms", "p95"),
        ("errors>5ms", "no time"),
        ("lost@Heartbeat>1", "not told by action"),
        ("rate>5%", "has no share"),
    ],
)
def test_a_wrong_threshold_is_one_sentence_and_exit_code_2(text: str, part: str) -> None:
    with pytest.raises(BadInput, match=part):
        threshold(text)
    ended = CliRunner().invoke(app, ["load", "--url", URL, "--fail-if", text])
    assert ended.exit_code == 2 and part in ended.output and ended.output.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--fail-if", "p95>1.2x"], "--baseline"),
        (["--baseline", "nowhere"], "cannot be read"),
        (["--shape", "reset"], "--api"),
        (["--shape", "spikes"], "spike"),
        (["--run-time", "5s", "--quiet", "5s"], "--quiet"),
        (["--run-time", "30h"], "too long"),
        (["--id", "CS"], "same name twice"),
        (["--steps", "60,0"], "--steps"),
        (["--listen", "here"], "--listen"),
        (["--profile", "no-such"], "no profile"),
    ],
)
def test_a_wrong_option_is_one_sentence_before_anything_is_started(options: list[str], part: str) -> None:
    ended = CliRunner().invoke(app, ["load", "--url", URL, *options])
    assert ended.exit_code == 2 and part in ended.output and ended.output.count("\n") == 1


def test_another_load_is_no_baseline(tmp_path: Path) -> None:
    (tmp_path / RESULT_FILE).write_bytes(msgspec.json.encode(result()))
    ended = CliRunner().invoke(app, ["load", "--url", URL, "--users", "5", "--baseline", str(tmp_path)])
    assert ended.exit_code == 2 and "another load" in ended.output
    check_baseline([threshold("p95>1.2x")], result().plan, 4, result())


def test_every_measure_is_told() -> None:
    assert {name for name in METRICS if measure(result(), name, "") is None} == set()


def test_figures_of_several_processes_add_up() -> None:
    one, other = figures(ms=10.0), unpacked(packed(figures(ms=1000.0, errors=1, calls=300)))
    both = merged([one, other])
    assert (both.processes, both.total().sent, both.total().errors, both.over) == (2, 400, 1, True)
    assert both.latencies().quantile(0.2) == pytest.approx(10, rel=0.06)
    assert both.latencies().quantile(0.5) == pytest.approx(1000, rel=0.06)
    assert one.total().sent == 100, "what is merged is left as it was"
    assert not merged([one, figures(over=False)]).over
    assert not merged([]).over
