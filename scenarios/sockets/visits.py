"""Who comes to a fleet and when: one EV after the other at each connector, drawn from the seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from fleet.visits import Visit
from sim.clock import SECOND, Instant
from sim.rng import stream


class Traffic(Struct, frozen=True, kw_only=True):
    """How busy a fleet is: a session lasts `session_s`, then nobody comes for `gap_s`; both vary by a quarter. Powers in W.

    The first EVs come within `spread_s`, by default a session and a gap, so that a fleet does not start all at once.
    """

    session_s: float = 120.0
    gap_s: float = 30.0
    spread_s: float | None = None
    power_w: int = 11_000
    energy_wh: int = 80_000


def visits_of(
    station: str, connectors: Sequence[int], tokens: Sequence[str], traffic: Traffic, begin: int, end: int, seed: int
) -> Iterator[Visit]:
    """The visits at one station between two instants, in order of arrival at each connector.

    Whoever is there at the end leaves then.
    """
    for connector in connectors:
        draw = stream(seed, "traffic", station, connector)

        def about(seconds: float, draw: object = draw) -> int:
            return int(seconds * SECOND * (0.75 + 0.5 * draw.random()))  # type: ignore[attr-defined]

        spread = traffic.session_s + traffic.gap_s if traffic.spread_s is None else traffic.spread_s
        at = begin + int(draw.random() * spread * SECOND)
        number = 0
        while at < end:
            number += 1
            leave = min(at + about(traffic.session_s), end)
            token = tokens[draw.randrange(len(tokens))] if tokens else f"{station}-{connector}"[-20:]
            visit_id = f"{station}-{connector}-{number}"
            yield Visit(
                visit_id=visit_id,
                site="fleet",
                station=station,
                connector=connector,
                driver=visit_id,
                token=token,
                mobile="",
                group="public",
                customer=token,
                contract=True,
                channel="rfid",
                arrive=Instant(at),
                leave=Instant(leave),
                energy_wh=traffic.energy_wh,
                power_w=traffic.power_w,
            )
            at = leave + about(traffic.gap_s) + SECOND
