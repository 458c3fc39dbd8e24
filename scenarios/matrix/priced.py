"""Prices sessions through every field of a matrix, by the one rating function, and holds each price against the oracle.

What a field costs depends on the field and the sessions alone, so how many processes price makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from reference_csms.pricing.engine import rate
from reference_csms.pricing.policies import policy_named
from reference_csms.pricing.tariffs import minor_digits
from scenarios.matrix.charges import Charges, Stay
from scenarios.matrix.grid import Field, Matrix
from scenarios.matrix.oracle import JUDGED, Used, price_of, terms_of, used_of
from scenarios.processes import spread
from sim.clock import iso

_LEAST = 10
"""Fewer fields than this are not worth a process."""
_TOLD = 10
"""How often progress is told."""
MOST_FINDINGS = 5
"""How many differing prices of a field are told; all are counted."""


class Difference(Struct, frozen=True):
    """A session whose rated price is not the oracle's, amounts in major units."""

    session: str
    start: str
    kwh: str
    gross: str
    net: str
    expected_gross: str
    expected_net: str


class Cell(Struct, frozen=True):
    """One row in a field: how many sessions began under it, their energy (kWh) and gross price in all, major units."""

    place: str
    time: str
    sessions: int
    kwh: str
    gross: str


class Priced(Struct, frozen=True):
    """What a field made of the sessions."""

    location: str
    group: str
    currency: str
    sessions: int
    compared: int
    differing: int
    least: str
    mean: str
    most: str
    cells: tuple[Cell, ...]
    differences: tuple[Difference, ...]

    def as_data(self) -> dict[str, Any]:
        """As --json tells it."""
        told = asdict(self)
        return {
            **told,
            "cells": [asdict(one) for one in self.cells],
            "differences": [asdict(one) for one in self.differences],
        }


class _Task(Struct, frozen=True):
    fields: tuple[Field, ...]
    stays: tuple[Stay, ...]
    policy: str


def price_matrix(
    matrix: Matrix, stays: Sequence[Stay], jobs: int = 1, tell: Callable[[int, int], None] | None = None
) -> list[Priced]:
    """The prices of all stays in every field, in the order of the fields. `tell(done, of)` hears of finished fields."""
    fields = matrix.fields
    if jobs == 1:
        return _fields(_Task(fields, tuple(stays), matrix.table.policy), tell)
    size = max(_LEAST, -(-len(fields) // (jobs * 4)))
    tasks = [_Task(fields[n : n + size], tuple(stays), matrix.table.policy) for n in range(0, len(fields), size)]
    ended = 0

    def done(number: int, result: list[Priced]) -> None:
        nonlocal ended
        ended += len(result)
        if tell is not None:
            tell(ended, len(fields))

    names = [f"{task.fields[0].name} and {len(task.fields) - 1} more" for task in tasks]
    return [one for found in spread(_fields, tasks, names, jobs, done=done) for one in found]


def _fields(task: _Task, tell: Callable[[int, int], None] | None = None) -> list[Priced]:
    charges = Charges(task.stays)
    used: dict[Any, tuple[tuple[Used, ...], ...]] = {}
    found = []
    for n, field in enumerate(task.fields, 1):
        rows = tuple((line.window.text, line.zone, line.holidays) for line in field.lines)
        if rows not in used:
            used[rows] = tuple(used_of(stay, field.lines) for stay in task.stays)
        found.append(_field(field, task, charges, used[rows]))
        if tell is not None and (n % max(1, len(task.fields) // _TOLD) == 0 or n == len(task.fields)):
            tell(n, len(task.fields))
    return found


def _field(field: Field, task: _Task, charges: Charges, used: Sequence[Sequence[Used]]) -> Priced:
    policy = policy_named(task.policy)
    judged = task.policy in JUDGED and not any(
        "reservation" in column for line in field.lines for column in line.prices
    )
    digits = minor_digits(field.tariff.currency)
    scale = Decimal(10) ** digits
    sums: list[list[Any]] = [[0, 0, Decimal(0)] for _ in field.lines]
    all_gross: list[Decimal] = []
    terms = terms_of(field.lines)
    differing = 0
    told: list[Difference] = []
    for stay, charge, amounts in zip(task.stays, charges.of(field), used, strict=True):
        rated = rate(field.tariff, charge, policy)
        all_gross.append(rated.gross)
        here = sums[amounts[0].row]
        here[0], here[1], here[2] = here[0] + 1, here[1] + stay.energy_wh, here[2] + rated.gross
        if not judged:
            continue
        gross, net = price_of(amounts, terms, policy.steps == "up")
        if rated.gross * scale != gross or rated.net * scale != net:
            differing += 1
            if len(told) < MOST_FINDINGS:
                expected = (format(Decimal(gross) / scale, f".{digits}f"), format(Decimal(net) / scale, f".{digits}f"))
                kwh = format(Decimal(stay.energy_wh) / 1000, ".3f")
                told.append(Difference(stay.name, iso(stay.start), kwh, str(rated.gross), str(rated.net), *expected))
    count = len(task.stays)
    mean = sum(all_gross, Decimal(0)) / count if count else Decimal(0)
    return Priced(
        location=field.location,
        group=field.group,
        currency=field.tariff.currency,
        sessions=count,
        compared=count if judged else 0,
        differing=differing,
        least=str(min(all_gross, default=Decimal(0))),
        mean=format(mean, f".{digits}f"),
        most=str(max(all_gross, default=Decimal(0))),
        cells=tuple(
            Cell(line.place, line.window.text, n, format(Decimal(wh) / 1000, ".3f"), str(gross))
            for line, (n, wh, gross) in zip(field.lines, sums, strict=True)
        ),
        differences=tuple(told),
    )
