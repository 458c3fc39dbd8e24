"""The language of faults: what a user may write, what it means in plain words, and one sentence for each mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from typer.testing import CliRunner

from scenarios.cli import app
from scenarios.faults.fields import FIELDS
from scenarios.faults.kinds import KINDS
from scenarios.faults.telling import EXAMPLES, example, lesson, told
from scenarios.faults.timing import parse_release, parse_repeat, parse_shift, parse_when
from scenarios.load import load_scenario, make_scenario
from scenarios.model import plain
from sim.clock import HOUR, MINUTE
from sim.errors import BadInput


@cache
def base(name: str) -> dict[str, Any]:
    data: dict[str, Any] = plain(load_scenario(name))
    return data


def table(name: str = "smoke", **fault: Any) -> dict[str, Any]:
    return {**base(name), "fault": [fault]}


def refused(name: str = "smoke", **fault: Any) -> BadInput:
    with pytest.raises(BadInput) as bad:
        make_scenario(table(name, **fault), "mine.toml")
    assert "\n" not in str(bad.value) and str(bad.value).startswith("mine.toml, fault[0]")
    return bad.value


RESET = {"kind": "link.reset"}
STALL = {"kind": "link.stall", "at": "10:00", "for": "5m"}

MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    ({**RESET, "when": "soon"}, "fault[0].when", "after the 3rd StopTransaction committed"),
    ({**RESET, "when": 5}, "fault[0].when", "a moment in quotes"),
    ({**RESET, "when": "12:00-11:00"}, "fault[0].when", "the earlier one first"),
    ({**RESET, "when": "70-30 %"}, "fault[0].when", "the smaller one first"),
    ({**RESET, "when": "after the 0th StopTransaction"}, "fault[0].when", "the 1st or a later one"),
    ({**RESET, "when": "after the 3rd StopTransactions"}, "fault[0].when", "did you mean StopTransaction"),
    ({**RESET, "when": "in DRAINING"}, "fault[0].when", "a time, a share or an event"),
    ({**RESET, "when": "10:00", "at": "10:00"}, "fault[0].when", "one of the two"),
    ({**RESET}, "fault[0].at", "a link.reset needs it"),
    ({**STALL, "lasts": "5m"}, "fault[0].for", "one of the two"),
    ({**STALL, "for": "5 minutes"}, "fault[0].lasts", "90s"),
    ({**STALL, "where": "2"}, "fault[0].where", '"2 %"'),
    ({**STALL, "where": {"share": "0 %"}}, "fault[0].where.share", '"2 %"'),
    ({**STALL, "where": {"action": "Heartbeat"}}, "fault[0].where.action", "means nothing to a link.stall"),
    ({**STALL, "where": {"profile": "ac-dou"}}, "fault[0].where.profile", "did you mean ac-duo"),
    ({**STALL, "where": {"version": "1.5"}}, "fault[0].where.version", "'2.0.1'"),
    ({**STALL, "where": {"sender": True}}, "fault[0].when", "an event, for where.sender"),
    ({**STALL, "release": "slowly"}, "fault[0].release", "swizzled over 5m"),
    ({**STALL, "repeat": "often"}, "fault[0].repeat", "3 times every 1h"),
    ({**STALL, "repeat": "1 times every 1h"}, "fault[0].repeat", "from 2 to 100 times"),
    ({**STALL, "repeat": "50 times every 1h"}, "fault[0].lasts", "reaches beyond the horizon"),
    ({**STALL, "rate": 9600}, "fault[0].rate", "a link.stall has no such key"),
    ({"kind": "link.bandwidth", "at": "10:00", "for": "5m", "rate": 0}, "fault[0].rate", "a link.bandwidth needs it"),
    ({"kind": "link.bandwidth", "at": "10:00", "for": "5m", "rate": -1}, "fault[0].rate", "bits a second"),
    ({"kind": "link.refuse", "at": "10:00", "for": "5m", "status": 200}, "fault[0].status", "from 400 to 599"),
    ({"kind": "station.clock-step", "at": "10:00", "step": "later"}, "fault[0].step", "-2h"),
    ({"kind": "station.clock-drift", "at": "10:00", "for": "1h", "ppm": 10**6}, "fault[0].ppm", "parts per million"),
    ({"kind": "station.quirk", "quirk": "odd-contxt"}, "fault[0].quirk", "did you mean odd-context"),
    ({"kind": "backend.stall", "at": "10:00", "for": "1m"}, "fault[0].where.backend", "legacy, new"),
    ({"kind": "partner.outage", "at": "10:00", "for": "1m"}, "fault[0].where", "a table [upgrade]"),
    ({"kind": "link.stale-name", "for": "5m"}, "fault[0].kind", "a table [move]"),
    (
        {"kind": "backend.crash", "when": "after the 1st Heartbeat", "lasts": "1m", "moment": "before-commit"},
        "fault[0].when",
        "a time, and `on`",
    ),
]


@pytest.mark.parametrize(("fault", "place", "says"), MISTAKES, ids=[f"{n}-{row[1]}" for n, row in enumerate(MISTAKES)])
def test_a_mistake_is_one_sentence_with_its_place_and_what_is_allowed(
    fault: dict[str, Any], place: str, says: str
) -> None:
    bad = refused(**fault)
    assert bad.place == place and says in str(bad)


def test_the_words_mean_what_they_say() -> None:
    assert parse_when("12:30").local == parse_when("12:30-12:30").local == (750 * MINUTE, 750 * MINUTE)
    assert parse_when("30-60 %").share == (0.3, 0.6) and parse_when("+2h-3h").offset == (2 * HOUR, 3 * HOUR)
    event = parse_when("after the 3rd StopTransaction committed at new").event
    assert event is not None and (event.action, event.count, event.state, event.backend) == (
        "StopTransaction",
        3,
        "committed",
        "new",
    )
    assert parse_when("in SWITCH_SENT").state == "SWITCH_SENT"
    assert parse_release("swizzled over 5m") == ("swizzled", 5 * MINUTE) and parse_release("at once") == ("at once", 0)
    assert parse_repeat("3 times every 1h") == (3, HOUR) and parse_shift("-2h") == -2 * HOUR


def test_a_table_of_any_kind_with_what_it_needs_is_accepted_and_survives_being_written_and_read_again() -> None:
    """The examples of `list faults` are legal, so a fault plan may be drawn from them."""
    homes: dict[str, list[dict[str, Any]]] = {"smoke": [], "upgrade-day": []}
    for kind in KINDS.values():
        moment = {"at": "10:00"} if kind.aims in ("tool", "partner") else {}
        home = "upgrade-day" if kind.aims in ("moving", "tool", "partner") else "smoke"
        homes[home].append({**example(kind), "id": f"x-{kind.name}", **moment})
    for home, tables in homes.items():
        scenario = make_scenario({**base(home), "fault": tables}, "examples.toml")
        assert make_scenario(plain(scenario), "again.toml") == scenario
        for fault in scenario.fault:
            sentence, what = told(fault), KINDS[fault.kind].what
            assert sentence.startswith(what) and len(sentence) > len(what), fault.kind


def test_all_words_at_once_are_told_in_plain_words() -> None:
    where = {"share": "2 %", "site": "depot", "version": "1.6", "busy": False}
    words = {"when": "30-60 %", "for": "5m", "release": "staggered over 10m", "repeat": "2 times every 1h"}
    fault = make_scenario(table(kind="station.power-loss", where=where, **words), "x.toml").fault[0]
    said = (
        "; 2 % of the stations at depot of OCPP 1.6; from 30 % to 60 % of the day; for 5m; released staggered over 10m"
    )
    assert said in told(fault) and told(fault).endswith("2 times every 1h")


def test_list_faults_teaches_each_kind_with_fields_defaults_and_units() -> None:
    run = CliRunner().invoke
    rows = json.loads(run(app, ["list", "faults", "--json"]).stdout)
    assert [row["name"] for row in rows] == list(KINDS) and len(rows) >= 50
    half_open = next(row for row in rows if row["name"] == "link.half-open")
    fields = {field["name"]: field for field in half_open["fields"]}
    assert fields["at"]["needed"] and fields["lasts"]["default"] == "15m" and "release" in fields
    assert all(field["meaning"] for row in rows for field in row["fields"])
    text = run(app, ["list", "faults"]).stdout
    assert all(name in text for name in KINDS) and "bits a second" in text


def test_show_prints_the_faults_of_a_scenario_in_plain_words() -> None:
    text = " ".join(CliRunner().invoke(app, ["show", "first-day"]).stdout.split())
    assert "nothing gets through between a station and its back-end" in text and "for 8m" in text


def test_each_field_is_explained_and_each_needed_one_has_an_example() -> None:
    used = {name for kind in KINDS.values() for name in kind.fields}
    assert used <= set(FIELDS)
    assert {name for kind in KINDS.values() for name in kind.needs} == set(EXAMPLES)
    listing: Callable[..., dict[str, Any]] = lesson
    assert all(listing(kind)["sentence"] for kind in KINDS.values())
