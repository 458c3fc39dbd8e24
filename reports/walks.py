"""The sessions that the report follows: the most telling one, or in an upgrade with its money two, down to the payout.

One is paid on the spot after it had waited for the owner's account, the other by an invoice of the month. Both are chosen
by what the evidence holds of them; nothing is made up where none fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from msgspec import Struct

from reports.facts import lines_of
from reports.money_walk import Money, money_of
from reports.owners import enabled_at
from reports.run import Row, Run
from reports.trace_money import steps
from reports.walk import Walk, moved, of_books, walk

_MOST_TRIED = 40
"""Walks tried out per kind: each costs some look-ups, and the best of a few dozen tells as much as the best of all."""


_LOOKED_UP = (
    "books_billables", "books_bills", "books_claims", "books_invoice_lines", "books_invoices", "books_movements",
    "books_payments", "books_rated", "books_statement_lines", "books_transactions", "partner_balance", "partner_bank",
    "partner_payments",
)  # fmt: skip
"""Tables that the choice asks so often that it is quicker to read them whole, once."""


class Followed(Struct, frozen=True):
    """A walk with what became of its money; `title` and `lead` say why it stands here."""

    title: str
    lead: str
    walk: Walk
    money: tuple[Any, ...]


def followed(run: Run) -> list[Followed]:
    """The walks of the report; none if nothing was billed."""
    told = list(_of_upgrade(run)) if run.plan("upgrade") else []
    one = None if told else walk(run)
    if one is not None:
        money = money_of(run, [str(one.bill["number"])])
        told.append(Followed("", "Of all billed sessions this one shows most:", one, _steps(money)))
    return told


def _of_upgrade(run: Run) -> Iterable[Followed]:
    for name in _LOOKED_UP:
        run.table(name)
    moved = {row["station"] for row in run.where("truth_outcomes", outcome="verified")}
    for title, lead, claims in (
        (
            "Paid on the spot, after it had waited",
            "The owner's account could not charge yet when this session was billed, so its claim waited:",
            _waited(run),
        ),
        (
            "Paid by the invoice of the month",
            "The bill of this session waited for the driver's invoice:",
            _monthly(run),
        ),
    ):
        best = max(_known(run, claims), key=lambda one: _score(run, one[0], one[1], moved), default=None)
        if best is not None:
            yield Followed(title, lead, of_books(run, best[0]), _steps(best[1]))


def _waited(run: Run) -> Iterable[tuple[Row, str]]:
    """Claims of single sessions that waited for the account and were taken later, with the bill."""
    since: dict[str, int | None] = {}
    for claim in run.where("books_claims", route="stripe", kind="session", state="paid"):
        seller = str(claim["seller"])
        if seller not in since:
            since[seller] = enabled_at(run, seller)
        enabled = since[seller]
        if enabled is not None and int(claim["created_at"]) < enabled and claim["document"]:
            yield claim, str(claim["document"])


def _monthly(run: Run) -> Iterable[tuple[Row, str]]:
    """Claims of drivers' invoices that were paid through the new partner, with the first bill in each."""
    for claim in run.where("books_claims", route="stripe", kind="drivers", state="paid"):
        for line in run.where("books_invoice_lines", backend=claim["backend"], number=claim["document"])[:1]:
            yield claim, str(line["bill"])


def _known(run: Run, claims: Iterable[tuple[Row, str]]) -> Iterable[tuple[Row, Money]]:
    """The transaction behind each claim and what became of its money, where the books know the session."""
    for claim, document in islice(claims, _MOST_TRIED):
        for bill in run.where("books_bills", backend=claim["backend"], number=document):
            mine = {"backend": bill["backend"], "session_id": bill["session_id"]}
            for transaction in run.where("books_transactions", **mine)[:1]:
                yield transaction, money_of(run, [document])


def _score(run: Run, transaction: Row, money: Money, stations: set[Any]) -> tuple[int, ...]:
    """Down to the bank first, then at a station that moved, begun before the move, then many lines and few bills."""
    reached = any(payout.bank for payout in money.payouts)
    issued = moved(transaction)
    rated = run.where(
        "books_rated",
        backend=transaction["backend"],
        rated_id=run.where("books_bills", backend=transaction["backend"], session_id=transaction["session_id"])[0][
            "rated_id"
        ],
    )
    lines = max((len(lines_of(row)) for row in rated), default=0)
    return int(reached), int(transaction["station"] in stations), int(issued), lines, -len(money.claims)


def _steps(money: Money) -> tuple[Any, ...]:
    """What became of the money; nothing in a run without claims. The bill's own entry is shown before."""
    return tuple(step for step in steps(money, {}) if step.lines and money.claims)
