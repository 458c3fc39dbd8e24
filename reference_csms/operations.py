"""What operators, apps and the migration tool ask of this back-end. Every operation ends in exactly one settlement.

Refused means that it certainly did not happen; Unknown that it may have. Bad rows and bad payloads are refused with a
sentence: whoever asks is outside the house.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference_csms import records
from reference_csms.authorization import ACCEPTED, Access
from reference_csms.calls import Asked, BadPayload, encode_payload
from reference_csms.corrections import Corrections, NotPossible
from reference_csms.handlers.orders import Orders
from reference_csms.handover import HandOver
from reference_csms.installed import Installed
from reference_csms.money import WHATS as MONEY_WHATS
from reference_csms.money import Money
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.provision import Provisioner
from reference_csms.sessions import Sessions
from reference_csms.shapes import well_shaped
from reference_csms.stage import Stage
from reference_csms.stations import Stations, StationState
from sim.backend import Operation, Row
from sim.clock import Instant
from sim.errors import BadInput
from sim.machine import Answered, Outcome, Refused, Settle
from sim.wire.dialect import V16

Args = Mapping[str, Any]
Export = Callable[[Args, Instant], list[Row]]
_OPEN_TRANSACTIONS = "open-transactions"
_LEFT_OVERS = "left-overs"
_STATION_EXPORTS = (_OPEN_TRANSACTIONS, _LEFT_OVERS, "station")


class _No(Exception):
    """This operation is refused."""

    def __init__(self, code: str, description: str = "") -> None:
        super().__init__(code)
        self.outcome = Refused(code, description)


class Operations:
    """Takes operations; outcomes leave through the stage."""

    def __init__(
        self,
        stage: Stage,
        stations: Stations,
        sessions: Sessions,
        access: Access,
        provisioner: Provisioner,
        hand_over: HandOver,
        corrections: Corrections,
        installed: Installed,
        numbers: Numbers,
        parts: Parts,
        exports: Mapping[str, Export],
        money: Money | None = None,
    ) -> None:
        self._stage = stage
        self._stations = stations
        self._sessions = sessions
        self._access = access
        self._provisioner = provisioner
        self._hand_over = hand_over
        self._corrections = corrections
        self._installed = installed
        self._numbers = numbers
        self._parts = parts
        self._exports = exports
        self._money = money
        self._kinds: dict[str, Callable[[Args, str, Instant], Outcome | None]] = {
            "call": self._call,
            "app-start": self._app_start,
            "app-stop": self._app_stop,
            "import": self._import,
            "export": self._export,
            "accept-station": self._accept_station,
            "hold-station": self._hold_station,
            "close-station": self._close_station,
            "release-quarantine": self._release,
            "correct-session": self._correct,
        }

    def take(self, operation: Operation, call_id: str, now: Instant) -> None:
        """Begin an operation; it is settled at once, or by the station's answer."""
        kind = self._kinds.get(operation.kind)
        try:
            well_shaped(operation.kind, operation.args)
            if kind is not None:
                outcome = kind(operation.args, call_id, now)
            elif self._money is not None and operation.kind in self._money.kinds:
                outcome = self._money.operate(operation.kind, operation.args, now)
            else:
                raise _No("unknown-operation", operation.kind)
        except _No as refused:
            outcome = refused.outcome
        except NotPossible as err:
            outcome = Refused(err.code, str(err))
        except (BadInput, BadPayload) as err:
            outcome = Refused("bad-input", str(err))
        except KeyError as err:
            outcome = Refused("bad-input", f"{operation.kind} needs {err}")
        if outcome is not None:
            self._stage.add(Settle(call_id, outcome))

    # -- calls to stations -------------------------------------------------------------------------------------

    def _call(self, args: Args, call_id: str, now: Instant) -> None:
        state, action, payload = self._state(args), str(args["action"]), dict(args.get("payload") or {})
        decision, token = ACCEPTED, None
        if state.connection is not None:
            token = state.connection.orders.token_of(action, payload)
        if token is not None:
            decision, _ = self._access.decide(token, state.row.site, now)
        self._ask(state, action, payload, decision, call_id, now)

    def _ask(
        self, state: StationState, action: str, payload: Mapping[str, Any], decision: str, call_id: str, now: Instant
    ) -> None:
        connection = state.connection
        dialect = V16 if connection is None else connection.dialect
        raw = encode_payload(action, payload, dialect)
        if connection is None:
            raise _No("not-connected", state.station)
        if state.row.registration not in (records.ACCEPTED, records.PENDING):
            raise _No("not-accepted", state.station)
        if action in connection.orders.remote and not self._parts.may_remote_start(state.accepted, decision):
            raise _No("not-accepted" if not state.accepted else decision, state.station)
        done = self._note_configuration(state) if action == "GetConfiguration" else None
        left = connection.orders.installs(action, payload)
        if left is not None and self._installed.concerns(left[0]):
            done = self._note_given(state.station, *left)
        connection.calls.ask(action, raw, Asked(call_id, done), now)

    @staticmethod
    def _note_configuration(state: StationState) -> Callable[[Outcome, Instant], None]:
        def note(outcome: Outcome, now: Instant) -> None:
            if isinstance(outcome, Answered):
                for entry in outcome.payload.get("configurationKey", ()):
                    if entry.get("value") is not None:
                        state.configuration[entry["key"]] = entry["value"]

        return note

    def _note_given(self, station: str, action: str, payload: Mapping[str, Any]) -> Callable[[Outcome, Instant], None]:
        def note(outcome: Outcome, now: Instant) -> None:
            if isinstance(outcome, Answered):
                self._installed.confirmed(station, action, payload, outcome.payload)

        return note

    # -- apps --------------------------------------------------------------------------------------------------

    def _app_start(self, args: Args, call_id: str, now: Instant) -> Outcome | None:
        state = self._state(args)
        decision, token = self._access.by_mobile(str(args["mobile"]), state.row.site, now)
        if token is None:
            raise _No(decision, "nobody with this number")
        orders = self._orders(state)
        if not self._parts.reaches_station(state.station, token.key):
            return Answered({"status": "Accepted"})
        number = self._numbers.next("remote-start") if orders.numbered else 0
        action, payload = orders.start(token.token, args["connector"], number)
        self._ask(state, action, payload, decision, call_id, now)
        return None

    def _app_stop(self, args: Args, call_id: str, now: Instant) -> None:
        state = self._state(args)
        session = self._sessions.find_open(state.station, int(args["connector"]))
        if session is None:
            raise _No("no-transaction", state.station)
        _, token = self._access.by_mobile(str(args["mobile"]), state.row.site, now)
        same_group = token is not None and token.grp is not None and token.grp == session.grp
        if token is None or not (token.key == session.id_tag.upper() or same_group):
            raise _No("not-yours", state.station)
        action, payload = self._orders(state).stop(session.transaction_id)
        self._ask(state, action, payload, ACCEPTED, call_id, now)

    @staticmethod
    def _orders(state: StationState) -> Orders:
        """How requests to this station are written. Raises _No for one that cannot be asked anything."""
        if state.connection is None:
            raise _No("not-connected", state.station)
        return state.connection.orders

    # -- rows --------------------------------------------------------------------------------------------------

    def _import(self, args: Args, call_id: str, now: Instant) -> Outcome:
        what, rows = str(args["what"]), list(args["rows"])
        if what == _OPEN_TRANSACTIONS:
            return Answered({"imported": self._hand_over.take(rows)})
        if self._money is not None and what in MONEY_WHATS:
            return Answered({"imported": self._money.take(what, rows, now)})
        count = self._provisioner.take(what, rows)
        if what == "stations":
            for row in rows:
                self._stations.refresh(str(row["station"]))
        return Answered({"imported": count})

    def _export(self, args: Args, call_id: str, now: Instant) -> Outcome:
        what = str(args["what"])
        if what in self._exports:
            return Answered({"rows": self._exports[what](args, now)})
        if what not in _STATION_EXPORTS:
            allowed = ", ".join((*_STATION_EXPORTS, *self._exports))
            raise _No("bad-input", f"export knows {allowed}, not {what!r}")
        state = self._state(args)
        if what == _OPEN_TRANSACTIONS:
            return Answered({"rows": self._hand_over.export(state.station, now)})
        if what == _LEFT_OVERS:
            return Answered({"rows": self._installed.export(state.station, now)})
        return Answered(self._snapshot(state))

    def _snapshot(self, state: StationState) -> Row:
        return {
            "station": state.station,
            "site": state.row.site,
            "registration": state.row.registration,
            "connected": state.connection is not None,
            "boots": state.row.boots,
            "boot": dict(state.row.boot),
            "last_seen": state.last_seen,
            "registers": {str(connector): wh for connector, wh in sorted(state.registers.items())},
            "statuses": {str(connector): status for connector, (status, _, _) in sorted(state.statuses.items())},
            "configuration": dict(sorted(state.configuration.items())),
            "open_transactions": self._sessions.open_transactions(state.station),
        }

    # -- registration ------------------------------------------------------------------------------------------

    def _accept_station(self, args: Args, call_id: str, now: Instant) -> Outcome | None:
        state = self._state(args)
        self._stations.set_policy(state, records.ACCEPT)
        connection = state.connection
        if state.accepted or connection is None:
            return Answered({"status": "Accepted"})
        raw = encode_payload("TriggerMessage", {"requestedMessage": "BootNotification"})
        connection.calls.ask("TriggerMessage", raw, Asked(call_id), now)
        return None

    def _hold_station(self, args: Args, call_id: str, now: Instant) -> Outcome:
        self._stations.set_policy(self._state(args), records.HOLD)
        return Answered({"status": "Accepted"})

    def _close_station(self, args: Args, call_id: str, now: Instant) -> Outcome:
        state = self._state(args)
        self._stations.set_policy(state, self._parts.close_station(state.row.policy))
        if state.connection is not None and state.row.policy == records.CLOSE:
            state.connection.hang_up("the station was closed here", now)
        return Answered({"status": "Accepted"})

    # -- putting right -----------------------------------------------------------------------------------------

    def _release(self, args: Args, call_id: str, now: Instant) -> Outcome:
        row = self._corrections.release(str(args["quarantine_id"]), str(args["actor"]), str(args["reason"]), now)
        return Answered(row)

    def _correct(self, args: Args, call_id: str, now: Instant) -> Outcome:
        terms = dict(args["terms"])
        row = self._corrections.correct(str(args["session_id"]), str(args["actor"]), str(args["reason"]), terms, now)
        return Answered(row)

    def _state(self, args: Args) -> StationState:
        station = str(args["station"])
        state = self._stations.find(station)
        if state is None or state.row.policy == records.FOREIGN:
            raise _No("unknown-station", station)
        return state
