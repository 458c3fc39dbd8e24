"""The honest half of the sample export: forty-four charges of six meters, signed, priced, known as sessions and invoiced.

The same every time. Nothing in it is wrong; `planted` sees to that.
"""

from __future__ import annotations

import itertools
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Struct

from reference_csms.pricing.engine import rate
from reference_csms.pricing.from_ocpi import charge_from_ocpi, tariff_from_ocpi
from reference_csms.pricing.policies import policy_named
from sim.clock import HOUR, SECOND, Instant, iso, parse_iso, to_datetime, zone
from sim.rng import derive, stream
from sim.wire import keys, ocmf
from sim.wire.ocmf import Reading

ZONE = "Europe/Berlin"
SEED = 5
CHARGES = 44
_STEP = 36 * SECOND
"""Times are whole hundredths of an hour, so that no volume in hours repeats."""
_CENT = Decimal("0.01")
_NEW_PRICES = "2026-03-16T23:00:00Z"


def _tariff(name: str, version: dict[str, str], day: str, night: str) -> dict[str, Any]:
    def element(start: str, end: str, price: str) -> dict[str, Any]:
        return {
            "price_components": [{"type": "ENERGY", "price": Decimal(price), "vat": Decimal(19), "step_size": 1}],
            "restrictions": {"start_time": start, "end_time": end},
        }

    return {
        "country_code": "DE", "party_id": "EXA", "id": name, "currency": "EUR", **version,
        "elements": [
            {
                "price_components": [
                    {"type": "FLAT", "price": Decimal("0.35"), "vat": Decimal(19), "step_size": 1},
                    {"type": "PARKING_TIME", "price": Decimal("2.40"), "vat": Decimal(19), "step_size": 900},
                ],
            },
            element("06:00", "22:00", day),
            element("22:00", "06:00", night),
        ],
        "last_updated": "2026-01-01T00:00:00Z",
    }  # fmt: skip


TARIFFS = (
    _tariff("PUBLIC", {"end_date_time": _NEW_PRICES}, "0.41", "0.33"),
    _tariff("PUBLIC", {"start_date_time": _NEW_PRICES}, "0.45", "0.36"),
    _tariff("STAFF", {}, "0.29", "0.24"),
)


class Planted(Struct, frozen=True):
    """An error: which claim must find it, at what, and what was done."""

    check: str
    subject: str
    what: str
    kind: str = ""


class Sample:
    """The export while it is made: rows by file."""

    def __init__(self) -> None:
        self.cdrs: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.invoices: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, keys.PrivateKey] = {}
        self.planted: list[Planted] = []

    def cdr(self, number: int) -> dict[str, Any]:
        """The record of that number."""
        return next(row for row in self.cdrs if row["id"] == f"CDR-{number:03}")

    def line(self, cdr_id: str) -> dict[str, Any]:
        """The first line that bills a record."""
        return next(one for one in self.lines if one["cdr_id"] == cdr_id)

    def add(self, number: str, net: Decimal, gross: Decimal) -> None:
        """Add to the sums of an invoice, which is made if there is none."""
        sums = self.invoices.setdefault(
            number, {"number": number, "total_net": Decimal(0), "total_vat": Decimal(0), "total_gross": Decimal(0)}
        )
        sums["total_net"] += net
        sums["total_gross"] += gross
        sums["total_vat"] = sums["total_gross"] - sums["total_net"]

    def reprice(self, line: dict[str, Any], net: Decimal, gross: Decimal) -> None:
        """Another amount for a line, and for the invoice that it stands on."""
        self.add(line["number"], net - line["net"], gross - line["gross"])
        line["net"], line["gross"] = net, gross

    def drop_line(self, cdr_id: str) -> None:
        """Take the line of a record off its invoice."""
        line = self.line(cdr_id)
        self.lines.remove(line)
        self.add(line["number"], -line["net"], -line["gross"])


def honest_sample() -> Sample:
    """Charges of six meters over three weeks of March, before and after a change of prices and of the clock."""
    made = Sample()
    draw = stream(SEED, "audit-sample")
    free = {n: parse_iso("2026-03-12T05:00:00Z") + n * HOUR for n in range(6)}
    register = {n: 100_000 + 7_777 * n for n in range(6)}
    pages = dict.fromkeys(range(6), 0)
    for number in range(1, CHARGES + 1):
        place = (number - 1) % 6
        start = Instant(free[place] + draw.randrange(20, 500) * _STEP * 10)
        charging, idle = draw.randrange(60, 240) * _STEP, draw.choice((0, 0, draw.randrange(10, 90))) * _STEP
        energy = draw.randrange(4_000, 38_000)
        end = Instant(start + charging + idle)
        meter = f"M-{place + 1}"
        key = made.keys.setdefault(meter, keys.private_key(derive(SEED, "meter-key", meter)))
        name = f"S-{number:03}"
        tariff = "STAFF" if place == 5 else "PUBLIC"
        first = register[place]
        pages[place] += 1
        record = signed_text(key, meter, place, pages[place], (start, first), (end, first + energy), name)
        row = _cdr(number, name, place, tariff, start, charging, idle, energy, record, key)
        made.cdrs.append(row)
        made.sessions.append(_session(row, energy))
        register[place] += energy
        free[place] = end
        put_on_invoice(made, row, f"INV-{place + 1}")
    return made


def signed_text(
    key: keys.PrivateKey, meter: str, place: int, page: int, first: tuple[int, int], last: tuple[int, int], name: str
) -> str:
    """The signed record of a session: register in Wh at its begin and at its end."""
    readings = [Reading(Instant(at), "S", mark, Decimal(wh) / 1000) for (at, wh), mark in ((first, "B"), (last, "E"))]
    return ocmf.build(
        meter_id=meter, station_id=f"GW-{place + 1}", connector=1, pagination=page, id_tag=f"0{name[2:]}A1B2C3"[:8],
        id_type="ISO14443", readings=readings, key=key,
    )  # fmt: skip


def _cdr(
    number: int, name: str, place: int, tariff: str, start: int, charging: int, idle: int, energy: int, record: str,
    key: keys.PrivateKey,
) -> dict[str, Any]:  # fmt: skip
    """A record with its price, as an honest platform writes it."""
    full = start + charging
    cuts = sorted({start, *_changes(start, full), full})
    periods = []
    before = 0
    for at, until in itertools.pairwise(cuts):
        taken = energy if until == full else energy * (until - start) // charging
        periods.append(_period(at, ENERGY=Decimal(taken - before) / 1000, TIME=Decimal(until - at) / HOUR))
        before = taken
    if idle:
        periods.append(_period(full, PARKING_TIME=Decimal(idle) / HOUR))
    row: dict[str, Any] = {
        "country_code": "DE", "party_id": "EXA", "id": f"CDR-{number:03}",
        "start_date_time": iso(Instant(start)), "end_date_time": iso(Instant(full + idle)), "session_id": name,
        "cdr_token": {"uid": f"0{name[2:]}A1B2C3"[:8], "type": "RFID", "contract_id": f"DE-EXA-C{number:06}"},
        "auth_method": "WHITELIST",
        "cdr_location": {
            "id": "GARAGE", "name": "Garage", "country": "DEU", "evse_uid": f"EVSE-{place + 1}",
            "evse_id": f"DE*EXA*E{place + 1}", "connector_id": "1", "time_zone": ZONE,
        },
        "currency": "EUR", "charging_periods": [{**one, "tariff_id": tariff} for one in periods],
        "signed_data": {
            "encoding_method": "OCMF", "public_key": keys.public_key_hex(key),
            "signed_values": [{"nature": "End", "plain_data": record.split("|")[1], "signed_data": record}],
        },
        "total_energy": Decimal(energy) / 1000, "total_time": Decimal(charging + idle) / HOUR,
        "total_parking_time": Decimal(idle) / HOUR, "last_updated": iso(Instant(full + idle)),
    }  # fmt: skip
    price(row, tariff_at(tariff, start))
    return row


def _period(at: int, **volumes: Decimal) -> dict[str, Any]:
    dimensions = [{"type": kind, "volume": volume} for kind, volume in volumes.items() if volume]
    return {"start_date_time": iso(Instant(at)), "dimensions": dimensions}


def _changes(start: int, end: int) -> list[int]:
    """When the price changes: 06:00 and 22:00 on the wall, the night of the clock change included."""
    found = []
    at = start - start % HOUR + HOUR
    while at < end:
        if to_datetime(at, zone(ZONE)).hour in (6, 22):
            found.append(at)
        at += HOUR
    return found


def tariff_at(name: str, at: int) -> dict[str, Any]:
    """The version of a tariff at an instant."""
    change = parse_iso(_NEW_PRICES)
    mine = [one for one in TARIFFS if one["id"] == name]
    return mine[-1] if at >= change or len(mine) == 1 else mine[0]


def price(row: dict[str, Any], tariff: dict[str, Any], zone_name: str = ZONE, steps: bool = True) -> None:
    """Put the price of this tariff and its parts into a record."""
    wanted = policy_named("ocpi" if steps else "per-invoice")
    imported = tariff_from_ocpi(tariff, "sample").tariff
    rated = rate(imported, charge_from_ocpi(row, "sample", zone_name).charge, wanted)
    row["total_cost"] = {"excl_vat": rated.net, "incl_vat": rated.gross}
    for part, dimension in (("fixed", "flat"), ("energy", "energy"), ("parking", "idle")):
        lines = [line for line in rated.lines if line.dimension == dimension]
        net, gross = (sum((getattr(line, side) for line in lines), Decimal(0)) for side in ("exact_net", "exact_gross"))
        row[f"total_{part}_cost"] = {"excl_vat": _four(net), "incl_vat": _four(gross)}


def _four(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def _session(row: dict[str, Any], energy: int) -> dict[str, Any]:
    return {
        "id": row["session_id"], "start_date_time": row["start_date_time"], "end_date_time": row["end_date_time"],
        "kwh": Decimal(energy) / 1000, "evse_uid": row["cdr_location"]["evse_uid"], "connector_id": "1",
        "status": "COMPLETED", "currency": "EUR",
    }  # fmt: skip


def put_on_invoice(made: Sample, row: dict[str, Any], number: str) -> None:
    """A line for a record on the invoice of that number, and the sums of it."""
    net, gross = row["total_cost"]["excl_vat"], row["total_cost"]["incl_vat"]
    made.lines.append({"number": number, "cdr_id": row["id"], "net": net, "gross": gross})
    made.add(number, net, gross)
