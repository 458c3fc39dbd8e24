"""`chargerig list faults` and `list quirks`: every kind with its fields, defaults and units, for people and for machines.

It prints what the catalogue of kinds says and knows nothing of its own.
"""

from __future__ import annotations

from typing import Any

from fleet.quirks import QUIRKS
from scenarios.cli_screen import lines, names
from scenarios.faults.kinds import KINDS
from scenarios.faults.telling import lesson

_INTRO = """A fault is a table [[fault]] of a scenario: kind, id, where, when (or at), for (or lasts), and its own fields.
Most may also have repeat, and those of stations release. where narrows down whom it may hit: count, or share ("2 %"); site,
station (a pattern), backend, profile, version, moving; busy (false: also where nobody is), sender (whose message it was);
action and partner.
"""
_COMMON = ("when", "date", "repeat", "release")


def lessons() -> list[dict[str, Any]]:
    """Every kind of fault with all that is to be known of it."""
    return [lesson(kind) for kind in KINDS.values()]


def kinds() -> None:
    """Every kind of fault, by group, with the fields it needs and may have."""
    rows = lessons()
    lines([_INTRO])
    for group in dict.fromkeys(row["group"] for row in rows):
        lines([group.upper()])
        names({row["name"]: _told(row) for row in rows if row["group"] == group})
        lines([""])
    lines(["FIELDS"])
    names({field["name"]: field["meaning"] for row in rows for field in row["fields"]})


def _told(row: dict[str, Any]) -> str:
    needs = [field["name"] for field in row["fields"] if field["needed"]]
    may = [_optional(field) for field in row["fields"] if not field["needed"] and field["name"] not in _COMMON]
    said = f"; needs {', '.join(needs)}" if needs else ""
    return row["sentence"] + said + (f"; may have {', '.join(may)}" if may else "")


def _optional(field: dict[str, Any]) -> str:
    return field["name"] if field["default"] is None else f"{field['name']} ({field['default']})"


def quirk_rows() -> list[dict[str, Any]]:
    """Every quirk with the public threads that report it."""
    return [
        {"name": one.name, "sentence": one.what, "versions": list(one.versions), "sources": list(one.sources)}
        for one in QUIRKS.values()
    ]
