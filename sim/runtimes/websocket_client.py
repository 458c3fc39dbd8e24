"""Dialling a back-end as a station does. Nothing is raised for what a network or the other side does: the peer hears it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Any

from msgspec import Struct
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.uri import WebSocketURI, parse_uri

from sim.runtimes.channel import Keeper, Peer
from sim.runtimes.websocket import ABNORMAL, Socket


class Dial(Struct, frozen=True, kw_only=True):
    """Where and how to dial: the whole URL with the identity, user and password for the header, an SSL context."""

    url: str
    subprotocols: tuple[str, ...]
    login: tuple[str, bytes] | None = None
    tls: Any = None


_known: dict[tuple[str, int], tuple[str, float]] = {}
_asked: dict[tuple[asyncio.AbstractEventLoop, str, int], asyncio.Future[str]] = {}
_KNOWN_FOR_S = 60.0


def begin(wish: Dial, peer: Peer, keeper: Keeper) -> tuple[Socket, WebSocketURI, ssl.SSLContext | None] | None:
    """A socket that asks for the connection once it has a transport, and where to; None: the peer has heard why not."""
    try:
        uri = parse_uri(wish.url)
    except WebSocketException as err:
        peer.closed(ABNORMAL, f"no websocket address: {err}")
        return None
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
    context = wish.tls if uri.secure else None
    if uri.secure and context is None:
        context = ssl.create_default_context()
    return socket, uri, context


async def dial(wish: Dial, peer: Peer, keeper: Keeper) -> None:
    """Dial. The peer hears `opened` or `closed`; nothing is raised for what a network or the other side does."""
    begun = begin(wish, peer, keeper)
    if begun is None:
        return
    socket, uri, context = begun
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(keeper.limits.open_timeout_s):
            host = await _resolve(loop, uri.host, uri.port)
            name = uri.host if context is not None else None
            await loop.create_connection(lambda: socket, host, uri.port, ssl=context, server_hostname=name)
    except TimeoutError:
        failed(socket, "timeout")
    except ssl.SSLError as err:
        failed(socket, f"tls: {err.reason or err}")
    except OSError:
        failed(socket, "refused")


def failed(socket: Socket, reason: str) -> None:
    """The dial came to nothing: its peer hears why, once."""
    if not socket._over and socket._peer is not None:
        socket._over = True
        socket._peer.closed(ABNORMAL, reason)
    socket._abort()


async def _resolve(loop: asyncio.AbstractEventLoop, host: str, port: int) -> str:
    """The address of a name; asked once a minute and for all who dial meanwhile, since a look-up costs a thread."""
    known = _known.get((host, port))
    if known is not None and known[1] > loop.time():
        return known[0]
    place = (loop, host, port)
    asked = _asked.get(place)
    if asked is None:
        asked = _asked[place] = asyncio.ensure_future(_look_up(loop, host, port))
        asked.add_done_callback(lambda done: _asked.pop(place))
    return await asyncio.shield(asked)  # whoever gives up takes no answer from the others


async def _look_up(loop: asyncio.AbstractEventLoop, host: str, port: int) -> str:
    found = await loop.getaddrinfo(host, port, type=1)
    address = str(found[0][4][0])
    _known[host, port] = (address, loop.time() + _KNOWN_FOR_S)
    return address
