"""Takes passwords out of what is shown: values of keys that hold one, passwords in addresses. It never changes a store."""

from __future__ import annotations

import re
from typing import Any

import msgspec

HIDDEN = "(hidden)"
_SECRET = re.compile(r"authorization_?key|passw|secret|private_?key", re.IGNORECASE)
"""Keys that are written and never read (OCPP 1.6 security: AuthorizationKey; 2.0.1: BasicAuthPassword)."""
_ADDRESS = re.compile(r"(\w://[^/\s:@\"]*:)[^/\s@\"]+@")


def hidden(value: Any) -> Any:
    """A decoded JSON value without its secrets."""
    if isinstance(value, str):
        return _ADDRESS.sub(rf"\g<1>{HIDDEN}@", value) if "://" in value else value
    if isinstance(value, list | tuple):
        return [hidden(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = value.get("key"), value.get("name"), (value.get("variable") or {})
    names = [*named[:2], named[2].get("name") if isinstance(named[2], dict) else None]
    secret = any(isinstance(name, str) and _SECRET.search(name) for name in names)
    return {
        key: HIDDEN
        if isinstance(one, str) and (_SECRET.search(str(key)) or (secret and key in ("value", "attributeValue")))
        else hidden(one)
        for key, one in value.items()
    }


def hidden_text(text: str) -> str:
    """A JSON text without its secrets; the very text if it holds none, so that exact frames stay exact.

    One that is no JSON and may hold a secret is not shown at all.
    """
    if _SECRET.search(text) is None and _ADDRESS.search(text) is None:
        return text
    try:
        return msgspec.json.encode(hidden(msgspec.json.decode(text))).decode()
    except (msgspec.DecodeError, RecursionError):
        return HIDDEN
