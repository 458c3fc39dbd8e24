"""Bank statements: incoming payments matched to claims by their reference, each line once (M09).

A payment may come to an old account long after the move; a back-end reads every account it is told of and takes the
lines with references of its own. Others are kept as unmatched rows and booked nowhere: they may be somebody else's.
"""

from __future__ import annotations

from msgspec.structs import replace

from reference_csms.billing.ledger import RECEIPT, Ledger, Posting
from reference_csms.options import MoneyOptions
from reference_csms.payments import rows
from reference_csms.payments.rows import (
    BANK,
    BANK_ACCOUNTS,
    CLAIMS,
    STATEMENT_LINES,
    BankAccount,
    Claim,
    StatementLine,
)
from reference_csms.stage import Stage
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import SECOND, Instant, parse_iso
from sim.machine import Answered, Outcome, Tell
from sim.partners.port import Request


class Bank:
    """Reads the accounts of the options at intervals."""

    def __init__(self, store: Store, ledger: Ledger, stage: Stage, options: MoneyOptions, backend: str) -> None:
        self._store = store
        self._ledger = ledger
        self._stage = stage
        self._options = options
        self._backend = backend
        self._reads = 0

    def next_due(self) -> Instant | None:
        """When `step` is wanted; at once after the first start, since nothing was read yet."""
        wishes = [self._account(iban).next_read_at for iban in self._options.bank_accounts]
        return min(wishes, default=None)

    def step(self, now: Instant) -> None:
        """Ask for one statement, as part of the running unit of work."""
        for iban in self._options.bank_accounts:
            account = self._account(iban)
            if account.next_read_at <= now:
                self._reads += 1
                later = Instant(now + self._options.bank_poll_s * SECOND)
                put(self._store, BANK_ACCOUNTS, replace(account, next_read_at=later))
                call_id = f"{self._backend}:{self._store.epoch}:bank:{iban}:read:{self._reads}"
                request = Request(api="statements.read", params={"iban": iban, "after": account.cursor})
                self._stage.add(Tell(self._options.partners[BANK], request.command(), call_id))
                return

    def heard(self, iban: str, outcome: Outcome, now: Instant) -> None:
        """A statement: lines that were read before are passed over. Without an answer it is read again soon."""
        account = self._account(iban)
        if not isinstance(outcome, Answered) or not outcome.payload.ok:
            soon = Instant(now + self._options.retry_s * SECOND)
            put(self._store, BANK_ACCOUNTS, replace(account, next_read_at=min(account.next_read_at, soon)))
            return
        cursor = account.cursor
        for line in outcome.payload.body.get("lines", ()):
            cursor = str(line["id"])
            self._line(iban, line, now)
        put(self._store, BANK_ACCOUNTS, replace(account, cursor=cursor))

    def _line(self, iban: str, line: Row, now: Instant) -> None:
        line_id = f"{iban}/{line['id']}"
        if self._store.get(STATEMENT_LINES, line_id) is not None:
            return
        amount, currency, reference = (
            int(line["amount"]),
            str(line["currency"]).upper(),
            str(line.get("reference") or ""),
        )
        claim = self._match(reference, currency)
        booked = line.get("booked_at", line.get("at"))
        row = StatementLine(
            line_id=line_id,
            iban=iban,
            booked_at=parse_iso(booked) if isinstance(booked, str) else booked,
            currency=currency,
            amount=amount,
            reference=reference,
            state="matched" if claim else "unmatched",
            claim_id=claim.claim_id if claim else None,
            read_at=now,
        )
        self._store.insert(STATEMENT_LINES, row)
        if claim is None:
            return
        postings = (
            Posting(f"bank:{iban}", currency, amount),
            Posting(f"{claim.ledger}:{claim.customer}", currency, -amount),
        )
        self._ledger.append(RECEIPT, f"{claim.document} {claim.claim_id} {line_id}", postings, now)
        paid = replace(claim, paid=claim.paid + amount, paid_id=line_id, settled_at=now)
        self._store.update(CLAIMS, replace(paid, state=rows.PAID if paid.owed <= 0 else claim.state))

    def _match(self, reference: str, currency: str) -> Claim | None:
        """The claim whose document the reference names, as a word of it."""
        for word in reference.replace(",", " ").split():
            for claim in self._store.find(CLAIMS, "reference", word):
                if claim.currency == currency and claim.route == BANK:
                    return claim
        return None

    def _account(self, iban: str) -> BankAccount:
        return self._store.get(BANK_ACCOUNTS, iban) or BankAccount(iban=iban, cursor=None, next_read_at=Instant(0))
