"""The book of claims: opens a claim in the unit of work of the document or session that it is for."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from reference_csms.numbers import Numbers
from reference_csms.payments import rows
from reference_csms.payments.claims import ClaimRoute
from reference_csms.payments.rows import ACCOUNTS, BANK, CLAIMS, STRIPE, Account, Claim
from reference_csms.storage.port import Store
from sim.clock import Instant


class ClaimBook:
    """Opens claims in a store. `opened` hears of each, in the same unit of work; `contact_of` knows name and e-mail."""

    def __init__(self, store: Store, numbers: Numbers, backend: str, drivers_route: str, route_of: ClaimRoute) -> None:
        self._store = store
        self._numbers = numbers
        self._backend = backend
        self._drivers_route = drivers_route
        self._route_of = route_of
        self.opened: Callable[[Claim, Instant], None] = lambda claim, now: None
        self.method_of: Callable[[str], str | None] = lambda customer: None
        self.contact_of: Callable[[str], tuple[str, str]] = lambda customer: (customer, "")

    def of_invoice(
        self, kind: str, seller: str, customer: str, number: str, currency: str, gross: int, now: Instant
    ) -> str | None:
        """The claim of an invoice; None if nothing is owed."""
        if gross <= 0:
            return None
        return self._open(kind, "invoiced", seller, customer, number, None, currency, gross, now)

    def of_bill(
        self, seller: str, customer: str, number: str, session: str, currency: str, gross: int, now: Instant
    ) -> str:
        """The claim of a session that is paid directly."""
        return self._open("session", "receivable", seller, customer, number, session, currency, gross, now)

    def hold(self, seller: str, customer: str, session: str, currency: str, amount: int, now: Instant) -> str:
        """The claim of a session that has begun: an amount to be held, nothing owed yet."""
        return self._open("session", "receivable", seller, customer, None, session, currency, 0, now, amount)

    def of_session(self, session_id: str) -> Claim | None:
        """The claim of a session."""
        found = self._store.find(CLAIMS, "session_id", session_id)
        return found[0] if found else None

    def account_of(self, claim: Claim) -> Account | None:
        """The connected account of a claim's seller, as we believe it to be."""
        found = self._store.find(ACCOUNTS, "owner", claim.seller)
        return found[0] if found else None

    def _open(
        self,
        kind: str,
        ledger: str,
        seller: str,
        customer: str,
        document: str | None,
        session: str | None,
        currency: str,
        amount: int,
        now: Instant,
        hold: int = 0,
    ) -> str:
        route = self._route_of(kind, self._drivers_route)
        claim_id = f"{self._backend}-k-{self._numbers.next('claim'):06d}"
        claim = Claim(
            claim_id=claim_id,
            kind=kind,
            ledger=ledger,
            seller=seller,
            customer=customer,
            document=document,
            session_id=session,
            currency=currency,
            amount=amount,
            route=route,
            account=None,
            method=self.method_of(customer),
            reference=document or claim_id,
            state=rows.OPEN if route == BANK else rows.DUE,
            created_at=now,
            final=hold == 0,
            hold_amount=hold,
        )
        if route == STRIPE:
            account = self.account_of(claim)
            claim = replace(claim, account=account.account if account else None)
        self._store.insert(CLAIMS, claim)
        self.opened(claim, now)
        return claim_id
