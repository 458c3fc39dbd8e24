"""Logs of others: which forms are understood, whose way is whose, and that nothing is dropped in silence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scenarios.wirecheck.judge import Judge
from scenarios.wirecheck.lines import Line, Unread, raw_lines
from scenarios.wirecheck.logs import instant, read, way_of
from scenarios.wirecheck.orient import oriented
from scenarios.wirecheck.rules import RULES
from sim.clock import iso, parse_iso
from sim.errors import BadInput
from tests.scenarios.wirecheck.traces import Row, as_jsonl, at, broken, healthy, judged

BOOT = '[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
DOWN = '[3,"1",{}]'
NOON = parse_iso("2026-05-01T12:00:00.250Z")


def lines_of(*texts: str | dict[str, Any], log_of: str | None = None) -> list[Line | Unread]:
    raw = [text if isinstance(text, str) else json.dumps(text) for text in texts]
    numbered = [(f"line {number}", text.encode()) for number, text in enumerate(raw, start=1)]
    return list(oriented(read(numbered), log_of))


def only(*texts: str | dict[str, Any], log_of: str | None = None) -> Line:
    found = lines_of(*texts, log_of=log_of)[0]
    assert isinstance(found, Line), found
    return found


@pytest.mark.parametrize("name", ["ts", "time", "timestamp", "@timestamp", "datetime", "T"])
@pytest.mark.parametrize("value", ["2026-05-01T12:00:00.250Z", "2026-05-01 14:00:00,250+0200", NOON, NOON / 1000])
def test_times_are_found_under_the_usual_names(name: str, value: Any) -> None:
    assert only({name: value, "direction": "up", "message": BOOT}).sent == NOON


@pytest.mark.parametrize(
    "name", ["station", "cpId", "cp_id", "chargePointId", "charge-point-id", "identity", "chargeBoxId"]
)
def test_stations_are_found_under_the_usual_names(name: str) -> None:
    assert only({"ts": NOON, name: "CP 7", "direction": "up", "frame": BOOT}).station == "CP 7"


@pytest.mark.parametrize("name", ["message", "frame", "payload", "raw", "msg", "data"])
@pytest.mark.parametrize("frame", [BOOT, json.loads(BOOT), f"CP_1: receive message {BOOT} (98 bytes)"])
def test_frames_are_found_as_text_as_array_and_inside_a_text(name: str, frame: Any) -> None:
    assert json.loads(only({"ts": NOON, "direction": "up", name: frame}).text) == json.loads(BOOT)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("up", "up"), ("CS->CSMS", "up"), ("cp -> csms", "up"), ("ChargePoint→CentralSystem", "up"), ("CP->CS", "up"),
        ("CSMS->CS", "down"), ("central system -> charge point", "down"), ("csms to station", "down"), ("CS->CP", "down"),
        ("in", "in"), ("IN", "in"), ("recv", "in"), ("Received", "in"), ("rx", "in"), ("<-", "in"), ("<<<", "in"),
        ("out", "out"), ("send", "out"), ("SENT", "out"), ("outgoing", "out"), ("->", "out"), ("sideways", ""),
        ("2026-05-01 INFO ocpp CP_1: receive message ", "in"), ("CP_1: send ", "out"),
    ],
)  # fmt: skip
def test_words_and_arrows_tell_the_way(text: str, way: str) -> None:
    assert way_of(text) == way


def test_in_and_out_follow_the_first_call_that_only_one_side_may_make() -> None:
    own = [{"ts": NOON, "direction": "out", "message": BOOT}, {"ts": NOON, "direction": "in", "message": DOWN}]
    assert [one.way for one in lines_of(*own) if isinstance(one, Line)] == ["up", "down"]
    theirs = [{"ts": NOON, "direction": "out", "message": DOWN}, {"ts": NOON, "direction": "in", "message": BOOT}]
    assert [one.way for one in lines_of(*theirs) if isinstance(one, Line)] == ["down", "up"]


def test_whose_log_it_is_can_be_said() -> None:
    heartbeat = '[3,"1",{}]'
    assert only({"ts": NOON, "dir": "in", "message": heartbeat}, log_of="csms").way == "up"
    assert only({"ts": NOON, "dir": "in", "message": heartbeat}, log_of="station").way == "down"
    undecided = lines_of({"ts": NOON, "dir": "in", "message": heartbeat})[0]
    assert isinstance(undecided, Unread) and "--log-of" in undecided.why
    with pytest.raises(BadInput, match="--log-of"):
        lines_of(BOOT, log_of="nobody")


def test_without_any_way_actions_and_ids_tell_it() -> None:
    told = lines_of({"ts": NOON, "message": BOOT}, {"ts": NOON, "message": DOWN}, {"ts": NOON, "message": '[3,"9",{}]'})
    assert [one.way if isinstance(one, Line) else one.why for one in told] == [
        "up",
        "down",
        "nothing tells the way of the frame",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"2026-05-01T12:00:00.250Z CP_1: receive message {BOOT}",
        f"2026-05-01 12:00:00,250 INFO:ocpp:CP_1: receive message {BOOT}",
        f"[2026-05-01 14:00:00.250+02:00] station=CP_1 << {BOOT} trailing words",
        f"2026-05-01T12:00:00.250Z\tcp=CP_1\tCP->CSMS\t{BOOT}",
    ],
)
def test_text_lines_with_a_time_and_a_frame_are_read(text: str) -> None:
    found = only(text)
    assert (found.sent, found.station, found.way, found.text) == (NOON, "CP_1", "up", BOOT)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("server started", "no OCPP-J frame"),
        (f"CP_1: receive {BOOT}", "no time"),
        ('2026-05-01T12:00:00Z recv [2,"1","Boot', "no OCPP-J frame"),
        ('{"ts": 1', "no JSON"),
        ('{"message": "started", "ts": 1}', "no OCPP-J frame"),
        (json.dumps({"direction": "up", "message": BOOT}), "no time"),
        (json.dumps({"n": 1, "t": 1, "d": 1, "s": "a", "b": "", "l": 1, "w": "left", "f": ""}), "is no way"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, why: str) -> None:
    found = lines_of(text)
    assert len(found) == 1 and isinstance(found[0], Unread)
    assert why in found[0].why and found[0].place == "line 1"


def test_lines_that_are_not_read_are_counted_and_placed() -> None:
    judge = Judge(RULES)
    judge.hear(lines_of("hello", "", {"ts": NOON, "direction": "up", "message": BOOT}, "again", "and again", "and"))
    skipped = judge.report().skipped
    assert [(one.count, one.places) for one in skipped] == [(5, ["line 1", "line 2", "line 4"])]


def test_a_text_in_place_of_a_frame_counts_as_one_if_the_line_says_which_way_it_went() -> None:
    assert only({"ts": NOON, "direction": "up", "message": "garbage"}).text == "garbage"


@pytest.mark.parametrize("scale", [1, 1_000, 1_000_000, 1_000_000_000])
def test_numbers_are_instants_by_their_size(scale: int) -> None:
    assert instant(NOON // 1000 * scale) == NOON // 1000 * 1000


@pytest.mark.parametrize("value", [None, True, -1, "x", "", 1e30, [], float("inf")])
def test_what_is_no_instant_is_none(value: Any) -> None:
    assert instant(value) is None


def _python_log(rows: Sequence[Row]) -> str:
    """The healthy trace as a log of a back-end in Python."""
    texts = []
    for row in rows:
        words = {"up": "receive message", "down": "send"}.get(row.way)
        if words:
            moment = iso(at(row.sent)).replace("T", " ").replace("Z", "").replace(".", ",")
            texts.append(f"{moment} INFO ocpp CP-1: {words} {json.dumps(row.frame)}")
    return "\n".join(texts) + "\n"


def test_a_good_station_is_good_in_every_form(tmp_path: Path) -> None:
    """The same day as our own file, as a text log of the back-end, and as JSON lines of the station."""
    one = healthy()
    one.rows = [row for row in one.rows if row.sent < 2350]  # a text log knows no connections
    (tmp_path / "wire.jsonl").write_bytes(as_jsonl(one.lines()))
    (tmp_path / "csms.log").write_text(_python_log(one.rows), "utf-8")
    told = [
        {"time": at(row.sent), "identity": "CP-1", "direction": "out" if row.way == "up" else "in", "raw": row.frame}
        for row in one.rows
        if row.way in ("up", "down")
    ]
    (tmp_path / "station.jsonl").write_text("".join(json.dumps(each) + "\n" for each in told), "utf-8")
    expected = {result.rule.id: result.examined for result in judged(one).rules}
    for name in ("wire.jsonl", "csms.log", "station.jsonl"):
        judge = Judge(RULES)
        judge.hear(oriented(read(raw_lines(tmp_path / name))))
        found = judge.report()
        assert (name, broken(found), found.skipped) == (name, [], ())
        assert {result.rule.id: result.examined for result in found.rules} == expected
        assert [station.station for station in found.stations] == ["CP-1"]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        list(raw_lines(tmp_path / "none"))
