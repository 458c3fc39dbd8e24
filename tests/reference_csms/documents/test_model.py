"""What a document is: one canonical JSON, sums that agree, and a credit note that undoes its invoice."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_csms.billing.documents.model import LANGUAGES, Line, Payment, canonical, data_hash, from_canonical
from reference_csms.billing.documents.sums import cancellation, checked, problems, vat_table, with_sums

REFUND = Payment(how="refund")


@pytest.mark.parametrize("language", LANGUAGES)
def test_canonical_data_are_sorted_and_come_back_the_same(samples: Any, language: str) -> None:
    for name in samples.names:
        data = samples.make(name, language)
        encoded = canonical(data)
        assert from_canonical(encoded) == data and canonical(from_canonical(encoded)) == encoded
        loaded = json.loads(encoded)
        assert encoded.decode() == json.dumps(loaded, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert data_hash(data) == hashlib.sha256(encoded).hexdigest()
        assert problems(data) == []


def test_any_change_of_the_data_changes_the_hash(samples: Any) -> None:
    """D01."""
    data = samples.subscription("nb")
    changed = (
        replace(data, number="x"),
        replace(data, gross_total=data.gross_total + 1),
        replace(data, lines=data.lines[::-1]),
        replace(data, seller=replace(data.seller, account=samples.old_account)),
    )
    assert len({data_hash(one) for one in (data, *changed)}) == 5


def test_vat_is_calculated_once_per_rate_and_rounded_half_up(samples: Any) -> None:
    """T07, L02; the example of the 1,000 sessions at 0.45 net with 19 %."""
    line = Line(text="x", quantity=Decimal(1), unit="session", amount=45, vat_percent=Decimal(19))
    (net,) = vat_table([line] * 1000, "net")
    assert (net.net, net.vat, net.gross) == (45000, 8550, 53550)
    (gross,) = vat_table([replace(line, amount=54)] * 3, "gross")
    assert (gross.net, gross.vat, gross.gross) == (136, 26, 162)
    rates = vat_table([line, replace(line, vat_percent=Decimal("7.0")), replace(line, vat_percent=Decimal(7))], "net")
    assert [(row.percent, row.net, row.vat) for row in rates] == [(7, 90, 6), (19, 45, 9)]


@given(
    amounts=st.lists(st.tuples(st.integers(-(10**6), 10**6), st.sampled_from(["0", "7", "19", "25"])), max_size=20),
    prices=st.sampled_from(["gross", "net"]),
)
def test_sums_agree_whatever_the_lines_are_and_a_credit_note_makes_zero(
    samples: Any, amounts: list[tuple[int, str]], prices: Any
) -> None:
    """L02, L07."""
    lines = tuple(
        Line(text="x", quantity=Decimal(1), unit="piece", amount=amount, vat_percent=Decimal(rate))
        for amount, rate in amounts
    )
    data = with_sums(replace(samples.subscription("en"), lines=lines, prices=prices))
    assert problems(data) == []
    note = cancellation(data, "C-1", date(2024, 5, 1), REFUND)
    assert problems(note) == []
    assert [(a.amount + b.amount, a.quantity + b.quantity) for a, b in zip(data.lines, note.lines, strict=True)] == [
        (0, 0)
    ] * len(lines)
    for one, other in zip(data.vat, note.vat, strict=True):
        assert (one.percent, one.net + other.net, one.vat + other.vat) == (other.percent, 0, 0)
    assert data.gross_total + note.gross_total == 0 == data.vat_total + note.vat_total


def test_a_credit_note_refers_to_its_invoice_and_cannot_be_cancelled_itself(samples: Any) -> None:
    """L07."""
    invoice = samples.subscription("nb")
    note = cancellation(invoice, "RL-18", date(2024, 5, 1), REFUND, "A wrong price.")
    assert (note.references.cancels, note.references.cancels_issued) == (invoice.number, invoice.issued)
    assert (note.references.contract, note.references.reason, note.due) == ("A-7781", "A wrong price.", None)
    with pytest.raises(ValueError, match="is no invoice"):
        cancellation(note, "RL-19", date(2024, 5, 2), REFUND)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gross_total": 1}, "the gross total is not the sum"),
        ({"vat": ()}, "other rates"),
        ({"number": ""}, "no number"),
        ({"currency": ""}, "ISO 4217"),
        ({"kind": "credit-note"}, "names the document that it cancels"),
        ({"kind": "notice"}, "says what it announces"),
        ({"gross_total": 12.0}, "of their types"),
        ({"language": "fr"}, "of their types"),
    ],
)
def test_data_that_contradict_themselves_never_go_out(samples: Any, change: dict[str, Any], said: str) -> None:
    data = replace(samples.subscription("en"), **change)
    assert any(said in problem for problem in problems(data)), problems(data)
    with pytest.raises(ValueError, match=said):
        checked(data)


def test_a_line_a_vat_row_or_an_account_that_is_wrong_is_found(samples: Any) -> None:
    data = samples.subscription("en")
    first = data.lines[0]
    wrong_line = with_sums(replace(data, lines=(replace(first, amount=first.amount + 2), *data.lines[1:])))
    assert problems(wrong_line) == ["line 1 is not its quantity times its price"]
    row = data.vat[0]
    off = replace(row, vat=row.vat + 2, gross=row.gross + 2)
    totals = {"vat_total": data.vat_total + 2, "gross_total": data.gross_total + 2}
    assert any("VAT at 15 % is" in one for one in problems(replace(data, vat=(off, *data.vat[1:]), **totals)))
    assert any("make gross" in one for one in problems(replace(data, vat=(replace(row, vat=0), *data.vat[1:]))))
    assert problems(replace(data, seller=replace(data.seller, account=None))) == ["a transfer needs an account"]


def test_vat_of_each_session_may_differ_from_that_of_the_sum_by_half_a_minor_unit_a_line(samples: Any) -> None:
    """L08: an invoice that adds up the VAT of its bills is right, one that is further off is not."""
    data = samples.driver_month("de", 12)
    per_session = 12 * (4308 - 3446)
    row = replace(data.vat[0], net=data.gross_total - per_session, vat=per_session)
    summed = replace(data, vat=(row,), net_total=row.net, vat_total=row.vat)
    assert row.vat != data.vat_total and problems(summed) == []
    far = replace(row, net=row.net - 8, vat=row.vat + 8)
    assert problems(replace(data, vat=(far,), net_total=far.net, vat_total=far.vat)) != []


def test_a_notice_to_an_owner_lacks_nothing(samples: Any) -> None:
    """M13: payee, account, terms and link belong into it."""
    for name, empty in (
        ("account", None),
        ("terms_version", ""),
        ("onboarding_link", ""),
        ("onboarding_deadline", None),
    ):
        assert problems(samples.notice("de", **{name: empty})) == [f"the notice to an owner lacks {name}"]
    assert problems(samples.notice("de", "driver")) == []
