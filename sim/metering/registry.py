"""The key registry as a file: which key a meter signs with, where it is built in, from when to when, and what its clock may
be used for.

A key that came along with a record is compared with the registered one and never trusted. Nothing here checks a
signature. Sources: reference ocmf §1.3 (serial and key), §6 (duties of operators).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

from sim.clock import Instant, iso, parse_iso
from sim.errors import BadInput
from sim.wire.keys import ALGORITHMS, DEFAULT_ALGORITHM, BadKey, WrongCurve, public_key
from sim.wire.ocmf_parse import Record

TimeBilling = Literal["none", "duration", "absolute"]
ALLOWED = (
    "JSON or TOML with a list `meters` (of meter, key, and if known gateway, station, connector, point, algorithm, model, "
    'valid_from, valid_to, time_billing), or {"METER": "KEY"}, or lines as METER KEY'
)
_NAMES = {"meter", "gateway", "station", "connector", "point", "key", "algorithm", "model"}
_NAMES |= {"valid_from", "valid_to", "time_billing"}
_TIME_BILLING = ("none", "duration", "absolute")


class Entry(Struct, frozen=True, kw_only=True):
    """One key of one meter. Empty texts, connector 0 and missing times mean that nothing is known and all fits.

    `meter` and `gateway` are what records name as MS and GS, `point` their CI, `station` and `connector` where the meter
    is built in. `valid_to` is exclusive; `algorithm` is needed for a key that is a bare point. `time_billing` is what the
    type approval allows the clock to be used for.
    """

    meter: str
    key: str
    gateway: str = ""
    station: str = ""
    connector: int = 0
    point: str = ""
    algorithm: str = ""
    model: str = ""
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    time_billing: TimeBilling = "none"

    def fits_time(self, at: Instant) -> bool:
        """Whether the key is valid at an instant."""
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    def fits_place(self, station: str, connector: int) -> bool:
        """Whether the meter is at this station and connector, as far as both are known."""
        return station in ("", self.station or station) and connector in (0, self.connector or connector)


class Missing(Struct, frozen=True):
    """Why there is no key: `code` is unregistered, expired, elsewhere or gateway; `text` is for an operator."""

    code: str
    text: str


class Registry:
    """The entries, looked up by what a record names and where and when it was made."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._by_name: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for name in dict.fromkeys((entry.meter, entry.gateway, entry.point)):
                if name:
                    self._by_name.setdefault(name, []).append(entry)

    def find(self, record: Record, at: Instant, station: str = "", connector: int = 0) -> Entry | Missing:
        """The entry for a record. A meter that signs is known by MS, a gateway by GS, or both together, or by CI."""
        name = record.meter_id or record.station_id or _point(record)
        known = self._by_name.get(name, [])
        if not known and not record.meter_id:
            known = self._by_name.get(_point(record), [])
        if not known:
            return Missing("unregistered", f"no key is registered for meter {name[:64] or '(none named)'}")
        paired = [entry for entry in known if _same_gateway(entry, record)]
        if not paired:
            return Missing("gateway", f"meter {name[:64]} is registered behind another gateway")
        here = [entry for entry in paired if entry.fits_place(station, connector)]
        if not here:
            places = ", ".join(f"{entry.station}*{entry.connector}" for entry in paired[:4])
            return Missing("elsewhere", f"meter {name[:64]} is registered at {places}, not at {station}*{connector}")
        for entry in reversed(here):
            if entry.fits_time(at):
                return entry
        return Missing("expired", f"no key of meter {name[:64]} is valid at {iso(at)[:19]}Z")

    def others_at(self, station: str) -> Sequence[Entry]:
        """The other meters of a station, to say whose signature one really is; all if the station is not known."""
        return [entry for entry in self.entries if station in ("", entry.station or station)][:64]


def _point(record: Record) -> str:
    point = record.fields.get("CI")
    return point if isinstance(point, str) else ""


def _same_gateway(entry: Entry, record: Record) -> bool:
    if entry.gateway and record.station_id and entry.gateway != record.station_id:
        return False
    return not (record.meter_id and entry.meter != record.meter_id)


def read_registry(text: str, file: str) -> Registry:
    """The registry of a file's text. Raises BadInput, which names the entry and what is allowed."""
    bare = text.lstrip()
    if bare.startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as err:
            raise BadInput(file, None, f"is no JSON ({err})", ALLOWED) from None
    elif bare.startswith("[") or "=" in text.partition("\n")[0]:
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as err:
            raise BadInput(file, None, f"is no TOML ({err})", ALLOWED) from None
    else:
        data = _from_lines(text, file)
    entries = [_entry(*row, file) for row in _rows(data, file)]
    if not entries:
        raise BadInput(file, None, "holds no key", ALLOWED)
    return Registry(entries)


def _from_lines(text: str, file: str) -> dict[str, str]:
    keys = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words and len(words) != 2:
            raise BadInput(file, f"line {number}", f"has {len(words)} words", ALLOWED)
        if words:
            keys[words[0]] = words[1]
    return keys


def _rows(data: dict[str, Any], file: str) -> Iterable[tuple[str, dict[str, Any]]]:
    models = data.get("models", {})
    rows = data.get("meters", data.get("meter"))
    if rows is None:
        wrong = next((name for name, key in data.items() if not isinstance(key, str)), None)
        if wrong is not None:
            raise BadInput(file, wrong, "is no key", ALLOWED)
        return [(name, {"meter": name, "key": key}) for name, key in data.items()]
    if not isinstance(rows, list) or not isinstance(models, dict):
        raise BadInput(file, "meters", "is no list", ALLOWED)
    found = []
    for number, row in enumerate(rows, start=1):
        place = f"meters, entry {number}"
        if not isinstance(row, dict):
            raise BadInput(file, place, "is no table", ALLOWED)
        rule = models.get(row.get("model", ""), {})
        found.append((place, {**(rule if isinstance(rule, dict) else {}), **row}))
    return found


def _entry(place: str, row: dict[str, Any], file: str) -> Entry:
    unknown = sorted(row.keys() - _NAMES)
    if unknown:
        raise BadInput(file, f"{place}, {unknown[0]}", "is not known", sorted(_NAMES))
    texts = {}
    for name in _NAMES - {"connector", "valid_from", "valid_to"}:
        value = row.get(name, "none" if name == "time_billing" else "")
        if not isinstance(value, str):
            raise BadInput(file, f"{place}, {name}", "is no text", "a text")
        texts[name] = value
    if not texts["meter"] and not texts["gateway"] and not texts["point"]:
        raise BadInput(file, place, "names no meter, gateway or point", ALLOWED)
    if texts["time_billing"] not in _TIME_BILLING:
        raise BadInput(file, f"{place}, time_billing", f"is {texts['time_billing']!r}", _TIME_BILLING)
    if texts["algorithm"] and texts["algorithm"] not in ALGORITHMS:
        raise BadInput(file, f"{place}, algorithm", f"is {texts['algorithm']!r}", list(ALGORITHMS))
    connector = row.get("connector", 0)
    if not isinstance(connector, int) or isinstance(connector, bool) or connector < 0:
        raise BadInput(file, f"{place}, connector", "is no number of a connector", "0, 1, 2, …")
    try:
        public_key(texts["key"], texts["algorithm"] or DEFAULT_ALGORITHM)
    except WrongCurve:
        if texts["algorithm"]:
            raise BadInput(file, f"{place}, key", "does not lie on the curve of its algorithm", ALLOWED) from None
    except BadKey as bad:
        raise BadInput(file, f"{place}, key", str(bad), "hex, base64 or PEM as printed on the meter") from None
    times = {name: _moment(row.get(name), f"{place}, {name}", file) for name in ("valid_from", "valid_to")}
    return Entry(connector=connector, **times, **texts)  # type: ignore[arg-type]


def _moment(value: Any, place: str, file: str) -> Instant | None:
    if value is None:
        return None
    try:
        text = value if isinstance(value, str) else value.isoformat()
        return parse_iso(f"{text}T00:00:00Z" if len(text) == 10 else text.replace("+00:00", "Z"))
    except (ValueError, AttributeError):
        raise BadInput(file, place, "is no time", "2026-01-31 or 2026-01-31T12:00:00Z") from None
