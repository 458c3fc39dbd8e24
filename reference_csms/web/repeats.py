"""Idempotency keys: the same key and request gets the first answer again, within this process. Nothing is done twice."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from reference_csms.web.answers import Problem, problem_answer, wrong

HEADER = "Idempotency-Key"
MOST_KEPT = 10_000
_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)


class Repeats:
    """The first answers, the newest of them. One that failed by our own mistake is not kept."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, str], tuple[bytes, Response | None]] = OrderedDict()

    async def once(
        self, who: str, key: str | None, request: bytes, make: Callable[[], Awaitable[Response]]
    ) -> Response:
        """The answer to a request, made unless it was made before. Raises Problem 409 and 422.

        `who` keeps the keys of different tokens apart; a Problem of `make` is an answer like any other, since some of
        them say that it may have happened.
        """
        if key is None:
            return await make()
        if _KEY.fullmatch(key) is None:
            raise wrong(HEADER, "cannot be used", "1 to 200 visible ASCII characters")
        place, digest = (who, key), hashlib.sha256(request).digest()
        known = self._kept.get(place)
        if known is not None:
            same, first = known
            if same != digest:
                raise wrong(HEADER, "was used for another request", "a new key for a new request")
            if first is None:
                raise Problem(
                    409, "The first request with this Idempotency-Key is still under way.", "under-way", HEADER
                )
            return first
        self._kept[place] = (digest, None)
        try:
            made = await make()
        except Problem as problem:
            made = problem_answer(problem)
        except BaseException:
            del self._kept[place]
            raise
        self._kept[place] = (digest, made)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return made
