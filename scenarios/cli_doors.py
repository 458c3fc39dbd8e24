"""What the command line calls: each door leads to the module that does the work, imported only when it is used.

Tests hand in doors of their own. Nothing here may do any work itself.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct


def _judge(*args: Any, **named: Any) -> Any:
    from scenarios.runner import judge

    return judge(*args, **named)


def _judge_live(*args: Any, **named: Any) -> Any:
    from scenarios.sockets.live import judge_live

    return judge_live(*args, **named)


def _resolve(spec: str) -> Any:
    from scenarios.targets import resolve

    return resolve(spec)


def _reports(folder: Path) -> None:
    from reports.html import write_reports

    write_reports(folder)


def _picture(folder: Path, file: Path) -> None:
    from reports.html import write_picture

    write_picture(folder, file)


def _documents(folder: Path, wanted: str, templates: Path | None, tell: Any = None) -> Any:
    from scenarios.cli_documents import draw_documents
    from scenarios.papers import wanted_documents

    return draw_documents(folder, wanted_documents(wanted), templates, tell)


def _try_documents(wanted: str, templates: Path | None) -> None:
    from reference_csms.billing.documents.trial import try_templates
    from scenarios.papers import wanted_documents

    wanted_documents(wanted)
    if templates is not None:
        try_templates(templates)


def _run_mutant(name: str, seed: int) -> Any:
    from scenarios.mutants.run import run_mutant

    return run_mutant(name, seed)


def _bench_day(stations: int, hours: int, **named: Any) -> Any:
    from scenarios.bench.day import bench_day

    return bench_day(stations, hours, **named)


def _bill_page(bill: dict[str, Any]) -> str:
    from reference_csms.billing.documents.html import bill_html

    return bill_html(bill)


class Doors(Struct, frozen=True):
    """Every door. `judge` runs and judges a scenario, `judge_live` does so on real sockets, `resolve` finds a target,
    `reports` renders a run folder.

    `run_mutant(name, seed)` gives something with `name`, `check`, `caught`, `failed` (names of the checks that found
    something) and `note`. `documents` draws the PDFs of a run folder and gives a `scenarios.cli_documents.Drawn`;
    `try_documents` raises BadInput for a wish for documents that could not be met. `bench_day` gives a struct of figures
    with a `text()`.
    """

    judge: Callable[..., Any] = _judge
    judge_live: Callable[..., Any] = _judge_live
    resolve: Callable[[str], Any] = _resolve
    reports: Callable[[Path], None] = _reports
    picture: Callable[[Path, Path], None] = _picture
    documents: Callable[..., Any] = _documents
    try_documents: Callable[[str, Path | None], None] = _try_documents
    run_mutant: Callable[[str, int], Any] = _run_mutant
    bench_day: Callable[..., Any] = _bench_day
    bill_page: Callable[[dict[str, Any]], str] = _bill_page
