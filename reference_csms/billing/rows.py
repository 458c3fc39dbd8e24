"""The rows of contracts, invoices and billing runs. Only shapes, as in `reference_csms.records`.

Money is in integer minor units, instants are ms, days are ISO texts of the seller's zone with exclusive ends.
"""

from __future__ import annotations

from msgspec import Struct

from reference_csms.storage.port import Table
from sim.clock import Instant

# how a driver pays
CONTRACT = "contract"
CARD = "card"
ADHOC = "adhoc"
PAYS = (CONTRACT, CARD, ADHOC)

# kinds of invoices
DRIVERS = "drivers"
SUBSCRIPTION = "subscription"
CANCELLATION = "cancellation"
CREDIT = "credit"

OPEN = "open"
INVOICED = "invoiced"
DIRECT = "direct"
ISSUED = "issued"
CANCELLED = "cancelled"
DONE = "done"


class Dated(Struct, frozen=True):
    """A value (bank account, terms version, VAT percent) in force from an instant on."""

    value: str
    since: Instant


class Seller(Struct, frozen=True, kw_only=True):
    """Who sells: an owner (charging) or the operator's company (subscriptions). `prefix` begins its numbers."""

    seller: str
    name: str
    address: str
    country: str
    vat_id: str
    zone: str
    prefix: str
    language: str
    due_days: int
    accounts: tuple[Dated, ...]
    terms: tuple[Dated, ...]


class Item(Struct, frozen=True):
    """What a contract sells: `net` minor units a month for each of `quantity`."""

    text: str
    net: int
    quantity: int


class Contract(Struct, frozen=True, kw_only=True):
    """A subscription of a site owner. `billed_until`: the first day that no invoice covers yet; `end` is exclusive."""

    contract_id: str
    seller: str
    customer: str
    currency: str
    period: str
    items: tuple[Item, ...]
    vat: tuple[Dated, ...]
    terms: tuple[Dated, ...]
    start: str
    end: str | None
    billed_until: str
    name: str
    address: str
    email: str
    language: str


class DriverTerms(Struct, frozen=True, kw_only=True):
    """How a driver pays, and what a document addressed to this driver needs."""

    customer: str
    pays: str
    method: str | None
    name: str
    address: str
    email: str
    language: str


class Billable(Struct, frozen=True, kw_only=True):
    """What has become of a bill: it waits for its invoice, stands on one, or is paid directly."""

    number: str
    owner: str
    customer: str
    supplied_at: Instant
    state: str
    invoice: str | None = None

    @property
    def open_of(self) -> str | None:
        """The owner, while this waits for an invoice."""
        return self.owner if self.state == OPEN else None

    @property
    def owner_customer(self) -> str:
        """Owner and customer, to be indexed."""
        return f"{self.owner} {self.customer}"


class Invoice(Struct, frozen=True, kw_only=True):
    """A document of money: invoice, credit note or cancellation. It never changes but for `state` and `cancelled_by`.

    `basis` says whether lines are gross or net; `account` is the IBAN to pay to; `data` its canonical JSON.
    """

    invoice_id: str
    number: str
    circle: str
    kind: str
    seller: str
    customer: str
    contract_id: str | None
    period_start: str | None
    period_until: str | None
    currency: str
    basis: str
    rounding: str
    net: int
    vat: int
    gross: int
    rounding_difference: int
    issued_at: Instant
    due_at: Instant | None
    account: str | None
    reference: str
    terms: str | None
    language: str
    cancels: str | None
    run_id: str | None
    claim_id: str | None
    data: str
    data_hash: str
    journal_seq: int
    state: str = ISSUED
    cancelled_by: str | None = None


class InvoiceLine(Struct, frozen=True, kw_only=True):
    """One line. `amount` is gross or net as the invoice says; a driver's line names the bill it collects."""

    line_id: str
    invoice_id: str
    number: str
    position: int
    kind: str
    text: str
    bill: str | None
    session_id: str | None
    start: str
    until: str
    quantity: str
    unit: str
    vat_percent: str
    amount: int


class Prepaid(Struct, frozen=True, kw_only=True):
    """Days that were paid for in advance under a contract that ended before them, to be credited by the next seller."""

    prepaid_id: str
    contract_id: str
    seller: str
    customer: str
    currency: str
    net: int
    start: str
    until: str
    invoice: str
    state: str
    credited_on: str | None = None

    @property
    def open_of(self) -> str | None:
        """The customer, while nothing of it is credited here."""
        return self.customer if self.state == OPEN else None


class Run(Struct, frozen=True, kw_only=True):
    """A billing run: what it is to invoice was written down when it began, and `done` of it is committed."""

    run_id: str
    kind: str
    scope: str
    until: str
    todo: tuple[str, ...]
    done: int
    state: str
    started_at: Instant
    ended_at: Instant | None = None


class Agenda(Struct, frozen=True, kw_only=True):
    """A run that is to begin at an instant."""

    run_id: str
    kind: str
    scope: str
    until: str
    at: Instant
    state: str = OPEN


SELLERS = Table("sellers", Seller, "seller")
CONTRACTS = Table("contracts", Contract, "contract_id", ("seller", "customer"))
DRIVER_TERMS = Table("driver_terms", DriverTerms, "customer")
BILLABLES = Table("billables", Billable, "number", ("open_of", "owner_customer", "invoice"))
INVOICES = Table("invoices", Invoice, "invoice_id", ("number",))
INVOICE_LINES = Table("invoice_lines", InvoiceLine, "line_id", ("invoice_id", "bill"), append_only=True)
PREPAID = Table("prepaid", Prepaid, "prepaid_id", ("open_of", "contract_id"))
RUNS = Table("runs", Run, "run_id", ("state",))
AGENDA = Table("agenda", Agenda, "run_id", ("state",))

BILLING_TABLES = (
    SELLERS,
    CONTRACTS,
    DRIVER_TERMS,
    BILLABLES,
    INVOICES,
    INVOICE_LINES,
    PREPAID,
    RUNS,
    AGENDA,
)
