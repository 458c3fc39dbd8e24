"""The uplink of one station: latency, and the faults of its network (stall, refuse), as pure verdicts.

Faults are honest to TCP: a living connection loses nothing and never reorders. A stall holds frames back in both
directions until it heals; only a reset or a close loses what is in flight. Omitting single messages is a station quirk,
never a fault of this module.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from random import Random

from sim.clock import SECOND

CONNECT_TIMEOUT = 30 * SECOND
KEEPALIVE_TIMEOUT = 60 * SECOND
_AHEAD = 64


class Uplink:
    """Latency and faults of one station's way to the internet; times in ms.

    `ahead` are latencies drawn already, the next one last, since no frame goes without; `stalled_until` and
    `refused_until` are instants, `rate` is in bits a second (0: as much as there is), `closes_late` is how much later the
    other side learns of a close.
    """

    __slots__ = (
        "_busy_until",
        "_draw",
        "_jitter",
        "_least",
        "_names",
        "_refused",
        "_status",
        "ahead",
        "closes_late",
        "on_misled",
        "on_refused",
        "on_slow_close",
        "rate",
        "refused_until",
        "stalled_until",
    )

    def __init__(self, rng: Random, base_ms: int, jitter_ms: int) -> None:
        self._draw = rng.random
        self._least = base_ms + 1
        self._jitter = jitter_ms
        self.ahead: list[int] = []
        self.stalled_until = 0
        self.refused_until = 0
        self._refused: dict[str, int] = {}
        self._status = 0
        self._busy_until = {"up": 0, "down": 0}
        self._names: dict[str, tuple[str, int]] = {}
        self.rate = 0
        self.closes_late = 0
        self.on_refused: Callable[[], None] = _nobody
        self.on_slow_close: Callable[[], None] = _nobody
        self.on_misled: Callable[[], None] = _nobody

    def latency(self) -> int:
        """One-way delay of the next frame, at least 1 ms: the base and a drawn share of the jitter."""
        return (self.ahead or self.draw_ahead()).pop()

    def draw_ahead(self) -> list[int]:
        """Fill `ahead` once it is empty."""
        draw, least, jitter = self._draw, self._least, self._jitter
        self.ahead.extend([least + floor(draw() * jitter) for _ in range(_AHEAD)])
        self.ahead.reverse()
        return self.ahead

    def stall(self, until: int) -> None:
        """Nothing gets through until then; nothing is lost either."""
        self.stalled_until = max(self.stalled_until, until)

    def slower(self, latency_ms: int, jitter_ms: int) -> None:
        """From now on every frame takes so much longer; negative to take it back. No frame overtakes another one."""
        self._least += latency_ms
        self._jitter += jitter_ms
        self.ahead.clear()

    def carried(self, way: str, begins: int, size: int) -> int:
        """When the last bit of a frame of that many bytes is on its way, one after the other, with a `rate` set."""
        self._busy_until[way] = max(begins, self._busy_until[way]) + 8000 * size // self.rate
        return self._busy_until[way]

    def refuse(self, until: int, backend: str = "", status: int = 0) -> None:
        """New connections are refused until then, all or only those to one back-end; living ones go on.

        `status`: of the HTTP answer that they get, 0 for none.
        """
        self._status = status
        if backend:
            self._refused[backend] = max(self._refused.get(backend, 0), until)
        else:
            self.refused_until = max(self.refused_until, until)

    def refuses(self, backend: str, now: int) -> bool:
        """Whether a connection to this back-end is refused now."""
        return max(self.refused_until, self._refused.get(backend, 0)) > now

    def refusal(self, backend: str, now: int) -> str:
        """How a connection to this back-end is refused now: `refused`, or a status; empty if it is not."""
        if not self.refuses(backend, now):
            return ""
        self.on_refused()
        return str(self._status) if self._status else "refused"

    def misname(self, name: str, leads_to: str, until: int) -> None:
        """Until then this name leads to another host, as from an old answer of a name server."""
        self._names[name] = (leads_to, until)

    def resolve(self, name: str, now: int) -> str:
        """The host that a name leads to now."""
        leads_to, until = self._names.get(name, (name, 0))
        if until <= now:
            return name
        self.on_misled()
        return leads_to

    def closing(self, at: int) -> int:
        """When the other side learns of a close that would reach it then."""
        if self.closes_late:
            self.on_slow_close()
        return at + self.closes_late


def _nobody() -> None:
    """Nobody wants to know."""
