"""docs/check.md says what the code does: every rule as it is, every name that a log may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.wirecheck import logs
from scenarios.wirecheck.rules import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "check.md").read_text("utf-8")


def test_the_page_lists_the_rules_as_they_are() -> None:
    told = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `") and "." in line[:20]]
    assert [(row[0], row[1], row[4]) for row in told] == [
        (f"| `{rule.id}`", rule.sentence, f"{'; '.join(rule.requires)} |") for rule in RULES
    ]


@pytest.mark.parametrize(
    "names", [logs.TIME, logs.WAY, logs.STATION, logs.FRAME, logs.LINK, logs.BACKEND, logs.VERSION]
)
def test_the_page_lists_the_names_that_are_understood(names: tuple[str, ...]) -> None:
    assert f"| {' '.join(f'`{name}`' for name in names)} |" in PAGE
