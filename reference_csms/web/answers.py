"""Answers of the API: JSON with exact decimals, and problems (RFC 9457) in one sentence. Never a traceback or a secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from sim.errors import BadInput

PROBLEM = "application/problem+json"
JSON = "application/json"
encode = msgspec.json.Encoder(decimal_format="number").encode
"""Decimals leave as JSON numbers with the digits that they have: 5.40 stays 5.40."""


class Problem(Exception):
    """Why a request is not answered as asked. `field` names what is wrong, `allowed` what would be right."""

    def __init__(
        self,
        status: int,
        detail: str,
        code: str | None = None,
        field: str | None = None,
        allowed: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.field = field
        self.allowed = allowed
        self.headers = dict(headers or {})


def wrong(field: str, problem: str, allowed: str | Iterable[object] | None, status: int = 422) -> Problem:
    """A value that cannot be used: one sentence that names the field and what is allowed."""
    sentence = BadInput(None, field, problem, allowed)
    return Problem(status, str(sentence), "bad-input", field, sentence.allowed or None)


def from_bad_input(err: BadInput) -> Problem:
    """The problem of a mistake that a room behind the API found."""
    return Problem(422, str(err), "bad-input", err.place or None, err.allowed or None)


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(encode(content), status, dict(headers or {}), JSON)


def problem_answer(problem: Problem) -> Response:
    """A problem as its answer."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    more = {"code": problem.code, "field": problem.field, "allowed": problem.allowed}
    content |= {name: value for name, value in more.items() if value is not None}
    return Response(encode(content), problem.status, problem.headers, PROBLEM)
