"""What a driver is shown: the price before, the cost so far, and the final cost, all from the one rating function.

The cost so far is priced from the registers that the station told; what only the signed end tells (idle time) comes on top
of it. What has no price is not shown, since absent does not mean free (OCPP 2.0.1 I05, I06).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from reference_csms.catalogue import Catalogue
from reference_csms.parts import Parts
from reference_csms.pricing.model import ENERGY, FLAT, IDLE, Charge
from reference_csms.pricing.offer import offers_at
from reference_csms.pricing.rating import Cdr, Period, RatedCdr, RatingPolicy, full_policy, full_tariff
from reference_csms.pricing.tariffs import minor_digits
from reference_csms.records import CLOSED, FREE, QUARANTINED, RATED, Session
from reference_csms.storage.port import Store
from reference_csms.trail import Sample

_PER = {ENERGY: ("per kWh", 1), FLAT: ("per charge", 1), IDLE: ("per minute of idle time", 60)}


class Display:
    """Texts and amounts for displays."""

    def __init__(self, store: Store, catalogue: Catalogue, parts: Parts) -> None:
        self._store = store
        self._catalogue = catalogue
        self._parts = parts
        self._policy = RatingPolicy(local_minute=parts.local_time)

    def price(self, session: Session) -> str | None:
        """The prices that hold for a session at its start, gross, as one line; None if it has no tariff."""
        owner = self._catalogue.owner_of(session.site)
        if session.tariff is None or owner is None:
            return None
        at = session.started_at
        currency = session.tariff.currency
        charge = Charge(
            start=at,
            end=at,
            periods=(),
            currency=currency,
            zone=owner.zone,
            location=session.site,
            group=session.grp or "",
        )
        told = []
        for offer in offers_at(full_tariff(session.tariff), charge, full_policy(self._policy)):
            words, per = _PER[offer.dimension]
            told.append(f"{offer.reduced / per:f} {currency} {words}")
        return f"{', '.join(told)}, VAT included"

    def running(self, session: Session, samples: Sequence[Sample]) -> Decimal | None:
        """The cost so far of an open session, gross, by what its register showed since; None if it has no price."""
        owner = self._catalogue.owner_of(session.site)
        if session.tariff is None or owner is None or session.transaction_state == CLOSED:
            return None
        known = [(session.started_at, session.meter_start)]
        for at, wh in samples:
            if at >= known[-1][0] and wh >= known[-1][1]:
                known.append((at, wh))
        at, wh = known[-1]
        periods = tuple(
            Period(begin, end, Decimal(after - before).scaleb(-3), False)
            for (begin, before), (end, after) in pairwise(known)
        )
        cdr = Cdr(
            cdr_id="",
            session_id=session.session_id,
            station=session.station,
            connector=session.connector,
            site=session.site,
            id_tag=session.id_tag,
            grp=session.grp,
            tariff_id=session.tariff.tariff_id,
            tariff_version=session.tariff.version,
            currency=session.tariff.currency,
            zone=owner.zone,
            started_at=session.started_at,
            stopped_at=at,
            kwh=Decimal(wh - session.meter_start).scaleb(-3),
            time_billable=False,
            periods=periods,
        )
        return self._shown(self._parts.rate(cdr, session.tariff, self._policy), False)

    def final(self, session: Session) -> Decimal | None:
        """The cost of a closed session as it was rated, 0 if it is free; None if it is held and has no price yet."""
        if session.cdr_id is None or session.state == QUARANTINED:
            return None
        rated = next((one.rated for one in self._store.find(RATED, "cdr_id", session.cdr_id) if one.effective), None)
        assert rated is not None or session.state != FREE
        return None if rated is None else self._shown(rated, True)

    def _shown(self, rated: RatedCdr, final: bool) -> Decimal:
        return Decimal(self._parts.shown_cost(rated, final)).scaleb(-minor_digits(rated.currency))
