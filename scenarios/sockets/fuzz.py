"""Hostile stations against a real back-end: sends what `fuzz_frames` draws and judges every answer.

What is due is due within the time-out; an answer that nobody asked for, a second one, a wrong code, silence, or a result
where an error is due is a finding. It says nothing of what the back-end does with it inside.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from time import perf_counter
from typing import Any

import msgspec
from msgspec import Struct

from scenarios.sockets.fuzz_bytes import Finding, throw
from scenarios.sockets.fuzz_bytes import rubbish as draw_rubbish
from scenarios.sockets.fuzz_frames import ANY, Probe, probes
from sim.rng import stream
from sim.runtimes.aio_ledger import Latencies
from sim.runtimes.channel import Channel, Keeper, Limits
from sim.runtimes.websocket_client import Dial, dial

_SUBPROTOCOL = "ocpp1.6"
_BOOT = b'[2,"%b","BootNotification",{"chargePointModel":"fuzz","chargePointVendor":"fuzz"}]'
_MOST_FINDINGS = 100


class Fuzzed(Struct):
    """What came of it. `dials` counts connections: the back-end may end one that sent what is no text."""

    sent: int = 0
    thrown: int = 0
    dials: int = 0
    findings: list[Finding] = []
    answers: Counter[str] = msgspec.field(default_factory=Counter)


class Lost(ConnectionError):
    """The back-end cannot be reached any more, or does not answer what is right."""


class Client:
    """One connection of a station, asked by hand. Refuses whatever the back-end asks of it."""

    def __init__(self, url: str, keeper: Keeper, login: tuple[str, bytes] | None = None) -> None:
        self._wish = Dial(url=url, subprotocols=(_SUBPROTOCOL,), login=login)
        self._keeper = keeper
        self._news = asyncio.Event()
        self.socket: Channel | None = None
        self.over: str | None = None
        self.answers: dict[str, list[Any]] = {}
        self.odd: list[str] = []

    async def up(self, timeout_s: float) -> None:
        """Dial. Raises Lost."""
        await dial(self._wish, self, self._keeper)
        await self._until(lambda: self.socket is not None or self.over is not None, timeout_s)
        if self.socket is None or self.over is not None:
            raise Lost(f"no connection: {self.over or 'time-out'}")

    def send(self, frame: bytes) -> None:
        """Send one text message."""
        assert self.socket is not None
        self.socket.send(frame)

    async def ask(self, id: str, frame: bytes, timeout_s: float) -> list[Any] | None:
        """Send a CALL and wait for its answer, None if the connection ended before. Raises Lost after the time-out."""
        self.send(frame)
        if not await self._until(lambda: id in self.answers or self.over is not None, timeout_s):
            raise Lost(f"no answer to {frame[:80]!r} within {timeout_s:g} s")
        return self.answers[id][0] if id in self.answers else None

    async def _until(self, wanted: Any, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while not wanted():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    # -- what the socket tells -------------------------------------------------------------------------------------

    def opened(self, socket: Channel) -> None:
        """The handshake succeeded."""
        self.socket = socket
        self._news.set()

    def text(self, frame: bytes) -> None:
        """A frame of the back-end."""
        self._news.set()
        try:
            message = msgspec.json.decode(frame)
            kind, id = message[0], message[1]
        except (msgspec.DecodeError, IndexError, TypeError, KeyError):
            self.odd.append(f"the back-end sent what is no message: {frame[:80]!r}")
            return
        if kind == 2:
            self.send(msgspec.json.encode([4, id, "NotSupported", "", {}]))
        else:
            self.answers.setdefault(id, []).append(message)

    def closed(self, code: int, reason: str) -> None:
        """It is over."""
        self.over = f"{code} {reason}"
        self._news.set()


async def fuzz_frames(
    url: str,
    probes: Iterable[Probe],
    keeper: Keeper,
    at_once: int = 1,
    timeout_s: float = 10.0,
    login: tuple[str, bytes] | None = None,
) -> Fuzzed:
    """Send all probes, so many before each wait. Raises Lost if the back-end is gone."""
    run = _Run(url, keeper, timeout_s, login)
    waiting: list[Probe] = []
    for probe in probes:
        if probe.kind in _ALONE:
            await run.group([probe])
            continue
        waiting.append(probe)
        if len(waiting) >= at_once:
            await run.group(waiting)
            waiting = []
    await run.group(waiting)
    await run.leave()
    return run.fuzzed


async def attack(
    url: str, frames: int, rubbish: int, seed: int, at_once: int = 1, login: tuple[str, bytes] | None = None
) -> Fuzzed:
    """Frames, then rubbish below OCPP, at this URL of one station. Raises Lost if the back-end is gone, also afterwards."""
    keeper = Keeper(Limits())
    fuzzed = await fuzz_frames(url, probes(seed, frames), keeper, at_once, login=login)
    for one in draw_rubbish(seed, rubbish):
        fuzzed.thrown += 1
        try:
            found = await throw(url, one)
        except OSError as err:
            raise Lost(f"it takes no connection any more: {err}") from None
        if found is not None:
            fuzzed.findings.append(found)
    last = Client(url, keeper, login)
    await last.up(10.0)
    await last.ask("last", _BOOT % b"last", 10.0)
    await gone(keeper)
    return fuzzed


_ALONE = frozenset({"no-utf8"})  # ends its connection, as RFC 6455 §8.1 wants


class _Run:
    """One fuzz under way."""

    def __init__(self, url: str, keeper: Keeper, timeout_s: float, login: tuple[str, bytes] | None) -> None:
        self.fuzzed = Fuzzed()
        self._url, self._keeper, self._timeout_s, self._login = url, keeper, timeout_s, login
        self._client: Client | None = None
        self._fences = 0

    async def group(self, probes: list[Probe]) -> None:
        """Send, wait until all before a question that is right is answered, judge."""
        if not probes or len(self.fuzzed.findings) >= _MOST_FINDINGS:
            return
        client = await self._connected()
        for probe in probes:
            client.send(probe.frame)
        await self._fence(client)
        if client.over is not None and len(probes) > 1:
            for probe in probes:  # who was it?
                await self.group([probe])
            return
        self.fuzzed.sent += len(probes)
        for probe in probes:
            self._judge(probe, client)
        for id, answers in client.answers.items():
            if id != "-1":  # what 2.x says to a message without an id
                self._find("answer", str(answers)[:200], "it answers a message that nobody sent")
        for problem in client.odd:
            self._find("answer", "", problem)
        client.answers.clear()
        client.odd.clear()

    async def _connected(self) -> Client:
        if self._client is None or self._client.over is not None:
            self._client = Client(self._url, self._keeper, self._login)
            self.fuzzed.dials += 1
            await self._client.up(self._timeout_s)
            await self._fence(self._client)
            self._client.answers.clear()
        return self._client

    async def _fence(self, client: Client) -> None:
        """A boot is right in every state; once it is answered, everything before it has been dealt with."""
        self._fences += 1
        id = f"fence-{self._fences}"
        answer = await client.ask(id, _BOOT % id.encode(), self._timeout_s)
        client.answers.pop(id, None)
        if answer is not None and answer[0] != 3:
            self._find("fence", str(answer), "a right BootNotification got no result")

    def _judge(self, probe: Probe, client: Client) -> None:
        answers = client.answers.pop(probe.id, []) if probe.id is not None else []
        if not answers:
            ended = client.over is not None
            self.fuzzed.answers["ended" if ended else "silence"] += 1
            if ended and not probe.ends:
                self._find(probe.kind, _shown(probe), f"the connection ended: {client.over}")
            elif not ended and not probe.silence:
                self._find(probe.kind, _shown(probe), f"silence, expected {_wanted(probe)}")
            return
        kind = answers[0][0]
        said = "result" if kind == 3 else str(answers[0][2])
        self.fuzzed.answers[said] += 1
        if len(answers) > 1:
            self._find(probe.kind, _shown(probe), f"answered {len(answers)} times")
        right = probe.result if kind == 3 else probe.codes == ANY or said in probe.codes
        if not right:
            self._find(probe.kind, _shown(probe), f"answered {answers[0]!r:.200}, expected {_wanted(probe)}")

    def _find(self, kind: str, frame: str, problem: str) -> None:
        self.fuzzed.findings.append(Finding(kind, frame, problem))

    async def leave(self) -> None:
        """Say goodbye."""
        if self._client is not None and self._client.socket is not None:
            self._client.socket.close(1000, "the fuzz is over")


def _shown(probe: Probe) -> str:
    return probe.frame[:300].decode("utf-8", "backslashreplace")


def _wanted(probe: Probe) -> str:
    allowed = ["a result"] if probe.result else []
    allowed += ["any error"] if probe.codes == ANY else list(probe.codes)
    allowed += ["silence"] if probe.silence else []
    return ", ".join(allowed)


async def gone(keeper: Keeper) -> None:
    """Cut what this side holds, and wait until nothing of it is left."""
    keeper.cut_all("it is over")
    while len(keeper):
        await asyncio.sleep(0.01)


class Neighbour:
    """A healthy station beside it all: asks again and again, and says how long answers took. Times in ms."""

    def __init__(self, url: str, keeper: Keeper, pause_s: float = 0.02) -> None:
        self.times = Latencies()
        self._client = Client(url, keeper)
        self._pause_s = pause_s
        self._over = False

    async def run(self, timeout_s: float = 10.0) -> None:
        """Ask until `stop`. Raises Lost when it is not answered, or its connection ends."""
        client = self._client
        await client.up(timeout_s)
        boot = await client.ask("boot", _BOOT % b"boot", timeout_s)
        number = 0
        rng = stream(0, "neighbour")
        while not self._over:
            if boot is None or client.over is not None:
                raise Lost(f"the healthy neighbour lost its connection: {client.over}")
            number += 1
            began = perf_counter()
            answer = await client.ask(f"n{number}", b'[2,"n%d","Heartbeat",{}]' % number, timeout_s)
            self.times.add((perf_counter() - began) * 1000)
            if answer is None or answer[0] != 3:
                raise Lost(f"the healthy neighbour was answered {answer!r}")
            client.answers.clear()
            await asyncio.sleep(self._pause_s * (0.5 + rng.random()))

    def stop(self) -> None:
        """It has asked enough."""
        self._over = True
