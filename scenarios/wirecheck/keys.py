"""The file of public keys that signed readings are held against: JSON, or a name and a key on each line."""

from __future__ import annotations

import json
from pathlib import Path

from sim.errors import BadInput, need
from sim.wire.keys import BadKey, public_key

ALLOWED = 'JSON as {"METER or STATION": "KEY"}, or lines as METER KEY; keys as OCMF gives them (hex or base64)'


def read_keys(path: Path) -> dict[str, str]:
    """Public keys by meter or station. Raises BadInput for a file or key that cannot be used."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise BadInput(path, None, f"cannot be read ({err})", ALLOWED) from err
    keys = _from_json(path, text) if text.lstrip().startswith("{") else _from_lines(path, text)
    need(bool(keys), str(path), "", "holds no key", ALLOWED)
    for name, key in keys.items():
        try:
            public_key(key)
        except BadKey as bad:
            raise BadInput(path, name, str(bad), ALLOWED) from bad
    return keys


def _from_json(path: Path, text: str) -> dict[str, str]:
    try:
        keys = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise BadInput(path, None, f"is no JSON ({err})", ALLOWED) from err
    wrong = next((name for name, key in keys.items() if not isinstance(key, str)), None)
    need(wrong is None, str(path), str(wrong), "the key is no text", ALLOWED)
    return {str(name): key for name, key in keys.items()}


def _from_lines(path: Path, text: str) -> dict[str, str]:
    keys = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            need(len(words) == 2, str(path), f"line {number}", f"has {len(words)} words", ALLOWED)
            keys[words[0]] = words[1]
    return keys
