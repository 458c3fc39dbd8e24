"""Where the bytes of a book come from: files beside the target file, or pages of an HTTP API.

A file that is not there, or an answer that is none, is Unreadable with its name: what was not read is never empty.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scenarios.targets.cells import ABSENT, Get, Unreadable
from scenarios.targets.http import Http
from scenarios.targets.model import Book
from sim.errors import BadInput

MOST_PAGES = 10_000


class Sources:
    """Reads files and addresses of one target; `http` is None where it names no API."""

    def __init__(self, folder: Path, http: Http | None) -> None:
        self._folder = folder
        self._http = http

    def texts(self, book: Book) -> Iterator[tuple[str, str]]:
        """Name and text of each file, or of the one address, of a book. Raises Unreadable."""
        if not book.path:
            answer = self._ask(book.url, {})
            yield answer[0], answer[1]
            return
        for path in self._files(book.path):
            try:
                yield str(path), path.read_text(book.encoding)
            except (OSError, UnicodeDecodeError, LookupError) as err:
                raise Unreadable(f"{path} cannot be read ({err})") from None

    def pages(self, url: str, page_size: int) -> Iterator[tuple[str, str]]:
        """Name and text of every page of an OCPI list, by its `Link: <...>; rel="next"`. Raises Unreadable."""
        name, text, following = self._ask(url, {"offset": 0, "limit": page_size})
        yield name, text
        seen = {name: None}
        while following:
            if following in seen or len(seen) > MOST_PAGES:
                raise Unreadable(f"{url} names the page {following} again and again")
            seen[following] = None
            name, text, following = self._ask(following, {})
            yield name, text

    def _files(self, pattern: str) -> list[Path]:
        place = str(self._folder / pattern)
        found = sorted(glob.glob(place)) if glob.has_magic(pattern) else [place]
        if not found:
            raise Unreadable(f"there is no file {place}")
        return [Path(one) for one in found]

    def _ask(self, url: str, params: dict[str, str | int]) -> tuple[str, str, str | None]:
        try:
            if self._http is None:
                with Http(url) as lone:
                    answer = lone.get("", params)
            else:
                answer = self._http.get(url, params)
        except BadInput as err:
            raise Unreadable(str(err)) from None
        return url, answer.text, answer.following


def look(data: Any) -> Get:
    """How to look into JSON by a dotted path; numbers are places in a list."""

    def get(path: str) -> Any:
        here = data
        for part in path.split("."):
            if isinstance(here, dict) and part in here:
                here = here[part]
            elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
                here = here[int(part)]
            else:
                return ABSENT
        return here

    return get
