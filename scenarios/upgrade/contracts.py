"""After a wave: the old contract ends on the day, prepaid days and the new contract go to the new back-end.

Each step may be done twice without harm, and is asked for until it is answered: a back-end may be down for hours. The desk
does not know what became of single stations: the contract moves with the site. Prepaid days come first, so that the first
invoice of the new contract can credit them.
"""

from __future__ import annotations

from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import OwnerPlan, WavePlan
from scenarios.upgrade.stories import Stories, Story
from sim.machine import Note, Refused


class Contracts:
    """Moves contracts of owners, each once: with the first wave of theirs."""

    def __init__(self, stories: Stories, parts: DeskParts, old: str, new: str) -> None:
        self._stories = stories
        self._parts = parts
        self._old = old
        self._new = new
        self._moved: list[str] = []

    def move(self, wave: WavePlan, owner: OwnerPlan) -> Story:
        """When the working day is over; what is refused is noted, and nothing further is done for this owner."""
        yield from self._stories.until(wave.ends_at)
        if owner.owner in self._moved:
            return
        self._moved.append(owner.owner)
        prepaid = []
        if owner.contract_old is not None:
            contract, end = owner.contract_old["contract"], self._parts.contract_end(wave.day)
            ended = yield from self._stories.insist(self._old, "end-contract", contract=contract, end=end)
            if isinstance(ended, Refused):
                yield self._refused(wave, owner, "end-contract", ended)
                return
            prepaid = list(self._parts.move_prepaid(ended.payload["prepaid"]))
            yield self._stories.note("contract-ended", owner.owner, wave.wave, contract=contract, end=end)
        if prepaid:
            taken = yield from self._stories.insist(self._new, "import", what="prepaid", rows=prepaid)
            if isinstance(taken, Refused):
                yield self._refused(wave, owner, "prepaid", taken)
            else:
                yield self._stories.note("prepaid-moved", owner.owner, wave.wave, rows=prepaid)
        if owner.contract_new is not None:
            start = self._parts.contract_start(wave.day)
            row = {**owner.contract_new, "start": start, "billed_until": start}  # nothing before it is the new seller's
            begun = yield from self._stories.insist(self._new, "import", what="contracts", rows=[row])
            if isinstance(begun, Refused):
                yield self._refused(wave, owner, "contracts", begun)
                return
            yield self._stories.note("contract-begun", owner.owner, wave.wave, contract=row["contract"], start=start)

    def _refused(self, wave: WavePlan, owner: OwnerPlan, what: str, outcome: Refused) -> Note:
        return self._stories.note(
            "refused", owner.owner, wave.wave, what=what, code=outcome.code, description=outcome.description
        )
