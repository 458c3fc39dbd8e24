"""Reports from a run folder made by hand: numbers add up, pages stand alone, nothing from a wire gets out unescaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from reports import plots, words
from reports.day import day, drawing, move_window
from reports.facts import facts, is_copy
from reports.html import page, quantity, write_picture, write_reports
from reports.junit import junit
from reports.run import Run, bill_file, points
from reports.summary import headline, summary
from reports.walk import walk
from sim.clock import HOUR

Make = Callable[..., Path]


def check(name: str, verdict: str, items: int = 3, findings: tuple[Any, ...] = (), reason: str = "") -> dict[str, Any]:
    """A verdict as it stands in verdicts.json."""
    return {
        "check": name, "verdict": verdict, "sentence": f"rule {name}", "items": items, "findings": list(findings),
        "reason": reason,
    }  # fmt: skip


FINDING = {
    "check": "INV-02",
    "subject_kind": "session",
    "subject": "legacy-s3",
    "sentence": "billed twice <script>alert(1)</script>\x08",
    "evidence": [{"plane": "books", "table": "books_bills", "row": {"number": "legacy-3", "gross": 1234}}],
}


def test_energy_of_the_facts_adds_up_to_what_the_meters_gave(make_run: Make) -> None:
    with Run(make_run()) as run:
        f = facts(run)
        assert f.sessions == f.visits == 24
        assert f.delivered_wh == f.wh("billed") + f.wh("free") + f.wh("quarantined")
        assert f.unaccounted_wh == 0
        assert (f.wh("free"), f.moved, f.to_move, f.handed_over) == (60, 3, 3, 1)
        assert sum(money.bills for money in f.money) == 22


def test_missing_books_show_as_energy_that_nobody_can_find(make_run: Make) -> None:
    with Run(make_run(keep=lambda name: name != "books_sessions")) as run:
        assert facts(run).unaccounted_wh == facts(run).delivered_wh > 0


def test_the_copy_of_a_settled_end_has_no_energy_of_its_own(make_run: Make) -> None:
    with Run(make_run()) as run:
        settled = run.table("books_transactions")[0]
        held = {
            "session_id": None,
            "station": settled["station"],
            "evidence": json.dumps({"meter_stop": settled["meter_stop"]}),
        }
        assert is_copy(run, held)
        assert not is_copy(run, {**held, "evidence": '{"meter_stop": 1}'})
        assert not is_copy(run, {**held, "session_id": "s"})


def test_an_empty_run_can_be_reported_too(make_run: Make) -> None:
    folder = make_run(checks=[check("INV-01", "NOT_APPLICABLE", 0)], verdict="NOT_APPLICABLE", keep=lambda name: False)
    with Run(folder) as run:
        assert headline(run) == "Nothing was examined, so nothing is proven."
        html = page(run)
    assert "No bill was written" in html and "recorded nothing about its input" in html


def test_the_day_shows_connections_sessions_and_the_move(make_run: Make) -> None:
    with Run(make_run()) as run:
        series = day(run)
    assert max(series.connected["legacy"][1]) == 8
    assert series.connected["new"][1][-1] in (0, 7)
    assert max(series.drawing[1]) <= max(series.plugged[1])
    assert {band.row for band in series.moves} == {"S-01", "S-02", "S-03"}
    homes = [band.label for band in series.homes if band.row == "S-01"]
    assert homes == ["legacy", "on the way", "new"]
    begin, end = move_window(series)
    assert series.begin <= begin < end <= series.end and end - begin < 3 * HOUR


def test_power_flows_until_the_car_is_full_or_the_station_withholds_it() -> None:
    """Marks S and W stop the flow, C and w let it go on."""
    marks = [[10, 0, "B"], [20, 5, "W"], [30, 5, "w"], [40, 9, "S"], [50, 9, "C"], [60, 11, "S"], [90, 11, "E"]]
    session = {"started_at": 10, "stopped_at": 90, "points": json.dumps(marks)}
    assert list(drawing(session, 100)) == [(10, 20), (30, 40), (50, 60)]
    assert points({"points": None}) == []
    assert list(drawing({"started_at": 10, "stopped_at": None, "points": "[]"}, 100)) == [(10, 100)]


def test_pictures_are_the_same_every_time_and_keep_their_ids_apart(make_run: Make) -> None:
    with Run(make_run()) as run:
        series, numbers = day(run), facts(run)
    one, two = plots.timeline(series, "a"), plots.timeline(series, "a")
    assert one == two
    other = plots.energy(numbers, "b", narrow=True)
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert all(use in ids[0] for use in re.findall(r"url\(#([^)]+)\)", one))
    for svg in (one, other):
        root = ElementTree.fromstring(svg)
        assert root.get("width") == "100%" and root.get("height") is None
        assert root[0].tag.endswith("title")


def test_the_report_stands_alone(make_run: Make) -> None:
    folder = make_run()
    write_reports(folder)
    html = (folder / "report.html").read_text()
    outside = re.findall(r'(?:src|href)="(?!#)([^"]+)"', html) + re.findall(r"url\((?!#)([^)]*)\)", html)
    assert [link for link in outside if not link.startswith("bills/")] == []
    assert "<script" not in html and "@import" not in html
    assert "Nothing was lost, billed twice or billed wrongly." in html
    for heading in (
        "What was to be proven",
        "Where every kilowatt-hour went",
        "from the joule to the bill",
        "Do it again",
    ):
        assert heading in html
    assert "chargerig run tiny --seed 1" in html and "cd" * 32 in html
    assert "zero-energy" in html and "wrong-signature" in html


def test_findings_are_named_with_their_evidence_and_escaped(make_run: Make) -> None:
    folder = make_run(checks=[check("INV-02", "FAIL", 9, (FINDING,)), check("INV-01", "PASS")], verdict="FAIL")
    with Run(folder) as run:
        said = "billed twice <script>alert(1)</script> (INV-02, session legacy-s3)"
        assert headline(run) == f"1\u00a0finding in 1\u00a0check: {said}."
        html = page(run)
        assert summary(run).first_findings[0][:2] == ("INV-02", "session legacy-s3")
    assert "&lt;script&gt;alert(1)" in html and "<script>" not in html
    assert "books_bills" in html and "legacy-3" in html


def finding(check: str, number: int, sentence: str = "") -> dict[str, Any]:
    """A finding as it stands in verdicts.json."""
    said = {"check": check, "subject": f"s{number}", "sentence": sentence or f"{check} says {number}"}
    return {**FINDING, **said, "evidence": []}


def test_a_headline_says_what_was_found_and_nothing_else(make_run: Make) -> None:
    """A sum that is off is no second billing, whatever else its check would find."""
    off = (finding("B02", 1, "the record's lines sum to 5.00, not 5.01"), finding("B02", 2, "another"))
    checks = [check("B02", "FAIL", findings=off), check("INV-01", "PASS")]
    with Run(make_run(checks=checks, verdict="FAIL")) as run:
        told = headline(run)
    assert told == "2\u00a0findings in 1\u00a0check: the record's lines sum to 5.00, not 5.01 (B02, session s1)."


def test_a_headline_tells_two_checks_and_names_the_others(make_run: Make) -> None:
    names = ["INV-01", "L02", "DRV-02", "T01", "B06", "L01", "L05", "T10"]
    for count, rest in ((2, ""), (3, "; and what DRV-02 found"), (4, "; and what DRV-02 and T01 found")):
        checks = [check(name, "FAIL", findings=(finding(name, 1),)) for name in names[:count]]
        with Run(make_run(checks=checks, verdict="FAIL")) as run:
            first = f"{count}\u00a0findings in {count}\u00a0checks: INV-01 says 1 (INV-01, session s1)"
            assert headline(run) == f"{first}; L02 says 1 (L02, session s1){rest}."
    checks = [check(name, "FAIL", findings=(finding(name, 1, "x" * 300),)) for name in names]
    with Run(make_run(checks=checks, verdict="FAIL")) as run:
        assert headline(run).endswith("; and what 6 other checks found.") and len(headline(run)) < 400


def test_the_terminal_shows_a_finding_of_every_broken_check(make_run: Make) -> None:
    many = [finding("INV-01", number) for number in range(30)]
    checks = [check("INV-01", "FAIL", findings=tuple(many)), check("L02", "FAIL", findings=(finding("L02", 1),))]
    with Run(make_run(checks=checks, verdict="FAIL")) as run:
        shown = summary(run)
    assert [name for name, _, _ in shown.first_findings] == ["INV-01"] * 9 + ["L02"]
    assert [subject for _, subject, _ in shown.first_findings[:2]] == ["session s0", "session s1"]
    assert shown.more == 21
    checks = [check(f"X{n:02d}", "FAIL", findings=(finding(f"X{n:02d}", 1), finding("", 2))) for n in range(12)]
    with Run(make_run(checks=checks, verdict="FAIL")) as run:
        assert len(summary(run).first_findings) == summary(run).more == 12


def test_what_could_not_be_judged_is_no_success(make_run: Make) -> None:
    folder = make_run(
        checks=[check("L05", "UNKNOWN", 0, reason="no journal"), check("INV-01", "PASS")], verdict="UNKNOWN"
    )
    with Run(folder) as run:
        assert headline(run) == "Nothing wrong was found, but L05 could not be judged."
        assert summary(run).lines[0].sentence == "rule L05 (no journal)"


def test_junit_counts_what_a_ci_server_shows(make_run: Make) -> None:
    checks = [
        check("INV-01", "PASS"), check("INV-02", "FAIL", 9, (FINDING,)),
        check("L05", "UNKNOWN", 0, reason="no journal"),
        check("T01", "NOT_APPLICABLE", 0), check("B02", "UNKNOWN", 0, reason="no books"),
    ]  # fmt: skip
    folder = make_run(checks=checks, verdict="FAIL")
    verdicts = json.loads((folder / "verdicts.json").read_text())
    (folder / "verdicts.json").write_text(json.dumps({**verdicts, "allow_unknown": ["B02"]}))
    with Run(folder) as run:
        suite = ElementTree.fromstring(junit(run))[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "1", "errors": "1", "skipped": "2",
    }  # fmt: skip
    failure = suite.find("testcase/failure")
    assert failure is not None and "session legacy-s3: billed twice" in str(failure.text)
    assert "\ufffd" in str(failure.text), "characters that XML cannot hold are replaced"


def test_the_walk_follows_the_most_telling_session(make_run: Make) -> None:
    with Run(make_run()) as run:
        followed = walk(run)
    assert followed is not None
    assert followed.transaction["issuer"] == "legacy" and followed.bill["backend"] == "new"
    assert [call["action"] for call in followed.calls] == ["Authorize", "StartTransaction", "StopTransaction"]
    assert followed.meter_values == 1
    assert [reading["mark"] for reading in followed.readings] == ["B", "T", "S", "E"]
    assert followed.journal["seq"] == followed.bill["journal_seq"]


def test_without_a_bill_there_is_no_walk(make_run: Make) -> None:
    with Run(make_run(keep=lambda name: name != "books_bills")) as run:
        assert walk(run) is None
        assert 'id="walk"' not in page(run)


def test_a_picture_of_its_own_is_svg_on_white(make_run: Make, tmp_path: Path) -> None:
    file = tmp_path / "day.svg"
    write_picture(make_run(), file)
    assert ElementTree.fromstring(file.read_text())[1].get("fill") == "#ffffff"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (words.kwh(1_234_567), "1\u202f234.567\u00a0kWh"),
        (words.kwh(-5), "\u22120.005\u00a0kWh"),
        (words.kwh_round(149), "0.1\u00a0kWh"),
        (words.kwh_round(150), "0.2\u00a0kWh"),
        (words.money(-123_456, "EUR"), "\u22121\u202f234.56\u00a0EUR"),
        (words.duration(85), "85\u00a0ms"),
        (words.duration(4_250), "4.2\u00a0s"),
        (words.duration(200_000), "3\u00a0min 20\u00a0s"),
        (words.duration(7_500_000), "2\u00a0h 05\u00a0min"),
        (words.plural(1, "entry", "entries"), "1\u00a0entry"),
        (words.plural(2, "entry", "entries"), "2\u00a0entries"),
        (words.listed([]), ""),
        (words.listed(["A"]), "A"),
        (words.listed(["A", "B", "C"]), "A, B and C"),
        (words.moment(None, "UTC"), "\u2014"),
        (words.moment(0, "Europe/Berlin", "1970-01-01"), "01:00:00"),
        (words.moment(0, "Europe/Berlin"), "01 Jan 01:00:00"),
        (quantity({"quantity": "90", "unit": "s"}), "1\u00a0min 30\u00a0s"),
        (bill_file({"backend": "new", "number": "A/1 ü"}), "bills/new-A_1__.html"),
    ],
)
def test_numbers_and_times_as_a_reader_sees_them(text: str, shown: str) -> None:
    assert text == shown


def test_every_state_and_reason_has_its_words() -> None:
    """A code that a reader meets is explained: states of the move, reasons of quarantine, kinds of faults."""
    states = [state for _, group in words.PHASES for state in group]
    assert sorted(states) == sorted(words.STATES)
    assert len(words.QUARANTINE) == 13


def test_the_page_counts_the_combinations_that_occurred(make_run: Make) -> None:
    """Connector states come from the wire: a run whose stations told none has nothing to count."""

    def told(tables: dict[str, Any]) -> None:
        begin = tables["wire_links"][0]["opened_at"]
        payload = '{"connectorId":1,"status":"Available"}'
        row = {"way": "up", "action": "StatusNotification", "payload": payload, "sent_at": begin}
        tables["wire_calls"].append({**row, "station": "S-01", "backend": "legacy", "link": 0})

    with Run(make_run()) as run:
        assert "Distinct combinations" not in page(run)
    with Run(make_run(change=told)) as run:
        assert "Distinct combinations that occurred: 1" in re.sub("<[^>]*>", "", page(run))
