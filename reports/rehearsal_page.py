"""rehearsal.html: the forecast on one page with nothing outside of it. Decides nothing; all of it stands in the forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reports import plots, words
from reports.html import cards
from reports.rehearsal import GO, MEASURES, SHORT
from sim.pages import Markup, render

_TEMPLATE = Path(__file__).parent / "templates" / "rehearsal.html"


def headline(told: Mapping[str, Any]) -> str:
    """The verdict in one sentence."""
    waves = told["waves"]
    days = words.plural(len(told["seeds"]), "rehearsed day")
    if len(told["seeds"]) + len(told["failed"]) < told["asked"]:
        days += f" of {words.number(told['asked'])}, stopped early"
    if told["only"]:
        days += f" at {words.listed(told['only'])} only"
    if told["verdict"] == GO:
        return f"Go: {days}, and nothing speaks against it."
    bad = [str(wave["wave"]) for wave in waves if wave["verdict"] != GO]
    which = f", wave {' and '.join(bad)}" if bad and len(bad) < len(waves) else ""
    return f"No-go{which}: {days}, and something speaks against it."


def page(told: Mapping[str, Any]) -> str:
    """The whole page as HTML text."""
    hours = {site: one for site, one in told["hours"].items() if one["rows"]}
    context = {
        "told": told,
        "headline": headline(told),
        "go": told["verdict"] == GO,
        "measures": MEASURES,
        "short": SHORT,
        "spreads": Markup(plots.spreads(told["sites"], MEASURES, "sites-wide")) if told["sites"] else "",
        "spreads_narrow": Markup(plots.spreads(told["sites"], MEASURES, "sites-narrow", True)) if told["sites"] else "",
        "switching": Markup(plots.switching(hours, "hours-wide")) if hours else "",
        "switching_narrow": Markup(plots.switching(hours, "hours-narrow", True)) if hours else "",
        "hours": hours,
        "currencies": bool([site for site in told["sites"].values() if site["money_held"]]),
    }
    return cards(render(_TEMPLATE, filters=_FILTERS, **context))


def tenth(ms: int) -> str:
    """Milliseconds as minutes with one decimal."""
    tenths = (ms * 10 + 30_000) // 60_000
    return f"{words.number(tenths // 10)}.{tenths % 10}"


def per_hundred(per_thousand: int) -> str:
    """A count per thousand as one per hundred, with one decimal."""
    return f"{per_thousand // 10}.{per_thousand % 10}"


_FILTERS: dict[str, Callable[..., Any]] = {
    "n": words.number,
    "kwh": words.kwh,
    "money": words.money,
    "lasts": words.duration,
    "plural": words.plural,
    "tenth": tenth,
    "per_hundred": per_hundred,
}
