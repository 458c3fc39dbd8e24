"""HTML from templates: the one door to jinja2.

Everything that goes into a page is escaped, and a name that the data lacks is an error, never a hole. Pages are
self-contained: this module loads templates from files, and nothing else from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

__all__ = ["Markup", "render"]

Filters = tuple[tuple[str, Callable[..., Any]], ...]


def render(template: str | Path, /, *, filters: Mapping[str, Callable[..., Any]] | None = None, **data: Any) -> str:
    """The page of a template: a Path is read as a file (it may include its neighbours), a text is the template itself.

    `filters` are functions that the template may use after a `|`; the same functions each time make it fast. Wrap text
    that is HTML already in `Markup`. Raises jinja2.UndefinedError for a name that is not in `data`.
    """
    extra: Filters = tuple(sorted((filters or {}).items()))
    if isinstance(template, Path):
        found = _environment(template.parent, extra).get_template(template.name)
    else:
        found = _environment(None, extra).from_string(template)
    return found.render(**data)


@lru_cache(maxsize=32)
def _environment(folder: Path | None, filters: Filters) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder) if folder is not None else None,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    return environment
