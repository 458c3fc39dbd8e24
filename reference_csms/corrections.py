"""What an operator puts right afterwards: a held session is released, a billed one is corrected. Nothing is ever edited.

A released session is judged again by the same check as at its stop, so a release can never bill what does not verify. A
correction is a credit CDR that takes back the old one (OCPI 2.2.1 `credit`, `credit_reference_id`), a new CDR in its
place, and two entries of the journal. Each names who asked for it and why (INV-40).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from reference_csms import records
from reference_csms.billing.ledger import CORRECTION, Ledger, Posting
from reference_csms.catalogue import Catalogue
from reference_csms.metering.check import RecordCheck
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.pricing.rating import Cdr, RatedCdr, RatingPolicy
from reference_csms.pricing.tariffs import Tariff
from reference_csms.quarantine import SECOND_STOP, Quarantine
from reference_csms.records import (
    BILLS,
    CDRS,
    CORRECTIONS,
    QUARANTINE,
    RATED,
    SESSIONS,
    TARIFFS,
    Bill,
    Correction,
    Rated,
    Session,
)
from reference_csms.settlement import Settlement
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant
from sim.errors import BadInput

TERMS = ("grp", "tariff_version")
"""What a correction may change of a CDR. Energy and times are the meter's word and nobody's to correct."""


class NotPossible(Exception):
    """This cannot be released or corrected. `code` is for a machine, `str()` for a person."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Corrections:
    """Releases and corrects, each as part of the running unit of work."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        catalogue: Catalogue,
        check: RecordCheck,
        quarantine: Quarantine,
        settlement: Settlement,
        ledger: Ledger,
        numbers: Numbers,
        backend: str,
        corrected: Callable[[Bill, int, Instant], None] | None = None,
    ) -> None:
        self._store = store
        self._parts = parts
        self._catalogue = catalogue
        self._check = check
        self._quarantine = quarantine
        self._settlement = settlement
        self._ledger = ledger
        self._numbers = numbers
        self._backend = backend
        self._corrected = corrected
        self._policy = RatingPolicy(local_minute=parts.local_time)

    # -- release ----------------------------------------------------------------------------------------------------

    def release(self, quarantine_id: str, actor: str, reason: str, now: Instant) -> Row:
        """Release a held row; its session is rated and billed. Raises NotPossible, and BadInput for an unknown row."""
        _named(actor, reason)
        row = self._store.get(QUARANTINE, quarantine_id)
        if row is None:
            raise BadInput("release-quarantine", "quarantine_id", f"there is no row {quarantine_id!r}", "a held row")
        if row.state == records.RELEASED:
            raise NotPossible("already-released", f"released by {row.released_by}: {row.released_because}")
        session = self._store.get(SESSIONS, row.session_id) if row.session_id else None
        billed = session is not None and row.reason != SECOND_STOP
        if session is not None and billed:
            self._bill(session, row.values, now)
        elif row.energy_wh is not None:
            raise NotPossible("no-session", f"{row.energy_wh} Wh of a transaction that nobody started here")
        released = replace(row, state=records.RELEASED, released_by=actor, released_because=reason, released_at=now)
        self._store.update(QUARANTINE, released)
        return {"quarantine_id": quarantine_id, "session_id": row.session_id, "billed": billed}

    def _bill(self, session: Session, values: tuple[str, ...], now: Instant) -> None:
        closed = replace(session, state=records.OPEN, reason=None)
        judgement = self._check.judge(values, closed)
        objection, detail = self._settlement.objection(closed, judgement)
        held = self._parts.gate(objection)
        settled = self._settlement.bill(closed, judgement, now) if held is None else None
        if settled is None:
            raise NotPossible("still-held", f"{held or objection}: {detail}")
        self._quarantine.judge_again(judgement, session.session_id)
        self._store.update(SESSIONS, settled)

    # -- correct ----------------------------------------------------------------------------------------------------

    def correct(self, session_id: str, actor: str, reason: str, terms: Mapping[str, Any], now: Instant) -> Row:
        """Credit the CDR of a billed session and put one with other terms in its place.

        Raises NotPossible (also when the terms are those of the CDR already, so that asking twice books once) and
        BadInput.
        """
        _named(actor, reason)
        session, bill, old, rated = self._billed(session_id)
        wanted = {name: terms[name] for name in TERMS if name in terms}
        if not wanted or any(name not in TERMS for name in terms):
            raise BadInput("correct-session", "terms", f"{sorted(terms)} cannot be corrected", TERMS)
        if all(getattr(old, name) == value for name, value in wanted.items()):
            raise NotPossible("nothing-to-correct", f"{old.cdr_id} has these terms already")
        changed = replace(old, **wanted, corrects=old.cdr_id)
        tariff = self._tariff(changed)
        credit, taken_back = credit_of(old, rated, self._cdr_id())
        new = replace(changed, cdr_id=self._cdr_id())
        again = self._parts.rate(new, tariff, self._policy)
        postings = self._parts.post(bill.seller, bill.customer, rated)
        self._book(credit, taken_back, bill, tuple(replace(one, amount=-one.amount) for one in postings), now)
        self._book(new, again, bill, self._parts.post(bill.seller, bill.customer, again), now)
        correction = Correction(
            correction_id=f"{self._backend}-k-{self._numbers.next('correction'):06d}",
            session_id=session_id,
            bill=bill.number,
            cdr_id=old.cdr_id,
            credit_id=credit.cdr_id,
            corrected_id=new.cdr_id,
            actor=actor,
            reason=reason,
            at=now,
        )
        self._store.insert(CORRECTIONS, correction)
        self._store.update(SESSIONS, replace(session, cdr_id=new.cdr_id, grp=new.grp, tariff=tariff))
        difference = again.gross - rated.gross
        if self._corrected is not None:
            self._corrected(bill, difference, now)
        return {"credit": credit.cdr_id, "cdr": new.cdr_id, "difference": difference}

    def _billed(self, session_id: str) -> tuple[Session, Bill, Cdr, RatedCdr]:
        session = self._store.get(SESSIONS, session_id)
        if session is None:
            raise BadInput("correct-session", "session_id", f"there is no session {session_id!r}", "a billed session")
        bills = self._store.find(BILLS, "session_id", session_id)
        if not bills or session.cdr_id is None:
            raise NotPossible("not-billed", f"the session is {session.state}")
        cdr = self._store.get(CDRS, session.cdr_id)
        effective = [one for one in self._store.find(RATED, "cdr_id", session.cdr_id) if one.effective]
        assert cdr is not None and len(effective) == 1
        return session, bills[0], cdr, effective[0].rated

    def _tariff(self, cdr: Cdr) -> Tariff:
        versions = self._store.find(TARIFFS, "tariff_id", cdr.tariff_id)
        for tariff in versions:
            if tariff.version == cdr.tariff_version:
                return tariff
        problem = f"{cdr.tariff_id} has no version {cdr.tariff_version}"
        raise BadInput("correct-session", "tariff_version", problem, [tariff.version for tariff in versions])

    def _cdr_id(self) -> str:
        return f"{self._backend}-c-{self._numbers.next('cdr'):06d}"

    def _book(self, cdr: Cdr, rated: RatedCdr, bill: Bill, postings: tuple[Posting, ...], now: Instant) -> None:
        rated_id = f"{self._backend}-r-{self._numbers.next('rated'):06d}"
        self._store.insert(CDRS, cdr)
        self._store.insert(RATED, Rated(rated_id=rated_id, version=1, effective=True, rated=rated))
        self._ledger.append(CORRECTION, f"{bill.number} {cdr.cdr_id}", postings, now)


def credit_of(cdr: Cdr, rated: RatedCdr, cdr_id: str) -> tuple[Cdr, RatedCdr]:
    """The CDR and the rating that take these back: everything counted turned round."""
    credit = replace(
        cdr,
        cdr_id=cdr_id,
        corrects=cdr.cdr_id,
        credit=True,
        kwh=-cdr.kwh,
        periods=tuple(replace(period, energy_kwh=-period.energy_kwh) for period in cdr.periods),
    )
    lines = tuple(
        replace(
            line,
            quantity=_negative(line.quantity),
            billed_quantity=_negative(line.billed_quantity),
            amount=-line.amount,
            reason=f"credit of {cdr.cdr_id}: {line.reason}",
        )
        for line in rated.lines
    )
    taken_back = replace(rated, cdr_id=cdr_id, gross=-rated.gross, net=-rated.net, vat=-rated.vat, lines=lines)
    return credit, taken_back


def _negative(quantity: str) -> str:
    return format(-Decimal(quantity), "f")


def _named(actor: str, reason: str) -> None:
    for name, value in (("actor", actor), ("reason", reason)):
        if not value.strip():
            raise BadInput("operation", name, "is empty", "who it is and why (INV-40)")
