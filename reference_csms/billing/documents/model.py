"""What a document is: frozen data that describe it fully, their canonical JSON and its hash.

Renderings show these data and nothing else. Money is whole minor units, everything else that is counted is a Decimal; no
float ever. Nothing here looks anything up, asks a clock or books.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct

Kind = Literal["bill", "invoice", "credit-note", "notice"]
Language = Literal["nb", "de", "en"]
LANGUAGES: tuple[Language, ...] = ("nb", "de", "en")
MONEY_KINDS = ("bill", "invoice", "credit-note")


class Address(Struct, frozen=True, kw_only=True):
    """A name and the lines below it, as they stand in the window of an envelope. `country` is ISO 3166 alpha-2."""

    name: str
    lines: tuple[str, ...] = ()
    country: str = ""


class Account(Struct, frozen=True, kw_only=True):
    """A bank account. `iban` without blanks; `holder` where it is not the seller itself."""

    iban: str
    bic: str = ""
    bank: str = ""
    holder: str = ""

    def grouped(self) -> str:
        """The IBAN in groups of four, as it is printed (ISO 13616)."""
        return " ".join(self.iban[at : at + 4] for at in range(0, len(self.iban), 4))


class Seller(Struct, frozen=True, kw_only=True):
    """Who sells and issues. `vat_id` is empty for a seller who is not registered for VAT."""

    address: Address
    organisation_number: str = ""
    vat_id: str = ""
    email: str = ""
    phone: str = ""
    web: str = ""
    account: Account | None = None


class Customer(Struct, frozen=True, kw_only=True):
    """Who gets the document. `number` is the seller's number of the customer; identifications come masked."""

    address: Address
    number: str = ""
    vat_id: str = ""


class SignedText(Struct, frozen=True, kw_only=True):
    """A signed meter record: the sha256 (hex) of its exact text, and the text where the document carries it along."""

    sha256: str
    text: str = ""


class Charging(Struct, frozen=True, kw_only=True):
    """The charging session behind a line: where, when (local, with offset), how much, and what proves it (D04)."""

    session: str
    place: str
    station: str
    connector: int
    started: datetime
    stopped: datetime
    kwh: Decimal
    register_start: Decimal | None = None
    register_stop: Decimal | None = None
    register_unit: str = "kWh"
    meter_id: str = ""
    public_key: str = ""
    records: tuple[SignedText, ...] = ()


class Line(Struct, frozen=True, kw_only=True):
    """One line. `amount` in minor units, gross or net as `DocumentData.prices` says; `unit_price` in major units.

    `text` and `detail` are in the language of the document. `unit` is a key of the table `unit` of the language (kWh,
    min, session, month, ...) or any text; `s` is seconds with a price per minute. `discount_percent` is taken off the unit
    price, which may be missing where there is no single one.
    """

    text: str
    quantity: Decimal
    unit: str
    amount: int
    vat_percent: Decimal
    unit_price: Decimal | None = None
    discount_percent: Decimal = Decimal(0)
    detail: str = ""
    charging: Charging | None = None


class VatRow(Struct, frozen=True, kw_only=True):
    """The sums of one VAT rate, minor units."""

    percent: Decimal
    net: int
    vat: int
    gross: int


class Payment(Struct, frozen=True, kw_only=True):
    """How the document is paid.

    `transfer`: by the customer to `account` with `reference` (in Norway the KID). `card`: paid by the card that ends with
    `card_ending`. `charge`: will be taken from the customer's card. `partner`: collected by `partner`, which sends its own
    request. `refund`: goes back the way it came. `offset`: settled against the next invoice. `nothing`: no money is due.
    """

    how: Literal["transfer", "card", "charge", "partner", "refund", "offset", "nothing"]
    reference: str = ""
    account: Account | None = None
    card_ending: str = ""
    partner: str = ""


class References(Struct, frozen=True, kw_only=True):
    """What the document belongs to. `period_to` is the last day. `cancels` is the number of a credit note's invoice, of
    which `partly` gives back only a part.
    """

    contract: str = ""
    period_from: date | None = None
    period_to: date | None = None
    terms_version: str = ""
    customer_reference: str = ""
    cancels: str = ""
    cancels_issued: date | None = None
    partly: bool = False
    reason: str = ""


class Notice(Struct, frozen=True, kw_only=True):
    """What an upgrade notice announces. `move` is the working day of the move, `sites` the places that move.

    To owners: who is paid from then on (`payee`, `account`), under which terms, where to sign up (`onboarding_link`) until
    when, and what to check beforehand: `checks` are keys of the table `check` of the language. To drivers only date,
    places and payee are needed. `replaces` is the number of the notice that this one makes void, `replaces_move` its day.
    A notice that went out as a mail has its `subject` and `text`, blank lines between paragraphs: these alone are shown.
    """

    audience: Literal["owner", "driver"]
    move: date
    sites: tuple[str, ...]
    old_payee: str
    payee: str
    account: Account | None = None
    terms_version: str = ""
    onboarding_link: str = ""
    onboarding_deadline: date | None = None
    checks: tuple[str, ...] = ()
    replaces: str = ""
    replaces_move: date | None = None
    subject: str = ""
    text: str = ""


class DocumentData(Struct, frozen=True, kw_only=True):
    """A whole document. `issued` and `due` are local dates of the seller; amounts are minor units of `currency`.

    `prices` says whether line amounts hold VAT (`gross`, consumers) or not (`net`, companies). `exemption` is a key of the
    table `exemption` of the language and says why no VAT is charged. `source` is the canonical JSON from which a bill was
    made: its hash stands in the journal, so it is the document's fingerprint.
    """

    kind: Kind
    number: str
    issued: date
    language: Language
    seller: Seller
    customer: Customer
    currency: str = ""
    prices: Literal["gross", "net"] = "gross"
    due: date | None = None
    lines: tuple[Line, ...] = ()
    vat: tuple[VatRow, ...] = ()
    net_total: int = 0
    vat_total: int = 0
    gross_total: int = 0
    payment: Payment | None = None
    references: References = References()
    exemption: str = ""
    notice: Notice | None = None
    source: str = ""

    def account(self) -> Account | None:
        """Where a transfer goes: the account of the payment, or that of the seller."""
        return (self.payment.account if self.payment else None) or self.seller.account


_encode = msgspec.json.Encoder(order="sorted").encode


def canonical(data: DocumentData) -> bytes:
    """The canonical JSON: sorted keys, no blanks, decimals as texts with their digits, dates in ISO 8601, UTF-8."""
    return _encode(data)


def from_canonical(encoded: bytes | str) -> DocumentData:
    """The document of a canonical JSON. Raises msgspec.ValidationError for anything else."""
    return msgspec.json.decode(encoded, type=DocumentData)


def data_hash(data: DocumentData) -> str:
    """sha256 in hex of the canonical JSON; for the journal (D01)."""
    return hashlib.sha256(canonical(data)).hexdigest()


def fingerprint(data: DocumentData) -> str:
    """The hash that stands in the journal and on the document: that of `source` if there is one, else `data_hash`."""
    return hashlib.sha256(data.source.encode()).hexdigest() if data.source else data_hash(data)
