"""Link rules on real sockets, measured; and a recording with pseudonyms."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import zstandard
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from sim.runtimes.bridge import Limits
from tests.sim.runtimes.peers import BackEnd, Station, lines, proxied, station, until


async def _timed(one: Station, action: str = "Heartbeat") -> float:
    begun = monotonic()
    await one.ask(action, {})
    return monotonic() - begun


def test_latency_with_jitter_makes_frames_late_by_what_it_says_and_one_way_only(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    rule = {"what": "latency", "latency": "60ms", "jitter": "40ms", "way": "up", "station": "CA-*"}

    async def run() -> list[float]:
        async with (
            BackEnd().running() as back,
            proxied(trace, back.port, rule) as proxy,
            station(proxy.port, "CA-1") as one,
            station(proxy.port, "NO-1") as other,
        ):
            return [await _timed(one) for _ in range(5)] + [await _timed(other)]

    *late, other = asyncio.run(run())
    assert all(0.06 <= one < 1 for one in late)
    assert other < min(late)
    held = [line.d - line.t for line in lines(trace, "up") if line.s == "CA-1" and line.d is not None]
    assert all(60 <= one < 1000 for one in held)
    assert len({*held}) > 1
    assert all(line.d is not None and line.d - line.t < 60 for line in lines(trace, "down"))
    (foot,) = lines(trace, "foot")
    assert json.loads(foot.f)["rules"] == {"rule[0] latency": 5}


def test_bandwidth_takes_the_time_that_the_bits_need(tmp_path: Path) -> None:
    async def run() -> float:
        rule = {"what": "bandwidth", "rate": 80_000, "way": "up"}
        async with (
            BackEnd().running() as back,
            proxied(tmp_path / "t.jsonl.zst", back.port, rule) as proxy,
            station(proxy.port, "CA-1") as one,
        ):
            begun = monotonic()
            await one.ask("DataTransfer", {"vendorId": "V", "data": "x" * 3000})
            return monotonic() - begun

    assert 0.3 <= asyncio.run(run()) < 1


def test_a_stall_holds_both_ways_and_the_pings_and_loses_nothing(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    rule = {"what": "stall", "lasts": "500ms", "action": "MeterValues"}

    async def run() -> None:
        limits = Limits(ping_interval=0.05, ping_timeout=0.1)  # the proxy's own pings must not end what it stalls
        async with (
            BackEnd().running() as back,
            proxied(trace, back.port, rule, limits=limits) as proxy,
            station(proxy.port, "CA-1") as one,
        ):
            assert await _timed(one) < 0.4
            begun = monotonic()
            asking = asyncio.create_task(one.ask("MeterValues", {"connectorId": 1, "meterValue": []}))
            await asyncio.sleep(0.1)
            pong = await one.leg.ping()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(pong), 0.15)
            await asking
            assert 0.5 <= monotonic() - begun < 1.5
            await pong
            assert await _timed(one) < 0.4

    asyncio.run(run())
    assert [line.d is not None for line in lines(trace, "up", "down")] == [True] * 6


def test_a_ping_that_a_stall_leaves_without_answer_ends_nothing(tmp_path: Path) -> None:
    rule = {"what": "stall", "lasts": "400ms", "action": "MeterValues", "way": "up"}

    async def run() -> None:
        limits = Limits(ping_interval=0.05, ping_timeout=0.3)
        async with (
            BackEnd().running() as back,
            proxied(tmp_path / "t.jsonl.zst", back.port, rule, limits=limits) as proxy,
            station(proxy.port, "CA-1") as one,
        ):
            one.leg.transport.pause_reading()  # the next ping waits, and then the stall keeps its answer away
            await asyncio.sleep(0.15)
            asking = asyncio.create_task(one.ask("MeterValues", {"connectorId": 1, "meterValue": []}))
            await asyncio.sleep(0.05)
            one.leg.transport.resume_reading()
            await asking
            await one.ask("Heartbeat", {})

    asyncio.run(run())
    assert not [line for line in lines(tmp_path / "t.jsonl.zst", "up", "down") if line.d is None]


def test_a_reset_after_n_frames_breaks_off_and_records_the_frame_as_lost(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    rule = {"what": "reset", "way": "up", "after": 2}

    async def run() -> None:
        async with BackEnd().running() as back, proxied(trace, back.port, rule) as proxy:
            async with station(proxy.port, "CA-1") as one:
                await one.ask("Heartbeat", {})
                await one.ask("Heartbeat", {})
                with pytest.raises(ConnectionClosed):
                    await one.ask("Heartbeat", {})
                assert one.leg.close_code == 1006
            await until(lambda: back.closes)
            assert back.closes == [(1006, "")]
            assert len(back.heard["CA-1"]) == 2
            async with station(proxy.port, "CA-1") as again:
                for _ in range(4):
                    await again.ask("Heartbeat", {})

    asyncio.run(run())
    assert [line.d is None for line in lines(trace, "up")] == [False, False, True] + [False] * 4
    assert next(line.f for line in lines(trace, "close")) == "proxy: rule[0] reset"


def test_the_lost_answer_of_one_action_is_heard_by_nobody(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    rule = {"what": "reset", "way": "down", "action": "StopTransaction"}

    async def run() -> None:
        async with BackEnd().running() as back, proxied(trace, back.port, rule) as proxy:
            async with station(proxy.port, "CA-1") as one:
                with pytest.raises(ConnectionClosed):
                    await one.session("T")
                assert "StopTransaction" in one.sent[-1]
                assert len(one.got) == len(one.sent) - 1
            assert back.transactions == [1, 1], "the back-end has heard of it"

    asyncio.run(run())
    assert [line.d for line in lines(trace, "down")].count(None) == 1


def test_resets_and_refusals_by_time_and_a_flapping_link(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    rules = (
        {"what": "flap", "up": "400ms", "down": "400ms", "times": 1, "station": "FLAP"},
        {"what": "refuse", "status": 503, "lasts": "10s", "station": "NO-*"},
        {"what": "reset", "at": "200ms", "station": "CA-*"},
    )

    async def run() -> None:
        async with BackEnd().running() as back, proxied(trace, back.port, *rules) as proxy:
            begun = monotonic()
            async with station(proxy.port, "FLAP") as flap, station(proxy.port, "CA-1") as other:
                with pytest.raises(InvalidStatus) as caught:
                    async with station(proxy.port, "NO-1"):
                        pass
                assert caught.value.response.status_code == 503
                with pytest.raises(ConnectionClosed):
                    await other.leg.recv()
                assert 0.15 < monotonic() - begun < 1
                with pytest.raises(ConnectionClosed):
                    await flap.leg.recv()
                assert 0.35 < monotonic() - begun < 0.8
            with pytest.raises((InvalidMessage, ConnectionError)):
                async with station(proxy.port, "FLAP"):
                    pass
            await asyncio.sleep(max(0, 0.85 - (monotonic() - begun)))
            async with station(proxy.port, "FLAP") as flap:
                await flap.ask("Heartbeat", {})

    asyncio.run(run())
    assert {(line.s, line.f) for line in lines(trace, "close", "refused")} >= {
        ("FLAP", "proxy: rule[0] flap"),
        ("NO-1", "proxy: rule[1] refuse 503"),
        ("CA-1", "proxy: rule[2] reset"),
    }


def test_a_slow_close_is_learned_late_and_what_is_sent_meanwhile_is_lost(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    rule = {"what": "slow-close", "lasts": "300ms", "way": "up"}

    async def run() -> None:
        async with BackEnd().running() as back, proxied(trace, back.port, rule) as proxy:
            async with station(proxy.port, "CA-1") as one:
                await one.ask("Heartbeat", {})
            begun = monotonic()
            await back.call(back.legs[0], "b-1", "ClearCache", {})
            await until(lambda: back.closes)
            assert 0.2 < monotonic() - begun < 1
            assert back.closes[0][0] == 1000

    asyncio.run(run())
    assert [(line.d is None) for line in lines(trace, "down")] == [False, True]


def test_a_recording_with_pseudonyms_holds_no_original_and_the_traffic_is_untouched(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    secrets = ["04AB12CD34EF56", "+4791234567", "NOABCC123456789", "PARENT-77", "hunter2hunter2"]

    def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        if action == "Authorize":
            return {"idTagInfo": {"status": "Accepted", "parentIdTag": secrets[3]}}
        if action == "DataTransfer":
            return {"status": "Accepted", "data": f"welcome {secrets[0].lower()} of {secrets[3]}"}
        return ...

    async def run() -> tuple[list[str], list[str]]:
        async with (
            BackEnd(answer).running() as back,
            proxied(trace, back.port, key=b"k" * 32) as proxy,
            station(proxy.port, "CA-1", secrets[4]) as one,
        ):
            for token in secrets[:3]:
                await one.session(token)
            await one.ask("DataTransfer", {"vendorId": "V", "data": f"call {secrets[1]}"})
            await one.leg.send(f'[2,"x","Authorize",{{"idTag":"{secrets[0]}"')
            await until(lambda: len(back.heard["CA-1"]) == 17)
            assert back.heard["CA-1"][:-1] == one.sent
            return one.sent, one.got

    sent, got = asyncio.run(run())
    assert secrets[0] in "".join(sent)
    assert secrets[3] in "".join(got)
    with trace.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read().decode()
    assert not [one for one in secrets if one.lower() in text.lower()]
    (head,), (foot,) = lines(trace, "head"), lines(trace, "foot")
    assert "cannot be verified" in json.loads(head.f)["note"]
    counted = json.loads(foot.f)
    assert (counted["signed_records_changed"], counted["left_out"], counted["pseudonyms"]) == (0, 1, 5)
    authorized = [json.loads(line.f)[3]["idTag"] for line in lines(trace, "up") if '"Authorize"' in line.f]
    stopped = [json.loads(line.f)[3]["idTag"] for line in lines(trace, "up") if '"StopTransaction"' in line.f]
    assert authorized == stopped
    assert len({*authorized}) == 3
    assert all(len(one) <= 20 for one in authorized)
