"""How a command ends that is told to end, and where goes what a target prints.

A signal becomes an exception, so that whatever is open is closed and whatever is half-written is removed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType


class Stopped(KeyboardInterrupt):
    """Somebody ended this process with a signal. Not an Exception: nobody on the way may take it for a mistake."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number
        """The exit code that shells use for an end by this signal."""


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """While inside, SIGTERM raises Stopped. Elsewhere than in the main thread signals stay as they are."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the end must not be interrupted
        raise Stopped(number)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # only the main thread may say what a signal does
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While inside, standard output goes to standard error, also what is written past Python's own `sys.stdout`."""
    out, err = sys.stdout, sys.stderr
    out.flush()
    kept = _descriptor(1)
    try:
        if kept is not None:
            os.dup2(2, 1)
        with contextlib.redirect_stdout(err):
            yield
    finally:
        err.flush()
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _descriptor(number: int) -> int | None:
    """A copy of an open file descriptor, None if it is closed."""
    try:
        return os.dup(number)
    except OSError:
        return None
