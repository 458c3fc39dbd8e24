"""What the house asks of stations, free of versions: each version says how it is written.

Made into bytes by `reference_csms.calls`; nothing here sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Order = tuple[str, Mapping[str, Any]]
"""Action and payload of a request."""


class Orders(Struct, frozen=True):
    """How one version writes them.

    `start` (token, connector, number of the start) and `stop` (transaction id) are the remote ones, `write` (setting,
    value) sets one of the settings of 1.6 (None: this version has none), `written` reads the status from its answer.
    `numbered`: whether a remote start has a number of its own. `remote` are the actions that need an accepted station,
    `token_of` the token that a request would start with, and `installs` what a request leaves in a station, in the words
    of `reference_csms.installed`.
    """

    start: Callable[[str, int, int], Order]
    stop: Callable[[object], Order]
    write: Callable[[str, str], Order | None]
    written: Callable[[Mapping[str, Any]], str]
    remote: frozenset[str]
    token_of: Callable[[str, Mapping[str, Any]], str | None]
    installs: Callable[[str, Mapping[str, Any]], tuple[str, Mapping[str, Any]] | None]
    numbered: bool = False
