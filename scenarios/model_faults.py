"""The tables of a scenario that say what goes wrong on purpose: whom it hits, when, and for how long. Only data."""

from __future__ import annotations

import datetime
from typing import Literal

from scenarios.faults.timing import Release, Repeat, Shift, Timing, When
from scenarios.model_types import Duration, Part, Window

Moment = Literal["before-commit", "before-replies", "after-first-reply"]


class Where(Part, frozen=True, kw_only=True):
    """Who may be hit. `count` or `share` of the stations that fit all the others; default: one of them.

    `backend` asks for one that is there at the start of the day, `moving` for one of the site that moves, `busy` for
    one with a visit in the window, `station` for those whose name fits the pattern, `sender` for the one whose message
    the fault waits for. Faults of a back-end or a partner hit messages of `action`, and `share` of them.
    """

    count: int | None = None
    share: float | None = None
    site: str = ""
    station: str = ""
    backend: Literal["", "legacy", "new"] = ""
    profile: str = ""
    version: Literal["", "1.6", "2.0.1"] = ""
    moving: bool | None = None
    busy: bool = True
    sender: bool = False
    action: str = ""
    partner: Literal["", "stripe", "riverty", "bank", "mailbox"] = ""


class Fault(Part, frozen=True, kw_only=True):
    """One thing that goes wrong on purpose. The seed draws who and when, within what is said here.

    Which fields a kind needs and may have, and what they mean, stands in `scenarios.faults.kinds`. `date` is the local day
    of `at`; without it, the first day of the run. `when` says in words what `at` cannot. `groups`: a back-end works off so
    many groups (of frames, or of a billing run) after `at` before it dies.
    """

    kind: str
    id: str = ""
    where: Where = Where()
    date: datetime.date | None = None
    at: Window | None = None
    when: When | None = None
    lasts: Duration | None = None
    release: Release | None = None
    repeat: Repeat | None = None
    moment: Moment | None = None
    on: str = ""
    groups: int = 0
    latency: Duration | None = None
    jitter: Duration | None = None
    rate: int | None = None
    up: Duration | None = None
    down: Duration | None = None
    status: int | None = None
    code: str = ""
    quirk: str = ""
    step: Shift | None = None
    ppm: int | None = None
    copies: int | None = None
    times: int | None = None

    @property
    def timing(self) -> Timing | None:
        """When it strikes, whichever way that was said; None for what is so all day."""
        if self.when is not None:
            return self.when.timing
        if self.at is not None:
            return Timing(local=(int(self.at.from_), int(self.at.to)))
        return None
