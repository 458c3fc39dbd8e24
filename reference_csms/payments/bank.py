"""Bank statements: incoming payments matched to claims by their reference, each entry once (M09).

A statement is that of one day of the bank; a day is read until it is over, and once more then. A payment may come to an
old account long after the move; a back-end reads every account it is told of and takes the entries with references of its
own. Others are kept as unmatched rows and booked nowhere: they may be somebody else's. An entry that takes a payment back
(an R-transaction of SEPA) opens its claim again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from msgspec.structs import replace

from reference_csms.billing.ledger import RECEIPT, Ledger, Posting
from reference_csms.options import MoneyOptions
from reference_csms.payments import rows
from reference_csms.payments.rows import (
    BANK,
    BANK_ACCOUNTS,
    CLAIMS,
    MOVEMENTS,
    STATEMENT_LINES,
    BankAccount,
    Claim,
    StatementLine,
)
from reference_csms.stage import Stage
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import SECOND, Instant, to_datetime, zone
from sim.machine import Answered, Outcome, Tell
from sim.partners.port import Request

ReadAccounts = Callable[[Sequence[str]], Sequence[str]]
HeedReturn = Callable[[str], bool]


def read_accounts(told: Sequence[str]) -> Sequence[str]:
    """The accounts whose statements are read: all that are told of, since owners pay to an old one long after (M09)."""
    return told


def heed_return(code: str) -> bool:
    """Whether an entry that takes a payment back is booked and opens its claim, by the code of the bank: always (P07)."""
    return True


class Bank:
    """Reads the accounts of the options at intervals."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        stage: Stage,
        options: MoneyOptions,
        backend: str,
        read: ReadAccounts,
        heed: HeedReturn,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._stage = stage
        self._options = options
        self._accounts = tuple(read(options.bank_accounts))
        self._backend = backend
        self._heed = heed
        self._zone = zone(options.bank_zone)
        self._reads = 0

    def next_due(self) -> Instant | None:
        """When `step` is wanted; at once after the first start, since nothing was read yet."""
        wishes = [self._account(iban).next_read_at for iban in self._accounts]
        return min(wishes, default=None)

    def step(self, now: Instant) -> None:
        """Ask for the statement of one day, as part of the running unit of work."""
        for iban in self._accounts:
            account = self._account(iban)
            if account.next_read_at <= now:
                self._reads += 1
                today = self._day(now)
                day = account.cursor or today
                later = Instant(now + self._options.bank_poll_s * SECOND)
                put(self._store, BANK_ACCOUNTS, replace(account, cursor=day, next_read_at=later))
                how = f"{'all' if day < today else 'part'}={day}"
                call_id = f"{self._backend}:{self._store.epoch}:bank:{iban}:{how}:{self._reads}"
                request = Request(api="statements.retrieve", params={"iban": iban, "date": day})
                self._stage.add(Tell(self._options.partners[BANK], request.command(), call_id))
                return

    def heard(self, iban: str, how: str, outcome: Outcome, now: Instant) -> None:
        """A statement: entries that were read before are passed over. Without an answer it is read again soon."""
        account = self._account(iban)
        soon = Instant(now + self._options.retry_s * SECOND)
        if not isinstance(outcome, Answered) or not outcome.payload.ok:
            put(self._store, BANK_ACCOUNTS, replace(account, next_read_at=min(account.next_read_at, soon)))
            return
        body = outcome.payload.body
        for entry in body["entries"]:
            self._entry(iban, str(body["currency"]).upper(), entry, now)
        whole, _, day = how.partition("=")
        if whole == "all" and account.cursor == day:  # that day is over and read: go on with the next one
            following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
            put(self._store, BANK_ACCOUNTS, replace(account, cursor=following, next_read_at=now))

    def _day(self, now: Instant) -> str:
        return to_datetime(now, self._zone).date().isoformat()

    def _entry(self, iban: str, currency: str, entry: Row, now: Instant) -> None:
        line_id = f"{iban}/{entry['entry_reference']}"
        if self._store.get(STATEMENT_LINES, line_id) is not None:
            return
        debit, returned = entry["credit_debit_indicator"] == "DBIT", entry.get("return_reason")
        amount = -int(entry["amount"]) if debit else int(entry["amount"])
        reference = str(entry.get("remittance_information") or "")
        heeded = not debit or (bool(returned) and self._heed(str(returned)))
        claim = self._match(reference, currency) if heeded else None
        ours = claim is not None or self._store.get(MOVEMENTS, reference) is not None
        row = StatementLine(
            line_id=line_id,
            iban=iban,
            booked_at=Instant(entry["booked_at"]),
            currency=currency,
            amount=amount,
            reference=reference,
            state="matched" if ours else "unmatched",
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
        if debit:
            self._store.update(CLAIMS, replace(paid, state=rows.OPEN, reason=f"returned: {returned}"))
        else:
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
