"""The port between the life of a transaction and the words for it: what a version tells its back-end, and what it hears.

One Teller per version. The life itself (contactor, signed readings, who may go on) is that of `charging` and knows none of
the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from fleet.station.bay import Bay, Claim
from fleet.station.outbox import Message
from fleet.station.tokens import Entry
from fleet.station.transaction import Transaction

Verdict = Callable[[int, Entry], None]
"""(number of the transaction, what the back-end says of its token): an answer to its begin came."""


def unheard(number: int, entry: Entry) -> None:
    """Stands for the listener to verdicts until there is one."""
    raise AssertionError("nobody listens to the verdicts yet")


class Teller(Protocol):
    """How transactions are told in one version. `on_verdict` hears what a back-end says of the token of a begin."""

    on_verdict: Verdict

    def name(self, number: int) -> str:
        """The id that the station gives a transaction; empty in a version in which back-ends do."""
        ...

    def began(self, bay: Bay, transaction: Transaction, claim: Claim, at: int, register: int) -> None:
        """It has begun; the begin is read and signed. `at` is the station's time, `register` in Wh."""
        ...

    def changed(self, bay: Bay, transaction: Transaction) -> None:
        """What the EV or the station does in it may be another now."""
        ...

    def ended(
        self, bay: Bay, transaction: Transaction, reason: str, id_tag: str | None, at: int, register: int
    ) -> None:
        """It is over; the end is read and signed. `reason` in the words of 1.6, `id_tag` the token that ended it."""
        ...

    def confirmed(self, message: Message, payload: bytes) -> None:
        """A message of the outbox was answered."""
        ...

    def restore(self, flash: Mapping[str, Any]) -> None:
        """After power-up, before what was open is ended."""
        ...
