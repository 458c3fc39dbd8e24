"""The operator as Stripe's platform: accounts created once, account links minted for those who come, accounts read.

A stored 500 stays the answer to its key for a day, so after one, and after a key may have been forgotten, the list of
accounts is looked at, and only then is a new key used.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from scenarios.migration.asking import Wait
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import OwnerPlan
from scenarios.upgrade.stories import Stories, Wish, pause, response_of
from sim.backend import Row
from sim.clock import HOUR

STRIPE = "stripe"
KEY_SURE = 20 * HOUR
"""How long a key is certainly remembered; Stripe promises a day."""


class Platform:
    """What the desk asks of Stripe. `accounts` are the connected accounts by owner, as far as they are known."""

    def __init__(self, stories: Stories, parts: DeskParts, portal: str) -> None:
        self._stories = stories
        self._parts = parts
        self._portal = portal
        self._minted = 0
        self._last: dict[str, str] = {}
        self.accounts: dict[str, str] = {}

    def create(self, owner: OwnerPlan) -> Generator[Wish, Any, str | None]:
        """The owner's account, created if there is none yet; None if Stripe does not want it."""
        params = {
            "type": "express",
            "country": owner.country,
            "default_currency": owner.currency.lower(),
            "email": owner.email,
            "metadata": {"owner": owner.owner},
        }
        round_, tries, since = 1, 0, self._stories.now
        while True:
            key = self._parts.account_key(owner.owner, round_, tries)
            outcome = yield from self._stories.request(STRIPE, "accounts.create", params, key)
            response = response_of(outcome)
            if response is not None and response.ok:
                return self._known(owner, response.body)
            if response is not None and response.status < 500 and response.status not in (409, 429):
                yield self._stories.note("account-refused", owner.owner, status=response.status)
                return None
            if (response is not None and response.status >= 500) or self._stories.now - since > KEY_SURE:
                found = yield from self._list()
                mine = [one for one in found or () if one["metadata"].get("owner") == owner.owner]
                if mine:
                    return self._known(owner, mine[0])
                if found is not None:
                    round_, since = round_ + 1, self._stories.now
            yield Wait(pause(tries))
            tries += 1

    def mint(self, owner: str, most: int | None = None) -> Generator[Wish, Any, str | None]:
        """A fresh account link; None without an account, or after `most` tries. One minted unseen does no harm."""
        account = self.accounts.get(owner)
        if account is None:
            return None
        last = self._last.get(owner)
        if last is not None and not self._parts.mint_anew(last):
            return last
        params = {
            "account": account,
            "refresh_url": f"{self._portal}/refresh/{owner}",
            "return_url": f"{self._portal}/done/{owner}",
            "type": "account_onboarding",
        }
        tries = 0
        while most is None or tries < most:
            self._minted += 1
            outcome = yield from self._stories.request(STRIPE, "account_links.create", params, f"link/{self._minted}")
            response = response_of(outcome)
            if response is not None and response.ok:
                url = self._last[owner] = str(response.body["url"])
                yield self._stories.note("link-minted", owner, account=account, url=url)
                return url
            tries += 1
            if tries != most:
                yield Wait(pause(tries - 1))
        return None

    def read(self, owner: str, most: int | None = None) -> Generator[Wish, Any, Row | None]:
        """The account as Stripe shows it now; None without one, or after `most` tries."""
        account = self.accounts.get(owner)
        tries = 0
        while account is not None and (most is None or tries < most):
            outcome = yield from self._stories.request(STRIPE, "accounts.retrieve", {"id": account})
            response = response_of(outcome)
            if response is not None and response.ok:
                return dict(response.body)
            tries += 1
            if tries != most:
                yield Wait(pause(tries - 1))
        return None

    def _list(self) -> Generator[Wish, Any, list[Row] | None]:
        outcome = yield from self._stories.request(STRIPE, "accounts.list", {})
        response = response_of(outcome)
        return list(response.body["data"]) if response is not None and response.ok else None

    def _known(self, owner: OwnerPlan, body: Row) -> str:
        account = self.accounts[owner.owner] = str(body["id"])
        return account
