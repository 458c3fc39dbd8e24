"""The shape of what an operation brings, looked at before anything is done: whoever asks is outside the house.

A value of the wrong kind is the caller's mistake and gets a sentence; what raises after this look is ours, and stops us.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from sim.errors import BadInput

_NOT_READABLE = (TypeError, ValueError, AttributeError, ArithmeticError, LookupError)


def well_shaped(kind: str, args: Mapping[str, Any]) -> None:
    """Raises BadInput naming the argument."""
    objects = [("terms", args.get("terms", {}))]
    if kind == "call":  # that of a webhook is the text that was signed
        objects.append(("payload", args.get("payload") or {}))
    for name, value in objects:
        if not isinstance(value, Mapping):
            raise BadInput(kind, name, f"{value!r:.60} is no object", "an object")
    rows = args.get("rows", ())
    if not isinstance(rows, list | tuple):
        raise BadInput(kind, "rows", f"{rows!r:.60} is no list", "a list of objects")
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise BadInput(kind, f"rows[{number}]", f"{row!r:.60} is no row", "an object")
    connector = args.get("connector", 0)
    if not str(connector).isdecimal():
        raise BadInput(kind, "connector", f"{connector!r:.60} is no whole number", "0, 1, 2, ...")
    try:
        msgspec.msgpack.encode(args, enc_hook=_as_dict)
    except (ValueError, OverflowError, TypeError, RecursionError) as err:
        raise BadInput(kind, "", f"it holds what no database can keep: {err}", "texts, numbers of 64 bits") from None


def _as_dict(value: Any) -> dict[Any, Any]:
    """A mapping of any kind as a dict. Raises TypeError for what is none."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is neither text, number, list nor object")


@contextmanager
def reading(kind: str, number: int) -> Iterator[None]:
    """While a row is read and nothing is written yet, whatever is raised means that the row is wrong. Raises BadInput."""
    try:
        yield
    except BadInput:
        raise
    except _NOT_READABLE as err:
        problem = f"it cannot be read: {type(err).__name__} {err}"
        raise BadInput("provision", f"{kind}[{number}]", problem, "rows as the instruction sheet has them") from None
