"""Notices of waves to owners and drivers: the right one at the right time, and taken back when a day does not hold.

Nobody here knows a day before it was decided, although the plan holds all of them. Whatever was sent for a day that is given
up is voided; a notice that was never sent is not.
"""

from __future__ import annotations

from collections.abc import Generator

from msgspec import Struct

from scenarios.upgrade import letters
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import OwnerPlan, UpgradePlan, WavePlan
from scenarios.upgrade.post import Compose, Mail, Post
from scenarios.upgrade.stories import Stories, Story, Wish, local
from sim.backend import Row

NOTICE_HOUR = 10
DRIVER_DAYS = 2
_FOR_EVER = 1 << 62


class _Announcement(Struct, frozen=True):
    """One announced day of a wave: its number, and until when it holds."""

    n: int
    day: str
    decided_at: int
    until: int


def announcements(wave: WavePlan) -> list[_Announcement]:
    """The days of a wave in the order of decision, each with the instant at which the next one is decided."""
    ends = [later.decided_at for later in wave.announced[1:]] + [_FOR_EVER]
    return [
        _Announcement(n, one.day, one.decided_at, end)
        for n, (one, end) in enumerate(zip(wave.announced, ends, strict=True))
    ]


def addresses_of(owner: OwnerPlan) -> tuple[str, ...]:
    """Where mail for an owner goes: the company's address, then those of its officials, each once."""
    return tuple(dict.fromkeys([owner.email, *(official.email for official in owner.officials)]))


def name_of(seller: Row) -> str:
    """What a seller calls itself."""
    return str(seller.get("name") or seller["seller"])


def at_once(mail: Mail) -> Compose:
    """A mail that needs nothing from anybody when it is sent."""

    def compose() -> Generator[Wish, None, Mail]:
        yield from ()
        return mail

    return compose


class Notices:
    """Tells owners and drivers of waves."""

    def __init__(self, stories: Stories, plan: UpgradePlan, parts: DeskParts, post: Post) -> None:
        self._stories = stories
        self._plan = plan
        self._parts = parts
        self._post = post
        self._old = plan.seller(plan.old_seller)
        self._new = plan.seller(plan.new_seller)

    def decisions(self, wave: WavePlan) -> Story:
        """Each later day of a wave, noted when it is decided."""
        for one in announcements(wave)[1:]:
            yield from self._stories.until(one.decided_at)
            yield self._stories.note("rescheduled", None, wave.wave, day=one.day, before=wave.announced[one.n - 1].day)

    def owner(self, wave: WavePlan, owner: OwnerPlan) -> Story:
        """All notices of one wave to one owner."""
        sent: _Announcement | None = None
        for one in announcements(wave):
            yield from self._stories.until(one.decided_at)
            before = sent
            if before is not None and self._parts.void_notice(before.day, one.day):
                yield from self._void(wave, owner, before)
            if before is not None and not self._parts.notify_again(before.day, one.day):
                continue
            at = local(one.day, owner.zone, NOTICE_HOUR, self._plan.notice_days)
            if at >= one.until:
                sent = None
                continue
            yield from self._stories.until(at)
            mail = self._notice(wave, owner, one, before)
            result = yield from self._post.send(at_once(mail), one.until)
            sent = one if result.arrived or result.doubtful else None
            yield self._stories.note(
                "notice" if result.arrived else "notice-failed",
                owner.owner,
                wave.wave,
                notice=mail.meta["notice"],
                day=one.day,
                to=result.to,
                message_id=result.message_id,
                delivered_at=result.delivered_at,
                tries=result.tries,
                iban=mail.meta["iban"],
                terms=mail.meta["terms"],
                voids=mail.meta["voids"],
            )

    def driver(self, wave: WavePlan, driver: Row, zone: str) -> Story:
        """The notices of one wave to one driver, by the clocks of the first of these sites."""
        sent: _Announcement | None = None
        for one in announcements(wave):
            at = max(local(one.day, zone, NOTICE_HOUR, DRIVER_DAYS), one.decided_at)
            if at >= one.until:
                continue
            yield from self._stories.until(at)
            mail = self._driver_notice(wave, driver, one, sent)
            result = yield from self._post.send(at_once(mail), one.until)
            sent = one if result.arrived or result.doubtful else sent
            kind = "driver-notice" if result.arrived else "driver-notice-failed"
            yield self._stories.note(
                kind, None, wave.wave, customer=driver["customer"], day=one.day, message_id=result.message_id
            )

    # -- inside -----------------------------------------------------------------------------------------------------

    def _void(self, wave: WavePlan, owner: OwnerPlan, before: _Announcement) -> Story:
        language = letters.spoken(owner.language)
        meta = {"owner": owner.owner, "notice": _notice_id(wave, owner, before.n), "wave": wave.wave, "day": before.day}
        letter = letters.notice_void(
            language, name=owner.name, day=before.day, sites=self._sites(wave, owner), payee=name_of(self._new)
        )
        mail = Mail(
            addresses=addresses_of(owner),
            language=language,
            kind="upgrade-notice-void",
            message_id=f"void/{meta['notice']}",
            letter=letter,
            meta=meta,
        )
        result = yield from self._post.send(at_once(mail))
        kind = "notice-void" if result.arrived else "notice-void-failed"
        yield self._stories.note(kind, owner.owner, wave.wave, notice=meta["notice"], day=before.day)

    def _notice(self, wave: WavePlan, owner: OwnerPlan, one: _Announcement, before: _Announcement | None) -> Mail:
        language, sites = letters.spoken(owner.language), self._sites(wave, owner)
        iban = self._parts.notice_account(self._old, self._new, one.day)
        terms = self._parts.notice_terms(owner.contract_new, self._new, one.day)
        link = f"{self._plan.portal}/onboarding/{owner.owner}"
        meta = {
            "owner": owner.owner,
            "notice": _notice_id(wave, owner, one.n),
            "wave": wave.wave,
            "day": one.day,
            "payee": self._plan.new_seller,
            "iban": iban,
            "terms": terms,
            "link": link,
            "sites": list(sites),
            "voids": None if before is None else _notice_id(wave, owner, before.n),
        }
        letter = letters.notice(
            language,
            name=owner.name,
            day=one.day,
            sites=sites,
            old=name_of(self._old),
            payee=name_of(self._new),
            iban=iban,
            terms=terms,
            link=link,
            earlier=None if before is None else before.day,
        )
        return Mail(
            addresses=addresses_of(owner),
            language=language,
            kind="upgrade-notice",
            message_id=str(meta["notice"]),
            letter=letter,
            meta=meta,
        )

    def _driver_notice(self, wave: WavePlan, driver: Row, one: _Announcement, before: _Announcement | None) -> Mail:
        language = letters.spoken(str(driver["language"]))
        sites = [site for site in driver["sites"] if site in wave.sites]
        earlier = None if before is None else before.day
        letter = letters.driver_notice(language, day=one.day, sites=sites, payee=name_of(self._new), earlier=earlier)
        return Mail(
            addresses=(str(driver["email"]),),
            language=language,
            kind="driver-notice",
            message_id=f"driver-notice/{wave.wave}/{driver['customer']}/{one.n + 1}",
            letter=letter,
            meta={"customer": driver["customer"], "wave": wave.wave, "day": one.day, "sites": sites},
        )

    def _sites(self, wave: WavePlan, owner: OwnerPlan) -> list[str]:
        return self._parts.notice_sites(owner.sites, wave.sites)


def _notice_id(wave: WavePlan, owner: OwnerPlan, n: int) -> str:
    return f"notice/{wave.wave}/{owner.owner}/{n + 1}"
