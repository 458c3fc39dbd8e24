"""How a back-end is to die: plain data for `virtual_backends`, which does it. Nothing here runs."""

from __future__ import annotations

from collections.abc import Callable

MOMENTS = ("before-commit", "before-replies", "after-first-reply")


class Crash:
    """How a back-end dies: in the first group after `at` that handles `action` (any group if empty), and for how long.

    moment: `before-commit` (staged work is gone), `before-replies` (committed, no reply got out), `after-first-reply`.
    `happened(died_at, back_at)` is called when it does. Without an action it lives on for `groups` groups more, so that it
    dies in the middle of its own work. A crash that comes due while the back-end is down already waits
    until it is back; one that never meets its moment does not happen.
    """

    __slots__ = ("action", "at", "down_for", "groups", "happened", "moment")

    def __init__(
        self,
        at: int,
        moment: str,
        action: str,
        down_for: int,
        happened: Callable[[int, int], None],
        groups: int = 0,
    ) -> None:
        if moment not in MOMENTS:
            raise ValueError(f"unknown crash moment {moment!r}")
        self.at = at
        self.moment = moment
        self.action = f'"{action}"'.encode() if action else b""
        self.down_for = down_for
        self.happened = happened
        self.groups = groups
