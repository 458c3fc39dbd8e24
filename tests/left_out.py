"""Tests that need what a machine may lack are left out by name in the summary: a skipped test would go unnoticed.

A mark of `NEEDS` names what a test needs; its function says why that is not to be had, or None. Hooks of tests/conftest.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import postgres
from tests.peers import node

NEEDS: dict[str, Callable[[pytest.Mark], str | None]] = {
    "node": lambda mark: node.missing(),
    "postgres": lambda mark: postgres.missing(mark.kwargs.get("own", False)),
}

_LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()
"""Names of the tests that are not run, by the reason."""


@pytest.hookimpl(trylast=True)  # after -k and -m: only what would have run is named
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs something that is not there."""
    kept, left, why = [], [], config.stash.setdefault(_LEFT_OUT, {})
    for item in items:
        reason = _reason(item)
        if reason is None:
            kept.append(item)
        else:
            left.append(item)
            why.setdefault(reason, []).append(item.nodeid)
    if left:
        items[:] = kept
        config.hook.pytest_deselected(items=left)


def _reason(item: pytest.Item) -> str | None:
    for name, missing in NEEDS.items():
        mark = item.get_closest_marker(name)
        problem = missing(mark) if mark is not None else None
        if problem is not None:
            return f"{name}: {problem}"
    return None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist tells its master; only that one writes a summary."""
    told: Any = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["left_out"] = session.config.stash.get(_LEFT_OUT, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What a worker left out; all leave out the same."""
    node.config.stash.setdefault(_LEFT_OUT, {}).update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which tests did not run, and why."""
    for reason, names in config.stash.get(_LEFT_OUT, {}).items():
        terminalreporter.section(f"{len(names)} tests NOT RUN, they need {reason}")
        for name in names:
            terminalreporter.write_line(f"  {name}")
