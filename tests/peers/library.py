"""A back-end and a station on the `ocpp` library as it comes: its own routing, its own validation, its own threads.

They speak the language of `tests.peers.node.NodePeer`, so that one session is played with all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import (
    Action,
    AuthorizationStatus,
    ConfigurationStatus,
    RegistrationStatus,
    RemoteStartStopStatus,
    ResetStatus,
)
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from ocpp.v201.enums import Action as Action201
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

_ACCEPTED = IdTagInfo(status=AuthorizationStatus.accepted)
_SUBPROTOCOL: Any = ["ocpp1.6"]
_BOTH: Any = ["ocpp2.0.1", "ocpp1.6"]


def now() -> str:
    """The present instant as OCPP writes it."""
    return datetime.now(UTC).isoformat()


class Peer:
    """One end of a connection that writes down what it heard, in the words of the wire."""

    calls: Any = call
    """The calls of its version."""

    def __init__(self, id: str, leg: Any, heard: list[tuple[str, str, dict[str, Any]]]) -> None:
        super().__init__(id, leg)  # type: ignore[call-arg]  # a ChargePoint of the library, which has no types
        self._heard = heard

    def hear(self, action: str, given: dict[str, Any]) -> None:
        """Write one down."""
        self._heard.append((self.id, str(action), snake_to_camel_case(given)))

    async def ask(self, action: str, payload: dict[str, Any]) -> Any:
        """The payload of the answer. Raises what the library makes of an error."""
        request = getattr(self.calls, action)(**camel_to_snake_case(payload))
        return await self.call(request, suppress=False)

    async def live(self) -> None:
        """Until the connection is over."""
        with suppress(ConnectionClosed):
            await self.start()


class OfCentral(Peer, ChargePoint):
    """A station as the central system sees it."""

    numbers = iter(range(1, 1_000_000))

    @on(Action.boot_notification)  # type: ignore[untyped-decorator]
    def booted(self, **given: Any) -> Any:
        self.hear("BootNotification", given)
        return call_result.BootNotification(current_time=now(), interval=300, status=RegistrationStatus.accepted)

    @on(Action.heartbeat)  # type: ignore[untyped-decorator]
    def beat(self, **given: Any) -> Any:
        self.hear("Heartbeat", given)
        return call_result.Heartbeat(current_time=now())

    @on(Action.status_notification)  # type: ignore[untyped-decorator]
    def status(self, **given: Any) -> Any:
        self.hear("StatusNotification", given)
        return call_result.StatusNotification()

    @on(Action.authorize)  # type: ignore[untyped-decorator]
    def authorized(self, **given: Any) -> Any:
        self.hear("Authorize", given)
        return call_result.Authorize(id_tag_info=_ACCEPTED)

    @on(Action.start_transaction)  # type: ignore[untyped-decorator]
    def started(self, **given: Any) -> Any:
        self.hear("StartTransaction", given)
        return call_result.StartTransaction(transaction_id=next(self.numbers), id_tag_info=_ACCEPTED)

    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    def metered(self, **given: Any) -> Any:
        self.hear("MeterValues", given)
        return call_result.MeterValues()

    @on(Action.stop_transaction)  # type: ignore[untyped-decorator]
    def stopped(self, **given: Any) -> Any:
        self.hear("StopTransaction", given)
        return call_result.StopTransaction(id_tag_info=_ACCEPTED)


class OfCentral201(Peer, ChargePoint201):
    """A station of OCPP 2.0.1 as the central system sees it."""

    calls = call201

    @on(Action201.boot_notification)  # type: ignore[untyped-decorator]
    def booted(self, **given: Any) -> Any:
        self.hear("BootNotification", given)
        return result201.BootNotification(current_time=now(), interval=300, status="Accepted")

    @on(Action201.heartbeat)  # type: ignore[untyped-decorator]
    def beat(self, **given: Any) -> Any:
        self.hear("Heartbeat", given)
        return result201.Heartbeat(current_time=now())

    @on(Action201.status_notification)  # type: ignore[untyped-decorator]
    def status(self, **given: Any) -> Any:
        self.hear("StatusNotification", given)
        return result201.StatusNotification()

    @on(Action201.authorize)  # type: ignore[untyped-decorator]
    def authorized(self, **given: Any) -> Any:
        self.hear("Authorize", given)
        return result201.Authorize(id_token_info={"status": "Accepted"})

    @on(Action201.transaction_event)  # type: ignore[untyped-decorator]
    def went_on(self, **given: Any) -> Any:
        self.hear("TransactionEvent", given)
        return result201.TransactionEvent(id_token_info={"status": "Accepted"} if "id_token" in given else None)


class OfStation(Peer, ChargePoint):
    """The central system as a station sees it."""

    @on(Action.remote_start_transaction)  # type: ignore[untyped-decorator]
    def remote_start(self, **given: Any) -> Any:
        self.hear("RemoteStartTransaction", given)
        return call_result.RemoteStartTransaction(status=RemoteStartStopStatus.accepted)

    @on(Action.remote_stop_transaction)  # type: ignore[untyped-decorator]
    def remote_stop(self, **given: Any) -> Any:
        self.hear("RemoteStopTransaction", given)
        return call_result.RemoteStopTransaction(status=RemoteStartStopStatus.accepted)

    @on(Action.reset)  # type: ignore[untyped-decorator]
    def reset(self, **given: Any) -> Any:
        self.hear("Reset", given)
        return call_result.Reset(status=ResetStatus.accepted)

    @on(Action.change_configuration)  # type: ignore[untyped-decorator]
    def configured(self, **given: Any) -> Any:
        self.hear("ChangeConfiguration", given)
        return call_result.ChangeConfiguration(status=ConfigurationStatus.accepted)

    @on(Action.get_configuration)  # type: ignore[untyped-decorator]
    def configuration(self, **given: Any) -> Any:
        self.hear("GetConfiguration", given)
        return call_result.GetConfiguration(configuration_key=[], unknown_key=given.get("key", []))


class LibraryPeer:
    """Either end, with the face of a NodePeer."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[tuple[str, str, dict[str, Any]]] = []
        self.problems: list[str] = []
        self.legs: dict[str, Peer] = {}

    async def call(self, station: str, action: str, payload: dict[str, Any]) -> Any:
        """The payload of the other end's answer, in the words of the wire."""
        answer = await self.legs[station].ask(action, payload)
        said = {key: value for key, value in vars(answer).items() if value is not None}
        return snake_to_camel_case(said)


@asynccontextmanager
async def library_central() -> AsyncIterator[LibraryPeer]:
    """A central system on a free port of loopback."""
    peer = LibraryPeer()

    async def come(leg: ServerConnection) -> None:
        assert leg.request is not None
        name = leg.request.path.rpartition("/")[2]
        kind = {"ocpp1.6": OfCentral, "ocpp2.0.1": OfCentral201}[str(leg.subprotocol)]
        peer.legs[name] = kind(name, leg, peer.heard)
        await peer.legs[name].live()

    async with serve(come, "127.0.0.1", 0, subprotocols=_BOTH, compression=None) as server:
        peer.port = next(iter(server.sockets)).getsockname()[1]
        yield peer


@asynccontextmanager
async def library_station(endpoint: str, name: str) -> AsyncIterator[LibraryPeer]:
    """A station that is connected."""
    peer = LibraryPeer()
    async with connect(f"{endpoint}/{name}", subprotocols=_SUBPROTOCOL, proxy=None) as leg:
        peer.legs[name] = OfStation(name, leg, peer.heard)
        living = asyncio.ensure_future(peer.legs[name].live())
        try:
            yield peer
        finally:
            await leg.close()
            await living
