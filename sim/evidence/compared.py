"""What a replay has to tell: per action how many answers were the same, and each that was not."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from msgspec import Struct

from sim.evidence.sameness import Difference, Ids, Ignore, differences
from sim.evidence.script import Answer, Ask, Talk

NO_ANSWER = "(no answer)"


class Told(Struct, frozen=True):
    """One difference: which call of which station (`line` of the trace), where in its answer, and both values."""

    line: int
    station: str
    action: str
    path: str
    recorded: Any
    new: Any


class Tally(Struct):
    """The calls of one action: `unknown` ones have no recorded answer to compare with."""

    asked: int = 0
    same: int = 0
    different: int = 0
    unanswered: int = 0
    unknown: int = 0


class Comparison:
    """All answers of one replay. `told` are the back-end's own calls by what became of them."""

    def __init__(self, ignore: Ignore) -> None:
        self.ignore = ignore
        self.actions: dict[str, Tally] = {}
        self.differences: list[Told] = []
        self.problems: Counter[str] = Counter()
        self.told: dict[str, Counter[str]] = {}

    @property
    def compared(self) -> int:
        """How many answers came that could be compared."""
        return sum(one.same + one.different for one in self.actions.values())

    @property
    def unanswered(self) -> int:
        """How many calls got an answer in the trace and none now."""
        return sum(one.unanswered for one in self.actions.values())

    def answer(self, talk: Talk, ask: Ask, new: Answer | None, ids: Ids, why: str = "") -> None:
        """What came back to a call; None for nothing, and `why` if it could not even be sent."""
        tally = self.actions.setdefault(ask.action, Tally())
        tally.asked += 1
        if new is None:
            self._silent(talk, ask, ids, why, tally)
            return
        if ask.answer is None:
            tally.unknown += 1
            return
        found = [
            one for one in self._differences(ask.answer, new, ids) if not self.ignore.ignores(ask.action, one.path)
        ]
        tally.same += not found
        tally.different += bool(found)
        self.differences += [Told(ask.n, talk.station, ask.action, one.path, one.recorded, one.new) for one in found]

    def own_call(self, action: str, what: str) -> None:
        """A call of the back-end: `recorded` (it stands in the trace), `as recorded`, `refused`."""
        self.told.setdefault(action, Counter())[what] += 1

    def as_data(self) -> dict[str, Any]:
        """As --json tells it."""
        return {
            "actions": {
                name: {key: getattr(one, key) for key in one.__struct_fields__}
                for name, one in sorted(self.actions.items())
            },
            "differences": [{key: getattr(one, key) for key in one.__struct_fields__} for one in self.differences],
            "ignored": self.ignore.hits,
            "back_end_calls": {name: dict(one) for name, one in sorted(self.told.items())},
            "problems": dict(self.problems),
        }

    def _silent(self, talk: Talk, ask: Ask, ids: Ids, why: str, tally: Tally) -> None:
        if ask.answer is None:
            tally.unknown += 1
            return
        tally.unanswered += 1
        recorded = ask.answer.code or decoded(ask.answer.payload)
        if isinstance(recorded, dict) and "transactionId" in recorded:
            ids.forget("transactionId", recorded["transactionId"])
        self.differences.append(Told(ask.n, talk.station, ask.action, "$", recorded, why or NO_ANSWER))

    @staticmethod
    def _differences(recorded: Answer, new: Answer, ids: Ids) -> list[Difference]:
        if recorded.code or new.code:
            if recorded.code == new.code:
                return []
            return [Difference("$", recorded.code or decoded(recorded.payload), new.code or decoded(new.payload))]
        return [*differences(decoded(recorded.payload), decoded(new.payload), ids, (recorded.at, new.at))]


def decoded(payload: str) -> Any:
    """The value of a payload; the text itself if it is no JSON all the way down."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload
