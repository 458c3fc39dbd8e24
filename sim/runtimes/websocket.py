"""One websocket on an asyncio transport, for both sides: handshake, frames, keep-alive, and how it ends.

The protocol itself is the Sans-I/O one of `websockets`: no task and no queue for a connection, so that ten thousand of
them fit into a process. Plain text frames go past it (`websocket_frames`). It never looks inside a text frame.
Sources: RFC 6455; OCPP-J 1.6 §3; OCPP 2.0.1 Part 4 §3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from sim.runtimes.channel import Keeper, Peer
from sim.runtimes.websocket_frames import TOO_LONG, plain_end, plain_text, text_frame

NORMAL_CLOSURE, GOING_AWAY, PROTOCOL_ERROR = 1000, 1001, 1002
UNSUPPORTED_DATA, INVALID_DATA, POLICY_VIOLATION, TOO_BIG = 1003, 1007, 1008, 1009
ABNORMAL = 1006
OVERSIZE = "oversize"
"""The reason of a connection that ended because a message was too large."""
CLOSE_TIMEOUT_S = 5.0
REASON_BYTES = 120
_TEXT, _BINARY, _CONT, _PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PONG


class Socket(asyncio.Protocol):
    """One connection. Ends by itself when the peer is silent, does not read, or breaks the protocol."""

    __slots__ = (
        "_by_frames",
        "_choked_at",
        "_handshake",
        "_heard_at",
        "_keeper",
        "_masked",
        "_over",
        "_parts",
        "_peer",
        "_pinged_at",
        "_protocol",
        "_reason",
        "_rest",
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
        self._by_frames: bool | None = None
        """Whether the protocol stands at the beginning of a frame and is given whole ones; None before the handshake."""
        self._rest = b""
        """The beginning of a frame that is not all there."""
        self._masked = isinstance(protocol, ServerProtocol)
        """Whether what comes in is masked."""
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
    def address(self) -> str:
        """Host and port of the other side."""
        return address_of(self._transport)

    @property
    def alive(self) -> bool:
        """Whether frames can still be sent."""
        return self._protocol.state is OPEN

    def send(self, frame: bytes) -> None:
        """Send one text message. On a socket that is over it goes nowhere."""
        if self._protocol.state is OPEN:
            plain = None if self._protocol.extensions else text_frame(frame, not self._masked)
            if plain is None or self._transport is None:
                self._protocol.send_text(frame)
                self._write()
            else:
                self.bytes_down += len(plain)
                self._transport.write(plain)
            if self._choked_at is not None and self._unsent() > self._keeper.limits.max_unsent:
                self.cut("slow reader")

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the connection is cut when the other side does not answer in time."""
        if self._protocol.state is OPEN:
            self._reason = self._reason or reason
            self._protocol.send_close(code, reason.encode()[:REASON_BYTES].decode("utf-8", "ignore"))
            self._write()
            self._keeper.later(CLOSE_TIMEOUT_S, self._abort)

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
        self._heard_at = self.opened_at = self._keeper.time()
        self._keeper.add(self)
        if isinstance(self._protocol, ClientProtocol):
            self._write()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._keeper.time()
        if self._by_frames:
            self._take(self._rest + data if self._rest else data)
            return
        if self._by_frames is None:
            # what follows a handshake in the same breath is the protocol's, which may then stand amid a frame for good
            self._by_frames = data.find(b"\r\n\r\n") == len(data) - 4
        self._to_protocol(data)

    def _take(self, data: bytes) -> None:
        """Take plain messages out, and give the protocol what else there is, frame by frame."""
        begin, most = 0, self._keeper.limits.max_frame
        while (end := plain_end(data, begin, most)) > 0:
            message = None
            if not self._parts and self._protocol.state is OPEN:
                message = plain_text(data, begin, end, self._masked)
            if message is None:
                self._to_protocol(data[begin:end])
            else:
                self._whole(message)
            begin = end
        self._rest = data[begin:]
        if end == TOO_LONG:
            self._by_frames, self._rest = False, b""
            self._to_protocol(data[begin:])

    def _to_protocol(self, data: bytes) -> None:
        protocol = self._protocol
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
        if self._rest:
            self._to_protocol(self._rest)
            self._rest = b""
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
                if data or not self._parts:  # empty pieces without an end must cost nothing
                    self._parts.append(bytes(data))
                if not frame.fin:
                    return
                data = b"".join(self._parts)
                self._parts = []
            self._whole(bytes(data))
        elif opcode is _BINARY:
            self._fail(UNSUPPORTED_DATA, "OCPP-J frames are text")

    def _whole(self, message: bytes) -> None:
        self.bytes_up += len(message)
        if not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:
                self._fail(INVALID_DATA, "text that is no UTF-8")
                return
        if self._peer is not None and self._reason is None:  # what came before their goodbye counts
            self._peer.text(message)

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


def address_of(transport: asyncio.BaseTransport | None) -> str:
    """Host and port of the other side, empty if there is none."""
    address = transport.get_extra_info("peername") if transport is not None else None
    return f"{address[0]}:{address[1]}" if address else ""
