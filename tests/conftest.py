"""What all tests share: a Hypothesis profile that never looks at the clock, and PostgreSQL for those that are marked so.

Where there is no PostgreSQL, tests that need one are left out by name in the summary: a skipped test would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Cluster, missing

settings.register_profile(
    "house", deadline=None, derandomize=True, print_blob=False, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

COMPANY_FORM = {
    "business_type": "company",
    "business_profile.mcc": "5552",
    "business_profile.url": "https://housing.example",
    "company.name": "Fjord Housing",
    "company.tax_id": "NO1",
    "company.address.line1": "Road 1",
    "company.phone": "+4712345678",
    "external_account": "DE89370400440532013000",
    "tos_acceptance.date": "1",
    "company.directors_provided": "true",
    "company.owners_provided": "true",
    "representative.first_name": "Kari",
    "representative.last_name": "Clerk",
    "representative.dob": "1980-01-01",
    "representative.email": "kari@housing.example",
    "representative.relationship.title": "clerk",
}
"""All that the form asks of a company."""


@pytest.fixture(scope="session")
def given_fields() -> dict[str, str]:
    return dict(COMPANY_FORM)


# -- PostgreSQL ----------------------------------------------------------------------------------------------------

_LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()
"""Names of the tests that are not run, by the reason."""


@pytest.hookimpl(trylast=True)  # after -k and -m: only what would have run is named
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a PostgreSQL that there is not."""
    kept, left, why = [], [], config.stash.setdefault(_LEFT_OUT, {})
    for item in items:
        mark = item.get_closest_marker("postgres")
        reason = missing(mark.kwargs.get("own", False)) if mark is not None else None
        if reason is None:
            kept.append(item)
        else:
            left.append(item)
            why.setdefault(reason, []).append(item.nodeid)
    if left:
        items[:] = kept
        config.hook.pytest_deselected(items=left)


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
        terminalreporter.section(f"{len(names)} tests NOT RUN: no PostgreSQL")
        terminalreporter.write_line(f"{reason}:")
        for name in names:
            terminalreporter.write_line(f"  {name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server. Tests that use it are marked `postgres`."""
    cluster = Cluster()
    try:
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """Where a store finds nothing yet: a schema of its own."""
    url = postgres.schema()
    yield url
    postgres.drop(url)
