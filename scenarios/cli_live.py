"""What is shown of a fleet and of a load while it lives, and when it is over. One door to rich beside `cli_screen`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from reports import words
from scenarios.cli_screen import err, out

_TOLD_EVERY_S = 10.0
_SHOWN = 10


@contextmanager
def living(title: str, lasts_s: float | None) -> Iterator[Callable[[float, str], None]]:
    """A bar over the time it lasts, and one line on how it stands; in a pipe a line every ten seconds; None: nothing."""
    if lasts_s is None:
        yield lambda at_s, text: None
        return
    console = err()
    if not console.is_terminal:
        told = [0.0]

        def line(at_s: float, text: str) -> None:
            if at_s - told[0] >= _TOLD_EVERY_S:
                told[0] = at_s
                console.print(f"{title}, {at_s:.0f} of {lasts_s:.0f} s: {text}", markup=False, soft_wrap=True)

        yield line
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task(title, total=lasts_s)
        yield lambda at_s, text: progress.update(task, completed=min(at_s, lasts_s), description=f"{title}: {text}")


def _plural(count: int, one: str, many: str = "") -> str:
    """As `words.plural`, with a blank that can be searched for."""
    return words.plural(count, one, many).replace("\u00a0", " ")


def fleet(result: Any) -> None:
    """The figures of a fleet: what became of its calls, by action, and its own lag."""
    table = Table(box=None, pad_edge=False)
    heads = ("action", "sent", "answered", "accepted", "refused", "errors", "no answer")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for action, one in result.actions.items():
        figures = (one.sent, one.answered, one.accepted, one.refused, one.errors, one.lost)
        table.add_row(action, *(f"{figure:,}" for figure in figures))
    total = (result.sent, result.answered, result.accepted, result.refused, result.errors, result.lost)
    table.add_row("all", *(f"{figure:,}" for figure in total), style="bold")
    console = out()
    console.print(table)
    rate = result.sent / result.seconds if result.seconds else 0.0
    lines = [
        "",
        f"{_plural(result.stations, 'station')}, {result.opened:,} of {result.dials:,} dials succeeded, "
        f"{_plural(result.sessions, 'session')} "
        f"with {result.energy_wh / 1000:,.1f} kWh, {_plural(result.waiting, 'message')} still to be delivered",
        f"{rate:,.0f} calls a second; answers after {result.p50_ms:.1f} ms (p50), {result.p95_ms:.1f} (p95), "
        f"{result.p99_ms:.1f} (p99), {result.worst_ms:.0f} at most",
        f"own lag {result.lag_p99_ms:.0f} ms (p99), {result.lag_worst_ms:.0f} at most",
    ]
    for text in lines:
        console.print(text, markup=False, soft_wrap=True)


def books(kept: Any) -> None:
    """What the back-end kept of what was driven; the first sessions that are missing, too many or wrong."""
    console = out()
    console.print(
        f"books: {_plural(kept.driven, 'session')} driven, {kept.stored:,} stored, {kept.billed:,} billed, "
        f"{kept.quarantined:,} in quarantine",
        markup=False,
        soft_wrap=True,
    )
    for what, names in (("missing", kept.lost), ("too many", kept.extra), ("another energy", kept.wrong)):
        for name in names[:_SHOWN]:
            console.print(f"  {what}: {name}", markup=False, soft_wrap=True)
        if len(names) > _SHOWN:
            console.print(f"  {what}: {len(names) - _SHOWN} more", markup=False)


def load(result: Any) -> None:
    """The figures of a load: calls by action with their times, each plane of the count, and what was judged."""
    table = Table(box=None, pad_edge=False)
    heads = ("action", "sent", "accepted", "refused", "errors", "none", "p50 ms", "p95", "p99")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    for name, one in (*result.actions.items(), ("all", result.all)):
        counts = (one.sent, one.accepted, one.refused, one.errors, one.unanswered)
        times = (one.times.p50, one.times.p95, one.times.p99)
        shown = (*(f"{count:,}" for count in counts), *(f"{time:,.1f}" for time in times))
        table.add_row(name, *shown, style="bold" if one is result.all else None)
    console = out()
    console.print(table)
    calls, lag = result.all, f"own lag {result.lag_p99_ms:.0f} ms (p99), {result.lag_worst_ms:.0f} at most"
    lines = [
        "",
        f"{_plural(result.users, 'user')} in {_plural(result.processes, 'process', 'processes')}, "
        f"{result.opened:,} of {result.dials:,} dials succeeded; "
        f"{_plural(result.sessions, 'session')} with {result.energy_wh / 1000:,.1f} kWh; "
        f"{_plural(result.waiting, 'message')} still to be delivered",
        f"offered {result.offered:,}, sent {calls.sent:,}, answered {calls.answered:,}, accepted {calls.accepted:,}, "
        f"without an answer {calls.unanswered:,}; {lag}",
    ]
    for name, one in result.operations.items():
        answers = f"{one.answered:,} answered, {one.accepted:,} accepted"
        lines.append(f"{name}: {one.asked:,} asked, {answers}, {one.refused:,} refused, {one.unknown:,} unknown")
    for text in lines:
        console.print(text, markup=False, soft_wrap=True)
    if result.books is not None:
        books(result.books)
    for check in result.checks:
        why = check.findings[0].sentence if check.findings else check.reason
        console.print(f"{check.verdict.value:<14} {check.check}: {why or check.sentence}", markup=False, soft_wrap=True)
