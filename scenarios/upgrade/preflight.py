"""The preflight of a wave: what the old back-end knows of users and prices, the new one must know alike.

Which owner a user concerns: the sites that its token is limited to, else the sites of this customer among the drivers of the
plan; a user that neither tells is everybody's concern. It never corrects anything itself: the owner does.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from msgspec import Struct

from scenarios.migration.asking import Wait
from scenarios.upgrade import letters
from scenarios.upgrade.notices import addresses_of, announcements, at_once, name_of
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import OwnerPlan, UpgradePlan, WavePlan
from scenarios.upgrade.post import Mail, Post
from scenarios.upgrade.stories import Stories, Story, Wish, local
from sim.backend import Row
from sim.clock import DAY
from sim.machine import Answered

PREFLIGHT_HOUR = 9
PREFLIGHT_DAYS = 3
"""So many days before the notices of a wave."""
REPEAT = 3
"""After so many checks with the same result the owner is told again."""


class _Shown(Struct, frozen=True):
    """What the two back-ends do not know alike."""

    users: list[Row]
    prices: list[Row]
    sites_of: dict[str, tuple[str, ...] | None]


class Preflight:
    """Compares the back-ends, and tells owners what is missing."""

    def __init__(self, stories: Stories, plan: UpgradePlan, parts: DeskParts, post: Post, old: str, new: str) -> None:
        self._stories = stories
        self._plan = plan
        self._parts = parts
        self._post = post
        self._old = old
        self._new = new
        self._mails = 0

    def wave(self, wave: WavePlan, owner: OwnerPlan) -> Story:
        """Daily from some days before the notice, until nothing is missing or the wave begins."""
        if not self._parts.ask_preflight(wave.wave):
            return
        for one in announcements(wave):
            days = self._plan.notice_days + PREFLIGHT_DAYS
            at = max(local(one.day, owner.zone, PREFLIGHT_HOUR, days), one.decided_at)
            if at >= one.until:
                continue
            yield from self._stories.until(at)
            yield from self._daily(wave, owner, min(one.until, wave.begins_at))

    def _daily(self, wave: WavePlan, owner: OwnerPlan, until: int) -> Story:
        told: tuple[list[Row], list[Row]] = ([], [])
        since_told = 0
        while self._stories.now < until:
            begun = self._stories.now
            shown = yield from self._compare()
            if shown is None:
                yield self._stories.note("preflight-failed", owner.owner, wave.wave)
            else:
                lacks = [row for row in shown.users if self._concerns(owner, shown.sites_of[str(row["token"])])]
                prices = [row for row in shown.prices if row["site"] in owner.sites]
                yield self._stories.note("preflight", owner.owner, wave.wave, lacks=lacks, prices=prices)
                if not lacks and not prices:
                    return
                since_told += 1
                if (lacks, prices) != told or since_told >= REPEAT:
                    told, since_told = (lacks, prices), 0
                    yield from self._tell(wave, owner, lacks, prices)
            yield Wait(begun + DAY - self._stories.now)

    def _compare(self) -> Generator[Wish, Any, _Shown | None]:
        tables: dict[tuple[str, str], list[Row]] = {}
        for backend in (self._old, self._new):
            for what in ("users", "prices"):
                outcome = yield from self._stories.insist(backend, "export", what=what)
                if not isinstance(outcome, Answered):
                    return None
                tables[backend, what] = list(outcome.payload["rows"])
        old = tables[self._old, "users"]
        return _Shown(
            self._parts.missing_users(old, tables[self._new, "users"]),
            self._parts.missing_prices(tables[self._old, "prices"], tables[self._new, "prices"]),
            {str(row["token"]): self._sites_of(row) for row in old},
        )

    def _sites_of(self, user: Row) -> tuple[str, ...] | None:
        if user.get("sites") is not None:
            return tuple(user["sites"])
        mine = [driver for driver in self._plan.drivers if driver["customer"] == user.get("customer")]
        return tuple(site for driver in mine for site in driver["sites"]) or None

    @staticmethod
    def _concerns(owner: OwnerPlan, sites: tuple[str, ...] | None) -> bool:
        return sites is None or any(site in owner.sites for site in sites)

    def _tell(self, wave: WavePlan, owner: OwnerPlan, lacks: list[Row], prices: list[Row]) -> Story:
        language = letters.spoken(owner.language)
        self._mails += 1
        payee = name_of(self._plan.seller(self._plan.new_seller))
        mail = Mail(
            addresses=addresses_of(owner),
            language=language,
            kind="set-up-incomplete",
            message_id=f"set-up-incomplete/{wave.wave}/{owner.owner}/{self._mails}",
            letter=letters.set_up_incomplete(language, name=owner.name, payee=payee, lacks=lacks, prices=prices),
            meta={"owner": owner.owner, "lacks": lacks, "prices": prices},
        )
        yield from self._post.send(at_once(mail))
