"""`chargerig replay`: stations of a trace speak to another back-end, and every answer is compared with the recorded one.

Each station asks what it asked, once its predecessor is answered, and answers the back-end's own calls as it did. Here
sockets, pace and order; what is the same is decided in `sim.evidence.sameness`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from urllib.parse import quote

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.protocol import State
from websockets.typing import Subprotocol

from sim.evidence.compared import Comparison, decoded
from sim.evidence.sameness import Ids, Ignore, differences, shifted
from sim.evidence.script import VERSION_OF, Answer, Ask, Script, Talk
from sim.rng import message_id
from sim.runtimes.aio import Clock
from sim.runtimes.entropy import run_salt
from sim.wire.ocppj import BadFrame, Call, Result, encode_call, encode_error, encode_result, parse
from sim.wire.schema import document, judge

_DIAL_SECONDS = 10.0
_CLOSE_SECONDS = 5.0
_LARGEST = 1 << 24
"""Bytes of a message: what a back-end says is measured by others."""
_UNKNOWN_SECONDS = 2.0
"""How long to wait for the answer to a call that got none in the trace."""
_REFUSALS = ("Rejected", "NotSupported", "Failed", "Unknown", "NotFound", "UnknownVendorId", "UnlockFailed")


class Wish(Struct, frozen=True):
    """How to replay. `pace`: 0 as fast as answers come, 1 as recorded, N times as fast. `shift`: times as of now."""

    target: str
    pace: float = 0.0
    shift: bool = False
    seconds: float = 30.0
    """How long an answer may take."""
    passwords: Mapping[str, str] = {}
    """Authorization headers of stations."""
    trust: ssl.SSLContext | None = None


class _Order:
    """Events of all connections in the order of the trace: each waits until all before it have been let through."""

    def __init__(self, numbers: list[int]) -> None:
        self._left = sorted(numbers, reverse=True)
        self._done: set[int] = set()
        self._waiting: dict[int, asyncio.Event] = {}

    async def wait(self, number: int) -> None:
        if self._left and self._left[-1] != number:
            waiting = self._waiting[number] = asyncio.Event()
            await waiting.wait()

    def done(self, number: int) -> None:
        self._done.add(number)
        while self._left and self._left[-1] in self._done:
            self._done.discard(self._left.pop())
        if self._left and self._left[-1] in self._waiting:
            self._waiting.pop(self._left[-1]).set()


class Replay:
    """One replay of one script; `run` returns what there is to compare."""

    def __init__(self, script: Script, wish: Wish, ignore: Ignore, tell: Callable[[int], None] | None = None) -> None:
        self.script = script
        self.wish = wish
        self.result = Comparison(ignore)
        self.tell = tell or (lambda done: None)
        self._clock = Clock()
        self.begun = self._clock.start
        self.shift = self.begun - script.began if wish.shift else 0
        self.ids: dict[str, Ids] = defaultdict(Ids)
        self.salt = run_salt()
        self.counter = 0
        self.done = 0
        self.order = _Order([number for talk in script.talks for number in _numbers(talk)])
        self.left: dict[str, list[Ask]] = {station: list(calls) for station, calls in script.told.items()}
        for calls in script.told.values():
            for call in calls:
                self.result.own_call(call.action, "recorded")

    def now(self) -> int:
        """Milliseconds since 1970."""
        return self._clock.now()

    async def run(self) -> Comparison:
        """Play all connections to their end."""
        async with asyncio.TaskGroup() as tasks:
            for talk in self.script.talks:
                tasks.create_task(_Player(self, talk).play())
        return self.result

    async def moment(self, number: int, at: int) -> None:
        """Wait until an event of the trace is due: its turn, or its time."""
        if self.wish.pace:
            due = self.begun + (at - self.script.began) / self.wish.pace
            await asyncio.sleep(max(0.0, due - self.now()) / 1000)
        else:
            await self.order.wait(number)

    def message_id(self, station: str) -> str:
        """An id that nobody has used."""
        self.counter += 1
        return message_id(self.salt, station, self.counter)


class _Player:
    """One connection of the trace, played."""

    def __init__(self, replay: Replay, talk: Talk) -> None:
        self._replay = replay
        self._talk = talk
        self._ids = replay.ids[talk.station]
        self._leg: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: tuple[str, Ask, asyncio.Future[Answer | None]] | None = None
        self._given_up = ""

    async def play(self) -> None:
        """From the opening to the close."""
        replay, talk = self._replay, self._talk
        await replay.moment(talk.n, talk.at)
        await self._dial()
        replay.order.done(talk.n)
        for ask in talk.asks:
            await self._settle()
            await replay.moment(ask.n, ask.at)
            await self._ask(ask)
            replay.order.done(ask.n)
        await self._settle()
        if talk.closed_n:
            await replay.moment(talk.closed_n, talk.closed_at)
        if self._leg is not None:
            await self._leg.close(talk.code)
        if talk.closed_n:
            replay.order.done(talk.closed_n)
        await self._stop_reading()

    async def _dial(self) -> None:
        talk, wish = self._talk, self._replay.wish
        url = f"{wish.target.rstrip('/')}/{quote(talk.station, safe='')}" + (f"?{talk.query}" if talk.query else "")
        # A pseudonym opens no door.
        recorded = "" if self._replay.script.pseudonymised else talk.authorization
        authorization = wish.passwords.get(talk.station, recorded)
        try:
            self._leg = await connect(
                url,
                subprotocols=[Subprotocol(one) for one in talk.subprotocols],
                additional_headers={"Authorization": authorization} if authorization else None,
                compression=None,
                proxy=None,
                ssl=wish.trust,
                open_timeout=_DIAL_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                max_size=_LARGEST,
            )
        except InvalidStatus as err:
            self._give_up(f"the handshake was answered with {err.response.status_code}")
        except (OSError, EOFError, InvalidHandshake, ValueError) as err:
            self._give_up(f"no connection ({' '.join(str(err).split()) or type(err).__name__})")
        else:
            if self._leg.subprotocol is None:
                await self._leg.close()
                self._give_up("the back-end chose none of the subprotocols")
                return
            self._reading = asyncio.create_task(self._read(self._leg))

    def _give_up(self, why: str) -> None:
        self._leg = None
        self._given_up = f"(not sent: {why})"
        self._replay.result.problems[f"{self._talk.station}: {why}"] += 1

    async def _ask(self, ask: Ask) -> None:
        """Send a call; a connection that broke off is dialled again once."""
        if self._leg is not None and self._leg.state is not State.OPEN:
            self._replay.result.problems[f"{self._talk.station}: the connection ended before it did in the trace"] += 1
            await self._stop_reading()
            await self._dial()
        if self._leg is None:
            self._count(ask, None, self._given_up)
            return
        id = self._replay.message_id(self._talk.station)
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting = id, ask, answered
        payload = self._ids.new(shifted(ask.payload, self._replay.shift))
        try:
            await self._leg.send(encode_call(id, ask.action, payload.encode()).decode())
        except ConnectionClosed:
            if not answered.done():
                answered.set_result(None)

    async def _settle(self) -> None:
        """Wait for the answer to the outstanding call, and compare it."""
        if self._waiting is None:
            return
        _, ask, answered = self._waiting
        seconds = self._replay.wish.seconds
        seconds = seconds if ask.answer is not None else min(seconds, _UNKNOWN_SECONDS)
        new = None
        with contextlib.suppress(TimeoutError):
            new = await asyncio.wait_for(answered, seconds)
        self._waiting = None
        self._count(ask, new)

    def _count(self, ask: Ask, new: Answer | None, why: str = "") -> None:
        replay = self._replay
        replay.result.answer(self._talk, ask, new, self._ids, why)
        replay.done += 1
        replay.tell(replay.done)

    async def _read(self, leg: ClientConnection) -> None:
        """Everything that the back-end says on one connection."""
        try:
            async for message in leg:
                frame = message.encode() if isinstance(message, str) else message
                await self._frame(leg, frame)
        except ConnectionClosed:
            pass  # broke off: as good as closed
        if self._waiting is not None and not self._waiting[2].done():
            self._waiting[2].set_result(None)

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            await self._reading

    async def _frame(self, leg: ClientConnection, frame: bytes) -> None:
        try:
            read = parse(frame)
        except BadFrame as bad:
            self._replay.result.problems[f"{self._talk.station}: an unreadable frame ({bad.why})"] += 1
            return
        if isinstance(read, Call):
            await leg.send(self._own(leg, read).decode())
            return
        waiting = self._waiting
        if waiting is None or waiting[0] != read.id or waiting[2].done():
            self._replay.result.problems[f"{self._talk.station}: an answer to nothing, or too late"] += 1
        elif isinstance(read, Result):
            waiting[2].set_result(Answer(self._replay.now(), read.payload.decode()))
        else:
            waiting[2].set_result(Answer(self._replay.now(), "{}", read.code))

    def _own(self, leg: ClientConnection, call: Call) -> bytes:
        """The station's answer to a call of the back-end: as in the trace, else a refusal."""
        recorded = self._recorded(call)
        if recorded is None or recorded.answer is None:
            self._replay.result.own_call(call.action, "refused")
            return refusal(VERSION_OF.get(leg.subprotocol or "", "1.6"), call)
        self._replay.result.own_call(call.action, "answered as recorded")
        if recorded.answer.code:
            return json.dumps([4, call.id, recorded.answer.code, "", {}]).encode()
        payload = self._ids.new(shifted(recorded.answer.payload, self._replay.shift))
        return encode_result(call.id, payload.encode())

    def _recorded(self, call: Call) -> Ask | None:
        """The call of the trace that this one stands for: the same, else the next of its action that was answered."""
        left = self._replay.left.get(self._talk.station, [])
        same = [one for one in left if one.action == call.action and one.answer is not None]
        asked = decoded(self._ids.recorded(call.payload.decode()))
        best = next((one for one in same if decoded(one.payload) == asked), same[0] if same else None)
        if best is not None:
            left.remove(best)
            moments = best.at, self._replay.now()
            # For the pairs of ids alone: that another back-end asks otherwise is no difference of an answer.
            deque(differences(decoded(best.payload), decoded(call.payload.decode()), self._ids, moments), maxlen=0)
        return best


def refusal(version: str, call: Call) -> bytes:
    """What a station answers that will not: a status of refusal if the schema knows one, else NotSupported."""
    try:
        schema = document(version, call.action, "response")
    except KeyError:
        return encode_error(call.id, "NotImplemented")
    for status in _REFUSALS if schema.get("required") == ["status"] else ():
        payload = json.dumps({"status": status}).encode()
        if judge(version, call.action, "response", payload) is None:
            return encode_result(call.id, payload)
    return encode_error(call.id, "NotSupported")


def replay(script: Script, wish: Wish, ignore: Ignore, tell: Callable[[int], None] | None = None) -> Comparison:
    """Play a script to its end; `tell` hears how many calls are done."""

    async def run() -> Comparison:
        return await Replay(script, wish, ignore, tell).run()

    return asyncio.run(run())


def _numbers(talk: Talk) -> list[int]:
    """The events of a connection in the order of the trace."""
    return [talk.n, *(ask.n for ask in talk.asks), *([talk.closed_n] if talk.closed_n else [])]
