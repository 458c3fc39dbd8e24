"""What a kind of fault is made of, and what each field of a table [[fault]] means. Only names, units and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Aim = Literal["station", "moving", "back-end", "tool", "partner"]

FIELDS: Mapping[str, str] = {
    "at": "the moment, or {from, to}: local times between which the seed draws it",
    "date": "the local day of `at`; the first day of the run if left out",
    "when": 'the moment in words: "12:30", "10:00-12:00", "30-60 %" of the day, "+2h" after midnight, "in DRAINING" (a '
    'state of a move), or "after the 3rd StopTransaction committed [at new]" (or sent, or answered)',
    "lasts": "how long, a duration such as 5m; `for` says the same",
    "release": 'how its stations are let go: "at once", "staggered over 5m" or "swizzled over 5m"',
    "repeat": 'how often it comes: "3 times every 1h"',
    "on": "the action that a back-end dies at, or the state of a move",
    "moment": "before-commit, before-replies or after-first-reply",
    "groups": "so many groups are worked off before it dies",
    "latency": "how much later, a duration",
    "jitter": "up to so much more, drawn for each frame, a duration",
    "rate": "bits a second",
    "up": "how long the connection lives, a duration",
    "down": "how long it is away, a duration",
    "status": "the HTTP status of the refusal, 400 to 599; a refused connection if left out",
    "code": "the error code of the reply",
    "quirk": "the name of a quirk, see `chargerig list quirks`",
    "step": "how far the clock jumps, a signed duration such as -2h or +90s",
    "ppm": "how much the clock is too fast (positive) or too slow, in parts per million",
    "copies": "how many deliveries more",
    "times": "how often at most",
}
"""What each field means, with its unit."""

AT = "at"
"""Needed by all that strike at a moment; `when` serves as well."""


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of fault. `defaults` are those of fields that may be left out, as a user would write them."""

    name: str
    group: str
    what: str
    aims: Aim
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    defaults: Mapping[str, str] = {}

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields that it knows beside kind, id and where."""
        moment = ("when", "date", "repeat") if AT in (*self.needs, *self.may) else ()
        let_go = ("release",) if self.aims == "station" and AT in self.needs else ()
        return tuple(dict.fromkeys((*self.needs, *self.may, *moment, *let_go)))

    @property
    def where(self) -> tuple[str, ...]:
        """The keys of `where` that mean something to it."""
        return _WHERE[self.aims]


_WHO = ("count", "share", "site", "station", "backend", "profile", "version", "moving", "busy", "sender")
_WHERE: Mapping[str, tuple[str, ...]] = {
    "station": _WHO,
    "moving": ("count", "share", "site", "station", "backend", "profile", "version", "moving", "busy"),
    "back-end": ("backend", "action", "share"),
    "tool": (),
    "partner": ("partner", "action", "share"),
}
