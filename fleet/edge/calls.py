"""Quirks of what a station says by itself: ids, registers, times, tokens and texts that are not what they should be.

Sources stand in quirks.toml. Nothing here knows a connection.
"""

from __future__ import annotations

from typing import Any

from fleet.edge.words import Own, own
from sim.clock import DAY, HOUR, SECOND, Instant, iso, parse_iso

LARGEST_ID = 2**63 - 1
UNKNOWN = -1
LATE_BY = 255 * SECOND
AHEAD = 2 * HOUR
"""How far local time is ahead of UTC where a quirk writes local time."""
OLD = 240 * DAY
OLD_TRANSACTION = 424_242
ENERGY, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
INVENTED = 900_000
TRICKLE_WH = 4


def _shifted(text: str, by: int) -> str:
    return iso(Instant(parse_iso(text) + by))


def _samples(payload: dict[str, Any]) -> list[dict[str, Any]]:
    values = [*payload.get("meterValue", ()), *payload.get("transactionData", ())]
    return [sample for value in values for sample in value["sampledValue"]]


def _lower_by(call: Own, base: int) -> None:
    for sample in _samples(call.payload):
        if sample.get("measurand", ENERGY) == ENERGY and sample.get("format") != "SignedData":
            sample["value"] = str(int(sample["value"]) - base)
            call.acted = True


def _base(call: Own) -> int | None:
    """The register at the begin of the session at this connector, if one runs."""
    start = call.memory.starts.get(int(call.payload.get("connectorId", 0)))
    return None if start is None else int(start["meterStart"])


def _start_of(call: Own) -> dict[str, Any] | None:
    """The start of the session that this stop ends: at the connector of its id, else the only one there is."""
    for start in call.memory.starts.values():
        if start.get("transactionId") in (None, call.payload.get("transactionId")):
            return start
    return None


# -- ids --------------------------------------------------------------------------------------------------------------


@own("MeterValues", "StopTransaction")
def huge_transaction_id(call: Own) -> None:
    """Q01."""
    if call.payload.get("transactionId") == UNKNOWN:
        call.payload["transactionId"] = LARGEST_ID
        call.acted = True


@own("MeterValues", "StopTransaction")
def constant_transaction_id(call: Own) -> None:
    """Q25."""
    if "transactionId" in call.payload:
        call.payload["transactionId"] = 1
        call.acted = True


@own("MeterValues", "StopTransaction")
def negative_transaction_id(call: Own) -> None:
    """Q42."""
    if call.payload.get("transactionId", 0) > 0:
        call.payload["transactionId"] *= -1
        call.acted = True


@own("MeterValues")
def sticky_transaction_id(call: Own) -> None:
    """Q29."""
    last = call.memory.ended.get(call.payload["connectorId"])
    if "transactionId" not in call.payload and last is not None:
        call.payload["transactionId"] = last
        call.acted = True


@own("StopTransaction")
def stop_with_id_zero(call: Own) -> None:
    """Q65."""
    call.payload["transactionId"] = 0
    call.acted = True


@own("StopTransaction")
def power_loss_with_id_zero(call: Own) -> None:
    """Q60."""
    if call.payload.get("reason") == "PowerLoss":
        call.payload["transactionId"] = 0
        call.acted = True


# -- starts and stops that are not, or are twice ----------------------------------------------------------------------


@own("StartTransaction")
def stop_without_start(call: Own) -> None:
    """Q11."""
    call.swallow = call.acted = True
    call.memory.invented += 1
    call.fake = {"idTagInfo": {"status": "Accepted"}, "transactionId": INVENTED + call.memory.invented}


@own("StartTransaction")
def no_start_after_remote(call: Own) -> None:
    """Q65."""
    if call.memory.remote:
        call.memory.remote = False
        stop_without_start(call)


@own("StartTransaction", "StopTransaction")
def start_at_the_end(call: Own) -> None:
    """Q23."""
    if call.action == "StartTransaction":
        stop_without_start(call)
        return
    start = _start_of(call)
    if start is not None:
        call.action, call.answer, call.acted = "StartTransaction", {}, True
        plain = {key: start[key] for key in ("connectorId", "idTag")}
        call.payload = {**plain, "meterStart": 0, "timestamp": call.payload["timestamp"]}


@own("StopTransaction")
def skips_stop(call: Own) -> None:
    """Q61."""
    if call.memory.every("skips-stop", 3):
        call.swallow = call.acted = True


@own("StartTransaction")
def remote_start_bounce(call: Own) -> None:
    """Q44."""
    if call.memory.remote:
        call.memory.remote = False
        older = _shifted(call.payload["timestamp"], -60 * SECOND)
        stop = {"transactionId": UNKNOWN, "meterStop": call.payload["meterStart"], "timestamp": older}
        call.also.append(("StopTransaction", stop))
        call.acted = True


@own("BootNotification")
def stale_start_after_boot(call: Own) -> None:
    """Q03."""
    old = iso(Instant(call.now - 3 * HOUR))
    start = {"connectorId": 1, "idTag": call.memory.station[:20], "meterStart": 0, "timestamp": old}
    call.also.append(("StartTransaction", start))
    call.acted = True


@own("StopTransaction")
def trickle_after_stop(call: Own) -> None:
    """Q10."""
    sample = {"value": str(call.payload["meterStop"] + TRICKLE_WH), "measurand": ENERGY, "unit": "Wh"}
    value = {"timestamp": call.payload["timestamp"], "sampledValue": [sample]}
    start = _start_of(call)
    call.also.append(("MeterValues", {"connectorId": start["connectorId"] if start else 1, "meterValue": [value]}))
    call.acted = True


# -- registers --------------------------------------------------------------------------------------------------------


@own("StartTransaction", "MeterValues", "StopTransaction")
def register_per_session(call: Own) -> None:
    """Q07, Q57."""
    if call.action == "StartTransaction":
        call.payload["meterStart"], call.acted = 0, True
    elif call.action == "MeterValues":
        base = _base(call)
        if base is not None:
            _lower_by(call, base)
    else:
        start = _start_of(call)
        if start is not None:
            call.payload["meterStop"] -= start["meterStart"]
            _lower_by(call, int(start["meterStart"]))
            call.acted = True


@own("MeterValues")
def samples_per_session(call: Own) -> None:
    """Q19."""
    base = _base(call)
    if base is not None:
        _lower_by(call, base)


@own("StopTransaction")
def frozen_register(call: Own) -> None:
    """Q47."""
    start = _start_of(call)
    if start is not None:
        call.payload["meterStop"], call.acted = start["meterStart"], True


@own("StopTransaction")
def stop_below_start(call: Own) -> None:
    """Q56."""
    start = _start_of(call)
    if start is not None:
        call.payload["meterStop"], call.acted = start["meterStart"] - 1, True


# -- samples ----------------------------------------------------------------------------------------------------------


@own("MeterValues")
def odd_context(call: Own) -> None:
    """Q02."""
    call.payload["meterValue"][0]["sampledValue"].append({"value": "16", "context": "CurrentMax", "unit": "A"})
    call.acted = True


@own("MeterValues")
def odd_unit(call: Own) -> None:
    """Q58."""
    call.payload["meterValue"][0]["sampledValue"].append({"value": "50.0", "measurand": "Frequency", "unit": "Hz"})
    call.acted = True


@own("MeterValues")
def omits_power(call: Own) -> None:
    """Q13."""
    for value in call.payload["meterValue"]:
        kept = [sample for sample in value["sampledValue"] if sample.get("measurand") != POWER]
        call.acted = call.acted or len(kept) < len(value["sampledValue"])
        value["sampledValue"] = kept


@own("MeterValues")
def power_peaks(call: Own) -> None:
    """Q08."""
    power = [sample for sample in _samples(call.payload) if sample.get("measurand") == POWER]
    if power and call.memory.every("power-peaks", 10):
        for sample in power:
            sample["value"] = str(int(sample["value"]) * 13 // 10)
        call.acted = True


@own("MeterValues")
def empty_samples(call: Own) -> None:
    """Q57."""
    if call.memory.every("empty-samples", 10):
        for value in call.payload["meterValue"]:
            value["sampledValue"] = []
        call.acted = True


@own("MeterValues")
def stale_samples(call: Own) -> None:
    """Q51."""
    if call.memory.every("stale-samples", 10):
        value = {"timestamp": iso(Instant(call.now - OLD)), "sampledValue": [{"value": "1000"}]}
        call.also.append(("MeterValues", {"connectorId": 1, "transactionId": OLD_TRANSACTION, "meterValue": [value]}))
        call.acted = True


# -- times ------------------------------------------------------------------------------------------------------------


@own("StartTransaction")
def late_start_time(call: Own) -> None:
    """Q43."""
    call.payload["timestamp"], call.acted = _shifted(call.payload["timestamp"], -LATE_BY), True


@own("MeterValues", "StatusNotification", "StartTransaction", "StopTransaction")
def time_without_zone(call: Own) -> None:
    """Q48."""
    for place in (call.payload, *call.payload.get("meterValue", ()), *call.payload.get("transactionData", ())):
        if "timestamp" in place:
            place["timestamp"], call.acted = _shifted(place["timestamp"], AHEAD).removesuffix("Z"), True


@own("StatusNotification")
def local_time_at_boot(call: Own) -> None:
    """Q50."""
    call.memory.statuses += 1
    if call.memory.statuses <= 2 and "timestamp" in call.payload:
        call.payload["timestamp"], call.acted = _shifted(call.payload["timestamp"], AHEAD), True


# -- texts ------------------------------------------------------------------------------------------------------------


@own("StatusNotification")
def null_strings(call: Own) -> None:
    """Q07."""
    if "info" not in call.payload:
        call.payload["info"], call.acted = "null", True


@own("BootNotification")
def long_model(call: Own) -> None:
    """Q18."""
    call.payload["chargePointModel"], call.acted = call.payload["chargePointModel"].ljust(22, "X"), True


@own("BootNotification")
def long_serial(call: Own) -> None:
    """Q22."""
    call.payload["chargePointSerialNumber"], call.acted = call.memory.station.ljust(33, "0"), True


@own("StopTransaction")
def control_characters_in_idtag(call: Own) -> None:
    """Q31."""
    if "idTag" in call.payload:
        call.payload["idTag"], call.acted = call.payload["idTag"] + "\x10\x0e", True


@own("StopTransaction")
def dash_in_idtag(call: Own) -> None:
    """Q63."""
    if "idTag" in call.payload:
        call.payload["idTag"], call.acted = call.payload["idTag"] + "-", True


@own("StatusNotification")
def available_while_plugged(call: Own) -> None:
    """Q40."""
    for key in ("status", "connectorStatus"):
        if call.payload.get(key) in ("Preparing", "Finishing", "Occupied"):
            call.payload[key], call.acted = "Available", True
