"""Real chance, for what must not be guessed or repeated: tokens of servers and the salt of a run. Never in virtual time."""

from __future__ import annotations

import secrets


def secret_text() -> str:
    """A text that nobody guesses, safe in a URL and a header."""
    return secrets.token_urlsafe(24)


def run_salt() -> str:
    """What makes the ids of this run different from those of any other."""
    return secrets.token_hex(8)


def random_bytes(count: int) -> bytes:
    """So many bytes that nobody guesses."""
    return secrets.token_bytes(count)
