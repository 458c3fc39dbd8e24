"""When a load has failed: `p95>500ms`, `errors>1%`, `lost>0`, or against a baseline `p95>1.2x`. Pure.

A threshold that cannot be measured is UNKNOWN, never passed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import ge, gt, le, lt
from typing import Any

from msgspec import Struct

from scenarios.load_run.plan import LoadPlan
from scenarios.load_run.result import LoadResult, like
from sim.errors import BadInput, unknown
from sim.evidence.verdict import CheckResult, Finding, Verdict

_RULE = re.compile(r"\s*([a-z0-9-]+)(?:@([A-Za-z]+))?\s*(>=|<=|>|<)\s*(\d+(?:\.\d+)?)\s*(ms|s|x|%)?\s*")
_SAME: dict[str, Callable[[float, float], bool]] = {">": gt, "<": lt, ">=": ge, "<=": le}
_BY_ACTION = ("p50", "p95", "p99", "worst", "sent", "answered", "accepted", "refused", "errors", "unanswered")
_TIMES = ("p50", "p95", "p99", "worst", "lag", "lag-worst")
_IN_BOOKS = ("stored", "billed", "quarantined", "lost", "extra", "wrong")
METRICS = {
    "p50": "median of the answer times",
    "p95": "95 of 100 answers were faster",
    "p99": "99 of 100 answers were faster",
    "worst": "the slowest answer",
    "lag": "lateness of the generator itself, 99 of 100",
    "lag-worst": "the worst lateness of the generator itself",
    "rate": "answers a second",
    "offered": "calls that stations wanted to make",
    "sent": "calls sent",
    "answered": "calls answered with a result",
    "accepted": "calls answered with a yes",
    "refused": "calls answered with a no",
    "errors": "calls answered by an error",
    "unanswered": "calls without an answer",
    "waiting": "messages that still wait at stations",
    "refusals": "dials that came to nothing",
    "sessions": "sessions driven",
    "unsettled": "stations that had not delivered everything",
    "stored": "sessions in the books",
    "billed": "sessions billed",
    "quarantined": "sessions held back from billing",
    "lost": "sessions driven that the books do not have",
    "extra": "sessions that nobody drove",
    "wrong": "sessions with another energy than the meter's",
}


class Threshold(Struct, frozen=True):
    """One of them, as the user wrote it, and what it says. `limit` in ms, as a count, a share or a multiple (`unit`)."""

    text: str
    metric: str
    action: str
    sign: str
    limit: float
    unit: str


def threshold(text: str) -> Threshold:
    """Read one. Raises BadInput, in one sentence."""
    allowed = "METRIC>NUMBER with ms, s, % or x, such as p95>500ms, errors>1%, lost>0 or p95@Authorize>1.2x"
    match = _RULE.fullmatch(text)
    if match is None:
        raise BadInput("--fail-if", None, f"{text!r} is no threshold", allowed)
    metric, action, sign, number, unit = match.groups()
    if metric not in METRICS:
        problem, names = unknown("measure", metric, list(METRICS))
        raise BadInput("--fail-if", text, problem, names)
    if action and metric not in _BY_ACTION:
        raise BadInput("--fail-if", text, f"{metric} is not told by action", _BY_ACTION)
    if metric in _TIMES and unit not in ("ms", "s", "x"):
        raise BadInput("--fail-if", text, "a time needs a unit", "ms, s, or x for a multiple of the baseline")
    if metric not in _TIMES and unit in ("ms", "s"):
        raise BadInput("--fail-if", text, f"{metric} is no time", "a number, % of what was sent or driven, or x")
    if unit == "%" and metric in ("rate", "offered", "sent", "sessions", "waiting", "unsettled"):
        raise BadInput("--fail-if", text, f"{metric} has no share", "a number, or x for a multiple of the baseline")
    limit = float(number) * (1000 if unit == "s" else 1)
    return Threshold(text.strip(), metric, action or "", sign, limit, "ms" if unit == "s" else unit or "")


def check_baseline(thresholds: Sequence[Threshold], plan: LoadPlan, users: int, baseline: LoadResult | None) -> None:
    """Raises BadInput if a threshold needs a baseline and there is none, or if it was another load."""
    relative = [one.text for one in thresholds if one.unit == "x"]
    if relative and baseline is None:
        raise BadInput("--baseline", None, f"{relative[0]!r} needs an earlier load", "--baseline RUN")
    if baseline is not None:
        other = dict(like(plan, baseline.plan))
        if users != baseline.users:
            other["users"] = (users, baseline.users)
        if other:
            name, (mine, theirs) = next(iter(other.items()))
            problem = f"it was another load: {name} {theirs}, and now {mine}"
            raise BadInput("--baseline", None, problem, "a load with the same options")


def judge(thresholds: Sequence[Threshold], result: LoadResult, baseline: LoadResult | None) -> tuple[CheckResult, ...]:
    """The books and the thresholds, one check each."""
    return (_books(result), *(_judged(one, result, baseline) for one in thresholds))


def _books(result: LoadResult) -> CheckResult:
    """Load that loses a session is a failure, however fast it was."""
    sentence = "The books hold every session that was driven, once and with the meter's energy."
    books = result.books
    if books is None:
        return CheckResult("books", Verdict.NOT_APPLICABLE, sentence, 0, reason="no --api, so no books were read")
    findings = [
        Finding("books", "session", text, f"{what}: {text}.")
        for what, texts in (("missing", books.lost), ("too many", books.extra), ("another energy", books.wrong))
        for text in texts
    ]
    if findings:
        return CheckResult("books", Verdict.FAIL, sentence, books.driven, tuple(findings))
    if not result.complete:
        reason = "not every generating process told what it drove"
        return CheckResult("books", Verdict.UNKNOWN, sentence, books.driven, reason=reason)
    if result.unsettled:
        reason = f"{result.unsettled} stations still had messages to deliver; a longer --quiet gives them time"
        return CheckResult("books", Verdict.UNKNOWN, sentence, books.driven, reason=reason)
    if not books.driven:
        return CheckResult("books", Verdict.UNKNOWN, sentence, 0, reason="no session came to its end")
    return CheckResult("books", Verdict.PASS, sentence, books.driven)


def _judged(one: Threshold, result: LoadResult, baseline: LoadResult | None) -> CheckResult:
    where = f" of {one.action}" if one.action else ""
    sentence = f"Not {one.text} ({METRICS[one.metric]}{where})."
    value, base = measure(result, one.metric, one.action), 1.0
    if value is not None and one.unit == "x" and baseline is not None:
        before = measure(baseline, one.metric, one.action)
        value, base = (None, 1.0) if before is None else (value, before)
    elif value is not None and one.unit == "%":
        whole = _whole(result, one)
        value = value / whole * 100 if whole else None
    if value is None:
        return CheckResult(one.text, Verdict.UNKNOWN, sentence, 0, reason=_why_not(one, result))
    if not _SAME[one.sign](value, one.limit * base):
        return CheckResult(one.text, Verdict.PASS, sentence, 1, reason=f"measured {_said(one, value, base)}")
    lag = f"; the generator itself was up to {result.lag_worst_ms:g} ms late" if one.metric in _TIMES[:4] else ""
    finding = Finding(one.text, "run", result.plan.shape, f"Measured {_said(one, value, base)}{lag}.")
    return CheckResult(one.text, Verdict.FAIL, sentence, 1, (finding,))


def _said(one: Threshold, value: float, base: float) -> str:
    unit = "%" if one.unit == "%" else " ms" if one.metric in _TIMES else ""
    return f"{value:g}{unit}" + (f" after {base:g}{unit} in the baseline" if one.unit == "x" else "")


def _why_not(one: Threshold, result: LoadResult) -> str:
    if one.metric in _IN_BOOKS and result.books is None:
        return "the books were not read: name the API of the back-end by --api"
    return "nothing of it was measured"


def _whole(result: LoadResult, one: Threshold) -> float | None:
    if one.metric in _IN_BOOKS:
        return measure(result, "driven", "")
    return measure(result, "dials" if one.metric == "refusals" else "sent", one.action)


def measure(result: LoadResult, metric: str, action: str) -> float | None:
    """The value of a measure: ms or a count. None if nothing was measured."""
    calls = result.actions.get(action) if action else result.all
    if calls is None:
        return None
    if metric in ("p50", "p95", "p99", "worst"):
        return float(getattr(calls.times, metric)) if calls.times.worst else None
    if metric in _BY_ACTION:
        return float(getattr(calls, metric))
    if metric in (*_IN_BOOKS, "driven"):
        found: Any = getattr(result.books, metric, None)
        return None if found is None else float(len(found) if isinstance(found, tuple) else found)
    if metric == "rate":
        return calls.answered / result.seconds if result.seconds else None
    own = {"lag": result.lag_p99_ms, "lag-worst": result.lag_worst_ms, "refusals": result.dials - result.opened}
    return float(own[metric] if metric in own else getattr(result, metric))
