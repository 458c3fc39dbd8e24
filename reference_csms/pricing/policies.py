"""The named policies of rounding, steps and grace, each after a system whose prices it reproduces.

A policy never changes once prices were stored under its name: a new rule is a new name.
"""

from __future__ import annotations

from reference_csms.pricing.model import Policy
from sim.errors import BadInput, unknown

POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        # OCPI 2.2.1, 2.3.0: steps up once per session, money rounded once, at the total.
        Policy(name="ocpi"),
        Policy(name="ocpi-exact", money="exact"),
        Policy(name="ocpi-split", unsplit="split"),
        Policy(name="carry-tax", limits="carry"),
        # OCPP 2.1 local calculation: no steps, changes exactly where they are, fixed fees by the start, tax on limits.
        Policy(name="ocpp21", steps="none", unsplit="split", flat="at-start", limits="carry"),
        Policy(name="floor-cents", money="floor", steps="none"),
        Policy(name="whole-steps", money="floor", per="component", steps="down", step_scope="line"),
        Policy(name="per-component", per="component", steps="none", grace="start"),
        Policy(name="per-component-grace-end", per="component", steps="none", grace="end"),
        Policy(name="per-invoice", steps="none"),
        Policy(name="half-up", per="line", steps="up"),
        Policy(name="half-even", money="half-even"),
        # This rig's own bills: gross prices, each line half up, whole seconds; its meters sign a reading at each change.
        Policy(name="line-half-up", per="line", steps="none", seconds="floor", watch=False),
    )
}
DEFAULT = "ocpi"


def policy_named(name: str) -> Policy:
    """The policy of that name. Raises BadInput for one that there is not."""
    found = POLICIES.get(name)
    if found is None:
        problem, allowed = unknown("policy", name, POLICIES)
        raise BadInput("--policy", "", problem, allowed)
    return found
