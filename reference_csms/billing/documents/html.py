"""The bill as a customer sees it: one self-contained HTML page, made from the bill's data and from nothing else.

Rendering never books, never looks anything up and never changes an amount: the same data give the same page.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from reference_csms.billing.data import data_hash
from reference_csms.pricing.tariffs import minor_digits
from sim.backend import Row
from sim.pages import render

_TEMPLATE = Path(__file__).parents[1] / "templates" / "bill.html"

_COMPONENTS = {
    "energy": "Energy",
    "start": "Start fee",
    "idle": "Idle time",
    "free": "Free of charge",
}
_MARKS = {"B": "begin", "T": "price change", "S": "car stopped drawing", "C": "car draws again", "E": "end"}


def bill_html(bill: Row) -> str:
    """The page of a row of `books_bills`. Raises ValueError if its data are not those that were hashed."""
    if data_hash(bill["data"]) != bill["data_hash"]:
        raise ValueError(f"the data of bill {bill['number']} do not fit their hash")
    return page(msgspec.json.decode(bill["data"]), bill["data_hash"])


def page(data: dict[str, Any], hashed: str) -> str:
    """The page of a bill's data."""
    lines = [{**line, "title": _COMPONENTS.get(line["component"], line["component"])} for line in data["lines"]]
    return render(_TEMPLATE, bill=data, data_hash=hashed, lines=lines, filters=_FILTERS)


def _money(amount: int, currency: str) -> str:
    digits = minor_digits(currency)
    return f"{Decimal(amount).scaleb(-digits):,.{digits}f} {currency}"


def _mark(mark: str) -> str:
    return _MARKS.get(mark, mark)


def _quantity(line: Row) -> str:
    """What was billed of what was measured."""
    if line["unit"] == "s":
        return f"{_duration(int(line['billed_quantity']))} of {_duration(int(line['quantity']))}"
    return f"{line['billed_quantity']} {line['unit']}"


def _price(line: Row, currency: str) -> str:
    unit = {"s": "min"}.get(line["unit"], line["unit"])
    text = f"{line['unit_price']} {currency}/{unit}"
    return text if Decimal(line["discount_percent"]) == 0 else f"{text} - {line['discount_percent']} %"


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h"


_FILTERS: dict[str, Callable[..., str]] = {"money": _money, "quantity": _quantity, "price": _price, "mark": _mark}
