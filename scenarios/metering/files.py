"""Files of the user: documents with signed values, keys, registries. One sentence for each that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

from sim.errors import BadInput
from sim.metering.documents import MOST
from sim.metering.registry import Registry, read_registry


def read_text(name: str) -> str:
    """The text of a file, or of the standard input for `-`; bytes that are no UTF-8 are taken as hex. Raises BadInput."""
    try:
        data = sys.stdin.buffer.read(MOST + 1) if name == "-" else Path(name).read_bytes()
    except OSError as err:
        raise BadInput(name, None, f"cannot be read ({err.strerror or err})", "a readable file, or -") from None
    if len(data) > MOST:
        raise BadInput(name, None, "is too large", f"at most {MOST:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.hex()  # a binary record, as meters send it


def key_text(option: str) -> str:
    """The key of `--key`: itself, or the text of the file behind an @. Raises BadInput."""
    return read_text(option[1:]) if option.startswith("@") else option


def registry(file: Path) -> Registry:
    """The registry of a file. Raises BadInput."""
    return read_registry(read_text(str(file)), str(file))
