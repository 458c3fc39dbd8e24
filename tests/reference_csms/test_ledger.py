"""The ledger balances, only grows, and shows every tampering (L01, L05)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_csms.billing.ledger import (
    JOURNAL,
    Ledger,
    Posting,
    Unbalanced,
    balanced,
    entry_from_row,
    journal_row,
    post_bill,
    problems,
)
from reference_csms.pricing.rating import RatedCdr, half_up
from reference_csms.storage.memory import MemoryStore
from reference_csms.storage.port import AppendOnly, KeyTaken
from sim.clock import Instant


def rated(gross: int, vat_percent: str = "19", currency: str = "EUR") -> RatedCdr:
    net = half_up(Decimal(gross) * 100, 100 + Decimal(vat_percent))
    return RatedCdr(
        cdr_id="c",
        currency=currency,
        gross=gross,
        net=net,
        vat=gross - net,
        vat_percent=vat_percent,
        lines=(),
        policy="line-half-up",
    )


def ledger_with(*amounts: int) -> tuple[Ledger, MemoryStore]:
    store = MemoryStore({}, (JOURNAL,))
    ledger = Ledger(store)
    for n, gross in enumerate(amounts):
        ledger.append("bill", f"bill-{n}", post_bill("city", "anna", rated(gross)), Instant(n))
    return ledger, store


def test_a_bill_is_posted_to_three_accounts() -> None:
    postings = post_bill("city", "anna", rated(540))
    assert [p.as_row() for p in postings] == [
        ["receivable:anna", "EUR", 540],
        ["revenue:city", "EUR", -454],
        ["vat:city", "EUR", -86],
    ]


@given(st.integers(0, 10**9), st.sampled_from(("0", "7", "8.1", "19", "25")))
def test_every_bill_balances(gross: int, vat_percent: str) -> None:
    """L01: debit = credit per currency."""
    balanced(post_bill("city", "anna", rated(gross, vat_percent)))


@pytest.mark.parametrize(
    "postings",
    [
        (),
        (Posting("a", "EUR", 1),),
        (Posting("a", "EUR", 1), Posting("b", "USD", -1)),
        (Posting("a", "EUR", 2), Posting("b", "EUR", -1)),
    ],
)
def test_what_does_not_balance_in_each_currency_is_not_booked(postings: tuple[Posting, ...]) -> None:
    """L01."""
    ledger, store = ledger_with()
    with pytest.raises(Unbalanced):
        ledger.append("bill", "x", postings, Instant(0))
    assert store.rows(JOURNAL) == []


def test_entries_of_an_unknown_kind_are_not_booked() -> None:
    ledger, _ = ledger_with()
    with pytest.raises(ValueError, match="gift"):
        ledger.append("gift", "x", post_bill("city", "anna", rated(1)), Instant(0))


def test_entries_never_change() -> None:
    """L05: the journal is append-only."""
    _, store = ledger_with(100)
    entry = store.rows(JOURNAL)[0]
    with pytest.raises(AppendOnly):
        store.update(JOURNAL, replace(entry, ref="other"))
    with pytest.raises(KeyTaken):
        store.insert(JOURNAL, entry)


@given(st.lists(st.integers(0, 10**6), max_size=8))
def test_a_journal_that_was_only_appended_to_is_sound(amounts: list[int]) -> None:
    """L05: the hash chain verifies end to end, also from the rows of the books."""
    _, store = ledger_with(*amounts)
    entries = store.rows(JOURNAL)
    assert list(problems(entries)) == []
    assert [entry_from_row(journal_row(entry)) for entry in entries] == entries


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.data())
def test_any_change_of_an_entry_is_found(amounts: list[int], data: st.DataObject) -> None:
    """L05."""
    _, store = ledger_with(*amounts)
    entries = store.rows(JOURNAL)
    n = data.draw(st.integers(0, len(entries) - 1))
    entry = entries[n]
    first, second, third = entry.postings
    forged = data.draw(
        st.sampled_from(
            (
                replace(entry, ref="other"),
                replace(entry, at=Instant(entry.at + 1)),
                replace(entry, kind="correction"),
                replace(entry, seq=entry.seq + 1),
                replace(entry, prev_hash="1" * 64),
                replace(entry, hash="f" * 64),
                replace(entry, postings=(replace(first, account="receivable:eve"), second, third)),
                replace(
                    entry,
                    postings=(
                        replace(first, amount=first.amount + 1),
                        replace(second, amount=second.amount - 1),
                        third,
                    ),
                ),
            )
        )
    )
    assert list(problems([*entries[:n], forged, *entries[n + 1 :]]))


@given(st.lists(st.integers(1, 10**6), min_size=3, max_size=6), st.data())
def test_a_missing_or_moved_entry_is_found(amounts: list[int], data: st.DataObject) -> None:
    """L05: nothing can be taken out of the middle, nor change places."""
    _, store = ledger_with(*amounts)
    entries = store.rows(JOURNAL)
    n = data.draw(st.integers(0, len(entries) - 2))
    assert list(problems([*entries[:n], *entries[n + 1 :]]))
    swapped = [*entries[:n], entries[n + 1], entries[n], *entries[n + 2 :]]
    assert list(problems(swapped))
