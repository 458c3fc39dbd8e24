"""Overload is told, not suffered: newcomers get 503 with a time to come again, counted; who is connected is served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from reference_csms import assemble
from sim.backend import Setup
from sim.office import Counters
from sim.runtimes.aio import Clock
from sim.runtimes.aio_backend import BackEndHost
from sim.runtimes.aio_shed import Shedder, ShedLimits
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.websocket_fast import listen_fast
from sim.runtimes.websocket_server import listen

NAMES: Any = ["ocpp1.6"]


def serving(limits: ShedLimits, stack: Any, test: Callable[[str, BackEndHost], Awaitable[None]]) -> None:
    async def run() -> None:
        options = {"store": "memory", "first_contact": "site"}
        sheet = {
            "sites": [{"site": "site", "owner": "o"}],
            "owners": [{"owner": "o", "currency": "EUR", "zone": "UTC"}],
        }
        backend = assemble(Setup(name="csms", seed=0, provision=sheet, options=options))
        host, keeper = BackEndHost(backend, Clock(), limits=limits), Keeper(Limits())
        server = await stack("127.0.0.1", 0, keeper, host.judge, host.count_handshake)
        async with asyncio.timeout(20):
            await test(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp/", host)
        server.close()
        await host.stop(keeper, "the test is over")

    asyncio.run(run())


@pytest.mark.parametrize("stack", [listen, listen_fast], ids=["default", "fast"])
def test_a_connection_too_many_gets_503_with_a_time_to_come_again(stack: Any) -> None:
    async def test(url: str, host: BackEndHost) -> None:
        async with websockets.connect(url + "A", subprotocols=NAMES) as first:
            with pytest.raises(InvalidStatus) as caught:
                await websockets.connect(url + "B", subprotocols=NAMES)
            answer = caught.value.response
            assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 5
            assert (host.counters.shed, host.counters.handshakes) == (1, {101: 1, 503: 1})
            await first.send('[2,"1","BootNotification",{"chargePointModel":"m","chargePointVendor":"v"}]')
            assert "Accepted" in str(await first.recv())
        while host.connections():
            await asyncio.sleep(0.01)
        async with websockets.connect(url + "B", subprotocols=NAMES):
            assert host.counters.shed == 1

    serving(ShedLimits(most_connections=1), stack, test)


def test_a_loop_that_is_late_refuses_and_takes_in_again_when_it_has_caught_up() -> None:
    async def run() -> None:
        counters = Counters()
        shedder = Shedder(ShedLimits(most_lag_s=0.3), counters)
        assert shedder.judge(0) is None
        time.sleep(0.7)  # what a loop does that is busy
        refused = shedder.judge(0)
        assert refused is not None and refused.status == 503 and counters.shed == 1
        until = time.monotonic() + 5
        while shedder.judge(0) is not None:
            assert time.monotonic() < until
            await asyncio.sleep(0.05)
        assert counters.lag_ms > 300
        shedder.stop()

    asyncio.run(run())
