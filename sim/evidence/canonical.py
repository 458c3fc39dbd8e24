"""One text for one value: the canonical JSON that digests and evidence rows are made of.

Never accepts a float: energies, instants and money are whole numbers, everything finer is decimal text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

Scalar = int | str | None


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical(value: Any) -> str:
    """JSON with sorted keys, no blanks and unescaped text. Raises TypeError for a float or a foreign type."""
    return _encode(_plain(value))


def canonical_row(row: Sequence[Scalar]) -> str:
    """As `canonical`, for what is made of scalars already."""
    return _encode(row)


def scalar(value: Any) -> Scalar:
    """A value as SQLite holds it: whole number, text or NULL; lists and objects become canonical JSON.

    Raises TypeError for a float or a foreign type.
    """
    if value is None or type(value) is int or type(value) is str:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return canonical(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item) for item in value]
    raise TypeError(f"evidence holds no {type(value).__name__} ({value!r})")
