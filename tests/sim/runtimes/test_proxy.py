"""The proxy on real sockets: what passes is the same, what is recorded is what passed, and one end hurts one connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scenarios.sockets.child import free_port
from sim.errors import BadInput
from sim.evidence.compared import Comparison
from sim.evidence.recording import Recording
from sim.evidence.sameness import Ignore
from sim.evidence.script import read_script
from sim.evidence.wire import WireFile, read_wire
from sim.runtimes.aio import Clock
from sim.runtimes.bridge import Limits
from sim.runtimes.proxy import Ends, Proxy, identity
from sim.runtimes.replay import Replay, Wish
from sim.runtimes.tls import client_context, server_context
from sim.wire import certificates
from tests.sim.runtimes.peers import NOW, BackEnd, lines, proxied, station, until


def test_three_stations_talk_byte_for_byte_as_without_a_proxy(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def talk(port: int) -> list[tuple[list[str], list[str]]]:
        async with contextlib.AsyncExitStack() as stack:
            them = [await stack.enter_async_context(station(port, f"CA-{n}")) for n in range(3)]
            for n, one in enumerate(them):
                await one.session(f"TOKEN{n}")
            return [(one.sent, one.got) for one in them]

    async def both() -> None:
        async with BackEnd().running() as straight:
            expected = await talk(straight.port)
        async with BackEnd().running() as back, proxied(trace, back.port) as proxy:
            assert await talk(proxy.port) == expected
            assert back.heard == {f"CA-{n}": sent for n, (sent, _) in enumerate(expected)}
            await until(lambda: not proxy.living)
        for n, (sent, got) in enumerate(expected):
            recorded = lines(trace, "up", "down")
            assert [line.f for line in recorded if line.s == f"CA-{n}" and line.w == "up"] == sent
            assert [line.f for line in recorded if line.s == f"CA-{n}" and line.w == "down"] == got

    asyncio.run(both())
    everything = list(read_wire(trace))
    assert [line.n for line in everything] == list(range(1, len(everything) + 1))
    assert [line.w for line in everything][:1] + [line.w for line in everything][-1:] == ["head", "foot"]
    assert [line.w for line in everything].count("open") == [line.w for line in everything].count("close") == 3
    assert all(line.d is not None and line.d >= line.t for line in everything)
    assert json.loads(everything[-1].f) == {
        "connections": 3,
        "refused": 0,
        "frames_up": 15,
        "frames_down": 15,
        "lost": 0,
    }


def test_calls_of_the_back_end_pass_too_and_an_answer_never_stands_before_its_call(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        if action == "Heartbeat":
            await back.call(back.legs[-1], "b-1", "RemoteStartTransaction", {"idTag": "T"})
        return ...

    async def run() -> None:
        async with (
            BackEnd(answer).running() as back,
            proxied(trace, back.port) as proxy,
            station(proxy.port, "CA-1") as one,
        ):
            await one.ask("Heartbeat", {})
            await until(lambda: len(back.heard["CA-1"]) == 2)

    asyncio.run(run())
    frames = [json.loads(line.f) for line in lines(trace, "up", "down")]
    ids = [frame[1] for frame in frames]
    assert sorted(ids) == ["CA-1-0", "CA-1-0", "b-1", "b-1"]
    assert all(frames[ids.index(id)][0] == 2 for id in ids)


def test_path_query_password_and_subprotocols_reach_the_upstream(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with BackEnd().running(subprotocols=["ocpp2.0.1", "ocpp1.6"]) as back, proxied(trace, back.port) as proxy:
            offered = {"subprotocols": ["ocpp1.6", "ocpp2.0.1"], "user_agent_header": "rig/1"}
            async with station(proxy.port, "A%7C1?x=1", "secret", path="/a/b/", **offered) as one:
                assert one.leg.subprotocol == "ocpp2.0.1"
            (request,) = back.requests
            assert request.path == "/a/b/A%7C1?x=1"
            assert request.headers["Authorization"].startswith("Basic ")
            assert request.headers["User-Agent"] == "rig/1"
            assert request.headers["Sec-WebSocket-Protocol"] == "ocpp1.6, ocpp2.0.1"

    asyncio.run(run())
    asked, opened = lines(trace, "asked", "open")
    assert opened.s == "A|1" == identity("/a/b/A%7C1?x=1")
    assert opened.f == "ocpp2.0.1"
    assert json.loads(asked.f)["offered"] == ["ocpp1.6", "ocpp2.0.1"]


def test_the_upstreams_refusals_come_back_as_they_are(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with BackEnd().running() as back, proxied(trace, back.port) as proxy:
            back.unknown = {"NO-1": 404, "NO-2": 401, "NO-3": 307}
            async with station(proxy.port, "NO-3"):
                assert back.requests[-1].path == "/elsewhere", "the station follows, not the proxy"
            for name, status in [*back.unknown.items()][:2]:
                with pytest.raises(InvalidStatus) as caught:
                    async with station(proxy.port, name):
                        pass
                assert caught.value.response.status_code == status
                assert caught.value.response.body == f"told {status}\n".encode()
                assert caught.value.response.headers["WWW-Authenticate"] == "Basic"
            async with station(proxy.port, "CA-1") as one:
                await one.ask("Heartbeat", {})

    asyncio.run(run())
    assert [line.f for line in lines(trace, "refused")] == ["backend: 307", "backend: 404", "backend: 401"]


def test_an_upstream_that_is_not_there_is_502_in_one_sentence_and_the_proxy_goes_on(tmp_path: Path) -> None:
    async def run() -> None:
        async with proxied(tmp_path / "t.jsonl.zst", free_port()) as proxy:
            for _ in range(2):
                with pytest.raises(InvalidStatus) as caught:
                    async with station(proxy.port, "CA-1"):
                        pass
                assert caught.value.response.status_code == 502
                sentence = (caught.value.response.body or b"").decode()
                assert sentence.count("\n") == 1
                assert "cannot be reached" in sentence
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 426 " in await reader.readline()
            writer.close()

    asyncio.run(run())
    assert len(lines(tmp_path / "t.jsonl.zst", "refused")) == 2


def test_without_a_common_subprotocol_the_handshake_ends_without_one_and_the_close_passes(tmp_path: Path) -> None:
    async def run() -> None:
        back = BackEnd()

        async def closing(leg: Any) -> None:
            await leg.close(1002, "no subprotocol")

        back._serve = closing  # type: ignore[method-assign]
        async with (
            back.running(select_subprotocol=lambda leg, offered: None) as running,
            proxied(tmp_path / "t.jsonl.zst", running.port) as proxy,
            station(proxy.port, "CA-1", subprotocols=["ocpp9"]) as one,
        ):
            assert one.leg.subprotocol is None
            with pytest.raises(ConnectionClosed):
                await one.leg.recv()
            assert (one.leg.close_code, one.leg.close_reason) == (1002, "no subprotocol")

    asyncio.run(run())
    assert [line.f for line in lines(tmp_path / "t.jsonl.zst", "close")] == ["backend: 1002 no subprotocol"]


@pytest.mark.parametrize(("code", "reason"), [(1000, "bye"), (1012, ""), (4001, "own")])
def test_close_codes_pass_from_both_sides(tmp_path: Path, code: int, reason: str) -> None:
    async def run() -> None:
        async with BackEnd().running() as back, proxied(tmp_path / "t.jsonl.zst", back.port) as proxy:
            async with station(proxy.port, "CA-1") as one:
                await one.leg.close(code, reason)
            await until(lambda: back.closes)
            assert back.closes == [(code, reason)]
            async with station(proxy.port, "CA-2") as other:
                await until(lambda: len(back.legs) == 2)
                await back.legs[1].close(code, reason)
                with pytest.raises(ConnectionClosed):
                    await other.leg.recv()
                assert (other.leg.close_code, other.leg.close_reason) == (code, reason)

    asyncio.run(run())
    said = f"{code} {reason}".strip()
    assert [line.f for line in lines(tmp_path / "t.jsonl.zst", "close")] == [f"station: {said}", f"backend: {said}"]


def test_garbage_too_long_messages_and_cuts_hurt_nobody_else(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with (
            BackEnd().running() as back,
            proxied(trace, back.port, limits=Limits(max_size=5000)) as proxy,
            station(proxy.port, "GOOD") as good,
        ):
            await good.ask("Heartbeat", {})
            async with station(proxy.port, "LONG") as bad:
                await bad.leg.send("x" * 5001)
                with pytest.raises(ConnectionClosed):
                    await bad.leg.recv()
                assert bad.leg.close_code == 1009
            await until(lambda: (1009, back.closes and back.closes[0][1]) in back.closes)
            async with station(proxy.port, "ODD") as bad:
                await bad.leg.send('[2,"1"')
                await bad.leg.send(b"\x00\xff")
                await until(lambda: len(back.heard.get("ODD", ())) == 2)
                assert back.heard["ODD"] == ['[2,"1"', str(b"\x00\xff")]
                bad.leg.transport.abort()
            await until(lambda: (1006, "") in back.closes)
            async with station(proxy.port, "CUT") as bad:
                await until(lambda: len(back.legs) == 4)
                back.legs[-1].transport.abort()
                with pytest.raises(ConnectionClosed):
                    await bad.leg.recv()
                assert bad.leg.close_code == 1006
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            assert b"101" not in await reader.read()
            writer.close()
            assert await good.session("T") == 1

    asyncio.run(run())
    ends = {line.s: line.f for line in lines(trace, "close")}
    assert ends["LONG"].startswith("station: 1009")
    assert ends["ODD"] == "station: broke off"
    assert ends["CUT"] == "backend: broke off"
    assert ends["GOOD"].startswith("station: 1000")


def test_handshakes_that_are_none_leave_nothing_open_at_the_upstream(tmp_path: Path) -> None:
    async def asked(port: int, *headers: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        usual = (b"Host: x", b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13")
        writer.write(b"\r\n".join((b"GET /ocpp/CA-1 HTTP/1.1", *usual, *headers, b"", b"")))
        answer = await reader.readline()
        writer.close()
        return answer

    async def run() -> None:
        async with BackEnd().running() as back, proxied(tmp_path / "t.jsonl.zst", back.port) as proxy:
            key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
            assert b" 400 " in await asked(proxy.port, key, b"Sec-WebSocket-Protocol: a{b")
            assert not back.legs
            assert b" 400 " in await asked(proxy.port, b"Sec-WebSocket-Protocol: ocpp1.6")  # no key
            await until(lambda: back.closes)
            _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"GET /ocpp/CA-1 HTTP/1.1\r\nHost: x\r\n")  # and gone
            writer.close()
            async with station(proxy.port, "CA-1") as one:
                await one.ask("Heartbeat", {})
            await until(lambda: len(back.closes) == 2)

    asyncio.run(run())
    assert len(lines(tmp_path / "t.jsonl.zst", "open")) == 1


def test_bad_text_is_closed_with_1007_on_both_legs(tmp_path: Path) -> None:
    async def run() -> None:
        async with BackEnd().running() as back, proxied(tmp_path / "t.jsonl.zst", back.port) as proxy:
            async with station(proxy.port, "CA-1") as one:
                await one.leg.send(b"\xff\xfe", text=True)
                with pytest.raises(ConnectionClosed):
                    await one.leg.recv()
                assert one.leg.close_code == 1007
            await until(lambda: back.closes)
            assert back.closes[0][0] == 1007

    asyncio.run(run())


def test_a_side_that_answers_no_ping_is_given_up_and_the_other_side_is_cut(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        limits = Limits(ping_interval=0.1, ping_timeout=0.1)
        async with (
            BackEnd().running() as back,
            proxied(trace, back.port, limits=limits) as proxy,
            station(proxy.port, "DEAD") as dead,
            station(proxy.port, "GOOD") as good,
        ):
            dead.leg.transport.pause_reading()  # as a peer without power: the kernel still takes what is sent
            await until(lambda: back.closes)
            assert back.closes == [(1006, "")]
            await good.ask("Heartbeat", {})
            dead.leg.transport.abort()

    asyncio.run(run())
    ends = {line.s: line.f for line in lines(trace, "close")}
    assert ends["DEAD"] == "station: no answer to a ping within 0.1 s"
    assert ends["GOOD"].startswith("station: 1000")


def test_who_does_not_read_stops_the_sender_and_the_queue_stays_bounded(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            BackEnd().running() as back,
            proxied(tmp_path / "t.jsonl.zst", back.port) as proxy,
            station(proxy.port, "CA-1", write_limit=1000) as one,
            station(proxy.port, "CA-2") as other,
        ):
            await until(lambda: len(back.legs) == 2)
            back.legs[0].transport.pause_reading()
            sent = 0
            with contextlib.suppress(TimeoutError):
                for _ in range(2000):  # 200 MB if nothing held it back
                    async with asyncio.timeout(0.2):
                        await one.leg.send("x" * 100_000)
                    sent += 1
            assert 0 < sent < 1000
            await other.ask("Heartbeat", {})
            back.legs[0].transport.resume_reading()
            await until(lambda: len(back.heard.get("CA-1", ())) >= sent)

    asyncio.run(run())


def test_a_stop_closes_both_sides_with_1001_and_finishes_the_trace(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with BackEnd().running() as back:
            async with proxied(trace, back.port) as proxy:
                one = station(proxy.port, "CA-1")
                talk = await one.__aenter__()
                await talk.ask("Heartbeat", {})
            with pytest.raises(ConnectionClosed):
                await talk.leg.recv()
            assert talk.leg.close_code == 1001
            await until(lambda: back.closes)
            assert back.closes[0][0] == 1001
            await one.__aexit__(None, None, None)

    asyncio.run(run())
    assert [line.f for line in lines(trace, "close")] == ["proxy: 1001 stopped"]
    assert list(read_wire(trace))[-1].w == "foot"


def test_after_a_second_the_trace_can_be_read_though_the_proxy_still_runs(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with BackEnd().running() as back, proxied(trace, back.port) as proxy, station(proxy.port, "CA-1") as one:
            await one.ask("Heartbeat", {})
            await until(lambda: len(lines(trace, "up", "down")) == 2, 2.5)

    asyncio.run(run())


def test_a_back_end_behind_tls_is_reached_through_its_authority_and_by_nobody_else(tmp_path: Path) -> None:
    authority = certificates.authority("test", certificates.now_utc(Clock().now()), 1)
    ca, _ = certificates.write_pair(tmp_path, "ca", authority.key, authority.certificate)
    issued = certificates.issue_server(authority, ["localhost"], "test", "ecdsa")
    secure = server_context([certificates.write_pair(tmp_path, "server", *issued)], None, False)

    async def run() -> Comparison:
        async with BackEnd().running(ssl=secure) as back:
            url = f"wss://localhost:{back.port}"
            for trust, good in ((client_context(None, None), False), (client_context(ca, None), True)):
                recording = Recording(WireFile(tmp_path / f"{good}.zst"), "back")
                async with Proxy(Ends("127.0.0.1", 0, url, trust), recording) as proxy:
                    if good:
                        async with station(proxy.port, "CA-1") as one:
                            await one.session("T")
                    else:
                        with pytest.raises(InvalidStatus, match="502"):
                            async with station(proxy.port, "CA-1"):
                                pass
            script = read_script(tmp_path / "True.zst")
            return await Replay(script, Wish(f"{url}/ocpp", trust=client_context(ca, None)), Ignore(())).run()

    result = asyncio.run(run())
    assert (result.compared, result.differences) == (5, [])


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    async def run() -> None:
        async with BackEnd().running() as back:
            recording = Recording(WireFile(tmp_path / "t.jsonl.zst"), "back")
            with pytest.raises(BadInput, match="--listen"):
                async with Proxy(Ends("127.0.0.1", back.port, f"ws://127.0.0.1:{back.port}"), recording):
                    pass
            assert not [*tmp_path.iterdir()]

    asyncio.run(run())


def test_a_disk_that_is_full_ends_the_recording_with_a_sentence_and_not_the_traffic(tmp_path: Path) -> None:
    class Full(WireFile):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    async def run() -> None:
        async with BackEnd().running() as back:
            proxy = Proxy(
                Ends("127.0.0.1", 0, f"ws://127.0.0.1:{back.port}"), Recording(Full(tmp_path / "t.zst"), "back")
            )
            with pytest.raises(BadInput, match="No space left"):
                async with proxy:
                    async with station(proxy.port, "CA-1") as one:
                        assert await one.ask("Heartbeat", {}) == {"currentTime": NOW}
                    await asyncio.wait_for(proxy.broken(), 2)

    asyncio.run(run())
