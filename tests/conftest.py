"""What all tests share: a Hypothesis profile that never looks at the clock, and PostgreSQL for those that are marked so.

Where there is no PostgreSQL, tests that need one are left out by name in the summary: a skipped test would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.left_out import (  # noqa: F401  hooks of pytest
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tests.postgres import Cluster

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
