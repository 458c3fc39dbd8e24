"""No gap of a run stays silent: copies, missing books, checks that nobody ran, faults that did not happen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports import html as html_module
from reports import words
from reports.asked import asked, claims, did_not_happen, hidden
from reports.facts import NOT_SHOWN, facts
from reports.html import evidence_text, ids, page, postings
from reports.run import BACKENDS, Run
from reports.summary import headline, summary

Make = Callable[..., Path]
Tables = dict[str, list[dict[str, Any]]]
TEMPLATES = (
    Path(html_module.__file__).parent / "templates" / "report.html",
    Path(html_module.__file__).parents[1] / "reference_csms" / "billing" / "templates" / "bill.html",
)


def check(name: str, verdict: str, reason: str = "") -> dict[str, Any]:
    """A verdict as it stands in verdicts.json."""
    return {"check": name, "verdict": verdict, "sentence": "s", "items": 0, "findings": [], "reason": reason}


def _rows_of_quarantine(html: str) -> list[str]:
    part = html[html.index('id="quarantine"') : html.index('id="input"')]
    return re.findall(r"<tr>.*?</tr>", part[part.index("<tbody>") : part.index("</tbody>")], re.DOTALL)


def test_only_a_copied_row_of_the_quarantine_says_that_it_is_a_copy(make_run: Make) -> None:
    def copied(tables: Tables) -> None:
        held, settled = tables["books_quarantine"][0], tables["books_transactions"][0]
        evidence = json.dumps({"meter_stop": settled["meter_stop"]})
        copy = {**held, "session_id": None, "station": settled["station"], "evidence": evidence, "quarantine_id": "q2"}
        tables["books_quarantine"].append({**copy, "reason": "unknown-transaction"})

    with Run(make_run(change=copied)) as run:
        genuine, copy = _rows_of_quarantine(page(run))
    assert "a copy" not in genuine and "7.055\u00a0kWh" in genuine
    assert "a copy: the other back-end has settled this session" in copy and "kWh" not in copy


def test_records_of_messages_are_told_apart_from_sessions_in_quarantine(make_run: Make) -> None:
    def stray(tables: Tables) -> None:
        held = tables["books_quarantine"][0]
        for number, reason in enumerate(("stray-stop", "second-stop")):
            row = {**held, "quarantine_id": f"m{number}", "reason": reason, "energy_wh": None}
            tables["books_quarantine"].append(row)

    told = "1\u00a0session, and 2\u00a0records of stray or repeated messages"
    with Run(make_run(change=stray)) as run:
        assert dict(summary(run).numbers)["quarantined"] == f"7.055\u00a0kWh ({told})"
        assert f"Held here: {told}." in page(run)
    with Run(make_run()) as run:
        assert dict(summary(run).numbers)["quarantined"] == "7.055\u00a0kWh (1\u00a0session)"


def test_states_of_the_move_are_told_in_words(make_run: Make) -> None:
    with Run(make_run()) as run:
        html = page(run)
    assert [code for code in words.STATES if code in html] == []
    assert words.STATES["OFFLINE_WINDOW"] in html


def test_no_template_asks_a_row_for_a_name_that_every_dict_has() -> None:
    for template in TEMPLATES:
        names = "|".join(name for name in dir(dict) if not name.startswith("_"))
        assert re.findall(rf"\w+\.(?:{names})\b(?!\()", re.sub(r"<style>.*?</style>", "", template.read_text())) == []


def test_people_with_a_blocked_card_are_no_real_visits(make_run: Make) -> None:
    def blocked(tables: Tables) -> None:
        visit = tables["truth_visits"][0]
        for name in ("blocked-1", "blocked-2"):
            row = {**visit, "visit_id": name, "note": "blocked-token", "outcome": "refused", "refusals": 1}
            tables["truth_visits"].append(row)
        again = {**tables["truth_sessions"][3], "session_id": "t3b", "register_stop": None, "visit_id": "v2"}
        tables["truth_sessions"].append(again)

    told = "24\u00a0real visits, and 2\u00a0people with a blocked card who are refused by right"
    again = "24\u00a0visits charged; 1\u00a0interrupted charge began again and counts as two sessions"
    with Run(make_run(change=blocked)) as run:
        html = page(run)
        assert facts(run).replayed == told and facts(run).sessions_told == again
        assert told in html and again in html
        assert dict(summary(run).numbers)["people"].startswith(told)
    with Run(make_run()) as run:
        assert facts(run).replayed == "24\u00a0real visits" and facts(run).sessions_told == ""


def _hide(*backends: str) -> Callable[[Tables], None]:
    def change(tables: Tables) -> None:
        for backend in backends:
            for book in ("books_sessions", "books_bills", "books_quarantine"):
                tables[book] = [row for row in tables[book] if row["backend"] != backend]
                tables["unverifiable"].append({"backend": backend, "book": book, "reason": "shows no books"})

    return change


def test_books_that_were_not_shown_are_no_zeros(make_run: Make) -> None:
    with Run(make_run(change=_hide(*BACKENDS))) as run:
        html, numbers = page(run), dict(summary(run).numbers)
        assert [row["who"] for row in hidden(run)] == list(BACKENDS)
        assert hidden(run)[0]["books"] == "books_sessions, books_bills, books_quarantine"
    assert {numbers[key] for key in ("billed", "quarantined", "not found", "money")} == {NOT_SHOWN}
    assert "nobody can account for" not in html and "not found in any book" not in html
    assert "No bill was written" not in html and f"Bills: {NOT_SHOWN}" in html
    with Run(make_run(change=_hide("new"))) as run:
        assert dict(summary(run).numbers)["billed"].endswith("bills), not shown by new")


def test_many_checks_without_a_verdict_are_counted_and_their_reason_is_told_once(make_run: Make) -> None:
    reason = "legacy shows no such book: books_bills"
    many = [check(f"B{number:02d}", "UNKNOWN", reason) for number in range(6)]
    with Run(make_run(checks=[*many, check("INV-01", "PASS")], verdict="UNKNOWN")) as run:
        assert headline(run) == "Nothing wrong was found, but 6 of 7 checks could not be judged."
        assert [one.reason for one in asked(run)][:3] == [reason, "same reason as B00", "same reason as B00"]
        assert page(run).count(reason) == 1


def test_a_check_that_nobody_ran_is_not_asked(make_run: Make) -> None:
    says = {"claims": [{"says": "All.", "checks": ["INV-01", "INV-39"]}, {"says": "Same.", "checks": ["INV-39"]}]}
    folder = make_run(
        checks=[check("INV-01", "PASS")],
        more={**says, "checks": {"all_of": ["INV-01", "L01"]}},
        command="c --no-repeat",
    )
    with Run(folder) as run:
        both, only, rest = claims(run)
        assert (both.verdict, both.missing) == ("PASS", ("INV-39",))
        assert (only.verdict, rest.verdict, rest.checks[0].check) == ("NOT_ASKED", "NOT_ASKED", "L01")
        html = page(run)
        assert dict(summary(run).numbers)["not asked"] == "L01, INV-39 (left out with --no-repeat)"
    assert '(<span class="id">INV-39</span>: not asked this time)' in html


def test_a_planned_fault_that_did_not_happen_is_said(make_run: Make) -> None:
    plan = [{"kind": "meter.tamper", "id": ""}, {"kind": "link.stall", "id": "link.stall"}]
    plan += [{"kind": "backend.crash", "id": "late"}, {"kind": "station.power-loss"}]
    with Run(make_run(more={"fault": plan})) as run:
        assert [fault.name for fault in did_not_happen(run)] == ["late", "station.power-loss"]
        assert dict(summary(run).numbers)["faults"] == "planned, did not happen: late, station.power-loss"
        assert page(run).count("<b>planned, did not happen</b>") == 2
    with Run(make_run(more={"fault": plan}, keep=lambda name: name != "truth_faults")) as run:
        assert page(run).count("<b>planned, did not happen</b>") == 4


def test_a_fault_of_a_partner_that_its_line_never_met_is_said_too(make_run: Make) -> None:
    lines = [{"partner": "stripe", "kind": "slow", "id": "slow-hour"}, {"partner": "bank", "kind": "outage"}]
    faults = [{"kind": "partner.429", "id": "busy", "where": {"partner": "stripe"}}]
    with Run(make_run(more={"partner_fault": lines, "fault": faults})) as run:
        assert [fault.name for fault in did_not_happen(run)] == ["slow-hour", "outage", "busy"]


def test_a_phone_can_stack_every_table(make_run: Make) -> None:
    """Each cell under a head carries the head's words, and navigation follows the page."""
    with Run(make_run()) as run:
        html = page(run)
    bodies = re.findall(r"</thead>(.*?)</tbody>", html, re.DOTALL)
    assert bodies and not any(re.search(r"<td(?! data-label=)", body) for body in bodies)
    order = re.findall(r'href="#([a-z]+)"', html[html.index("<nav>") : html.index("</nav>")])
    assert order == re.findall(r'<h2 id="([a-z]+)"', html)


def test_verdicts_come_first_and_only_what_is_not_proven_lies_open(make_run: Make) -> None:
    says = {"claims": [{"says": "All.", "checks": ["INV-01"]}, {"says": "Same.", "checks": ["L01"]}]}
    checks = [check("INV-01", "PASS"), check("L01", "UNKNOWN", "no journal")]
    with Run(make_run(checks=checks, verdict="UNKNOWN", more=says)) as run:
        html = page(run)
    assert html.index('id="claims"') < html.index('id="day"')
    opened = re.findall(r'<details class="claim"( open)?><summary>.*?(All|Same)\.', html)
    assert opened == [("", "All"), (" open", "Same")]


def test_long_tables_are_folded_and_short_ones_are_not(make_run: Make) -> None:
    def many(tables: Tables) -> None:
        tables["truth_faults"] += [{**tables["truth_faults"][0], "fault_id": f"f{n}"} for n in range(7)]

    def folds(html: str) -> list[str]:
        return re.findall(r"<details(?: open)?><summary>([^<]*), with victim and time</summary>", html)

    with Run(make_run()) as run:
        assert folds(page(run)) == [], "five rows"
    with Run(make_run(change=many)) as run:
        html = page(run)
    assert folds(html) == ["12\u00a0faults"]
    assert html.count("<details") == html.count("</details>")


def test_the_story_of_other_sessions_is_the_scenarios_word(make_run: Make) -> None:
    with Run(make_run(command="chargerig run tiny --sessions mine.csv")) as run:
        assert "The scenario says" in page(run)


def test_names_stay_on_one_line_and_amounts_are_in_major_units() -> None:
    assert ids("INV-06 & campus-4") == '<span class="id">INV-06</span> &amp; <span class="id">campus-4</span>'
    assert "<b>" not in ids("<b>a-1</b>")
    assert postings('[["receivable","NOK",2446]]') == "receivable  24.46\u00a0NOK"
    assert postings("{not json") == "{not json"
    assert evidence_text({"gross": 1234, "currency": "EUR"}, "UTC", "") == "gross 12.34\u00a0EUR \u00b7 currency EUR"
