"""The edge of the Stripe fake: errors in Stripe's shape, idempotency keys, and what a call of the API is.

Instants inside Stripe's objects are whole seconds since 1970, as in its API; everything that leaves as a statement is in ms.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sim.clock import DAY, Instant
from sim.partners.party import Wrong, dict_of, fingerprint, whole_of
from sim.partners.port import Request, Response

Object = dict[str, Any]
KEY_LIFE = DAY
"""How long a key is kept: at least 24 h (docs.stripe.com/api/idempotent_requests). A retry later is a new charge."""
LONGEST_KEY = 255
_CLAUSE = re.compile(r"""metadata\[(['"])(?P<name>[^'"]+)\1\]\s*:\s*(['"])(?P<value>[^'"]*)\3""")
_READS = ("retrieve", "list", "search")


class Call(Struct, frozen=True):
    """One call under execution. `account` is the Stripe-Account header, "" the platform itself."""

    params: Mapping[str, Any]
    account: str
    key: str | None
    now: Instant


class StripeError(Exception):
    """A call that Stripe answers with an error. `stored`: the result is kept under the key, since execution had begun."""

    def __init__(
        self, status: int, kind: str, message: str, code: str | None = None, *, stored: bool = True, **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        error = {"type": kind, "code": code, "message": message, **more}
        self.body = {"error": {name: value for name, value in error.items() if value is not None}}

    def response(self) -> Response:
        """As Stripe answers it."""
        return Response(self.status, self.body)


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    """Parameters that fail validation: nothing was executed, nothing is stored."""
    return StripeError(400, "invalid_request_error", message, code, stored=False, param=param)


def refused(message: str, code: str, **more: Any) -> StripeError:
    """A call that was understood and cannot be done in this state."""
    return StripeError(400, "invalid_request_error", message, code, **more)


def missing(kind: str, name: str, param: str = "id") -> StripeError:
    """An object that is not there, or not visible to this account."""
    return StripeError(
        404, "invalid_request_error", f"No such {kind}: '{name}'", "resource_missing", stored=False, param=param
    )


def wrong(err: Wrong) -> StripeError:
    """A parameter that cannot be used."""
    code = "parameter_missing" if str(err).startswith("Missing") else "parameter_invalid"
    return invalid(str(err), err.param, code)


def snapshot(value: Object) -> Object:
    """A copy that later changes do not reach."""
    return copy.deepcopy(value)


def seconds(at: int) -> int:
    """An instant as Stripe writes it."""
    return at // 1000


def listing(objects: list[Object], url: str) -> Object:
    """A list object, everything on one page."""
    return {"object": "list", "url": url, "has_more": False, "data": [snapshot(one) for one in objects]}


def query_of(query: str) -> list[tuple[str, str]]:
    """The names and values of a search query over metadata. Raises StripeError for a query that is none."""
    found = [_CLAUSE.fullmatch(part.strip()) for part in re.split(r"\s+AND\s+", query)]
    if not all(found):
        raise invalid("We were unable to parse your search query: it takes metadata['name']:'value'.", "query")
    return [(match["name"], match["value"]) for match in found if match]


def page_of(objects: list[Object], params: Mapping[str, Any], url: str) -> Object:
    """One page of a list, newest first: `created[gte]` in seconds, `limit` of 1 to 100, `starting_after` an id."""
    limit = whole_of(params, "limit", 10)
    if limit > 100:
        raise invalid("Limit can range between 1 and 100.", "limit")
    since = whole_of(dict_of(params, "created"), "gte", 0, 0)
    found = [one for one in objects if one["created"] >= since]
    after = params.get("starting_after")
    if after is not None:
        place = next((place for place, one in enumerate(found) if one["id"] == after), None)
        if place is None:
            raise missing("object", str(after), "starting_after")
        found = found[place + 1 :]
    return {**listing(found[:limit], url), "has_more": len(found) > limit}


class _Kept(Struct, frozen=True):
    digest: str
    response: Response
    at: Instant


class Keys:
    """Idempotency keys of all accounts: which are in use now, and the first result of each."""

    def __init__(self, life: int = KEY_LIFE) -> None:
        if life < KEY_LIFE:
            raise ValueError("keys are kept for at least 24 h")
        self._life = life
        self._busy: dict[tuple[str | None, str], str] = {}
        self._kept: dict[tuple[str | None, str], _Kept] = {}

    def begin(self, request: Request, now: Instant) -> Response | None:
        """Judge the key of a request that arrives: the stored result, an error, or None to execute it."""
        slot = self._slot(request)
        if slot is None:
            return None
        if not 0 < len(slot[1]) <= LONGEST_KEY:
            return invalid(f"Idempotency keys have 1 to {LONGEST_KEY} characters.").response()
        if slot in self._busy:
            message = "There is currently another in-progress request using this Idempotent Key."
            return StripeError(409, "idempotency_error", message, "idempotency_key_in_use").response()
        digest = fingerprint(request)
        kept = self._kept.get(slot)
        if kept is not None and now - kept.at < self._life:
            if kept.digest != digest:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                return StripeError(400, "idempotency_error", message).response()
            return Response(kept.response.status, snapshot(kept.response.body))
        self._busy[slot] = digest
        return None

    def end(self, request: Request, response: Response, stored: bool, now: Instant) -> None:
        """The request is done; its result is kept unless it never began to execute."""
        slot = self._slot(request)
        if slot is not None:
            self._busy.pop(slot, None)
            if stored:
                self._kept[slot] = _Kept(fingerprint(request), Response(response.status, snapshot(response.body)), now)

    def _slot(self, request: Request) -> tuple[str | None, str] | None:
        if request.key is None or request.api.rsplit(".", 1)[-1] in _READS:
            return None
        return request.account, request.key
