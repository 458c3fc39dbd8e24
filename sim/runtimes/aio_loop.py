"""How a process that holds many connections runs: which event loop, and how often it looks for garbage."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GARBAGE = (20_000, 50, 100)
"""Ten thousand stations are a million objects that stay. With the usual thresholds a fifth of the CPU time goes into
looking through them again and again."""


def run_loop(work: Coroutine[Any, Any, T], fast: bool = False) -> T:
    """Run this to its end on a loop of its own: the standard one, or uvloop where it is wanted and installed."""
    factory = None
    if fast:
        try:
            import uvloop

            factory = uvloop.new_event_loop
        except ImportError:  # not made for this system
            factory = None
    usual = gc.get_threshold()
    gc.set_threshold(*_GARBAGE)
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(work)
    finally:
        gc.set_threshold(*usual)
