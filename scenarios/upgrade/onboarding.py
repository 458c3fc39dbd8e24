"""How people of an owner go through Stripe's onboarding, by the fates of the plan.

What they do is a list of acts, spread from `starts_at` to `resumes_at`: look, fill in half, the rest or all, vouch. They
know what the pages show them and nothing else: a link that does not work leads to the portal, which gives another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from scenarios.migration.asking import Wait
from scenarios.upgrade.forms import (
    Fields,
    Person,
    company_fields,
    first_hand,
    last_fields,
    official,
    person_fields,
)
from scenarios.upgrade.plan import CLERK, INTERRUPTED, LATE, LINK_BURNT, LINK_EXPIRED, WRONG_ACCOUNT, OwnerPlan
from scenarios.upgrade.platform import STRIPE
from scenarios.upgrade.stories import Stories, Story, Wish, pause
from sim.clock import DAY, HOUR, MINUTE, SECOND, Instant
from sim.machine import Answered, Refused

Act = Callable[[str], Generator[Wish, Any, bool]]
AUTHORITY = ("verification_failed_representative_authority", "verification_failed_authorizer_authority")
LINK_LIFE = 300 * SECOND
SCANNED = 3 * MINUTE
"""Until then a mail scanner has opened the links of a mail."""
LOOK_EVERY = 3 * DAY
"""How often somebody looks whether money arrives, while it does not."""
DOORS = 6
"""How many links somebody follows at one go."""
SOON = 3
"""So often what did not work is tried again after an hour, then daily."""
LEISURE = 3 * DAY
"""Between two acts, where the plan says nothing."""


class Onboarding:
    """One owner's people at Stripe and at the portal."""

    def __init__(self, stories: Stories, owner: OwnerPlan, portal: str) -> None:
        self._stories = stories
        self._owner = owner
        self._portal = portal
        self._form: str | None = None

    def story(self, url: str, mail: str, delivered_at: Instant) -> Story:
        """From the mail with the invitation to an account that works, or as far as it goes."""
        owner, told = self._owner, self._stories
        earliest = delivered_at
        if LINK_EXPIRED in owner.fates:
            earliest = Instant(delivered_at + LINK_LIFE)
        elif LINK_BURNT in owner.fates:
            earliest = Instant(delivered_at + SCANNED)
        yield from told.until(max(owner.starts_at, earliest))
        yield from told.insist("mailbox", "read", id=mail)
        acts = self._acts()
        begun, last = told.now, self._last_act(told.now, len(acts))
        for n, act in enumerate(acts):
            yield from told.until(begun + (last - begun) * n // max(1, len(acts) - 1))
            tries = 0
            while not (yield from act(url)):
                yield Wait(HOUR if tries < SOON else DAY)
                tries += 1
            url = f"{self._portal}/onboarding/{owner.owner}"
        if WRONG_ACCOUNT in owner.fates:
            yield from self._watch_payouts()

    # -- what they do -----------------------------------------------------------------------------------------------

    def _acts(self) -> list[Act]:
        fates = self._owner.fates
        acts: list[Act] = [self._half, self._rest] if INTERRUPTED in fates else [self._all]
        if CLERK in fates:
            acts.append(self._vouch)
        return [self._look, *acts] if LATE in fates and len(acts) == 1 else acts

    def _last_act(self, begun: Instant, acts: int) -> int:
        """When the last act is done: as the plan says, else some days after the first."""
        if self._owner.resumes_at is not None:
            return max(begun, self._owner.resumes_at)
        return begun + LEISURE * (acts - 1)

    @property
    def _iban(self) -> str:
        return self._owner.wrong_iban if WRONG_ACCOUNT in self._owner.fates else self._owner.iban

    def _look(self, url: str) -> Generator[Wish, Any, bool]:
        who = first_hand(self._owner)
        opened = yield from self._open(url, who)
        if opened:
            yield from self._leave(who)
        return opened

    def _half(self, url: str) -> Generator[Wish, Any, bool]:
        who = first_hand(self._owner)
        return (yield from self._fill(url, who, company_fields(self._owner, self._iban, self._stories.now)))

    def _rest(self, url: str) -> Generator[Wish, Any, bool]:
        who = first_hand(self._owner)
        return (yield from self._fill(url, who, last_fields(who), resume=True))

    def _all(self, url: str) -> Generator[Wish, Any, bool]:
        who, owner = first_hand(self._owner), self._owner
        return (
            yield from self._fill(url, who, company_fields(owner, self._iban, self._stories.now) | last_fields(who))
        )

    def _vouch(self, url: str) -> Generator[Wish, Any, bool]:
        """Somebody of the board looks at the portal, and confirms the clerk's authority if that is what is missing."""
        board = official(self._owner, "board")
        shown = yield from self._status(board)
        if shown is None:
            return False
        if not any(error["code"] in AUTHORITY for error in shown["errors"]):
            return bool(shown["charges_enabled"])
        done = yield from self._fill(url, board, person_fields("authorizer", board))
        if done:
            yield self._stories.note("vouched", self._owner.owner, by=board.email)
        return done

    def _watch_payouts(self) -> Story:
        """Money does not arrive: somebody looks at the portal some days later, and gives another account."""
        who, owner = first_hand(self._owner), self._owner
        while True:
            yield Wait(LOOK_EVERY)
            shown = yield from self._status(who)
            if shown is None or not shown["charges_enabled"] or shown["payouts_enabled"]:
                continue
            url = f"{self._portal}/onboarding/{owner.owner}"
            if (yield from self._fill(url, who, {"external_account": owner.iban})):
                yield self._stories.note("bank-mended", owner.owner, iban=owner.iban)
                return

    # -- the pages --------------------------------------------------------------------------------------------------

    def _fill(self, url: str, who: Person, fields: Fields, resume: bool = False) -> Generator[Wish, Any, bool]:
        """Open the form, send these fields, leave. False: it did not work, try again later."""
        opened = (
            (yield from self._resume(who)) if resume and self._form is not None else (yield from self._open(url, who))
        )
        if not opened:
            return False
        sent = yield from self._stories.ask(STRIPE, "submit", form=self._form, fields=fields)
        if not isinstance(sent, Answered):
            why = sent.code if isinstance(sent, Refused) else sent.reason
            yield self._stories.note("form-refused", self._owner.owner, by=who.email, reason=why)
            return False
        due = list(sent.payload["currently_due"])
        yield self._stories.note("form-sent", self._owner.owner, by=who.email, fields=sorted(fields), currently_due=due)
        yield from self._leave(who)
        return True

    def _open(self, url: str, who: Person) -> Generator[Wish, Any, bool]:
        """Follow a link, and those it leads to, until there is a form."""
        for _ in range(DOORS):
            host = "operator" if url.startswith(f"{self._portal}/") else STRIPE
            outcome = yield from self._stories.ask(host, "visit-link", url=url, by=who.email)
            landed = outcome.payload["landed"] if isinstance(outcome, Answered) else "nowhere"
            yield self._stories.note("link-opened", self._owner.owner, by=who.email, url=url, landed=landed)
            if not isinstance(outcome, Answered):
                return False
            if landed == "form":
                self._form = str(outcome.payload["form"])
                return True
            url = str(outcome.payload["url"])
        return False

    def _resume(self, who: Person) -> Generator[Wish, Any, bool]:
        """Take up the form that was left; after an hour that leads to the portal."""
        outcome = yield from self._stories.ask(STRIPE, "resume", form=self._form)
        if not isinstance(outcome, Answered):
            return False
        landed = str(outcome.payload["landed"])
        yield self._stories.note("form-resumed", self._owner.owner, by=who.email, landed=landed)
        return True if landed == "form" else (yield from self._open(str(outcome.payload["url"]), who))

    def _leave(self, who: Person) -> Story:
        """Leave the form: the browser goes on to the page of the portal that shows how the account stands."""
        yield from self._stories.insist(STRIPE, "leave", form=self._form)
        yield self._stories.note("form-left", self._owner.owner, by=who.email)
        yield from self._status(who)

    def _status(self, who: Person) -> Generator[Wish, Any, dict[str, Any] | None]:
        """What the portal shows of the account, None if it shows nothing even after some tries."""
        url = f"{self._portal}/done/{self._owner.owner}"
        for tries in range(3):
            outcome = yield from self._stories.ask("operator", "visit-link", url=url, by=who.email)
            if isinstance(outcome, Answered):
                return dict(outcome.payload)
            yield Wait(pause(tries))
        return None
