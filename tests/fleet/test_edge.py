"""Every quirk shows on the wire, and a station without it does otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fleet.quirks import QUIRKS
from sim.clock import DAY, HOUR, MINUTE, SECOND, parse_iso

Seen = Callable[[Any], object]
"""What is seen of a station that was played: true where the quirk shows."""
ENERGY, POWER = "Energy.Active.Import.Register", "Power.Active.Import"
SAMPLED = {"MeterValueSampleInterval": "60", "MeterValuesSampledData": f"{ENERGY},{POWER}"}


def session(b: Any, minutes: float = 3) -> Any:
    """Boot, charge for a while, unplug."""
    return b.boot().charge().run(minutes * 60).do("unplug", connector=1).run(5)


def ended(b: Any) -> Any:
    return session(b).payloads("StopTransaction")[0]


def began(b: Any) -> Any:
    return session(b).payloads("StartTransaction")[0]


def samples(b: Any, minutes: float = 3) -> list[Any]:
    values = [value for payload in session(b, minutes).payloads("MeterValues") for value in payload["meterValue"]]
    return [sample for value in values for sample in value["sampledValue"]]


def energies(b: Any) -> list[int]:
    return [int(one["value"]) for one in samples(b) if one.get("measurand", ENERGY) == ENERGY]


def off_by(text: str, b: Any) -> int:
    return abs(parse_iso(text) - b.now)


def no_id(b: Any, world: Any) -> Any:
    """A session whose start was refused until it was given up: its id is unknown."""

    def refuse(payload: Any) -> Any:
        raise world.denied("InternalError")

    b.table["StartTransaction"] = refuse
    return b


def offline_twice(b: Any) -> Any:
    """A connection that the network drops and that comes back."""
    return b.boot().cut().run(60)


def asked(b: Any, action: str, **payload: Any) -> Any:
    return b.boot().call(action, **payload)


def restarted(b: Any) -> bool:
    return b.run(2 * 60).actions("BootNotification") == ["BootNotification"] * 2


def redials(b: Any, seconds: int) -> bool:
    before = len(b.opened)
    return len(b.run(seconds).opened) > before


def closed_by_back_end(b: Any) -> Any:
    from sim.machine import Closed

    link, b.link = b.boot().link, None
    b.give(Closed(link, "going away"))
    return b


def dark(b: Any) -> Any:
    return b.boot().do("power-loss").run(60).do("power-restored")


PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "ChargePointMaxProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]},
}


def with_profile(b: Any) -> Any:
    """The answer to a limit of 6 A for the whole station, and whether it limits anything."""
    answer = asked(b, "SetChargingProfile", connectorId=0, csChargingProfiles=PROFILE)
    b.charge().run(10 * 60)
    return answer, b.rig.board.outlets[1].limit_w


def truncated(b: Any) -> bool:
    """Whether a frame was no JSON."""
    for frame in b.sent:
        try:
            json.loads(frame)
        except ValueError:
            return True
    return False


def early_call(b: Any) -> int:
    """How many registrations there are when the back-end talks before it has accepted."""
    pending = {"status": "Pending", "currentTime": "2019-06-12T06:00:00Z", "interval": 600}
    b.table["BootNotification"] = pending
    b.boot().call("GetConfiguration")
    return len(b.run(5).actions("BootNotification"))


def remote(b: Any) -> Any:
    b.boot().plug().run(5).call("RemoteStartTransaction", connectorId=1, idTag="TAG")
    return b.run(5)


def remote_stop_after_orphan(b: Any) -> Any:
    """A session of unknown id, and then a remote stop of the next one."""
    start, b.table["StartTransaction"] = (
        b.table["StartTransaction"],
        {"idTagInfo": {"status": "Accepted"}, "transactionId": 0},
    )
    session(b)
    b.table["StartTransaction"] = start
    b.charge().run(60)
    return b.call("RemoteStopTransaction", transactionId=1001)


def repeated_ids(b: Any) -> bool:
    """Whether a message that was not answered goes out again with its id."""
    b.boot().charge()
    b.stalled = True
    b.do("unplug", connector=1).run(2).cut()
    b.stalled = False
    b.run(60)
    ids = [json.loads(frame)[1] for frame in b.sent if json.loads(frame)[2] == "StopTransaction"]
    return len(ids) == 2 and ids[0] == ids[1]


SHOWN: dict[str, tuple[dict[str, Any], Seen]] = {
    "huge-transaction-id": ({}, lambda b: ended(b)["transactionId"] == 2**63 - 1),
    "constant-transaction-id": ({}, lambda b: ended(b)["transactionId"] == 1),
    "negative-transaction-id": ({}, lambda b: ended(b)["transactionId"] == -1001),
    "stop-with-id-zero": ({}, lambda b: ended(b)["transactionId"] == 0),
    "sticky-transaction-id": (
        {**SAMPLED, "ClockAlignedDataInterval": "900", "MeterValuesAlignedData": ENERGY},
        lambda b: session(b).run(3600).payloads("MeterValues")[-1].get("transactionId") == 1001,
    ),
    "power-loss-with-id-zero": (
        {},
        lambda b: (
            b.boot()
            .charge()
            .do("power-loss")
            .do("power-restored")
            .run(120)
            .payloads("StopTransaction")[0]["transactionId"]
            == 0
        ),
    ),
    "stop-without-start": (
        {},
        lambda b: session(b).actions("StartTransaction", "StopTransaction") == ["StopTransaction"],
    ),
    "start-at-the-end": (
        {},
        lambda b: (
            session(b).actions("StartTransaction", "StopTransaction") == ["StartTransaction"]
            and b.payloads("StartTransaction")[0]["meterStart"] == 0
        ),
    ),
    "skips-stop": (
        {},
        lambda b: len(session(session(session(b))).payloads("StopTransaction")) == 2,
    ),
    "no-start-after-remote": ({}, lambda b: remote(b).texts() and not b.payloads("StartTransaction")),
    "remote-start-bounce": ({}, lambda b: [p["transactionId"] for p in remote(b).payloads("StopTransaction")] == [-1]),
    "stale-start-after-boot": (
        {},
        lambda b: (
            [p["idTag"] for p in b.boot().payloads("StartTransaction")] == ["ST-1"]
            and off_by(b.payloads("StartTransaction")[0]["timestamp"], b) > 2 * HOUR
        ),
    ),
    "trickle-after-stop": (
        {"MeterValueSampleInterval": "0"},
        lambda b: (
            int(session(b).payloads("MeterValues")[-1]["meterValue"][0]["sampledValue"][0]["value"])
            == b.payloads("StopTransaction")[0]["meterStop"] + 4
        ),
    ),
    "register-per-session": (
        SAMPLED,
        lambda b: began(b)["meterStart"] == 0 and 0 < b.payloads("StopTransaction")[0]["meterStop"] < 10_000,
    ),
    "samples-per-session": (
        SAMPLED,
        lambda b: max(energies(b)) < 10_000 < b.payloads("StartTransaction")[0]["meterStart"],
    ),
    "frozen-register": ({}, lambda b: ended(b)["meterStop"] == b.payloads("StartTransaction")[0]["meterStart"]),
    "stop-below-start": ({}, lambda b: ended(b)["meterStop"] == b.payloads("StartTransaction")[0]["meterStart"] - 1),
    "odd-context": (SAMPLED, lambda b: "CurrentMax" in {one.get("context") for one in samples(b)}),
    "odd-unit": (SAMPLED, lambda b: "Hz" in {one.get("unit") for one in samples(b)}),
    "omits-power": (SAMPLED, lambda b: POWER not in {one.get("measurand") for one in samples(b)}),
    "power-peaks": (
        SAMPLED,
        lambda b: max(int(one["value"]) for one in samples(b, 12) if one["measurand"] == POWER) == 14_300,
    ),
    "empty-samples": (
        SAMPLED,
        lambda b: [] in [p["meterValue"][0]["sampledValue"] for p in session(b, 12).payloads("MeterValues")],
    ),
    "stale-samples": (
        SAMPLED,
        lambda b: any(
            off_by(p["meterValue"][0]["timestamp"], b) > 200 * DAY for p in session(b, 12).payloads("MeterValues")
        ),
    ),
    "late-start-time": (
        {},
        lambda b: off_by(b.boot().charge().payloads("StartTransaction")[0]["timestamp"], b) > 4 * MINUTE,
    ),
    "time-without-zone": ({}, lambda b: not began(b)["timestamp"].endswith("Z")),
    "local-time-at-boot": (
        {},
        lambda b: (
            [off_by(p["timestamp"], b) > HOUR for p in b.boot().charge().payloads("StatusNotification")][:3]
            == [True, True, False]
        ),
    ),
    "null-strings": ({}, lambda b: {p.get("info") for p in b.boot().payloads("StatusNotification")} == {"null"}),
    "long-model": ({}, lambda b: len(b.boot().payloads("BootNotification")[0]["chargePointModel"]) == 22),
    "long-serial": ({}, lambda b: len(b.boot().payloads("BootNotification")[0]["chargePointSerialNumber"]) == 33),
    "control-characters-in-idtag": (
        {},
        lambda b: (
            b.boot().charge().do("swipe", connector=1, token="TAG").run(5).payloads("StopTransaction")[0]["idTag"]
            == "TAG\x10\x0e"
        ),
    ),
    "dash-in-idtag": (
        {},
        lambda b: (
            b.boot().charge().do("swipe", connector=1, token="TAG").run(5).payloads("StopTransaction")[0]["idTag"]
            == "TAG-"
        ),
    ),
    "available-while-plugged": ({}, lambda b: set(b.boot().plug().run(5).statuses()) == {"Available"}),
    "hangs-on-calls": (
        {},
        lambda b: asked(b, "GetConfiguration") is None and b.run(31).closed[-1][1] == "hung",
    ),
    "deaf-to-triggers": ({}, lambda b: asked(b, "TriggerMessage", requestedMessage="Heartbeat") is None),
    "deaf-to-feature-profiles": ({}, lambda b: asked(b, "GetConfiguration", key=["SupportedFeatureProfiles"]) is None),
    "ignores-max-profile": ({}, lambda b: with_profile(b) == ({"status": "Accepted"}, None)),
    "refuses-profiles-by-schema": ({}, lambda b: with_profile(b)[0] == "PropertyConstraintViolation"),
    "refuses-trigger-of-values": (
        {},
        lambda b: asked(b, "TriggerMessage", requestedMessage="MeterValues") == {"status": "Rejected"},
    ),
    "refuses-triggers-after-reconnect": (
        {},
        lambda b: offline_twice(b).call("TriggerMessage", requestedMessage="Heartbeat") == {"status": "Rejected"},
    ),
    "refuses-remote-stop": ({}, lambda b: remote_stop_after_orphan(b) == {"status": "Rejected"}),
    "not-implemented": ({}, lambda b: asked(b, "GetLocalListVersion") == "NotImplemented"),
    "reboots-on-retry-keys": (
        {},
        lambda b: (
            asked(b, "ChangeConfiguration", key="TransactionMessageAttempts", value="5") == {"status": "RebootRequired"}
            and restarted(b)
        ),
    ),
    "reboots-on-measurands": (
        {},
        lambda b: asked(b, "GetConfiguration", key=["MeterValuesSampledData"]) and restarted(b),
    ),
    "boots-again-when-called-early": ({}, lambda b: early_call(b) > 1),
    "truncated-configuration": ({}, lambda b: asked(b, "GetConfiguration") is None and truncated(b)),
    "truncated-profile-answer": ({}, lambda b: with_profile(b)[0] is None and truncated(b)),
    "truncated-values": (
        {},
        lambda b: max(len(row.get("value", "")) for row in asked(b, "GetConfiguration")["configurationKey"]) == 32,
    ),
    "flapping-link": ({}, lambda b: [why for _, why in b.boot().run(300).closed].count("flapping") >= 4),
    "idle-close": ({"HeartbeatInterval": "3600"}, lambda b: "idle" in [why for _, why in b.boot().run(300).closed]),
    "no-redial-after-close": ({}, lambda b: not redials(closed_by_back_end(b), 3600)),
    "no-redial-after-link-loss": ({}, lambda b: not redials(b.boot().cut(), 3600)),
    "slow-redial-after-drop": ({}, lambda b: not redials(b.boot().cut(), 359) and redials(b, 800)),
    "no-redial-after-power-loss": ({}, lambda b: not redials(dark(b), 3600)),
    "reply-without-call": ({}, lambda b: "nobody-asked" in offline_twice(b).answers),
    "same-id-after-reconnect": ({}, repeated_ids),
    "boots-on-reconnect": ({}, lambda b: len(offline_twice(b).actions("BootNotification")) == 2),
    "slow-registration": ({}, lambda b: not b.boot().run(890).actions() and b.run(20).actions("BootNotification")),
    "clock-at-2014-after-boot": ({}, lambda b: b.boot().events("clock-set")[0]["data"]["before_ms"] < -5 * 365 * DAY),
    "clock-at-1970-after-boot": ({}, lambda b: b.boot().events("clock-set")[0]["data"]["before_ms"] < -49 * 365 * DAY),
    "forgets-transaction-at-power-loss": (
        {},
        lambda b: (
            not b.boot().charge().do("power-loss").do("power-restored").run(120).payloads("StopTransaction")
            and [row["harm"] for row in b.sessions()] == ["untold"]
        ),
    ),
    "resend-stop-after-boot": (
        {},
        lambda b: len(session(b).do("reboot").run(120).payloads("StopTransaction")) == 2,
    ),
    "eager-status": ({}, lambda b: b.boot().actions()[0] == "StatusNotification"),
    "end-values-after-stop": (
        {"MeterValueSampleInterval": "0"},
        lambda b: session(b).actions("StopTransaction", "MeterValues") == ["StopTransaction", "MeterValues"],
    ),
}
"""By quirk: settings, and what is seen where it shows."""


def played(bench: Any, world: Any, name: str, quirk: str) -> Any:
    keys, seen = SHOWN[name]
    b = bench(quirk=quirk, keys=keys)
    b.lenient = True
    if name == "huge-transaction-id":
        no_id(b, world)
        b.table["MeterValues"] = {}
        b.config.profile.configuration["TransactionMessageAttempts"] = "1"
    try:
        return bool(seen(b)), b
    except IndexError:  # there is nothing of the kind
        return False, b


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_quirk_shows_on_the_wire_and_not_without_it(bench: Any, world: Any, name: str) -> None:
    shows, b = played(bench, world, name, name)
    assert shows, name
    assert [row["data"] for row in b.events("quirk")] == [{"name": name}]
    assert not played(bench, world, name, "")[0], f"{name} shows without the quirk"


def test_every_quirk_is_shown_here() -> None:
    assert set(SHOWN) == set(QUIRKS) and len(QUIRKS) >= 60
    reports = {number for quirk in QUIRKS.values() for number in quirk.seen_as}
    assert len(reports) >= 40  # of the 66 field reports


def test_a_station_of_2_0_1_says_available_while_plugged_and_refuses_profiles(bench: Any) -> None:
    b = bench("ac-nova", quirk="available-while-plugged").boot().plug().run(5)
    assert {p["connectorStatus"] for p in b.payloads("StatusNotification")} == {"Available"}


def test_a_quirk_at_the_edge_survives_the_dark(bench: Any) -> None:
    b = bench(quirk="negative-transaction-id").boot().charge().do("power-loss").run(5 * SECOND / 1000)
    b.do("power-restored").run(120)
    assert [p["transactionId"] for p in b.payloads("StopTransaction")] == [-1001]
