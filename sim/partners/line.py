"""The line between callers and one partner: the Machine that lives in the world under the partner's name.

It takes time, and it fails as its rules say: so late, lost, doubled and down are one mechanism for every partner. It never
looks into what is asked, and never decides what a partner answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sim.backend import Row
from sim.clock import Instant
from sim.machine import Answered, Command, Effect, Event, Outcome, Refused, Settle, Settled, Unknown
from sim.partners.deliveries import Deliveries
from sim.partners.faults import REQUEST_FAULTS, Fault, Faults
from sim.partners.party import Agenda, Failing, Party, Tables, fail, fingerprint
from sim.partners.port import REQUEST, Request, Response
from sim.rng import stream

_FAILING: dict[str, Failing] = {"500-before": "500-before", "500-after": "500-after"}


class Line:
    """A partner with its line. `latency` is the least and the most that the execution of a request takes, ms, drawn.

    Commands besides `request`: `fault` (the fields of a `Fault`, for `during` ms from now unless it names `until`),
    `replay` (`event`: one event, or all that were lost or given up); anything else goes to the partner. A command with a
    call id is settled as the partner says.
    """

    def __init__(
        self, partner: Party, seed: object, faults: Iterable[Fault] = (), *, latency: tuple[int, int] = (80, 400)
    ) -> None:
        self.partner = partner
        self.name = partner.name
        self._latency = latency
        self._delays = stream(seed, "partner", partner.name, "latency")
        self._agenda = Agenda()
        self.faults = Faults(self.name, faults, stream(seed, "partner", partner.name, "faults"))
        self.deliveries = Deliveries(
            self.name, self._agenda, self.faults, stream(seed, "partner", partner.name, "webhooks"), partner.sign
        )
        self._requests: list[Row] = []
        self._effects: list[Effect] = []

    # -- as a Machine -----------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Take a request, a command or an answer, and do what is due."""
        if isinstance(event, Command):
            args = dict(event.args)
            call_id = args.pop("call_id", None)
            if event.name == REQUEST:
                self._arrive(args, call_id, now)
            else:
                self._settle(call_id, self._command(Command(event.name, args), now))
        elif isinstance(event, Settled) and not self.deliveries.settled(event.call_id, event.outcome, now):
            self.partner.settled(event.call_id, event.outcome, now)
        self._work(now)
        effects, self._effects = self._effects, []
        return effects

    def next_deadline(self) -> Instant | None:
        """The next thing that the line or the partner has to do."""
        due = [at for at in (self._agenda.next(), self.partner.agenda.next()) if at is not None]
        return min(due, default=None)

    def statement(self, now: Instant) -> Tables:
        """The partner's records, and what came over the line."""
        return {
            **self.partner.statement(now),
            "partner_requests": list(self._requests),
            "partner_webhooks": self.deliveries.rows(),
            "partner_faults": list(self.faults.rows),
        }

    # -- inside -----------------------------------------------------------------------------------------------------

    def _work(self, now: Instant) -> None:
        partner = self.partner
        while True:
            partner.agenda.run(now)
            self._agenda.run(now)
            for notice in partner.notices:
                self.deliveries.add(notice, now)
            self._effects += [*partner.tells, *self.deliveries.tells]
            for outbox in (partner.notices, partner.tells, self.deliveries.tells):
                outbox.clear()
            deadline = self.next_deadline()
            if deadline is None or deadline > now:
                return

    def _command(self, command: Command, now: Instant) -> Outcome:
        if command.name == "fault":
            args = dict(command.args)
            during = args.pop("during", None)
            until = None if during is None else now + during
            self.faults.add(msgspec.convert({"since": now, "until": until, **args}, Fault))
            return Answered({})
        if command.name == "replay":
            return Answered({"sent": self.deliveries.replay(command.args.get("event"), now)})
        return self.partner.command(command, now)

    def _arrive(self, args: dict[str, Any], call_id: str | None, now: Instant) -> None:
        try:
            request = msgspec.convert(args, Request)
        except msgspec.ValidationError as err:
            self._answer(call_id, None, fail(400, "malformed_request", str(err)), now)
            return
        row: Row = {
            "partner": self.name,
            "at": now,
            "api": request.api,
            "key": request.key,
            "account": request.account,
            "params_hash": fingerprint(request),
            "executed": 0,
            "status": None,
            "answered_at": None,
            "fault": None,
        }
        self._requests.append(row)
        subject = request.key or str(call_id or "")
        struck = {fault.kind: fault for fault in self.faults.strike(REQUEST_FAULTS, request.api, subject, now)}
        row["fault"] = ",".join(struck) or None
        if "outage" in struck:
            self._settle(call_id, Refused("unavailable"))
            return
        if "timeout-before" in struck:
            self._time_out(call_id, struck["timeout-before"], now)
            return
        if "429" in struck:
            self._answer(call_id, row, self.partner.too_many(), now)
            return
        at_once = self.partner.begin(request, now)
        if at_once is not None:
            self._answer(call_id, row, at_once, now)
            return
        silent = struck.get("timeout-after")
        if silent is not None:
            self._time_out(call_id, silent, now)
        least, most = self._latency
        extra = struck["slow"].extra if "slow" in struck else 0
        at = now + least + int(self._delays.random() * (most - least + 1)) + extra
        failing = next((failing for kind, failing in _FAILING.items() if kind in struck), "")
        self._agenda.add(at, self._execute, request, None if silent else call_id, row, failing, silent is not None)

    def _execute(
        self, request: Request, call_id: str | None, row: Row, failing: Failing, unheard: bool, now: Instant
    ) -> None:
        row["executed"] = int(failing != "500-before")
        response = self.partner.request(request, now, failing)
        if not unheard:
            self._answer(call_id, row, response, now)

    def _answer(self, call_id: str | None, row: Row | None, response: Response, now: Instant) -> None:
        if row is not None:
            row["status"], row["answered_at"] = response.status, now
        self._settle(call_id, Answered(response))

    def _time_out(self, call_id: str | None, fault: Fault, now: Instant) -> None:
        if not fault.silent:
            self._agenda.add(now + fault.wait, self._give_up, call_id)

    def _give_up(self, call_id: str | None, now: Instant) -> None:
        self._settle(call_id, Unknown("timeout"))

    def _settle(self, call_id: str | None, outcome: Outcome) -> None:
        if call_id is not None:
            self._effects.append(Settle(call_id, outcome))
