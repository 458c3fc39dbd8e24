"""Structured logs on standard error: one event per line, as JSON or as text. No password, key or token ever gets here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from sim.clock import Instant, iso

Log = Callable[..., None]
FORMS = ("text", "json")
_encode = msgspec.json.encode


def make_log(form: str, now: Callable[[], Instant]) -> Log:
    """A function `log(event, **fields)`."""

    def as_json(event: str, **fields: Any) -> None:
        sys.stderr.write(_encode({"at": iso(now()), "event": event, **fields}).decode() + "\n")
        sys.stderr.flush()

    def as_text(event: str, **fields: Any) -> None:
        said = " ".join(f"{name}={value}" for name, value in fields.items())
        sys.stderr.write(f"{iso(now())} {event} {said}".rstrip() + "\n")
        sys.stderr.flush()

    return as_json if form == "json" else as_text
