"""The life of the migration tool: it may die in the middle of a wave, and a new one goes on with what was written down.

While it is dead, nobody hears what was asked and answered. Nothing but the disk is carried over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scenarios.migration.tool import Disk, MigrationTool
from sim.clock import Instant
from sim.machine import Command, Effect, Event, Note, Tick

Build = Callable[[Disk], MigrationTool]


class MortalTool:
    """Machine `migration`. Commands: those of the tool, and crash{fault_id, lasts, on}.

    With `on` it dies in the moment at which a station enters that state, else at once; it is back `lasts` ms later.
    """

    def __init__(self, build: Build) -> None:
        self._build = build
        self._disk: Disk = {}
        self._tool: MigrationTool | None = build(self._disk)
        self._back_at: Instant | None = None
        self._doom: dict[str, object] | None = None

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Let the tool live, or let it die."""
        effects: list[Effect] = []
        if self._tool is None:
            if self._back_at is None or now < self._back_at:
                return effects
            self._tool, self._back_at = self._build(self._disk), None
            event = Tick()
        if isinstance(event, Command) and event.name == "crash":
            self._doom = dict(event.args)
            if not self._doom["on"]:
                effects.append(self._die(now))
            return effects
        effects += self._tool.handle(event, now)
        if self._doom is not None and self._doom["on"] in [_entered(effect) for effect in effects]:
            effects = [effect for effect in effects if isinstance(effect, Note)]  # written down, and nothing else done
            effects.append(self._die(now))
        return effects

    def next_deadline(self) -> Instant | None:
        """The tool's own, or when it is back."""
        return self._back_at if self._tool is None else self._tool.next_deadline()

    def final_notes(self, now: Instant) -> list[Note]:
        """What became of each station, by what stands on the disk."""
        return (self._tool or self._build(self._disk)).final_notes(now)

    def _die(self, now: Instant) -> Note:
        doom, self._doom = self._doom, None
        assert doom is not None and self._tool is not None
        busy = sum(bool(state) for state in self._tool.states())
        self._tool = None
        self._back_at = Instant(now + int(str(doom["lasts"])))
        row = {"fault_id": doom["fault_id"], "kind": "tool.crash", "target": "migration", "at": now}
        return Note("faults", {**row, "until": self._back_at, "data": f'{{"stations":{busy}}}'})


def _entered(effect: Effect) -> str:
    return str(effect.fields["state"]) if isinstance(effect, Note) and effect.kind == "migration" else ""
