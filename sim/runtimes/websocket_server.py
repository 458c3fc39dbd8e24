"""The server's side of a handshake: what a station asks for, what it gets, and the socket that comes of it.

Whether a station may connect is decided by whoever judges; here its words are read strictly. Sources: RFC 6455 §4.2,
RFC 7617; OCPP-J 1.6 §3, §6.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request
from websockets.server import ServerProtocol

from sim.backend import Proof, Refusal
from sim.runtimes.channel import Keeper, Peer
from sim.runtimes.websocket import ABNORMAL, Socket, address_of


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


Judge = Callable[[Handshake], Admission | Refusal]
Ask = Callable[[Handshake, Callable[[Admission | Refusal], None]], None]
"""A judge that may take its time: it calls what it was given with its verdict."""


def server_socket(keeper: Keeper, ask: Ask, compression: bool, counted: Callable[[int], None]) -> Socket:
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
        if isinstance(shake, Handshake):
            ask(shake, lambda verdict: judged(request, verdict))
        else:
            judged(request, shake)

    def judged(request: Request, verdict: Admission | Refusal) -> None:
        if socket._over:  # it did not wait for the verdict
            if isinstance(verdict, Admission):
                verdict.peer.closed(ABNORMAL, "reset")
            return
        if isinstance(verdict, Refusal):
            response = protocol.reject(verdict.status, f"{verdict.reason}\n")
            for name, value in refusal_headers(verdict):
                response.headers[name] = value
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


def refusal_headers(refusal: Refusal) -> list[tuple[str, str]]:
    """What an HTTP answer says beside its status (RFC 7617 §2, RFC 9110 §10.2.3)."""
    headers = [("WWW-Authenticate", 'Basic realm="OCPP"')] if refusal.status == 401 else []
    if refusal.retry_after_s is not None:
        headers.append(("Retry-After", str(refusal.retry_after_s)))
    return headers


def _handshake(request: Request, transport: asyncio.Transport | None) -> Handshake | Refusal:
    info = transport.get_extra_info if transport is not None else lambda name: None
    secure = info("sslcontext") is not None
    return read_handshake(request.path, request.headers, address_of(transport), secure, info("peercert"))


def read_handshake(
    target: str, headers: Headers, peer: str, secure: bool, certificate: Mapping[str, Any] | None
) -> Handshake | Refusal:
    """What a request asks for, or 400 for an identity that cannot be read. `certificate`: as `ssl` tells it."""
    path = target.partition("?")[0]
    raw = path.rstrip("/").rsplit("/", 1)[-1]
    try:
        identity = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return Refusal(400, "the identity in the path is no percent-encoded UTF-8")
    if not identity.isprintable():
        return Refusal(400, "the identity in the path holds control characters")  # which no database has to understand
    offered: list[str] = []
    for value in headers.get_all("Sec-WebSocket-Protocol"):
        offered += [name.strip() for name in value.split(",") if name.strip()]
    proof = _basic(headers)
    if secure:
        proof = replace(proof, secure=True, certificate=_common_name(certificate))
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
    return await listen_asking(
        host, port, keeper, lambda shake, then: then(judge(shake)), counted, tls, compression, shared
    )


async def listen_asking(
    host: str,
    port: int,
    keeper: Keeper,
    ask: Ask,
    counted: Callable[[int], None],
    tls: ssl.SSLContext | None,
    compression: bool,
    shared: bool,
) -> asyncio.Server:
    """As `listen`, with a judge that may take its time."""

    def made() -> Socket:
        return server_socket(keeper, ask, compression, counted)

    loop = asyncio.get_running_loop()
    return await loop.create_server(made, host, port, ssl=tls, backlog=4096, reuse_port=shared or None)
