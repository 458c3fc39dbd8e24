"""What was asked and what was planned, against what came of it: no gap of a run stays silent.

A check that the scenario names and nobody ran is "not asked"; a fault that the scenario plans and that hit nobody
"did not happen"; a book that a back-end did not show is said to be missing, and is never shown as a zero.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from reports import words
from reports.run import Row, Run, by
from sim.evidence.verdict import Verdict

NOT_ASKED = "NOT_ASKED"
_REPEAT = "INV-39"
_LONG = 24
_PARTNER = "partner."


class Asked(Struct, frozen=True):
    """One check as a reader sees it: `verdict` is NOT_ASKED if nobody ran it, a reason is told in full only once."""

    check: str
    sentence: str
    verdict: str
    examined: int
    found: int
    reason: str


class Claim(Struct, frozen=True):
    """A claim of the scenario with its checks; `missing` names those that nobody ran."""

    says: str
    verdict: str
    checks: tuple[Asked, ...]
    missing: tuple[str, ...]


class Planned(Struct, frozen=True):
    """A fault that was planned and did not happen."""

    name: str
    kind: str
    says: str


def asked(run: Run) -> list[Asked]:
    """Every check that ran, then every one that the scenario names and nobody ran."""
    told: dict[str, str] = {}
    checks = []
    for result in run.results:
        reason = result.reason
        if result.verdict in (Verdict.UNKNOWN, Verdict.NOT_APPLICABLE) and len(reason) > _LONG:
            first = told.setdefault(reason, result.check)
            reason = reason if first == result.check else f"same reason as {first}"
        checks.append(
            Asked(result.check, result.sentence, result.verdict.value, result.items, len(result.findings), reason)
        )
    return [*checks, *(_unasked(run, name) for name in _missing(run))]


def _missing(run: Run) -> list[str]:
    named = list(run.scenario.get("checks", {}).get("all_of", ()))
    named += [name for claim in run.claims for name in claim.get("checks", ())]
    named += [_REPEAT] if _without_repeat(run) else []
    ran = {result.check for result in run.results}
    return [name for name in dict.fromkeys(named) if name not in ran]


def _without_repeat(run: Run) -> bool:
    return "--no-repeat" in str(run.manifest.get("command", "")).split()


def _unasked(run: Run, name: str) -> Asked:
    if name == _REPEAT and _without_repeat(run):
        return Asked(
            name, "the same run in another process gives the same bytes", NOT_ASKED, 0, 0, "left out with --no-repeat"
        )
    return Asked(name, "named by the scenario, but it was not run", NOT_ASKED, 0, 0, "")


def claims(run: Run) -> list[Claim]:
    """Each claim with its checks; checks of no claim come last."""
    checks = {one.check: one for one in asked(run)}
    made = [_claim(claim["says"], (checks[name] for name in claim.get("checks", ()))) for claim in run.claims]
    told = {one.check for claim in made for one in claim.checks}
    rest = [one for one in checks.values() if one.check not in told]
    return [*made, *([_claim("And besides", rest)] if rest else [])]


def _claim(says: str, checks: Iterable[Asked]) -> Claim:
    mine = tuple(checks)
    verdicts = [one.verdict for one in mine]
    worst = next((v for v in ("FAIL", "UNKNOWN", "PASS", "NOT_APPLICABLE") if v in verdicts), NOT_ASKED)
    return Claim(says, worst, mine, tuple(one.check for one in mine if one.verdict == NOT_ASKED))


def did_not_happen(run: Run) -> list[Planned]:
    """The planned faults of which the truth has no row, nor the line of their partner. A fault without an id is named after
    its kind and place.
    """
    happened = {row["fault_id"] for row in run.table("truth_faults")}
    kinds = {row["kind"] for row in run.table("truth_faults")}
    lines = {(row["partner"], row["kind"]) for row in run.table("partner_faults")}
    missed = [
        Planned(str(rule.get("id") or rule["kind"]), str(rule["kind"]), f"{rule['partner']}: {rule['kind']}")
        for rule in run.scenario.get("partner_fault", ())
        if (rule["partner"], rule["kind"]) not in lines
    ]
    for number, fault in enumerate(run.scenario.get("fault", ())):
        kind, name = str(fault.get("kind", "")), str(fault.get("id") or "")
        if kind.startswith(_PARTNER):
            if (str(fault["where"]["partner"]), kind.removeprefix(_PARTNER)) not in lines:
                missed.append(Planned(name or kind, kind, kind))
            continue
        if (name or f"{kind}-{number + 1}") not in happened and (name or kind not in kinds):
            missed.append(Planned(name or kind, kind, words.FAULTS.get(kind, kind)))
    return missed


def hidden(run: Run) -> list[Row]:
    """The books that were not shown, one row for each back-end and reason, with the names of all its books."""
    groups = by(
        [{**row, "key": (row["backend"], row["reason"])} for row in run.table("unverifiable")],
        "key",
    )
    return [
        {"who": backend or "the run", "books": ", ".join(str(row["book"]) for row in rows), "reason": reason}
        for (backend, reason), rows in groups.items()
    ]
