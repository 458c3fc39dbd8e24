"""A sample export to try an audit with: honest charges, and errors planted in some of them.

The same bytes every time. `planted.json` lists what is wrong, so that anybody can see that an audit finds that and
nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from scenarios.audit.sample import (
    CHARGES,
    SEED,
    TARIFFS,
    ZONE,
    Planted,
    Sample,
    honest_sample,
    price,
    put_on_invoice,
    signed_text,
    tariff_at,
)
from scenarios.outfolder import must_be_new, write_new
from sim.clock import Instant, iso, parse_iso
from sim.rng import derive
from sim.wire import keys, ocmf

_CENT = Decimal("0.01")
_RESERVED = (7, 9, 10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 44)
"""Records with an error that is not one of price."""


def write_sample(folder: Path) -> list[dict[str, str]]:
    """Write the sample to a new folder and tell what is planted. Raises BadInput for a folder that is there."""
    must_be_new(folder, "--sample")
    made = honest_sample()
    for plant in PLANTS:
        plant(made)
    planted = [{name: getattr(one, name) for name in one.__struct_fields__} for one in made.planted]
    registry = [
        {"meter": meter, "key": keys.public_key_hex(key)}
        for meter, key in made.keys.items()
        if meter != "M-UNREGISTERED"
    ]
    lines = [{**line, "total_net": line["net"], "total_gross": line["gross"]} for line in made.lines]
    files = {
        "cdrs.json": _json({"data": made.cdrs}),
        "tariffs.json": _json({"data": list(TARIFFS)}),
        "sessions.json": _json({"data": made.sessions}),
        "keys.json": _json({"meters": registry}),
        "invoice_lines.csv": _csv(("number", "cdr_id", "total_net", "total_gross"), lines),
        "invoices.csv": _csv(("number", "total_net", "total_vat", "total_gross"), list(made.invoices.values())),
        "audit.toml": f'name = "sample export"\nzone = "{ZONE}"\npolicy = "ocpi"\n',
        "planted.json": _json(planted),
    }
    write_new(folder, files, "--sample")
    return planted


def _json(data: Any) -> str:
    def plain(value: Any) -> Any:
        if isinstance(value, Decimal):
            return float(value)
        raise TypeError(type(value))

    return json.dumps(data, indent=1, default=plain) + "\n"


def _csv(names: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    return "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]) + "\n"


def _billed(made: Sample, number: int) -> dict[str, Any]:
    """Write the invoice line of a record again, after its price was changed, and the sums."""
    row = made.cdr(number)
    made.reprice(made.line(row["id"]), row["total_cost"]["excl_vat"], row["total_cost"]["incl_vat"])
    return row


def _priced_wrongly(kind: str, what: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Sample], None]:
    """A mistake in the price of the first record that shows it and is not needed for anything else."""

    def plant(made: Sample) -> None:
        taken = {one.subject for one in made.planted}
        for number in range(1, CHARGES + 1):
            row = made.cdr(number)
            before = {**row}
            if number not in _RESERVED and row["id"] not in taken:
                change(row)
                if row["total_cost"] != before["total_cost"]:
                    _billed(made, number)
                    made.planted.append(Planted("A01", row["id"], what, kind))
                    return
                row.update(before)
        raise AssertionError(f"no record shows {what}")

    return plant


def _by_old_version(row: dict[str, Any]) -> None:
    price(row, TARIFFS[0])


def _by_utc(row: dict[str, Any]) -> None:
    price(row, tariff_at(row["charging_periods"][0]["tariff_id"], parse_iso(row["start_date_time"])), "UTC")


def _without_steps(row: dict[str, Any]) -> None:
    price(row, tariff_at(row["charging_periods"][0]["tariff_id"], parse_iso(row["start_date_time"])), steps=False)


def _changed(row: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    price(row, change(tariff_at(row["charging_periods"][0]["tariff_id"], parse_iso(row["start_date_time"]))))


def _vat_25(tariff: dict[str, Any]) -> dict[str, Any]:
    elements = [
        {**one, "price_components": [{**part, "vat": Decimal(25)} for part in one["price_components"]]}
        for one in tariff["elements"]
    ]
    return {**tariff, "elements": elements}


def _no_idle(tariff: dict[str, Any]) -> dict[str, Any]:
    first = tariff["elements"][0]
    kept = [part for part in first["price_components"] if part["type"] != "PARKING_TIME"]
    return {**tariff, "elements": [{**first, "price_components": kept}, *tariff["elements"][1:]]}


def _a_cent_less(row: dict[str, Any]) -> None:
    """Cut instead of rounded; the parts stay."""
    exact = {
        side: sum((row[f"total_{part}_cost"][side] for part in ("fixed", "energy", "parking")), Decimal(0))
        for side in ("excl_vat", "incl_vat")
    }
    row["total_cost"] = {side: amount.quantize(_CENT, "ROUND_DOWN") for side, amount in exact.items()}


def _more(row: dict[str, Any]) -> None:
    for name in ("total_cost", "total_energy_cost"):
        row[name] = {
            "excl_vat": row[name]["excl_vat"] + Decimal("1.23"),
            "incl_vat": row[name]["incl_vat"] + Decimal("1.46"),
        }


def _twice(made: Sample) -> None:
    row = {**made.cdr(7), "id": "CDR-907"}
    made.cdrs.append(row)
    put_on_invoice(made, row, "INV-1")
    made.planted.append(Planted("A02", "S-007", "session S-007 has a second record CDR-907"))


def _lost(made: Sample) -> None:
    made.cdrs.remove(made.cdr(44))
    made.drop_line("CDR-044")
    made.planted.append(Planted("A03", "S-044", "session S-044 never became a record"))


def _from_nowhere(made: Sample) -> None:
    made.sessions[:] = [one for one in made.sessions if one["id"] != "S-012"]
    made.planted.append(Planted("A03", "CDR-012", "the session of CDR-012 is not known"))


def _overlapping(made: Sample) -> None:
    """Two charges at one connector at the same time: one is moved to the other's place."""
    row, other = made.cdr(20), made.cdr(21)
    row["cdr_location"] = {**row["cdr_location"], "evse_id": other["cdr_location"]["evse_id"]}
    start = parse_iso(other["start_date_time"]) + 600_000
    if not start < parse_iso(row["end_date_time"]) or not parse_iso(row["start_date_time"]) < parse_iso(
        other["end_date_time"]
    ):
        by = parse_iso(other["start_date_time"]) - parse_iso(row["start_date_time"]) + 36_000
        row["start_date_time"], row["end_date_time"] = (
            iso(Instant(parse_iso(row[name]) + by)) for name in ("start_date_time", "end_date_time")
        )
        for one in row["charging_periods"]:
            one["start_date_time"] = iso(Instant(parse_iso(one["start_date_time"]) + by))
        price(row, tariff_at("PUBLIC", parse_iso(row["start_date_time"])))
        _billed(made, 20)
    made.planted.append(
        Planted("A04", f"{other['cdr_location']['evse_id']}*1", "CDR-020 and CDR-021 are at one connector at one time")
    )


def _sign_again(made: Sample, number: int, meter: str, key: keys.PrivateKey, shift: int = 0, more: int = 0) -> None:
    """Another record in place of the one that was signed: registers `shift` Wh later, `more` Wh taken."""
    row = made.cdr(number)
    old = ocmf.parse(row["signed_data"]["signed_values"][0]["signed_data"])
    first, last = (int(reading.value * 1000) for reading in (old.readings[0], old.readings[-1]))
    times = [reading.at for reading in (old.readings[0], old.readings[-1])]
    place = int(row["cdr_location"]["evse_uid"][-1]) - 1
    record = signed_text(
        key,
        meter,
        place,
        int(old.pagination[1:]),
        (times[0], first + shift),
        (times[1], last + shift + more),
        row["session_id"],
    )
    row["signed_data"]["public_key"] = keys.public_key_hex(key)
    row["signed_data"]["signed_values"][0].update(signed_data=record, plain_data=record.split("|")[1])


def _gap(made: Sample) -> None:
    """A charge of meter 1 begins later on the register than the one before ended: nobody was billed for that."""
    for number in (31, 37, 43):
        _sign_again(made, number, "M-1", made.keys["M-1"], shift=1_250)
    made.planted.append(Planted("A05", "M-1", "1.25 kWh between CDR-025 and CDR-031 stand in no record"))


def _register_back(made: Sample) -> None:
    for number in (32, 38):
        _sign_again(made, number, "M-2", made.keys["M-2"], shift=-800)
    made.planted.append(Planted("A05", "M-2", "0.8 kWh stand in CDR-026 and in CDR-032"))


def _tampered(made: Sample) -> None:
    row = made.cdr(9)
    value = row["signed_data"]["signed_values"][0]
    value["signed_data"] = value["signed_data"].replace('"RV":', '"RV":1', 1)
    made.planted.append(Planted("A06", "CDR-009", "a digit of the signed register was added"))


def _foreign_key(made: Sample) -> None:
    key = keys.private_key(derive(SEED, "meter-key", "M-UNREGISTERED"))
    made.keys["M-UNREGISTERED"] = key
    _sign_again(made, 10, "M-UNREGISTERED", key)
    made.planted.append(Planted("A06", "CDR-010", "signed by a meter that nobody registered"))
    made.planted.append(Planted("A05", "M-4", "so what meter M-4 counted meanwhile stands in no record of its own"))


def _more_than_signed(made: Sample) -> None:
    row = made.cdr(11)
    last = [one for one in row["charging_periods"] if one["dimensions"][0]["type"] == "ENERGY"][-1]
    last["dimensions"][0]["volume"] += Decimal("0.5")
    row["total_energy"] += Decimal("0.5")
    price(row, tariff_at("PUBLIC", parse_iso(row["start_date_time"])))
    _billed(made, 11)
    made.planted.append(Planted("A07", "CDR-011", "half a kWh more is billed than was signed"))


def _parts(made: Sample) -> None:
    row = made.cdr(13)
    row["total_energy_cost"] = {name: amount + Decimal("0.50") for name, amount in row["total_energy_cost"].items()}
    made.planted.append(Planted("A08", "CDR-013", "the energy cost is 0.50 too high for the total"))


def _periods(made: Sample) -> None:
    row = made.cdr(14)
    row["total_energy"] += Decimal("0.25")
    made.planted.append(Planted("A08", "CDR-014", "the total energy is 0.25 kWh more than the periods have"))
    made.planted.append(Planted("A07", "CDR-014", "and more than was signed"))


def _invoice_sum(made: Sample) -> None:
    made.invoices["INV-3"]["total_net"] += 1
    made.invoices["INV-3"]["total_gross"] += 1
    made.planted.append(Planted("A09", "INV-3", "the invoice is 1.00 more than its lines"))


def _invoice_vat(made: Sample) -> None:
    made.invoices["INV-4"]["total_vat"] -= _CENT
    made.planted.append(Planted("A09", "INV-4", "net and VAT are a cent less than gross"))


def _other_amount(made: Sample) -> None:
    line = made.line("CDR-017")
    made.reprice(line, line["net"] + 2, line["gross"] + Decimal("2.38"))
    made.planted.append(Planted("A09", line["number"], "a line bills more than its record says"))


def _never_invoiced(made: Sample) -> None:
    made.drop_line("CDR-018")
    made.planted.append(Planted("A10", "CDR-018", "it stands on no invoice"))


def _invoiced_twice(made: Sample) -> None:
    put_on_invoice(made, made.cdr(19), "INV-6")
    made.planted.append(Planted("A10", "CDR-019", "it stands on two invoices"))


PLANTS: tuple[Callable[[Sample], None], ...] = (
    _priced_wrongly("rounding", "cut to the cent instead of rounded", _a_cent_less),
    _priced_wrongly("step", "the step size of idle time is not applied", _without_steps),
    _priced_wrongly("clock", "the price of the day is looked up by UTC", _by_utc),
    _priced_wrongly("idle", "idle time is not billed", lambda row: _changed(row, _no_idle)),
    _priced_wrongly("tax", "VAT of 25 % instead of 19 %", lambda row: _changed(row, _vat_25)),
    _priced_wrongly("tariff-version", "the old prices are taken", _by_old_version),
    _priced_wrongly("unexplained", "1.23 more, for no reason", _more),
    _twice, _lost, _from_nowhere, _overlapping, _gap, _register_back, _tampered, _foreign_key, _more_than_signed, _parts,
    _periods, _invoice_sum, _invoice_vat, _other_amount, _never_invoiced, _invoiced_twice,
)  # fmt: skip
