"""Plain text frames go past the protocol of `websockets`: in whatever pieces, the same arrives and the same is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from sim.backend import Refusal
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.websocket_frames import text_frame
from sim.runtimes.websocket_server import Admission, server_socket

MOST = 70_000


class Timing:
    """A clock that stands still and timers that never come."""

    def time(self) -> float:
        return 0.0

    def call_later(self, delay: float, callback: Any, *args: Any) -> Any:
        return self

    def cancel(self) -> None: ...


class Transport:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        return None


class Heard:
    """The user of a socket."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def opened(self, socket: Any) -> None:
        self.socket = socket

    def text(self, frame: bytes) -> None:
        self.messages.append(frame)

    def closed(self, code: int, reason: str) -> None: ...


class Station:
    """The other side, on `websockets` alone."""

    def __init__(self, compression: bool = False) -> None:
        self.heard, self.transport = Heard(), Transport()
        keeper = Keeper(Limits(max_frame=MOST), Timing())
        self.socket: Any = server_socket(keeper, self._judge, compression, lambda status: None)
        self.socket.connection_made(self.transport)
        self.protocol = ClientProtocol(parse_uri("ws://h/CS-1"), max_size=None)
        self.protocol.send_request(self.protocol.connect())
        self.socket.data_received(b"".join(self.protocol.data_to_send()))
        self._take()

    def _judge(self, shake: Any, then: Any) -> None:
        verdict: Admission | Refusal = Admission(self.heard, None)
        then(verdict)

    def _take(self) -> list[Any]:
        written, self.transport.written = self.transport.written, b""
        self.protocol.receive_data(written)
        return self.protocol.events_received()

    def says(self, *frames: Frame) -> bytes:
        for frame in frames:
            self.protocol.send_frame(frame)
        return b"".join(self.protocol.data_to_send())

    def hears(self) -> list[Any]:
        return [bytes(event.data) for event in self._take() if event.opcode is Opcode.TEXT]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in (*pieces, data) if piece]


FRAMES = st.one_of(
    st.text(max_size=200).map(lambda text: [Frame(Opcode.TEXT, text.encode())]),
    st.integers(65_000, 66_500).map(lambda size: [Frame(Opcode.TEXT, b"x" * size)]),
    st.just([Frame(Opcode.PING, b"?")]),
    st.lists(st.text(max_size=20), min_size=1, max_size=3).map(
        lambda parts: [
            Frame(Opcode.CONT if number else Opcode.TEXT, part.encode(), fin=number == len(parts) - 1)
            for number, part in enumerate(parts)
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(FRAMES, max_size=8), st.lists(st.integers(1, 40), max_size=12))
def test_whatever_the_pieces_every_message_arrives_once_whole_and_in_order(
    said: list[list[Frame]], sizes: list[int]
) -> None:
    station = Station()
    for piece in cut(station.says(*(frame for group in said for frame in group)), sizes):
        station.socket.data_received(piece)
    whole = [b"".join(bytes(one.data) for one in group) for group in said if group[0].opcode is Opcode.TEXT]
    assert station.heard.messages == whole
    pongs = sum(event.opcode is Opcode.PONG for event in station._take())
    assert pongs == sum(group[0].opcode is Opcode.PING for group in said)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("compression", [False, True])
def test_what_we_send_is_read_by_others(size: int, compression: bool) -> None:
    station = Station(compression)
    station.heard.socket.send(b"x" * size)
    assert station.hears() == [b"x" * size]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535])
def test_a_masked_frame_is_read_by_others_and_no_two_masks_are_the_same(size: int) -> None:
    frames = [text_frame(b"x" * size, masked=True) for _ in range(2)]
    assert frames[0] != frames[1] or size == 0
    server = ServerProtocol(max_size=None)
    server.state = 1  # type: ignore[assignment]
    parser = server.reader
    for frame in frames:
        assert frame is not None
        parser.feed_data(frame)
        reading = Frame.parse(parser.read_exact, mask=True)
        with pytest.raises(StopIteration) as done:
            next(reading)
        assert bytes(done.value.value.data) == b"x" * size


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (bytes((0x81, 2)) + b"[]", 1002),  # a station has to mask
        (bytes((0xC1, 0x82)) + bytes(4) + b"[]", 1002),  # a reserved bit
        (bytes((0x81, 0xFF)) + (1 << 20).to_bytes(8, "big"), 1009),
        (bytes((0x80, 0x82)) + bytes(4) + b"[]", 1002),  # a piece of no message
        (bytes((0x81, 0x82)) + bytes(4) + b"\xff\xfe", 1007),
    ],
)
def test_what_breaks_the_protocol_is_still_refused_behind_a_plain_message(frame: bytes, code: int) -> None:
    station = Station()
    plain = station.says(Frame(Opcode.TEXT, b"[1]"))
    station.socket.data_received(plain + frame)
    station._take()
    assert station.heard.messages == [b"[1]"]
    assert station.protocol.close_rcvd is not None and station.protocol.close_rcvd.code == code


def test_a_plain_message_amid_one_in_pieces_is_refused() -> None:
    station = Station()
    station.socket.data_received(station.says(Frame(Opcode.TEXT, b"[", fin=False)))
    masked = text_frame(b"[2]", masked=True)
    assert masked is not None
    station.socket.data_received(masked)
    station._take()
    assert station.heard.messages == []
    assert station.protocol.close_rcvd is not None and station.protocol.close_rcvd.code == 1002
