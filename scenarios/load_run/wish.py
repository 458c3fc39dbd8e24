"""The fleet of a plan: what generating processes and whoever makes their stations known agree on. It imports no gevent."""

from __future__ import annotations

from pathlib import Path

from fleet.profile import load_profile
from scenarios.load_run.plan import LoadPlan
from scenarios.sockets.fleet import FleetWish, check_tokens
from scenarios.sockets.visits import Traffic
from sim.runtimes.entropy import run_salt
from sim.runtimes.tls import client_context


def wish_of(plan: LoadPlan) -> FleetWish:
    """The fleet of a plan, without its stations. Raises BadInput."""
    profile = load_profile(plan.profile)
    check_tokens(plan.tokens, profile)
    return FleetWish(
        url=plan.url,
        stations=(),
        profile=profile,
        connectors=tuple(range(1, plan.connectors + 1)),
        tokens=plan.tokens,
        traffic=Traffic(session_s=plan.session_s, gap_s=plan.gap_s),
        sample_s=plan.steps[0] if plan.shape == "sweep" else plan.sample_s,
        for_s=plan.lasts_s,
        quiet_s=plan.quiet_s,
        pace=plan.pace,
        seed=plan.seed,
        salt=run_salt(),
        tls=client_context(Path(plan.ca), None) if plan.ca else None,
    )
