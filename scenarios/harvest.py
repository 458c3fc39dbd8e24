"""Gathers the books of all back-ends after the day, and asks each for prices without booking anything.

What a target does not keep or show stays `Unverifiable` with its reason; an empty book is never made up for a missing one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from scenarios.stage import Stage
from sim.backend import BackEnd, Books, Row, Unverifiable
from sim.clock import HOUR, MINUTE, Instant
from sim.errors import BackEndRaised, raised
from sim.evidence.canonical import scalar
from sim.evidence.schema import BOOKS
from sim.evidence.store import Evidence, write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder
from sim.runtimes.virtual import VirtualWorld

_PRICE = ("component", "price", "currency", "vat_percent")

Quotes = dict[str, "list[Row] | Unverifiable"]


def harvest(
    world: VirtualWorld,
    stage: Stage,
    wire: WireRecorder,
    truth: TruthRecorder,
    path: Path | None,
    ours: Collection[str] = (),
    partners: Mapping[str, Sequence[Row]] | None = None,
) -> Evidence:
    """All planes in one evidence store, in memory if there is no path; `partners` are the statements of all partners.

    A back-end that is down when the day ends is started once more from its disk, so that its books can be read. What a
    back-end raises or shows amiss becomes `Unverifiable`, except for those in `ours`: there it is our mistake and raises.
    """
    now = world.now
    sources = [_Source(world, name, name in ours, now) for name in world.backends.names()]
    books = {source.name: source.books() for source in sources}
    quotes: Quotes = {"quotes_grid": price_grid(stage, sources), "quotes_rerated": _rerated(sources, books)}
    own = os.environ.get("PYTHONHASHSEED", "random")
    return write_evidence(
        path,
        truth=truth,
        wire=wire,
        books=books,
        partners=partners,
        quotes=quotes,
        plan=stage.plan,
        ended_at=now,
        hash_seed=own,
    )


class _Source:
    """One back-end after the day, asked with care: it may be down, raise, or answer nonsense."""

    def __init__(self, world: VirtualWorld, name: str, ours: bool, now: Instant) -> None:
        self.name = name
        self._world = world
        self._ours = ours
        self._now = now

    def books(self) -> Books:
        """Every book, as rows that can be kept, or why not."""
        shown = self._ask("books()", lambda backend: backend.books(self._now))
        if isinstance(shown, Unverifiable):
            return dict.fromkeys(BOOKS, shown)
        if not isinstance(shown, Mapping):
            return {name: Unverifiable(f"books() of {self.name} returned {_kind(shown)}") for name in BOOKS}
        gaps = {f"{name}.{column}" for name, columns in BOOKS.items() for column in columns}
        partial = {name: shown[name] for name in shown if name in gaps and isinstance(shown[name], Unverifiable)}
        return {name: self._book(shown, name) for name in BOOKS} | partial

    def _book(self, shown: Mapping[str, Any], name: str) -> Sequence[Row] | Unverifiable:
        return self._careful(f"showing {name}", lambda: _rows(shown, name, self.name))

    def quote(self, request: Row) -> Row | Unverifiable:
        """The answer to one request, or why there is none."""
        answer = self._ask("quote()", lambda backend: backend.quote(request, self._now))
        if isinstance(answer, Mapping | Unverifiable):
            return answer  # type: ignore[return-value]
        return Unverifiable(f"quote() of {self.name} returned {_kind(answer)}")

    def _ask(self, what: str, ask: Callable[[BackEnd], Any]) -> Any:
        return self._careful(what, lambda: ask(self._world.backends.revive(self.name)))

    def _careful(self, what: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except KeyboardInterrupt:
            raise
        except BaseException as err:  # a target's own code: SystemExit too
            if self._ours:
                raise
            why = err.problem if isinstance(err, BackEndRaised) else raised(err)
            return Unverifiable(f"{what} of {self.name} failed: {why}")


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _rows(shown: Mapping[str, Any], name: str, backend: str) -> Sequence[Row] | Unverifiable:
    book = shown.get(name, Unverifiable(f"{backend} shows no such book"))
    if isinstance(book, Unverifiable):
        return Unverifiable(str(book.reason))
    if isinstance(book, str | bytes | Mapping) or not isinstance(book, Iterable):
        return Unverifiable(f"{backend} shows {_kind(book)} instead of rows")
    rows = list(book)
    for row in rows:
        problem = _unkeepable(row)
        if problem:
            return Unverifiable(f"{backend} shows {problem}")
    return rows


def _unkeepable(row: object) -> str:
    """Why this is no row that evidence can hold; empty if it is one."""
    if not isinstance(row, Mapping):
        return f"{_kind(row)} instead of a row"
    for column, value in row.items():
        if type(value) is int and not -(2**63) <= value < 2**63:
            return f"a number in {column} that is too large to be kept"
        if not isinstance(value, int | None):
            try:
                str(scalar(value)).encode()
            except (TypeError, ValueError, RecursionError) as err:
                return f"a value in {column} that cannot be kept ({raised(err)})"
    return ""


class Pricer(Protocol):
    """Who can be asked for prices."""

    name: str

    def quote(self, request: Row) -> Row | Unverifiable:
        """The answer to one request, or why there is none."""
        ...


def price_grid(stage: Stage, sources: Sequence[Pricer]) -> list[Row] | Unverifiable:
    """The price of every (site, group, half hour of the day, component) at every back-end."""
    rows: list[Row] = []
    sites = [str(row["site"]) for row in stage.provision["sites"]]
    groups = sorted({str(row["group"] or "") for row in stage.provision["tokens"]})
    moments = [Instant(stage.start + step * 30 * MINUTE + MINUTE) for step in range(24 * HOUR // (30 * MINUTE))]
    for source in sources:
        for site in sites:
            for group in groups:
                for at in moments:
                    point = {"site": site, "grp": group, "at": at}
                    answer = source.quote({"kind": "grid", **point})
                    found = answer if isinstance(answer, Unverifiable) else _grid_rows(source.name, point, answer)
                    if isinstance(found, Unverifiable):
                        return found
                    rows += found
    return rows


def _grid_rows(backend: str, point: Row, answer: Row) -> list[Row] | Unverifiable:
    components = answer.get("components")
    if components is None:
        return Unverifiable(f"{backend} quotes no prices")
    if not isinstance(components, list | tuple):
        return Unverifiable(f"{backend} quotes {_kind(components)} instead of components")
    rows: list[Row] = []
    for one in components:
        lacks = [key for key in _PRICE if not isinstance(one, Mapping) or key not in one]
        if lacks:
            return Unverifiable(f"{backend} quotes a component without {lacks[0]}")
        row = {"backend": backend, **point, **{key: one[key] for key in _PRICE}}
        if problem := _unkeepable(row):
            return Unverifiable(f"{backend} quotes {problem}")
        rows.append(row)
    return rows


def _rerated(sources: Sequence[_Source], books: Mapping[str, Books]) -> list[Row] | Unverifiable:
    """Every CDR of one back-end, rated again by each other."""
    rows: list[Row] = []
    for source in sources:
        for other, shown in books.items():
            cdrs = shown["books_cdrs"]
            if isinstance(cdrs, Unverifiable):
                return Unverifiable(f"{other} shows no CDRs: {cdrs.reason}")
            if other != source.name:
                found = _rerate(source, other, cdrs)
                if isinstance(found, Unverifiable):
                    return found
                rows += found
    return rows


def _rerate(source: _Source, other: str, cdrs: Sequence[Row]) -> list[Row] | Unverifiable:
    rows: list[Row] = []
    for cdr in cdrs:
        answer = source.quote({"kind": "cdr", "cdr": cdr})
        if isinstance(answer, Unverifiable):
            return answer
        amounts = {key: answer.get(key) for key in ("currency", "gross", "net", "vat")}
        row = {"backend": source.name, "of_backend": other, "cdr_id": cdr.get("cdr_id"), **amounts}
        if problem := _unkeepable(row):
            return Unverifiable(f"{source.name} quotes {problem}")
        rows.append(row)
    return rows
