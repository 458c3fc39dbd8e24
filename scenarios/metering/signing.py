"""`chargerig ocmf sign`: a record from options, with a key drawn from a seed. The same options give the same bytes."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from sim.clock import Instant, parse_iso
from sim.errors import BadInput, unknown
from sim.rng import derive
from sim.wire import keys, ocmf
from sim.wire.ocmf import Reading
from sim.wire.ocmf_wrap import WAYS, wrap_as

CURVES = {name.removeprefix("ECDSA-").removesuffix("-SHA256"): name for name in keys.ALGORITHMS}
_BARE = "bare"


class Wish(Struct, frozen=True, kw_only=True):
    """What the options ask for; `payload` is signed as it is if it is given. Values are texts in kWh, times RFC 3339."""

    payload: str
    curve: str
    seed: int
    meter: str
    station: str
    connector: int
    page: int
    id_tag: str
    id_type: str
    begin: str
    end: str
    first: str
    last: str
    clock: str
    tariff_text: str
    encoding: str
    way: str


class Signed(Struct, frozen=True):
    """The record, wrapped as was asked, and the key to verify it with."""

    record: str
    public_key: str
    algorithm: str

    def told(self) -> dict[str, Any]:
        """For machines."""
        return {"record": self.record, "public_key": self.public_key, "algorithm": self.algorithm}


def sign(wish: Wish) -> Signed:
    """Sign what is wished. Raises BadInput for a wish that no meter would fulfil."""
    if wish.curve not in CURVES:
        raise BadInput("command line", "--curve", *unknown("curve", wish.curve, CURVES))
    if wish.way != _BARE and wish.way not in WAYS:
        raise BadInput("command line", "--as", *unknown("way", wish.way, (_BARE, *WAYS)))
    key = keys.private_key(derive(wish.seed, "meter-key", wish.meter), CURVES[wish.curve])
    try:
        text = ocmf.seal(wish.payload, key, encoding=wish.encoding) if wish.payload else _session(wish, key)
    except ValueError as err:
        raise BadInput("command line", None, str(err), "see `chargerig ocmf sign --help`") from None
    record = text if wish.way == _BARE else wrap_as(wish.way, text)
    return Signed(record, keys.public_key_hex(key), keys.algorithm_of(key))


def _session(wish: Wish, key: keys.PrivateKey) -> str:
    readings = [
        Reading(_time(at, option), wish.clock, mark, _number(value, where))
        for at, option, mark, value, where in (
            (wish.begin, "--begin", "B", wish.first, "--from"),
            (wish.end, "--end", "E", wish.last, "--to"),
        )
    ]
    return ocmf.build(
        meter_id=wish.meter,
        station_id=wish.station,
        connector=wish.connector,
        pagination=wish.page,
        id_tag=wish.id_tag,
        id_type=wish.id_type,
        readings=readings,
        key=key,
        tariff_text=wish.tariff_text,
        encoding=wish.encoding,
    )


def _time(text: str, option: str) -> Instant:
    try:
        return parse_iso(text)
    except ValueError:
        raise BadInput("command line", option, f"{text!r} is no time", "2026-03-02T08:00:00Z") from None


def _number(text: str, option: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadInput("command line", option, f"{text!r} is no number", "kWh, as 1234.500") from None
