"""What an audit looks at: charge detail records, sessions, invoices and signed values, wherever they came from.

Plain structs. `place` is where each stands, for a reader who wants to look it up.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from reference_csms.pricing.model import Charge, Tariff
from sim.clock import Instant
from sim.metering.registry import Registry


class Bill(Struct, frozen=True, kw_only=True):
    """A charge detail record of the export and what it says it costs, major units, None where it says nothing.

    `parts` are the amounts that should add up to the total (net, gross), `tariffs` those that stand inside the record.
    `signed` are its signed values with their contexts. `guessed`: the periods are no more than begin and end.
    """

    place: str
    cdr_id: str
    session_id: str
    station: str
    connector: int
    token: str
    charge: Charge
    kwh: Decimal
    periods_kwh: Decimal | None
    net: Decimal | None
    gross: Decimal | None
    parts: tuple[tuple[str, Decimal | None, Decimal | None], ...] = ()
    tariff_id: str = ""
    tariffs: tuple[Tariff, ...] = ()
    signed: tuple[tuple[str, str], ...] = ()
    sent_key: str = ""
    credit: bool = False
    guessed: bool = False
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """How a reader finds it."""
        return self.cdr_id or self.session_id or self.place


class Session(Struct, frozen=True):
    """A session that the export of the platform knows, whether it became a record or not."""

    place: str
    session_id: str
    station: str
    connector: int
    start: Instant
    end: Instant | None
    kwh: Decimal | None


class Invoice(Struct, frozen=True):
    """An invoice, amounts in major units."""

    place: str
    number: str
    net: Decimal | None
    vat: Decimal | None
    gross: Decimal | None


class InvoiceLine(Struct, frozen=True):
    """A line of an invoice, and the record or session that it bills, if it names one."""

    place: str
    number: str
    cdr_id: str
    session_id: str
    net: Decimal | None
    gross: Decimal | None


class Exports(Struct, frozen=True, kw_only=True):
    """Everything an audit got. None: there is no such export, so nothing is said of it."""

    name: str
    bills: tuple[Bill, ...]
    tariffs: dict[str, tuple[Tariff, ...]]
    sessions: tuple[Session, ...] | None = None
    invoices: tuple[Invoice, ...] | None = None
    lines: tuple[InvoiceLine, ...] | None = None
    registry: Registry | None = None
    policy: str = ""
    files: tuple[str, ...] = ()
