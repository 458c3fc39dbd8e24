"""`chargerig rate`: tariffs and records of files, in the forms that others write them, priced one by one.

A tariff file holds one tariff of OCPI or OCPP 2.1, a list of them, or an answer of an OCPI endpoint (`data`); a record file
one CDR or session, a list, an answer, or an object with `cdr` or `session`. No price is calculated here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from reference_csms.pricing.engine import Unrated, rate
from reference_csms.pricing.explain import as_json, text_of
from reference_csms.pricing.from_ocpi import ImportedCharge, ImportedTariff, charge_from_ocpi, tariff_from_ocpi
from reference_csms.pricing.from_ocpp import is_ocpp, tariff_from_ocpp
from reference_csms.pricing.model import Charge, Policy, Rated, Tariff
from reference_csms.pricing.reading import read_json
from sim.clock import iso
from sim.errors import BadInput


class Priced(Struct, frozen=True):
    """A record of a file and its price."""

    imported: ImportedCharge
    tariff: ImportedTariff
    rated: Rated
    policy: Policy
    notes: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        """As JSON."""
        said = {"excl_vat": self.imported.said_net, "incl_vat": self.imported.said_gross}
        return {
            "cdr_id": self.imported.charge_id,
            **as_json(self.rated, self.policy),
            "time_zone": self.imported.charge.zone,
            "record_says": {name: value for name, value in said.items() if value is not None} or None,
            "agrees": self.agrees(),
            "lost": list(self.tariff.lost),
            "notes": [*self.notes, *as_json(self.rated, self.policy)["notes"]],
        }

    def agrees(self) -> bool | None:
        """Whether the record says the same cost; None if it says none."""
        sides = ((self.imported.said_net, self.rated.net), (self.imported.said_gross, self.rated.gross))
        told = [(said, ours) for said, ours in sides if said is not None]
        return all(said == ours for said, ours in told) if told else None

    def text(self) -> list[str]:
        """For people."""
        head = f"charge {self.imported.charge_id or 'without an id'} from {iso(self.imported.charge.start)}"
        rows = [f"{head}, local times of {self.imported.charge.zone}"]
        rows += text_of(self.rated, self.tariff.tariff, self.policy)
        rows += [f"note: {note}" for note in self.notes]
        rows += [f"lost of the tariff: {one}" for one in self.tariff.lost]
        agrees = self.agrees()
        if agrees is not None:
            net, gross = self.imported.said_net, self.imported.said_gross
            gross_text = "" if gross is None else f", gross {gross}"
            rows.append(f"the record says net {net}{gross_text}: {'the same' if agrees else 'DIFFERENT'}")
        return rows


def price_files(tariff_file: Path | None, record_file: Path, policy: Policy, zone: str = "") -> list[Priced]:
    """Every record of a file with its price. Raises BadInput for what cannot be read or priced."""
    named = str(record_file)
    data = read_json(record_file)
    records = _rows(data, named, ("cdr", "session", "cdrs", "sessions"), ("charging_periods",))
    given = tariffs_of(read_json(tariff_file), str(tariff_file)) if tariff_file is not None else _beside(data, named)
    zone = zone or _zone_of(data)
    return [_price(given, row, named, place, policy, zone) for place, row in records]


def tariffs_of(data: Any, file: str) -> list[ImportedTariff]:
    """All tariffs of what a file holds."""
    found = [(place, row) for place, row in _rows(data, file, ("tariffs", "tariff"), ("elements", "tariffId"))]
    return [
        tariff_from_ocpp(row, file, place) if is_ocpp(row) else tariff_from_ocpi(row, file, place)
        for place, row in found
    ]


def _rows(data: Any, file: str, names: Sequence[str], marks: Sequence[str]) -> list[tuple[str, Any]]:
    """The objects of a file, each with its place. `marks`: fields that only the wanted objects themselves have."""
    place = ""
    if isinstance(data, Mapping) and not any(mark in data for mark in marks):
        for name in ("data", *names):
            if isinstance(data.get(name), (Mapping, list)):
                data, place = data[name], name
                break
    if isinstance(data, list):
        if not data:
            raise BadInput(file, place, "is an empty list", "at least one object")
        return [(f"{place}[{n}]", row) for n, row in enumerate(data)]
    return [(place, data)]


def _beside(data: Any, file: str) -> list[ImportedTariff]:
    """Tariffs that stand in a file of records beside them."""
    beside = isinstance(data, Mapping) and "charging_periods" not in data and data.get("tariffs")
    return tariffs_of(data, file) if beside else []


def _zone_of(data: Any) -> str:
    told = data.get("time_zone") if isinstance(data, Mapping) else None
    return told if isinstance(told, str) else ""


def _price(given: Sequence[ImportedTariff], row: Any, file: str, place: str, policy: Policy, zone: str) -> Priced:
    own = row.get("tariffs") if isinstance(row, Mapping) else None
    tariffs = list(given) or ([] if not own else tariffs_of(own, file))
    if not tariffs:
        raise BadInput(file, place, "holds no tariff, and none was given", "--tariff FILE")
    imported = charge_from_ocpi(row, file, zone, tariffs[0].tariff.currency, place)
    chosen, note = _chosen(tariffs, imported.charge)
    others = {one.tariff.tariff_id: one.tariff for one in tariffs}
    try:
        rated = rate(chosen.tariff, imported.charge, policy, others)
    except Unrated as err:
        raise BadInput(file, place, str(err), "tariffs and charges that fit each other") from None
    return Priced(imported, chosen, rated, policy, (*imported.notes, *note))


def _chosen(tariffs: Sequence[ImportedTariff], charge: Charge) -> tuple[ImportedTariff, tuple[str, ...]]:
    """The tariff of a charge: named by its first period, else the first that is valid at its start."""
    named = charge.periods[0].tariff_id
    for one in tariffs:
        if named and one.tariff.tariff_id == named:
            return one, ()
    if named and len(tariffs) > 1:
        raise BadInput("--tariff", "", f"no tariff {named!r} is among those given", _ids(tariffs))
    for one in tariffs:
        if _valid(one.tariff, charge.start):
            return one, ()
    return tariffs[0], (f"tariff {tariffs[0].tariff.tariff_id} is not valid at the start of the charge",)


def _valid(tariff: Tariff, at: int) -> bool:
    return (tariff.valid_from is None or tariff.valid_from <= at) and (tariff.valid_to is None or at < tariff.valid_to)


def _ids(tariffs: Sequence[ImportedTariff]) -> str:
    return ", ".join(one.tariff.tariff_id for one in tariffs)
