"""A folder of results that belong to no single run: figures and their page, each whole or not at all.

What somebody else put there is never touched. Nothing here may know what is in the files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sim.errors import BadInput


def free_place(place: Path, marker: str, what: str) -> Path:
    """The place itself. Raises BadInput unless it is new, empty, or holds the `marker` of another `what`."""
    if place.is_dir() and any(place.iterdir()) and not (place / marker).is_file():
        raise BadInput(place, None, f"holds something that no {what} has written", "a folder that is empty or new")
    if place.exists() and not place.is_dir():
        raise BadInput(place, None, "is no folder", "a folder that is empty or new")
    return place


def write_results(place: Path, texts: Mapping[str, str]) -> None:
    """Write these files into the folder, in this order. Raises BadInput if that cannot be."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            partial = place / f"{name}.{os.getpid()}.partial"
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, place / name)
    except OSError as err:
        problem = f"cannot be written ({err.strerror})"
        raise BadInput(place, None, problem, "a folder that this user may write to") from None


def must_be_new(place: Path, option: str) -> None:
    """Raises BadInput if there is something; `option` is how the user named the place."""
    if place.exists():
        raise BadInput("command line", f"{option} {place}", "is there already", "a folder that does not exist yet")


def write_new(place: Path, texts: Mapping[str, str], option: str) -> None:
    """Write these files into a folder that does not exist yet, all or none: beside it, then renamed.

    `option` is how the user named the folder. Raises BadInput if there is something, or if it cannot be.
    """
    must_be_new(place, option)
    partial = place.with_name(f"{place.name}.partial")
    try:
        partial.mkdir(parents=True)
        for name, text in texts.items():
            (partial / name).write_text(text, encoding="utf-8")
        partial.rename(place)
    except OSError as err:
        problem = f"cannot be written ({err.strerror})"
        raise BadInput("command line", f"{option} {place}", problem, "a new folder") from None
