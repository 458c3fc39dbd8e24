"""`chargerig record`: a proxy between stations and a back-end that writes down what passes, and disturbs it by rules.

Each station connection becomes one connection to the upstream with the same path, query, Authorization and subprotocols;
what the upstream answers to the handshake is what the station gets. Here handshakes, clock and the end of the recording;
what happens to a connection that stands is `sim.runtimes.bridge`.
"""

from __future__ import annotations

import asyncio
import http
import signal
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self
from urllib.parse import unquote

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from sim.errors import BadInput
from sim.evidence.recording import PROXY, Recording
from sim.network.faults import Weather
from sim.network.rules import Rules
from sim.runtimes.aio import Clock
from sim.runtimes.bridge import Bridge, Limits, abort

_DIAL_SECONDS = 10.0
_FLUSH_SECONDS = 1.0
_PASSED_BACK = ("WWW-Authenticate", "Retry-After", "Content-Type", "Location")
"""Headers of a refusal that the station gets to see."""


class Ends(Struct, frozen=True):
    """Where the proxy listens (port 0: any free one) and the address that it stands before, with whom it trusts there."""

    host: str
    port: int
    upstream: str
    trust: ssl.SSLContext | None = None


class _Dial(connect):
    """A client that tells of a redirection instead of following it: that is for the station to decide."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Proxy:
    """A running proxy, from `async with` on. `port` is where it listens; `tell` hears of each opening and refusal."""

    def __init__(
        self,
        ends: Ends,
        recording: Recording,
        rules: Rules | None = None,
        limits: Limits | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._ends = ends
        self._recording = recording
        self._limits = limits or Limits()
        self._tell = tell or (lambda line: None)
        self._clock = Clock()
        self._begun = self._clock.start
        self.weather = Weather(rules or Rules(), self._begun)
        self._links = 0
        self._waiting: dict[ServerConnection, tuple[int, ClientConnection]] = {}
        """Stations in their handshake whose upstream has said yes."""
        self._bridges: dict[int, Bridge] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._server: Server | None = None
        self.counted: dict[str, Any] = {}

    def now(self) -> int:
        """Milliseconds since 1970; never goes back, whatever happens to the clock on the wall."""
        return self._clock.now()

    async def __aenter__(self) -> Self:
        try:
            self._server = await serve(
                self._connected,
                self._ends.host,
                self._ends.port,
                process_request=self._handshake,
                process_response=self._answered,
                select_subprotocol=self._subprotocol,
                server_header=None,
                compression=None,
                max_size=self._limits.max_size,
                open_timeout=2 * _DIAL_SECONDS,
                ping_interval=None,
                close_timeout=self._limits.close_timeout,
            )
        except OSError as err:
            self._recording.discard()
            place = f"{self._ends.host}:{self._ends.port}"
            raise BadInput(
                "command line", "--listen", f"cannot listen on {place} ({err.strerror})", "a free port"
            ) from None
        self._recording.begin(self._begun, {"upstream": self._ends.upstream, "began_at": self._begun})
        self._recording.flush()
        self._spawn("flush", self._flush())
        self._spawn("rules", self._follow_rules())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._stopping = True
        self._server.close(close_connections=False)
        await asyncio.gather(*(bridge.stop() for bridge in list(self._bridges.values())))
        await self._server.wait_closed()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        failed = await asyncio.gather(*tasks, return_exceptions=True)
        self.counted = self._recording.finish(self.now(), {"rules": self.weather.hits} if self.weather.hits else {})
        for one in failed:
            if isinstance(one, Exception):
                raise one

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def living(self) -> int:
        """How many connections stand now."""
        return len(self._bridges)

    async def broken(self) -> None:
        """Returns when the trace cannot be written any more: nothing that passes from now on would be recorded."""
        await asyncio.wait([self._tasks["flush"]])

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[name] = asyncio.create_task(work)
        if name not in ("flush", "rules"):
            task.add_done_callback(lambda done: self._tasks.pop(name, None))

    # -- the handshake ------------------------------------------------------------------------------------------------

    async def _handshake(self, leg: ServerConnection, request: Request) -> Response | None:
        """Dial the upstream before the station is answered. None lets the library answer the upgrade."""
        if not any("websocket" in one.lower() for one in request.headers.get_all("Upgrade")):
            return None  # no websocket: the library says so, and the upstream need not hear of it
        self._links += 1
        link, station = self._links, identity(request.path)
        refused = self.weather.refusal(station, self.now())
        if refused is not None:
            rule, status = refused
            self._refused(station, link, PROXY, f"{rule} {status or ''}".strip())
            if not status:
                abort(leg)
            return _answer(status or 503, f"refused by {rule}\n".encode())
        by, problem, response = PROXY, "", None
        try:
            upstream = await self._dial(request)
        except InvalidStatus as err:
            by, problem, response = "backend", str(err.response.status_code), _passed_back(err.response)
        except (OSError, EOFError, InvalidHandshake) as err:
            problem = f"502 {self._ends.upstream} cannot be reached ({_why(err)})"
            response = _answer(502, f"chargerig record: the back-end {problem[4:]}.\n".encode())
        except (InvalidURI, ValueError):
            problem = "400 no usable request"
            response = _answer(400, b"chargerig record: path or subprotocols are not usable.\n")
        if response is not None:
            self._refused(station, link, by, problem)
            return response
        self._waiting[leg] = link, upstream
        self._spawn(f"tidy {link}", self._tidy(leg, upstream))
        return None

    async def _dial(self, request: Request) -> ClientConnection:
        """A connection to the upstream that differs from the station's in the address alone."""
        headers = request.headers
        offered = [part.strip() for one in headers.get_all("Sec-WebSocket-Protocol") for part in one.split(",")]
        return await _Dial(
            self._ends.upstream.rstrip("/") + request.path,
            subprotocols=[Subprotocol(one) for one in offered if one] or None,
            additional_headers=[("Authorization", one) for one in headers.get_all("Authorization")],
            user_agent_header=next(iter(headers.get_all("User-Agent")), None),
            compression=None,
            proxy=None,
            ssl=self._ends.trust,
            open_timeout=_DIAL_SECONDS,
            max_size=self._limits.max_size,
            ping_interval=None,
            close_timeout=self._limits.close_timeout,
        )

    def _subprotocol(self, leg: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """What the upstream chose. Nothing: the handshake is completed without, and the upstream closes (OCPP-J §3)."""
        return self._waiting[leg][1].subprotocol

    async def _answered(self, leg: ServerConnection, request: Request, response: Response) -> None:
        """A request that the library refuses after all needs no upstream."""
        if response.status_code != http.HTTPStatus.SWITCHING_PROTOCOLS and leg in self._waiting:
            await self._waiting.pop(leg)[1].close()

    async def _tidy(self, leg: ServerConnection, upstream: ClientConnection) -> None:
        """Whatever becomes of the station's leg, also in the middle of its handshake, the upstream's does not stay."""
        await leg.wait_closed()
        if self._waiting.pop(leg, None) is not None:
            await upstream.close()

    def _refused(self, station: str, link: int, by: str, problem: str) -> None:
        self._recording.refused(self.now(), station, link, by, problem)
        self._tell(f"{station or 'a station without identity'} refused: {problem}")

    # -- what lives ---------------------------------------------------------------------------------------------------

    async def _connected(self, leg: ServerConnection) -> None:
        link, upstream = self._waiting.pop(leg)
        assert leg.request is not None
        if self._stopping:
            await upstream.close()
            return
        headers, station = leg.request.headers, identity(leg.request.path)
        facts = {
            "path": leg.request.path,
            "offered": [part.strip() for one in headers.get_all("Sec-WebSocket-Protocol") for part in one.split(",")],
            "authorization": ", ".join(headers.get_all("Authorization")),
        }
        self._recording.opened(self.now(), station, link, upstream.subprotocol or "", facts)
        self._tell(f"{station} connected")
        bridge = Bridge(
            {"up": leg, "down": upstream},
            self.weather.line(station),
            self._recording,
            station,
            link,
            self.now,
            self._limits,
        )
        self._bridges[link] = bridge
        try:
            bridge.hold()
            await bridge.run()
        finally:
            del self._bridges[link]
            await upstream.close()

    async def _flush(self) -> None:
        while not self._recording.broken:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._recording.flush()

    async def _follow_rules(self) -> None:
        """Do at its moment what a rule does by time."""
        moment = self.now()
        while (following := self.weather.next_moment(moment)) is not None:
            moment = following
            await asyncio.sleep(max(0, moment - self.now()) / 1000)
            for bridge in list(self._bridges.values()):
                rule = self.weather.cut(bridge.station, moment)
                if rule:
                    bridge.cut(PROXY, rule)
                else:
                    bridge.hold()


def record(proxy: Proxy, seconds: float | None, listening: Callable[[int], None]) -> dict[str, Any]:
    """Run a proxy until SIGINT, SIGTERM or the end of its time; returns what the foot of the trace counts."""

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with proxy:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, stop.set)
            listening(proxy.port)
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(proxy.broken())]
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in ends:
                task.cancel()

    asyncio.run(run())
    return proxy.counted


def identity(path: str) -> str:
    """The station's identity in the path of a handshake: its last part, percent-decoded once (OCPP-J 1.6 §3.1.1)."""
    return unquote(path.partition("?")[0].rstrip("/").rpartition("/")[2])


def _why(err: Exception) -> str:
    reason = err.strerror if isinstance(err, OSError) and err.strerror else str(err)
    return " ".join((reason or type(err).__name__).split())


def _answer(status: int, body: bytes, headers: Headers | None = None, phrase: str = "") -> Response:
    full = headers if headers is not None else Headers({"Content-Type": "text/plain; charset=utf-8"})
    full["Connection"] = "close"
    full["Content-Length"] = str(len(body))
    known = status in http.HTTPStatus.__members__.values()
    return Response(status, phrase or (http.HTTPStatus(status).phrase if known else "Refused"), full, body)


def _passed_back(response: Response) -> Response:
    """The upstream's refusal as the station gets it."""
    kept = Headers((name, one) for name in _PASSED_BACK for one in response.headers.get_all(name))
    return _answer(response.status_code, bytes(response.body or b""), kept, response.reason_phrase)
