"""Stations of our fleet at back-ends that others wrote: one whole session each, by card and from afar."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from fleet.profile import load_profile
from scenarios.sockets.fleet import Fleet, FleetWish
from sim.clock import Instant
from sim.machine import Command, Effect, Event
from tests.peers.library import library_central
from tests.peers.node import node_peer

STATION = "CS-1"
RIG = f"rig:{STATION}"
ONLOOKER = "driver:onlooker"
PACE = 40.0
LONGEST_S = 20.0

PEERS = [
    pytest.param(library_central, id="ocpp"),
    pytest.param(lambda: node_peer("csms-ocpp-rpc.cjs"), id="ocpp-rpc, strict", marks=pytest.mark.node),
    pytest.param(lambda: node_peer("csms-ocpp-ts.cjs"), id="ocpp-ts", marks=pytest.mark.node),
]


def fleet_at(port: int, profile: str) -> Fleet:
    """One station whose people are the test."""
    return Fleet(
        FleetWish(
            url=f"ws://127.0.0.1:{port}/ocpp/{{id}}",
            stations=(STATION,),
            profile=load_profile(profile),
            traffic=None,
            sample_s=10,
            for_s=LONGEST_S,
            ramp_s=0,
            pace=PACE,
            salt="peers",
        )
    )


class Onlooker:
    """A driver who reads the display and does nothing: what people do is up to the test."""

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Nothing follows from it."""
        return ()

    def next_deadline(self) -> Instant | None:
        """Never."""
        return None


class Scene:
    """A back-end, a station, and what the back-end heard."""

    def __init__(self, csms: Any, fleet: Fleet) -> None:
        self.csms, self.fleet = csms, fleet

    def heard(self, action: str) -> list[dict[str, Any]]:
        return [payload for _, other, payload in self.csms.heard if other == action]

    async def until(self, count: int, action: str) -> dict[str, Any]:
        """The payload of so many-th call of this kind."""
        async with asyncio.timeout(LONGEST_S):
            while len(self.heard(action)) < count:
                await asyncio.sleep(0.01)
        return self.heard(action)[count - 1]

    async def status(self, connector: int, wanted: str) -> None:
        """Wait until the latest status of a connector is this one."""
        async with asyncio.timeout(LONGEST_S):
            while True:
                told = [one["status"] for one in self.heard("StatusNotification") if one["connectorId"] == connector]
                if told and told[-1] == wanted:
                    return
                await asyncio.sleep(0.01)

    def people(self, name: str, **args: Any) -> None:
        self.fleet.world.send_command(RIG, Command(name, {"connector": 1, **args}))

    def plug(self) -> None:
        self.people("plug", visit_id="V", driver=ONLOOKER, energy_wh=50_000, power_w=11_000)

    async def ask(self, action: str, **payload: Any) -> Any:
        return await self.csms.call(STATION, action, payload)


async def by_card(scene: Scene) -> None:
    """Boot, status, authorize, start, readings, stop."""
    boot = await scene.until(1, "BootNotification")
    assert boot["chargePointModel"] and boot["chargePointVendor"]
    await scene.status(1, "Available")
    changed = await scene.ask("ChangeConfiguration", key="MeterValueSampleInterval", value="5")
    assert changed == {"status": "Accepted"}
    shown = await scene.ask("GetConfiguration", key=["MeterValueSampleInterval", "NoSuchKey"])
    assert [(one["key"], one["value"]) for one in shown["configurationKey"]] == [("MeterValueSampleInterval", "5")]
    assert shown["unknownKey"] == ["NoSuchKey"]
    scene.plug()
    await scene.status(1, "Preparing")
    scene.people("swipe", token="CARD-1")
    assert (await scene.until(1, "Authorize"))["idTag"] == "CARD-1"
    start = await scene.until(1, "StartTransaction")
    reading = await scene.until(3, "MeterValues")
    scene.people("swipe", token="CARD-1")
    stop = await scene.until(1, "StopTransaction")
    assert reading["transactionId"] == stop["transactionId"] > 0
    assert start["idTag"] == "CARD-1" and stop["meterStop"] > start["meterStart"]
    scene.people("unplug")
    await scene.status(1, "Available")


async def from_afar(scene: Scene) -> None:
    """Remote start and stop, then a reset: the station is back and boots again."""
    scene.plug()
    await scene.status(1, "Preparing")
    assert await scene.ask("RemoteStartTransaction", idTag="APP-1", connectorId=1) == {"status": "Accepted"}
    start = await scene.until(2, "StartTransaction")
    assert start["idTag"] == "APP-1"
    number = (await scene.until(len(scene.heard("MeterValues")) + 1, "MeterValues"))["transactionId"]
    assert await scene.ask("RemoteStopTransaction", transactionId=number) == {"status": "Accepted"}
    stop = await scene.until(2, "StopTransaction")
    assert (stop["transactionId"], stop["reason"]) == (number, "Remote")
    scene.people("unplug")
    await scene.status(1, "Available")
    assert await scene.ask("Reset", type="Soft") == {"status": "Accepted"}
    await scene.until(2, "BootNotification")


Peer = Callable[[], AbstractAsyncContextManager[Any]]
Act = Callable[[Scene], Awaitable[None]]


async def acted(scene: Scene, acts: Sequence[Act]) -> None:
    for act in acts:
        await act(scene)


async def play(peer: Peer, profile: str, *acts: Act) -> tuple[Scene, Any]:
    """The acts one after the other, with a station of this profile; the fleet's figures when it is gone."""
    async with peer() as csms:
        fleet = fleet_at(csms.port, profile)
        scene = Scene(csms, fleet)
        fleet.put_up()
        fleet.world.add(ONLOOKER, Onlooker())
        running = asyncio.ensure_future(fleet.run())
        playing = asyncio.ensure_future(acted(scene, acts))
        try:
            await asyncio.wait([running, playing], return_when="FIRST_COMPLETED")
            assert playing.done(), f"the fleet ended first; heard: {[action for _, action, _ in csms.heard]}"
            await playing
        finally:
            playing.cancel()
            fleet.world.stop()
            result = await running
            await fleet.leave()
    return scene, result


@pytest.mark.parametrize("peer", PEERS)
def test_a_station_of_ours_charges_by_card_and_from_afar_and_is_reset(peer: Any) -> None:
    scene, result = asyncio.run(play(peer, "ac-swift", by_card, from_afar))
    assert scene.csms.problems == []
    assert (result.errors, result.lost, result.refused) == (0, 0, 0)
    truth = [(row["register_start"], row["register_stop"]) for row in scene.fleet.driven()]
    told = zip(scene.heard("StartTransaction"), scene.heard("StopTransaction"), strict=True)
    assert truth == [(start["meterStart"], stop["meterStop"]) for start, stop in told]
    assert len(truth) == 2


# -- OCPP 2.0.1 ----------------------------------------------------------------------------------------------------

INTERVAL = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}


def events(scene: Scene, kind: str) -> list[dict[str, Any]]:
    return [event for event in scene.heard("TransactionEvent") if event["eventType"] == kind]


async def event(scene: Scene, count: int, kind: str) -> dict[str, Any]:
    """So many-th event of this kind."""
    async with asyncio.timeout(LONGEST_S):
        while len(events(scene, kind)) < count:
            await asyncio.sleep(0.01)
    return events(scene, kind)[count - 1]


async def by_card_201(scene: Scene) -> None:
    """Boot, status, variables, authorize, events of one transaction."""
    boot = await scene.until(1, "BootNotification")
    assert boot["chargingStation"]["model"] and boot["reason"] == "PowerUp"
    status = await scene.until(1, "StatusNotification")
    assert (status["evseId"], status["connectorId"], status["connectorStatus"]) == (1, 1, "Available")
    written = await scene.ask("SetVariables", setVariableData=[{**INTERVAL, "attributeValue": "5"}])
    assert [one["attributeStatus"] for one in written["setVariableResult"]] == ["Accepted"]
    read = await scene.ask("GetVariables", getVariableData=[INTERVAL])
    assert [one["attributeValue"] for one in read["getVariableResult"]] == ["5"]
    scene.plug()
    scene.people("swipe", token="CARD-1")
    assert (await scene.until(1, "Authorize"))["idToken"]["idToken"] == "CARD-1"
    await event(scene, 3, "Updated")
    scene.people("swipe", token="CARD-1")
    ended = await event(scene, 1, "Ended")
    assert ended["transactionInfo"]["transactionId"] == events(scene, "Started")[0]["transactionInfo"]["transactionId"]
    scene.people("unplug")


async def from_afar_201(scene: Scene) -> None:
    """Remote start and stop, then a reset: the station is back and boots again."""
    scene.plug()
    token = {"idToken": "APP-1", "type": "Central"}
    assert (await scene.ask("RequestStartTransaction", idToken=token, remoteStartId=7, evseId=1))[
        "status"
    ] == "Accepted"
    number = (await event(scene, 2, "Started"))["transactionInfo"]["transactionId"]
    await event(scene, len(events(scene, "Updated")) + 1, "Updated")
    assert (await scene.ask("RequestStopTransaction", transactionId=number))["status"] == "Accepted"
    info = (await event(scene, 2, "Ended"))["transactionInfo"]
    assert (info["transactionId"], info["stoppedReason"]) == (number, "Remote")
    scene.people("unplug")
    assert (await scene.ask("Reset", type="Immediate"))["status"] == "Accepted"
    assert (await scene.until(2, "BootNotification"))["reason"] == "RemoteReset"


@pytest.mark.parametrize("peer", PEERS[:2])
def test_a_station_of_2_0_1_does_the_same_and_numbers_its_events_without_a_hole(peer: Any) -> None:
    scene, result = asyncio.run(play(peer, "ac-nova", by_card_201, from_afar_201))
    assert scene.csms.problems == []
    assert (result.errors, result.lost, result.refused) == (0, 0, 0)
    for ended in events(scene, "Ended"):
        number = ended["transactionInfo"]["transactionId"]
        mine = [one for one in scene.heard("TransactionEvent") if one["transactionInfo"]["transactionId"] == number]
        assert [one["seqNo"] for one in mine] == list(range(len(mine)))
        assert [one["eventType"] for one in (mine[0], mine[-1])] == ["Started", "Ended"]
    assert len(scene.fleet.driven()) == 2
