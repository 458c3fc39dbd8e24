"""What went wrong, and whose mistake it is.

Bad input of a user becomes one clear sentence and exit code 2. Our own mistakes are ordinary exceptions and raise
loudly; what a peer sends over the wire never becomes an exception of this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_NAMES = 12


class BadInput(Exception):
    """A user handed us something we cannot use: a file, a key, a name, a value.

    `file` says where (a file name, or the command line), `place` the key path, line or column inside it, `problem` what
    is wrong there, `allowed` what would have been right (a text, or the values). `str()` is the one sentence for the
    user.
    """

    def __init__(
        self,
        file: object = None,
        place: object = None,
        problem: str = "is not usable",
        allowed: str | Iterable[object] | None = None,
    ) -> None:
        self.file = "" if file is None else str(file)
        self.place = "" if place is None else str(place)
        self.problem = _one_line(problem)
        self.allowed = _one_line(_listed(allowed))
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """File, place, problem and what is allowed, in one sentence of one line."""
        where = ", ".join(_one_line(part) for part in (self.file, self.place) if part)
        text = f"{where}: {self.problem}" if where else self.problem
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return text if text.endswith((".", "!", "?")) else text + "."

    def __str__(self) -> str:
        return self.sentence()


class BackEndRaised(Exception):
    """The code of a back-end under test raised or did what no back-end does. `__cause__` holds the error, if it raised.

    `role` names the back-end, `doing` what it was asked to do, `problem` what happened. A runtime raises it, whoever
    wrote the back-end; who knows that decides whose mistake it is.
    """

    def __init__(self, role: str, doing: str, problem: str, when: str) -> None:
        self.role = role
        self.doing = doing
        self.problem = problem
        super().__init__(f"back-end {role}, while {doing} at {when}: {problem}")


class TargetFailed(Exception):
    """A back-end that is not ours failed in the middle of a run: neither our own mistake nor a finding of a check."""


class StoreFailed(Exception):
    """What a back-end keeps its books in is gone, full or broken: neither our mistake nor a user's. Its text is a sentence.

    What was to be written is there wholly or not at all; who meets it serves nobody any more.
    """


def need(fits: bool, file: str, place: str, problem: str, allowed: str | Iterable[str]) -> None:
    """Nothing if a user's input `fits`; raises BadInput if it does not."""
    if not fits:
        raise BadInput(file, place, problem, allowed)


def unknown(what: str, name: str, known: Iterable[str], see: str = "", more: str = "") -> tuple[str, str]:
    """Problem and allowed of a name that there is not: the nearest one is suggested, the others follow in their order.

    `see` says where all of them are to be found, and shortens a long list; `more` is what may stand there besides.
    """
    names = sorted(known)
    lower = {one.lower(): one for one in reversed(names)}
    near = sorted(difflib.get_close_matches(name.lower(), [*lower], n=9), key=lambda one: (-_likeness(name, one), one))
    problem = f"there is no {what} {name!r}" + (f" (did you mean {lower[near[0]]}?)" if near else "")
    allowed = ", ".join(names)
    if see and len(names) > _MOST_NAMES:
        allowed = f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more, see {see}"
    allowed = allowed or f"nothing, because there is no {what} at all"
    return problem, f"{allowed}, or {more}" if more else allowed


def _likeness(name: str, other: str) -> float:
    """How alike two names are, from 0 to 1; of those that are equally alike, the first is meant."""
    return difflib.SequenceMatcher(None, name.lower(), other).ratio()


def raised(error: BaseException) -> str:
    """An error in one line: `ValueError: no such tariff`."""
    if isinstance(error, StoreFailed):
        return _one_line(str(error))
    return _one_line(f"{type(error).__name__}: {error}") if str(error) else type(error).__name__


def _listed(allowed: str | Iterable[object] | None) -> str:
    if allowed is None:
        return ""
    if isinstance(allowed, str):
        return allowed
    return ", ".join(str(one) for one in allowed)


def _one_line(text: str) -> str:
    return " ".join(text.split())
