"""A station that is connected right now: its frames as the records API of `chargerig serve` tells them, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

from scenarios.wirecheck.lines import Line, Unread, own_row
from sim.errors import BadInput
from sim.evidence.wire import WireLine

PAGE = 1_000
"""Rows that are asked for at once."""
PATH = "/wire"


class Asked(Protocol):
    """What is needed of `scenarios.targets.http.Http`."""

    def get_json(self, path: str, params: dict[str, str | int]) -> Any:
        """The JSON that GET answers."""


def follow(http: Asked, url: str, stations: tuple[str, ...], pause: Callable[[], bool]) -> Iterator[Line | Unread]:
    """Rows from the first that is kept, and then as they come, until `pause` says no.

    `pause` waits a moment and says whether to go on; it is asked whenever there is nothing new. One plain name in
    `stations` is asked for at the server. Raises BadInput if the server answers something else than rows.
    """
    params: dict[str, str | int] = {"after": 0, "limit": PAGE}
    if len(stations) == 1 and not any(sign in stations[0] for sign in "*?["):
        params["station"] = stations[0]
    while True:
        told = http.get_json(PATH, dict(params))
        rows = told.get("rows") if isinstance(told, dict) else None
        if not isinstance(rows, list):
            raise BadInput(url, PATH, "answers no rows", "the records API of `chargerig serve`")
        before = params["after"]
        for row in rows:
            line = _line(row)
            number = row.get("n") if isinstance(row, dict) else None
            if type(number) is int:
                params["after"] = number
            yield line
        if params["after"] == before and not pause():
            return


def _line(row: Any) -> Line | Unread:
    place = f"row {row.get('n')}" if isinstance(row, dict) else "a row"
    try:
        return own_row(msgspec.convert(row, WireLine), place)
    except msgspec.ValidationError as err:
        return Unread(place, f"the row is none of the wire ({err})")
