"""What the back-end asks of stations over sockets: time-outs, late answers, a newer connection, nobody there (point 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from scenarios.sockets.fuzz import Client, gone
from scenarios.sockets.serve import Where
from sim.runtimes.channel import Keeper, Limits
from tests.scenarios.sockets.test_serve import SECRET, get, serving, url
from tests.scenarios.sockets.test_storms import boot

TIME_OUT_MS = 400
SOON_S = 10.0


class Slow(Client):
    """A station that keeps what it is asked, and answers when the test says so."""

    def __init__(self, where: Where, station: str, keeper: Keeper) -> None:
        super().__init__(url(where, station), keeper)
        self.asked: list[Any] = []

    def text(self, frame: bytes) -> None:
        """A Reset waits; what a back-end asks after a boot is done at once; all else is as usual."""
        message = msgspec.json.decode(frame)
        if message[0] == 2 and message[2] == "Reset":
            self.asked.append(message)
        elif message[0] == 2:
            self.answer(message, {"status": "Accepted"})
        else:
            super().text(frame)

    async def booted(self) -> Slow:
        """Up and accepted."""
        await self.up(SOON_S)
        await self.ask("b", boot("b"), SOON_S)
        return self

    def answer(self, call: Any, payload: Any) -> None:
        self.send(msgspec.json.encode([3, call[1], payload]))

    async def next_call(self, at_most_s: float = SOON_S) -> Any:
        """The next call, None if none comes."""
        until = asyncio.get_running_loop().time() + at_most_s
        while not self.asked and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.01)
        return self.asked.pop(0) if self.asked else None


def on_stations(test: Callable[[Where, Keeper], Awaitable[None]], **wish: Any) -> None:
    """Serve while a test runs; its stations are gone before the server."""

    async def run(where: Where, stop: asyncio.Event) -> None:
        keeper = Keeper(Limits())
        try:
            await test(where, keeper)
        finally:
            await gone(keeper)

    assert serving(run, **wish).failure is None


async def operate(where: Where, station: str, kind: str = "Soft") -> tuple[int, Any]:
    """Ask for a reset; status and body of the API's answer."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {SECRET}"}, timeout=30) as client:
        answer = await client.post(f"{where.api}/operations/{station}/Reset?timeout=20", json={"type": kind})
        return answer.status_code, answer.json()


@pytest.mark.parametrize("fast", [False, True], ids=["default", "fast"])
def test_a_call_that_is_not_answered_in_time_may_have_happened_and_its_late_answer_moves_nothing(
    fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reference_csms.calls.CALL_TIMEOUT", TIME_OUT_MS)

    async def test(where: Where, keeper: Keeper) -> None:
        station = await Slow(where, "CS-1", keeper).booted()
        first = asyncio.ensure_future(operate(where, "CS-1"))
        late = await station.next_call()
        status, body = await first
        assert status == 504 and "may have happened" in str(body)
        second = asyncio.ensure_future(operate(where, "CS-1", "Hard"))
        call = await station.next_call()
        assert call[1] != late[1] and call[3] == {"type": "Hard"}
        station.answer(late, {"status": "Rejected"})  # to a call that was given up: of no account
        station.answer(call, {"status": "Accepted"})
        assert await second == (200, {"status": "Accepted"})
        told = [row["f"] for row in (await get(where, "/wire?station=CS-1&limit=1000"))["rows"] if row["w"] == "up"]
        assert any(late[1] in frame and "Rejected" in frame for frame in told), "it can be read in the log of the wire"
        assert (await station.ask("h", b'[2,"h","Heartbeat",{}]', SOON_S)) is not None

    on_stations(test, fast=fast)


def test_only_one_call_is_under_way_and_the_next_one_waits_for_its_answer() -> None:
    async def test(where: Where, keeper: Keeper) -> None:
        station = await Slow(where, "CS-1", keeper).booted()
        both = [asyncio.ensure_future(operate(where, "CS-1")) for _ in range(2)]
        first = await station.next_call()
        assert await station.next_call(0.3) is None
        station.answer(first, {"status": "Accepted"})
        station.answer(await station.next_call(), {"status": "Rejected"})
        assert sorted([(await one)[1]["status"] for one in both]) == ["Accepted", "Rejected"]

    on_stations(test)


def test_a_newer_connection_ends_what_the_old_one_was_asked_at_once() -> None:
    """Long before its time-out: what was sent may have happened, what waited in line has not."""

    async def test(where: Where, keeper: Keeper) -> None:
        old = await Slow(where, "CS-1", keeper).booted()
        sent = asyncio.ensure_future(operate(where, "CS-1"))
        await old.next_call()
        waits = asyncio.ensure_future(operate(where, "CS-1"))
        await asyncio.sleep(1.0)  # nothing shows from outside that it stands in line
        began = asyncio.get_running_loop().time()
        new = Slow(where, "CS-1", keeper)
        await new.up(SOON_S)
        assert (await sent)[0] == 504
        assert (await waits)[0] == 409
        assert asyncio.get_running_loop().time() - began < 5
        third = asyncio.ensure_future(operate(where, "CS-1"))
        new.answer(await new.next_call(), {"status": "Accepted"})
        assert (await third)[0] == 200

    on_stations(test)


def test_an_operation_for_a_station_that_is_not_connected_is_refused() -> None:
    async def test(where: Where, keeper: Keeper) -> None:
        status, body = await operate(where, "CS-1")
        assert status == 409 and "not-connected" in str(body)
        assert (await operate(where, "NOBODY"))[0] == 404
        station = await Slow(where, "CS-1", keeper).booted()
        assert station.socket is not None
        station.socket.cut("the network")
        while (await get(where, "/connections"))["rows"]:
            await asyncio.sleep(0.02)
        assert (await operate(where, "CS-1"))[0] == 409

    on_stations(test)
