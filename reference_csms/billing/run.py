"""The billing run: drains the outbox of rated sessions, one bill per unit of work, with time passing in between.

A run that dies goes on where the last commit left it: a bill, its journal entry, its number and the end of its outbox
row are one unit. Numbers are gap-free per seller and back-end, since a number belongs to the same unit as its bill.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from reference_csms import records
from reference_csms.billing import data
from reference_csms.billing.ledger import BILL, Ledger, PostBill
from reference_csms.catalogue import Catalogue
from reference_csms.numbers import Numbers
from reference_csms.records import BILLS, CDRS, DUES, METERS, RATED, RECORDS, SESSIONS, Bill, Due, Session
from reference_csms.storage.port import Store
from sim.clock import SECOND, Instant

DELAY = 5 * SECOND
"""How long after its session a bill is due, ms."""
PAUSE = 20
"""Time between two bills of a run, ms, unless a back-end is told another: other things happen in between."""

_DONE = "done"


class Outbox:
    """Rated sessions that wait for their bill, in the order in which they were rated.

    `held`: they are billed elsewhere (`billing.central`), so nothing is ever due here. `pause` lies between two bills, ms.
    """

    def __init__(self, store: Store, numbers: Numbers, held: bool = False, pause: int = PAUSE) -> None:
        self._pause = pause
        self._store = store
        self._numbers = numbers
        self._held = held
        self._waiting = deque(store.find(DUES, "state", records.PENDING))
        self._not_before: Instant | None = None if self._waiting else Instant(0)

    def add(self, session_id: str, rated_id: str, now: Instant) -> None:
        """Put a rated session into the outbox, as part of the running unit of work."""
        due = Due(
            number=self._numbers.next("due"), session_id=session_id, rated_id=rated_id, due_at=Instant(now + DELAY)
        )
        self._store.insert(DUES, due)
        if not self._held:
            self._waiting.append(due)

    def seen_time(self, now: Instant) -> None:
        """After a restart nobody knows what time it is before the first event; what was due in between is due then."""
        if self._not_before is None:
            self._not_before = Instant(now + self._pause)

    def next_due(self) -> Instant | None:
        """When the next bill is due, None if none waits."""
        if self._held or not self._waiting or self._not_before is None:
            return None
        return max(self._waiting[0].due_at, self._not_before)

    def take(self, now: Instant) -> Due | None:
        """The next due row, now done, None if nothing is due."""
        due_at = self.next_due()
        if due_at is None or due_at > now:
            return None
        due = self._waiting.popleft()
        self._not_before = Instant(now + self._pause)
        self._store.update(DUES, replace(due, state=_DONE))
        return due


class BillingRun:
    """Turns due rated sessions into bills and journal entries."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        ledger: Ledger,
        numbers: Numbers,
        catalogue: Catalogue,
        post: PostBill,
        backend: str,
        billed: Callable[[Bill, Session, Instant], None] | None = None,
    ) -> None:
        self._store = store
        self._billed = billed
        self._outbox = outbox
        self._ledger = ledger
        self._numbers = numbers
        self._catalogue = catalogue
        self._post = post
        self._backend = backend

    def next_due(self) -> Instant | None:
        """When `step` is wanted."""
        return self._outbox.next_due()

    def step(self, now: Instant) -> None:
        """Bill at most one session, as part of the running unit of work."""
        due = self._outbox.take(now)
        if due is not None:
            self._bill(due, now)

    def _bill(self, due: Due, now: Instant) -> None:
        session = self._store.get(SESSIONS, due.session_id)
        rated_row = self._store.get(RATED, due.rated_id)
        assert session is not None and rated_row is not None
        rated = rated_row.rated
        cdr = self._store.get(CDRS, rated.cdr_id)
        owner = self._catalogue.owner_of(session.site)
        assert cdr is not None and owner is not None
        customer = session.customer or session.id_tag
        number = f"{owner.owner.upper()}-{self._backend}-{self._numbers.next('bill/' + owner.owner):06d}"
        signed = self._store.find(RECORDS, "session_id", session.session_id)
        meter = next((self._store.get(METERS, row.key_id) for row in signed if row.key_id), None)
        text = data.bill_data(
            number, now, owner, customer, self._catalogue.site_name(session.site), session, cdr, rated, signed, meter
        )
        text_hash = data.data_hash(text)
        postings = self._post(owner.owner, customer, rated)
        entry = self._ledger.append(BILL, f"{number} sha256:{text_hash}", postings, now)
        bill = Bill(
            number=number,
            session_id=session.session_id,
            cdr_id=cdr.cdr_id,
            rated_id=rated_row.rated_id,
            seller=owner.owner,
            customer=customer,
            currency=rated.currency,
            gross=rated.gross,
            net=rated.net,
            vat=rated.vat,
            issued_at=now,
            data=text,
            data_hash=text_hash,
            journal_seq=entry.seq,
        )
        self._store.insert(BILLS, bill)
        self._store.update(SESSIONS, replace(session, state=records.BILLED))
        if self._billed is not None:
            self._billed(bill, session, now)
