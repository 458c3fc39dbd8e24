"""The bill of one charging session as a document, made from the canonical JSON of `reference_csms.billing.data`.

Every amount comes from that JSON, which goes along as `source`; its hash, which stands in the journal, is the document's
fingerprint. So PDF, HTML page and ledger cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from reference_csms.billing.documents.model import (
    Address,
    Charging,
    Customer,
    DocumentData,
    Language,
    Line,
    Payment,
    References,
    Seller,
    SignedText,
    VatRow,
)
from reference_csms.billing.documents.sums import with_table
from reference_csms.billing.documents.view import quantity
from reference_csms.billing.documents.words import Words, load_words
from sim.backend import Row
from sim.clock import Instant, parse_iso, to_datetime, zone


def bill_document(
    data: str,
    language: Language,
    seller: Seller | None = None,
    customer: Customer | None = None,
    payment: Payment | None = None,
    templates: Path | None = None,
) -> DocumentData:
    """The document of a bill's canonical JSON (`Bill.data`).

    `seller` adds what the JSON does not hold (VAT number, account, contact); `customer` a name and address instead of the
    masked identification. `templates` may hold other words for the lines. Raises ValueError if `seller` is another one
    than in the JSON.
    """
    bill: Row = msgspec.json.decode(data)
    sold_by = bill["seller"]
    if seller is None:
        seller = Seller(
            address=Address(name=sold_by["name"], lines=place_lines(sold_by["address"]), country=sold_by["country"])
        )
    elif seller.address.name != sold_by["name"]:
        raise ValueError(f"bill {bill['number']} is of {sold_by['name']}, not of {seller.address.name}")
    words = load_words(language, templates)
    percent = Decimal(bill["vat_percent"])
    charging = _charging(bill)
    lines = [_line(line, bill, percent, words) for line in bill["lines"]]
    if lines:
        lines[0] = msgspec.structs.replace(lines[0], charging=charging)
    document = DocumentData(
        kind="bill",
        number=bill["number"],
        issued=date.fromisoformat(bill["issued"]["local"][:10]),
        language=language,
        seller=seller,
        customer=customer or Customer(address=Address(name=bill["customer"]["id"])),
        currency=bill["currency"],
        prices="gross",
        lines=tuple(lines),
        payment=payment,
        references=References(period_from=charging.started.date(), period_to=charging.stopped.date()),
        source=data,
    )
    return with_table(document, (VatRow(percent=percent, net=bill["net"], vat=bill["vat"], gross=bill["gross"]),))


def charging_of(data: str) -> Charging:
    """The session of a bill's canonical JSON, for the line of an invoice that collects several sessions."""
    return _charging(msgspec.json.decode(data))


def price_steps(data: str, words: Words) -> str:
    """What the price of a bill's canonical JSON is made of, in one text: energy, fees and idle time with their prices."""
    bill: Row = msgspec.json.decode(data)
    return " + ".join(_step(line, bill["currency"], words) for line in bill["lines"])


def _step(line: Row, currency: str, words: Words) -> str:
    name = words.named("item", line["component"])
    if line["component"] == "free":
        return name
    amount, off = Decimal(line["billed_quantity"]), Decimal(line["discount_percent"])
    price = Decimal(line["unit_price"])
    if line["unit"] == "session" and amount == 1:
        step = f"{name} {words.price(price, currency)}"
    else:
        much, each = quantity(amount, line["unit"], words), words.per_unit(price, currency, line["unit"])
        step = f"{name} {words.text('format.times', quantity=much, price=each)}"
    return f"{step} ({words.text('detail.discount', percent=words.percent(off))})" if off else step


def place_lines(address: str) -> tuple[str, ...]:
    """The lines of an address whose parts stand between commas."""
    return tuple(part.strip() for part in address.split(",") if part.strip())


def _line(line: Row, bill: Row, percent: Decimal, words: Words) -> Line:
    return Line(
        text=words.named("item", line["component"]),
        detail=", ".join(_details(line, bill["session"]["zone"], words)),
        quantity=Decimal(line["billed_quantity"]),
        unit=line["unit"],
        unit_price=Decimal(line["unit_price"]),
        discount_percent=Decimal(line["discount_percent"]),
        amount=line["amount"],
        vat_percent=percent,
    )


def _details(line: Row, zone_name: str, words: Words) -> Iterator[str]:
    begin, end = (to_datetime(Instant(line[key]), zone(zone_name)) for key in ("from", "to"))
    if line["from"] == line["to"]:
        yield f"{begin:%H:%M}"
    else:
        day = "" if begin.date() == end.date() else f"{words.short_date(end.date())} "
        yield words.text("format.period", **{"from": f"{begin:%H:%M}", "to": f"{day}{end:%H:%M}"})
    if line["component"] == "free":
        measured = words.decimal(Decimal(line["quantity"]))
        yield words.text("detail.free", measured=measured, unit=words.named("unit", line["unit"]))
    elif line["billed_quantity"] != line["quantity"]:
        billed, measured = (
            quantity(Decimal(line[key]), line["unit"], words) for key in ("billed_quantity", "quantity")
        )
        yield words.text("detail.billed_of", billed=billed, measured=measured)


def _charging(bill: Row) -> Charging:
    session, proof = bill["session"], bill["verification"]
    readings: list[dict[str, Any]] = proof["readings"]
    return Charging(
        session=session["id"],
        place=session["place"],
        station=session["station"],
        connector=session["connector"],
        started=_local(session["started"], session["zone"]),
        stopped=_local(session["stopped"], session["zone"]),
        kwh=Decimal(session["kwh"]),
        register_start=Decimal(readings[0]["value"]) if readings else None,
        register_stop=Decimal(readings[-1]["value"]) if readings else None,
        register_unit=readings[0]["unit"] if readings else "kWh",
        meter_id=proof["meter_id"] or "",
        public_key=proof["public_key"] or "",
        records=tuple(SignedText(sha256=record["sha256"], text=record["text"]) for record in proof["records"]),
    )


def _local(moment: Row, zone_name: str) -> datetime:
    """The local time with a fixed offset, as canonical JSON keeps it."""
    return datetime.fromisoformat(to_datetime(parse_iso(moment["utc"]), zone(zone_name)).isoformat())
