"""The instruction sheet: plain rows of owners, sites, stations, meters, tokens and tariffs, read into the store.

Rows (a `?` may be left out):
    owners    owner, currency, zone, name?, country?, tariff_id?, address?
    sites     site, owner, name?, tariff_id?
    stations  station, site, backend?, registration?, tariff_id?, power_w?, heartbeat_s?, configuration? {key: value},
              password? (16 to 40 characters; never shown again), security_profile? (0 to 3)
    meters    meter_id, station, connector, public_key, time_billing?, valid_from?, valid_to?, registered?
    tokens    token, status?, grp? (or group), customer?, mobile?, sites?, single?, expires_at?
    tariffs   see `pricing.tariffs`
A station row with another `backend` is known as a place only and gets 404 when it dials; one imported again without a
password keeps the one it has. A meter row with `registered` false is left out: its key is not in this registry. Wrong
rows raise BadInput; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reference_csms import records
from reference_csms.guard import BASIC, TLS_BASIC, UNSECURED
from reference_csms.passwords import sealed
from reference_csms.pricing.tariffs import Tariff, tariff_from_row
from reference_csms.records import METERS, OWNERS, SITES, STATIONS, TARIFFS, TOKENS, Meter, Owner, Site, Station, Token
from reference_csms.shapes import reading
from reference_csms.storage.port import Store, Table, put
from sim.backend import Row
from sim.clock import Instant, parse_iso, zone
from sim.errors import BadInput

Transform = Callable[[Sequence[Row]], Sequence[Row]]

WHATS = ("owners", "tariffs", "sites", "stations", "meters", "tokens")
TIME_BILLING = ("none", "duration", "absolute")
_STATUSES = {"accepted": "Accepted", "blocked": "Blocked", "expired": "Expired", "invalid": "Invalid"}
_POLICIES = {
    "accepted": records.ACCEPT,
    "unknown": records.ACCEPT,
    "pending": records.HOLD,
    "rejected": records.REJECT,
    "closed": records.CLOSE,
}


def as_given(rows: Sequence[Row]) -> Sequence[Row]:
    """The default for the parts `tariffs` and `tokens`: rows are taken over as they stand."""
    return rows


class Provisioner:
    """Writes rows of the instruction sheet into the store. Loading the same rows again changes nothing."""

    def __init__(self, store: Store, backend: str, tariffs: Transform = as_given, tokens: Transform = as_given) -> None:
        self._store = store
        self._backend = backend
        self._transforms = {"tariffs": tariffs, "tokens": tokens}

    def load(self, provision: Mapping[str, Sequence[Row]]) -> None:
        """Everything at once, at the first start. Raises BadInput."""
        for what in WHATS:
            self._take(what, provision.get(what, ()), first=True)

    def take(self, what: str, rows: Sequence[Row]) -> int:
        """Rows of one kind that an operator hands over, all of them or none; returns how many. Raises BadInput."""
        if what not in WHATS:
            raise BadInput("import", "what", f"{what!r} is unknown", WHATS)
        self._take(what, rows, first=False)
        return len(rows)

    def _take(self, what: str, rows: Sequence[Row], first: bool) -> None:
        transform = self._transforms.get(what, as_given)
        table, read = _READ[what] if what != "stations" else (STATIONS, lambda row: self._station(row, first))
        read_rows: list[Struct | None] = []
        for n, row in enumerate(transform(rows)):
            with reading(what, n):
                read_rows.append(read(RowReader(what, n, row)))
        for one in read_rows:
            if one is not None:
                put(self._store, table, one)

    @staticmethod
    def _login(row: RowReader) -> tuple[str | None, int]:
        """What is kept of a password, and the security profile: 1 for a station that has one and says nothing else."""
        password, profile = row.maybe("password"), row.maybe_whole("security_profile")
        if password is not None and not 16 <= len(password) <= 40:
            raise row.wrong("password", f"has {len(password)} characters", "16 to 40 characters")
        if profile is None:
            profile = BASIC if password is not None else UNSECURED
        if profile not in range(4):
            raise row.wrong("security_profile", f"{profile} is unknown", "0, 1, 2, 3")
        if profile in (BASIC, TLS_BASIC) and password is None:
            raise row.wrong("password", f"is missing for security profile {profile}", "16 to 40 characters")
        return (sealed(row.text("station"), password) if password is not None else None), profile

    def _station(self, row: RowReader, first: bool) -> Station:
        """At the first start the row's own word counts; what is imported later is meant for this back-end."""
        policy = row.one_of("registration", _POLICIES, "accepted")
        if first and row.maybe("backend") not in (None, self._backend):
            policy = records.FOREIGN
        secret, profile = self._login(row)
        fresh = Station(
            station=row.text("station"),
            site=row.text("site"),
            policy=policy,
            registration=records.UNKNOWN,
            tariff_id=row.maybe("tariff_id", "tariff"),
            configuration={str(key): str(value) for key, value in (row.row.get("configuration") or {}).items()},
            power_w=row.maybe_whole("power_w"),
            heartbeat_s=row.maybe_whole("heartbeat_s"),
            secret=secret,
            security_profile=profile,
        )
        known = self._store.get(STATIONS, fresh.station)
        if known is None:
            return fresh
        if known.policy not in (records.CLOSE, records.FOREIGN):
            fresh = replace(fresh, policy=known.policy, registration=known.registration)
        if fresh.secret is None and row.maybe_whole("security_profile") is None:
            fresh = replace(fresh, secret=known.secret, security_profile=known.security_profile)
        return replace(fresh, boots=known.boots, first_seen=known.first_seen, boot=known.boot)


class RowReader:
    """One row, and where it stands. Each method raises BadInput with place and what is allowed."""

    def __init__(self, what: str, n: int, row: Row) -> None:
        self.what = what
        self.n = n
        self.row = row

    def wrong(self, name: str, problem: str, allowed: object) -> BadInput:
        return BadInput("provision", f"{self.what}[{self.n}].{name}", problem, str(allowed))

    def text(self, name: str) -> str:
        value = self.row.get(name)
        if value is None or value == "":
            raise self.wrong(name, "is missing", "a text")
        return str(value)

    def maybe(self, *names: str) -> str | None:
        for name in names:
            value = self.row.get(name)
            if value is not None and value != "":
                return str(value)
        return None

    def whole(self, name: str) -> int:
        value = self.row.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, f"{value!r} is no whole number", "1, 2, ...")
        return value

    def maybe_whole(self, name: str) -> int | None:
        return None if self.row.get(name) is None else self.whole(name)

    def instant(self, name: str) -> Instant | None:
        value: Any = self.row.get(name)
        try:
            return None if value is None else parse_iso(value) if isinstance(value, str) else Instant(int(value))
        except ValueError:
            raise self.wrong(name, f"{value!r} is no instant", "milliseconds or an RFC 3339 text") from None

    def zone(self, name: str) -> str:
        value = self.text(name)
        try:
            zone(value)
        except ValueError as err:
            raise self.wrong(name, str(err), "an IANA time zone") from None
        return value

    def one_of(self, name: str, allowed: Mapping[str, str], default: str) -> str:
        value = str(self.row.get(name) or default).lower()
        if value not in allowed:
            raise self.wrong(name, f"{value!r} is unknown", ", ".join(allowed))
        return allowed[value]


def _owner(row: RowReader) -> Owner:
    return Owner(
        owner=row.text("owner"),
        name=row.maybe("name") or row.text("owner"),
        country=row.maybe("country") or "",
        currency=row.text("currency"),
        zone=row.zone("zone"),
        tariff_id=row.maybe("tariff_id", "tariff"),
        address=row.maybe("address") or "",
    )


def _site(row: RowReader) -> Site:
    return Site(
        site=row.text("site"),
        name=row.maybe("name") or row.text("site"),
        owner=row.text("owner"),
        tariff_id=row.maybe("tariff_id", "tariff"),
    )


def _tariff(row: RowReader) -> Tariff:
    return tariff_from_row(row.row, "tariffs")


def _token(row: RowReader) -> Token:
    sites = row.row.get("sites")
    return Token(
        key=row.text("token").upper(),
        token=row.text("token"),
        status=row.one_of("status", _STATUSES, "accepted"),
        grp=row.maybe("grp", "group"),
        customer=row.maybe("customer") or row.text("token"),
        mobile=row.maybe("mobile"),
        sites=None if sites is None else tuple(str(site) for site in sites),
        single=bool(row.row.get("single", False)),
        expires_at=row.instant("expires_at"),
    )


def _meter(row: RowReader) -> Meter | None:
    if row.row.get("registered") in (False, 0):
        return None
    valid_from = row.instant("valid_from") or Instant(0)
    meter_id, station, connector = row.text("meter_id"), row.text("station"), row.whole("connector")
    return Meter(
        key_id=f"{meter_id}/{station}*{connector}/{valid_from}",
        meter_id=meter_id,
        station=station,
        connector=connector,
        public_key=row.text("public_key"),
        time_billing=row.one_of("time_billing", {name: name for name in TIME_BILLING}, "none"),
        valid_from=valid_from,
        valid_to=row.instant("valid_to"),
    )


_READ: dict[str, tuple[Table[Any], Callable[[RowReader], Struct | None]]] = {
    "owners": (OWNERS, _owner),
    "sites": (SITES, _site),
    "tariffs": (TARIFFS, _tariff),
    "tokens": (TOKENS, _token),
    "meters": (METERS, _meter),
}
