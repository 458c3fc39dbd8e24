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
from reference_csms.pricing.tariffs import EnergyBand, minor_digits
from reference_csms.records import CLOSED, FREE, QUARANTINED, RATED, Session
from reference_csms.storage.port import Store
from reference_csms.trail import Sample
from sim.clock import Instant

_PER = {ENERGY: ("per kWh", 1), FLAT: ("per charge", 1), IDLE: ("per minute of idle time", 60)}


class _Seen:
    """What the samples of one session come to: its register at the begin, where a price changes, and now.

    A session has hundreds of samples, and each is shown a cost: those between two changes of price are folded into one
    period as they come, which leaves every sum as it is.
    """

    __slots__ = ("bands", "count", "last", "points")

    def __init__(self, at: Instant, wh: int, band: int) -> None:
        self.points: list[tuple[Instant, int]] = [(at, wh)]
        self.bands = [band]
        self.count = 0
        self.last: Sample | None = None

    def follows(self, samples: Sequence[Sample]) -> bool:
        """Whether these are the samples that were seen, and perhaps more."""
        return self.count <= len(samples) and (not self.count or samples[self.count - 1] == self.last)

    def add(self, at: Instant, wh: int, band: int) -> None:
        """A later register."""
        if len(self.points) > 1 and self.bands[-2:] == [band, band]:
            self.points[-1] = (at, wh)
        else:
            self.points.append((at, wh))
            self.bands.append(band)


class Display:
    """Texts and amounts for displays."""

    def __init__(self, store: Store, catalogue: Catalogue, parts: Parts) -> None:
        self._store = store
        self._catalogue = catalogue
        self._parts = parts
        self._policy = RatingPolicy(local_minute=parts.local_time)
        self._seen: dict[str, _Seen] = {}

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
        known = self._points(session, session.tariff.bands, owner.zone, samples)
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

    def _points(
        self, session: Session, bands: Sequence[EnergyBand], zone: str, samples: Sequence[Sample]
    ) -> list[tuple[Instant, int]]:
        """Begin, changes of price, and the last of the samples that do not run backwards."""

        def band(at: Instant) -> int:
            minute = self._parts.local_time(at, zone)
            return next((number for number, one in enumerate(bands) if one.holds(minute)), -1)

        seen = self._seen.get(session.session_id)
        if seen is None or not seen.follows(samples):
            seen = _Seen(session.started_at, session.meter_start, band(session.started_at))
            self._seen[session.session_id] = seen
        for at, wh in samples[seen.count :]:
            if at >= seen.points[-1][0] and wh >= seen.points[-1][1]:
                seen.add(at, wh, band(at))
        seen.count = len(samples)
        seen.last = samples[-1] if samples else None
        return seen.points

    def final(self, session: Session) -> Decimal | None:
        """The cost of a closed session as it was rated, 0 if it is free; None if it is held and has no price yet."""
        self._seen.pop(session.session_id, None)
        if session.cdr_id is None or session.state == QUARANTINED:
            return None
        rated = next((one.rated for one in self._store.find(RATED, "cdr_id", session.cdr_id) if one.effective), None)
        assert rated is not None or session.state != FREE
        return None if rated is None else self._shown(rated, True)

    def _shown(self, rated: RatedCdr, final: bool) -> Decimal:
        return Decimal(self._parts.shown_cost(rated, final)).scaleb(-minor_digits(rated.currency))
