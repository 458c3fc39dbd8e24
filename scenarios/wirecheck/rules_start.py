"""Rules of how transactions come about: remote commands are followed by what was promised, refused tokens do not charge."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from scenarios.wirecheck.actions import REMOTE_START, REMOTE_STOP
from scenarios.wirecheck.message import RESULT, Message, inside, text_of, time_of, whole
from scenarios.wirecheck.rule import Rule
from sim.clock import MINUTE, SECOND

START, STOP, EVENT, STATUS, AUTHORIZE = (
    "StartTransaction", "StopTransaction", "TransactionEvent", "StatusNotification", "Authorize",
)  # fmt: skip
_GRACE = MINUTE
_RECENT = 30 * MINUTE
_MOST = 256
_IDLE = ("Available", "Unavailable", "Faulted")


def token_of(one: Message) -> str:
    """The token that a message names, of whatever version, in small letters; "" if none."""
    token = one.payload.get("idTag", one.payload.get("idToken"))
    return text_of(inside(token).get("idToken") if isinstance(token, dict) else token).lower()


def place_of(one: Message) -> int | None:
    """The connector or EVSE that a command or status names."""
    found = one.payload.get("evseId", inside(one.payload.get("evse")).get("id", one.payload.get("connectorId")))
    return whole(found)


class _Promise(Struct):
    call: Message
    answer: Message
    what: Any
    place: int | None


class _Promised(Rule):
    """A command that was accepted, and what must follow it."""

    commands: tuple[str, ...] = ()

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._open: list[_Promise] = []

    def answer(self, one: Message) -> None:
        """A promise, if it was accepted."""
        call = one.call
        if call is None or call.action not in self.commands or one.kind != RESULT:
            return
        if one.payload.get("status") == "Accepted" and len(self._open) < _MOST:
            self._open.append(_Promise(call, one, self.asked(call), place_of(call)))

    def asked(self, call: Message) -> Any:
        """What the promise is recognised by."""
        raise AssertionError("says each of them")

    def patience(self) -> int:
        """How long it may take, in ms."""
        return 2 * self.limits.timeout

    def kept(self, what: Any) -> None:
        """The promise about this was kept."""
        for one in self._open:
            if one.what == what:
                self.saw()
                self._open.remove(one)
                return

    def frame(self, one: Message) -> None:
        """Time goes on."""
        if not self._open or not one.up:
            return
        for promise in list(self._open):
            if promise.answer.backend == one.backend and one.sent - promise.answer.sent > self.patience():
                self._open.remove(promise)
                self.saw()
                late = (one.sent - promise.answer.sent) // SECOND
                text = f"{promise.call.action} was accepted, and nothing came of it in {late:,} s"
                self.breach(text, promise.call, promise.answer)

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """What follows may be queued, or lost with the power."""
        for promise in [one for one in self._open if f"{one.call.backend}/{one.call.link}" == link]:
            self._open.remove(promise)
            self.unsure("the connection ended before the command had its time")

    def end(self, at: int, left: list[Message]) -> None:
        """Too early to say."""
        for _ in self._open:
            self.unsure("the trace ended before the command had its time")


class RemoteStart(_Promised):
    """Start from afar."""

    id = "remote.start"
    requires = ("1.6 §5.11", "2.0.1 F01, F02", "TC_010, TC_011")
    sentence = "After an accepted remote start its transaction begins in time, or the connector is free again."
    actions = (*REMOTE_START, START, EVENT, STATUS)
    commands = REMOTE_START

    def asked(self, call: Message) -> Any:
        """The token, or in 2.x the remoteStartId."""
        return call.payload.get("remoteStartId") if "remoteStartId" in call.payload else token_of(call)

    def patience(self) -> int:
        """ConnectionTimeOut, if it was seen, and a minute."""
        told = self.station.config.get("ConnectionTimeOut") or self.station.config.get("EVConnectionTimeOut") or ""
        return int(told) * SECOND + _GRACE if told.isdecimal() and len(told) < 7 else self.limits.start

    def call(self, one: Message) -> None:
        """A start, or a connector that is free again."""
        if one.action == START:
            self.kept(token_of(one))
        elif one.action == EVENT:
            self.kept(inside(one.payload.get("transactionInfo")).get("remoteStartId"))
        elif one.action == STATUS:
            status = one.payload.get("status") or one.payload.get("connectorStatus")
            place = place_of(one)
            if status in _IDLE and place:
                self._open = [promise for promise in self._open if promise.place not in (None, place)]


class RemoteStop(_Promised):
    """Stop from afar."""

    id = "remote.stop"
    requires = ("1.6 §5.12", "2.0.1 F03", "TC_012")
    sentence = "After an accepted remote stop its transaction ends, and says so, within twice the time-out."
    actions = (*REMOTE_STOP, STOP, EVENT)
    commands = REMOTE_STOP

    def asked(self, call: Message) -> Any:
        """The transaction."""
        return call.payload.get("transactionId")

    def call(self, one: Message) -> None:
        """A stop, or an event that says that it was heard."""
        if one.action == STOP:
            self.kept(one.payload.get("transactionId"))
        elif one.payload.get("eventType") == "Ended" or one.payload.get("triggerReason") == "RemoteStop":
            self.kept(inside(one.payload.get("transactionInfo")).get("transactionId"))


class _Tokens(Rule):
    """Remembers what was lately said about tokens."""

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._said: dict[str, tuple[Message, bool]] = {}

    def answer(self, one: Message) -> None:
        """An Authorize, or a remote start that was accepted."""
        call = one.call
        if call is None or one.kind != RESULT:
            return
        if call.action == AUTHORIZE:
            info = inside(one.payload.get("idTagInfo", one.payload.get("idTokenInfo")))
            if isinstance(info.get("status"), str):
                self._note(token_of(call), one, info["status"] == "Accepted")
        elif call.action in REMOTE_START and one.payload.get("status") == "Accepted":
            self._note(token_of(call), one, True)

    def _note(self, token: str, one: Message, good: bool) -> None:
        self._said.pop(token, None)
        self._said[token] = (one, good)
        if len(self._said) > _MOST:
            del self._said[next(iter(self._said))]

    def lately(self, one: Message) -> tuple[Message, bool] | None:
        """What was said of the token of this start within half an hour before it began."""
        said, at = self._said.get(token_of(one)), time_of(one.payload.get("timestamp"))
        if said is None or at is None or not 0 <= at - said[0].sent <= _RECENT:
            return None
        return said


def _starts(one: Message) -> bool:
    """Whether this begins to charge somebody, and is no repeat."""
    ends = one.payload.get("triggerReason") == "StopAuthorized" or one.payload.get("eventType") == "Ended"
    return one.action in (START, EVENT) and not one.repeat and not ends and bool(token_of(one))


class Refused(_Tokens):
    """No means no."""

    id = "auth.refused"
    requires = ("INV-20", "1.6 §4.1", "2.0.1 C01", "TC_023")
    sentence = "No transaction begins with a token that the back-end has just refused."
    actions = (AUTHORIZE, *REMOTE_START, START, EVENT)

    def call(self, one: Message) -> None:
        """A start after a refusal?"""
        if not _starts(one):
            return
        said = self.lately(one)
        if said is None:
            return
        self.saw()
        if not said[1]:
            self.breach("a transaction begins with a token that was refused", said[0], one)


class AuthorizeFirst(_Tokens):
    """Who asked?"""

    id = "auth.before-start"
    requires = ("1.6 §4.1", "2.0.1 C01")
    sentence = (
        "A start follows an Authorize or a remote start; if not, the station decided by its list or cache, or offline."
    )
    only_notes = True
    actions = (AUTHORIZE, *REMOTE_START, START, EVENT)

    def call(self, one: Message) -> None:
        """Was somebody asked?"""
        if not _starts(one):
            return
        self.saw()
        if self.lately(one) is None:
            self.breach("nobody was asked about the token of this start", one)


RULES: tuple[type[Rule], ...] = (RemoteStart, RemoteStop, Refused, AuthorizeFirst)
