"""Which documents a run has, and the data of each, from its evidence alone.

What goes into a document is what was booked: the sha256 of its data is held against the one in its journal entry, and a
difference raises. Nothing is drawn here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct

from reference_csms.billing import rows as kinds
from reference_csms.billing.documents.bill import bill_document, place_lines
from reference_csms.billing.documents.invoice import invoice_document
from reference_csms.billing.documents.model import (
    LANGUAGES,
    Address,
    Customer,
    DocumentData,
    Language,
    Notice,
    Payment,
    Seller,
)
from sim.backend import Row
from sim.clock import to_datetime, zone
from sim.errors import BadInput, unknown
from sim.evidence.reader import Evidence

Wanted = Literal["all", "sample", "none"]
NOTICES = ("upgrade-notice", "upgrade-notice-void", "driver-notice")
"""The kinds of mails that are letters: what moves, when, and who is paid from then on."""

_BILL = "backend, number, seller, journal_seq, data, data_hash"
_LANGUAGE_OF: dict[str, Language] = {"NO": "nb", "DE": "de", "AT": "de", "CH": "de"}
_ROUTES = {"stripe": Payment(how="charge"), "riverty": Payment(how="partner", partner="Riverty")}


def wanted_documents(word: str) -> Wanted:
    """The word of `--documents`. Raises BadInput for one that there is not."""
    for known in get_args(Wanted):
        if word == known:
            found: Wanted = known
            return found
    raise BadInput("command line", "--documents", *unknown("choice", word, get_args(Wanted)))


class Paper(Struct, frozen=True):
    """A document that is wanted: its kind, back-end (empty for a letter) and number, and how its data are made."""

    kind: str
    backend: str
    number: str
    make: Callable[[], DocumentData]


class Books:
    """The rows behind the documents, and what explains them: countries, languages and addresses from the plan."""

    def __init__(self, evidence: Evidence, templates: Path | None) -> None:
        self.evidence = evidence
        self.templates = templates

    @cached_property
    def invoices(self) -> list[Row]:
        """Invoices, credits and cancellations in the order of writing."""
        return self.evidence.rows(
            "SELECT backend, number, kind, seller, customer, language, cancels, claim_id, journal_seq, data, data_hash"
            " FROM books_invoices ORDER BY rowid"
        )

    @cached_property
    def by_number(self) -> dict[tuple[str, str], Row]:
        """Invoices by back-end and number."""
        return {(row["backend"], row["number"]): row for row in self.invoices}

    @cached_property
    def journal(self) -> dict[tuple[str, int], str]:
        """What each entry refers to, by back-end and number."""
        rows = self.evidence.rows("SELECT backend, seq, ref FROM books_journal")
        return {(row["backend"], row["seq"]): row["ref"] for row in rows}

    @cached_property
    def keepers(self) -> set[str]:
        """The back-ends that show a journal."""
        return {backend for backend, _ in self.journal}

    @cached_property
    def routes(self) -> dict[tuple[str, str], str]:
        """Which way each claim is paid."""
        rows = self.evidence.rows("SELECT backend, claim_id, route FROM books_claims")
        return {(row["backend"], row["claim_id"]): row["route"] for row in rows}

    @cached_property
    def owners(self) -> dict[str, Row]:
        """Owners as the plan of the day and of the upgrade name them."""
        plain = {row["owner"]: row for row in self.evidence.plan("owners") or []}
        upgrade = {row["owner"]: row for row in self.upgrade.get("owners", [])}
        return {name: {**plain.get(name, {}), **upgrade.get(name, {})} for name in {**plain, **upgrade}}

    @cached_property
    def upgrade(self) -> dict[str, Any]:
        """What the upgrade was to be; empty where there was none."""
        return self.evidence.plan("upgrade") or {}

    def bills(self, numbers: list[str]) -> dict[str, Row]:
        """The bills of these numbers."""
        rows = self.evidence.rows(
            f"SELECT {_BILL} FROM books_bills WHERE number IN (SELECT value FROM json_each(?)) ORDER BY rowid",
            json.dumps(numbers),
        )
        return {row["number"]: row for row in rows}

    def bill(self, rowid: int) -> Row:
        """One bill."""
        return self.evidence.rows(f"SELECT {_BILL} FROM books_bills WHERE rowid = ?", rowid)[0]

    def booked(self, table: str, row: Row) -> str:
        """The data of a document that are the ones in its journal entry.

        Raises BadInput if they are not, ValueError where the back-end shows no data or no journal at all.
        """
        if row["data"] is None or row["backend"] not in self.keepers:
            raise ValueError("its back-end shows no data or no journal")
        data = str(row["data"])
        found = hashlib.sha256(data.encode()).hexdigest()
        entry = self.journal.get((row["backend"], row["journal_seq"]), "")
        if found != row["data_hash"] or not {row["number"], f"sha256:{found}"} <= set(entry.split()):
            problem = (
                f"its data have the sha256 {found}, which is not what entry {row['journal_seq']} of the journal holds"
            )
            raise BadInput(
                "evidence.sqlite", f"{table}, {row['number']}", problem, "documents that are as they were booked"
            )
        return data


def papers(books: Books, wanted: Wanted) -> Iterator[Paper]:
    """The documents of a run.

    `sample`: every invoice of a subscription, every credit and cancellation, an invoice to a driver of each seller and
    language, the last notice to each owner. `all`: every invoice, bill and notice.
    """
    chosen = books.invoices if wanted == "all" else list(_sample(books.invoices))
    bills = books.bills([number for row in chosen for number in _named_bills(row)])
    for row in chosen:
        yield Paper(row["kind"], row["backend"], row["number"], partial(_invoice, books, row, bills))
    for mail in _mails(books, wanted):
        yield Paper("letter", "", mail["message_id"].replace("/", "-"), partial(_notice, books, mail))
    if wanted == "all":
        for bill in books.evidence.rows("SELECT rowid, backend, number FROM books_bills ORDER BY rowid"):
            yield Paper("bill", bill["backend"], bill["number"], partial(_bill, books, bill["rowid"]))


def _sample(invoices: Sequence[Row]) -> Iterator[Row]:
    seen: set[tuple[str, str]] = set()
    for row in invoices:
        if row["kind"] == kinds.DRIVERS:
            place = (row["seller"], row["language"])
            if place in seen:
                continue
            seen.add(place)
        yield row


def _named_bills(invoice: Row) -> list[str]:
    """The bills that the lines of an invoice name; none if it is in a form of its own."""
    try:
        return [line["bill"] for line in json.loads(invoice["data"] or "{}").get("lines", []) if line["bill"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _mails(books: Books, wanted: Wanted) -> list[Row]:
    mails = books.evidence.rows(
        'SELECT kind, message_id, "to", at, subject, text, language, meta FROM partner_mails ORDER BY at, rowid'
    )
    letters = [mail for mail in mails if mail["kind"] in NOTICES]
    if wanted == "all":
        return letters
    last = {json.loads(mail["meta"]).get("owner"): mail for mail in letters if mail["kind"] == NOTICES[0]}
    return list(last.values())


def _invoice(books: Books, row: Row, bills: Mapping[str, Row]) -> DocumentData:
    data = books.booked("books_invoices", row)
    if json.loads(data)["language"] not in LANGUAGES:
        raise ValueError("it is in a language that there are no words for")
    behind = {number: books.booked("books_bills", bills[number]) for number in _named_bills(row) if number in bills}
    cancelled = books.by_number.get((row["backend"], row["cancels"] or ""))
    payment = _ROUTES.get(books.routes.get((row["backend"], row["claim_id"] or ""), ""))
    if row["cancels"]:
        payment = Payment(how="refund") if payment is not None else None
    return invoice_document(
        data,
        behind,
        customer_country=books.owners.get(row["customer"], {}).get("country", ""),
        cancelled=books.booked("books_invoices", cancelled) if cancelled is not None else None,
        payment=payment,
        templates=books.templates,
    )


def _bill(books: Books, rowid: int) -> DocumentData:
    row = books.bill(rowid)
    data = books.booked("books_bills", row)
    owner = books.owners.get(row["seller"], {})
    language = owner.get("language") or _LANGUAGE_OF.get(owner.get("country", ""), "en")
    return bill_document(data, language, _address_of(json.loads(data)["seller"], owner), templates=books.templates)


def _address_of(sold_by: Row, owner: Row) -> Seller | None:
    """The seller of a bill that does not say where it lives, with the address of the plan; else what the bill says."""
    if sold_by["address"] or not owner.get("address") or owner.get("name") != sold_by["name"]:
        return None
    lines = place_lines(owner["address"])
    return Seller(address=Address(name=sold_by["name"], lines=lines, country=sold_by["country"]))


def _notice(books: Books, mail: Row) -> DocumentData:
    """A mail as the letter that it is: its own words on the paper of the seller who sent it."""
    upgrade, meta = books.upgrade, json.loads(mail["meta"])
    sellers = {row["seller"]: row for row in upgrade["sellers"]}
    sender = sellers[meta.get("payee") or upgrade["new_seller"]]
    owner = books.owners.get(meta.get("owner", ""), {})
    name = owner.get("name") or meta["customer"]
    lines = place_lines(owner.get("address", "")) or (mail["to"],)
    address = Address(name=name, lines=lines, country=owner.get("country", ""))
    return DocumentData(
        kind="notice",
        number=mail["message_id"],
        issued=to_datetime(mail["at"], zone(sender["zone"])).date(),
        language=mail["language"],
        seller=Seller(
            address=Address(name=sender["name"], lines=place_lines(sender["address"]), country=sender["country"]),
            vat_id=sender["vat_id"],
        ),
        customer=Customer(address=address),
        notice=Notice(
            audience="owner" if owner else "driver",
            move=date.fromisoformat(meta["day"]),
            sites=tuple(meta.get("sites", ())),
            old_payee=sellers[upgrade["old_seller"]]["name"],
            payee=sender["name"],
            subject=mail["subject"],
            text=mail["text"],
        ),
    )
