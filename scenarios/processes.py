"""Work spread over processes: a plain function, a list of tasks, one fresh process for each, so many at once.

What a task gives may depend on the task alone, so results do not tell how many ran at the same time. No thread, no
shared memory, no pool that remembers: a process ends with its task and gives its memory back. Whatever ends the caller
ends the processes; an error in one of them is raised here with the name of its task.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection, resource_tracker
from types import ModuleType
from typing import Any, TypeVar

from scenarios.stopping import Stopped, stopping

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE_S = 10
"""How long a process may take to tidy up when it is told to end."""


class TaskFailed(RuntimeError):
    """A task did not come to its end; the message names it, `__cause__` holds what its process had to say."""


class _Said(Exception):
    """The traceback of another process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def spread(
    worker: Callable[[T], R],
    tasks: Sequence[T],
    names: Sequence[str],
    jobs: int,
    *,
    begin: Callable[[int], None] | None = None,
    done: Callable[[int, R], None] | None = None,
    died: Callable[[int, TaskFailed], R] | None = None,
) -> list[R]:
    """`worker(task)` for each task, `jobs` at once, results in the order of the tasks.

    `worker` is a function of a module, tasks and results are pickled. `begin(n)` is called in this process before task n
    is started, `done(n, result)` when it has ended, in whatever order that happens. Raises TaskFailed for the first task
    that raises or whose process dies; the others are ended then. With `died` that is the result of such a task instead.
    """
    results: dict[int, R] = {}
    for number, result in stream(worker, tasks, names, jobs, begin=begin, died=died):
        results[number] = result
        if done is not None:
            done(number, result)
    return [results[number] for number in range(len(tasks))]


def stream(
    worker: Callable[[T], R],
    tasks: Sequence[T],
    names: Sequence[str],
    jobs: int,
    *,
    begin: Callable[[int], None] | None = None,
    died: Callable[[int, TaskFailed], R] | None = None,
) -> Iterator[tuple[int, R]]:
    """The same, one task after the other as they end: number and result. Who closes the stream ends what still runs."""
    waiting = iter(range(len(tasks)))
    running: dict[Any, tuple[int, Any]] = {}
    try:
        while True:
            while len(running) < jobs and (number := next(waiting, None)) is not None:
                if begin is not None:
                    begin(number)
                _start(running, worker, tasks[number], number)
            if not running:
                return
            for pipe in connection.wait(list(running)):
                number, process = running[pipe]
                try:
                    result = _result(pipe, process, names[number])
                except TaskFailed as err:
                    if died is None:
                        raise
                    result = died(number, err)
                del running[pipe]
                yield number, result
    finally:
        _end(running)


def _start(running: dict[Any, tuple[int, Any]], worker: Callable[[T], R], task: T, number: int) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, worker, task))
    with _undisturbed(), _plain_main():
        process.start()
        running[ours] = (number, process)
    theirs.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back Ctrl-C. A process started inside keeps it held back for good: only its parent decides when it ends."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # if it were started inside, it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _plain_main() -> Iterator[None]:
    """Hide the program that the user started. A process would import it first, all commands of the CLI for a second, and a
    worker is a function of a module that needs nothing of it."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _result(pipe: Any, process: Any, name: str) -> Any:
    """What a process has to say at its end. Raises TaskFailed."""
    try:
        good, said, trace = pipe.recv()
    except EOFError:  # it died without a word
        good, said, trace = False, "", ""
    process.join()
    pipe.close()
    if good:
        return said
    if trace:
        raise TaskFailed(f"{name} failed: {said}") from _Said(trace)
    raise TaskFailed(f"{name} failed: its process ended with exit code {process.exitcode}")


def _end(running: dict[Any, tuple[int, Any]]) -> None:
    """Tell all that still run to end, and see that they do."""
    for _, process in running.values():
        process.terminate()
    for pipe, (_, process) in running.items():
        pipe.close()
        process.join(_PATIENCE_S)
        if process.is_alive():
            process.kill()
            process.join()


def _work(pipe: Any, worker: Callable[[T], R], task: T) -> None:
    """The whole life of a process: one task, one answer."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    with suppress(Stopped, BrokenPipeError), stopping():  # told to end, or nobody listens any more
        try:
            answer: tuple[bool, Any, str] = (True, worker(task), "")
        except Exception as err:
            answer = (False, f"{type(err).__name__}: {err}", traceback.format_exc())
        pipe.send(answer)
