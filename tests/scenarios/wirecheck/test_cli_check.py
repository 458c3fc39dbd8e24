"""`chargerig check` on the command line: exit codes, JSON, JUnit, filters, and one sentence for every mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
from typer.testing import CliRunner, Result

from scenarios.cli import app
from scenarios.wirecheck.rules import RULES
from tests.scenarios.wirecheck.traces import Trace, as_jsonl, healthy, keys, time


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["check", *words])


def told(*words: str) -> Any:
    return json.loads(run(*words, "--json").stdout)


def written(folder: Path, trace: Trace, name: str = "wire.jsonl") -> str:
    (folder / name).write_bytes(as_jsonl(trace.lines()))
    return str(folder / name)


def wrong() -> Trace:
    """A station that charges on connector 0, under a token that must not be shown whole."""
    one = healthy()
    one.find("StatusNotification", 1).payload["status"] = "Charging"
    one.find("StartTransaction", 0).payload["idTag"] = "TAG-SECRET"
    one.find("StopTransaction", 0).payload["meterStop"] = 10
    return one


def test_a_good_trace_ends_with_0_and_one_with_a_finding_with_1(tmp_path: Path) -> None:
    good = run(written(tmp_path, healthy()))
    assert good.exit_code == 0 and "PASS" in good.stdout and "as far as the trace shows" in good.stdout
    bad = run(written(tmp_path, wrong()))
    assert bad.exit_code == 1
    assert "status.connector-zero CP-1, station: connector 0 is said to be Charging" in bad.stdout
    place = next(number for number, row in enumerate(wrong().rows, start=1) if "Charging" in str(row.frame))
    assert f"line {place} [2," in bad.stdout


def test_the_json_says_who_where_and_what(tmp_path: Path) -> None:
    found = told(written(tmp_path, wrong()))
    assert found["exit_code"] == 1 and found["verdict"] == "FAIL"
    rule = next(one for one in found["rules"] if one["rule"] == "status.connector-zero")
    assert rule["findings"] == 1 and rule["requires"] == ["1.6 §4.9"] and rule["first"][0]["blames"] == "station"
    assert "Charging" in rule["first"][0]["evidence"][0]["frame"]
    station = found["stations"][0]
    assert station["works_with_a_strict_back_end"] is False and "status.connector-zero" in station["broken"]
    assert set(station["rules"]) == {one.id for one in RULES}


def test_no_token_and_no_password_is_shown_whole(tmp_path: Path) -> None:
    one = wrong()
    one.down(
        3600, "ChangeConfiguration", {"key": "AuthorizationKey", "value": "hidden-word", "x": 1}, {"status": "Accepted"}
    )
    shown = run(written(tmp_path, one), "--junit", str(tmp_path / "j.xml")).stdout + (tmp_path / "j.xml").read_text(
        "utf-8"
    )
    assert "TAG-…" in shown and "AuthorizationKey" in shown
    assert "TAG-SECRET" not in shown and "hidden-word" not in shown


def test_the_junit_file_has_a_case_for_each_rule(tmp_path: Path) -> None:
    run(written(tmp_path, wrong()), "--junit", str(tmp_path / "verdicts.xml"))
    suite = ElementTree.parse(tmp_path / "verdicts.xml").getroot().find("testsuite")
    assert suite is not None and len(suite.findall("testcase")) == len(RULES)
    failed = [
        case.get("name", "").split(":")[0] for case in suite.findall("testcase") if case.find("failure") is not None
    ]
    assert (
        "status.connector-zero" in failed and suite.get("failures") == str(len(failed)) and suite.get("errors") == "0"
    )
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_rules_are_chosen_by_id_group_and_requirement(tmp_path: Path) -> None:
    path = written(tmp_path, wrong())
    names = [one["rule"] for one in told(path, "--rule", "status.connector-zero", "--rule", "INV-12")["rules"]]
    assert names == ["call.one-outstanding", "status.connector-zero"]
    assert {one["rule"].split(".")[0] for one in told(path, "--rule", "tx")["rules"]} == {"tx"}
    assert run(path, "--rule", "frame").exit_code == 0


def test_stations_and_times_are_chosen(tmp_path: Path) -> None:
    one, other = healthy().lines(), wrong().lines()
    lines = [*one, *(msgspec.structs.replace(line, s="CP-2") for line in other)]
    (tmp_path / "two.jsonl").write_bytes(as_jsonl(lines))
    path = str(tmp_path / "two.jsonl")
    assert [each["station"] for each in told(path, "--station", "CP-2")["stations"]] == ["CP-2"]
    assert run(path, "--station", "CP-1").exit_code == 0 and run(path, "--station", "CP-*").exit_code == 1
    late = told(path, "--station", "CP-1", "--since", time(1800))
    assert late["from"] >= time(1800) and late["exit_code"] == 0


def test_what_cannot_be_judged_ends_with_4(tmp_path: Path) -> None:
    path = written(tmp_path, healthy())
    assert run(path, "--station", "nobody").exit_code == 4
    assert run(path, "--rule", "tx.seqno").exit_code == 4
    without = told(path, "--rule", "sig.verify")
    assert without["exit_code"] == 4 and "--keys" in without["rules"][0]["reason"]


@pytest.mark.parametrize("form", ["json", "lines"])
def test_keys_come_as_json_or_as_lines(tmp_path: Path, form: str) -> None:
    path, file = written(tmp_path, healthy()), tmp_path / "keys"
    lines = [f"{name}, {key}  # a meter" for name, key in keys().items()]
    file.write_text(json.dumps(keys()) if form == "json" else "\n".join(["# keys", "", *lines]), "utf-8")
    assert told(path, "--rule", "sig.verify", "--keys", str(file))["rules"][0]["examined"] == 2


def test_lines_that_are_not_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"server started\n" + as_jsonl(healthy().lines()) + b"server stopped\n")
    found = told(str(tmp_path / "log"))
    assert found["exit_code"] == 0
    assert found["not_read"] == [
        {"why": "there is no OCPP-J frame in the line", "lines": 2, "first": ["line 1", f"line {found['lines'] + 2}"]}
    ]
    assert "not read: 2 lines (line 1, line" in run(str(tmp_path / "log")).stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "TRACE: one thing is judged at a time"),
        (("{none}",), "cannot be read"),
        (("{empty}",), "holds no line"),
        (("{text}",), "there is no OCPP-J frame in the line"),
        (("{good}", "--rule", "tx.seqnr"), "did you mean tx.seqno?"),
        (("{good}", "--since", "yesterday"), "is no time"),
        (("{good}", "--ocpp", "1.5"), "is no version known here"),
        (("{good}", "--timeout", "soon"), "is no length of time"),
        (("{good}", "--log-of", "me"), "is none who keeps a log"),
        (("{good}", "--keys", "{none}"), "cannot be read"),
        (("{good}", "--keys", "{text}"), "the text is no public key"),
        (("{good}", "--keys", "{empty}"), "holds no key"),
        (("{good}", "--junit", "{none}/x/y"), "cannot be written"),
        (("--live", "ws://127.0.0.1"), "is no URL of an HTTP server"),
    ],
)
def test_mistakes_of_a_user_are_one_sentence(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("hello 00ff\n", "utf-8")
    names = {"none": str(tmp_path / "none"), "empty": str(tmp_path / "empty"), "text": str(tmp_path / "text")}
    names["good"] = written(tmp_path, healthy())
    done = run(*(word.format(**names) for word in words), "--json")
    assert done.exit_code == 2
    assert sentence in json.loads(done.stdout)["error"]["sentence"]


def test_the_rules_are_listed() -> None:
    assert [one["rule"] for one in told("--list")] == [rule.id for rule in RULES]
    text = run("--list")
    assert text.exit_code == 0 and "tx.seqno" in text.stdout and "INV-12" in text.stdout


def test_rules_have_names_of_their_own_and_say_what_they_ask_for() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.requires and rule.sentence.endswith(".") and rule.side in ("station", "back-end", "both")
        assert rule.versions and rule.__doc__
