"""What befalls back-ends: deaths, restarts, and ailments while their sockets stay up. Done at their port."""

from __future__ import annotations

from scenarios.faults.blows import Blow, Deed, Happened
from sim.clock import SECOND
from sim.rng import stream
from sim.runtimes.virtual import VirtualWorld
from sim.runtimes.virtual_ailing import Ailment

AILMENTS = {
    "backend.stall": "stall",
    "backend.slow-store": "slow-store",
    "backend.errors": "errors",
    "backend.full-disk": "full-disk",
    "backend.lost-outbox": "lost-tells",
    "backend.duplicate-delivery": "duplicates",
}
"""What the runtime calls each."""


def deeds(world: VirtualWorld) -> dict[str, Deed]:
    """By kind."""

    def ail(blow: Blow, happened: Happened) -> None:
        data = blow.data
        action = f'"{data["action"]}"'.encode() if "action" in data else b""
        ailment = Ailment(
            AILMENTS[blow.kind],
            world.now + (blow.until - blow.at),
            happened,
            stream(world.seed, "ailment", blow.fault_id, blow.at),
            action,
            int(data.get("per_mille", 1000)) / 1000,
            int(data.get("latency", data.get("copies", 0))),
            str(data.get("code", "")),
        )
        world.backends.ail(blow.target, ailment)

    def restart(blow: Blow, happened: Happened) -> None:
        if world.backends.restart(blow.target, max(SECOND, blow.until - blow.at)):
            happened()

    return {"backend.restart": restart, **dict.fromkeys(AILMENTS, ail)}
