"""Account links and the hosted form of the Stripe fake, as people and mail scanners use them.

A link is good for one opening within 300 s; whoever opens a used or expired one lands on `refresh_url`, where the platform
must mint a new one. What was typed in is kept, so a later link goes on where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sim.clock import HOUR, SECOND, Instant
from sim.machine import Answered, Outcome, Refused
from sim.partners.party import Ids, text_of
from sim.partners.stripe_accounts import Accounts
from sim.partners.stripe_api import Call, Object, StripeError, invalid, seconds

LINK_LIFE = 300 * SECOND
FORM_LIFE = HOUR
"""How long an opened form can be left and taken up again without a new link."""


class _Link(Struct):
    account: str
    expires: Instant
    refresh_url: str
    return_url: str
    used_at: Instant | None = None


class _Form(Struct):
    account: str
    link: _Link
    touched: Instant


class Onboarding:
    """Links that were minted, forms that are open."""

    def __init__(self, ids: Ids, accounts: Accounts) -> None:
        self._ids = ids
        self._accounts = accounts
        self._links: dict[str, _Link] = {}
        self._forms: dict[str, _Form] = {}

    def create(self, call: Call) -> Object:
        """`account_links.create`: `account`, `refresh_url`, `return_url`, `type=account_onboarding`."""
        account = self._accounts.find(call, "account")
        if text_of(call.params, "type") != "account_onboarding":
            raise invalid("Express accounts have links of the type account_onboarding only.", "type")
        link = _Link(
            account.id,
            Instant(call.now + LINK_LIFE),
            text_of(call.params, "refresh_url"),
            text_of(call.params, "return_url"),
        )
        url = f"https://connect.stripe.com/setup/e/{account.id}/{self._ids.new('lnk', 12)}"
        self._links[url] = link
        return {
            "object": "account_link",
            "created": seconds(call.now),
            "expires_at": seconds(link.expires),
            "url": url,
        }

    def visit(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Open `url`; answers with where it led: the `form`, or the `refresh_url`."""
        link = self._links.get(str(args.get("url")))
        if link is None:
            return Refused("no-such-link", str(args.get("url")))
        if link.used_at is not None or now >= link.expires:
            return Answered({"landed": "refresh_url", "url": link.refresh_url, "account": link.account})
        link.used_at = now
        name = self._ids.new("form", 12)
        self._forms[name] = _Form(link.account, link, now)
        return self._at_form(name)

    def submit(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Send `fields` (dotted names) of the open `form`."""
        form = self._forms.get(str(args.get("form")))
        fields = args.get("fields")
        if form is None or not isinstance(fields, Mapping):
            return Refused("no-such-form", str(args.get("form")))
        if now - form.touched > FORM_LIFE:
            return Refused("form-expired", form.link.refresh_url)
        form.touched = now
        try:
            due = self._accounts.submit(self._accounts.all[form.account], fields, now)
        except StripeError as err:
            return Refused(str(err.body["error"]["code"]), str(err))
        return Answered({"account": form.account, "currently_due": due})

    def leave(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Leave the `form`, done or not: the browser goes to `return_url`, which says nothing about the account."""
        form = self._forms.get(str(args.get("form")))
        if form is None:
            return Refused("no-such-form", str(args.get("form")))
        form.touched = now
        return Answered({"landed": "return_url", "url": form.link.return_url, "account": form.account})

    def resume(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Take up a `form` that was left; after an hour it leads to `refresh_url`."""
        form = self._forms.get(str(args.get("form")))
        if form is None:
            return Refused("no-such-form", str(args.get("form")))
        if now - form.touched > FORM_LIFE:
            return Answered({"landed": "refresh_url", "url": form.link.refresh_url, "account": form.account})
        form.touched = now
        return self._at_form(str(args["form"]))

    def _at_form(self, name: str) -> Outcome:
        account = self._accounts.all[self._forms[name].account]
        due = self._accounts.due(account)
        return Answered({"landed": "form", "form": name, "account": account.id, "currently_due": due})
