"""How anybody talks to a partner, and a partner to anybody.

A request is a `Tell` of the command `request` with the fields of `Request`; it settles as

- `Answered(Response)`: the partner answered, with its HTTP-like status, be it 200, 402, 409, 429 or 500;
- `Refused("unavailable")`: the connection was refused, the request never arrived;
- `Unknown(reason)`: it was sent and nothing came back. It may have happened. The caller also treats silence so, after a
  time-out of its own.

A partner reports events by a `Tell` of the command `webhook` with the fields of `Webhook` to whoever subscribed; a
back-end takes it as the operation `webhook`. Settled as Answered it counts as taken, anything else is sent again later.
Money is in minor units, instants are ms.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from sim.machine import Command

REQUEST = "request"
WEBHOOK = "webhook"


class Request(Struct, frozen=True, kw_only=True):
    """One call of a partner's API.

    `api` is `<resource>.<verb>` in the partner's own words (`payment_intents.capture`, `mail.send`); `key` the idempotency
    key; `account` whom it is done for (Stripe-Account header), None for the caller itself.
    """

    api: str
    params: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    account: str | None = None

    def command(self) -> Command:
        """As it is put into a `Tell`."""
        args = {"api": self.api, "params": self.params, "key": self.key, "account": self.account}
        return Command(REQUEST, args)


class Response(Struct, frozen=True):
    """What the partner answered. An error has a status of 400 and more and says why in `body["error"]`."""

    status: int
    body: dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status < 400


class Webhook(Struct, frozen=True, kw_only=True):
    """One delivery of one event. `payload` is the exact text that was signed, `signature` that of the partner's scheme."""

    partner: str
    payload: str
    signature: str

    def command(self) -> Command:
        """As it is put into a `Tell`."""
        return Command(WEBHOOK, {"partner": self.partner, "payload": self.payload, "signature": self.signature})
