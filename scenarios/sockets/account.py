"""What a back-end with our API kept of what a fleet did: driven, stored and billed apart, and every session that is missing.

An answer on the wire proves nothing: it is compared with the books. Sessions are matched by station, connector and
energy in Wh, as many times as they occur.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from fleet.rig import RigConfig, meters_of
from scenarios.targets.http import Http
from sim.backend import Row
from sim.clock import Instant

BILLED_WITHIN_S = 15.0
_LOOK_AGAIN_S = 0.5
_PAGE = 1000
_ROWS_AT_ONCE = 500


class Account(Struct, frozen=True):
    """Sessions of a fleet in the books. `driven` have ended and left no message waiting at their station.

    `lost` and `extra` name sessions that are missing or too many, `wrong` those with another energy.
    """

    driven: int
    stored: int
    billed: int
    quarantined: int
    lost: tuple[str, ...]
    extra: tuple[str, ...]
    wrong: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the books hold exactly what was driven."""
        return not (self.lost or self.extra or self.wrong)


def provision(http: Http, configs: Sequence[RigConfig], tokens: Sequence[str], site: str) -> None:
    """Make stations, their meters' keys and tokens known. Raises BadInput."""
    stations: list[Row] = [{"station": one.station, "site": site, "power_w": one.max_power_w} for one in configs]
    meters = [{**meter, "station": one.station} for one in configs for meter in meters_of(one)]
    cards: list[Row] = [{"token": token, "customer": token} for token in tokens]
    for what, rows in (("stations", stations), ("meters", meters), ("tokens", cards)):
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            http.post_json(f"/{what}", {"rows": rows[start : start + _ROWS_AT_ONCE]})


def walk(http: Http, path: str) -> Iterator[Row]:
    """All rows of a list, page by page."""
    cursor: str | None = None
    while True:
        page: Any = http.get_json(path, {"limit": _PAGE, **({"after": cursor} if cursor else {})})
        yield from page["rows"]
        cursor = page["next"]
        if not cursor:
            return


def account(
    http: Http,
    driven: Sequence[Mapping[str, Any]],
    waiting: Sequence[str],
    since: Instant,
    patience_s: float = BILLED_WITHIN_S,
) -> Account:
    """Compare. `driven` are rows of `truth_sessions`, `waiting` the stations that still have something to deliver.

    `since`: sessions that the books say began earlier belong to another run. Bills are written a while after their
    session, so as long as some are missing it looks again, for so many seconds at most.
    """
    until = time.monotonic() + patience_s
    while True:
        found = _compare(http, driven, waiting, since)
        if found.billed + found.quarantined >= found.stored or time.monotonic() > until:
            return found
        time.sleep(_LOOK_AGAIN_S)


def _compare(http: Http, driven: Sequence[Mapping[str, Any]], waiting: Sequence[str], since: Instant) -> Account:
    unsettled = set(waiting)
    mine = {str(row["station"]) for row in driven}
    told = [row for row in driven if row["station"] not in unsettled]
    books = [
        row
        for row in walk(http, "/sessions")
        if row["station"] in mine and row["station"] not in unsettled and row["started_at"] >= since
    ]
    ended = [row for row in books if row["stopped_at"] is not None]
    wanted = Counter(_key(row, int(row["register_stop"]) - int(row["register_start"])) for row in told)
    kept = Counter(_key(row, row["energy_wh"]) for row in ended)
    missing, surplus = wanted - kept, kept - wanted
    # the same station and connector on both sides is one session with another energy, not one lost and one too many
    wrong: list[str] = []
    for key in sorted(missing.elements()):
        twin = next((other for other in sorted(surplus) if other[:2] == key[:2] and surplus[other] > 0), None)
        if twin is not None:
            missing[key] -= 1
            surplus[twin] -= 1
            wrong.append(f"{key[0]}*{key[1]}: {twin[2]} Wh in the books, {key[2]} Wh at the meter")
    return Account(
        driven=len(told),
        stored=len(ended),
        billed=sum(row["state"] in ("billed", "free") for row in ended),
        quarantined=sum(row["state"] == "quarantined" for row in ended),
        lost=tuple(f"{key[0]}*{key[1]}, {key[2]} Wh" for key in sorted((+missing).elements())),
        extra=tuple(f"{key[0]}*{key[1]}, {key[2]} Wh" for key in sorted((+surplus).elements())),
        wrong=tuple(wrong),
    )


def _key(row: Mapping[str, Any], energy_wh: Any) -> tuple[str, int, int]:
    return str(row["station"]), int(row["connector"]), int(energy_wh)
