"""The section of the report on an upgrade: pictures and tables, ready for the template. None where a run has no upgrade."""

from __future__ import annotations

from typing import Any

from reports import plots_upgrade as plots
from reports.course import course, purses
from reports.owners import outcome_counts, outcomes, owners
from reports.run import Run
from reports.waves import calendar, waves
from sim.pages import Markup


def upgrade(run: Run) -> dict[str, Any] | None:
    """Everything that the template `upgrade.html` shows."""
    if not run.plan("upgrade"):
        return None
    told: dict[str, Any] = {
        "outcomes": outcomes(run),
        "counts": outcome_counts(run),
        "owners": owners(run),
    }
    drawn = {"waves": waves(run), "calendar": calendar(run), "course": course(run), "money": purses(run)}
    for name, draw in _PICTURES.items():
        data = drawn[name]
        told[name] = Markup(draw(data, f"{name}-wide")) if data else ""
        told[f"{name}_narrow"] = Markup(draw(data, f"{name}-narrow", narrow=True)) if data else ""
    return told


def first_picture(run: Run) -> str:
    """The waves as an SVG text, empty for a run without an upgrade."""
    told = waves(run) if run.plan("upgrade") else []
    return plots.waves(told, "waves") if told else ""


_PICTURES: dict[str, Any] = {
    "waves": plots.waves,
    "calendar": plots.calendar,
    "course": plots.course,
    "money": plots.money,
}
