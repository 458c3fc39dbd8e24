"""What a station is told about itself when it is put up. Frozen; everything that changes later lives in flash."""

from __future__ import annotations

from msgspec import Struct

from fleet.profile import StationProfile


class StationConfig(Struct, frozen=True, kw_only=True):
    """One station: identity, connectors (numbers from 1), its kind, the back-end's endpoint, and its randomness.

    `url` is the endpoint without the identity. `salt` makes message ids of different runs different, `seed` feeds the
    jitter of the back-off. `max_power_w` holds for each connector. `given` are quirks that it tells of once they show.
    """

    station: str
    profile: StationProfile
    connectors: tuple[int, ...]
    url: str
    seed: int
    salt: str
    max_power_w: int
    given: tuple[str, ...] = ()
