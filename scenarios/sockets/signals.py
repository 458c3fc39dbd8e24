"""Ctrl-C and SIGTERM for what runs on a loop: told once to whoever listens, who then ends in good order.

It ends nothing itself. A second signal of the same kind does what signals do without us.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def hearing(heard: Callable[[signal.Signals], None]) -> Iterator[None]:
    """While inside, `heard` is told of the first signal. Elsewhere than in the main thread signals stay as they are."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def forget() -> None:
        for number in numbers:
            if loop.remove_signal_handler(number):
                signal.signal(number, before[number])

    def first(number: signal.Signals) -> None:
        forget()
        heard(number)

    try:
        for number in numbers:
            loop.add_signal_handler(number, first, number)
    except (ValueError, RuntimeError):  # asyncio and uvloop of another thread
        yield
        return
    try:
        yield
    finally:
        forget()
