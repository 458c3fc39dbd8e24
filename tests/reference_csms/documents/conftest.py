"""Documents of every kind, in every language, as a back-end would make them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from msgspec.structs import replace
from pypdf import PdfReader

from reference_csms.billing.documents.model import (
    Account,
    Address,
    Charging,
    Customer,
    DocumentData,
    Line,
    Notice,
    Payment,
    References,
    Seller,
    SignedText,
)
from reference_csms.billing.documents.sums import cancellation, with_sums
from reference_csms.billing.documents.words import load_words
from sim.clock import HOUR, MINUTE

OLD = Account(iban="NO9386011117947", bic="DNBANOKKXXX", bank="Gammel Bank")
NEW = Account(iban="DE89370400440532013000", bic="COBADEFFXXX", bank="Neue Bank")
SELLER = Seller(
    address=Address(name="Rigg Lading AS", lines=("Storgata 1", "0155 Oslo"), country="NO"),
    organisation_number="912 345 678",
    vat_id="NO 912345678 MVA",
    email="faktura@rigg.example",
    phone="+47 22 00 00 00",
    web="rigg.example",
    account=NEW,
)
CUSTOMER = Customer(
    address=Address(
        name="Fjellhaugen Borettslag", lines=("c/o Kari Nordmann", "Fjellveien 12", "5019 Bergen"), country="NO"
    ),
    number="K-10023",
)
CURRENCY = {"nb": "NOK", "de": "EUR", "en": "EUR"}
KEY = "3059301306072a8648ce3d020106082a8648ce3d03010703420004" + "5a3c" * 32


def session(at: int = 1) -> Charging:
    day = 1 + at % 28
    text = f'OCMF|{{"PG":"T{at}","RD":[{{"TM":"<&>"}}]}}|{{"SD":"30"}}'
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Charging(
        session=f"s-{at}",
        place="Fjellhaugen Garasje",
        station=f"CS-{at % 9 + 1}",
        connector=1 + at % 2,
        started=datetime.fromisoformat(f"2024-04-{day:02d}T12:00:00+02:00"),
        stopped=datetime.fromisoformat(f"2024-04-{day:02d}T13:20:05+02:00"),
        kwh=Decimal("12.345"),
        register_start=Decimal("1010.000"),
        register_stop=Decimal("1022.345"),
        meter_id=f"M-{at % 9 + 1}",
        public_key=KEY,
        records=(SignedText(sha256=digest, text=text),),
    )


def charging_line(at: int, language: str) -> Line:
    words = load_words(language)
    return Line(
        text=words.text("item.session", place="Fjellhaugen Garasje"),
        quantity=Decimal("12.345"),
        unit="kWh",
        unit_price=Decimal("3.49"),
        amount=4308,
        vat_percent=Decimal("25"),
        charging=session(at),
    )


def subscription(language: str) -> DocumentData:
    """An owner's quarter, net prices: subscription, an add-on, a credit for the month that overlaps."""
    words = load_words(language)
    lines = (
        Line(
            text=words.text("item.subscription", product="Pro"),
            detail="24 x 199.00",
            quantity=Decimal(3),
            unit="month",
            unit_price=Decimal("4776.00"),
            discount_percent=Decimal(10),
            amount=1289520,
            vat_percent=Decimal(25),
        ),
        Line(
            text=words.text("item.add-on", product="Roaming"),
            quantity=Decimal(1),
            unit="quarter",
            unit_price=Decimal("450.00"),
            amount=45000,
            vat_percent=Decimal(15),
        ),
        Line(
            text=words.text("item.credit", product="April"),
            quantity=Decimal(-1),
            unit="month",
            unit_price=Decimal("4298.40"),
            amount=-429840,
            vat_percent=Decimal(25),
        ),
    )
    return with_sums(
        DocumentData(
            kind="invoice",
            number="RL-2024-000017",
            issued=date(2024, 4, 15),
            due=date(2024, 4, 29),
            language=language,  # type: ignore[arg-type]
            seller=SELLER,
            customer=replace(CUSTOMER, vat_id="NO 987654321 MVA"),
            currency=CURRENCY[language],
            prices="net",
            lines=lines,
            payment=Payment(how="transfer", reference="0010023000179"),
            references=References(
                contract="A-7781", period_from=date(2024, 4, 9), period_to=date(2024, 7, 8), terms_version="2024-2"
            ),
        )
    )


def driver_month(language: str, sessions: int) -> DocumentData:
    """A driver's month, gross prices."""
    return with_sums(
        replace(
            subscription(language),
            number="FB-2024-000311",
            prices="gross",
            customer=Customer(
                address=Address(name="Ola Nordmann", lines=("Bakken 3", "5019 Bergen"), country="NO"), number="D-7"
            ),
            lines=tuple(charging_line(at, language) for at in range(1, sessions + 1)),
            references=References(contract="D-7", period_from=date(2024, 4, 1), period_to=date(2024, 4, 30)),
            payment=Payment(how="partner", partner="Riverty"),
        )
    )


def one_session(language: str) -> DocumentData:
    return replace(
        driver_month(language, 1),
        kind="bill",
        number="FB-new-000001",
        due=None,
        payment=Payment(how="card", card_ending="4242"),
    )


def notice(language: str, audience: str = "owner", **changes: Any) -> DocumentData:
    to_owner: dict[str, Any] = {
        "account": NEW,
        "terms_version": "2024-2",
        "onboarding_link": "https://onboarding.example/accounts/acct_1?token=a_b*c#d$e~f%20g",
        "onboarding_deadline": date(2024, 4, 14),
        "checks": ("prices", "users", "authority", "bank-account", "contacts"),
    }
    told = Notice(
        audience=audience,  # type: ignore[arg-type]
        move=date(2024, 4, 9),
        sites=("Fjellhaugen Garasje", "Kaia 3"),
        old_payee="Gamle Lading AS",
        payee="Rigg Lading AS",
        **{**(to_owner if audience == "owner" else {}), **changes},
    )
    return DocumentData(
        kind="notice",
        number=f"N-2024-{audience}",
        issued=date(2024, 4, 4),
        language=language,  # type: ignore[arg-type]
        seller=SELLER,
        customer=CUSTOMER,
        notice=told,
    )


def credit_note(language: str) -> DocumentData:
    refund = Payment(how="offset")
    return cancellation(subscription(language), "RL-2024-000018", date(2024, 5, 2), refund, "A-7781")


MAKERS: dict[str, Callable[[str], DocumentData]] = {
    "bill": one_session,
    "invoice": subscription,
    "driver-month": lambda language: driver_month(language, 12),
    "credit-note": credit_note,
    "notice-owner": notice,
    "notice-driver": lambda language: notice(language, "driver"),
}


@dataclass(frozen=True)
class Samples:
    """Makers of documents, and a reader of PDFs that shares nothing with the renderer."""

    names = tuple(MAKERS)
    subscription = staticmethod(subscription)
    driver_month = staticmethod(driver_month)
    one_session = staticmethod(one_session)
    notice = staticmethod(notice)
    credit_note = staticmethod(credit_note)
    seller = SELLER
    old_account = OLD

    def make(self, name: str, language: str) -> DocumentData:
        return MAKERS[name](language)

    def pages(self, pdf: bytes) -> list[str]:
        """The text of each page, all white space single blanks and break marks gone."""
        reader = PdfReader(BytesIO(pdf))
        return [" ".join(page.extract_text().replace("\u200b", "").split()) for page in reader.pages]

    def money(self, language: str, amount: int, currency: str) -> str:
        """An amount as `pages` gives it."""
        return " ".join(load_words(language).money(amount, currency).split())

    def text(self, pdf: bytes) -> str:
        return " ".join(self.pages(pdf))


@pytest.fixture(scope="session")
def samples() -> Samples:
    return Samples()


@pytest.fixture
def bill(bench: Any) -> Any:
    """A bill of energy, start fee and idle time, as the back-end wrote it."""
    bench.charge(bench.boot(), "TOK-S2", idle=40 * MINUTE, lasts=2 * HOUR)
    bench.bill_all()
    return bench.only("bills")
