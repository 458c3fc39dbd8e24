"""Sending a mail so that exactly one arrives. Mail knows no idempotency: what is sent twice arrives twice.

After each sending the mailbox is asked what lies there under this message id (command `inbox`), and only what has certainly
not arrived is sent again; what bounces goes to the next address. Nothing here knows what a mail says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from msgspec import Struct

from scenarios.migration.asking import Wait
from scenarios.upgrade.letters import Letter
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.stories import Stories, Wish, pause, response_of
from sim.backend import Row
from sim.clock import HOUR, MINUTE, Instant
from sim.machine import Answered, Refused

MAILBOX = "mailbox"
_TAKEN = "taken"
_NOT_TAKEN = "certainly not taken"
_WRONG = "no address"
_UNHEARD = "may have been taken"
SURE = (3 * MINUTE, 7 * MINUTE)
"""Pauses before each look for a mail that the mailbox took: what is not there then has bounced."""
UNSURE = (3 * MINUTE, 7 * MINUTE, 20 * MINUTE, HOUR)
"""The same for a mail that may never have come as far."""


class Mail(Struct, frozen=True, kw_only=True):
    """One mail to one person: `addresses` in the order in which they are tried, the letter, and what it is about."""

    addresses: tuple[str, ...]
    language: str
    kind: str
    message_id: str
    letter: Letter
    meta: dict[str, Any]


Compose = Callable[[], Generator[Wish, Any, Mail | None]]
"""Writes the mail at the moment of sending; None: not now (a link could not be had)."""


class Sent(Struct, frozen=True, kw_only=True):
    """What became of a mail. `to`, `message_id` and `delivered_at` of the one that arrived; `doubtful`: one still may."""

    arrived: bool
    doubtful: bool = False
    to: str | None = None
    message_id: str | None = None
    delivered_at: Instant | None = None
    tries: int = 0


class Post:
    """Sends mails for a Machine of stories."""

    def __init__(self, stories: Stories, parts: DeskParts) -> None:
        self._stories = stories
        self._parts = parts

    def send(self, compose: Compose, until: int | None = None) -> Generator[Wish, Any, Sent]:
        """Send a mail until one has arrived, every address has bounced, or the instant `until` has come."""
        place, tries, doubtful = 0, 0, False
        while until is None or self._stories.now < until:
            mail = yield from compose()
            if mail is None:
                yield Wait(pause(tries))
                tries += 1
                continue
            if place >= len(mail.addresses):
                return Sent(arrived=False, doubtful=doubtful, tries=tries)
            to = mail.addresses[place]
            message_id = mail.message_id if place == 0 else f"{mail.message_id}/{place + 1}"
            tries += 1
            heard = yield from self._hand_over(mail, to, message_id)
            if heard == _NOT_TAKEN:
                yield Wait(pause(tries - 1))
                continue
            if heard == _WRONG:
                place += 1
                continue
            arrived = yield from self._look(to, message_id, SURE if heard == _TAKEN else UNSURE)
            again = self._parts.send_again(arrived)
            if arrived and (heard == _TAKEN or not again):
                delivered_at = Instant(arrived[0]["delivered_at"])
                return Sent(arrived=True, to=to, message_id=message_id, delivered_at=delivered_at, tries=tries)
            if heard == _TAKEN:
                place += 1
            elif again:
                doubtful = True
            else:
                return Sent(arrived=False, doubtful=True, tries=tries)
        return Sent(arrived=False, doubtful=doubtful, tries=tries)

    def _hand_over(self, mail: Mail, to: str, message_id: str) -> Generator[Wish, Any, str]:
        params = {
            "to": to,
            "subject": mail.letter.subject,
            "text": mail.letter.text,
            "language": mail.language,
            "kind": mail.kind,
            "message_id": message_id,
            "meta": mail.meta,
        }
        outcome = yield from self._stories.request(MAILBOX, "mail.send", params)
        response = response_of(outcome)
        if response is None:
            return _NOT_TAKEN if isinstance(outcome, Refused) else _UNHEARD
        if response.ok:
            return _TAKEN
        return _NOT_TAKEN if response.status == 429 else _WRONG if response.status < 500 else _UNHEARD

    def _look(self, to: str, message_id: str, pauses: Sequence[int]) -> Generator[Wish, Any, list[Row]]:
        """The mails of this id that lie in the mailbox, as soon as there is one."""
        found: list[Row] = []
        for ms in pauses:
            yield Wait(ms)
            outcome = yield from self._stories.ask(MAILBOX, "inbox", to=to)
            if isinstance(outcome, Answered):
                found = [mail for mail in outcome.payload["mails"] if mail["message_id"] == message_id]
                if found:
                    break
        return found
