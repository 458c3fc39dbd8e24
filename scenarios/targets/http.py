"""The one door to httpx: JSON over HTTP with the records and operations API of a back-end, ours or another's.

A server that cannot be reached, refuses, or answers no JSON is a mistake in what the user named: BadInput, which never
repeats the token. Nothing is retried here, and nothing here knows what the JSON means.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx
from msgspec import Struct

from sim.errors import BadInput

TIMEOUT_S = 10.0
"""Seconds that connecting, sending or waiting for the next bytes of an answer may take."""

_MEANING = {401: "the token is missing or wrong", 403: "the token may not do this", 404: "there is nothing there"}
_SHOWN = 200


class Answer(Struct, frozen=True):
    """What a server said: status, text, and the address of the next page if it names one."""

    status: int
    text: str
    following: str | None = None


class NotSent(Exception):
    """The request never left: nothing can have happened. `str()` says why."""


class NoAnswer(Exception):
    """The request left, and no answer came: it may have happened. `str()` says why."""


class Http:
    """A client of one base URL; `token` goes along as a bearer token.

    Close it, or use it in a `with`. Every method raises BadInput, whose `file` is the URL.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise BadInput(base_url, None, "is no URL of an HTTP server", "http://HOST:PORT or https://HOST:PORT")
        sent = {"Accept": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            self._client = httpx.Client(base_url=base_url, headers=sent, timeout=timeout_s)
        except (httpx.InvalidURL, UnicodeEncodeError) as err:
            raise BadInput(base_url, None, "URL or token cannot be used", "a URL and a token in plain ASCII") from err

    def __enter__(self) -> Http:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def get_json(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The JSON that GET answers."""
        return self._ask("GET", path, params=params)

    def post_json(self, path: str, data: Any) -> Any:
        """The JSON that POST with a JSON body answers; None for an empty answer."""
        return self._ask("POST", path, json=data)

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Answer:
        """What GET answers, as text; `path` may be a whole address, of the same server only: the token goes along."""
        answer = self._send("GET", self._own(path), params=params or None)
        link = answer.links.get("next", {}).get("url")
        return Answer(answer.status_code, answer.text, str(answer.url.join(link)) if link else None)

    def _own(self, path: str) -> str:
        base, wanted = self._client.base_url, self._client.base_url.join(path)
        if (wanted.scheme, wanted.host, wanted.port) != (base.scheme, base.host, base.port):
            raise BadInput(path, None, f"leads away from {base}", "an address of the same server")
        return path

    def _ask(self, method: str, path: str, **what: Any) -> Any:
        answer = self._send(method, path, **what)
        if not answer.content and method != "GET":
            return None
        try:
            return answer.json()
        except ValueError as err:
            raise BadInput(str(answer.url), None, "the answer is no JSON", "a URL of a JSON API") from err

    def _send(self, method: str, path: str, **what: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **what)
        except (httpx.HTTPError, httpx.InvalidURL) as err:
            url = str(self._client.base_url)
            raise BadInput(url, None, f"cannot be reached ({type(err).__name__}: {err})", "a running server") from err
        if not answer.is_success:
            meaning = _MEANING.get(answer.status_code) or answer.text[:_SHOWN] or answer.reason_phrase
            raise BadInput(str(answer.url), None, f"{method} was answered {answer.status_code}: {meaning}")
        return answer


class AsyncHttp:
    """As Http, for calls in a running loop, where what the server says is an outcome and no mistake of the user."""

    def __init__(self, base_url: str, *, headers: Mapping[str, str] | None = None) -> None:
        try:
            self._client = httpx.AsyncClient(
                base_url=base_url, headers={"Accept": "application/json", **(headers or {})}
            )
        except (httpx.InvalidURL, UnicodeEncodeError) as err:
            raise BadInput(base_url, None, "URL or headers cannot be used", "a URL and headers in plain ASCII") from err

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def call(self, method: str, path: str, body: Any = None, timeout_s: float = TIMEOUT_S) -> Answer:
        """Any request with a JSON body, whatever is answered. Raises NotSent or NoAnswer, and never BadInput."""
        what: dict[str, Any] = {} if body is None else {"json": body}
        try:
            answer = await self._client.request(method, path, timeout=timeout_s, **what)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL) as err:
            raise NotSent(f"{type(err).__name__}: {err}") from err
        except httpx.HTTPError as err:
            raise NoAnswer(f"{type(err).__name__}: {err}") from err
        return Answer(answer.status_code, answer.text)
