"""Processes of our own that play a day: started with our own modules, told what to do on standard input.

They answer on standard output. Nothing here may know what is played, and no process may outlive whoever started it. Not by
`scenarios.processes`: a hash seed is chosen when Python starts, and a worker of a cluster may have no children of that kind.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

_PATH = "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer)"
_CHILD = _PATH + "; from {module} import main; sys.exit(main())"
"""Our own path comes first, so that the target's module is found, and no other module `scenarios` of the user's folder."""


def packed(work: Any) -> bytes:
    """What a child is told, with the path that it finds its modules by. Raises whatever the object's own code raises."""
    return pickle.dumps(sys.path) + pickle.dumps(work)


def unpacked() -> Any:
    """In the child: what its parent told it. Our own parent wrote it."""
    return pickle.load(sys.stdin.buffer)


def start(module: str, work: bytes, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A process in which `main` of that module runs; what it has to say comes with its answer, not on standard error."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CHILD.format(module=module)],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is dead already: its exit code will say so
            process.stdin.write(work)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    except BaseException:
        stop(process)
        raise
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it if it still runs, and close what is open to it."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
