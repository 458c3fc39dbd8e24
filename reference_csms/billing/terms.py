"""Sellers, contracts and drivers' terms: rows of the instruction sheet read into the store, and looked up again.

Rows (a `?` may be left out; dates are ISO days, money minor units):
    sellers       seller, name?, address?, country?, vat_id?, zone?, prefix?, language?, due_days?,
                  accounts? [{value (IBAN), from}], terms? [{value, from}]
    contracts     contract, seller, customer, currency, period (month | quarter), start, items [{text, net, quantity?}],
                  vat? [{value (percent), from}] or vat_percent?, end?, billed_until?, terms?, name?, address?, email?,
                  language?, backend?
    driver-terms  customer, pays (contract | card | adhoc), method?, name?, address?, email?, language?
A contract row with another `backend` is left out at the first start. An owner without a seller row sells in the name
and at the address of its owner row. Wrong rows raise BadInput; nothing is guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec.structs import replace

from reference_csms.billing.periods import PERIODS, midnight
from reference_csms.billing.rows import (
    CONTRACTS,
    DRIVER_TERMS,
    PAYS,
    SELLERS,
    Contract,
    Dated,
    DriverTerms,
    Item,
    Seller,
)
from reference_csms.provision import RowReader
from reference_csms.records import OWNERS
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import Instant

LONGEST_PREFIX = 8
"""Characters; a whole number of an invoice then has at most 18, and Riverty takes 20."""
_DEFAULT_DUE_DAYS = 14


class Terms:
    """Who sells, to whom, and how it is paid."""

    def __init__(self, store: Store, backend: str) -> None:
        self._store = store
        self._backend = backend

    def take(self, what: str, rows: Sequence[Row], first: bool = False) -> int:
        """Rows of one kind, all of them or none; returns how many were kept. Raises BadInput."""
        readers = [RowReader(what, n, row) for n, row in enumerate(rows)]
        if what == "sellers":
            for seller in [_seller(reader) for reader in readers]:
                put(self._store, SELLERS, seller)
        elif what == "driver-terms":
            for terms in [_driver_terms(reader) for reader in readers]:
                put(self._store, DRIVER_TERMS, terms)
        else:
            ours = [row for row in readers if not first or row.maybe("backend") in (None, self._backend)]
            contracts = [self._contract(reader) for reader in ours]
            for contract in contracts:
                put(self._store, CONTRACTS, contract)
            return len(contracts)
        return len(readers)

    def seller(self, name: str) -> Seller | None:
        """A seller by id: its own row, else that of the owner of this name."""
        row = self._store.get(SELLERS, name)
        owner = self._store.get(OWNERS, name)
        if row is not None or owner is None:
            return row
        return Seller(
            seller=name,
            name=owner.name,
            address=owner.address,
            country=owner.country,
            vat_id="",
            zone=owner.zone,
            prefix=derived_prefix(name),
            language="en",
            due_days=_DEFAULT_DUE_DAYS,
            accounts=(),
            terms=(),
        )

    def driver(self, customer: str) -> DriverTerms | None:
        """How this driver pays, None for somebody without terms here."""
        return self._store.get(DRIVER_TERMS, customer)

    def _contract(self, row: RowReader) -> Contract:
        seller = self.seller(row.text("seller"))
        if seller is None:
            raise row.wrong("seller", f"{row.text('seller')!r} is unknown", "a seller or owner of the sheet")
        start = _day(row, "start")
        assert start is not None
        fresh = Contract(
            contract_id=row.text("contract"),
            seller=seller.seller,
            customer=row.text("customer"),
            currency=row.text("currency"),
            period=row.one_of("period", {name: name for name in PERIODS}, ""),
            items=_items(row),
            vat=_vat(row, seller.zone),
            terms=_dated(row, "terms", seller.zone) or seller.terms,
            start=start,
            end=_day(row, "end", optional=True),
            billed_until=_day(row, "billed_until", optional=True) or start,
            name=row.maybe("name") or row.text("customer"),
            address=row.maybe("address") or "",
            email=row.maybe("email") or "",
            language=row.maybe("language") or seller.language,
        )
        known = self._store.get(CONTRACTS, fresh.contract_id)
        return fresh if known is None else replace(fresh, billed_until=max(known.billed_until, fresh.billed_until))


def derived_prefix(name: str) -> str:
    """A number prefix for a seller that gave none: its id in capitals, shortened with a digest if it is long."""
    plain = "".join(char for char in name.upper() if char.isascii() and char.isalnum())
    if plain and len(plain) <= LONGEST_PREFIX:
        return plain
    return plain[:4] + hashlib.sha256(name.encode()).hexdigest()[:4].upper()


def _seller(row: RowReader) -> Seller:
    zone = row.zone("zone") if row.maybe("zone") else "UTC"
    prefix = row.maybe("prefix") or derived_prefix(row.text("seller"))
    if len(prefix) > LONGEST_PREFIX or not prefix.isascii() or not prefix.isalnum():
        raise row.wrong("prefix", f"{prefix!r} cannot begin a number", f"1 to {LONGEST_PREFIX} letters and digits")
    return Seller(
        seller=row.text("seller"),
        name=row.maybe("name") or row.text("seller"),
        address=row.maybe("address") or "",
        country=row.maybe("country") or "",
        vat_id=row.maybe("vat_id") or "",
        zone=zone,
        prefix=prefix,
        language=row.maybe("language") or "en",
        due_days=_DEFAULT_DUE_DAYS if row.maybe_whole("due_days") is None else row.whole("due_days"),
        accounts=_dated(row, "accounts", zone),
        terms=_dated(row, "terms", zone),
    )


def _driver_terms(row: RowReader) -> DriverTerms:
    return DriverTerms(
        customer=row.text("customer"),
        pays=row.one_of("pays", {name: name for name in PAYS}, ""),
        method=row.maybe("method", "payment_method"),
        name=row.maybe("name") or row.text("customer"),
        address=row.maybe("address") or "",
        email=row.maybe("email") or "",
        language=row.maybe("language") or "en",
    )


def _items(row: RowReader) -> tuple[Item, ...]:
    items = row.row.get("items") or []
    if not items:
        raise row.wrong("items", "is missing", "[{text, net, quantity}]")
    readers = [RowReader(f"{row.what}[{row.n}].items", n, item) for n, item in enumerate(items)]
    return tuple(
        Item(
            item.text("text"), item.whole("net"), 1 if item.maybe_whole("quantity") is None else item.whole("quantity")
        )
        for item in readers
    )


def _vat(row: RowReader, zone: str) -> tuple[Dated, ...]:
    rates = _dated(row, "vat", zone) or (Dated(row.maybe("vat_percent") or "0", Instant(0)),)
    for rate in rates:
        try:
            percent = Decimal(rate.value)
        except InvalidOperation:
            percent = Decimal(-1)
        if not 0 <= percent < 100:
            raise row.wrong("vat", f"{rate.value!r} is no percentage", "0 up to 100")
    return rates


def _dated(row: RowReader, name: str, zone: str) -> tuple[Dated, ...]:
    """A list of {value, from}, or one text that holds from the beginning of time."""
    given: Any = row.row.get(name) or []
    if isinstance(given, str):
        return (Dated(given, Instant(0)),)
    found = []
    for n, one in enumerate(given):
        reader = RowReader(f"{row.what}[{row.n}].{name}", n, one)
        day = _day(reader, "from", optional=True)
        found.append(Dated(reader.text("value"), midnight(date.fromisoformat(day), zone) if day else Instant(0)))
    return tuple(found)


def _day(row: RowReader, name: str, optional: bool = False) -> str | None:
    text = row.maybe(name) if optional else row.text(name)
    try:
        return None if text is None else date.fromisoformat(text).isoformat()
    except ValueError:
        raise row.wrong(name, f"{text!r} is no day", "an ISO day such as 2024-04-09") from None
