"""What may be done to the back-ends of a virtual world: ailments of their port, and a restart in good order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.backend import BackEnd
from sim.runtimes.virtual_ailing import Ailment, ailing_of
from sim.runtimes.virtual_process import Process

if TYPE_CHECKING:
    from sim.runtimes.virtual import VirtualWorld


class Suffering:
    """Mixed into the back-ends, whose processes it uses."""

    _world: VirtualWorld
    _processes: dict[str, Process]

    def _flush(self, what: tuple[Process, BackEnd]) -> None: ...
    def _gone(self, process: Process, down_for: int) -> None: ...

    def ail(self, name: str, ailment: Ailment) -> None:
        """Let this back-end suffer from something from now on."""
        ailing_of(self._world, self._processes[name]).add(ailment)

    def stalled_until(self, name: str) -> int:
        """Until when this back-end serves nobody, 0 if it does."""
        ailing = self._processes[name].ailing
        return 0 if ailing is None else ailing.stalled_until()

    def restart(self, name: str, down_for: int) -> bool:
        """Stop it as it should be, its connections closed; it is back after so many ms. False if it was down already."""
        process = self._processes[name]
        if process.object is None:
            return False
        self._flush((process, process.object))
        for link_id in list(process.connections):
            self._world.links.close_by_backend(link_id, "going away")
        self._gone(process, down_for)
        return True
