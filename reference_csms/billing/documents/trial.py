"""A small document of each kind in each language, drawn with somebody's own templates before anything depends on them.

The names and amounts are made up; what counts is that each template meets every part that it may have to show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from reference_csms.billing.documents.model import (
    LANGUAGES,
    Account,
    Address,
    Charging,
    Customer,
    DocumentData,
    Language,
    Line,
    Notice,
    Payment,
    References,
    Seller,
    SignedText,
)
from reference_csms.billing.documents.pdf import LAYOUT, TEMPLATE_OF, render_pdf
from reference_csms.billing.documents.sums import cancellation, with_sums
from sim.errors import BadInput

_DAY = date(2024, 4, 9)
_SELLER = Seller(
    address=Address(name="Seller", lines=("Street 1", "0150 Oslo"), country="NO"),
    organisation_number="910000000",
    vat_id="NO910000000MVA",
    account=Account(iban="NO9386011117947"),
)
_CUSTOMER = Customer(address=Address(name="Customer", lines=("Road 2", "10115 Berlin"), country="DE"), number="C-1")


def try_templates(templates: Path) -> None:
    """Draw every kind in every language with the templates of this folder.

    Raises BadInput for a folder that holds none, and for a template or a text that cannot be used.
    """
    if not templates.is_dir():
        raise BadInput(templates, None, "is no folder", "a folder with .typ and .toml files")
    known = sorted({LAYOUT, *TEMPLATE_OF.values(), *(f"{kind}.typ" for kind in TEMPLATE_OF)})
    known += [f"{language}.toml" for language in LANGUAGES]
    if not any((templates / name).is_file() for name in known):
        raise BadInput(templates, None, "holds no template", f"a folder with some of {', '.join(known)}")
    for language in LANGUAGES:
        for document in _documents(language):
            render_pdf(document, templates)


def _documents(language: Language) -> Iterator[DocumentData]:
    invoice = with_sums(
        DocumentData(
            kind="invoice",
            number="I-1",
            issued=_DAY,
            due=_DAY,
            language=language,
            seller=_SELLER,
            customer=_CUSTOMER,
            currency="NOK",
            prices="net",
            lines=tuple(_line(percent) for percent in (25, 15, 0)),
            payment=Payment(how="transfer", reference="I-1"),
            references=References(contract="K-1", period_from=_DAY, period_to=_DAY, terms_version="1"),
            exemption="reverse-charge",
        )
    )
    yield invoice
    yield replace(invoice, kind="bill", payment=Payment(how="card"))
    yield cancellation(invoice, "C-1", _DAY, Payment(how="offset"), "trial")
    notice = Notice(
        audience="owner", move=_DAY, sites=("Site",), old_payee="Old", payee="Seller", account=_SELLER.account,
        terms_version="1", onboarding_link="https://seller.example", onboarding_deadline=_DAY, checks=("prices",),
    )  # fmt: skip
    letter = DocumentData(
        kind="notice",
        number="N-1",
        issued=_DAY,
        language=language,
        seller=_SELLER,
        customer=_CUSTOMER,
        notice=notice,
    )
    yield letter
    yield replace(letter, notice=replace(notice, subject="Subject", text="Hello,\n\n- one\n- two\n\nRegards\nSeller\n"))


def _line(percent: int) -> Line:
    moment = datetime.fromisoformat("2024-04-09T12:00:00+02:00")
    charging = Charging(
        session="s-1", place="Site", station="CS-1", connector=1, started=moment, stopped=moment, kwh=Decimal(1),
        register_start=Decimal(1), register_stop=Decimal(2), meter_id="M-1", public_key="30" * 40,
        records=(SignedText(sha256="ab" * 32, text="OCMF|{}|{}"),),
    )  # fmt: skip
    return Line(
        text="Line", quantity=Decimal(1), unit="kWh", unit_price=Decimal(2), discount_percent=Decimal(50), amount=100,
        vat_percent=Decimal(percent), detail="detail", charging=charging,
    )  # fmt: skip
