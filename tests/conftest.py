"""What all tests share: a Hypothesis profile that is the same everywhere and never looks at the clock."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.left_out import (  # noqa: F401  hooks of pytest
    pytest_collection_modifyitems,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)

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
