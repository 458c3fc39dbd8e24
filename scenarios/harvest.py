"""Gathers the books of all back-ends after the day, and asks each for prices without booking anything.

What a target does not keep or show stays `Unverifiable` with its reason; an empty book is never made up for a missing one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios.stage import Stage
from sim.backend import BackEnd, Books, Row, Unverifiable
from sim.clock import HOUR, MINUTE, Instant
from sim.evidence.schema import BOOKS
from sim.evidence.store import Evidence, write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder
from sim.runtimes.virtual import VirtualWorld

Quotes = dict[str, "list[Row] | Unverifiable"]


def harvest(world: VirtualWorld, stage: Stage, wire: WireRecorder, truth: TruthRecorder, path: Path | None) -> Evidence:
    """All three planes in one evidence store, in memory if there is no path."""
    now = world.now
    backends = {name: world.backend(name) for name in world.backends.names()}
    books = {name: _books(backend, now) for name, backend in backends.items()}
    quotes: Quotes = {"quotes_grid": _grid(stage, backends, now), "quotes_rerated": _rerated(backends, books, now)}
    own = os.environ.get("PYTHONHASHSEED", "random")
    return write_evidence(
        path, truth=truth, wire=wire, books=books, quotes=quotes, plan=stage.plan, ended_at=now, hash_seed=own
    )


def _books(backend: BackEnd, now: Instant) -> Books:
    shown = backend.books(now)
    return {name: shown.get(name, Unverifiable(f"{backend.name} shows no such book")) for name in BOOKS}


def _grid(stage: Stage, backends: Mapping[str, BackEnd], now: Instant) -> list[Row] | Unverifiable:
    """The price of every (site, group, half hour of the day, component) at every back-end."""
    rows: list[Row] = []
    sites = [str(row["site"]) for row in stage.provision["sites"]]
    groups = sorted({str(row["group"] or "") for row in stage.provision["tokens"]})
    moments = [Instant(stage.start + step * 30 * MINUTE + MINUTE) for step in range(24 * HOUR // (30 * MINUTE))]
    for name, backend in backends.items():
        for site in sites:
            for group in groups:
                for at in moments:
                    answer = backend.quote({"kind": "grid", "site": site, "grp": group, "at": at}, now)
                    if "components" not in answer:
                        return Unverifiable(f"{name} quotes no prices")
                    rows += [_grid_row(name, site, group, at, component) for component in answer["components"]]
    return rows


def _grid_row(backend: str, site: str, group: str, at: Instant, component: Row) -> Row:
    price = {key: component[key] for key in ("component", "price", "currency", "vat_percent")}
    return {"backend": backend, "site": site, "grp": group, "at": at, **price}


def _rerated(backends: Mapping[str, BackEnd], books: Mapping[str, Books], now: Instant) -> list[Row] | Unverifiable:
    """Every CDR of one back-end, rated again by each other."""
    rows: list[Row] = []
    for name, backend in backends.items():
        for other, shown in books.items():
            cdrs = shown["books_cdrs"]
            if isinstance(cdrs, Unverifiable):
                return Unverifiable(f"{other} shows no CDRs: {cdrs.reason}")
            if other != name:
                rows += _rerate(name, backend, other, cdrs, now)
    return rows


def _rerate(name: str, backend: BackEnd, other: str, cdrs: Sequence[Row], now: Instant) -> list[Row]:
    rows: list[Row] = []
    for cdr in cdrs:
        answer: dict[str, Any] = backend.quote({"kind": "cdr", "cdr": cdr}, now)
        amounts = {key: answer.get(key) for key in ("currency", "gross", "net", "vat")}
        rows.append({"backend": name, "of_backend": other, "cdr_id": cdr["cdr_id"], **amounts})
    return rows
