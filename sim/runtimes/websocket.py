"""One websocket on an asyncio transport, for both sides: handshake, frames, keep-alive, and how it ends.

The protocol itself is the Sans-I/O one of `websockets`: no task and no queue for a connection, so that ten thousand of
them fit into a process. It never looks inside a text frame. Sources: RFC 6455; OCPP-J 1.6 §3; OCPP 2.0.1 Part 4 §3.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from sim.backend import Proof, Refusal

NORMAL_CLOSURE, GOING_AWAY, PROTOCOL_ERROR = 1000, 1001, 1002
UNSUPPORTED_DATA, INVALID_DATA, POLICY_VIOLATION, TOO_BIG = 1003, 1007, 1008, 1009
ABNORMAL = 1006
OVERSIZE = "oversize"
"""The reason of a connection that ended because a message was too large."""
MAX_FRAME = 1 << 20
"""The largest message that is taken, bytes; a larger one ends the connection with 1009."""
MAX_UNSENT = 4 << 20
"""So many bytes may wait for a peer that does not read; with more it is cut off."""
CLOSE_TIMEOUT_S = 5.0
OPEN_TIMEOUT_S = 30.0
_REASON_BYTES = 120
_TEXT, _BINARY, _CONT, _PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PONG


class Handshake(Struct, frozen=True, kw_only=True):
    """What a station asks for: its identity is the last segment of the path, percent-decoded once."""

    path: str
    identity: str
    subprotocols: tuple[str, ...]
    proof: Proof
    peer: str


class Admission(Struct, frozen=True):
    """The handshake succeeds: who hears of the connection, and the subprotocol (None: answered without the header)."""

    peer: Peer
    subprotocol: str | None


class Peer(Protocol):
    """Whoever uses a socket. `closed` is called exactly once, and never before `opened` unless the dial failed."""

    def opened(self, socket: Socket) -> None:
        """The handshake is over, and it succeeded."""
        ...

    def text(self, frame: bytes) -> None:
        """One text message arrived whole."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """It is over. `reason` is `refused`, `timeout`, an HTTP status, `keep-alive`, or what the other side said."""
        ...


Judge = Callable[[Handshake], Admission | Refusal]


class Limits(Struct, frozen=True, kw_only=True):
    """Limits of a connection. Ping interval and time-out in seconds, 0 for no pings; sizes in bytes."""

    ping_interval_s: float = 30.0
    ping_timeout_s: float = 30.0
    max_frame: int = MAX_FRAME
    max_unsent: int = MAX_UNSENT
    open_timeout_s: float = OPEN_TIMEOUT_S


class Socket(asyncio.Protocol):
    """One connection. Ends by itself when the peer is silent, does not read, or breaks the protocol."""

    __slots__ = (
        "_choked_at",
        "_handshake",
        "_heard_at",
        "_keeper",
        "_over",
        "_parts",
        "_peer",
        "_pinged_at",
        "_protocol",
        "_reason",
        "_transport",
        "bytes_down",
        "bytes_up",
        "opened_at",
    )

    def __init__(self, protocol: ClientProtocol | ServerProtocol, keeper: Keeper) -> None:
        self._protocol = protocol
        self._keeper = keeper
        self._transport: asyncio.Transport | None = None
        self._peer: Peer | None = None
        self._handshake: Callable[[Any], None] | None = None
        self._parts: list[bytes] = []
        self._over = False
        self._reason: str | None = None
        self._heard_at = self._pinged_at = 0.0
        self._choked_at: float | None = None
        self.opened_at = 0.0
        self.bytes_up = self.bytes_down = 0

    # -- what its user does ----------------------------------------------------------------------------------------

    @property
    def subprotocol(self) -> str | None:
        """What both sides agreed on."""
        return self._protocol.subprotocol

    @property
    def alive(self) -> bool:
        """Whether frames can still be sent."""
        return self._protocol.state is OPEN

    def send(self, frame: bytes) -> None:
        """Send one text message. On a socket that is over it goes nowhere."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(frame)
            self._write()
            if self._choked_at is not None and self._unsent() > self._keeper.limits.max_unsent:
                self.cut("slow reader")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the connection is cut when the other side does not answer in time."""
        if self._protocol.state is OPEN:
            self._reason = self._reason or reason
            self._protocol.send_close(code, reason.encode()[:_REASON_BYTES].decode("utf-8", "ignore"))
            self._write()
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._abort)

    def cut(self, reason: str) -> None:
        """End it without a word, as a network does."""
        self._reason = self._reason or reason
        self._abort()

    def pause(self, on: bool) -> None:
        """Stop reading, or go on: what the other side sends meanwhile waits in the network."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading() if on else transport.resume_reading()

    # -- asyncio ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._heard_at = self.opened_at = asyncio.get_running_loop().time()
        self._keeper.add(self)
        if isinstance(self._protocol, ClientProtocol):
            self._write()

    def data_received(self, data: bytes) -> None:
        protocol = self._protocol
        self._heard_at = self._keeper.time()
        protocol.receive_data(data)
        if protocol.events:
            for event in protocol.events_received():
                if type(event) is Frame:
                    self._frame(event)
                elif self._handshake is not None:
                    self._handshake(event)
        if protocol.writes:
            self._write()
        if protocol.handshake_exc is not None and self._peer is not None:
            self._refused(protocol.handshake_exc)

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._write()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._keeper.discard(self)
        if self._over:
            return
        self._over = True
        self._protocol.receive_eof()
        if self._peer is not None:
            received, sent = self._protocol.close_rcvd, self._protocol.close_sent
            if sent is not None and sent.code == TOO_BIG:
                self._reason = OVERSIZE
            code = received.code if received is not None else ABNORMAL
            said = received.reason if received is not None else ""
            self._peer.closed(int(code), self._reason or said or ("closed" if received is not None else "reset"))

    def pause_writing(self) -> None:
        self._choked_at = self._keeper.time()

    def resume_writing(self) -> None:
        self._choked_at = None

    # -- inside ----------------------------------------------------------------------------------------------------

    def _frame(self, frame: Frame) -> None:
        """Text messages go to the user; what OCPP-J has no use for ends the connection."""
        opcode, data = frame.opcode, frame.data
        if opcode is _TEXT or opcode is _CONT:
            if self._parts or not frame.fin:
                self._parts.append(bytes(data))
                if not frame.fin:
                    return
                data = b"".join(self._parts)
                self._parts = []
            whole = bytes(data)
            self.bytes_up += len(whole)
            if not whole.isascii():
                try:
                    whole.decode()
                except UnicodeDecodeError:
                    self._fail(INVALID_DATA, "text that is no UTF-8")
                    return
            if self._peer is not None and self._protocol.state is OPEN:
                self._peer.text(whole)
        elif opcode is _BINARY:
            self._fail(UNSUPPORTED_DATA, "OCPP-J frames are text")

    def _fail(self, code: int, reason: str) -> None:
        if self._protocol.state is OPEN:
            self._reason = self._reason or reason
            self._protocol.fail(code, reason)
            self._write()

    def _write(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self.bytes_down += len(data)
                transport.write(data)
            elif isinstance(self._protocol, ServerProtocol) or transport.is_closing():
                transport.close()  # the end of the stream; TLS knows no half-closed one
            elif transport.can_write_eof():
                transport.write_eof()
            else:
                transport.close()

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _refused(self, err: Exception) -> None:
        """The dial failed: the other side answered something else than 101."""
        reason = str(err.response.status_code) if isinstance(err, InvalidStatus) else "no websocket"
        self._reason = self._reason or reason
        self._abort()

    def check(self, now: float) -> None:
        """Called once a second: pings, and an end for a peer that is silent, slow to open, or does not read."""
        limits = self._keeper.limits
        if self._protocol.state is not OPEN:
            opening = self._peer is None or isinstance(self._protocol, ClientProtocol)
            if opening and now - self.opened_at > limits.open_timeout_s and not self._protocol.eof_sent:
                self.cut("timeout")
            return
        if self._choked_at is not None and now - self._choked_at > limits.ping_timeout_s > 0:
            self.cut("slow reader")
        elif limits.ping_interval_s > 0:
            silent = now - self._heard_at
            if silent > limits.ping_interval_s + limits.ping_timeout_s:
                self.cut("keep-alive")
            elif silent > limits.ping_interval_s and now - self._pinged_at > limits.ping_interval_s:
                self._pinged_at = now
                self._protocol.send_ping(b"")
                self._write()


class Keeper:
    """Looks after all sockets of one loop: one timer for all of them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.time = asyncio.get_running_loop().time
        self._sockets: dict[Socket, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: Socket) -> None:
        """From now on this socket is looked after."""
        self._sockets[socket] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._look)

    def discard(self, socket: Socket) -> None:
        """This one is over."""
        self._sockets.pop(socket, None)

    def close_all(self, code: int, reason: str) -> None:
        """Say goodbye to everybody."""
        for socket in list(self._sockets):
            socket.close(code, reason) if socket.alive else socket.cut(reason)

    def cut_all(self, reason: str) -> None:
        """End everything without a word."""
        for socket in list(self._sockets):
            socket.cut(reason)

    def _look(self) -> None:
        self._timer = None
        now = self.time()
        for socket in list(self._sockets):
            socket.check(now)
        if self._sockets:
            self._timer = asyncio.get_running_loop().call_later(1.0, self._look)


# -- serving ----------------------------------------------------------------------------------------------------------


def server_socket(keeper: Keeper, judge: Judge, compression: bool, counted: Callable[[int], None]) -> Socket:
    """The server's side of a connection that has just come in. `counted` hears the status of each handshake."""
    extensions = [ServerPerMessageDeflateFactory()] if compression else None
    chosen: list[str | None] = [None]
    protocol = ServerProtocol(
        extensions=extensions,
        select_subprotocol=lambda _, offered: chosen[0],  # type: ignore[arg-type, return-value]
        max_size=keeper.limits.max_frame,
    )
    socket = Socket(protocol, keeper)

    def answer(request: Request) -> None:
        socket._handshake = None
        shake = _handshake(request, socket._transport)
        verdict = judge(shake) if isinstance(shake, Handshake) else shake
        if isinstance(verdict, Refusal):
            response = protocol.reject(verdict.status, f"{verdict.reason}\n")
            if verdict.status == 401:
                response.headers["WWW-Authenticate"] = 'Basic realm="OCPP"'
        else:
            chosen[0] = verdict.subprotocol
            response = protocol.accept(request)
        counted(response.status_code)
        protocol.send_response(response)
        socket._write()
        if isinstance(verdict, Admission):
            if response.status_code == 101:
                socket._peer = verdict.peer
                verdict.peer.opened(socket)
            else:
                verdict.peer.closed(ABNORMAL, str(response.status_code))

    socket._handshake = answer
    return socket


def _handshake(request: Request, transport: asyncio.Transport | None) -> Handshake | Refusal:
    path = request.path.partition("?")[0]
    raw = path.rstrip("/").rsplit("/", 1)[-1]
    try:
        identity = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return Refusal(400, "the identity in the path is no percent-encoded UTF-8")
    offered: list[str] = []
    for value in request.headers.get_all("Sec-WebSocket-Protocol"):
        offered += [name.strip() for name in value.split(",") if name.strip()]
    info = transport.get_extra_info if transport is not None else lambda name: None
    address = info("peername")
    proof = _basic(request.headers)
    if info("sslcontext") is not None:
        proof = replace(proof, secure=True, certificate=_common_name(info("peercert")))
    peer = f"{address[0]}:{address[1]}" if address else ""
    return Handshake(path=path, identity=identity, subprotocols=tuple(offered), proof=proof, peer=peer)


def _basic(headers: Headers) -> Proof:
    """User and password of Basic authentication: split at the first colon, the password stays bytes."""
    values = headers.get_all("Authorization")
    if not values:
        return Proof()
    scheme, _, coded = values[0].partition(" ")
    if len(values) > 1 or scheme.lower() != "basic":
        return Proof(malformed="only one Authorization header, of the scheme Basic")
    try:
        user, colon, password = base64.b64decode(coded.strip(), validate=True).partition(b":")
        if not colon:
            return Proof(malformed="no colon between user and password")
        return Proof(user=user.decode(), password=password)
    except (binascii.Error, UnicodeDecodeError):
        return Proof(malformed="not base64 of user:password")


def _common_name(certificate: Mapping[str, Any] | None) -> str | None:
    for group in (certificate or {}).get("subject", ()):
        for key, value in group:
            if key == "commonName":
                return str(value)
    return None


async def listen(
    host: str,
    port: int,
    keeper: Keeper,
    judge: Judge,
    counted: Callable[[int], None] = lambda status: None,
    tls: ssl.SSLContext | None = None,
    compression: bool = True,
    shared: bool = False,
) -> asyncio.Server:
    """Take connections at this address; port 0 is any that is free. Raises OSError if it cannot be had.

    With `shared` several processes may listen at the same port, and the system deals the connections out.
    """

    def made() -> Socket:
        return server_socket(keeper, judge, compression, counted)

    loop = asyncio.get_running_loop()
    return await loop.create_server(made, host, port, ssl=tls, backlog=4096, reuse_port=shared or None)


# -- dialling ---------------------------------------------------------------------------------------------------------


class Dial(Struct, frozen=True, kw_only=True):
    """Where and how to dial: the whole URL with the identity, user and password for the header, an SSL context."""

    url: str
    subprotocols: tuple[str, ...]
    login: tuple[str, bytes] | None = None
    tls: Any = None


_known: dict[tuple[str, int], tuple[str, float]] = {}
_KNOWN_FOR_S = 60.0


async def dial(wish: Dial, peer: Peer, keeper: Keeper) -> None:
    """Dial. The peer hears `opened` or `closed`; nothing is raised for what a network or the other side does."""
    try:
        uri = parse_uri(wish.url)
    except WebSocketException as err:
        peer.closed(ABNORMAL, f"no websocket address: {err}")
        return
    protocol = ClientProtocol(uri, subprotocols=list(wish.subprotocols), max_size=keeper.limits.max_frame)  # type: ignore[arg-type]
    request = protocol.connect()
    if wish.login is not None:
        both = wish.login[0].encode() + b":" + wish.login[1]
        request.headers["Authorization"] = "Basic " + base64.b64encode(both).decode()
    protocol.send_request(request)
    socket = Socket(protocol, keeper)
    socket._peer = peer

    def answered(response: Response) -> None:
        socket._handshake = None
        if protocol.state is OPEN:
            peer.opened(socket)

    socket._handshake = answered
    loop = asyncio.get_running_loop()
    context = wish.tls if uri.secure else None
    if uri.secure and context is None:
        context = ssl.create_default_context()
    try:
        async with asyncio.timeout(keeper.limits.open_timeout_s):
            host = await _resolve(loop, uri.host, uri.port)
            name = uri.host if context is not None else None
            await loop.create_connection(lambda: socket, host, uri.port, ssl=context, server_hostname=name)
    except TimeoutError:
        _failed(socket, "timeout")
    except ssl.SSLError as err:
        _failed(socket, f"tls: {err.reason or err}")
    except OSError:
        _failed(socket, "refused")


def _failed(socket: Socket, reason: str) -> None:
    if not socket._over and socket._peer is not None:
        socket._over = True
        socket._peer.closed(ABNORMAL, reason)
    socket._abort()


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> str:
    """The address of a name; asked once a minute, since a look-up costs a thread."""
    known = _known.get((host, port))
    if known is not None and known[1] > loop.time():
        return known[0]
    found = await loop.getaddrinfo(host, port, type=1)
    address = str(found[0][4][0])
    _known[host, port] = (address, loop.time() + _KNOWN_FOR_S)
    return address


def offered_first(offered: Sequence[str], spoken: Sequence[str]) -> str | None:
    """The first subprotocol of the station's list that this side speaks: its order counts (OCPP-J 1.6 §3.2)."""
    return next((name for name in offered if name in spoken), None)
