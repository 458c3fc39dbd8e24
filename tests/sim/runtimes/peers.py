"""A small back-end and a small station on real sockets, for what stands between them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from sim.evidence.pseudonyms import Pseudonyms
from sim.evidence.recording import Recording
from sim.evidence.wire import WireFile, WireLine, read_wire
from sim.network.rules import Rules, make_rules
from sim.runtimes.bridge import Limits
from sim.runtimes.proxy import Ends, Proxy

NOW = "2026-03-01T10:00:00Z"
BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
Answering = Callable[["BackEnd", str, str, dict[str, Any]], Awaitable[Any] | Any]


class BackEnd:
    """Answers by the book, unless `answer(self, station, action, payload)` has another answer; None keeps silent."""

    def __init__(self, answer: Answering | None = None, first_id: int = 1) -> None:
        self.answer = answer
        self.next_id = first_id
        self.heard: dict[str, list[str]] = {}
        self.requests: list[Request] = []
        self.legs: list[ServerConnection] = []
        self.closes: list[tuple[int | None, str | None]] = []
        self.port = 0
        self.unknown: dict[str, int] = {}
        self.transactions: list[int] = []

    @asynccontextmanager
    async def running(self, **named: Any) -> AsyncIterator[BackEnd]:
        """The back-end, listening on a free port."""
        options = {"subprotocols": ["ocpp1.6"], "compression": None, "ping_interval": None} | named
        if "select_subprotocol" in named:
            options.pop("subprotocols")
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._request, **options) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def _request(self, leg: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        status = self.unknown.get(request.path.rpartition("/")[2])
        if status is None:
            return None
        response = leg.respond(status, f"told {status}\n")
        response.headers["WWW-Authenticate"] = "Basic"
        if status < 400:
            response.headers["Location"] = f"ws://127.0.0.1:{self.port}/elsewhere"
        return response

    async def _serve(self, leg: ServerConnection) -> None:
        assert leg.request is not None
        station = leg.request.path.partition("?")[0].rpartition("/")[2]
        self.legs.append(leg)
        try:
            async for frame in leg:
                self.heard.setdefault(station, []).append(str(frame))
                await self._frame(leg, station, frame)
        except ConnectionClosed:
            pass
        self.closes.append((leg.close_code, leg.close_reason))

    async def _frame(self, leg: ServerConnection, station: str, frame: str | bytes) -> None:
        try:
            kind, id, action, payload = json.loads(frame)
        except ValueError:
            return
        if kind != 2:
            return
        answer = self.answer(self, station, action, payload) if self.answer else ...
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer is ...:
            answer = self.usual(action, payload)
        if answer is not None:
            await leg.send(json.dumps([3, id, answer]))

    def usual(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The answer by the book."""
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": NOW, "interval": 300}
            case "Heartbeat":
                return {"currentTime": NOW}
            case "Authorize":
                return {"idTagInfo": {"status": "Accepted"}}
            case "StartTransaction":
                self.next_id += 1
                return {"transactionId": self.next_id - 1, "idTagInfo": {"status": "Accepted"}}
            case "StopTransaction" | "MeterValues" if "transactionId" in payload:
                self.transactions.append(payload["transactionId"])
                return {"idTagInfo": {"status": "Accepted"}} if action == "StopTransaction" else {}
        return {}

    async def call(self, leg: ServerConnection, id: str, action: str, payload: dict[str, Any]) -> None:
        """Ask a station for something; the answer goes into `heard`."""
        await leg.send(json.dumps([2, id, action, payload]))


class Station:
    """Asks and waits for the answer; `sent` and `got` are the frames as they were."""

    def __init__(self, leg: ClientConnection, name: str) -> None:
        self.leg = leg
        self.name = name
        self.sent: list[str] = []
        self.got: list[str] = []

    async def ask(self, action: str, payload: dict[str, Any], seconds: float = 2.0) -> Any:
        """The payload of the answer; the back-end's own calls are answered meanwhile."""
        id = f"{self.name}-{len(self.sent)}"
        self.sent.append(json.dumps([2, id, action, payload], indent=1))  # not as any encoder of ours would write it
        await self.leg.send(self.sent[-1])
        async with asyncio.timeout(seconds):
            while True:
                frame = str(await self.leg.recv())
                self.got.append(frame)
                kind, other, *rest = json.loads(frame)
                if kind == 2:
                    self.sent.append(json.dumps([3, other, {"status": "Accepted"}]))
                    await self.leg.send(self.sent[-1])
                elif other == id:
                    return rest[0]

    async def session(self, token: str, meter: int = 0) -> int:
        """Boot, authorize, charge, stop."""
        await self.ask("BootNotification", BOOT)
        await self.ask("Authorize", {"idTag": token})
        begun = {"connectorId": 1, "idTag": token, "meterStart": meter, "timestamp": NOW}
        transaction: int = (await self.ask("StartTransaction", begun))["transactionId"]
        sample = [{"timestamp": NOW, "sampledValue": [{"value": f"{meter + 21.4:.2f}", "unit": "Wh"}]}]
        await self.ask("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": sample})
        ended = {"transactionId": transaction, "idTag": token, "meterStop": meter + 30, "timestamp": NOW}
        await self.ask("StopTransaction", ended)
        return transaction


@asynccontextmanager
async def station(
    port: int, name: str, password: str = "", path: str = "/ocpp/", **named: Any
) -> AsyncIterator[Station]:
    """A station that is connected."""
    headers = {}
    if password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    options = {"subprotocols": ["ocpp1.6"], "compression": None, "ping_interval": None, "proxy": None} | named
    url = f"ws://127.0.0.1:{port}{path}{name}"
    async with connect(url, additional_headers=headers, **options) as leg:
        yield Station(leg, name)


@asynccontextmanager
async def proxied(
    trace: Path,
    port: int,
    *rules: dict[str, Any],
    key: bytes | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Proxy]:
    """A proxy before the back-end on this port, writing this trace."""
    recording = Recording(WireFile(trace), "back", None if key is None else Pseudonyms(key))
    ends = Ends("127.0.0.1", 0, f"ws://127.0.0.1:{port}")
    weather = make_rules({"seed": 1, "rule": list(rules)}, "test") if rules else Rules()
    async with Proxy(ends, recording, weather, limits) as proxy:
        yield proxy


def lines(trace: Path, *kinds: str) -> list[WireLine]:
    """The lines of these kinds."""
    return [line for line in read_wire(trace) if line.w in kinds]


async def until(true: Callable[[], object], seconds: float = 2.0) -> None:
    """Wait for something on the other side of a socket."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
