"""The reference back-end: the rooms put together behind the port of `sim.backend`.

Handlers only stage; `flush` commits and then lets the replies go, by the part `committer`. What survives a crash is
what the store on `setup.disk` holds. No clock, no randomness, no thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reference_csms import exports, records
from reference_csms.abandoned import Abandoned
from reference_csms.authorization import Access
from reference_csms.billing.central import Parcel, bills_elsewhere, parcels
from reference_csms.billing.ledger import Ledger
from reference_csms.billing.run import BillingRun, Outbox
from reference_csms.books import Bookkeeper
from reference_csms.calls import StationCalls, Timeouts
from reference_csms.catalogue import Catalogue
from reference_csms.configurator import Configurator
from reference_csms.corrections import Corrections
from reference_csms.endpoint import Connection
from reference_csms.guard import FirstContact, Guard
from reference_csms.handlers.house import Handlers
from reference_csms.handover import HandOver
from reference_csms.installed import Installed
from reference_csms.metering.check import RecordCheck
from reference_csms.metering.registry import KeyRegistry
from reference_csms.money import Money
from reference_csms.numbers import Numbers
from reference_csms.ocpi import DEFAULT_PARTY, Ocpi
from reference_csms.operations import Export, Operations
from reference_csms.options import money_options
from reference_csms.parts import Parts
from reference_csms.pricing.quote import Quotes
from reference_csms.provision import Provisioner
from reference_csms.quarantine import Quarantine
from reference_csms.received import Keeping
from reference_csms.sessions import Sessions
from reference_csms.settlement import Settlement
from reference_csms.shown import Shown
from reference_csms.stage import Stage
from reference_csms.stations import Stations
from reference_csms.storage.open import open_store
from reference_csms.storage.port import Store
from reference_csms.trails import Trails
from sim.backend import Books, Operation, Proof, Refusal, Release, Row, Setup
from sim.clock import Instant
from sim.machine import LinkId, Machine, Outcome
from sim.wire.dialect import V16, chosen

DEFAULT_HEARTBEAT_S = 300
DEFAULT_RETRY_S = 60
DEFAULT_TRANSACTION_BASE = 1_000_000


class ReferenceCsms:
    """A back-end that implements `sim.backend.Asking` and `sim.backend.Guarded`.

    Options of the Setup: `transaction_base` (where its circle of transaction ids begins), `heartbeat_interval` and
    `retry_interval` (seconds, told in BootNotification answers), `store` (see `storage.open`), `billing` (own, or
    central: see `billing.central`), `ocpi_party` (its party id in OCPI, three characters), `money` (see
    `options.MoneyOptions`), and for servers `keep_all` (every reading and status is kept with its answer, see
    `received`), `first_contact` (the site at which unannounced stations are taken in) and `security` (the lowest
    security profile).
    """

    def __init__(self, setup: Setup, parts: Parts) -> None:
        options = setup.options
        self.name = setup.name
        self._seed = setup.seed
        self._parts = parts
        self._store = store = open_store(setup, records.ALL_TABLES)
        self._stage = Stage()
        self._timeouts = Timeouts()
        provisioner = Provisioner(store, setup.name, parts.tariffs, parts.tokens)
        if store.epoch == 1:
            provisioner.load(setup.provision)
            store.commit()
        numbers = Numbers(store)
        ledger = Ledger(store, parts.check_posting, parts.chain_hash)
        catalogue = Catalogue(store, parts.change_times, parts.tariff_version)
        money = self._money = self._money_part(setup, store, parts, numbers, ledger, catalogue)
        closed = money.closed if money else None
        access = Access(store, parts.authorize)
        quarantine = Quarantine(store, numbers, setup.name)
        check = RecordCheck(KeyRegistry(store), quarantine.seen_elsewhere, parts.verify_record)
        self._outbox = Outbox(store, numbers, held=bills_elsewhere(options))
        settlement = Settlement(store, parts, catalogue, check, quarantine, numbers, self._outbox, setup.name, closed)
        base = int(options.get("transaction_base", DEFAULT_TRANSACTION_BASE))
        self._stations = Stations(store)
        self._abandoned = Abandoned(store, self._stations, check, quarantine)
        started = money.started if money else None

        def begun(session: records.Session) -> None:
            self._abandoned.began(session, session.received_start_at)
            if started is not None:
                started(session)

        sessions = Sessions(
            store,
            parts,
            access,
            catalogue,
            numbers,
            check,
            quarantine,
            settlement,
            setup.name,
            base,
            begun,
        )
        billed = money.billed if money else None
        self._billing = BillingRun(store, self._outbox, ledger, numbers, catalogue, parts.post, setup.name, billed)
        installed = Installed(store)
        self._handlers = Handlers(
            self._stations,
            sessions,
            Trails(store, parts, sessions, access, catalogue, quarantine),
            access,
            installed,
            parts.current_time,
            parts.acknowledge,
            parts.status_place,
            int(options.get("heartbeat_interval", DEFAULT_HEARTBEAT_S)),
            int(options.get("retry_interval", DEFAULT_RETRY_S)),
            self._abandoned.booted,
        )
        site = options.get("first_contact")
        self._guard = Guard(store, int(options.get("security", 0)), FirstContact(str(site)) if site else None)
        self.keeping = Keeping(store, self._stage) if options.get("keep_all") else None
        """What was received, for a house that keeps all it acknowledges."""
        self._configurator = Configurator(catalogue, self._stations, parts.welcome)
        corrections = Corrections(
            store,
            parts,
            catalogue,
            check,
            quarantine,
            settlement,
            ledger,
            numbers,
            setup.name,
            money.corrected if money else None,
        )
        hand_over = HandOver(store, sessions, closed)
        self._operations = Operations(
            self._stage,
            self._stations,
            sessions,
            access,
            provisioner,
            hand_over,
            corrections,
            installed,
            numbers,
            parts,
            self._exports(store, catalogue, money),
            money,
        )
        self._quotes = Quotes(catalogue, parts.rate, parts.local_time)
        self._bookkeeper = Bookkeeper(store, self._stations, access)
        party = str(options.get("ocpi_party", DEFAULT_PARTY))
        self._shown = Shown(store, self._bookkeeper, Ocpi(store, self._stations, catalogue, party))
        self._wish = self._earliest()

    def _money_part(
        self, setup: Setup, store: Store, parts: Parts, numbers: Numbers, ledger: Ledger, catalogue: Catalogue
    ) -> Money | None:
        options = money_options(setup.options)
        if options is None:
            return None
        money = Money(store, parts, numbers, ledger, catalogue, self._stage, options, setup.name)
        if store.epoch == 1:
            money.load(setup.provision)
            store.commit()
        return money

    @staticmethod
    def _exports(store: Store, catalogue: Catalogue, money: Money | None) -> dict[str, Export]:
        shown: dict[str, Export] = {
            "users": lambda args, now: exports.users(store),
            "prices": lambda args, now: exports.prices(store, catalogue, now),
        }
        if money is not None:
            shown |= {"prepaid": lambda args, now: money.prepaid(args)}
            shown |= {"invoices": lambda args, now: exports.invoices(store, str(args["customer"]))}
        return shown

    def accept(self, link: LinkId, identity: str, subprotocols: Sequence[str], now: Instant) -> Machine | Refusal:
        """404 for an identity that is unknown or closed here, else the Machine of this link.

        It speaks the first of the offered versions that is spoken here.
        """
        state = self._stations.find(identity)
        if state is None and self._guard.meet(identity):
            self._stage.moved = True
            state = self._stations.find(identity)
        if state is None or state.row.policy in (records.CLOSE, records.FOREIGN):
            return Refusal(404, "unknown identity")
        owner = f"{self.name}/{self._store.epoch}/{identity}"
        dialect = chosen(subprotocols)
        calls = StationCalls(self._stage, self._timeouts, link, self._seed, owner, dialect or V16)
        return Connection(
            link,
            state,
            dialect,
            self._stage,
            self._stations,
            self._handlers,
            calls,
            self._parts.admit_call,
            self._configurator.ready,
            self.keeping.keep if self.keeping is not None else None,
        )

    def authenticate(self, identity: str, proof: Proof, now: Instant) -> Refusal | None:
        """Whether a station is who it says it is."""
        return self._guard.authenticate(identity, proof, now)

    def operate(self, operation: Operation, call_id: str, now: Instant) -> None:
        """Take an operation; its outcome is released as a Settle."""
        self._stage.moved = True
        self._operations.take(operation, call_id, now)

    def flush(self, now: Instant, release: Release) -> bool:
        """Commit what was staged, then release it, in the order that the part `committer` gives.

        A group of readings and heartbeats has written nothing down, and moved no deadline.
        """
        stage = self._stage
        if not stage.moved:
            stage.release_all(release)
            return True
        stage.moved = False
        self._outbox.seen_time(now)
        self._parts.committer(self._store.commit, lambda: stage.release_all(release))
        wish = self._earliest()
        self._wish = wish if wish is None else max(wish, now)
        return False

    def settled(self, call_id: str, outcome: Outcome, now: Instant) -> None:
        """What became of a request to a partner."""
        self._stage.moved = True
        if self._money is not None:
            self._money.heard(call_id, outcome, now)

    def tick(self, now: Instant) -> None:
        """Whatever is due: timeouts of calls, one bill, a batch of live state, a new day of prices."""
        self._stage.moved = True
        self._timeouts.expire(now)
        self._billing.step(now)
        if self._money is not None:
            self._money.step(now)
        self._abandoned.step(now)
        self._stations.save(now)
        self._configurator.begin_day(now)

    def next_deadline(self) -> Instant | None:
        """The earliest of what is due."""
        return self._wish

    def _earliest(self) -> Instant | None:
        earliest = self._stations.next_save()
        money = self._money.next_due() if self._money is not None else None
        for wish in (
            self._abandoned.next_due(),
            self._timeouts.next(),
            self._billing.next_due(),
            self._configurator.next_day(),
            money,
        ):
            if wish is not None and (earliest is None or wish < earliest):
                earliest = wish
        return earliest

    def unbilled(self) -> list[Parcel]:
        """What waits for a bill: all rated sessions of a shard, for the central billing."""
        return parcels(self._store, self.name)

    def books(self, now: Instant) -> Books:
        """All books as plain rows."""
        return self._bookkeeper.books(now)

    def page(
        self, what: str, after: str | None, limit: int, now: Instant, where: Mapping[str, Any] | None = None
    ) -> list[tuple[str, Row]]:
        """Rows of one list above a cursor, see `sim.showing`. Raises BadInput and KeyError."""
        return self._shown.page(what, after, limit, now, where)

    def row(self, what: str, key: str, now: Instant) -> Row | None:
        """One row of a list, None if there is none. Raises KeyError."""
        return self._shown.row(what, key, now)

    def tally(self) -> dict[str, int]:
        """How many there are of what, see `sim.showing`."""
        return self._shown.tally()

    def quote(self, request: Row, now: Instant) -> Row:
        """A price without booking anything, see `pricing.quote`."""
        return self._quotes.quote(request, now)
