"""What can go wrong between callers and a partner: rules with a window of time and a pattern, and the record of each case.

A rule says what may happen; whether it does is drawn from the stream of the line. Nothing here knows what a partner does.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from random import Random

from msgspec import Struct

from sim.backend import Row
from sim.clock import SECOND, Instant

REQUEST_FAULTS = (
    "slow", "outage", "timeout-before", "timeout-after", "500-before", "500-after", "429",
)  # fmt: skip
"""slow: the answer takes `extra` ms more. outage: the connection is refused. timeout-*: nothing comes back, and what was
asked never arrived (before) or was done (after). 500-*: the partner breaks down before or after doing it. 429: too many."""
WEBHOOK_FAULTS = ("webhook-delay", "webhook-duplicate", "webhook-reorder", "webhook-lost", "webhook-wrong-secret")
"""delay: `extra` later. duplicate: `copies` more deliveries within `extra` ms. reorder: a drawn delay of up to `extra` ms.
lost: not delivered until somebody replays it. wrong-secret: signed with another secret while the window lasts."""


class Fault(Struct, frozen=True, kw_only=True):
    """One rule: from `since` until before `until` (ms; None for ever), for names that match the pattern `api`.

    `api` is matched with the api of a request or the type of an event (`payment_intents.*`, `charge.refunded`). `share` is
    how many of a hundred are hit, `times` how many at most. Nobody hears of a time-out if it is `silent`, else the caller
    gets Unknown after `wait` ms. Raises ValueError for a kind that there is not.
    """

    kind: str
    since: int = 0
    until: int | None = None
    api: str = "*"
    extra: int = 0
    copies: int = 1
    share: int = 100
    times: int | None = None
    wait: int = 30 * SECOND
    silent: bool = False

    def __post_init__(self) -> None:
        if self.kind not in REQUEST_FAULTS + WEBHOOK_FAULTS:
            raise ValueError(
                f"no fault is called {self.kind!r}; there are {', '.join(REQUEST_FAULTS + WEBHOOK_FAULTS)}"
            )
        if not 0 <= self.share <= 100 or self.extra < 0 or self.copies < 0 or self.wait < 0:
            raise ValueError(f"the fault {self.kind} wants a share of 0 to 100 and nothing negative")


class Faults:
    """The rules of one line, and what they did."""

    def __init__(self, partner: str, rules: Iterable[Fault], chance: Random) -> None:
        self._partner = partner
        self._rules = list(rules)
        self._left = [rule.times for rule in self._rules]
        self._chance = chance
        self.rows: list[Row] = []

    def add(self, rule: Fault) -> None:
        """One more rule."""
        self._rules.append(rule)
        self._left.append(rule.times)

    def strike(self, kinds: tuple[str, ...], api: str, subject: str, now: Instant) -> list[Fault]:
        """The rules of these kinds that hit this request or event now; each is recorded as having happened."""
        hit = []
        for index, rule in enumerate(self._rules):
            left = self._left[index]
            if rule.kind not in kinds or left == 0 or now < rule.since or not fnmatchcase(api, rule.api):
                continue
            if rule.until is not None and now >= rule.until:
                continue
            if rule.share < 100 and self._chance.random() * 100 >= rule.share:
                continue
            if left is not None:
                self._left[index] = left - 1
            hit.append(rule)
            self.rows.append(
                {
                    "partner": self._partner,
                    "at": now,
                    "kind": rule.kind,
                    "api": api,
                    "subject": subject,
                    "extra": rule.extra,
                }
            )
        return hit
