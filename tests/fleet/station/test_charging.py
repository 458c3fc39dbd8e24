"""Transactions and meter readings (OCPP 1.6 §4.8, §4.10, §3.16; OCA note §3.1; OCMF)."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.rig import meters_of
from sim.clock import parse_iso
from sim.wire import ocmf, ocppj
from sim.wire.payloads import v16

MINUTE, HOUR = 60, 3600


def end(b: Any) -> Any:
    return b.do("swipe", connector=1, token="TAG").run(5)


def readings(b: Any) -> list[tuple[str, int]]:
    return [(reading.mark, reading.at) for _, record in b.records() for reading in record.readings]


def test_start_and_stop_carry_token_register_and_time(bench: Any) -> None:
    b = end(bench("ac-duo").boot().charge(energy_wh=2000).run(HOUR))
    (start,), (stop,), (session,) = b.payloads("StartTransaction"), b.payloads("StopTransaction"), b.sessions()
    assert (start["connectorId"], start["idTag"], start["meterStart"]) == (1, "TAG", session["register_start"])
    assert parse_iso(start["timestamp"]) == session["started_at"]
    assert (stop["transactionId"], stop["meterStop"], stop["reason"]) == (1001, session["register_stop"], "Local")
    assert stop["meterStop"] - start["meterStart"] == 2000


def test_separate_records_travel_each_in_its_context_with_its_time(bench: Any) -> None:
    b = bench("ac-duo", keys={"TariffChangeTimes": "06:05"}).boot().charge(energy_wh=1100).run(10 * MINUTE)
    end(b)
    assert [context for context, _ in b.records()] == [
        "Transaction.Begin",
        "Sample.Clock",
        "Other",
        "Transaction.End",
    ]
    assert [mark for mark, _ in readings(b)] == ["B", "T", "S", "E"]
    stamps = [parse_iso(value["timestamp"]) for value in b.payloads("StopTransaction")[0]["transactionData"]]
    assert stamps == [at for _, at in readings(b)]
    assert [record.pagination for _, record in b.records()] == ["T1", "T2", "T3", "T4"]


def test_a_single_record_holds_all_readings_and_travels_at_the_end(bench: Any) -> None:
    b = bench("ac-compact", keys={"TariffChangeTimes": "06:05"}).boot().charge(energy_wh=1100).run(10 * MINUTE)
    end(b)
    ((context, record),) = b.records()
    assert context == "Transaction.End" and record.pagination == "T1"
    assert "".join(reading.mark for reading in record.readings) == "BTSE"
    assert {reading.status for reading in record.readings} == {"I"}


@pytest.mark.parametrize(("profile", "letter"), [("ac-compact", "I"), ("ac-duo", "S"), ("ac-cloud", "R")])
def test_every_record_verifies_and_carries_the_clock_letter_of_its_profile(
    bench: Any, profile: str, letter: str
) -> None:
    """INV-29: over the raw bytes, with the key registered for that meter."""
    b = end(bench(profile).boot().charge(energy_wh=1100).run(HOUR))
    (row,) = meters_of(b.config)
    for _, record in b.records():
        assert ocmf.verify(record, row["public_key"]) and record.meter_id == row["meter_id"]
        assert {reading.status for reading in record.readings} == {letter}
        assert (record.id_tag, record.fields["IT"], record.fields["GS"]) == ("TAG", "ISO14443", "ST-1")


def test_pages_go_on_from_session_to_session_and_over_a_power_loss(bench: Any) -> None:
    """INV-30: pagination +1 per record."""
    b = bench("ac-compact").boot()
    for _ in range(2):
        b.charge().do("unplug", connector=1).run(10)
    b.do("power-loss").do("power-restored").run(2 * MINUTE).charge().do("unplug", connector=1).run(10)
    pages = [b.records(n)[0][1].pagination for n, p in enumerate(b.payloads("StopTransaction"))]
    assert sorted(set(pages)) == ["T1", "T2", "T3"]


def test_tariff_change_readings_are_taken_at_the_instant_and_only_inside_a_transaction(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=30_000).run(10)
    assert b.call("ChangeConfiguration", key="TariffChangeTimes", value="22:00, 07:00")["status"] == "Accepted"
    b.run(2 * HOUR)
    end(b).run(24 * HOUR)
    assert readings(b)[1] == ("T", parse_iso("2019-06-12T07:00:00Z"))
    assert [mark for mark, _ in readings(b)] == ["B", "T", "E"]
    assert [p[2] for p in b.sessions()[0]["points"]] == ["B", "T", "E"]


def test_a_session_over_a_day_gets_a_reading_at_every_change_each_day(bench: Any) -> None:
    b = bench("ac-duo", keys={"TariffChangeTimes": "20:00,04:00"}).boot().charge(energy_wh=10**6).run(47 * HOUR)
    end(b)
    assert [mark for mark, _ in readings(b)] == ["B", "T", "T", "T", "T", "E"]


def test_an_ev_that_wants_nothing_is_idle_from_the_first_moment(bench: Any) -> None:
    b = end(bench("ac-duo").boot().charge(energy_wh=0).run(60))
    assert [mark for mark, _ in readings(b)] == ["B", "S", "E"]
    assert readings(b)[0][1] == readings(b)[1][1]
    assert b.statuses()[1:4] == ["Preparing", "SuspendedEV", "Finishing"]


def test_a_start_that_is_refused_afterwards_ends_the_transaction(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StartTransaction"] = lambda p: {"idTagInfo": {"status": "Blocked"}, "transactionId": 44}
    b.charge()
    assert b.payloads("StopTransaction")[0]["reason"] == "DeAuthorized"
    assert b.payloads("StopTransaction")[0]["transactionId"] == 44
    assert b.texts() == ["authorized", "charging", "refused", "finished"] and b.statuses()[-1] == "Finishing"


def test_or_only_stops_the_energy_if_it_was_told_so(bench: Any) -> None:
    b = bench("ac-duo", keys={"StopTransactionOnInvalidId": "false"}).boot()
    b.table["StartTransaction"] = lambda p: {"idTagInfo": {"status": "Invalid"}, "transactionId": 44}
    b.charge(energy_wh=5000).run(HOUR)
    assert b.statuses()[-1] == "SuspendedEVSE" and b.actions("StopTransaction") == []
    b.do("unplug", connector=1).run(5)
    (session,) = b.sessions()
    assert session["register_stop"] - session["register_start"] < 5
    assert [p[2] for p in session["points"]] == ["B", "W", "E"]


def test_an_invalid_start_reported_after_the_end_changes_nothing(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StartTransaction"] = lambda p: {"idTagInfo": {"status": "Blocked"}, "transactionId": 44}
    b.plug().run(5).do("swipe", connector=1, token="TAG").run(0.101).do("unplug", connector=1).run(60)
    assert len(b.actions("StopTransaction")) == 1
    assert b.payloads("StopTransaction")[0]["reason"] == "EVDisconnected"


# -- unsigned samples -------------------------------------------------------------------------------------------------------


def sampled(payload: Any) -> dict[str, str]:
    (value,) = payload["meterValue"]
    return {sample["measurand"]: sample["value"] for sample in value["sampledValue"]}


def test_samples_begin_with_the_transaction_and_end_with_it(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "60"}).boot().run(100).charge(energy_wh=22_000)
    end(b.run(10 * MINUTE)).run(HOUR)
    values = b.payloads("MeterValues")
    assert len(values) == 10 and {p["transactionId"] for p in values} == {1001}
    start = b.payloads("StartTransaction")[0]
    gaps = [parse_iso(p["meterValue"][0]["timestamp"]) - parse_iso(start["timestamp"]) for p in values]
    assert gaps == [60_000 * n for n in range(1, 11)]
    assert sampled(values[0]) == {
        "Energy.Active.Import.Register": str(start["meterStart"] + 11_000 // 60),
        "Power.Active.Import": "11000",
        "Current.Import": "15.9",
        "Voltage": "230",
    }
    assert {sample["context"] for p in values for sample in p["meterValue"][0]["sampledValue"]} == {"Sample.Periodic"}


def test_frames_from_templates_are_byte_for_byte_those_of_the_encoder(bench: Any) -> None:
    keys = {"MeterValueSampleInterval": "60", "ClockAlignedDataInterval": "900", "MeterValuesAlignedData": "Voltage"}
    b = bench("ac-duo", connectors=(1, 2), keys=keys).boot().charge().run(40 * MINUTE).cut().run(40 * MINUTE)
    frames = [frame for frame in b.sent if b'"MeterValues"' in frame or b'"Heartbeat"' in frame]
    assert len(frames) > 80
    for frame in frames:
        call = ocppj.parse(frame)
        assert isinstance(call, ocppj.Call)
        payload = v16.encode(v16.decode_request(call.action, call.payload))
        assert ocppj.encode_call(call.id, call.action, payload) == frame


def test_the_measurands_are_those_of_the_key_in_their_order(bench: Any) -> None:
    keys = {"MeterValueSampleInterval": "60", "MeterValuesSampledData": "Voltage,Power.Offered"}
    b = bench("ac-duo", keys=keys).boot().charge().run(90)
    assert list(sampled(b.payloads("MeterValues")[0]).items()) == [("Voltage", "230"), ("Power.Offered", "11000")]
    b.do("withhold", connector=1, on=True).run(60)
    assert sampled(b.payloads("MeterValues")[1])["Power.Offered"] == "0"


def test_samples_change_with_their_interval_and_stop_at_0(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "60"}).boot().charge(energy_wh=10**6).run(65)
    b.call("ChangeConfiguration", key="MeterValueSampleInterval", value="10")
    b.run(31)
    assert len(b.actions("MeterValues")) == 4
    b.call("ChangeConfiguration", key="MeterValueSampleInterval", value="0")
    assert len(b.run(HOUR).actions("MeterValues")) == 4


def test_an_empty_list_of_measurands_sends_no_samples(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "60", "MeterValuesSampledData": ""}).boot().charge().run(HOUR)
    assert b.actions("MeterValues") == []


def test_clock_aligned_values_stand_on_the_grid_of_utc_midnight_also_without_a_transaction(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2), keys={"ClockAlignedDataInterval": "900", "MeterValueSampleInterval": "0"})
    b.boot().run(100).charge(energy_wh=10**6).run(HOUR)
    values = b.payloads("MeterValues")
    stamps = [p["meterValue"][0]["timestamp"] for p in values if p["connectorId"] == 1]
    assert stamps == [f"2019-06-12T{time}:00.000Z" for time in ("06:15", "06:30", "06:45", "07:00")]
    assert {p.get("transactionId") for p in values if p["connectorId"] == 1} == {1001}
    assert {p.get("transactionId") for p in values if p["connectorId"] == 2} == {None}
    assert {s["context"] for p in values for s in p["meterValue"][0]["sampledValue"]} == {"Sample.Clock"}


def test_an_interval_that_does_not_divide_the_day_starts_afresh_at_midnight(bench: Any) -> None:
    b = bench("ac-duo", keys={"ClockAlignedDataInterval": "50000"}).boot().run(48 * HOUR)
    stamps = [p["meterValue"][0]["timestamp"][8:19] for p in b.payloads("MeterValues")]
    assert stamps == ["12T13:53:20", "13T00:00:00", "13T13:53:20", "14T00:00:00"]


def test_unsigned_samples_go_into_transaction_data_if_the_keys_ask_for_them(bench: Any) -> None:
    keys = {
        "StopTxnSampledData": "Energy.Active.Import.Register",
        "StopTxnAlignedData": "Voltage",
        "MeterValueSampleInterval": "300",
        "ClockAlignedDataInterval": "900",
    }
    b = bench("ac-compact", keys=keys).boot().charge(energy_wh=10**6).run(16 * MINUTE)
    b.do("power-loss").do("power-restored").run(2 * MINUTE)
    data = b.payloads("StopTransaction")[0]["transactionData"]
    contexts = [value["sampledValue"][0]["context"] for value in data]
    assert contexts == ["Sample.Periodic", "Sample.Periodic", "Sample.Clock", "Sample.Periodic", "Transaction.End"]


def test_values_that_were_triggered_come_with_the_transaction_or_behind_its_start(bench: Any, world: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot().charge()
    assert b.call("TriggerMessage", requestedMessage="MeterValues") == {"status": "Accepted"}
    b.run(1)
    assert [(p["connectorId"], p.get("transactionId")) for p in b.payloads("MeterValues")] == [(1, 1001), (2, None)]
    assert b.call("TriggerMessage", requestedMessage="MeterValues", connectorId=0) == {"status": "Rejected"}
    b.do("unplug", connector=1).run(5)
    good, b.table["StartTransaction"] = b.table["StartTransaction"], world.silent
    b.charge()
    b.call("TriggerMessage", requestedMessage="MeterValues", connectorId=1)
    b.run(1)
    assert len(b.payloads("MeterValues")) == 2
    b.table["StartTransaction"] = good
    b.run(5 * MINUTE)
    assert b.payloads("MeterValues")[2]["transactionId"] == 1002


def test_a_stray_stop_names_an_id_that_is_not_ours(bench: Any) -> None:
    b = bench("ac-duo").boot().do("stray-stop", transaction_id=987, meter_stop=5).run(5)
    (stop,) = b.payloads("StopTransaction")
    assert (stop["transactionId"], stop["meterStop"]) == (987, 5) and "transactionData" not in stop
    assert b.events("stray-stop") and b.sessions() == []
