"""What `chargerig list --json` tells of scenarios and checks: what each rests on, and which planted bugs prove it.

Asks the places that know; nothing is kept here. A scenario of the plan that cannot be played yet is told with the feature
that is missing (`data/missing-scenarios.toml`), so that nobody takes it for forgotten.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from scenarios import catalogue
from scenarios.checks.registry import all_checks
from scenarios.load import load_scenario
from scenarios.mutants.registry import all_mutants


def scenario_rows() -> list[dict[str, Any]]:
    """Name, number in the plan, title, price, source, checks, faults and mutants of each scenario; then what is missing."""
    mutants: dict[str, list[str]] = {}
    for bug in all_mutants():
        mutants.setdefault(bug.scenario, []).append(bug.name)
    rows: list[dict[str, Any]] = []
    for name in catalogue.scenarios():
        one = load_scenario(name)
        rows.append(
            {
                "name": name,
                "sentence": one.title,
                "id": one.id,
                "class": one.price,
                "source": one.source,
                "checks": list(one.checks.all_of),
                "faults": sorted({fault.kind for fault in one.fault} | {fault.kind for fault in one.partner_fault}),
                "mutants": mutants.get(name, []),
            }
        )
    return rows + [
        {"name": name, "sentence": f"not yet: {told['missing']}", **told} for name, told in missing().items()
    ]


def missing() -> dict[str, dict[str, str]]:
    """By name the scenarios of the plan that cannot be played yet: `id`, and the feature that is `missing`."""
    text = (resources.files("scenarios") / "data" / "missing-scenarios.toml").read_text("utf-8")
    return tomllib.loads(text)


def check_rows() -> list[dict[str, Any]]:
    """Id, sentence, the books, statements and quotes that each check reads, and the mutants that it was made to catch."""
    proofs: dict[str, list[str]] = {}
    for bug in all_mutants():
        proofs.setdefault(bug.check, []).append(bug.name)
    return [
        {
            "name": check.name,
            "sentence": check.sentence,
            "reads": [name for name in check.requirements if "." not in name],
            "mutants": proofs.get(check.name, []),
        }
        for check in all_checks()
    ]
