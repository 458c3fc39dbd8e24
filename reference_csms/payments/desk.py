"""The payment desk drains the outbox: one request at a time per claim, each under a key that was committed before.

Silence is an outcome of its own: after a time-out an attempt is unknown, and only the same key may be sent again, or the
object be looked for (P02). Nothing new is asked for a claim while an attempt of it is pending. Requests leave through
the stage, thus after the commit; what a dead back-end had asked, its successor asks again under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

from msgspec.structs import replace

from reference_csms.billing.ledger import PAYMENT, Ledger, Posting
from reference_csms.billing.ledger import REFUND as REFUND_ENTRY
from reference_csms.numbers import Numbers
from reference_csms.options import MoneyOptions
from reference_csms.parts import Parts
from reference_csms.payments import riverty, rows, stripe
from reference_csms.payments.book import ClaimBook
from reference_csms.payments.claims import ANEW, LOOK, Step, is_debit, refund_of
from reference_csms.payments.customers import Customers
from reference_csms.payments.pace import PAUSE, back_off
from reference_csms.payments.rows import (
    ATTEMPTS,
    CAPTURE,
    CHARGE,
    CLAIMS,
    HOLD,
    REFUND,
    RIVERTY,
    STRIPE,
    Attempt,
    Claim,
)
from reference_csms.payments.stripe import Result
from reference_csms.stage import Stage
from reference_csms.storage.port import Store
from sim.clock import HOUR, SECOND, Instant
from sim.machine import Answered, Outcome, Refused, Tell
from sim.partners.port import Request, Response

_UNSETTLED = (rows.DUE, rows.HELD, rows.WAITING, rows.WAITING_CUSTOMER)


class Desk:
    """Attempts of one back-end, from the outbox to the journal."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        numbers: Numbers,
        ledger: Ledger,
        book: ClaimBook,
        customers: Customers,
        stage: Stage,
        options: MoneyOptions,
        backend: str,
    ) -> None:
        self._store = store
        self._parts = parts
        self._numbers = numbers
        self._ledger = ledger
        self._book = book
        self._customers = customers
        self.barred: Callable[[str, Instant], object] = lambda account, at: None
        self._stage = stage
        self._options = options
        self._backend = backend
        pending = [one for partner in (STRIPE, RIVERTY) for one in store.find(ATTEMPTS, "outbox", partner)]
        self._queue = [(one.due_at, one.attempt_id) for one in pending]
        heapify(self._queue)
        self._not_before = Instant(0)

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan(self, claim: Claim, now: Instant) -> None:
        """Put what a claim needs next into the outbox, unless something of it is pending or its account must wait."""
        if any(one.pending for one in self._attempts(claim)):
            return
        step = self._parts.next_step(claim, self._parts.outstanding)
        if step is None:
            self._let_go(claim, now)
            return
        if claim.state == rows.WAITING and is_debit(step.purpose):
            return  # what waits for its account is taken by the catch-up
        if not self._gate_open(claim, step.purpose):
            self._wait(claim)
            return
        if claim.route == STRIPE and step.purpose in (HOLD, CHARGE) and not self._customers.id_of(claim.customer):
            self._customers.want(claim, now)
            return
        self.add(claim, step, now)

    def add(self, claim: Claim, step: Step, now: Instant) -> str:
        """Put one step of a claim into the outbox, with its key; returns the attempt's id."""
        tried = [one for one in self._attempts(claim) if one.purpose == step.purpose and one.state != rows.WITHDRAWN]
        n = len(tried) + 1
        key = self._parts.idempotency_key(claim.claim_id, step.purpose, n)
        refund = step.purpose == REFUND
        amount, paid_id = refund_of(step.amount, self._attempts(claim)) if refund else (step.amount, None)
        step = Step(step.purpose, amount)
        partner = self._parts.credit_route(claim, self._options.route) if refund else claim.route
        account = self._book.account_of(claim) if partner == STRIPE else None
        account_id = account.account if account else None
        if partner == STRIPE:
            customer = self._customers.id_of(claim.customer)
            api, params = stripe.APIS[step.purpose], stripe.params_of(claim, step, account_id, key, customer, paid_id)
        else:
            _, email = self._book.contact_of(claim.customer)
            api, params = riverty.APIS[step.purpose], riverty.params_of(claim, step, n, email, paid_id)
        attempt = Attempt(
            attempt_id=f"{self._backend}-p-{self._numbers.next('attempt'):06d}",
            claim_id=claim.claim_id,
            purpose=step.purpose,
            partner=partner,
            api=api,
            params=params,
            key=key,
            amount=step.amount,
            currency=claim.currency,
            account=account_id,
            paid_id=paid_id,
            created_at=now,
            due_at=now,
        )
        self._store.insert(ATTEMPTS, attempt)
        self._push(attempt)
        return attempt.attempt_id

    def _let_go(self, claim: Claim, now: Instant) -> None:
        """A claim that came to nothing: nothing is owed, held or paid, and nothing is to come."""
        if claim.final and claim.state in _UNSETTLED and claim.owed == claim.held == claim.paid == 0:
            self._store.update(CLAIMS, replace(claim, state=rows.RELEASED, settled_at=now))

    def _gate_open(self, claim: Claim, purpose: str) -> bool:
        if claim.route != STRIPE or not is_debit(purpose):
            return True
        return self._parts.may_charge(self._book.account_of(claim))

    def _wait(self, claim: Claim) -> None:
        """No money moves for this claim until its account can charge; a hold that cannot be made is given up."""
        if not claim.final:
            self._store.update(CLAIMS, replace(claim, reason="account not enabled"))
        elif claim.state != rows.WAITING:
            account = self._book.account_of(claim)
            waiting = replace(claim, state=rows.WAITING, account=account.account if account else None)
            self._store.update(CLAIMS, waiting)

    # -- asking -----------------------------------------------------------------------------------------------------

    def next_due(self) -> Instant | None:
        """When `step` is wanted; it may lie in the past after a restart."""
        return max(self._queue[0][0], self._not_before) if self._queue else None

    def step(self, now: Instant) -> None:
        """Send at most one request, as part of the running unit of work."""
        due = self.next_due()
        if due is None or due > now:
            return
        _, attempt_id = heappop(self._queue)
        attempt = self._store.get(ATTEMPTS, attempt_id)
        if attempt is None or not attempt.pending:
            return
        if attempt.due_at > now:
            self._push(attempt)
            return
        self._not_before = Instant(now + PAUSE)
        self._attend(attempt, now)

    def _attend(self, attempt: Attempt, now: Instant) -> None:
        claim = self._claim(attempt)
        if any(one.pending and one.attempt_id < attempt.attempt_id for one in self._attempts(claim)):
            return  # it is pushed again when the one before it is over
        asked = attempt.asked_at is not None
        if not self._gate_open(claim, attempt.purpose):
            if not asked:
                self._finish(attempt, Result(rows.WITHDRAWN, reason="account not enabled"), now)
                self._wait(claim)
            else:
                self._look(attempt, now)
            return
        if not asked:
            self._send(attempt, now)
            return
        assert attempt.asked_at is not None
        age, life = now - attempt.asked_at, self._options.key_life_h * HOUR
        choice = self._parts.after_unknown(age, attempt.last_status, life)
        if choice == LOOK or (choice != ANEW and attempt.partner == RIVERTY):  # Riverty keeps no keys
            self._look(attempt, now)
        elif choice == ANEW:
            self._finish(attempt, Result(rows.LAPSED, reason="given up"), now)
            self.plan(self._claim(attempt), now)
        else:
            self._send(attempt, now)

    def _send(self, attempt: Attempt, now: Instant) -> None:
        request = Request(api=attempt.api, params=attempt.params, key=attempt.key)
        self._ask(replace(attempt, asked_at=attempt.asked_at or now, looking=False), request, now)

    def _look(self, attempt: Attempt, now: Instant) -> None:
        request = stripe.look(attempt) if attempt.partner == STRIPE else riverty.look(attempt)
        self._ask(replace(attempt, looking=True), request, now)

    def _ask(self, attempt: Attempt, request: Request, now: Instant) -> None:
        wait = self._options.payment_timeout_s * SECOND + back_off(self._options, attempt.tries)
        state = rows.UNKNOWN if attempt.tries else rows.ASKED
        asked = replace(attempt, state=state, tries=attempt.tries + 1, due_at=Instant(now + wait))
        self._store.update(ATTEMPTS, asked)
        self._push(asked)
        kind = "look" if asked.looking else "ask"
        call_id = f"{self._backend}:{self._store.epoch}:pay:{asked.attempt_id}:{kind}:{asked.tries}"
        self._stage.add(Tell(self._options.partners[attempt.partner], request.command(), call_id))

    # -- hearing ----------------------------------------------------------------------------------------------------

    def heard(self, attempt_id: str, kind: str, outcome: Outcome, now: Instant) -> None:
        """What became of a request. Of an attempt that is over already nothing more can come."""
        attempt = self._store.get(ATTEMPTS, attempt_id)
        if attempt is None or not attempt.pending:
            return
        if not isinstance(outcome, Answered):
            never_sent = isinstance(outcome, Refused) and attempt.tries == 1
            self._later(attempt, rows.DUE if never_sent else rows.UNKNOWN, _reason(outcome), None, now)
            if never_sent:
                fresh = self._store.get(ATTEMPTS, attempt_id)
                assert fresh is not None
                self._store.update(ATTEMPTS, replace(fresh, asked_at=None, tries=0))
            return
        response: Response = outcome.payload
        if kind == "look":
            self._looked(attempt, response, now)
            return
        adapter: Any = stripe if attempt.partner == STRIPE else riverty
        result = adapter.meaning(attempt, response)
        if result.state == rows.UNKNOWN:
            self._later(attempt, rows.UNKNOWN, result.reason, response.status, now)
        else:
            self._finish(replace(attempt, last_status=response.status), result, now)
            self._go_on(attempt, now)

    def look_now(self, claim: Claim, now: Instant) -> bool:
        """A partner says that something happened to a claim: if an attempt of it is pending and was sent, look at it."""
        sent = [one for one in self._attempts(claim) if one.pending and one.asked_at is not None]
        for one in sent:
            self._look(one, now)
        return bool(sent)

    def _looked(self, attempt: Attempt, response: Response, now: Instant) -> None:
        adapter: Any = stripe if attempt.partner == STRIPE else riverty
        result: Result | None = adapter.found(attempt, response)
        assert attempt.asked_at is not None
        settled_age = self._options.payment_timeout_s * SECOND
        if result is None and now - attempt.asked_at < settled_age:
            return  # asked a moment ago: what is not there yet may still come
        if result is not None and result.state == rows.UNKNOWN:
            self._later(attempt, rows.UNKNOWN, result.reason, attempt.last_status, now)
        elif result is None and not (attempt.partner == STRIPE and attempt.last_status == stripe.KEPT_ERROR):
            self._again(attempt, now)
        else:
            self._finish(attempt, result or Result(rows.LAPSED, reason="nothing found"), now)
            self._go_on(attempt, now)

    def _again(self, attempt: Attempt, now: Instant) -> None:
        """It was not done so far, yet it may still be on its way: only the same key may follow, if it may be asked."""
        if self._gate_open(self._claim(attempt), attempt.purpose):
            self._send(attempt, now)
        else:
            self._later(attempt, rows.UNKNOWN, "account not enabled", attempt.last_status, now)

    def _later(self, attempt: Attempt, state: str, reason: str | None, status: int | None, now: Instant) -> None:
        due = Instant(now + self._options.retry_s * SECOND + back_off(self._options, attempt.tries - 1))
        waiting = replace(attempt, state=state, reason=reason, last_status=status, due_at=due)
        self._store.update(ATTEMPTS, waiting)
        self._push(waiting)

    def _finish(self, attempt: Attempt, result: Result, now: Instant) -> None:
        """An attempt is over: its row, the claim, and the journal entry where money moved."""
        over = replace(
            attempt,
            state=result.state,
            settled_at=now,
            moved=result.amount,
            partner_id=result.partner_id or attempt.partner_id,
            reason=result.reason,
            looking=False,
        )
        self._store.update(ATTEMPTS, over)
        claim = self._claim(attempt)
        if result.state == rows.DONE:
            claim = self._done(claim, over, result, now)
        elif result.state in (rows.DECLINED, rows.FAILED):
            claim = self._refused(claim, over, now)
        self._store.update(CLAIMS, claim)

    def _refused(self, claim: Claim, attempt: Attempt, now: Instant) -> Claim:
        """A known refusal. If the account cannot charge after all, the claim waits for it and is asked under a new key."""
        claim = replace(claim, reason=attempt.reason)
        if attempt.partner == STRIPE and attempt.reason in stripe.BARRED:
            refused = [one for one in self._attempts(claim) if one.reason in stripe.BARRED]
            self.barred(attempt.account or "", Instant(now + back_off(self._options, len(refused))))
            return replace(claim, state=rows.WAITING, account=attempt.account) if claim.final else claim
        if attempt.purpose in (CAPTURE, rows.RELEASE):  # the authorisation is gone: expired or voided
            return replace(claim, held=0)
        return replace(claim, state=rows.OPEN) if claim.final else claim

    def _done(self, claim: Claim, attempt: Attempt, result: Result, now: Instant) -> Claim:
        if attempt.purpose == HOLD:
            state = claim.state if claim.final else rows.HELD
            return replace(claim, held=result.amount, held_id=result.partner_id, state=state, reason=None)
        if attempt.purpose == rows.RELEASE:
            state = rows.RELEASED if claim.paid == 0 and claim.owed == 0 else claim.state
            return replace(claim, held=0, state=state, settled_at=now)
        clearing = f"clearing:stripe:{attempt.account}" if attempt.partner == STRIPE else "clearing:riverty"
        owed = f"{claim.ledger}:{claim.customer}"
        back = attempt.purpose == REFUND
        postings = (
            Posting(clearing, claim.currency, -result.amount if back else result.amount),
            Posting(owed, claim.currency, result.amount if back else -result.amount),
        )
        ref = f"{claim.document or claim.claim_id} {claim.claim_id} {attempt.attempt_id}"
        self._ledger.append(REFUND_ENTRY if back else PAYMENT, ref, postings, now)
        if back:
            return replace(claim, refunded=claim.refunded + result.amount, settled_at=now)
        rest = claim.held - result.amount if attempt.purpose == CAPTURE and attempt.partner != STRIPE else 0
        paid = replace(claim, paid=claim.paid + result.amount, paid_id=result.partner_id, held=rest, reason=None)
        return replace(paid, state=rows.PAID if paid.owed <= 0 else claim.state, settled_at=now)

    def _go_on(self, attempt: Attempt, now: Instant) -> None:
        """After one attempt: the others of its claim that waited for it, or what the claim needs next."""
        claim = self._claim(attempt)
        pending = [one for one in self._attempts(claim) if one.pending]
        for one in pending:
            self._push(one)
        if not pending:
            self.plan(claim, now)

    def withdraw(self, claim: Claim, now: Instant) -> bool:
        """Take back what is in the outbox and was never sent; False if something was sent and is not over."""
        pending = [one for one in self._attempts(claim) if one.pending]
        if any(one.asked_at is not None for one in pending):
            return False
        for one in pending:
            self._finish(one, Result(rows.WITHDRAWN, reason="cancelled"), now)
        return True

    def _attempts(self, claim: Claim) -> list[Attempt]:
        return self._store.find(ATTEMPTS, "claim_id", claim.claim_id)

    def _claim(self, attempt: Attempt) -> Claim:
        claim = self._store.get(CLAIMS, attempt.claim_id)
        assert claim is not None
        return claim

    def _push(self, attempt: Attempt) -> None:
        heappush(self._queue, (attempt.due_at, attempt.attempt_id))


def _reason(outcome: Outcome) -> str:
    if isinstance(outcome, Refused):
        return outcome.code
    return str(getattr(outcome, "reason", "unknown"))
