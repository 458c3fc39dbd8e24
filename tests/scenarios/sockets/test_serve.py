"""`chargerig serve`: the reference CSMS on real sockets, its guard, its durability and its end (issue 4, points 1, 2, 8)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from reference_csms import assemble
from reference_csms.storage.open import close_store
from reference_csms.web.tokens import api_token
from scenarios.sockets.serve import NAME, Served, ServeWish, Where, serve
from scenarios.sockets.sheet import SITE
from sim.backend import Setup
from sim.clock import Instant, iso
from sim.errors import BadInput
from sim.runtimes.aio import Clock
from sim.runtimes.tls import client_context, server_context
from sim.wire import certificates
from tests.postgres import Cluster

SECRET = "a-token-for-tests-only-0123456789"
PASSWORD = "00112233445566778899aabbccddeeff"
SHEET = {
    "stations": [
        {"station": "CS-1", "site": SITE, "power_w": 22_000},
        {"station": "CS-safe", "site": SITE, "password": PASSWORD},
        {"station": "CS-tls", "site": SITE, "security_profile": 3},
    ],
    "tokens": [{"token": "T1", "customer": "C1"}],
}


async def served(
    test: Callable[[Where, asyncio.Event], Awaitable[None]], patience_s: float = 30, **wish: Any
) -> Served:
    """Serve while a test runs, then stop."""
    up: asyncio.Future[Where] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    given = {"port": 0, "api_port": 0, "tokens": (api_token("test", SECRET),), "sheet": SHEET, **wish}
    task = asyncio.ensure_future(serve(ServeWish(**given), lambda event, **said: None, up.set_result, stop))
    async with asyncio.timeout(patience_s):
        await asyncio.wait([task, up], return_when="FIRST_COMPLETED")
        if not up.done():
            return await task
        try:
            await test(up.result(), stop)
        finally:
            stop.set()
            told = await task
    return told


def serving(test: Callable[[Where, asyncio.Event], Awaitable[None]], patience_s: float = 30, **wish: Any) -> Served:
    """The same with a loop of its own."""
    return asyncio.run(served(test, patience_s, **wish))


def url(where: Where, station: str) -> str:
    return where.ocpp.replace("{id}", station)


async def call(ws: Any, id: str, action: str, payload: dict[str, Any]) -> Any:
    """Ask, and pass over what the back-end asks meanwhile."""
    await ws.send(msgspec.json.encode([2, id, action, payload]).decode())
    while True:
        answer = msgspec.json.decode(await ws.recv())
        if answer[0] != 2 and answer[1] == id:
            return answer[2]
        if answer[0] == 2:
            await ws.send(msgspec.json.encode([4, answer[1], "NotImplemented", "", {}]).decode())


async def session(ws: Any, at: Instant) -> int:
    """Boot, start, one reading, stop; returns the transaction id."""
    await call(ws, "b", "BootNotification", {"chargePointModel": "m", "chargePointVendor": "v"})
    start = {"connectorId": 1, "idTag": "T1", "meterStart": 0, "timestamp": iso(at)}
    started = await call(ws, "s", "StartTransaction", start)
    reading = [{"timestamp": iso(at), "sampledValue": [{"value": "10"}]}]
    await call(ws, "m", "MeterValues", {"connectorId": 1, "meterValue": reading})
    number = int(started["transactionId"])
    await call(ws, "e", "StopTransaction", {"transactionId": number, "meterStop": 20, "timestamp": iso(at + 1)})
    return number


async def get(where: Where, path: str, verify: Any = True) -> Any:
    async with httpx.AsyncClient(verify=verify, headers={"Authorization": f"Bearer {SECRET}"}) as client:
        answer = await client.get(where.api + path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_a_station_that_was_announced_runs_a_whole_session_and_the_records_show_it() -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url(where, "CS-1"), subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            number = await session(ws, Clock().now())
        rows = (await get(where, "/sessions"))["rows"]
        assert [(row["station"], row["transaction_id"], row["energy_wh"]) for row in rows] == [("CS-1", number, 20)]
        assert (await get(where, "/health/ready"))["status"] == "ready"

    served = serving(test)
    assert served.failure is None and served.handshakes == {101: 1} and served.calls == 4


def test_a_station_that_nobody_announced_gets_404_unless_first_contact_is_allowed() -> None:
    async def refused(where: Where, stop: asyncio.Event) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await websockets.connect(url(where, "NEW"), subprotocols=["ocpp1.6"])  # type: ignore[list-item]
        assert caught.value.response.status_code == 404

    async def taken(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url(where, "NEW%201"), subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            booted = await call(ws, "b", "BootNotification", {"chargePointModel": "m", "chargePointVendor": "v"})
            assert booted["status"] == "Accepted"
        assert "NEW 1" in [row["station"] for row in (await get(where, "/stations"))["rows"]]

    assert serving(refused).handshakes == {404: 1}
    assert serving(taken, accept_unknown=True).handshakes == {101: 1}


@pytest.mark.parametrize(
    ("login", "status"),
    [
        (("CS-safe", PASSWORD.encode()), 101),
        (("CS-safe", bytes.fromhex(PASSWORD)), 101),
        (("CS-safe", b"wrong"), 401),
        (("CS-1", PASSWORD.encode()), 401),
        (None, 401),
    ],
)
def test_a_station_with_a_password_has_to_show_it_as_text_or_bytes(
    login: tuple[str, bytes] | None, status: int
) -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        from base64 import b64encode

        both = b"" if login is None else login[0].encode() + b":" + login[1]
        headers = {} if login is None else {"Authorization": "Basic " + b64encode(both).decode()}
        try:
            names: Any = ["ocpp1.6"]
            async with websockets.connect(url(where, "CS-safe"), subprotocols=names, additional_headers=headers):
                got = 101
        except InvalidStatus as err:
            got = err.response.status_code
        assert got == status

    assert serving(test).handshakes == {status: 1}


def test_without_a_common_subprotocol_the_connection_is_closed_at_once() -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url(where, "CS-1"), subprotocols=["ocpp1.2"]) as ws:  # type: ignore[list-item]
            assert ws.subprotocol is None
            with pytest.raises(ConnectionClosed):
                await ws.recv()

    assert serving(test).handshakes == {101: 1}


def test_the_newest_connection_of_a_station_wins_and_the_late_end_of_the_old_one_is_harmless() -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        names: Any = ["ocpp1.6"]
        async with websockets.connect(url(where, "CS-1"), subprotocols=names) as old:
            await call(old, "b", "BootNotification", {"chargePointModel": "m", "chargePointVendor": "v"})
            async with websockets.connect(url(where, "CS-1"), subprotocols=names) as new:
                with pytest.raises(ConnectionClosed):
                    while True:
                        await old.recv()
                assert "currentTime" in await call(new, "h", "Heartbeat", {})
                rows = (await get(where, "/connections"))["rows"]
                assert [row["station"] for row in rows] == ["CS-1"]

    serving(test)


def test_what_was_answered_is_in_the_database_of_the_next_start(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'books.sqlite'}"
    numbers: list[int] = []

    async def first(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url(where, "CS-1"), subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            numbers.append(await session(ws, Clock().now()))

    async def second(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url(where, "CS-1"), subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            numbers.append(await session(ws, Instant(Clock().now() + 60_000)))
        rows = (await get(where, "/sessions"))["rows"]
        assert [row["transaction_id"] for row in rows] == numbers

    serving(first, store=store)
    serving(second, store=store)
    assert len(set(numbers)) == 2


def test_a_full_disk_is_told_to_who_looks_and_no_reply_of_the_group_that_failed_leaves(tmp_path: Path) -> None:
    store, connections = f"sqlite:///{tmp_path / 'books.sqlite'}", list[Any]()
    answered: list[str] = []

    async def test(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url(where, "CS-1"), subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            await call(ws, "b", "BootNotification", {"chargePointModel": "m", "chargePointVendor": "v"})
            connections[0].execute("PRAGMA max_page_count = 1")  # as many as there are now
            payload = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "info": "x" * 50}
            with pytest.raises(ConnectionClosed) as closed:
                for number in range(500):
                    await call(ws, f"s{number}", "StatusNotification", payload)
                    answered.append(f"s{number}")
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1011
        async with httpx.AsyncClient() as client:
            answer = await client.get(where.api + "/health/ready")
        assert answer.status_code == 503 and FULL in answer.json()["detail"]

    FULL = "a commit failed: the database failed: database or disk is full"
    sa.event.listen(sa.pool.Pool, "connect", hold := lambda connection, record: connections.append(connection))
    try:
        served = serving(test, store=store)
    finally:
        sa.event.remove(sa.pool.Pool, "connect", hold)
    assert served.failure == FULL
    setup = Setup(name=NAME, seed=0, provision={}, options={"store": store, "store_kept": True, "keep_all": True})
    keeping = assemble(setup).keeping
    assert keeping is not None
    assert sorted(msgspec.json.decode(row["frame"])[1] for row in keeping.of("CS-1")) == sorted(answered)
    close_store(setup)


@pytest.mark.postgres
def test_who_reads_books_that_are_gone_is_told_so_and_the_server_ends(postgres: Cluster, postgres_url: str) -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        assert (await get(where, "/stations"))["rows"]
        postgres.cut(postgres_url)
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {SECRET}"}) as client:
            answers = [await client.get(where.api + path) for path in ("/stations", "/health/ready", "/sessions")]
        assert [answer.status_code for answer in answers] == [503, 503, 503]
        assert all("the database failed: " in answer.json()["detail"] for answer in answers)

    served = serving(test, store=postgres_url)
    assert served.failure is not None and served.failure.startswith("reading the books failed: the database failed: ")


def test_a_client_certificate_is_bound_to_the_identity(tmp_path: Path) -> None:
    authority = certificates.authority("test", certificates.now_utc(Clock().now()), 1)
    ca, _ = certificates.write_pair(tmp_path, "ca", authority.key, authority.certificate)
    pairs = [
        certificates.write_pair(tmp_path, kind, *certificates.issue_server(authority, ["localhost"], "test", kind))
        for kind in ("ecdsa", "rsa")
    ]
    shown = {
        name: certificates.write_pair(tmp_path, name, *certificates.issue_station(authority, name, "test"))
        for name in ("CS-tls", "CS-other")
    }

    async def test(where: Where, stop: asyncio.Event) -> None:
        names: Any = ["ocpp1.6"]
        address = url(where, "CS-tls").replace("127.0.0.1", "localhost")
        async with websockets.connect(address, subprotocols=names, ssl=client_context(ca, shown["CS-tls"])) as ws:
            assert ws.subprotocol == "ocpp1.6"
        with pytest.raises(InvalidStatus) as caught:
            await websockets.connect(address, subprotocols=names, ssl=client_context(ca, shown["CS-other"]))
        assert caught.value.response.status_code == 401
        with pytest.raises(ssl.SSLError):
            await websockets.connect(address, subprotocols=names, ssl=ssl.create_default_context())
        own: Any = client_context(ca, shown["CS-1"]) if "CS-1" in shown else client_context(ca, None)
        rows = (await get(Where("", where.api.replace("127.0.0.1", "localhost")), "/stations", own))["rows"]
        assert len(rows) == 3

    tls = server_context(pairs, ca, required=False)
    assert serving(test, tls=tls).handshakes == {101: 1, 401: 1}


def test_a_port_that_is_taken_is_one_sentence() -> None:
    async def test(where: Where, stop: asyncio.Event) -> None:
        port = int(where.ocpp.split(":")[2].split("/")[0])
        with pytest.raises(BadInput, match="--port"):
            await serve(ServeWish(port=port, api_port=0), lambda event, **said: None, lambda where: None)

    serving(test)


def test_a_wrong_row_of_the_sheet_is_one_sentence_and_nobody_is_served() -> None:
    async def never(where: Where, stop: asyncio.Event) -> None:
        raise AssertionError("served")

    with pytest.raises(BadInput, match=r"stations\[0\].password"):
        serving(never, sheet={"stations": [{"station": "X", "site": SITE, "password": "short"}]})
