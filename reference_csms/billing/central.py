"""Central billing: shards make rated CDRs, one office bills them all at a barrier.

A back-end with the option `billing = "central"` is a shard: it leaves its outbox full and hands over what waits there.
The office owns what is common to all shards, the number circles and the one journal with its hash chain, and bills by
the very billing run of a back-end. It may never depend on which shard was ready first, only on (time, shard, number);
what it took once it never takes again, so a shard may hand over twice and the office may die in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from reference_csms import records
from reference_csms.authorization import Access
from reference_csms.billing.ledger import JOURNAL, JournalEntry, Ledger
from reference_csms.billing.run import PAUSE, BillingRun, Outbox
from reference_csms.books import Bookkeeper
from reference_csms.catalogue import Catalogue
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.pricing.rating import Cdr
from reference_csms.provision import Provisioner
from reference_csms.records import (
    BILLS,
    CDRS,
    DUES,
    METERS,
    RATED,
    RECORDS,
    SESSIONS,
    Bill,
    Due,
    Meter,
    Rated,
    Session,
    SignedRecord,
)
from reference_csms.stations import Stations
from reference_csms.storage.open import open_store
from reference_csms.storage.port import Store, put
from sim.backend import Books, Setup
from sim.clock import Instant
from sim.errors import BadInput

OWN, CENTRAL = "own", "central"


class Parcel(Struct, frozen=True, kw_only=True):
    """A rated session that waits for its bill, with every row that the bill is made of."""

    shard: str
    due: Due
    session: Session
    cdr: Cdr
    rated: Rated
    signed: tuple[SignedRecord, ...]
    meters: tuple[Meter, ...]

    @property
    def place(self) -> tuple[Instant, str, int]:
        """Where it stands among the parcels of all shards: (time, shard, number in the shard's outbox)."""
        return self.due.due_at, self.shard, self.due.number


def bills_elsewhere(options: Mapping[str, Any]) -> bool:
    """Whether the option `billing` of a Setup makes a shard of this back-end. Raises BadInput for another word."""
    wish = options.get("billing", OWN)
    if wish not in (OWN, CENTRAL):
        raise BadInput("options", "billing", f"{wish!r} is unknown", (OWN, CENTRAL))
    if wish == CENTRAL and options.get("money") is not None:
        raise BadInput("options", "billing", "a shard has no bills that money could be taken for", OWN)
    return bool(wish == CENTRAL)


def parcels(store: Store, shard: str) -> list[Parcel]:
    """What waits in the outbox of a shard, in its order."""
    return [_parcel(store, shard, due) for due in store.rows(DUES) if due.waits]


def _parcel(store: Store, shard: str, due: Due) -> Parcel:
    session, rated = store.get(SESSIONS, due.session_id), store.get(RATED, due.rated_id)
    assert session is not None and rated is not None
    cdr = store.get(CDRS, rated.cdr_id)
    assert cdr is not None
    signed = store.find(RECORDS, "session_id", session.session_id)
    keys = sorted({row.key_id for row in signed if row.key_id})
    meters = tuple(meter for meter in (store.get(METERS, key) for key in keys) if meter is not None)
    return Parcel(shard=shard, due=due, session=session, cdr=cdr, rated=rated, signed=tuple(signed), meters=meters)


class CentralBilling:
    """The office. `setup` names it, holds its disk and tells owners, sites and tariffs; `parts` as of a back-end."""

    def __init__(self, setup: Setup, parts: Parts | None = None) -> None:
        parts = parts or Parts()
        self._store = store = open_store(setup, records.ALL_TABLES)
        if store.epoch == 1:
            Provisioner(store, setup.name, parts.tariffs, parts.tokens).load(setup.provision)
            store.commit()
        numbers = Numbers(store)
        catalogue = Catalogue(store, parts.change_times, parts.tariff_version)
        ledger = Ledger(store, parts.check_posting, parts.chain_hash)
        self._outbox = Outbox(store, numbers)
        self._run = BillingRun(store, self._outbox, ledger, numbers, catalogue, parts.post, setup.name)
        self._books = Bookkeeper(store, Stations(store), Access(store, parts.authorize))

    def take(self, delivered: Iterable[Parcel], now: Instant) -> int:
        """Put what the shards hand over in line, all of it or nothing; returns how much of it was new."""
        store, new = self._store, 0
        for parcel in sorted(delivered, key=lambda one: one.place):
            if store.get(SESSIONS, parcel.session.session_id) is not None:
                continue
            store.insert(SESSIONS, parcel.session)
            store.insert(CDRS, parcel.cdr)
            store.insert(RATED, parcel.rated)
            for record in parcel.signed:
                store.insert(RECORDS, record)
            for meter in parcel.meters:
                put(store, METERS, meter)
            self._outbox.add(parcel.session.session_id, parcel.rated.rated_id, now)
            new += 1
        store.commit()
        return new

    def bill(self, now: Instant) -> Instant:
        """Bill all that waits, each in a unit of work of its own, and return the instant of the last one."""
        self._outbox.seen_time(Instant(now - PAUSE))
        while (due_at := self._run.next_due()) is not None:
            now = max(now, due_at)
            self._run.step(now)
            self._store.commit()
        return now

    def bills(self) -> list[Bill]:
        """All bills in the order of their numbers."""
        return self._store.rows(BILLS)

    def journal(self) -> list[JournalEntry]:
        """The journal in the order of its numbers."""
        return self._store.rows(JOURNAL)

    def books(self, now: Instant) -> Books:
        """All books as plain rows."""
        return self._books.books(now)
