"""Operations of operators, apps and the migration tool: outcomes, remote starts, and the hand-over of open
transactions.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.backend import Setup
from sim.clock import HOUR, MINUTE
from sim.machine import Answered, Refused


def new_bench(make_bench: Any, sheet: Any) -> Any:
    """The other back-end, with its own number circle; it knows the places but no station yet."""
    for station in sheet["stations"]:
        station["backend"] = "legacy"
    provision = {**sheet, "meters": []}
    return make_bench(Setup(name="new", seed=7, provision=provision, options={"transaction_base": 1_000_000}))


def move(old: Any, new: Any, station: str = "CS-1") -> Any:
    """Make the station known at the new back-end and hand its open transactions over; returns the rows."""
    sheet = old.setup.provision
    rows = [row for row in sheet["stations"] if row["station"] == station]
    meters = [row for row in sheet["meters"] if row["station"] == station]
    assert new.operate("import", what="stations", rows=rows) == Answered({"imported": 1})
    assert new.operate("import", what="meters", rows=meters) == Answered({"imported": 2})
    exported = old.operate("export", what="open-transactions", station=station).payload["rows"]
    new.operate("import", what="open-transactions", rows=exported)
    new.meters = old.meters
    return exported


# -- the hand-over ----------------------------------------------------------------------------------------------------


def test_a_stop_with_the_old_id_is_billed_at_the_new_back_end_and_only_there(
    bench: Any, make_bench: Any, sheet: Any
) -> None:
    """M04, M12: one bill, tariff of the start, by the back-end that holds the station."""
    new = new_bench(make_bench, sheet)
    link, meter = bench.boot(), bench.meter()
    texts = [meter.sign("TOK-S", meter.reading("B", bench.now))]
    transaction = bench.start(link, "TOK-S")["transactionId"]
    move(bench, new)
    new.operate("import", what="tariffs", rows=[{**sheet["tariffs"][0], "version": 9, "start_fee": "99"}])
    bench.wait(HOUR)
    new.now = bench.now
    texts.append(meter.sign("TOK-S", meter.reading("E", new.now, 10_000)))
    new.stop(new.boot(), transaction, meter.register, *texts)
    new.bill_all()
    bench.bill_all()
    assert (bench.only("sessions")["state"], bench.only("transactions")["state"]) == ("handed-over", "handed-over")
    assert bench.book("bills") == []
    row = new.only("transactions")
    assert (row["transaction_id"], row["issuer"], row["state"]) == (transaction, "legacy", "closed")
    assert (new.only("bills")["gross"], new.only("sessions")["tariff_version"]) == (491, 1)


def test_the_new_back_end_mints_ids_that_the_old_one_never_had(bench: Any, make_bench: Any, sheet: Any) -> None:
    """INV-07: disjoint circles."""
    new = new_bench(make_bench, sheet)
    old_id = bench.start(bench.boot())["transactionId"]
    move(bench, new)
    new_id = new.start(new.boot(), connector=2)["transactionId"]
    assert (old_id, new_id) == (501, 1_000_001)


def test_exporting_and_importing_again_changes_nothing(bench: Any, make_bench: Any, sheet: Any) -> None:
    """The tool may lose an answer and ask again."""
    new = new_bench(make_bench, sheet)
    bench.start(bench.boot())
    rows = move(bench, new)
    assert bench.operate("export", what="open-transactions", station="CS-1") == Answered({"rows": rows})
    assert new.operate("import", what="open-transactions", rows=rows) == Answered({"imported": 0})
    assert len(new.book("sessions")) == 1


def test_rows_survive_json_on_their_way(bench: Any, make_bench: Any, sheet: Any) -> None:
    new = new_bench(make_bench, sheet)
    bench.start(bench.boot(), "TOK-S")
    rows = json.loads(json.dumps(move(bench, new)))
    assert rows[0]["tariff"]["energy"][0] == {"from": "06:00", "to": "22:00", "price": "0.49"}
    assert new.operate("import", what="open-transactions", rows=rows) == Answered({"imported": 0})


def test_a_rolled_back_move_opens_the_transaction_at_the_old_back_end_again(
    bench: Any, make_bench: Any, sheet: Any
) -> None:
    new = new_bench(make_bench, sheet)
    link = bench.boot()
    bench.start(link)
    move(bench, new)
    back = new.operate("export", what="open-transactions", station="CS-1").payload["rows"]
    assert bench.operate("import", what="open-transactions", rows=back) == Answered({"imported": 1})
    assert bench.only("transactions")["state"] == "open"
    assert new.only("transactions")["state"] == "handed-over"


def test_a_stop_that_comes_to_the_old_back_end_after_the_hand_over_is_held(
    bench: Any, make_bench: Any, sheet: Any
) -> None:
    new = new_bench(make_bench, sheet)
    link = bench.boot()
    transaction = bench.start(link)["transactionId"]
    move(bench, new)
    assert bench.stop(link, transaction, 12_000) == {}
    assert bench.only("quarantine")["reason"] == "unknown-transaction"
    assert "handed over" in bench.only("quarantine")["detail"]


def test_a_start_that_was_still_queued_simply_arrives_at_the_new_back_end(
    bench: Any, make_bench: Any, sheet: Any
) -> None:
    new = new_bench(make_bench, sheet)
    begun = bench.now
    move(bench, new)
    new.now += HOUR
    link = new.boot()
    new.start(link, at=begun)
    assert new.only("sessions")["started_at"] == begun


def test_a_start_repeated_at_the_new_back_end_finds_the_transaction_that_was_handed_over(
    bench: Any, make_bench: Any, sheet: Any
) -> None:
    """INV-04 across the move: booked at the old one, its answer lost, delivered again at the new one."""
    new = new_bench(make_bench, sheet)
    at = bench.now
    first = bench.start(bench.boot(), at=at)
    move(bench, new)
    assert new.start(new.boot(), at=at) == first


@pytest.mark.parametrize("lost", ["transaction_id", "issuer", "station", "meter_start", "started_at", "id_tag"])
def test_a_row_without_what_a_session_needs_is_refused_whole(
    bench: Any, make_bench: Any, sheet: Any, lost: str
) -> None:
    new = new_bench(make_bench, sheet)
    bench.start(bench.boot())
    bench.start(bench.connect(), connector=2)
    rows = bench.operate("export", what="open-transactions", station="CS-1").payload["rows"]
    del rows[1][lost]
    outcome = new.operate("import", what="open-transactions", rows=rows)
    assert isinstance(outcome, Refused) and lost in outcome.description
    assert new.book("sessions") == []


# -- apps -------------------------------------------------------------------------------------------------------------


def remote(bench: Any) -> Any:
    calls = bench.calls(bench.out)
    return (calls[0].action, json.loads(calls[0].payload)) if calls else None


def test_an_app_starts_and_stops_with_the_token_behind_the_number(bench: Any) -> None:
    link = bench.boot()
    bench.operate("app-start", mobile="+49170", station="CS-1", connector=2)
    assert remote(bench) == ("RemoteStartTransaction", {"idTag": "TOK-A", "connectorId": 2})
    effects = bench.answer(link, bench.calls(bench.out)[0], status="Accepted")
    assert bench.outcome(effects) == Answered({"status": "Accepted"})
    transaction = bench.start(link, "TOK-A", 2)["transactionId"]
    bench.operate("app-stop", mobile="+49170", station="CS-1", connector=2)
    assert remote(bench) == ("RemoteStopTransaction", {"transactionId": transaction})


def test_somebody_of_the_same_group_may_stop(bench: Any) -> None:
    link = bench.boot()
    bench.start(link, "TOK-S")
    bench.operate("app-stop", mobile="+49172", station="CS-1", connector=1)
    assert remote(bench) is not None


@pytest.mark.parametrize(
    ("kind", "args", "code"),
    [
        ("app-start", {"mobile": "+49171", "station": "CS-1", "connector": 1}, "Blocked"),
        ("app-start", {"mobile": "+49", "station": "CS-1", "connector": 1}, "Invalid"),
        ("app-start", {"mobile": "+49170", "station": "CS-2", "connector": 1}, "not-connected"),
        ("app-start", {"mobile": "+49170", "station": "CS-9", "connector": 1}, "unknown-station"),
        ("app-stop", {"mobile": "+49170", "station": "CS-1", "connector": 2}, "no-transaction"),
        ("app-stop", {"mobile": "+49171", "station": "CS-1", "connector": 1}, "not-yours"),
        ("call", {"station": "CS-2", "action": "ClearCache"}, "not-connected"),
        ("call", {"station": "CS-1", "action": "RemoteStartTransaction", "payload": {"idTag": "TOK-B"}}, "Blocked"),
        ("call", {"station": "CS-1"}, "bad-input"),
        ("export", {"what": "everything", "station": "CS-1"}, "bad-input"),
        ("import", {"what": "everything", "rows": []}, "bad-input"),
        ("import", {"what": "tokens", "rows": [{"token": "X"}, {"status": "Accepted"}]}, "bad-input"),
        ("dance", {}, "unknown-operation"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(bench: Any, kind: str, args: Any, code: str) -> None:
    bench.start(bench.boot())
    tokens = len(bench.book("access"))
    outcome = bench.operate(kind, **args)
    assert isinstance(outcome, Refused) and outcome.code == code
    assert bench.calls(bench.out) == []
    assert len(bench.book("access")) == tokens


@pytest.mark.parametrize("action", ["RemoteStartTransaction", "RemoteStopTransaction"])
def test_nothing_remote_is_sent_to_a_station_that_is_not_accepted(bench: Any, action: str) -> None:
    """INV-16: no Remote* before Accepted; other calls may go to a pending station."""
    bench.operate("hold-station", station="CS-1")
    bench.boot()
    payload = {"idTag": "TOK-A"} if action == "RemoteStartTransaction" else {"transactionId": 1}
    assert bench.operate("call", station="CS-1", action=action, payload=payload) == Refused("not-accepted", "CS-1")
    bench.operate("call", station="CS-1", action="ClearCache")
    assert remote(bench) == ("ClearCache", {})


# -- rows and registration --------------------------------------------------------------------------------------------


def test_a_station_snapshot_says_what_a_mover_needs(bench: Any) -> None:
    link = bench.boot()
    transaction = bench.start(link)["transactionId"]
    bench.operate("call", station="CS-1", action="GetConfiguration", payload={})
    (call,) = bench.calls(bench.out)
    entries = [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}, {"key": "Secret", "readonly": False}]
    bench.answer(link, call, configurationKey=entries)
    snapshot = bench.operate("export", what="station", station="CS-1").payload
    assert (snapshot["connected"], snapshot["registration"], snapshot["boots"]) == (True, "accepted", 1)
    assert snapshot["open_transactions"] == [transaction]
    assert snapshot["registers"] == {"1": 10_000}
    assert snapshot["configuration"]["HeartbeatInterval"] == "300"
    assert "Secret" not in snapshot["configuration"]


def test_a_station_of_another_back_end_is_a_place_but_no_identity(make_bench: Any, sheet: Any) -> None:
    new = new_bench(make_bench, sheet)
    with pytest.raises(LookupError, match="404"):
        new.connect("CS-1")
    assert new.book("stations") == []
    new.operate("import", what="stations", rows=[sheet["stations"][0]])
    new.boot("CS-1")
    assert [row["station"] for row in new.book("stations")] == ["CS-1"]


def test_importing_a_held_station_again_does_not_let_it_in(bench: Any) -> None:
    bench.operate("hold-station", station="CS-1")
    bench.operate("import", what="stations", rows=[bench.setup.provision["stations"][0]])
    bench.boot()
    assert bench.book("stations")[0]["registration"] == "pending"


def test_a_closed_station_comes_back_by_importing_it(bench: Any) -> None:
    bench.boot()
    bench.operate("close-station", station="CS-1")
    bench.operate("import", what="stations", rows=[bench.setup.provision["stations"][0]])
    bench.boot()
    assert bench.book("stations")[0]["registration"] == "accepted"


def test_what_was_imported_survives_a_restart(bench: Any) -> None:
    bench.operate("import", what="tokens", rows=[{"token": "TOK-N", "mobile": "+1"}])
    bench.restart()
    bench.wait(MINUTE)
    assert bench.call(bench.boot(), "Authorize", idTag="TOK-N") == {"idTagInfo": {"status": "Accepted"}}
