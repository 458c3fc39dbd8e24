"""Link rules: what each does to frames, handshakes and closes, by number and by time; and what is no rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import BadInput
from sim.network.faults import Line, Weather
from sim.network.rules import Rules, load_rules, make_rules

CALL = b'[2,"1","MeterValues",{"connectorId":1,"meterValue":[]}]'
ANSWER = b'[3,"1",{}]'
BEGUN = 1_000_000


def rules(*rows: dict[str, Any], seed: int = 1) -> Rules:
    return make_rules({"seed": seed, "rule": list(rows)}, "r.toml")


def weather(*rows: dict[str, Any], seed: int = 1) -> Weather:
    return Weather(rules(*rows, seed=seed), BEGUN)


def line(*rows: dict[str, Any], station: str = "CA-1") -> Line:
    return weather(*rows).line(station)


def test_without_rules_everything_passes_at_once() -> None:
    calm = Weather(Rules(), BEGUN)
    one = calm.line("CA-1")
    assert one.frame("up", CALL, BEGUN).at == BEGUN == one.closing("up", BEGUN)
    assert calm.next_moment(BEGUN) is calm.refusal("CA-1", BEGUN) is None


def test_latency_and_jitter_are_between_their_bounds_and_never_reorder() -> None:
    one = line({"what": "latency", "latency": "100ms", "jitter": "50ms", "way": "up"})
    arrivals = [one.frame("up", CALL, BEGUN + 10 * n).at for n in range(200)]
    assert arrivals == sorted(arrivals)
    late = [at - BEGUN - 10 * n for n, at in enumerate(arrivals)]
    assert min(late) >= 100
    assert max(late) <= 150
    assert len({*late}) > 5
    assert one.frame("down", CALL, BEGUN).at == BEGUN


def test_latency_begins_after_n_frames_at_its_time_and_ends() -> None:
    one = line({"what": "latency", "latency": "1s", "after": 2, "at": "10s", "lasts": "5s"})
    at = [one.frame("up", CALL, BEGUN + 1000 * n).at - BEGUN - 1000 * n for n in range(20)]
    assert at == [0] * 12 + [1000] * 3 + [0] * 5


def test_bandwidth_sends_frames_one_behind_the_other() -> None:
    one = line({"what": "bandwidth", "rate": 8000})  # a byte each ms
    assert [one.frame("up", b"x" * 100, BEGUN).at - BEGUN for _ in range(3)] == [100, 200, 300]
    assert one.frame("down", b"x" * 10, BEGUN).at == BEGUN + 10


def test_a_stall_set_off_by_a_frame_holds_that_frame_and_all_behind_it_once() -> None:
    one = line({"what": "stall", "lasts": "2s", "action": "MeterValues", "after": 1, "way": "up"})
    assert one.frame("up", b'[2,"0","Heartbeat",{}]', BEGUN).at == BEGUN
    assert one.frame("up", CALL, BEGUN).at == BEGUN
    assert one.frame("up", CALL, BEGUN + 5).at == BEGUN + 2005
    assert one.frame("up", b'[2,"0","Heartbeat",{}]', BEGUN + 9).at == BEGUN + 2005
    assert one.frame("down", ANSWER, BEGUN + 9).at == BEGUN + 9
    assert one.held("up", BEGUN + 9) == BEGUN + 2005
    assert one.held("up", BEGUN + 2005) == 0
    assert [one.frame("up", CALL, BEGUN + 3000).at for _ in range(4)] == [BEGUN + 3000] * 4


def test_a_stall_by_time_holds_what_is_sent_meanwhile_in_both_ways() -> None:
    calm = weather({"what": "stall", "lasts": "2s", "at": "1s", "station": "CA-*"})
    one, other = calm.line("CA-1"), calm.line("NO-1")
    assert calm.next_moment(BEGUN) == BEGUN + 1000
    assert calm.next_moment(BEGUN + 1000) is None
    assert [one.frame(way, CALL, BEGUN + 1500).at for way in ("up", "down")] == [BEGUN + 3000] * 2  # type: ignore[arg-type]
    assert other.frame("up", CALL, BEGUN + 1500).at == BEGUN + 1500
    assert calm.hits == {"rule[0] stall": 1}


def test_a_reset_hits_the_answer_of_the_action_that_it_names_and_once_a_station() -> None:
    calm = weather({"what": "reset", "action": "MeterValues", "way": "down"})
    one = calm.line("CA-1")
    assert not one.frame("up", CALL, BEGUN).cut
    assert not one.frame("down", b'[3,"other",{}]', BEGUN).cut
    assert one.frame("down", ANSWER, BEGUN).cut == "rule[0] reset"
    again = calm.line("CA-1")
    assert not again.frame("up", CALL, BEGUN).cut
    assert not again.frame("down", ANSWER, BEGUN).cut
    assert calm.hits == {"rule[0] reset": 1}


def test_a_reset_may_come_back_as_often_as_it_says() -> None:
    calm = weather({"what": "reset", "after": 2, "times": 2})
    cuts = [bool(calm.line("CA-1").frame("up", CALL, BEGUN).cut) for _ in range(3)]
    assert cuts == [False] * 3, "each connection counts its own frames"
    one = calm.line("CA-1")
    assert [bool(one.frame("up", CALL, BEGUN).cut) for _ in range(9)] == [n in (2, 5) for n in range(9)]


def test_a_reset_by_time_cuts_who_is_named() -> None:
    calm = weather({"what": "reset", "at": "5s", "station": "CA-*"})
    assert calm.next_moment(BEGUN) == BEGUN + 5000
    assert calm.cut("CA-1", BEGUN + 5000) == "rule[0] reset"
    assert calm.cut("NO-1", BEGUN + 5000) == ""


def test_flap_cuts_at_each_end_of_its_up_time_and_refuses_while_down() -> None:
    calm = weather({"what": "flap", "up": "3s", "down": "1s", "at": "10s", "times": 2})
    moments = []
    now: int | None = BEGUN
    while (now := calm.next_moment(now)) is not None:
        moments.append(now - BEGUN)
    assert moments == [13_000, 17_000]
    assert [bool(calm.cut("CA-1", BEGUN + at)) for at in (13_000, 17_000, 21_000)] == [True, True, False]
    refused = [n for n in range(0, 25_000, 500) if calm.refusal("CA-1", BEGUN + n)]
    assert refused == [13_000, 13_500, 17_000, 17_500]


def test_refuse_answers_with_its_status_while_it_lasts() -> None:
    calm = weather({"what": "refuse", "at": "1s", "lasts": "1s", "status": 503})
    told = [calm.refusal("CA-1", BEGUN + at) for at in (999, 1000, 1999, 2000)]
    assert told == [None, ("rule[0] refuse", 503), ("rule[0] refuse", 503), None]


def test_a_slow_close_comes_late_and_behind_the_frames() -> None:
    one = line({"what": "slow-close", "lasts": "3s", "way": "up"}, {"what": "latency", "latency": "1s"})
    one.frame("up", CALL, BEGUN)
    assert one.closing("up", BEGUN + 10) == BEGUN + 4000
    assert one.closing("down", BEGUN + 10) == BEGUN + 10


def test_the_share_is_drawn_with_the_seed() -> None:
    row = {"what": "reset", "at": "1s", "share": 0.5}
    stations = [f"CA-{n}" for n in range(400)]
    hit = [[bool(weather(row, seed=seed).cut(one, BEGUN + 1000)) for one in stations] for seed in (1, 1, 2)]
    assert hit[0] == hit[1] != hit[2]
    assert all(150 < sum(one) < 250 for one in hit)


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["up", "down"]), st.integers(1, 300)), max_size=60))
def test_no_living_connection_loses_or_reorders_whatever_the_rules(steps: list[tuple[int, Any, int]]) -> None:
    one = line(
        {"what": "latency", "latency": "5ms", "jitter": "90ms"},
        {"what": "bandwidth", "rate": 40_000},
        {"what": "stall", "lasts": "70ms", "after": 3, "times": 5, "way": "up"},
        {"what": "stall", "lasts": "200ms", "at": "300ms"},
    )
    now, seen = BEGUN, {"up": BEGUN, "down": BEGUN}
    for pause, way, size in steps:
        now += pause
        told = one.frame(way, b"x" * size, now)
        assert not told.cut
        assert told.at >= max(now, seen[way])
        seen[way] = told.at


@pytest.mark.parametrize(
    ("row", "place", "word"),
    [
        ({"what": "delay"}, "rule[0].what", "bandwidth"),
        ({"what": "stall"}, "rule[0].lasts", "duration"),
        ({"what": "stall", "lasts": 5}, "rule[0].lasts", "duration"),
        ({"what": "stall", "lasts": "soon"}, "rule[0].lasts", "duration"),
        ({"what": "reset", "latency": "1s"}, "rule[0].latency", "action"),
        ({"what": "latency", "latency": "1s", "way": "left"}, "rule[0].way", "up, down or both"),
        ({"what": "latency", "latency": "1s", "share": 2}, "rule[0].share", "0 to 1"),
        ({"what": "bandwidth", "rate": 0}, "rule[0].rate", "bits a second"),
        ({"what": "refuse", "status": 200}, "rule[0].status", "status of HTTP"),
        ({"what": "flap", "up": "0s", "down": "1s"}, "rule[0].up", "more than 0s"),
        ({"what": "reset", "after": True}, "rule[0].after", "whole number"),
    ],
)
def test_a_bad_rule_is_one_sentence_with_its_key_path(row: dict[str, Any], place: str, word: str) -> None:
    with pytest.raises(BadInput) as caught:
        rules(row)
    assert caught.value.place == place
    assert caught.value.file == "r.toml"
    assert word in str(caught.value)


def test_a_bad_file_of_rules_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    for text in (b"\xff", b"seed = ", b"seed = -1", b"[other]\n", b"", b"rule = 3"):
        file.write_bytes(text)
        with pytest.raises(BadInput) as caught:
            load_rules(file)
        assert str(file) in str(caught.value)
    with pytest.raises(BadInput):
        load_rules(tmp_path / "nowhere.toml")
    file.write_text('seed = 7\n[[rule]]\nwhat = "stall"\nlasts = "1m30s"\nway = "both"\n')
    assert load_rules(file).rules[0].lasts == 90_000
    assert load_rules(file).rules[0].way == ""
