"""Records in the shape of OCPI 2.2.1: CDRs, sessions, tariffs and locations, made from the rows of a store. Read-only.

Money is an exact decimal in major units with as many places as its currency has; energies are kWh, times hours. A field
of OCPI that this back-end knows nothing of (address, coordinates, plug) is left out and never made up. What OCPI cannot
say of a tariff (a grace period, a discount of a group, a least energy) stands in its `tariff_alt_text`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from reference_csms import records
from reference_csms.catalogue import Catalogue
from reference_csms.pricing.rating import Cdr, Period, RatedCdr
from reference_csms.pricing.tariffs import Tariff, minor_digits, tariff_to_row
from reference_csms.records import (
    BILLS,
    CDRS,
    CORRECTIONS,
    METERS,
    RATED,
    RECORDS,
    SESSIONS,
    SITES,
    STATIONS,
    TARIFFS,
    Session,
    SignedRecord,
    Site,
)
from reference_csms.stations import Stations
from reference_csms.storage.port import Store
from reference_csms.views import View
from sim.backend import Row
from sim.clock import HOUR, Instant, iso

DEFAULT_PARTY = "CRG"
UNKNOWN_COUNTRY = "XX"
"""ISO 3166 keeps XX for its users; it stands for an owner whose row names no country."""
_FOUR = Decimal("0.0001")
_STATUS = {
    "Available": "AVAILABLE",
    "Preparing": "CHARGING",
    "Charging": "CHARGING",
    "SuspendedEV": "CHARGING",
    "SuspendedEVSE": "CHARGING",
    "Finishing": "CHARGING",
    "Occupied": "CHARGING",
    "Reserved": "RESERVED",
    "Unavailable": "INOPERATIVE",
    "Faulted": "OUTOFORDER",
}


class Ocpi:
    """OCPI objects of one back-end. `party`: its three letters; the country is that of the owner of a site."""

    def __init__(self, store: Store, stations: Stations, catalogue: Catalogue, party: str) -> None:
        self._store = store
        self._stations = stations
        self._catalogue = catalogue
        self._party = party

    def views(self) -> dict[str, View]:
        """The lists, in the order in which their objects were made (tariffs and locations: of their ids)."""
        return {
            "ocpi_cdrs": View(CDRS, self.cdr),
            "ocpi_sessions": View(SESSIONS, self.session),
            "ocpi_tariffs": View(TARIFFS, self.tariff),
            "ocpi_locations": View(SITES, self.location),
        }

    # -- CDRs ---------------------------------------------------------------------------------------------------------

    def cdr(self, cdr: Cdr) -> Row:
        """A CDR. In a credit only the costs are negative (OCPI 2.2.1 §10.3.1)."""
        session = self._store.get(SESSIONS, cdr.session_id)
        rated = next(one.rated for one in self._store.find(RATED, "cdr_id", cdr.cdr_id) if one.effective)
        signed = self._store.find(RECORDS, "session_id", cdr.session_id)
        bill, made_at = self._billed(cdr, session)
        frozen = session.tariff if session else None
        tariff = self._store.get(TARIFFS, f"{cdr.tariff_id}@{cdr.tariff_version}") or frozen
        return {
            **self._party_of(cdr.site),
            "id": cdr.cdr_id,
            "start_date_time": iso(cdr.started_at),
            "end_date_time": iso(cdr.stopped_at),
            "session_id": cdr.session_id,
            "cdr_token": self._token(cdr.id_tag, session, cdr.site),
            "auth_method": "WHITELIST",
            "cdr_location": {
                "id": cdr.site,
                "name": self._catalogue.site_name(cdr.site),
                "evse_uid": evse_uid(cdr.station, cdr.connector),
                "connector_id": "1",
            },
            **({"meter_id": signed[0].meter_id} if signed and signed[0].meter_id else {}),
            "currency": cdr.currency,
            "tariffs": [self.tariff(tariff)] if tariff else [],
            "charging_periods": [_period(period, cdr) for period in cdr.periods],
            **({"signed_data": self._signed(signed)} if signed else {}),
            **_costs(cdr, rated),
            "credit": cdr.credit,
            **({"credit_reference_id": cdr.corrects} if cdr.credit and cdr.corrects else {}),
            **({"invoice_reference_id": bill} if bill else {}),
            "last_updated": iso(made_at),
        }

    def _billed(self, cdr: Cdr, session: Session | None) -> tuple[str | None, Instant]:
        """Number of the bill of a CDR, and when the last of what it says came to be."""
        bill = next(iter(self._store.find(BILLS, "session_id", cdr.session_id)), None)
        for correction in self._store.find(CORRECTIONS, "session_id", cdr.session_id):
            if cdr.cdr_id in (correction.credit_id, correction.corrected_id):
                return correction.bill, correction.at
        if bill is not None:
            return bill.number, bill.issued_at
        return None, (session.received_stop_at if session else None) or cdr.stopped_at

    def _signed(self, signed: Iterable[SignedRecord]) -> Row:
        key = next((meter for row in signed if row.key_id and (meter := self._store.get(METERS, row.key_id))), None)
        values = [
            {"nature": _nature(row.text), "plain_data": _plain(row.text), "signed_data": row.text} for row in signed
        ]
        return {"encoding_method": "OCMF", **({"public_key": key.public_key} if key else {}), "signed_values": values}

    # -- sessions -----------------------------------------------------------------------------------------------------

    def session(self, session: Session) -> Row:
        """A session: ACTIVE until its stop came; INVALID if it will not be billed here (held, or given away)."""
        cdr = self._store.get(CDRS, session.cdr_id) if session.cdr_id else None
        owner = self._catalogue.owner_of(session.site)
        currency = session.tariff.currency if session.tariff else owner.currency if owner else None
        rated = next(
            (one.rated for one in self._store.find(RATED, "cdr_id", session.cdr_id or "") if one.effective), None
        )
        status = self._status(session)
        _, updated = self._billed(cdr, session) if cdr else (None, session.received_stop_at)
        return {
            **self._party_of(session.site),
            "id": session.session_id,
            "start_date_time": iso(session.started_at),
            **({"end_date_time": iso(session.stopped_at)} if session.stopped_at is not None else {}),
            "kwh": cdr.kwh if cdr else Decimal(self._wh(session)).scaleb(-3),
            "cdr_token": self._token(session.id_tag, session, session.site),
            "auth_method": "WHITELIST",
            "location_id": session.site,
            "evse_uid": evse_uid(session.station, session.connector),
            "connector_id": "1",
            **({"currency": currency} if currency else {}),
            "charging_periods": [_period(period, cdr) for period in cdr.periods] if cdr else [],
            **({"total_cost": _price(rated.net, rated.gross, rated.currency)} if rated else {}),
            "status": status,
            "last_updated": iso(updated or session.received_start_at),
        }

    @staticmethod
    def _status(session: Session) -> str:
        if session.transaction_state == records.OPEN:
            return "ACTIVE"
        if session.state in (records.QUARANTINED, records.HANDED_OVER):
            return "INVALID"
        return "COMPLETED"

    def _wh(self, session: Session) -> int:
        """What the registers say: at the end, or as far as the station has told by now."""
        if session.energy_wh is not None:
            return session.energy_wh
        state = self._stations.find(session.station)
        seen = state.registers.get(session.connector) if state else None
        return max(0, seen - session.meter_start) if seen is not None else 0

    # -- tariffs and places -------------------------------------------------------------------------------------------

    def tariff(self, tariff: Tariff) -> Row:
        """One version of a tariff; its id names the version, since a CDR must name the one it was priced by."""

        def component(kind: str, gross: Decimal) -> Row:
            net = _four(gross * 100 / (100 + tariff.vat_percent))
            return {"type": kind, "price": net, "vat": tariff.vat_percent, "step_size": 1}

        elements: list[Row] = []
        for shown, band in zip(tariff_to_row(tariff)["energy"], tariff.bands, strict=True):
            whole_day = band.start == band.end
            end = "00:00" if shown["to"] == "24:00" else shown["to"]
            hours = {} if whole_day else {"restrictions": {"start_time": shown["from"], "end_time": end}}
            elements.append({"price_components": [component("ENERGY", band.price)], **hours})
        always = [
            component(kind, price)
            for kind, price in (("FLAT", tariff.start_fee), ("PARKING_TIME", tariff.idle_per_minute * 60))
            if price
        ]
        elements += [{"price_components": always}] if always else []
        return {
            "country_code": UNKNOWN_COUNTRY,
            "party_id": self._party,
            "id": tariff.key,
            "currency": tariff.currency,
            "type": "REGULAR",
            "tariff_alt_text": [{"language": "en", "text": _words(tariff)}],
            "elements": elements,
            **({"start_date_time": iso(tariff.valid_from)} if tariff.valid_from else {}),
            "last_updated": iso(tariff.valid_from),
        }

    def location(self, site: Site) -> Row:
        """A site with an EVSE for every connector that has a meter or was heard of."""
        owner = self._catalogue.owner_of(site.site)
        evses: list[Row] = []
        latest = 0
        for station in self._store.find(STATIONS, "site", site.site):
            if station.policy in (records.FOREIGN, records.CLOSE):
                continue
            state = self._stations.find(station.station)
            assert state is not None
            metered = [meter.connector for meter in self._store.find(METERS, "station", station.station)]
            for connector in sorted({*metered, *state.statuses} - {0}):
                status, _, at = state.statuses.get(connector, ("", "", Instant(0)))
                shown = _STATUS.get(status, "UNKNOWN") if state.connection is not None else "UNKNOWN"
                connectors = [{"id": "1", "last_updated": iso(at)}]
                uid = evse_uid(station.station, connector)
                evses.append({"uid": uid, "status": shown, "connectors": connectors, "last_updated": iso(at)})
                latest = max(latest, at)
        return {
            **self._party_of(site.site),
            "id": site.site,
            "publish": False,
            "name": site.name,
            **({"time_zone": owner.zone, "owner": {"name": owner.name}} if owner else {}),
            "evses": evses,
            "last_updated": iso(latest),
        }

    # -- inside -------------------------------------------------------------------------------------------------------

    def _party_of(self, site: str) -> Row:
        owner = self._catalogue.owner_of(site)
        return {"country_code": (owner.country if owner else "") or UNKNOWN_COUNTRY, "party_id": self._party}

    def _token(self, id_tag: str, session: Session | None, site: str) -> Row:
        contract = (session.customer if session else None) or id_tag
        return {**self._party_of(site), "uid": id_tag, "type": "RFID", "contract_id": contract}


def evse_uid(station: str, connector: int) -> str:
    """The EVSE of a connector: connector n of a station is its EVSE n, with connector 1."""
    return f"{station}*{connector}"


def _period(period: Period, cdr: Cdr) -> Row:
    hours = {"type": "PARKING_TIME" if period.idle else "TIME", "volume": _hours(period.end - period.start)}
    return {
        "start_date_time": iso(period.start),
        "dimensions": [{"type": "ENERGY", "volume": abs(period.energy_kwh)}, hours],
        "tariff_id": f"{cdr.tariff_id}@{cdr.tariff_version}",
    }


def _costs(cdr: Cdr, rated: RatedCdr) -> Row:
    """Totals of a CDR. Net costs of one kind carry four places: only the total is rounded to the minor unit."""
    vat = 100 + Decimal(rated.vat_percent)

    def part(component: str) -> Row | None:
        lines = [line.amount for line in rated.lines if line.component == component]
        gross = _major(sum(lines), rated.currency)
        return {"excl_vat": _four(gross * 100 / vat), "incl_vat": gross} if any(lines) else None

    kinds = (("total_fixed_cost", "start"), ("total_energy_cost", "energy"), ("total_parking_cost", "idle"))
    costs = {name: part(component) for name, component in kinds}
    return {
        "total_cost": _price(rated.net, rated.gross, rated.currency),
        **{name: cost for name, cost in costs.items() if cost is not None},
        "total_energy": abs(cdr.kwh),
        "total_time": _hours(cdr.stopped_at - cdr.started_at),
        "total_parking_time": _hours(cdr.idle_seconds * 1000),
    }


def _price(net: int, gross: int, currency: str) -> Row:
    return {"excl_vat": _major(net, currency), "incl_vat": _major(gross, currency)}


def _major(minor: int, currency: str) -> Decimal:
    """Minor units as an exact amount in major ones: 540 EUR cents are 5.40."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def _four(amount: Decimal) -> Decimal:
    return amount.quantize(_FOUR, ROUND_HALF_UP)


def _hours(ms: int) -> Decimal:
    return _four(Decimal(ms) / HOUR)


def _nature(text: str) -> str:
    """What a signed record says of its session, by the marks of its readings."""
    plain = _plain(text).replace(" ", "")
    if any(f'"TX":"{mark}"' in plain for mark in "ELRAP"):
        return "End"
    return "Start" if '"TX":"B"' in plain else "Intermediate"


def _plain(text: str) -> str:
    """The data section of an OCMF text, between `OCMF|` and the signature."""
    return text.removeprefix("OCMF|").rsplit("|", 1)[0]


def _words(tariff: Tariff) -> str:
    """All terms of a tariff in one line, as they are: gross."""
    row: dict[str, Any] = tariff_to_row(tariff)
    said = [f"{band['price']} per kWh from {band['from']} to {band['to']}" for band in row["energy"]]
    said += [f"{row['start_fee']} per session"] if tariff.start_fee else []
    grace = f" after {tariff.idle_grace_s // 60} min" if tariff.idle_grace_s else ""
    said += [f"{row['idle_per_minute']} per minute of idle time{grace}"] if tariff.idle_per_minute else []
    said += [f"{value} % less on energy for {group}" for group, value in row["group_discounts"].items()]
    said += [f"nothing below {tariff.minimum_wh} Wh"] if tariff.minimum_wh else []
    return f"{tariff.currency}, {row['vat_percent']} % VAT included: {'; '.join(said)}"
