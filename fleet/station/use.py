"""People and apps at the connectors: plug, token, remote start and stop, and who may charge.

It decides who begins and who ends; what a transaction is lies elsewhere. Every use that leads nowhere ends by itself
after ConnectionTimeOut. Sources: OCPP 1.6 §3.5 (local authorisation), §4.1 (Authorize), §4.9 (status), §5.11, §5.12
(remote).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct, structs

from fleet.station.bay import Bay, Claim
from fleet.station.boot import Boot
from fleet.station.calls import Calls
from fleet.station.charging import Charging
from fleet.station.desk import Desk
from fleet.station.status import StatusTable
from fleet.station.timers import NEVER
from fleet.station.tokens import ACCEPTED, Entry, Tokens, same
from sim.wire.calls import Pending

CARD, CENTRAL = "ISO14443", "CENTRAL"
"""How a person was identified (OCMF IT): a card at the reader, or the back-end."""


class Authority(Struct, frozen=True):
    """How a back-end is asked about a token in one version: the Authorize for a claim, and what its answer says."""

    question: Callable[[Claim], Struct]
    verdict: Callable[[bytes], Entry]


class Use:
    """What happens at the connectors of one station. `closed`: about to restart, nothing new may begin."""

    def __init__(
        self,
        desk: Desk,
        bays: Sequence[Bay],
        calls: Calls,
        tokens: Tokens,
        statuses: StatusTable,
        charging: Charging,
        boot: Boot,
        authority: Authority,
        redeem: Callable[[Bay, Claim], Claim],
    ) -> None:
        """`redeem` uses up the reservation of a connector for a claim that it admits."""
        self._desk = desk
        self._calls = calls
        self._tokens = tokens
        self._statuses = statuses
        self._charging = charging
        self._boot = boot
        self._authority = authority
        self._redeem = redeem
        self._bays = {bay.number: bay for bay in bays}
        self._patience = {bay.number: desk.timers.slot(partial(self.expire, bay)) for bay in bays}
        self.closed = False

    def bay(self, connector: int) -> Bay | None:
        """The connector of this number."""
        return self._bays.get(connector)

    def _show(self, bay: Bay, text: str) -> None:
        self._desk.show(bay.number, text)

    # -- cable --------------------------------------------------------------------------------------------------------

    def plug(self, bay: Bay) -> None:
        """A cable went in."""
        bay.plugged, bay.finishing = True, False
        if bay.transaction is not None:
            return
        if (not bay.operative or bay.reservation is not None) and not bay.preparing:
            self._show(bay, "unavailable")  # a cable alone does not take a reserved connector
        elif bay.claim is not None:
            self._begin(bay, bay.claim)
        else:
            self.begin_use(bay)

    def unplug(self, bay: Bay) -> None:
        """The cable is out (OCPP 1.6 §3.11: what a running transaction does then is
        StopTransactionOnEVSideDisconnect).
        """
        bay.inquiry = None
        if bay.transaction is not None and not self._desk.keys["StopTransactionOnEVSideDisconnect"]:
            bay.plugged = False
            self._charging.sense(bay, bay.offered, False, "EV side disconnected")
            return
        if bay.transaction is not None:
            self._charging.end(bay, "EVDisconnected")
        bay.plugged = bay.finishing = False
        self._end_use(bay)

    # -- beginning and abandoning a use -------------------------------------------------------------------------------

    def begin_use(self, bay: Bay) -> None:
        """Somebody began to use a free connector; patience lasts for ConnectionTimeOut."""
        bay.preparing, bay.finishing = True, False
        self._statuses.refresh(bay)
        self._be_patient(bay)

    def _be_patient(self, bay: Bay) -> None:
        timeout = self._desk.keys.seconds("ConnectionTimeOut")
        self._desk.timers.set(self._patience[bay.number], self._desk.now + timeout if timeout else NEVER)

    def _end_use(self, bay: Bay) -> None:
        self._desk.timers.set(self._patience[bay.number], NEVER)
        bay.claim, bay.preparing = None, False
        self._statuses.refresh(bay)

    def expire(self, bay: Bay) -> None:
        """Nobody came with a token, or with a cable, in time (status matrix B6, B1)."""
        if not bay.preparing:
            return
        if bay.inquiry is not None:
            self._be_patient(bay)
            return
        bay.finishing = bay.plugged
        if bay.plugged:
            self._show(bay, "no-answer")
        self._end_use(bay)

    def _begin(self, bay: Bay, claim: Claim) -> None:
        self._desk.timers.set(self._patience[bay.number], NEVER)
        self._charging.begin(bay, claim)

    # -- tokens -------------------------------------------------------------------------------------------------------

    def swipe(self, bay: Bay, token: str) -> None:
        """A token was held to the reader of this connector."""
        if bay.transaction is not None:
            self._stop_by_token(bay, token)
        elif self.closed or not self._boot.may_charge or not (bay.operative or bay.preparing):
            self._show(bay, "unavailable")
        elif bay.inquiry is not None:
            return
        elif bay.reservation is not None and not self._may_be_for(bay, token):
            self._show(bay, "refused")
        elif bay.claim is None:
            if bay.reservation is None:
                self.begin_use(bay)
            self.authorise(bay, Claim(token, CARD))
        elif same(bay.claim.id_tag, token):
            self._end_use(bay)
        else:
            self._show(bay, "refused")

    def _may_be_for(self, bay: Bay, token: str) -> bool:
        """Whether a reserved connector may be meant for this token: its own, or perhaps of its group."""
        kept = bay.reservation
        assert kept is not None
        known = self._tokens.find(token)
        asked = known is None and kept.parent is not None  # only the back-end can tell the group of this one
        return asked or kept.admits(token, known.parent if known is not None else None)

    def authorise(self, bay: Bay, claim: Claim) -> None:
        """Find out whether this token may charge: list or cache ahead of asking, asking, or the offline rules."""
        if not self._desk.online:
            self.decide_alone(bay, claim)
            return
        ahead = self._tokens.accepted_ahead(claim.id_tag)
        if ahead is not None:
            self.granted(bay, claim, ahead)
            return
        self._inquire(bay, claim)

    def _inquire(self, bay: Bay, claim: Claim) -> None:
        bay.inquiry = _Inquiry(self, bay, claim)
        self._calls.ask("Authorize", self._authority.question(claim), bay.inquiry)

    def decide_alone(self, bay: Bay, claim: Claim) -> None:
        """The back-end cannot be asked (OCPP 1.6 §3.5.1)."""
        if self.closed:
            self.refused(bay, "unavailable")
            return
        entry = self._tokens.decide_offline(claim.id_tag)
        if entry is not None:
            self.granted(bay, claim, entry)
        else:
            known = self._tokens.find(claim.id_tag)
            self.refused(bay, "refused" if known is not None and known.status != ACCEPTED else "no-answer")

    def granted(self, bay: Bay, claim: Claim, entry: Entry | None) -> None:
        """This token may charge here: at once if the cable is in, else when it comes."""
        if entry is not None:
            claim = structs.replace(claim, parent=entry.parent)
        if bay.reservation is not None:
            if not bay.reservation.admits(claim.id_tag, claim.parent):
                self.refused(bay, "refused")
                return
            claim = self._redeem(bay, claim)
            self.begin_use(bay)
        self._show(bay, "authorized")
        if bay.plugged:
            self._begin(bay, claim)
        else:
            bay.claim = structs.replace(claim, waited=True)
            self._be_patient(bay)

    def refused(self, bay: Bay, text: str) -> None:
        """This token may not charge here."""
        self._show(bay, text)
        if not bay.plugged:
            self._end_use(bay)

    def heard(self, token: str, payload: bytes) -> Entry:
        """The back-end answered an Authorize of this token."""
        entry = self._authority.verdict(payload)
        self._tokens.learn(token, entry)
        return entry

    # -- ending -------------------------------------------------------------------------------------------------------

    def _stop_by_token(self, bay: Bay, token: str) -> None:
        """The same token ends it, and so does one of the same group (OCPP 1.6 §4.10)."""
        transaction = bay.transaction
        assert transaction is not None
        if same(token, transaction.id_tag):
            self._charging.end(bay, "Local", token)
            return
        known = self._tokens.find(token) if transaction.parent is not None else None
        if known is not None and known.status == ACCEPTED:
            self.stop_by_group(bay, token, known.parent)
        elif transaction.parent is not None and self._desk.online and bay.inquiry is None:
            self._inquire(bay, Claim(token, CARD))
        else:
            self._show(bay, "refused")

    def stop_by_group(self, bay: Bay, token: str, parent: str | None) -> None:
        """An accepted token of this group wants to end the running transaction."""
        transaction = bay.transaction
        if transaction is None or transaction.parent is None or parent is None or not same(parent, transaction.parent):
            self._show(bay, "refused")
        else:
            self._charging.end(bay, "Local", token)

    # -- from afar ----------------------------------------------------------------------------------------------------

    def choose(self, connector: int | None, token: str) -> Bay | None:
        """A connector that a remote start of this token may take: the one asked for, else one with a cable in, else any
        that is free.
        """
        if self.closed or not self._desk.accepted:
            return None
        bays = list(self._bays.values()) if connector is None else [self._bays.get(connector)]
        free = [bay for bay in bays if bay is not None and self._is_free(bay, token)]
        return next((bay for bay in free if bay.plugged), free[0] if free else None)

    def _is_free(self, bay: Bay, token: str) -> bool:
        known = self._tokens.find(token)
        parent = known.parent if known is not None else None
        if bay.reservation is not None and not bay.reservation.admits(token, parent):
            return False
        unclaimed = bay.transaction is None and bay.claim is None and bay.inquiry is None
        return unclaimed and (bay.operative or bay.preparing)

    def start_remotely(self, bay: Bay, token: str, remote: int | None = None) -> None:
        """An accepted remote start takes its course; `remote` is the number that the back-end knows it by (2.0.1)."""
        if bay.reservation is None:
            self.begin_use(bay)
        claim = Claim(token, CENTRAL, remote=remote)
        if self._desk.keys["AuthorizeRemoteTxRequests"]:
            self.authorise(bay, claim)
        else:
            self.granted(bay, claim, self._tokens.find(token))


class _Inquiry:
    """One Authorize under way for a connector."""

    __slots__ = ("_bay", "_claim", "_to_stop", "_use")

    def __init__(self, use: Use, bay: Bay, claim: Claim) -> None:
        self._use = use
        self._bay = bay
        self._claim = claim
        self._to_stop = bay.transaction

    def answered(self, call: Pending, payload: bytes) -> None:
        """The back-end decided."""
        entry = self._use.heard(self._claim.id_tag, payload)
        if not self._still_wanted():
            return
        if self._to_stop is not None:
            parent = entry.parent if entry.status == ACCEPTED else None
            self._use.stop_by_group(self._bay, self._claim.id_tag, parent)
        elif entry.status == ACCEPTED:
            self._use.granted(self._bay, self._claim, entry)
        else:
            self._use.refused(self._bay, "refused")

    def failed(self, call: Pending, why: str) -> None:
        """No decision from the back-end: the station decides alone."""
        if not self._still_wanted():
            return
        if self._to_stop is not None:
            self._use.stop_by_group(self._bay, self._claim.id_tag, None)
        else:
            self._use.decide_alone(self._bay, self._claim)

    def _still_wanted(self) -> bool:
        """Whether the connector is still as it was when this was asked."""
        wanted = self._bay.inquiry is self and self._bay.transaction is self._to_stop
        if self._bay.inquiry is self:
            self._bay.inquiry = None
        return wanted
