"""The drivers' app: finds the back-end that is responsible for a station and hands the start or stop on to it.

The directory is changed by the migration tool only, at the moment an operator would change it. The app never judges an
answer and never retries: that is the driver's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.clock import Instant
from sim.machine import Command, Effect, Event, Refused, Settle, Settled, Tell


class App:
    """Machine `app`: Command start/stop{mobile, station, connector} in, `app-start`/`app-stop` at a back-end out."""

    def __init__(self, directory: dict[str, str]) -> None:
        self.directory = dict(directory)
        self._waiting: dict[str, str] = {}
        self._count = 0

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Route commands, pass outcomes back, and take `redirect{station, backend}` from the migration tool."""
        if isinstance(event, Settled):
            return [Settle(self._waiting.pop(event.call_id), event.outcome)]
        if not isinstance(event, Command):
            return []
        if event.name == "redirect":
            self.directory[event.args["station"]] = event.args["backend"]
            return []
        return self._route(event)

    def _route(self, event: Command) -> Sequence[Effect]:
        args = dict(event.args)
        asked = args.pop("call_id", "")
        backend = self.directory.get(args["station"])
        if backend is None:
            return [Settle(asked, Refused("unknown-station", args["station"]))] if asked else []
        self._count += 1
        call_id = f"app-{self._count}"
        self._waiting[call_id] = asked
        return [Tell(backend, Command(f"app-{event.name}", args), call_id)]

    def next_deadline(self) -> Instant | None:
        """The app does nothing by itself."""
        return None
