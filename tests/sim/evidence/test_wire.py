"""The wire recorder: lines as they were delivered, calls paired with their answers, one digest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.clock import iso_bytes
from sim.errors import BadInput
from sim.evidence.schema import WIRE
from sim.evidence.wire import Policy, WireRecorder, read_wire

BOOT = b'[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
START = b'[2,"2","StartTransaction",{"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2019-06-12T06:00:00Z"}]'
VALUES = (
    b'[2,"3","MeterValues",{"connectorId":1,"transactionId":7,"meterValue":'
    b'[{"timestamp":"2019-06-12T06:00:00Z","sampledValue":[{"value":"1"}]}]}]'
)


class Talk:
    """Sends frames one second apart over link 1 of station S."""

    def __init__(self, recorder: WireRecorder) -> None:
        self.recorder = recorder
        self.now = 0
        recorder.link_opened(0, "S", "legacy", 1)

    def __call__(self, way: str, frame: bytes, lost: bool = False, link: int = 1) -> None:
        self.now += 1_000
        self.recorder.frame(self.now, None if lost else self.now + 20, "S", "legacy", link, way, frame)


def calls(recorder: WireRecorder) -> list[dict[str, Any]]:
    return [dict(zip(WIRE["wire_calls"], row, strict=True)) for row in recorder.rows()["wire_calls"]]


def links(recorder: WireRecorder) -> list[dict[str, Any]]:
    return [dict(zip(WIRE["wire_links"], row, strict=True)) for row in recorder.rows()["wire_links"]]


def counts(recorder: WireRecorder) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[2:4]: row[4:] for row in recorder.rows()["wire_counts"]}


def test_a_call_is_paired_with_its_answer_and_all_four_times_are_kept() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", BOOT)
    talk("down", b'[3,"1",{"status":"Accepted"}]')
    (call,) = calls(recorder)
    assert (call["station"], call["backend"], call["link"], call["way"]) == ("S", "legacy", 1, "up")
    assert (call["message_id"], call["action"], call["well_formed"]) == ("1", "BootNotification", 1)
    assert json.loads(call["payload"])["chargePointModel"] == "M"
    assert (call["sent_at"], call["delivered_at"]) == (1_000, 1_020)
    assert (call["answer_kind"], call["answer"]) == ("result", '{"status":"Accepted"}')
    assert (call["answered_at"], call["answer_delivered_at"]) == (2_000, 2_020)


def test_both_ends_may_use_the_same_message_id_at_once() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", START)
    talk("down", b'[2,"2","Reset",{"type":"Soft"}]')
    talk("up", b'[3,"2",{"status":"Accepted"}]')
    talk("down", b'[3,"2",{"transactionId":5,"idTagInfo":{"status":"Accepted"}}]')
    start, reset = calls(recorder)
    assert (start["way"], reset["way"]) == ("up", "down")
    assert "transactionId" in start["answer"] and reset["answer"] == '{"status":"Accepted"}'


def test_an_answer_over_another_link_is_no_answer() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    recorder.link_opened(5, "S", "new", 2)
    talk("up", START)
    talk("down", b'[3,"2",{}]', link=2)
    (call,) = calls(recorder)
    assert call["answer_kind"] is None and call["answered_at"] is None
    assert recorder.unreadable == 1


def test_a_lost_call_was_never_delivered_and_a_lost_answer_was_sent() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", BOOT)
    recorder.link_closed(1_500, 1, "network", "reset")
    talk("down", b'[3,"1",{}]', lost=True)
    talk("up", START, lost=True)
    answered, lost = calls(recorder)
    assert (answered["answer_kind"], answered["answered_at"], answered["answer_delivered_at"]) == (
        "result",
        2_000,
        None,
    )
    assert (lost["sent_at"], lost["delivered_at"], lost["answer_kind"]) == (3_000, None, None)


def test_an_error_keeps_code_description_and_details() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", START)
    talk("down", b'[4,"2","SecurityError","not yet",{"why":1}]')
    (call,) = calls(recorder)
    assert call["answer_kind"] == "error"
    assert json.loads(call["answer"]) == {"code": "SecurityError", "description": "not yet", "details": {"why": 1}}


def test_heartbeats_are_counted_and_leave_no_rows() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    for number in range(3):
        talk("up", b'[2,"h%d","Heartbeat",{}]' % number)
        if number:
            talk("down", b'[3,"h%d",{"currentTime":"2019-06-12T06:00:00Z"}]' % number)
    talk("up", BOOT)
    talk("down", b'[4,"1","InternalError","",{}]')
    assert [call["action"] for call in calls(recorder)] == ["BootNotification"]
    assert counts(recorder) == {("up", "Heartbeat"): (3, 2, 0, 1), ("up", "BootNotification"): (1, 0, 1, 0)}


def test_answered_meter_values_keep_their_transaction_only_and_refused_ones_keep_all() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", VALUES)
    talk("down", b'[3,"3",{}]')
    talk("up", VALUES.replace(b'"3"', b'"4"'))
    talk("down", b'[4,"4","InternalError","",{}]')
    talk("up", VALUES.replace(b'"3"', b'"5"').replace(b'"transactionId":7,', b""))
    talk("down", b'[3,"5",{}]')
    thin, refused, idle = calls(recorder)
    assert (thin["payload"], thin["well_formed"]) == ('{"transactionId":7}', None)
    assert json.loads(refused["payload"])["meterValue"] and refused["well_formed"] == 1
    assert idle["payload"] == "{}"


def said(frame: bytes, id: str) -> bytes:
    """The frame with this id in the place of `@`."""
    return frame.replace(b"@", id.encode(), 1)


READINGS = [
    b'[2,"@","MeterValues",{"connectorId":1,"transactionId":17,"meterValue":[]}]',
    b'[2,"@","MeterValues",{"connectorId":1,"transactionId":18,"meterValue":[]}]',
    b'[2,"@","MeterValues",{"connectorId":2,"transactionId":9,"meterValue":[]}]',
    b'[2,"@","MeterValues",{"connectorId":2,"transactionId":-1,"meterValue":[]}]',
    b'[2,"@","MeterValues",{"connectorId":2,"meterValue":[]}]',
    b'[2,"@","Heartbeat",{}]',
    b'[2,"@","Heartbeat",{"x":1}]',
    b'[2,"@","StatusNotification",{}]',
]
BEAT = b'[3,"@",{"currentTime":"#"}]'
ANSWERS = [b'[3,"@",{}]', BEAT, BEAT.replace(b"#", b"1970-01-01T00:00:09.500Z"), b'[4,"@","InternalError","",{}]', b""]


@given(
    st.lists(st.tuples(st.sampled_from(READINGS), st.sampled_from(ANSWERS), st.booleans(), st.booleans()), max_size=12)
)
def test_what_is_told_by_its_bytes_leaves_the_rows_that_a_whole_look_leaves(steps: list[Any]) -> None:
    """Ids of 36 characters have a quick way, others have not; nothing else may tell the two apart."""
    found = []
    for length in (36, 35):
        recorder = WireRecorder()
        talk = Talk(recorder)
        for number, (call, answer, late, lost) in enumerate(steps):
            id = f"{number:0{length}d}"
            talk("up", said(call, id), lost)
            if answer and not (lost and late):
                talk("down", said(answer, id).replace(b"#", iso_bytes(talk.now + 1_000)), late)
        rows = [{**row, "message_id": int(row["message_id"])} for row in calls(recorder)]
        odd = [{**row, "frame": "", "problem": re.sub("'0+", "'", row["problem"])} for row in recorder.oddities]
        found.append((rows, counts(recorder), links(recorder), recorder.unreadable, odd))
    assert found[0] == found[1]


def test_readings_of_two_connectors_each_keep_their_own_transaction() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    for number in range(8):
        id = f"{number:036d}"
        talk("up", said(READINGS[number % 2], id))
        talk("down", said(ANSWERS[0], id))
    assert [json.loads(call["payload"])["transactionId"] for call in calls(recorder)] == [17, 18] * 4
    assert [call["answer"] for call in calls(recorder)] == ["{}"] * 8


@pytest.mark.parametrize("tail", [b',"transactionId":12}', b',"transactionId": 12 ,"x":1}'])
def test_the_transaction_is_found_wherever_it_stands(tail: bytes) -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", b'[2,"3","MeterValues",{"connectorId":1,"meterValue":[]' + tail + b"]")
    talk("down", b'[3,"3",{}]')
    assert json.loads(calls(recorder)[0]["payload"]) == {"transactionId": 12}


def test_a_payload_that_breaks_the_schema_is_not_well_formed() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", START.replace(b'"meterStart":0', b'"meterStart":"0"'))
    talk("up", b'[2,"9","Nonsense",{}]')
    assert [call["well_formed"] for call in calls(recorder)] == [0, 0]


@pytest.mark.parametrize(
    "frame",
    [
        b'[2, "2", "StartTransaction", {"connectorId":1}]',
        b'[ 2,"2","StartTransaction",{"connectorId":1}]',
        b'[2,"\\u0032","StartTransaction",{"connectorId":1}]',
    ],
)
def test_other_spellings_of_a_frame_are_read_too(frame: bytes) -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", frame)
    talk("down", b'[3, "2", {"transactionId": 1}]')
    (call,) = calls(recorder)
    assert (call["message_id"], call["action"], call["answer"]) == ("2", "StartTransaction", '{"transactionId":1}')
    assert json.loads(call["payload"]) == {"connectorId": 1}


@given(
    st.binary(max_size=60)
    | st.sampled_from([b"[2,", b'[2,"', b'[3,"1"', b'[2,"1","A"', b"[4]", b"[]", b"{}", b'[2,"a","b"]'])
)
def test_no_frame_whatever_it_is_stops_the_recorder(frame: bytes) -> None:
    """INV-38: wire input never raises past its connection."""
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", frame)
    talk("up", BOOT)
    assert calls(recorder)[-1]["action"] == "BootNotification"
    assert links(recorder)[0]["frames_up"] == 2


def test_links_know_how_they_ended_and_when_they_last_spoke() -> None:
    recorder = WireRecorder()
    talk = Talk(recorder)
    talk("up", BOOT)
    talk("down", b'[3,"1",{}]', lost=True)
    recorder.link_closed(9_000, 1, "network", "keep-alive")
    recorder.link_closed(9_500, 1, "station", "late")
    recorder.link_closed(9_600, 77, "station", "never opened")
    (link,) = links(recorder)
    assert (link["opened_at"], link["closed_at"], link["closed_by"], link["reason"]) == (
        0,
        9_000,
        "network",
        "keep-alive",
    )
    assert (link["frames_up"], link["frames_down"], link["last_frame_at"]) == (1, 1, 1_020)


def record(path: Path | None, policy: Policy = "whole", salt: str = "1") -> WireRecorder:
    recorder = WireRecorder(path, salt, policy)
    talk = Talk(recorder)
    for number in range(1_200):
        talk("up", b'[2,"%d","Authorize",{"idTag":"%d"}]' % (number, number), lost=number % 7 == 0)
    talk("down", '[3,"x",{"ä":"\\n"}]'.encode() + b"\xff")
    recorder.link_closed(9_999_999, 1, "station", "closed")
    return recorder


def test_the_file_gives_back_every_frame_in_order(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl.zst"
    recorder = record(path)
    digest = recorder.close()
    assert recorder.close() == digest
    lines = list(read_wire(path))
    assert [line.n for line in lines] == list(range(1, 1_204))
    assert (lines[0].w, lines[-1].w, lines[-1].f) == ("open", "close", "station: closed")
    assert lines[1].f == '[2,"0","Authorize",{"idTag":"0"}]' and lines[1].d is None and lines[2].d == 2_020
    assert lines[-2].f == '[3,"x",{"ä":"\\n"}]\\xff' and lines[-2].w == "down"
    assert (lines[1].s, lines[1].b, lines[1].l) == ("S", "legacy", 1)


def test_the_digest_depends_on_the_frames_and_not_on_the_file(tmp_path: Path) -> None:
    """INV-39."""
    first = record(tmp_path / "a").close()
    assert first == record(tmp_path / "b").close() == record(None).close() == record(None, "index").close()
    assert record(None, salt="2").close() != first
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    other = record(None)
    other.frame(1, 2, "S", "legacy", 1, "up", BOOT)
    assert other.close() != first


def test_index_writes_no_file_and_off_keeps_connections_only(tmp_path: Path) -> None:
    index, off = record(tmp_path / "a", "index"), record(tmp_path / "b", "off")
    index.close()
    off.close()
    assert list(tmp_path.iterdir()) == []
    assert len(calls(index)) == 1_200
    assert calls(off) == [] and len(links(off)) == 1


def test_an_unknown_policy_is_bad_input() -> None:
    with pytest.raises(BadInput, match="whole, index, off"):
        WireRecorder(None, policy="some")  # type: ignore[arg-type]


def test_a_file_that_is_no_wire_file_or_was_cut_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl.zst"
    for data in (b"nonsense", b""):
        path.write_bytes(data)
        with pytest.raises(BadInput):
            list(read_wire(path))
    with pytest.raises(BadInput):
        list(read_wire(tmp_path / "nowhere"))
    record(path).close()
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadInput):
        list(read_wire(path))


def test_each_link_is_judged_by_the_version_that_was_negotiated_on_it() -> None:
    """The same boot is well-formed on one link and not on the other; so it is with what a back-end answers."""
    recorder = WireRecorder()
    recorder.link_opened(0, "S", "new", 1)
    recorder.link_opened(0, "T", "new", 2, "ocpp2.0.1")
    boot = (
        b'[2,"%b","BootNotification",{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}]',
        b'[3,"%b",{"currentTime":"1970-01-01T00:00:01Z","custom":1}]',
    )
    for link, station in ((1, "S"), (2, "T")):
        for way, frame in zip(("up", "down"), boot, strict=True):
            recorder.frame(1_000, 1_020, station, "new", link, way, frame % b"b")
        recorder.frame(1_000, 1_020, station, "new", link, "up", b'[2,"h","Heartbeat",{}]')
        recorder.frame(1_000, 1_020, station, "new", link, "down", b'[3,"h",{"currentTime":"1970-01-01T00:00:01Z"}]')
        recorder.frame(1_000, 1_020, station, "new", link, "up", b"nonsense")
        recorder.frame(1_000, 1_020, station, "new", link, "down", b'[4,"-1","RpcFrameworkError","",{}]')
    assert [(call["link"], call["well_formed"]) for call in calls(recorder)] == [(1, 0), (2, 1)]
    assert [(link["link"], link["version"]) for link in links(recorder)] == [(1, "1.6"), (2, "2.0.1")]
    assert [(row["link"], row["problem"]) for row in recorder.oddities] == [
        (1, "an answer to '-1', which nobody waits for")
    ]


def test_the_file_names_the_version_of_a_link_only_where_it_is_not_1_6(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl.zst"
    recorder = WireRecorder(path)
    recorder.link_opened(0, "S", "new", 1)
    recorder.link_opened(0, "T", "new", 2, "ocpp2.0.1")
    recorder.close()
    assert [line.f for line in read_wire(path)] == ["", "ocpp2.0.1"]
