"""What stands behind each journal entry that is no bill: a document, a payment, a payout, a statement line (for L02).

An entry belongs to the row that its reference names, moves exactly that row's amount, and touches no account of others. The
ledger of a back-end is not asked; what a row means for the accounts is worked out here again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from scenarios.checks.receivables import Posted, postings
from sim.evidence.billing_views import BookInvoice, BookPrepaid
from sim.evidence.money_views import BookClaim, BookMovement, BookPayment
from sim.evidence.reader import Evidence
from sim.evidence.views import BookEntry

_DOCUMENTS = {"invoice": ("drivers", "subscription"), "cancellation": ("cancellation",), "credit": ("credit",)}
_OWED = ("receivable:", "invoiced:")
_PAID = {"payment": ("capture", "charge"), "refund": ("refund",)}

Sums = Mapping[str, int]


class Entries:
    """The entries of all journals with what they could belong to."""

    def __init__(self, evidence: Evidence) -> None:
        self._posted: dict[tuple[str, int], list[Posted]] = {}
        for one in postings(evidence):
            self._posted.setdefault((one.entry.backend, one.entry.seq), []).append(one)
        self._invoices = {(one.backend, one.number): one for one in evidence.read(BookInvoice)}
        self._claims = {(one.backend, one.claim_id): one for one in evidence.read(BookClaim)}
        self._attempts = {(one.backend, one.attempt_id): one for one in evidence.read(BookPayment)}
        self._movements = {(one.backend, one.movement_id): one for one in evidence.read(BookMovement)}
        self._prepaid = {(one.backend, one.prepaid_id): one for one in evidence.read(BookPrepaid)}
        lines = evidence.rows("SELECT backend, line_id, amount FROM books_statement_lines")
        self._lines = {(row["backend"], row["line_id"]): int(row["amount"]) for row in lines}
        data = evidence.rows("SELECT backend, number, data, data_hash, journal_seq FROM books_invoices")
        self._data = {(row["backend"], row["number"]): row for row in data}
        self._seen: set[tuple[str, str, str]] = set()

    def problem(self, entry: BookEntry) -> str:
        """What is wrong with an entry of another kind than bill and correction; empty if nothing is."""
        words = (entry.ref or "").split(" ")
        sums: dict[str, int] = {}
        for one in self._posted.get((entry.backend, entry.seq), ()):
            name = one.account.partition(":")[0] + ":"
            sums[name] = sums.get(name, 0) + one.amount
        owed = sum(sums.get(name, 0) for name in _OWED)
        if entry.kind in _DOCUMENTS:
            return self._document(entry, words, sums, owed)
        if entry.kind in _PAID:
            return self._payment(entry, words, sums, owed)
        if entry.kind == "receipt":
            return self._receipt(entry, words, sums, owed)
        if entry.kind == "prepaid":
            return self._given_back(entry, words, sums)
        if entry.kind in ("payout", "dispute", "fee"):
            return self._moved(entry, words, sums)
        return f"an entry of the kind {entry.kind}"

    def _once(self, entry: BookEntry, name: str) -> str:
        place = (entry.backend, entry.kind, name)
        if place in self._seen:
            return f"a second {entry.kind} of {name}"
        self._seen.add(place)
        return ""

    def _document(self, entry: BookEntry, words: list[str], sums: Sums, owed: int) -> str:
        place = (entry.backend, words[0])
        invoice, data = self._invoices.get(place), self._data.get(place)
        if invoice is None or data is None or invoice.kind not in _DOCUMENTS[entry.kind]:
            return f"a {entry.kind} that belongs to no document {words[0]}"
        text = data["data"]
        if data["journal_seq"] != entry.seq:
            return f"{words[0]} points to entry {data['journal_seq']}"
        if text is not None and hashlib.sha256(text.encode()).hexdigest() != data["data_hash"]:
            return f"{words[0]} is not what its hash says"
        if f"sha256:{data['data_hash']}" not in words:
            return f"holds another hash than {words[0]}"
        wrong = _wrong_content(invoice, text)
        if wrong:
            return wrong
        due = self._of_document(invoice)
        if sums.get("invoiced:", 0) + (sums.get("receivable:", 0) if invoice.kind == "credit" else 0) != due:
            return f"moves {owed} of what is owed, and {words[0]} is over {due}"
        return self._once(entry, words[0])

    def _of_document(self, invoice: BookInvoice) -> int:
        """What the customer owes by it; a cancellation takes the gross of what it cancels back."""
        cancelled = self._invoices.get((invoice.backend, invoice.cancels or ""))
        return -cancelled.gross if invoice.kind == "cancellation" and cancelled is not None else invoice.gross

    def _payment(self, entry: BookEntry, words: list[str], sums: Sums, owed: int) -> str:
        attempt = next((one for word in words if (one := self._attempts.get((entry.backend, word)))), None)
        claimed = any((entry.backend, word) in self._claims for word in words)
        if not claimed or (attempt is None and words[-1] != "at-partner"):
            return f"a {entry.kind} that belongs to no attempt"
        if attempt is None:  # given back at the partner, by hand
            return "" if owed > 0 else f"a refund that moves {owed} of what is owed"
        if attempt.purpose not in _PAID[entry.kind] or attempt.state != "done":
            return f"books the {attempt.purpose} {attempt.attempt_id}, which is {attempt.state}"
        amount = -attempt.amount if entry.kind == "payment" else attempt.amount
        if owed != amount or sums.get("clearing:", 0) != -amount:
            return f"moves {owed} of what is owed, and {attempt.attempt_id} is over {amount}"
        return self._once(entry, attempt.attempt_id)

    def _receipt(self, entry: BookEntry, words: list[str], sums: Sums, owed: int) -> str:
        found = next((word for word in words if (entry.backend, word) in self._lines), None)
        if found is None:
            return "a receipt that belongs to no line of a statement"
        amount = self._lines[entry.backend, found]
        if owed != -amount or sums.get("bank:", 0) != amount:
            return f"moves {owed} of what is owed, and the statement says {amount}"
        return self._once(entry, found)

    def _moved(self, entry: BookEntry, words: list[str], sums: Sums) -> str:
        """A movement of the partner: a payout or dispute, which may come back, and a fee, which may not."""
        row = next((one for word in words if (one := self._movements.get((entry.backend, word)))), None)
        if row is None:
            return f"a {entry.kind} that belongs to no movement of a partner"
        moved = sums.get({"payout": "bank:", "dispute": "disputed:", "fee": "fees:"}[entry.kind], 0)
        told = entry.kind != "fee" or row.kind == "fee"  # a fee that came with a settlement is no movement of its own
        sizes = (row.amount,) if entry.kind == "fee" else (row.amount, -row.amount)
        if told and moved not in sizes:
            return f"moves {moved}, and {row.movement_id} is over {row.amount}"
        return self._once(entry, words[0]) if entry.kind == "fee" else ""

    def _given_back(self, entry: BookEntry, words: list[str], sums: Sums) -> str:
        row = next((one for word in words if (one := self._prepaid.get((entry.backend, word)))), None)
        if row is None:
            return "belongs to no prepaid days"
        if sums.get("revenue:") != row.net or sums.get("intercompany:") != -row.net:
            return f"moves {sums.get('revenue:')}, and {row.prepaid_id} is over {row.net}"
        return self._once(entry, row.prepaid_id)


def _wrong_content(invoice: BookInvoice, text: str | None) -> str:
    """Where the content of a document differs from its row."""
    try:
        content = json.loads(text or "")
    except ValueError:
        return f"{invoice.number} says nothing that can be read"
    for name in ("number", "currency", "net", "vat", "gross", "cancels"):
        if content.get(name) != getattr(invoice, name):
            return f"{invoice.number} says {name} {content.get(name)}, and {getattr(invoice, name)} is booked"
    for name in ("seller", "customer"):
        if (content.get(name) or {}).get("id") != getattr(invoice, name):
            return f"{invoice.number} names another {name} than is booked"
    return ""
