"""The server's side of a connection on `picows`: the same behaviour as `websocket_server`, at a third of its cost.

The package is an extra (`pip install chargerig[fast]`) and is imported when it is wanted. It cannot show a client
certificate before the handshake is answered, so security profile 3 needs the other stack; nor does it compress.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from websockets.datastructures import Headers
from websockets.exceptions import WebSocketException

from sim.backend import Refusal
from sim.errors import BadInput
from sim.runtimes.channel import Keeper, Peer
from sim.runtimes.websocket import (
    ABNORMAL,
    CLOSE_TIMEOUT_S,
    INVALID_DATA,
    OVERSIZE,
    PROTOCOL_ERROR,
    REASON_BYTES,
    TOO_BIG,
    UNSUPPORTED_DATA,
)
from sim.runtimes.websocket_server import Admission, Handshake, Judge, read_handshake, refusal_headers

if TYPE_CHECKING:
    from picows import WSFrame, WSListener, WSTransport, WSUpgradeRequest

_FAIL_S = 0.1
"""So long the word about why a connection fails may take to leave."""
_SLACK = 1 << 16
"""So much more the package itself takes than we do: what is too large is told by us, with 1009."""


class _OurMistakes(logging.LoggerAdapter):
    """What the package has to say: only exceptions, which are ours. A peer's mistakes must not fill anybody's log."""

    def error(self, msg: object, *args: object, **kwargs: object) -> None:
        """A frame that breaks the protocol: its connection has been ended."""

    def warning(self, msg: object, *args: object, **kwargs: object) -> None:
        """A peer that does not read: `check` looks after it."""


async def listen_fast(
    host: str,
    port: int,
    keeper: Keeper,
    judge: Judge,
    counted: Callable[[int], None] = lambda status: None,
    tls: ssl.SSLContext | None = None,
    shared: bool = False,
) -> asyncio.Server:
    """As `websocket_server.listen`. Raises BadInput if the package is not installed, OSError for the address."""
    try:
        import picows
    except ImportError:
        raise BadInput("--fast", None, "the package picows is not installed", "pip install 'chargerig[fast]'") from None
    text, binary, continuation, close = (
        picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION, picows.WSMsgType.CLOSE,
    )  # fmt: skip
    limits = keeper.limits

    class FastSocket(picows.WSListener):
        """One connection."""

        def __init__(self, peer: Peer, subprotocol: str | None) -> None:
            super().__init__()
            self._peer = peer
            self.subprotocol = subprotocol
            self._transport: WSTransport | None = None
            self._parts: list[bytes] = []
            self._held = 0
            self._reason: str | None = None
            self._closing = False
            self._heard_at = self._pinged_at = keeper.time()
            self._choked_at: float | None = None
            self._close_code = ABNORMAL
            self.bytes_up = self.bytes_down = 0
            self.address = ""

        @property
        def alive(self) -> bool:
            return self._transport is not None and not self._closing

        def send(self, frame: bytes) -> None:
            if self._transport is not None and not self._closing:
                self._transport.send(text, frame)
                self.bytes_down += len(frame)
                if self._choked_at is not None and self._unsent() > limits.max_unsent:
                    self.cut("slow reader")

        def close(self, code: int, reason: str) -> None:
            if self._transport is not None and not self._closing:
                self._closing = True
                self._reason = self._reason or reason
                said = reason.encode()[:REASON_BYTES].decode("utf-8", "ignore").encode()
                self._transport.send_close(picows.WSCloseCode(code), said)
                asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._abort)

        def _fail(self, code: int, reason: str) -> None:
            """Say why and hang up: a peer that breaks the protocol is not waited for (RFC 6455 §7.1.7)."""
            self.close(code, reason)
            if self._transport is not None:
                asyncio.get_running_loop().call_later(_FAIL_S, self._transport.disconnect)

        def cut(self, reason: str) -> None:
            self._reason = self._reason or reason
            self._abort()

        def pause(self, on: bool) -> None:
            if self._transport is not None and not self._transport.is_disconnected:
                inner = self._transport.underlying_transport
                inner.pause_reading() if on else inner.resume_reading()

        def on_ws_connected(self, transport: WSTransport) -> None:
            self._transport = transport
            address = transport.underlying_transport.get_extra_info("peername")
            self.address = f"{address[0]}:{address[1]}" if address else ""
            keeper.add(self)
            counted(101)
            self._peer.opened(self)

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            self._heard_at = keeper.time()
            kind = frame.msg_type
            if kind in (text, continuation):
                if (kind == continuation) != bool(self._parts) or frame.rsv1 or frame.rsv2 or frame.rsv3:
                    self._fail(
                        PROTOCOL_ERROR, "a piece of no message, or reserved bits"
                    )  # the package lets them through
                    return
                self._held += frame.payload_size
                if self._held > limits.max_frame:
                    self._reason = OVERSIZE
                    self._fail(TOO_BIG, "the message is too large")
                    return
                data = frame.get_payload_as_bytes()
                if self._parts or not frame.fin:
                    if data or not self._parts:  # empty pieces without an end must cost nothing
                        self._parts.append(data)
                    if not frame.fin:
                        return
                    data, self._parts = b"".join(self._parts), []
                self._held = 0
                self._whole(data)
            elif kind == binary:
                self._fail(UNSUPPORTED_DATA, "OCPP-J frames are text")
            elif kind == close:
                code = frame.get_close_code()
                self._close_code = int(code.value) if code is not None else ABNORMAL
                message = frame.get_close_message()
                said = message.decode("utf-8", "replace") if isinstance(message, bytes) else message
                self._reason = self._reason or said or "closed"
                if not self._closing:
                    self._closing = True
                    transport.send_close(picows.WSCloseCode(code) if code is not None else picows.WSCloseCode.OK)
                transport.disconnect()

        def _whole(self, data: bytes) -> None:
            self.bytes_up += len(data)
            if not data.isascii():
                try:
                    data.decode()
                except UnicodeDecodeError:
                    self._fail(INVALID_DATA, "text that is no UTF-8")
                    return
            if not self._closing:
                self._peer.text(data)

        def on_ws_disconnected(self, transport: WSTransport) -> None:
            keeper.discard(self)
            self._closing = True
            self._peer.closed(self._close_code, self._reason or "reset")

        def pause_writing(self) -> None:
            self._choked_at = keeper.time()

        def resume_writing(self) -> None:
            self._choked_at = None

        def _unsent(self) -> int:
            assert self._transport is not None
            return int(self._transport.underlying_transport.get_write_buffer_size())

        def _abort(self) -> None:
            if self._transport is not None:
                self._transport.underlying_transport.abort()

        def check(self, now: float) -> None:
            """As `websocket.Socket.check`."""
            if self._choked_at is not None and now - self._choked_at > limits.ping_timeout_s > 0:
                self.cut("slow reader")
            elif limits.ping_interval_s > 0 and not self._closing and self._transport is not None:
                silent = now - self._heard_at
                if silent > limits.ping_interval_s + limits.ping_timeout_s:
                    self.cut("keep-alive")
                elif silent > limits.ping_interval_s and now - self._pinged_at > limits.ping_interval_s:
                    self._pinged_at = now
                    self._transport.send_ping()

    def route(request: WSUpgradeRequest) -> WSListener | Any:
        """What a handshake gets."""
        shake = _read(request, tls is not None)
        verdict = judge(shake) if isinstance(shake, Handshake) else shake
        if isinstance(verdict, Refusal):
            counted(verdict.status)
            extra = refusal_headers(verdict) or None
            body = f"{verdict.reason}\n".encode()
            response = picows.WSUpgradeResponse.create_error_response(verdict.status, body, extra_headers=extra)
            return picows.WSUpgradeResponseWithListener(response, None)
        assert isinstance(verdict, Admission)
        chosen = verdict.subprotocol
        headers = [("Sec-WebSocket-Protocol", chosen)] if chosen is not None else None
        response = picows.WSUpgradeResponse.create_101_response(extra_headers=headers)
        return picows.WSUpgradeResponseWithListener(response, FastSocket(verdict.peer, chosen))

    return await picows.ws_create_server(
        route,
        host,
        port,
        websocket_handshake_timeout=limits.open_timeout_s,
        max_frame_size=limits.max_frame + _SLACK,
        logger_name=_OurMistakes(logging.getLogger("picows.server")),
        ssl=tls,
        backlog=4096,
        reuse_port=shared or None,
    )


def _read(request: WSUpgradeRequest, secure: bool) -> Handshake | Refusal:
    """The words of a handshake, read as strictly as by the other stack."""
    headers = Headers()
    for name, value in request.headers.items():
        if not (name + value).isascii():
            return Refusal(400, "a header that is no ASCII text")
        try:
            headers[name] = value
        except (ValueError, WebSocketException):
            return Refusal(400, "a header that cannot be read")
    return read_handshake(bytes(request.path).decode("latin-1"), headers, "", secure, None)
