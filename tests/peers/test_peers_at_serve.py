"""Stations that others wrote at `chargerig serve`: one whole session each, and asked from afar through the API."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from scenarios.sockets.serve import Where
from sim.clock import Instant, iso
from sim.runtimes.aio import Clock
from tests.peers.library import library_station
from tests.peers.node import node_peer
from tests.scenarios.sockets.test_serve import SECRET, get, serving

STATION = "CS-1"
TOKEN = "T1"
LONGEST_S = 20.0

PEERS = [
    pytest.param(library_station, id="ocpp"),
    pytest.param(
        lambda *where: node_peer("station-ocpp-rpc.cjs", *where), id="ocpp-rpc, strict", marks=pytest.mark.node
    ),
    pytest.param(lambda *where: node_peer("station-ocpp-ts.cjs", *where), id="ocpp-ts", marks=pytest.mark.node),
]


async def operate(where: Where, action: str, payload: dict[str, Any]) -> Any:
    """What the station answered to an action that the API sent."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(headers=headers, timeout=LONGEST_S) as client:
        answer = await client.post(f"{where.api}/operations/{STATION}/{action}", json=payload)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def charge(peer: Any, at: Instant) -> int:
    """Boot, status, authorize, start, readings, stop; returns the transaction."""

    async def ask(action: str, **payload: Any) -> Any:
        return await peer.call(STATION, action, payload)

    boot = await ask("BootNotification", chargePointVendor="others", chargePointModel="peer")
    assert boot["status"] == "Accepted" and boot["interval"] > 0
    assert await ask("StatusNotification", connectorId=1, errorCode="NoError", status="Available") == {}
    assert (await ask("Authorize", idTag=TOKEN))["idTagInfo"]["status"] == "Accepted"
    assert (await ask("Authorize", idTag="NOBODY"))["idTagInfo"]["status"] == "Invalid"
    started = await ask("StartTransaction", connectorId=1, idTag=TOKEN, meterStart=1000, timestamp=iso(at))
    assert started["idTagInfo"]["status"] == "Accepted"
    number = int(started["transactionId"])
    reading = [{"timestamp": iso(Instant(at + 10)), "sampledValue": [{"value": "1500", "unit": "Wh"}]}]
    assert await ask("MeterValues", connectorId=1, transactionId=number, meterValue=reading) == {}
    stopped = await ask(
        "StopTransaction", transactionId=number, idTag=TOKEN, meterStop=2500, timestamp=iso(Instant(at + 20))
    )
    assert stopped.get("idTagInfo", {"status": "Accepted"})["status"] == "Accepted"
    assert "currentTime" in await ask("Heartbeat")
    return number


async def asked_from_afar(where: Where, peer: Any) -> None:
    """What the API sends arrives at the station as it was given, and its answer comes back."""
    asked: dict[str, dict[str, Any]] = {
        "RemoteStartTransaction": {"idTag": TOKEN, "connectorId": 1},
        "RemoteStopTransaction": {"transactionId": 1},
        "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "60"},
        "Reset": {"type": "Soft"},
    }
    for action, payload in asked.items():
        assert await operate(where, action, payload) == {"status": "Accepted"}, action
        assert (STATION, action, payload) in peer.heard
    shown = await operate(where, "GetConfiguration", {"key": ["NoSuchKey"]})
    assert shown == {"configurationKey": [], "unknownKey": ["NoSuchKey"]}


@pytest.mark.parametrize("peer", PEERS)
def test_a_station_that_others_wrote_charges_and_is_asked_from_afar(
    peer: Callable[[str, str], AbstractAsyncContextManager[Any]],
) -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        async with peer(where.ocpp.removesuffix("/{id}"), STATION) as station:
            number = await charge(station, Clock().now())
            await asked_from_afar(where, station)
            assert station.problems == []
        rows = (await get(where, "/sessions"))["rows"]
        assert [(row["station"], row["transaction_id"], row["energy_wh"]) for row in rows] == [(STATION, number, 1500)]

    served = serving(test)
    assert served.failure is None and served.handshakes == {101: 1}


@pytest.mark.parametrize(
    ("identity", "options", "code", "said"),
    [
        ("CS-1", (), 0, "SUCCESS"),
        ("CS-safe", ("--password", "00112233445566778899aabbccddeeff"), 0, "SUCCESS"),
        ("CS-safe", ("--password", "wrong"), 1, "HTTP 401"),
        ("NOBODY", (), 1, "HTTP 404"),
    ],
)
def test_a_connection_tester_that_others_wrote_sees_who_may_come(
    identity: str, options: tuple[str, ...], code: int, said: str
) -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        command = ("-m", "test_ocpp", where.ocpp.removesuffix("/{id}"), identity, *options)
        out = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=out)
        try:
            async with asyncio.timeout(LONGEST_S):
                text, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert (process.returncode, said in text.decode()) == (code, True), text.decode()

    assert serving(test).failure is None
