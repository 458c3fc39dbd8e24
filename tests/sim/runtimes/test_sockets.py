"""Real sockets: handshakes as OCPP-J wants them, frames, keep-alive, and a connection that suffers alone (INV-38)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sim.backend import Refusal
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.websocket import Socket
from sim.runtimes.websocket_client import Dial, dial
from sim.runtimes.websocket_fast import listen_fast
from sim.runtimes.websocket_server import Admission, Handshake, listen

PATIENCE_S = 10
SPOKEN = ("ocpp1.6", "ocpp2.0.1")


class Echo:
    """A peer that answers what it hears and remembers everything."""

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.heard: list[bytes] = []
        self.end: tuple[int, str] | None = None
        self.over = asyncio.Event()
        self.up = asyncio.Event()

    def opened(self, socket: Socket) -> None:
        self.socket = socket
        self.up.set()

    def text(self, frame: bytes) -> None:
        self.heard.append(frame)
        assert self.socket is not None
        if not frame.startswith(b"echo"):
            self.socket.send(b"echo " + frame)

    def closed(self, code: int, reason: str) -> None:
        assert self.end is None, "told twice"
        self.end = (code, reason)
        self.over.set()


class Server:
    """Takes everybody called CS-*, and keeps what it saw."""

    listen: Any = staticmethod(listen)

    def __init__(self) -> None:
        self.shakes: list[Handshake] = []
        self.peers: list[Echo] = []
        self.statuses: list[int] = []
        self.url = ""

    def judge(self, shake: Handshake) -> Admission | Refusal:
        self.shakes.append(shake)
        if not shake.identity.startswith("CS"):
            return Refusal(404, "unknown identity")
        if shake.identity == "CS-locked" and shake.proof.password != b"\xff:secret":
            return Refusal(401, "wrong password")
        peer = Echo()
        self.peers.append(peer)
        return Admission(peer, next((name for name in shake.subprotocols if name in SPOKEN), None))


@pytest.fixture(params=[listen, listen_fast], ids=["default", "fast"], autouse=True)
def stack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each behaviour is that of both stacks."""
    monkeypatch.setattr(Server, "listen", staticmethod(request.param))


def on_sockets(test: Callable[[Server, Keeper], Awaitable[None]], limits: Limits | None = None) -> None:
    """Run a test against a server on a free port."""

    async def run() -> None:
        server, keeper = Server(), Keeper(limits or Limits())
        listening = await Server.listen("127.0.0.1", 0, keeper, server.judge, server.statuses.append)
        server.url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/ocpp/"
        try:
            async with asyncio.timeout(PATIENCE_S):
                await test(server, keeper)
        finally:
            listening.close()
            keeper.cut_all("the test is over")
            await asyncio.sleep(0)

    asyncio.run(run())


def test_the_identity_is_the_last_segment_decoded_once() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        async with websockets.connect(server.url + "CS%7C1%2520", subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            await ws.send("hello")
            assert await ws.recv() == "echo hello"
        assert server.shakes[0].identity == "CS|1%20"
        assert server.statuses == [101]

    on_sockets(test)


def test_the_station_s_order_of_subprotocols_counts() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        names: Any = ["ocpp9", "ocpp2.0.1", "ocpp1.6"]
        async with websockets.connect(server.url + "CS-1", subprotocols=names) as ws:
            assert ws.subprotocol == "ocpp2.0.1"

    on_sockets(test)


def test_without_a_common_subprotocol_the_handshake_succeeds_without_the_header() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        async with websockets.connect(server.url + "CS-1", subprotocols=["ocpp9"]) as ws:  # type: ignore[list-item]
            assert ws.subprotocol is None
            assert ws.response is not None and "Sec-WebSocket-Protocol" not in ws.response.headers

    on_sockets(test)


@pytest.mark.parametrize(("identity", "status"), [("unknown", 404), ("CS-locked", 401)])
def test_a_refused_handshake_is_an_http_status(identity: str, status: int) -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await websockets.connect(server.url + identity, subprotocols=["ocpp1.6"])  # type: ignore[list-item]
        assert caught.value.response.status_code == status
        assert ("WWW-Authenticate" in caught.value.response.headers) == (status == 401)
        assert server.statuses == [status]

    on_sockets(test)


def test_a_message_that_comes_together_with_the_goodbye_is_heard() -> None:
    """A station that is told to reset answers and hangs up at once: both may arrive in one piece."""

    async def test(server: Server, keeper: Keeper) -> None:
        async with websockets.connect(server.url + "CS-1", compression=None) as ws:
            ws.protocol.send_text(b"last words")
            ws.protocol.send_close(1000, "goodbye")
            ws.transport.write(b"".join(ws.protocol.data_to_send()))
            await server.peers[0].over.wait()
        assert server.peers[0].heard == [b"last words"]
        assert server.peers[0].end == (1000, "goodbye")

    on_sockets(test)


def test_a_password_is_bytes_behind_the_first_colon() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        header = "Basic " + base64.b64encode(b"CS-locked:\xff:secret").decode()
        async with websockets.connect(server.url + "CS-locked", additional_headers={"Authorization": header}):
            assert server.shakes[0].proof.user == "CS-locked"

    on_sockets(test)


@pytest.mark.parametrize("header", ["Bearer x", "Basic ???", "Basic " + base64.b64encode(b"no colon").decode()])
def test_a_malformed_authorization_is_told_to_the_judge(header: str) -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        async with websockets.connect(server.url + "CS-1", additional_headers={"Authorization": header}):
            assert server.shakes[0].proof.malformed is not None
            assert server.shakes[0].proof.password is None

    on_sockets(test)


def test_a_message_that_is_too_large_ends_its_connection_with_1009() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        async with websockets.connect(server.url + "CS-1", compression=None) as ws:
            await ws.send("x" * 2_000)
            with pytest.raises(ConnectionClosed) as caught:
                await ws.recv()
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009
        await server.peers[0].over.wait()
        assert server.peers[0].end is not None and server.peers[0].end[1] == "oversize"
        assert server.peers[0].heard == []

    on_sockets(test, Limits(max_frame=1_000))


def test_a_message_in_pieces_arrives_whole() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        async with websockets.connect(server.url + "CS-1") as ws:
            await ws.send(["a", "b", "c"])
            assert await ws.recv() == "echo abc"

    on_sockets(test)


def test_binary_messages_and_broken_text_end_their_connection_only() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        async with (
            websockets.connect(server.url + "CS-good") as good,
            websockets.connect(server.url + "CS-binary") as binary,
            websockets.connect(server.url + "CS-broken") as broken,
        ):
            await binary.send(b"\x00")
            await broken.send(b"\xff\xfe", text=True)
            for ws, code in ((binary, 1003), (broken, 1007)):
                with pytest.raises(ConnectionClosed) as caught:
                    await ws.recv()
                assert caught.value.rcvd is not None and caught.value.rcvd.code == code
            await good.send("still here")
            assert await good.recv() == "echo still here"

    on_sockets(test)


def test_a_half_open_connection_is_cut_when_pings_stay_unanswered() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        key = base64.b64encode(b"0123456789abcdef").decode()
        writer.write(
            f"GET /ocpp/CS-1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        while not server.peers:
            await asyncio.sleep(0.01)
        await server.peers[0].over.wait()
        assert server.peers[0].end == (1006, "keep-alive")
        writer.close()

    on_sockets(test, Limits(ping_interval_s=0.2, ping_timeout_s=0.3))


def test_a_peer_that_never_finishes_its_handshake_is_cut() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        writer.write(b"GET /ocpp/CS-1 HT")
        assert await reader.read() == b""
        assert server.shakes == []
        writer.close()

    on_sockets(test, Limits(open_timeout_s=0.2))


@pytest.mark.parametrize(
    "junk", [b"\x00\x01\x02\r\n\r\n", b"POST /ocpp/CS-1 HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" * 500]
)
def test_what_is_no_handshake_hurts_nobody_else(junk: bytes) -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        writer.write(junk)
        await reader.read()
        writer.close()
        async with websockets.connect(server.url + "CS-1") as ws:
            await ws.send("hello")
            assert await ws.recv() == "echo hello"

    on_sockets(test, Limits(open_timeout_s=1))


def test_a_dial_ends_with_the_reason_a_station_can_act_on() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        for url, reason in (
            (server.url + "unknown", "404"),
            (server.url + "CS-locked", "401"),
            ("ws://127.0.0.1:1/ocpp/CS-1", "refused"),
        ):
            caller = Echo()
            await dial(Dial(url=url, subprotocols=("ocpp1.6",)), caller, keeper)
            await caller.over.wait()
            assert caller.end == (1006, reason)
            assert caller.socket is None

    on_sockets(test)


def test_our_two_sides_speak_to_each_other_and_say_goodbye() -> None:
    async def test(server: Server, keeper: Keeper) -> None:
        caller = Echo()
        wish = Dial(url=server.url + "CS-locked", subprotocols=("ocpp1.6",), login=("CS-locked", b"\xff:secret"))
        await dial(wish, caller, keeper)
        await caller.up.wait()
        assert caller.socket is not None and caller.socket.subprotocol == "ocpp1.6"
        server.peers[0].text("grüße".encode())
        while not caller.heard:
            await asyncio.sleep(0.01)
        assert caller.heard == ["echo grüße".encode()]
        caller.socket.close(1000, "done")
        await caller.over.wait()
        await server.peers[0].over.wait()
        assert server.peers[0].end == (1000, "done")

    on_sockets(test)
