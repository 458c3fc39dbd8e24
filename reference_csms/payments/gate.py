"""The gate of connected accounts, and the catch-up behind it.

Only a reading of the account itself changes what we believe of it: an event merely asks for one, so events may come
twice, late and in any order (P04). Where an account cannot charge, charging goes on and claims collect; once it can,
each is taken exactly once, oldest first, and no more on one day than agreed (INV-24, M10).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from reference_csms.numbers import Numbers
from reference_csms.options import MoneyOptions
from reference_csms.parts import Parts
from reference_csms.payments import rows
from reference_csms.payments.desk import Desk
from reference_csms.payments.pace import PAUSE
from reference_csms.payments.rows import ACCOUNT_NOTES, ACCOUNTS, CLAIMS, STRIPE, Account, AccountNote
from reference_csms.provision import RowReader
from reference_csms.stage import Stage
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import DAY, SECOND, Instant
from sim.machine import Answered, Outcome, Tell
from sim.partners.port import Request, Response


class Gate:
    """What this back-end believes of the owners' accounts."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        numbers: Numbers,
        desk: Desk,
        stage: Stage,
        options: MoneyOptions,
        backend: str,
    ) -> None:
        self._store = store
        self._parts = parts
        self._numbers = numbers
        self._desk = desk
        self._stage = stage
        self._options = options
        self._backend = backend
        self._reads = 0
        self._not_before = Instant(0)
        self._queues: dict[str, deque[str]] = {}
        self._resting: dict[str, Instant] = {}
        self._reading: dict[str, Instant] = {}
        for account in store.rows(ACCOUNTS):
            self._find_waiting(account)

    def take(self, given: Sequence[Row], now: Instant) -> int:
        """Rows account, owner; what the partner thinks of them is read, never told."""
        readers = [RowReader("accounts", n, row) for n, row in enumerate(given)]
        fresh = [(row.text("account"), row.text("owner")) for row in readers]
        for account_id, owner in fresh:
            if self._store.get(ACCOUNTS, account_id) is None:
                account = Account(
                    account=account_id,
                    owner=owner,
                    charges_enabled=False,
                    payouts_enabled=False,
                    disabled_reason=None,
                    read_at=None,
                    next_read_at=now,
                )
                put(self._store, ACCOUNTS, account)
                self._note(account, now, "import")
        return len(fresh)

    def read_soon(self, account_id: str, at: Instant) -> bool:
        """Something may have changed there: read it by then. False for an account that is not known here."""
        account = self._store.get(ACCOUNTS, account_id)
        if account is None:
            return False
        self._reading.pop(account_id, None)
        self._store.update(ACCOUNTS, replace(account, next_read_at=min(account.next_read_at, at)))
        return True

    def next_due(self) -> Instant | None:
        """When `step` is wanted; it may lie in the past after a restart."""
        wishes = [self._next_read(account) for account in self._store.rows(ACCOUNTS)]
        wishes += [self._resting.get(name, Instant(0)) for name, queue in self._queues.items() if queue]
        return max(min(wishes), self._not_before) if wishes else None

    def step(self, now: Instant) -> None:
        """One reading, or one claim of the catch-up, as part of the running unit of work."""
        due = self.next_due()
        if due is None or due > now:
            return
        self._not_before = Instant(now + PAUSE)
        for account in self._store.rows(ACCOUNTS):
            if self._next_read(account) <= now:
                self._ask(account, now)
                return
        for name in sorted(self._queues):
            if self._queues[name] and self._resting.get(name, 0) <= now:
                self._catch_up(name, now)
                return

    def heard(self, account_id: str, outcome: Outcome, now: Instant) -> None:
        """What a reading brought. Without an answer it is tried again soon."""
        account = self._store.get(ACCOUNTS, account_id)
        self._reading.pop(account_id, None)
        if account is None:
            return
        if not isinstance(outcome, Answered) or not outcome.payload.ok:
            soon = Instant(now + self._options.retry_s * SECOND)
            self._store.update(ACCOUNTS, replace(account, next_read_at=soon))
            return
        response: Response = outcome.payload
        body = response.body
        requirements = body.get("requirements") or {}
        believed = replace(
            account,
            charges_enabled=bool(body.get("charges_enabled")),
            payouts_enabled=bool(body.get("payouts_enabled")),
            disabled_reason=requirements.get("disabled_reason"),
            read_at=now,
            next_read_at=max(account.next_read_at, Instant(now + self._options.account_poll_s * SECOND)),
        )
        self._store.update(ACCOUNTS, believed)
        if account.read_at is None or _belief(account) != _belief(believed):
            self._note(believed, now, "accounts.retrieve")
        self._find_waiting(believed)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _next_read(self, account: Account) -> Instant:
        return self._reading.get(account.account, account.next_read_at)

    def _ask(self, account: Account, now: Instant) -> None:
        self._reads += 1
        again = Instant(now + self._options.payment_timeout_s * SECOND)
        self._reading[account.account] = again
        self._store.update(ACCOUNTS, replace(account, next_read_at=again))
        call_id = f"{self._backend}:{self._store.epoch}:account:{account.account}:read:{self._reads}"
        request = Request(api="accounts.retrieve", params={"id": account.account})
        self._stage.add(Tell(self._options.partners[STRIPE], request.command(), call_id))

    def _find_waiting(self, account: Account) -> None:
        """Queue the waiting claims of an account that can charge now."""
        if not self._parts.may_charge(account) or self._queues.get(account.account):
            return
        waiting = self._store.find(CLAIMS, "waiting_for", account.account)
        if account.owner != account.account:
            waiting = waiting + self._store.find(CLAIMS, "waiting_for", account.owner)
        order = self._parts.catch_up_order(waiting)
        self._queues[account.account] = deque(claim.claim_id for claim in order)

    def _catch_up(self, name: str, now: Instant) -> None:
        account = self._store.get(ACCOUNTS, name)
        claim = self._store.get(CLAIMS, self._queues[name][0])
        assert account is not None and claim is not None
        if not self._parts.may_charge(account):
            self._queues[name].clear()
            return
        today = now // DAY
        taken = account.taken if account.taken_day == today else 0
        amount = self._parts.outstanding(claim)
        if not self._parts.catch_up_room(taken, amount, self._options.catch_up_per_day.get(claim.currency)):
            self._resting[name] = Instant((today + 1) * DAY)
            return
        self._queues[name].popleft()
        if not self._parts.may_collect(claim):
            return
        self._store.update(ACCOUNTS, replace(account, taken_day=today, taken=taken + amount))
        due = replace(claim, state=rows.DUE, account=account.account)
        self._store.update(CLAIMS, due)
        self._desk.plan(due, now)
        if not self._queues[name]:
            self._find_waiting(account)

    def _note(self, account: Account, now: Instant, source: str) -> None:
        note = AccountNote(
            note=self._numbers.next("account-note"),
            account=account.account,
            owner=account.owner,
            charges_enabled=account.charges_enabled,
            payouts_enabled=account.payouts_enabled,
            disabled_reason=account.disabled_reason,
            at=now,
            source=source,
        )
        self._store.insert(ACCOUNT_NOTES, note)


def _belief(account: Account) -> tuple[bool, bool, str | None]:
    return account.charges_enabled, account.payouts_enabled, account.disabled_reason
