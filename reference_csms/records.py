"""The rows this back-end keeps, and all tables. Rows are frozen; a change is a new row with the same key.

Only shapes live here, no behaviour. Instants are ms, energies Wh, money minor units.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from reference_csms.billing.ledger import JOURNAL
from reference_csms.billing.rows import BILLING_TABLES
from reference_csms.commands import TransactionId
from reference_csms.payments.rows import PAYMENT_TABLES
from reference_csms.pricing.rating import Cdr, RatedCdr
from reference_csms.pricing.tariffs import Tariff
from reference_csms.storage.port import Table
from reference_csms.trail import TRAILS
from sim.clock import Instant

__all__ = ["ALL_TABLES", "JOURNAL"]

# transaction states and session states (`books_transactions.state`, `books_sessions.state`)
OPEN = "open"
CLOSED = "closed"
HANDED_OVER = "handed-over"
BILLED = "billed"
FREE = "free"
QUARANTINED = "quarantined"

# state of a quarantine row
HELD = "held"
RELEASED = "released"

# registration
UNKNOWN = "unknown"
PENDING = "pending"
ACCEPTED = "accepted"
REJECTED = "rejected"

# what the operator wants of the next boot
ACCEPT = "accept"
HOLD = "hold"
REJECT = "reject"
CLOSE = "closed"
FOREIGN = "foreign"


class Counter(Struct, frozen=True):
    """A number circle: how many numbers it gave out."""

    name: str
    value: int


class Owner(Struct, frozen=True, kw_only=True):
    """Who sells the charging at some sites; currency, VAT and time zone of the bills are the owner's."""

    owner: str
    name: str
    country: str
    currency: str
    zone: str
    tariff_id: str | None
    address: str


class Site(Struct, frozen=True, kw_only=True):
    """Where stations stand. `tariff_id` None: that of the owner."""

    site: str
    name: str
    owner: str
    tariff_id: str | None


class Station(Struct, frozen=True, kw_only=True):
    """What an operator and a BootNotification say about a station.

    `power_w` is the most one connector can deliver, `heartbeat_s` the interval told at boots (None: that of the house).
    `policy` is what its next boot gets: accept, hold (Pending), reject; closed and foreign identities are answered 404.
    `secret` is what is kept of its password (see `passwords`), None for a station without one.
    `security_profile` is that of OCPP, 0 to 3.
    """

    station: str
    site: str
    policy: str
    registration: str
    tariff_id: str | None
    configuration: dict[str, str]
    power_w: int | None
    heartbeat_s: int | None
    boots: int = 0
    first_seen: Instant | None = None
    boot: dict[str, Any] = {}
    secret: str | None = None
    security_profile: int = 0


class StationLife(Struct, frozen=True, kw_only=True):
    """What changes all the time, written in batches: a crash may lose some minutes of it and nothing else."""

    station: str
    last_seen: Instant
    messages: int
    statuses: dict[int, tuple[str, str, Instant]]
    registers: dict[int, int]
    configuration: dict[str, str]


class Received(Struct, frozen=True, kw_only=True):
    """One message as it came."""

    key: str
    station: str
    at: Instant
    frame: str


class Token(Struct, frozen=True, kw_only=True):
    """Somebody who may charge. `key` is the token in capitals (idTags are case-insensitive, OCPP 1.6 §3.9).

    `sites` None: everywhere. `single`: not twice at the same time (ConcurrentTx).
    """

    key: str
    token: str
    status: str
    grp: str | None
    customer: str
    mobile: str | None
    sites: tuple[str, ...] | None
    single: bool
    expires_at: Instant | None


class Meter(Struct, frozen=True, kw_only=True):
    """One entry of the key registry: which key a meter signs with, at which connector, from when to when.

    `time_billing`: none, duration or absolute, what its certificate allows its clock to be used for.
    """

    key_id: str
    meter_id: str
    station: str
    connector: int
    public_key: str
    time_billing: str
    valid_from: Instant
    valid_to: Instant | None


class Session(Struct, frozen=True, kw_only=True):
    """A transaction and the charging session it became; there is exactly one of each.

    `issuer` gave the transaction its id: a back-end, or the station itself (2.0.1). `start_key` is the business key of
    its start, `open_at` its station and `open_token` its token while it is open (they exist to be indexed). `stop_key`
    tells an equal stop from another one. `tariff` is frozen at the start.
    """

    session_id: str
    transaction_id: TransactionId
    issuer: str
    station: str
    connector: int
    site: str
    id_tag: str
    token_status: str
    customer: str | None
    grp: str | None
    meter_start: int
    started_at: Instant
    received_start_at: Instant
    tariff: Tariff | None
    start_key: str
    meter_stop: int | None = None
    stopped_at: Instant | None = None
    received_stop_at: Instant | None = None
    stop_reason: str | None = None
    stop_key: str | None = None
    stop_status: str | None = None
    transaction_state: str = OPEN
    state: str = OPEN
    reason: str | None = None
    cdr_id: str | None = None

    @property
    def transaction_ref(self) -> str:
        """The transaction id as a text, to be indexed."""
        return str(self.transaction_id)

    @property
    def open_at(self) -> str | None:
        """The station, while the transaction is open."""
        return self.station if self.transaction_state == OPEN else None

    @property
    def open_token(self) -> str | None:
        """The token in capitals, while the transaction is open."""
        return self.id_tag.upper() if self.transaction_state == OPEN else None

    @property
    def energy_wh(self) -> int | None:
        """What the raw registers say was delivered, None while unknown."""
        return None if self.meter_stop is None else self.meter_stop - self.meter_start


class ForeignStop(Struct, frozen=True, kw_only=True):
    """A stop that another back-end has booked already, known here only to be recognised when it is sent again.

    It stands for no energy, appears in no book and is never billed. `stop_key` is the business key of that stop,
    `stop_status` and `grp` what was answered to it, `closed_at` when the other back-end received it. `start_key` and
    `start_status` are those of the start, so that this is recognised too. `held`: the other back-end closed nothing
    with this stop and keeps it in its quarantine; then only an equal stop is the same.
    """

    key: str
    transaction_id: TransactionId
    issuer: str
    station: str
    grp: str | None
    closed_at: Instant
    stop_key: str
    stop_status: str | None
    start_key: str | None = None
    start_status: str | None = None
    held: bool = False


class Given(Struct, frozen=True, kw_only=True):
    """What a station has of this back-end: see `reference_csms.installed`."""

    station: str
    profiles: tuple[dict[str, Any], ...] = ()
    reservations: tuple[dict[str, Any], ...] = ()
    inoperative: tuple[int, ...] = ()
    list_version: int = 0
    list_entries: tuple[dict[str, Any], ...] = ()


class SignedRecord(Struct, frozen=True, kw_only=True):
    """A signed record as it was received; `text` is exact. `key` is its digest and where it arrived."""

    key: str
    digest: str
    session_id: str | None
    station: str
    meter_id: str | None
    key_id: str | None
    verdict: str
    reason: str | None
    text: str
    received_at: Instant


class Rated(Struct, frozen=True, kw_only=True):
    """One rating of a CDR; exactly one version of them is effective."""

    rated_id: str
    version: int
    effective: bool
    rated: RatedCdr

    @property
    def cdr_id(self) -> str:
        """The CDR rated."""
        return self.rated.cdr_id


class Due(Struct, frozen=True, kw_only=True):
    """The outbox of sessions: a rated CDR that waits for its bill."""

    number: int
    session_id: str
    rated_id: str
    due_at: Instant
    state: str = PENDING

    @property
    def waits(self) -> bool:
        """Whether its bill is still to be written."""
        return self.state == PENDING


class Bill(Struct, frozen=True, kw_only=True):
    """A bill. `data` is its canonical JSON, `data_hash` the sha256 of that, which also stands in the journal."""

    number: str
    session_id: str
    cdr_id: str
    rated_id: str
    seller: str
    customer: str
    currency: str
    gross: int
    net: int
    vat: int
    issued_at: Instant
    data: str
    data_hash: str
    journal_seq: int


class Quarantined(Struct, frozen=True, kw_only=True):
    """Something that was accepted on the wire and must not be billed, with its reason and evidence.

    `fingerprint` makes repeated deliveries of the same thing one row. `energy_wh` is None where the row stands for no
    energy of its own (a second or stray stop). `stop_key`, `stop_status` and `grp`: the stop and what was answered to
    it. A released row names who released it, why and when (INV-40).
    """

    quarantine_id: str
    fingerprint: str
    session_id: str | None
    station: str
    transaction_id: TransactionId
    reason: str
    detail: str
    energy_wh: int | None
    evidence: str
    actor: str
    at: Instant
    stop_key: str = ""
    stop_status: str | None = None
    grp: str | None = None
    values: tuple[str, ...] = ()
    state: str = HELD
    released_by: str | None = None
    released_because: str | None = None
    released_at: Instant | None = None


class Correction(Struct, frozen=True, kw_only=True):
    """What was put right afterwards: the CDR corrected, its credit, the CDR in its place; who did it and why (INV-40)."""

    correction_id: str
    session_id: str
    bill: str
    cdr_id: str
    credit_id: str
    corrected_id: str
    actor: str
    reason: str
    at: Instant


COUNTERS = Table("counters", Counter, "name")
OWNERS = Table("owners", Owner, "owner")
SITES = Table("sites", Site, "site")
STATIONS = Table("stations", Station, "station", ("site",))
STATION_LIVES = Table("station_lives", StationLife, "station")
RECEIVED = Table("received", Received, "key", ("station",), append_only=True)
TOKENS = Table("tokens", Token, "key", ("mobile",))
METERS = Table("meters", Meter, "key_id", ("meter_id", "station"))
TARIFFS = Table("tariffs", Tariff, "key", ("tariff_id",))
SESSIONS = Table(
    "sessions", Session, "session_id", ("transaction_ref", "start_key", "open_at", "open_token", "station")
)
FOREIGN_STOPS = Table("foreign_stops", ForeignStop, "key", ("station", "start_key"))
GIVEN = Table("given", Given, "station")
RECORDS = Table("records", SignedRecord, "key", ("digest", "session_id"))
CDRS = Table("cdrs", Cdr, "cdr_id", ("session_id",), append_only=True)
RATED = Table("rated", Rated, "rated_id", ("cdr_id",))
DUES = Table("dues", Due, "number", ("state",))
BILLS = Table("bills", Bill, "number", ("session_id",), append_only=True)
QUARANTINE = Table("quarantine", Quarantined, "quarantine_id", ("fingerprint", "station", "session_id"))
CORRECTIONS = Table("corrections", Correction, "correction_id", ("session_id",), append_only=True)

ALL_TABLES = (
    COUNTERS,
    OWNERS,
    SITES,
    STATIONS,
    STATION_LIVES,
    RECEIVED,
    TOKENS,
    METERS,
    TARIFFS,
    SESSIONS,
    FOREIGN_STOPS,
    TRAILS,
    GIVEN,
    RECORDS,
    CDRS,
    RATED,
    DUES,
    BILLS,
    QUARANTINE,
    CORRECTIONS,
    JOURNAL,
    *BILLING_TABLES,
    *PAYMENT_TABLES,
)
