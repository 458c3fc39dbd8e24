"""A sweep on a cluster of dask.distributed. The one door to it, imported only when `--cluster` asks.

Each task is played by a fresh process of the worker's machine, so threads of a worker share nothing and a worker gives its
memory back. Workers need chargerig installed in the same version, and the target under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from scenarios.sweep.sweep import Stream
from scenarios.sweep.task import Outcome, Task, in_a_process
from sim.errors import BadInput, raised

_PATIENCE_S = 10
"""How long a scheduler may take to answer at first."""


def on_cluster(address: str) -> Stream:
    """Plays tasks at the workers of the scheduler at this address, as tcp://host:8786. Raises BadInput."""
    try:
        from distributed import Client
    except ImportError:
        needs = "pip install 'chargerig[cluster]'"
        raise BadInput("command line", "--cluster", "dask.distributed is not installed here", needs) from None
    try:
        client = Client(address, timeout=_PATIENCE_S)
    except (OSError, ValueError, TimeoutError) as err:
        problem = f"no scheduler answers at {address} ({raised(err)})"
        raise BadInput("command line", "--cluster", problem, "the address of one, as tcp://127.0.0.1:8786") from None

    def beside(parts: Sequence[Task]) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        try:
            yield from _heard(client, parts)
        finally:
            with suppress(OSError, TimeoutError):  # it may be gone already
                client.close()

    return beside


def _heard(client: Any, parts: Sequence[Task]) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
    from distributed import as_completed

    futures = {client.submit(in_a_process, part, pure=False): number for number, part in enumerate(parts)}
    try:
        for future in as_completed(list(futures)):
            yield futures[future], future.result()
    finally:
        client.cancel(list(futures))
