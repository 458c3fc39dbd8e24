"""What a quirk is handed: an own call before it leaves, a request before it is heard, and the answers to both.

Each quirk is a function of one of these, registered under its name, and changes what it is given. It never sends, keeps no
clock and draws nothing: chance is counted ("every tenth"), so that a run stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field


class Memory(Struct):
    """What the quirks of one station remember between frames. `count` is by name, for "every tenth"."""

    station: str
    count: dict[str, int] = field(default_factory=dict)
    accepted: bool = False
    reconnected: bool = False
    remote: bool = False
    orphan_until: int = 0
    hello: dict[str, Any] = field(default_factory=dict)
    starts: dict[int, dict[str, Any]] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    statuses: int = 0
    invented: int = 0

    def every(self, name: str, nth: int) -> bool:
        """Whether this is the nth time of something, the 2nth, ..."""
        self.count[name] = self.count.get(name, 0) + 1
        return self.count[name] % nth == 0


class Own(Struct):
    """A call of the station. `swallow`: it never leaves, and the station gets `fake` as its answer. `also`: calls that are
    made besides, after it. `answer`: what the station hears in place of the true result."""

    action: str
    payload: dict[str, Any]
    now: int
    memory: Memory
    acted: bool = False
    swallow: bool = False
    fake: dict[str, Any] = field(default_factory=dict)
    also: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answer: dict[str, Any] | None = None


class Asked(Struct):
    """A request of the back-end. `silent`: nobody hears it; `reply` or `code`: answered at the edge; `reboot`: afterwards;
    `hang`: so many ms later the connection is given up."""

    action: str
    payload: dict[str, Any]
    now: int
    memory: Memory
    acted: bool = False
    silent: bool = False
    reply: dict[str, Any] | None = None
    code: str = ""
    reboot: bool = False
    hang: int = 0
    also: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


class Reply(Struct):
    """The station's answer to a request. `cut`: so many characters of the frame are missing at its end."""

    action: str
    request: dict[str, Any]
    payload: dict[str, Any]
    memory: Memory
    acted: bool = False
    cut: int = 0


OwnQuirk = Callable[[Own], None]
AskedQuirk = Callable[[Asked], None]
ReplyQuirk = Callable[[Reply], None]
OWN: dict[str, tuple[tuple[str, ...], OwnQuirk]] = {}
ASKED: dict[str, tuple[tuple[str, ...], AskedQuirk]] = {}
REPLIES: dict[str, tuple[tuple[str, ...], ReplyQuirk]] = {}
"""By the name of the quirk: the actions it looks at (none: all), and what it does."""


def own(*actions: str) -> Callable[[OwnQuirk], OwnQuirk]:
    """Registers a quirk of own calls under the name of its function, with hyphens."""

    def register(quirk: OwnQuirk) -> OwnQuirk:
        OWN[quirk.__name__.replace("_", "-")] = (actions, quirk)
        return quirk

    return register


def asked(*actions: str) -> Callable[[AskedQuirk], AskedQuirk]:
    """As `own`, for requests of the back-end."""

    def register(quirk: AskedQuirk) -> AskedQuirk:
        ASKED[quirk.__name__.replace("_", "-")] = (actions, quirk)
        return quirk

    return register


def replies(*actions: str) -> Callable[[ReplyQuirk], ReplyQuirk]:
    """As `own`, for the answers to requests of the back-end."""

    def register(quirk: ReplyQuirk) -> ReplyQuirk:
        REPLIES[quirk.__name__.replace("_", "-")] = (actions, quirk)
        return quirk

    return register
