"""audit.html: an audit on one page with nothing outside of it. Decides nothing; all of it stands in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports import words
from reports.html import cards
from sim.pages import render

_TEMPLATE = Path(__file__).parent / "templates" / "audit.html"
WORDS = {"PASS": "holds", "FAIL": "broken", "UNKNOWN": "could not be judged", "NOT_APPLICABLE": "nothing to examine"}


def headline(data: Mapping[str, Any]) -> str:
    """The audit in one sentence."""
    count = sum(len(one["findings"]) for one in data["claims"])
    records = words.plural(data["records"], "record")
    if count:
        return f"{words.plural(count, 'finding')} in {records}."
    if data["verdict"] == "UNKNOWN":
        return f"Nothing wrong in {records}, and not everything could be judged."
    return f"Every cent of {records} is explained."


def page(data: Mapping[str, Any]) -> str:
    """The whole page as HTML text."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for one in data["prices"]:
        if one["kind"]:
            kinds.setdefault(one["kind"], []).append(one)
    context = {"data": data, "headline": headline(data), "words": WORDS, "kinds": kinds}
    return cards(render(_TEMPLATE, filters={"n": words.number, "plural": words.plural}, **context))
