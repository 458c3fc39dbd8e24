"""Which event loop a process runs on: the standard one, or uvloop where speed was asked for and it is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_loop(work: Coroutine[Any, Any, T], fast: bool = False) -> T:
    """Run this to its end on a loop of its own."""
    factory = None
    if fast:
        try:
            import uvloop

            factory = uvloop.new_event_loop
        except ImportError:  # not made for this system
            factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
