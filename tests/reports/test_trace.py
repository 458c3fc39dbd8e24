"""The trace of a session, a station and an invoice, on a run folder made by hand, with and without money in it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from reports.html import page
from reports.run import Run
from reports.trace import Trace, invoice_trace, session_traces, station_trace
from reports.walk import of_truth, walk
from scenarios.cli import app
from sim.clock import DAY, HOUR
from sim.errors import BadInput

Make = Callable[..., Path]
Tables = dict[str, list[dict[str, Any]]]
ACCOUNT = "acct_fjord"
INVOICE = "FJORD-2019-I1"


def titles(trace: Trace) -> list[str]:
    return [step.title for step in trace.steps]


def lines(trace: Trace, title: str) -> list[str]:
    """What a step says, times and all, as the terminal shows it."""
    return [line.shown(trace.zone) for step in trace.steps if step.title == title for line in step.lines]


def spend(tables: Tables) -> None:
    """Money for two bills: one held, captured at the second try and paid out; one collected by an invoice, refunded."""
    direct, billed = tables["books_bills"][0], tables["books_bills"][1]
    at = direct["issued_at"]
    claim = {"backend": direct["backend"], "seller": "fjord", "currency": "NOK", "route": "stripe", "account": ACCOUNT}
    claim |= {"held": 0, "refunded": 0, "credited": 0, "state": "paid", "created_at": at}
    one = {
        "claim_id": "k-1",
        "document": direct["number"],
        "session_id": direct["session_id"],
        "amount": direct["gross"],
    }
    tables["books_claims"].append({**claim, **one, "kind": "session", "paid": direct["gross"]})
    many = {"claim_id": "k-2", "document": INVOICE, "amount": billed["gross"], "kind": "drivers"}
    tables["books_claims"].append({**claim, **many, "paid": billed["gross"], "refunded": 100, "credited": 100})
    for claim_id, purpose, amount, when, tries in (
        ("k-1", "hold", 50_000, at - HOUR, 1),
        ("k-1", "capture", direct["gross"], at, 2),
        ("k-1", "release", 50_000 - direct["gross"], at + 1, 1),
        ("k-2", "charge", billed["gross"], at + DAY, 1),
        ("k-2", "refund", 100, at + 2 * DAY, 1),
    ):
        tables["books_payments"].append(
            {"backend": direct["backend"], "attempt_id": f"p-{len(tables['books_payments'])}", "claim_id": claim_id,
             "purpose": purpose, "partner": "stripe", "key": f"{claim_id}/{purpose}/1", "amount": amount,
             "currency": "NOK", "state": "done", "created_at": when, "asked_at": when, "tries": tries}
        )  # fmt: skip
    for kind, name, key, amount, when, about in (
        ("auth", "ch_1", "k-1/hold/1", 50_000, at - HOUR, None),
        ("capture", "cap_1", "k-1/capture/1", direct["gross"], at, "ch_1"),
        ("dispute", "dp_1", None, direct["gross"], at + 20 * DAY, "ch_1"),
        ("payout", "po_0", None, 777, at + DAY, None),
        ("payout", "po_1", None, direct["gross"], at + 8 * DAY, None),
        ("payout", "po_2", None, 1, at + 9 * DAY, None),
    ):
        tables["partner_payments"].append(
            {"partner": "stripe", "kind": kind, "id": name, "at": when, "account": ACCOUNT, "currency": "NOK",
             "amount": amount, "key": key, "state": "paid" if kind == "payout" else "succeeded", "for_id": about}
        )  # fmt: skip
    balance = {"partner": "stripe", "id": "txn_1", "at": at, "account": ACCOUNT, "currency": "NOK", "source": "ch_1"}
    tables["partner_balance"].append({**balance, "available_at": at + 7 * DAY})
    tables["partner_bank"].append(
        {"partner": "bank", "id": "e1", "at": at + 9 * DAY, "iban": "NO93", "amount": direct["gross"],
         "currency": "NOK", "reference": "po_1"}
    )  # fmt: skip
    tables["books_movements"].append(
        {"backend": direct["backend"], "movement_id": "po_1", "kind": "payout", "currency": "NOK",
         "amount": direct["gross"], "state": "paid", "at": at + 9 * DAY}
    )  # fmt: skip
    tables["books_billables"].append(
        {"backend": billed["backend"], "number": billed["number"], "state": "invoiced", "invoice": INVOICE,
         "supplied_at": billed["issued_at"]}
    )  # fmt: skip
    amounts = {key: billed[key] for key in ("net", "vat", "gross", "currency")}
    tables["books_invoices"] += [
        {"backend": billed["backend"], "number": INVOICE, "kind": "drivers", "seller": "fjord", "customer": "K1",
         **amounts, "issued_at": at + DAY, "state": "issued", "account": "NO93 8601", "reference": "R1"},
        {"backend": billed["backend"], "number": "FJORD-2019-C1", "kind": "credit", "seller": "fjord",
         "customer": "K1", "currency": "NOK", "net": -80, "vat": -20, "gross": -100, "issued_at": at + 2 * DAY,
         "state": "issued", "cancels": INVOICE},
    ]  # fmt: skip
    tables["books_invoice_lines"].append(
        {"backend": billed["backend"], "number": INVOICE, "position": 1, "kind": "session", "bill": billed["number"],
         "session_id": billed["session_id"], "quantity": "1", "unit": "session", "amount": billed["gross"]}
    )  # fmt: skip
    for seq, kind, ref in ((901, "payment", f"{direct['number']} k-1 p-1"), (902, "payout", f"po_1 {ACCOUNT}")):
        tables["books_journal"].append(
            {"backend": direct["backend"], "seq": seq, "at": at + seq, "kind": kind, "ref": ref,
             "postings": [["clearing", "NOK", 5], ["receivable", "NOK", -5]]}
        )  # fmt: skip


def test_a_session_is_followed_from_the_plug_to_the_journal(make_run: Make) -> None:
    with Run(make_run()) as run:
        (trace,) = session_traces(run, "legacy-s3")
    assert titles(trace) == [
        "The driver", "The meter", "The station and its back-end", "Signed records", "The session in the books",
        "The price", "The bill", "The journal",
    ]  # fmt: skip
    wire = lines(trace, "The station and its back-end")
    assert [re.sub(r".*\d\d:\d\d ", "", line).split(":")[0].strip() for line in wire] == [
        "Authorize to legacy", "StartTransaction to legacy", "1 MeterValues message meanwhile",
        "StopTransaction to legacy",
    ]  # fmt: skip
    assert lines(trace, "The meter")[-1].endswith("meter MS-04: 5.833 kWh delivered, ended by Local")
    assert "2019-06-12 07:51:00 +02:00" in lines(trace, "The meter")[0]
    assert "28.52 NOK (day price, group staff)" in lines(trace, "The price")[1]


def test_every_id_of_a_session_leads_to_it(make_run: Make) -> None:
    """The truth's, the books', the transaction's and the visit's."""
    with Run(make_run()) as run:
        stories = {name: session_traces(run, name)[0].data() for name in ("t3", "legacy-s3", "1003", "v3")}
    assert len({json.dumps(story) for story in stories.values()}) == 1


def test_a_session_across_the_move_shows_both_books_and_the_states_of_the_move(make_run: Make) -> None:
    with Run(make_run()) as run:
        chosen = walk(run)
        assert chosen is not None and chosen.handed
        (trace,) = session_traces(run, str(chosen.session["session_id"]))
        (same,) = session_traces(run, str(chosen.truth["session_id"]))
        assert of_truth(run, chosen.truth) == chosen
    assert trace == same
    assert any("handed-over" in line for line in lines(trace, "The session in the books"))
    assert any("SEEN_AT_NEW" in line for line in lines(trace, "The move of the station meanwhile"))


def test_a_session_in_quarantine_says_why_and_has_no_bill(make_run: Make) -> None:
    with Run(make_run()) as run:
        (trace,) = session_traces(run, "t5")
    (held,) = lines(trace, "In quarantine")
    assert "wrong-signature (the signature does not fit what the record says; record 1 of 2), 7.055 kWh" in held
    assert not {"The bill", "The price", "The journal"} & set(titles(trace))


def test_stops_that_were_sent_again_are_counted(make_run: Make) -> None:
    def again(tables: Tables) -> None:
        stop = next(row for row in tables["wire_calls"] if '"transactionId": 1003' in row["payload"]
                    and row["action"] == "StopTransaction")  # fmt: skip
        stop |= {"answer_kind": None, "answered_at": None, "answer_delivered_at": None}
        tables["wire_calls"].append({**stop, "call_no": 999, "sent_at": stop["sent_at"] + HOUR, "delivered_at": None})

    with Run(make_run(change=again)) as run:
        (trace,) = session_traces(run, "t3")
    stops = [line for line in lines(trace, "The station and its back-end") if "StopTransaction" in line]
    assert stops[0].endswith("StopTransaction to legacy: arrived, and was never answered")
    assert stops[1].endswith("StopTransaction to legacy, try 2: never arrived")


def test_money_is_followed_to_the_payout_that_paid_it(make_run: Make) -> None:
    with Run(make_run(change=spend)) as run:
        (trace,) = session_traces(run, "t0")
    assert "The claim" in titles(trace)
    attempts = lines(trace, "Payment")
    assert [line.split(" of ")[0].split()[-1] for line in attempts] == ["hold", "capture", "release"]
    assert "500.00 NOK at stripe, key k-1/hold/1, 1 try: done" in attempts[0]
    assert "2 tries" in attempts[1]
    partner = lines(trace, "The partner's statement")
    assert [line.split("stripe: ")[1].split()[1].strip(",") for line in partner] == ["ch_1", "cap_1", "dp_1"]
    paid_out = lines(trace, "Payout (the first of the account after the money was available)")
    assert len(paid_out) == 3 and all("po_1" in line for line in paid_out)
    assert [line.split(" of ")[0].split()[-1] for line in lines(trace, "The journal")] == ["0", "901", "902"]


def test_an_invoice_leads_back_to_the_joule_and_on_to_the_refund(make_run: Make) -> None:
    with Run(make_run(change=spend)) as run:
        trace = invoice_trace(run, INVOICE)
        wh = run.where("truth_sessions", session_id="t1")[0]
    delivered = (wh["register_stop"] - wh["register_start"]) / 1000
    (back,) = [step for step in trace.steps if step.title.startswith("Back to the joule")]
    assert back.title.replace("\u00a0", " ") == f"Back to the joule: 1 session, {delivered:.3f} kWh by the meters"
    assert lines(trace, "Payment")[1].endswith("refund of 1.00 NOK at stripe, key k-2/refund/1, 1 try: done")
    assert "cancels FJORD-2019-I1" in lines(trace, "The invoice")[1]
    assert trace.subject == f"invoice {INVOICE} (drivers) of fjord to K1"


def test_a_bill_that_waits_for_its_invoice_shows_both(make_run: Make) -> None:
    with Run(make_run(change=spend)) as run:
        number = run.table("books_bills")[1]["number"]
        trace = invoice_trace(run, number)
    assert f"invoiced in {INVOICE}" in lines(trace, "How the bill is collected")[0]
    assert INVOICE in lines(trace, "The invoice")[0]


def test_a_station_tells_its_life(make_run: Make) -> None:
    def live(tables: Tables) -> None:
        tables["truth_events"] += [
            {"at": 1, "station": "S-02", "kind": "boot", "data": '{"status":"Accepted"}'},
            {"at": 2, "station": "S-02", "kind": "plug", "connector": 1},
            {"at": 3, "station": "S-03", "kind": "boot"},
        ]

    with Run(make_run(change=live)) as run:
        trace = station_trace(run, "S-02")
    assert titles(trace) == ["Its life", "Connections", "The move", "What hit it", "Sessions"]
    assert len(lines(trace, "Its life")) == 1 and len(lines(trace, "The move")) == 10
    assert [line.split()[3] for line in lines(trace, "What hit it")] == ["link.stall", "backend.crash"]
    assert len(lines(trace, "Sessions")) == 2


def test_times_are_those_of_the_site(make_run: Make) -> None:
    def abroad(tables: Tables) -> None:
        for key, value in (
            ("owners", [{"owner": "fjord", "zone": "Europe/Helsinki"}]),
            ("sites", [{"site": "mill", "owner": "fjord"}]),
        ):
            tables["plan"].append({"key": key, "json": json.dumps(value)})

    with Run(make_run(change=abroad)) as run:
        (trace,) = session_traces(run, "t3")
    assert trace.zone == "Europe/Helsinki" and "site mill of Fjordlading AS" in trace.subject
    assert "2019-06-12 08:51:00 +03:00" in lines(trace, "The meter")[0]


@pytest.mark.parametrize(
    ("follow", "name", "near"),
    [
        (session_traces, "legacy-s33", "legacy-s3"),
        (station_trace, "S-99", "S-09"),
        (invoice_trace, "2019-0003", "0003"),
    ],
)
def test_an_unknown_id_is_one_sentence_with_the_nearest(make_run: Make, follow: Any, name: str, near: str) -> None:
    with Run(make_run()) as run, pytest.raises(BadInput) as bad:
        follow(run, name)
    sentence = str(bad.value)
    assert near in sentence and "nearest" in sentence and "\n" not in sentence


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(app, ["trace", *args])


def test_the_command_takes_the_newest_run_and_prints_json(
    make_run: Make, chargerig: Callable[..., Result], tmp_path: Path
) -> None:
    base = tmp_path / "reports" / "out"
    base.mkdir(parents=True)
    (base / "no-run").mkdir()
    assert chargerig("--session", "t3").exit_code == 2
    make_run().rename(base / "tiny")
    text = chargerig("--session", "t3")
    assert text.exit_code == 0 and "session legacy-s3 at S-04" in text.stdout
    told = json.loads(chargerig("--session", "t3", "--json").stdout)
    assert told["folder"] == "reports/out/tiny"
    line = told["traces"][0]["steps"][0]["lines"][0]
    assert line["table"] == "truth_visits" and line["row"]["visit_id"] == "v3" and line["time"].endswith("+02:00")


@pytest.mark.parametrize(
    "options", [(), ("--session", "t3", "--station", "S-01"), ("--session", "nobody"), ("--station", "nowhere")]
)
def test_what_cannot_be_followed_ends_with_two(
    make_run: Make, chargerig: Callable[..., Result], options: tuple[str, ...]
) -> None:
    result = chargerig(str(make_run()), *options)
    assert result.exit_code == 2 and result.stdout == ""


def test_two_things_at_once_are_named_and_refused(make_run: Make, chargerig: Callable[..., Result]) -> None:
    result = chargerig(str(make_run()), "--session", "t3", "--station", "S-01")
    assert "follows one thing at a time, and was given --session and --station" in " ".join(result.stderr.split())


def test_an_id_like_no_other_is_offered_none_as_the_nearest(make_run: Make) -> None:
    with Run(make_run()) as run, pytest.raises(BadInput, match=r"none of its \d+ is called nearly so, for instance S-"):
        station_trace(run, "warehouse")


def test_the_walk_of_the_report_goes_on_to_the_money(make_run: Make) -> None:
    with Run(make_run()) as run:
        chosen = walk(run)
        assert chosen is not None
        assert "The partner's statement" not in html.unescape(page(run))

    def pay(tables: Tables) -> None:
        number = chosen.bill["number"]
        tables["books_bills"].sort(key=lambda bill: bill["number"] != number)
        spend(tables)

    with Run(make_run(change=pay)) as run:
        text = html.unescape(page(run))
    assert "The partner's statement" in text and "capture of" in text and "po_1" in text
