"""Issued invoices, credits and cancellations as documents: what stands in their canonical JSON, said in words."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from reference_csms.billing.documents.invoice import invoice_document
from reference_csms.billing.documents.model import LANGUAGES, Payment, fingerprint
from reference_csms.billing.documents.pdf import render_pdf
from reference_csms.billing.documents.sums import checked, problems
from reference_csms.billing.documents.text import render_text

ITEM = {
    "kind": "item",
    "text": "Charging station, operation and support",
    "quantity": "11",
    "unit": "x 22 days",
    "vat_percent": "25",
    "amount": 95997,
    "start": "2024-04-09",
    "until": "2024-05-01",
    "bill": None,
    "session_id": None,
}
PREPAID = {**ITEM, "kind": "credit", "text": "prepaid on LN-LS-000001", "quantity": "1", "unit": "", "amount": -45997}


def content(*lines: dict[str, Any], **changes: Any) -> str:
    """The canonical JSON of an invoice over these lines, whose net prices bear one rate."""
    lines = lines or (ITEM, PREPAID)
    percent, net = lines[0]["vat_percent"], sum(line["amount"] for line in lines)
    vat = round(Decimal(net) * Decimal(percent) / 100)
    data = {
        "number": "LG-NS-000002",
        "kind": "subscription",
        "cancels": None,
        "issued": {"utc": "2024-04-09T14:30:00.000Z", "local": "2024-04-09 16:30:00 CEST"},
        "due": "2024-05-09",
        "period": {"start": "2024-04-09", "until": "2024-07-01"},
        "seller": {
            "id": "group",
            "name": "Ladelaget Group AB",
            "address": "Skeppsbron 20, 111 30 Stockholm",
            "country": "SE",
            "vat_id": "SE559012345601",
        },
        "customer": {
            "id": "fjord",
            "name": "Fjordlading AS",
            "address": "Strandkaien 14, 5013 Bergen",
            "email": "post@fjord.example",
            "language": "nb",
        },
        "contract": "LG-fjord",
        "terms": "2024-1",
        "account": "SE8044466735145048402082",
        "reference": "LG-NS-000002",
        "language": "nb",
        "currency": "NOK",
        "basis": "net",
        "lines": list(lines),
        "vat_table": [{"percent": percent, "net": net, "vat": vat, "gross": net + vat}],
        "net": net,
        "vat": vat,
        "gross": net + vat,
    }
    return json.dumps({**data, **changes}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def page(samples: Any, data: str, **more: Any) -> str:
    return str(samples.text(render_pdf(checked(invoice_document(data, **more)))))


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("nb", ("11 \u00d7 22 dager", "87,27 kr", "Fradrag: dager som alt er betalt med LN-LS-000001", "9. mai 2024")),
        (
            "de",
            ("11 \u00d7 22 Tage", "87,27 NOK", "Abzug: Tage, die mit LN-LS-000001 schon bezahlt sind", "9. Mai 2024"),
        ),
        ("en", ("11 \u00d7 22 days", "NOK 87.27", "Deduction: days already paid with LN-LS-000001", "9 May 2024")),
    ],
)
def test_a_subscription_says_days_price_deduction_terms_and_how_to_pay(
    samples: Any, language: str, shown: tuple[str, ...]
) -> None:
    data = content(language=language)
    text = page(samples, data)
    for part in (*shown, "2024-1", "SE80 4446 6735 1450 4840 2082", "LG-fjord"):
        assert part in text, part
    assert "prepaid on" not in text and "x 22 days" not in text.replace("\u00d7 22 days", "")
    assert hashlib.sha256(data.encode()).hexdigest() in text.replace(" ", "")
    assert fingerprint(invoice_document(data)) == hashlib.sha256(data.encode()).hexdigest()


def test_only_a_customer_abroad_who_is_charged_no_vat_owes_it_itself(samples: Any) -> None:
    untaxed = content({**ITEM, "vat_percent": "0"}, language="de")
    assert "Steuerschuldnerschaft des Leistungsempfängers." in page(samples, untaxed, customer_country="DE")
    at_home = page(samples, untaxed, customer_country="SE")
    assert "Der Verkäufer ist nicht umsatzsteuerpflichtig." in at_home and "Steuerschuldnerschaft" not in at_home
    assert "USt-IdNr." not in at_home and "Register-Nr. SE559012345601" in at_home
    taxed = page(samples, content(language="de"), customer_country="DE")
    assert "Steuerschuldnerschaft" not in taxed and "USt-IdNr. SE559012345601" in taxed


def test_a_credit_gives_back_a_part_and_a_cancellation_the_whole(samples: Any) -> None:
    invoice = content()
    credit = {**PREPAID, "text": "credit on LG-NS-000002", "start": "2024-05-02", "until": "2024-05-02"}
    note = {"number": "N-2", "due": None, "account": None, "cancels": "LG-NS-000002", "period": None}
    part = page(samples, content(credit, kind="credit", **note), cancelled=invoice, payment=Payment(how="refund"))
    assert "gir tilbake en del av LG-NS-000002 av 9. april 2024" in part and "Godskrift på LG-NS-000002" in part
    assert "Krediterer" not in part and "SE80" not in part
    back = [{**line, "kind": "reversal", "amount": -line["amount"]} for line in (ITEM, PREPAID)]
    whole = invoice_document(content(*back, kind="cancellation", **note), cancelled=invoice)
    text = samples.text(render_pdf(checked(whole)))
    assert "krediterer LG-NS-000002 av 9. april 2024" in text and "\u221211 \u00d7 22 dager" in text
    assert whole.gross_total == -invoice_document(invoice).gross_total
    assert whole.lines[0].unit_price == Decimal("87.27")


def test_a_driver_sees_the_session_and_what_its_price_is_made_of(samples: Any, bill: Any) -> None:
    of = json.loads(bill["data"])
    line = {
        **ITEM, "kind": "session", "text": "place, station", "unit": "kWh", "quantity": of["session"]["kwh"],
        "amount": of["gross"], "vat_percent": of["vat_percent"], "bill": bill["number"],
        "start": "2024-04-09", "until": "2024-04-09",
    }  # fmt: skip
    table = [{"percent": of["vat_percent"], "net": of["net"], "vat": of["vat"], "gross": of["gross"]}]
    data = content(
        line, kind="drivers", basis="gross", currency=of["currency"], account=None, vat_table=table, net=of["net"],
        vat=of["vat"], gross=of["gross"],
    )  # fmt: skip
    document = invoice_document(data, {bill["number"]: bill["data"]}, payment=Payment(how="charge"))
    assert problems(document) == []
    text = samples.text(render_pdf(document))
    assert of["session"]["place"] in text and of["session"]["station"] in text
    for part in of["lines"]:
        assert part["unit_price"].replace(".", ",") in text
    assert "Beløpet trekkes fra kortet ditt" in text
    assert "Enhetspris" not in text  # no line has one price
    without = samples.text(render_pdf(invoice_document(data)))
    assert "place, station" in without


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_page_begins_with_the_sum_of_the_pages_before(samples: Any, language: str) -> None:
    words = {"nb": "Overført", "de": "Übertrag", "en": "Carried over"}[language]
    document = samples.driver_month(language, 40)
    pages = samples.pages(render_pdf(document))
    money = samples.money(language, 4308, document.currency)
    before = 0
    for number, text in enumerate(pages):
        if money in text and number:
            assert words in text
            assert samples.money(language, before * 4308, document.currency) in text
        elif not number:
            assert words not in text
        before += text.count(money)
    assert before == 40


def test_nothing_but_the_fingerprint_never_fills_a_page(samples: Any) -> None:
    """A document with one more line pushes the payment over before the fingerprint stands alone."""
    for lines in range(5, 12):
        pages = samples.pages(render_pdf(invoice_document(content(*([ITEM] * lines)))))
        assert "Fingeravtrykk" not in pages[-1] or "SE80" in pages[-1].split("Fingeravtrykk")[0], lines


def test_a_letter_is_the_mail_that_went_out_word_for_word(samples: Any) -> None:
    notice = samples.notice("nb").notice
    text = "Hei Fjord,\n\nden 9. april flytter vi\nstasjonene.\n\n- Betal her.\n- Ikke der,\n  aldri.\n\nHilsen\nGroup AB\n"
    sent = replace(samples.notice("nb"), notice=replace(notice, subject="Dere flyttes", text=text, account=None))
    shown = samples.text(render_pdf(checked(sent)))
    for part in ("Dere flyttes", "Hei Fjord,", "den 9. april flytter vi stasjonene.", "Ikke der, aldri.", "Group AB"):
        assert part in shown, part
    assert notice.onboarding_link not in shown  # nothing that the mail did not say
    assert "- Ikke der, aldri." in render_text(sent)
