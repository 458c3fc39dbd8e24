"""The operator's desk as a Machine: accounts, invitations, the portal, preflight, notices, and contracts after a wave.

It acts by the plan and by what it is told, like a real operator: it knows nothing of owners but their answers, and of
stations nothing at all. Every deed is noted as a row of `truth_upgrade`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from scenarios.migration.asking import Wait
from scenarios.upgrade import letters
from scenarios.upgrade.contracts import Contracts
from scenarios.upgrade.notices import Notices, addresses_of, at_once, name_of
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import Goodwill, OwnerPlan, UpgradePlan
from scenarios.upgrade.platform import Platform
from scenarios.upgrade.post import Mail, Post
from scenarios.upgrade.preflight import Preflight
from scenarios.upgrade.stories import Stories, Story, Wish, local
from sim.clock import DAY, Instant
from sim.machine import Answered, Refused, Settle

OPERATOR = "operator"
OLD, NEW = "legacy", "new"
REMIND_HOUR = 10
"""Reminders go out at this hour."""
GOODWILL_DAYS = 14
"""For so many days a paid invoice is looked for."""
VISIT_TRIES = 2
"""How often Stripe is asked while somebody waits at the portal."""


class Desk(Stories):
    """Machine `operator`. It begins by itself at `begins_at`. Command `visit-link{url, by}`: somebody opens a portal page.

    The portal has three pages: `<portal>/onboarding/<owner>` and `<portal>/refresh/<owner>` send whoever comes to Stripe by
    a fresh link ({"landed": "stripe", "url"}); `<portal>/done/<owner>` reads the account and shows how it stands ({"landed":
    "portal", "charges_enabled", "payouts_enabled", "details_submitted", "currently_due", "errors"}).
    """

    def __init__(self, plan: UpgradePlan, parts: DeskParts | None = None, *, begins_at: Instant) -> None:
        super().__init__(OPERATOR)
        self._plan = plan
        self._parts = parts or DeskParts()
        self._owners = {owner.owner: owner for owner in plan.owners}
        self._seller = name_of(plan.seller(plan.new_seller))
        self._platform = Platform(self, self._parts, plan.portal)
        self._post = Post(self, self._parts)
        notices = Notices(self, plan, self._parts, self._post)
        preflight = Preflight(self, plan, self._parts, self._post, OLD, NEW)
        contracts = Contracts(self, self._parts, OLD, NEW)
        for owner in plan.owners:
            self.begin(self._onboard(owner), begins_at)
            self.begin(self._remind(owner), begins_at)
        for wave in plan.waves:
            self.begin(notices.decisions(wave), begins_at)
            for owner in [self._owners[name] for name in wave.owners]:
                self.begin(preflight.wave(wave, owner), begins_at)
                self.begin(notices.owner(wave, owner), begins_at)
                self.begin(contracts.move(wave, owner), begins_at)
            for driver in plan.drivers:
                first = next((site for site in driver["sites"] if site in wave.sites), None)
                if first is not None:
                    self.begin(notices.driver(wave, driver, self._zone_of(first)), begins_at)

        for one in plan.goodwill:
            self.begin(self._give_back(one), one.at)

    def heard(self, name: str, args: Mapping[str, Any], call_id: str | None) -> None:
        """`visit-link`; see the class."""
        if name == "visit-link":
            self.begin(self._visit(str(args.get("url")), str(args.get("by")), call_id))
        else:
            super().heard(name, args, call_id)

    def _zone_of(self, site: str) -> str:
        return next(owner.zone for owner in self._plan.owners if site in owner.sites)

    # -- onboarding ---------------------------------------------------------------------------------------------------

    def _onboard(self, owner: OwnerPlan) -> Story:
        account = yield from self._platform.create(owner)
        if account is None:
            return
        yield self.note("account-created", owner.owner, account=account)
        rows = [{"account": account, "owner": owner.owner}]
        taken = yield from self.insist(NEW, "import", what="accounts", rows=rows)
        if isinstance(taken, Refused):
            yield self.note("refused", owner.owner, what="accounts", code=taken.code, description=taken.description)
        yield from self.until(self._plan.invited_at)
        if not self._parts.invite(owner.owner):
            return
        result = yield from self._post.send(lambda: self._invitation(owner, account))
        kind = "invited" if result.arrived else "invitation-failed"
        yield self.note(kind, owner.owner, account=account, to=result.to, message_id=result.message_id)

    def _invitation(self, owner: OwnerPlan, account: str) -> Generator[Wish, Any, Mail | None]:
        link = yield from self._platform.mint(owner.owner)
        if link is None:
            return None
        language = letters.spoken(owner.language)
        letter = letters.invitation(
            language,
            name=owner.name,
            seller=self._seller,
            deadline=self._plan.deadline,
            link=link,
            portal=f"{self._plan.portal}/onboarding/{owner.owner}",
        )
        return Mail(
            addresses=addresses_of(owner),
            language=language,
            kind="onboarding-invitation",
            message_id=f"invitation/{owner.owner}",
            letter=letter,
            meta={"owner": owner.owner, "account": account, "link": link},
        )

    def _remind(self, owner: OwnerPlan) -> Story:
        deadline = local(self._plan.deadline, owner.zone, REMIND_HOUR)
        days = self._plan.remind_days
        at = max(local(self._plan.deadline, owner.zone, REMIND_HOUR, days), self._plan.invited_at + DAY)
        if at >= deadline:
            return
        yield from self.until(at)
        account = yield from self._platform.read(owner.owner)
        if account is None or self._parts.is_done(account):
            return
        language = letters.spoken(owner.language)
        letter = letters.reminder(
            language,
            name=owner.name,
            seller=self._seller,
            deadline=self._plan.deadline,
            portal=f"{self._plan.portal}/onboarding/{owner.owner}",
            due=account["requirements"]["currently_due"],
        )
        mail = Mail(
            addresses=addresses_of(owner),
            language=language,
            kind="onboarding-reminder",
            message_id=f"reminder/{owner.owner}",
            letter=letter,
            meta={"owner": owner.owner, "deadline": self._plan.deadline},
        )
        result = yield from self._post.send(at_once(mail), deadline)
        kind = "reminded" if result.arrived else "reminder-failed"
        yield self.note(kind, owner.owner, due=list(account["requirements"]["currently_due"]))

    # -- goodwill -------------------------------------------------------------------------------------------------------

    def _give_back(self, goodwill: Goodwill) -> Story:
        """Part of the first paid invoice of a driver who complained; looked for daily, and asked for once."""
        for _ in range(GOODWILL_DAYS):
            shown = yield from self.insist(goodwill.backend, "export", what="invoices", customer=goodwill.customer)
            rows = shown.payload["rows"] if isinstance(shown, Answered) else []
            paid = next((row for row in rows if row["kind"] == "drivers" and row["paid"] > 0), None)
            if paid is None:
                yield Wait(DAY)
                continue
            amount = self._parts.goodwill_amount(paid["gross"], goodwill.percent)
            outcome = yield from self.ask(goodwill.backend, "refund", claim=paid["claim"], amount=amount)
            kind = "refunded" if isinstance(outcome, Answered) else "refund-failed"
            yield self.note(kind, None, customer=goodwill.customer, number=paid["number"], amount=amount)
            return

    # -- the portal -----------------------------------------------------------------------------------------------------

    def _visit(self, url: str, by: str, call_id: str | None) -> Story:
        page, owner = self._page(url)
        answer: Answered | Refused
        if page == "done":
            answer = yield from self._show(owner, by)
        elif page in ("onboarding", "refresh"):
            link = yield from self._platform.mint(owner, VISIT_TRIES)
            answer = Answered({"landed": "stripe", "url": link}) if link else Refused("try-later", owner)
        else:
            answer = Refused("no-such-page", url)
        if call_id is not None:
            yield Settle(call_id, answer)

    def _page(self, url: str) -> tuple[str, str]:
        page, _, owner = url.removeprefix(f"{self._plan.portal}/").partition("/")
        return (page, owner) if url.startswith(f"{self._plan.portal}/") and owner in self._owners else ("", "")

    def _show(self, owner: str, by: str) -> Generator[Wish, Any, Answered | Refused]:
        account = yield from self._platform.read(owner, VISIT_TRIES)
        if account is None:
            return Refused("try-later", owner)
        requirements = account["requirements"]
        state = {name: account[name] for name in ("charges_enabled", "payouts_enabled", "details_submitted")}
        state |= {"currently_due": requirements["currently_due"], "errors": requirements["errors"]}
        yield self.note("account-read", owner, by=by, disabled_reason=requirements["disabled_reason"], **state)
        return Answered({"landed": "portal", **state})
