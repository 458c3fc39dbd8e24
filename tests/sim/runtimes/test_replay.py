"""Yesterday's traffic against another back-end: the same is the same, and exactly what differs is told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from sim.errors import BadInput
from sim.evidence.compared import Comparison
from sim.evidence.sameness import Ignore
from sim.evidence.script import Script, read_script
from sim.evidence.wire import WireFile, WireRecorder
from sim.runtimes.replay import Replay, Wish, refusal
from sim.wire.ocppj import Call, Error, Result, parse
from sim.wire.schema import actions, judge
from tests.sim.runtimes.peers import BOOT, NOW, BackEnd, Station, proxied, station, until

Doing = Callable[[Station], Awaitable[Any]]


async def _session(one: Station) -> None:
    await one.session(f"TOKEN-{one.name}")


def recorded(trace: Path, back: BackEnd, *names: str, doing: Doing = _session) -> Path:
    """A trace of these stations, one after the other."""

    async def run() -> None:
        async with back.running(), proxied(trace, back.port) as proxy:
            for name in names:
                async with station(proxy.port, name) as one:
                    await doing(one)
                await until(lambda: not proxy.living)

    asyncio.run(run())
    return trace


def replayed(
    script: Script,
    back: BackEnd,
    *ignore: str,
    pace: float = 0.0,
    seconds: float = 0.3,
    shift: bool = False,
    **more: Any,
) -> Comparison:
    """This script against that back-end."""

    async def run() -> Comparison:
        async with back.running(**more):
            wish = Wish(f"ws://127.0.0.1:{back.port}/ocpp", pace, shift, seconds)
            return await Replay(script, wish, Ignore(ignore)).run()

    return asyncio.run(run())


def told(result: Comparison) -> list[tuple[str, str, str, Any, Any]]:
    return [(one.station, one.action, one.path, one.recorded, one.new) for one in result.differences]


NAMES = ("CA-1", "CA-2", "CA-3")


def test_against_the_same_back_end_nothing_differs_though_all_ids_do(tmp_path: Path) -> None:
    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(first_id=7), *NAMES))
    assert script.whole
    assert script.asked == 15
    back = BackEnd(first_id=5001)
    result = replayed(script, back)
    assert told(result) == []
    assert (result.compared, result.unanswered) == (15, 0)
    assert {name: one.same for name, one in result.actions.items()} == dict.fromkeys(
        ("BootNotification", "Authorize", "StartTransaction", "MeterValues", "StopTransaction"), 3
    )
    assert back.transactions == [5001, 5001, 5002, 5002, 5003, 5003], "what the new back-end minted is what it hears"
    ids = [json.loads(frame)[1] for frames in back.heard.values() for frame in frames]
    assert len({*ids}) == 15
    assert not [id for id in ids if id.startswith("CA-")]
    assert back.heard.keys() == {*NAMES}


def test_a_blocked_token_another_interval_and_a_lost_stop_are_told_and_nothing_else(tmp_path: Path) -> None:
    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(), *NAMES))

    def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": "2030-01-01T00:00:00Z", "interval": 600}
        if action == "Authorize" and payload["idTag"] == "TOKEN-CA-2":
            return {"idTagInfo": {"status": "Blocked"}}
        return None if action == "StopTransaction" and name == "CA-3" else ...

    result = replayed(script, BackEnd(answer, first_id=100))
    interval = ("BootNotification", "$.interval", 300, 600)
    assert sorted(told(result)) == sorted(
        [
            ("CA-2", "Authorize", "$.idTagInfo.status", "Accepted", "Blocked"),
            *((name, *interval) for name in NAMES),
            ("CA-3", "StopTransaction", "$", {"idTagInfo": {"status": "Accepted"}}, "(no answer)"),
        ]
    )
    tallies = {name: (one.asked, one.same, one.different, one.unanswered) for name, one in result.actions.items()}
    assert tallies["BootNotification"] == (3, 0, 3, 0)
    assert tallies["Authorize"] == (3, 2, 1, 0)
    assert tallies["StopTransaction"] == (3, 2, 0, 1)
    ignoring = replayed(script, BackEnd(answer), "$.interval", "Authorize:$.idTagInfo.*", "$.nothing")
    assert [one[1] for one in told(ignoring)] == ["StopTransaction"]
    assert ignoring.ignore.hits == {"$.interval": 3, "Authorize:$.idTagInfo.*": 1, "$.nothing": 0}


def test_two_ids_that_become_one_and_a_repeat_that_gets_another_are_differences(tmp_path: Path) -> None:
    async def twice(one: Station) -> None:
        begun = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": NOW}
        await one.ask("StartTransaction", begun)
        await one.ask("StartTransaction", {**begun, "connectorId": 2})

    def always(id: int) -> Any:
        return lambda back, name, action, payload: {"transactionId": id, "idTagInfo": {"status": "Accepted"}}

    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(), "CA-1", doing=twice))
    assert [one[2:] for one in told(replayed(script, BackEnd(always(9))))] == [("$.transactionId", 2, 9)]
    script = read_script(recorded(tmp_path / "u.jsonl.zst", BackEnd(always(5)), "CA-1", doing=twice))
    assert [one[2:] for one in told(replayed(script, BackEnd(first_id=40)))] == [("$.transactionId", 5, 41)]


def test_a_start_that_is_not_answered_leaves_minus_one_in_what_follows(tmp_path: Path) -> None:
    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(first_id=7), "CA-1"))
    back = BackEnd(lambda back, name, action, payload: None if action == "StartTransaction" else ...)
    result = replayed(script, back)
    assert [one[1] for one in told(result)] == ["StartTransaction"]
    assert back.transactions == [-1, -1]


def test_calls_of_the_back_end_are_answered_as_recorded_with_the_ids_of_now(tmp_path: Path) -> None:
    def asking(transaction: int, mood: str) -> Any:
        async def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
            if action == "Heartbeat":
                leg = back.legs[-1]
                await back.call(leg, "b-1", "RemoteStopTransaction", {"transactionId": transaction})
                await back.call(leg, "b-2", "ChangeConfiguration", {"key": "A", "value": mood})
                await back.call(leg, "b-3", "Reset", {"type": "Soft"})
                await back.call(leg, "b-4", "Reset", {"type": "Soft"})
            return ...

        return answer

    async def doing(one: Station) -> None:
        await one.session("T")
        await one.ask("Heartbeat", {})
        await one.ask("Heartbeat", {}, 3)

    async def only_once(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        back.answer = None if action == "Heartbeat" else only_once
        return await asking(7, "x")(back, name, action, payload)

    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(only_once, first_id=7), "CA-1", doing=doing))
    script.told["CA-1"] = script.told["CA-1"][:3]  # one Reset is not in the trace

    async def now(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        back.answer = None if action == "Heartbeat" else now
        return await asking(90, "y")(back, name, action, payload)

    back = BackEnd(now, first_id=90)
    result = replayed(script, back)
    answers = [json.loads(frame) for frame in back.heard["CA-1"] if json.loads(frame)[0] != 2]
    assert [(one[1], one[2]["status"]) for one in answers] == [
        ("b-1", "Accepted"),
        ("b-2", "Accepted"),
        ("b-3", "Accepted"),
        ("b-4", "Rejected"),
    ]
    assert dict(result.told["Reset"]) == {"recorded": 1, "answered as recorded": 1, "refused": 1}
    assert dict(result.told["RemoteStopTransaction"]) == {"recorded": 1, "answered as recorded": 1}
    assert told(result) == []


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_refusal_fits_the_schema_of_every_action(version: str) -> None:
    refused = Counter[str]()
    for action in (*actions(version), "NoSuchAction"):
        told = parse(refusal(version, Call("id-1", action, b"{}")))
        assert told.id == "id-1"
        if isinstance(told, Result):
            assert judge(version, action, "response", told.payload) is None
            assert json.loads(told.payload)["status"] != "Accepted"
        if isinstance(told, Error):
            assert told.code == ("NotImplemented" if action == "NoSuchAction" else "NotSupported")
        refused[type(told).__name__] += 1
    assert refused["Result"] >= 20


def test_a_call_of_the_back_end_finds_its_own_answer_by_the_id_of_now(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": NOW}
    frames: list[tuple[str, Any]] = [
        ("up", [2, "1", "StartTransaction", start]),
        ("down", [3, "1", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}]),
        ("up", [2, "2", "StartTransaction", {**start, "connectorId": 2}]),
        ("down", [3, "2", {"transactionId": 8, "idTagInfo": {"status": "Accepted"}}]),
        ("down", [2, "a", "RemoteStopTransaction", {"transactionId": 7}]),
        ("up", [3, "a", {"status": "Accepted"}]),
        ("down", [2, "b", "RemoteStopTransaction", {"transactionId": 8}]),
        ("up", [3, "b", {"status": "Rejected"}]),
        ("up", [2, "3", "Heartbeat", {}]),
        ("down", [3, "3", {"currentTime": NOW}]),
    ]
    file = WireFile(trace)
    file.write([(n, n, n, "CA-1", "b", 1, way, json.dumps(frame).encode()) for n, (way, frame) in enumerate(frames, 1)])
    file.close()

    async def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        if action == "Heartbeat":
            for id, transaction in (("x", 91), ("y", 90)):
                await back.call(back.legs[-1], id, "RemoteStopTransaction", {"transactionId": transaction})
        return ...

    back = BackEnd(answer, first_id=90)
    assert told(replayed(read_script(trace), back)) == []
    answers = [json.loads(frame) for frame in back.heard["CA-1"] if json.loads(frame)[0] == 3]
    assert answers == [[3, "x", {"status": "Rejected"}], [3, "y", {"status": "Accepted"}]]


def test_the_pace_keeps_gaps_and_fast_keeps_the_order_alone(tmp_path: Path) -> None:
    async def slowly(one: Station) -> None:
        await one.ask("BootNotification", BOOT)
        await asyncio.sleep(0.3)
        await one.ask("Heartbeat", {})

    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(), "CA-1", "CA-2", doing=slowly))
    took = {}
    for pace in (0.0, 1.0, 3.0):
        begun = monotonic()
        assert replayed(script, BackEnd(), pace=pace).compared == 4
        took[pace] = monotonic() - begun
    assert took[1.0] >= 0.6
    assert 0.2 <= took[3.0] < took[1.0]
    assert took[0.0] < took[1.0]


def test_fast_keeps_the_order_of_the_trace_between_stations(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with (
            BackEnd().running() as back,
            proxied(trace, back.port) as proxy,
            station(proxy.port, "CA-1") as one,
            station(proxy.port, "CA-2") as other,
        ):
            for n in range(20):
                await (one, other)[n // 3 % 2].ask("DataTransfer", {"vendorId": str(n)})

    asyncio.run(run())
    seen: list[int] = []

    async def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        seen.append(int(payload["vendorId"]))
        await asyncio.sleep(0.01 if name == "CA-1" else 0)
        return ...

    replayed(read_script(trace), BackEnd(answer))
    assert seen == list(range(20))


def test_times_are_as_recorded_or_shifted_to_now(tmp_path: Path) -> None:
    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(), "CA-1"))
    for shift in (False, True):
        script.began -= 86_400_000
        back = BackEnd()
        replayed(script, back, shift=shift)
        (start,) = [json.loads(frame)[3] for frame in back.heard["CA-1"] if '"StartTransaction"' in frame]
        assert (start["timestamp"] == NOW) != shift
        assert start["timestamp"].startswith("2026-03-0" if shift else NOW)


def test_one_station_alone_and_a_station_that_is_not_there(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", BackEnd(), *NAMES)
    back = BackEnd()
    assert replayed(read_script(trace, "CA-2"), back).compared == 5
    assert [*back.heard] == ["CA-2"]
    with pytest.raises(BadInput, match="CA-1, CA-2, CA-3"):
        read_script(trace, "NO-1")


def test_a_back_end_that_refuses_cuts_or_talks_nonsense_costs_that_station_alone(tmp_path: Path) -> None:
    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(), *NAMES))

    async def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        if name == "CA-2" and action == "MeterValues":
            back.legs[-1].transport.abort()
        if name == "CA-3":
            for nonsense in ("][", '[3,"nobody",{}]', b"\xff", "7"):
                await back.legs[-1].send(nonsense)
        return ...

    back = BackEnd(answer)
    back.unknown = {"CA-1": 401}
    result = replayed(script, back)
    assert [(one.station, one.action, one.new) for one in result.differences] == [
        *(("CA-1", action, "(not sent: the handshake was answered with 401)") for action in result.actions),
        ("CA-2", "MeterValues", "(no answer)"),
    ]
    assert result.compared == 9
    assert back.transactions == [1, 1, 2, 2], "CA-2 came back and stopped"
    assert result.problems["CA-3: an answer to nothing, or too late"] == 5


def test_a_target_that_is_not_there_compares_nothing(tmp_path: Path) -> None:
    script = read_script(recorded(tmp_path / "t.jsonl.zst", BackEnd(), "CA-1"))
    back = BackEnd()
    asyncio.run(_nothing(back))
    result = asyncio.run(Replay(script, Wish(f"ws://127.0.0.1:{back.port}"), Ignore(())).run())
    assert (result.compared, result.unanswered) == (0, 5)


async def _nothing(back: BackEnd) -> None:
    async with back.running():
        pass


def test_a_trace_that_was_cut_off_is_replayed_as_far_as_it_goes(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", BackEnd(), *NAMES)
    torn = tmp_path / "torn.jsonl.zst"
    file = WireFile(torn)
    file.write([(1, 5, 5, "", "b", 0, "head", b'{"pseudonymised": true}')])
    file.write(
        [(2, 5, 5, "CA-1", "b", 1, "open", b"ocpp1.6"), (3, 6, 6, "CA-1", "b", 1, "up", b'[2,"1","Heartbeat",{}]')]
    )
    file.flush()
    torn.write_bytes(torn.read_bytes())
    script = read_script(torn)
    file.close()
    assert not script.whole
    assert script.pseudonymised
    assert script.asked == 1
    result = replayed(script, BackEnd())
    assert (result.compared, result.actions["Heartbeat"].unknown) == (0, 1)
    assert read_script(trace).whole
    (tmp_path / "bad").write_bytes(b"no trace")
    with pytest.raises(BadInput):
        read_script(tmp_path / "bad")


def test_the_wire_file_of_a_run_is_a_trace_too_and_lost_frames_are_not_repeated(tmp_path: Path) -> None:
    trace = tmp_path / "wire.jsonl.zst"
    recorder = WireRecorder(trace)
    recorder.link_opened(1_000, "CA-1", "legacy", 1)
    recorder.frame(2_000, 2_010, "CA-1", "legacy", 1, "up", b'[2,"1","Heartbeat",{}]')
    recorder.frame(2_020, 2_030, "CA-1", "legacy", 1, "down", b'[3,"1",{"currentTime":"2019-01-01T00:00:00Z"}]')
    recorder.frame(3_000, None, "CA-1", "legacy", 1, "up", b'[2,"2","Heartbeat",{}]')
    recorder.link_closed(4_000, 1, "station", "reset")
    recorder.close()
    script = read_script(trace)
    assert (script.asked, script.lost, script.whole) == (1, 1, True)
    result = replayed(script, BackEnd())
    assert (result.compared, told(result)) == (1, [])
