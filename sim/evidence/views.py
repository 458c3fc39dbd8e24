"""Typed rows of the evidence tables, as the checks read them. Columns that no check needs are left out.

Each class names its table; its fields are columns of that table. Instants are ms since 1970 UTC, energies Wh, money is
in minor units, JSON and decimals are text.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class View(Struct, frozen=True, gc=False):
    """A row of one table."""

    table: ClassVar[str] = ""


class Visit(View, frozen=True):
    """One visit of an EV."""

    table: ClassVar[str] = "truth_visits"
    visit_id: str
    station: str
    connector: int | None
    driver: str | None
    token: str | None
    outcome: str | None
    attempts: int | None
    refusals: int | None
    interrupted: int | None
    lost_ms: int | None
    note: str | None


class TrueSession(View, frozen=True):
    """One session as the rig lived it."""

    table: ClassVar[str] = "truth_sessions"
    session_id: str
    visit_id: str | None
    site: str
    station: str
    connector: int
    meter_id: str
    token: str
    started_at: int
    stopped_at: int | None
    register_start: int
    register_stop: int | None
    reason: str | None
    points: str
    harm: str | None


class Meter(View, frozen=True):
    """One physical meter, its printed key, and what it counted in the window."""

    table: ClassVar[str] = "truth_meters"
    meter_id: str
    station: str
    connector: int
    public_key: str | None
    register_start: int
    register_stop: int


class WorldEvent(View, frozen=True):
    """Something physical or deliberate that happened at a station; `data` is JSON."""

    table: ClassVar[str] = "truth_events"
    at: int
    station: str
    connector: int | None
    kind: str
    data: str | None


class TrueFault(View, frozen=True):
    """A fault as it really happened; `data` is JSON."""

    table: ClassVar[str] = "truth_faults"
    fault_id: str
    kind: str
    target: str
    at: int | None
    until: int | None
    data: str | None


class MoveState(View, frozen=True):
    """One transition of the migration tool."""

    table: ClassVar[str] = "truth_migration"
    at: int
    station: str
    site: str | None
    state: str
    detail: str | None


class Happening(View, frozen=True):
    """Anything else that happened."""

    table: ClassVar[str] = "truth_events"
    at: int
    station: str | None
    kind: str
    data: str | None


class WireCall(View, frozen=True):
    """One CALL and what became of it."""

    table: ClassVar[str] = "wire_calls"
    call_no: int
    station: str
    backend: str
    link: int
    way: str
    message_id: str
    action: str
    payload: str | None
    well_formed: int | None
    sent_at: int
    delivered_at: int | None
    answer_kind: str | None
    answer: str | None
    answered_at: int | None
    answer_delivered_at: int | None


class WireLink(View, frozen=True):
    """One connection."""

    table: ClassVar[str] = "wire_links"
    link: int
    station: str
    backend: str
    opened_at: int | None
    closed_at: int | None
    closed_by: str | None
    reason: str | None
    last_frame_at: int | None
    version: str | None


class WireCount(View, frozen=True):
    """How often an action was called."""

    table: ClassVar[str] = "wire_counts"
    station: str
    backend: str
    way: str
    action: str
    calls: int
    results: int


class Oddity(View, frozen=True):
    """An odd frame of a back-end."""

    table: ClassVar[str] = "wire_oddities"
    at: int
    station: str
    backend: str
    link: int
    action: str | None
    problem: str | None
    frame: str | None


class BookTransaction(View, frozen=True):
    """One transactionId in the books of a back-end."""

    table: ClassVar[str] = "books_transactions"
    backend: str
    transaction_id: int | str
    issuer: str | None
    station: str
    connector: int | None
    id_tag: str | None
    meter_start: int | None
    meter_stop: int | None
    started_at: int | None
    stopped_at: int | None
    received_start_at: int | None
    received_stop_at: int | None
    state: str
    session_id: str | None


class BookEvents(View, frozen=True):
    """The numbered events of one transaction in the books of a back-end."""

    table: ClassVar[str] = "books_events"
    backend: str
    transaction_id: str
    station: str
    session_id: str | None
    events: int
    repeats: int | None
    missing: str


class BookStation(View, frozen=True):
    """One station in the books of a back-end; `data` is JSON with its live state."""

    table: ClassVar[str] = "books_stations"
    backend: str
    station: str
    data: str | None


class BookSession(View, frozen=True):
    """One session in the books of a back-end."""

    table: ClassVar[str] = "books_sessions"
    backend: str
    session_id: str
    station: str
    connector: int | None
    site: str | None
    transaction_id: int | str | None
    id_tag: str | None
    customer: str | None
    grp: str | None
    started_at: int | None
    stopped_at: int | None
    energy_wh: int | None
    state: str
    reason: str | None
    cdr_id: str | None
    tariff_id: str | None
    tariff_version: str | int | None


class BookCdr(View, frozen=True):
    """One charge detail record."""

    table: ClassVar[str] = "books_cdrs"
    backend: str
    cdr_id: str
    session_id: str | None
    station: str
    connector: int | None
    id_tag: str | None
    grp: str | None
    tariff_id: str | None
    tariff_version: str | int | None
    currency: str | None
    started_at: int | None
    stopped_at: int | None
    kwh: str | None
    idle_seconds: int | None
    periods: str | None
    corrects: str | None
    credit: int | None


class BookRated(View, frozen=True):
    """One rating of a charge detail record."""

    table: ClassVar[str] = "books_rated"
    backend: str
    rated_id: str
    cdr_id: str
    version: int | None
    effective: int | None
    currency: str | None
    gross: int | None
    net: int | None
    vat: int | None
    vat_percent: str | None
    lines: str | None


class BookBill(View, frozen=True):
    """One bill."""

    table: ClassVar[str] = "books_bills"
    backend: str
    number: str
    session_id: str
    cdr_id: str | None
    rated_id: str | None
    seller: str | None
    customer: str | None
    currency: str | None
    gross: int
    net: int | None
    vat: int | None
    issued_at: int | None
    journal_seq: int | None


class BillContent(View, frozen=True):
    """What one bill says, as canonical JSON, and the hash that was booked of it."""

    table: ClassVar[str] = "books_bills"
    backend: str
    number: str
    data: str | None
    data_hash: str | None


class BookEntry(View, frozen=True):
    """One entry of the journal."""

    table: ClassVar[str] = "books_journal"
    backend: str
    seq: int
    at: int | None
    kind: str
    ref: str | None
    postings: str
    prev_hash: str | None
    hash: str | None


class Held(View, frozen=True):
    """One case of the quarantine."""

    table: ClassVar[str] = "books_quarantine"
    backend: str
    quarantine_id: str
    session_id: str | None
    station: str | None
    transaction_id: int | str | None
    reason: str | None
    detail: str | None
    energy_wh: int | None
    at: int | None
    state: str | None


class Access(View, frozen=True):
    """What a back-end would answer for a token at a site."""

    table: ClassVar[str] = "books_access"
    backend: str
    token: str
    site: str
    grp: str | None
    decision: str


class GridPrice(View, frozen=True):
    """One price of the grid."""

    table: ClassVar[str] = "quotes_grid"
    backend: str
    site: str
    grp: str | None
    at: int | str
    component: str
    price: str | None
    currency: str | None
    vat_percent: str | None


class Rerated(View, frozen=True):
    """A charge detail record of one back-end, rated again by another."""

    table: ClassVar[str] = "quotes_rerated"
    backend: str
    of_backend: str
    cdr_id: str
    currency: str | None
    gross: int | None
    net: int | None
    vat: int | None
