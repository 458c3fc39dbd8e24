"""The reports of a load, from its folder: junit.xml, actions.csv, course.csv and load.svg. It reads, and judges nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from reports.junit import document
from reports.plots import DRAWING, FAULT, GREY, INK, LEGACY, NEW, counted, pyplot_of, svg_of, titled
from sim.evidence.verdict import CheckResult

Row = Mapping[str, Any]
_COUNTS = ("sent", "answered", "accepted", "refused", "errors", "unanswered")
_TIMES = ("p50", "p95", "p99", "worst")


def write_load_reports(folder: Path) -> None:
    """Write all four beside result.json and course.jsonl."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    course: list[Row] = [json.loads(line) for line in (folder / "course.jsonl").read_text("utf-8").splitlines()]
    checks = [msgspec.convert(check, CheckResult, strict=False) for check in result["checks"]]
    shape = str(result["plan"]["shape"])
    properties = {name: str(result[name]) for name in ("users", "seconds", "processes", "verdict")}
    text = document(f"load {shape}, {result['users']} users", f"chargerig.load.{shape}", properties, checks)
    (folder / "junit.xml").write_text(text, encoding="utf-8")
    actions = [*result["actions"].items(), ("all", result["all"])]
    rows = [
        [name, *(one[count] for count in _COUNTS), *(one["times"][time] for time in _TIMES)] for name, one in actions
    ]
    _csv(folder / "actions.csv", ["action", *_COUNTS, *(f"{time}_ms" for time in _TIMES)], rows)
    heads = list(course[0]) if course else []
    _csv(folder / "course.csv", heads, ([point[head] for head in heads] for point in course))
    (folder / "load.svg").write_text(picture(course, shape), encoding="utf-8")


def _csv(path: Path, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def picture(course: Sequence[Row], shape: str) -> str:
    """How the load went: stations, calls a second, answer times beside the generator's own lag, and what waited."""
    title = f"The load ({shape}): stations, calls, answer times and the generator's own lag"
    at = [float(point["at_s"]) for point in course]
    plt = pyplot_of()
    figure, axes = plt.subplots(4, 1, sharex=True, figsize=(9.4, 7.6))
    try:
        _lines(
            axes[0],
            at,
            "stations",
            [("put up", "stations", GREY, "-"), ("connected", "connected", LEGACY, "--")],
            course,
        )
        _rates(axes[1], at, course)
        lines = [("answers, p95", "p95_ms", INK, "-"), ("own lag, worst", "lag_ms", FAULT, ":")]
        _lines(axes[2], at, "real ms, each second", lines, course)
        lines = [("waiting at stations", "waiting", NEW, "-"), ("sessions driven so far", "sessions", DRAWING, "--")]
        _lines(axes[3], at, "messages and sessions", lines, course)
        axes[3].set_xlabel("seconds")
        figure.subplots_adjust(left=0.08, right=0.98, top=0.95, bottom=0.07, hspace=0.45)
        return svg_of(figure, "load", title)
    finally:
        plt.close(figure)


def _lines(
    axis: Any, at: Sequence[float], title: str, lines: Sequence[tuple[str, str, str, str]], course: Sequence[Row]
) -> None:
    for label, name, color, style in lines:
        axis.plot(at, [float(point[name]) for point in course], color=color, linestyle=style, label=label)
    _finish(axis, title)


def _rates(axis: Any, at: Sequence[float], course: Sequence[Row]) -> None:
    """Calls a second, from counts since the start."""
    for name, color, style in (("offered", GREY, "-"), ("answered", LEGACY, "--"), ("accepted", DRAWING, ":")):
        rates = [0.0]
        for before, now in pairwise(course):
            passed = max(float(now["at_s"]) - float(before["at_s"]), 0.001)
            rates.append(max(0.0, (now[name] - before[name]) / passed))
        axis.plot(at, rates[: len(at)], color=color, linestyle=style, label=name)
    _finish(axis, "calls a second")


def _finish(axis: Any, title: str) -> None:
    titled(axis, title)
    counted(axis, max(axis.get_ylim()[1], 1))
    axis.legend(loc="upper left", frameon=False, fontsize=8, ncols=3)
