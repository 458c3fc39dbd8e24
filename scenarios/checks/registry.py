"""What a check is, the list of all of them, and how they are run.

A check is a function that counts what it examines and reports breaches to a Judge. One that crashes, or needs a book
that is not there, is UNKNOWN with the reason; one that examined nothing is NOT_APPLICABLE. Neither may become PASS.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import lru_cache

from msgspec import Struct

from scenarios.checks.columns import requirements
from sim.errors import BadInput
from sim.evidence.gaps import Lacking
from sim.evidence.reader import Evidence
from sim.evidence.verdict import CheckResult, EvidenceLine, Finding, Plane, SubjectKind, Verdict

THEMES = (
    "energy",
    "plausible",
    "transactions",
    "told",
    "answers",
    "access",
    "metering",
    "prices",
    "quotes",
    "shown",
    "costs",
    "ledger",
    "bills",
    "ends",
    "replays",
    "payments",
    "invoices",
    "subscriptions",
    "periods",
    "receivables",
    "cutover",
    "takeover",
    "migration",
    "settings",
    "sums",
    "reversible",
    "secrecy",
    "payees",
    "payouts",
    "goodwill",
    "incoming",
    "notices",
    "invitations",
    "drivers",
    "determinism",
)
"""The modules of this package that hold checks, in the order in which they are listed."""


class Judge:
    """What one check has examined and found so far."""

    def __init__(self, check: str) -> None:
        self.check = check
        self.items = 0
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.doubt = ""
        self.crashed = False

    def examined(self, count: int = 1) -> None:
        """Count things that were really looked at."""
        self.items += count

    def fail(self, kind: SubjectKind, subject: object, sentence: str, *evidence: EvidenceLine) -> None:
        """Report a breach with the rows that prove it."""
        self.findings.append(Finding(self.check, kind, str(subject), sentence, evidence))

    def say(self, note: str) -> None:
        """Note what was counted besides; it stands beside the verdict and changes nothing."""
        if note:
            self.notes.append(note)

    def unknown(self, reason: str) -> None:
        """This cannot be judged. What was found already still counts."""
        self.doubt = self.doubt or reason


class Check(Struct, frozen=True):
    """One check: its name, the sentence it proves, the planes it joins, the tables it cannot do without."""

    name: str
    sentence: str
    planes: tuple[Plane, ...]
    needs: tuple[str, ...]
    judge: Callable[[Evidence, Judge], None]

    @property
    def requirements(self) -> tuple[str, ...]:
        """Every table and `table.column` without which it is UNKNOWN."""
        return requirements(self.name, self.needs)

    def run(self, evidence: Evidence) -> CheckResult:
        """Judge the evidence. Never raises."""
        judge = Judge(self.name)
        missing = evidence.missing(*self.requirements)
        if missing:
            judge.unknown("; ".join(missing))
        else:
            try:
                with evidence.judged():
                    self.judge(evidence, judge)
            except Lacking as err:
                judge.unknown(str(err))
            except Exception as err:  # a crash of ours must never look like a verdict on the back-end
                judge.crashed = True
                judge.doubt = f"the check crashed: {type(err).__name__}: {err}"
        return CheckResult(
            check=self.name,
            verdict=_verdict(judge),
            sentence=self.sentence,
            items=judge.items,
            findings=tuple(judge.findings),
            reason="; ".join(filter(None, (judge.doubt, *judge.notes))),
        )


def check(
    name: str, *, sentence: str, planes: Iterable[Plane], needs: Iterable[str] = ()
) -> Callable[[Callable[[Evidence, Judge], None]], Check]:
    """Make a Check of a function. `needs` names the tables without which it is UNKNOWN."""

    def make(function: Callable[[Evidence, Judge], None]) -> Check:
        return Check(name, sentence, tuple(planes), tuple(needs), function)

    return make


@lru_cache(maxsize=1)
def all_checks() -> tuple[Check, ...]:
    """Every check, theme by theme in the order of the files. Raises ValueError if two have one name."""
    modules = [importlib.import_module(f"scenarios.checks.{theme}") for theme in THEMES]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Check)]
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise ValueError(f"a check name is used twice in {names}")
    return tuple(found)


def run_checks(evidence: Evidence, names: Iterable[str] | None = None) -> list[CheckResult]:
    """Run these checks, or all, in the order asked for. Raises BadInput for a name that no check has."""
    known = {one.name: one for one in all_checks()}
    wanted = list(known if names is None else names)
    for name in wanted:
        if name not in known:
            raise BadInput(None, "checks", f"there is no check {name!r}", known)
    return [known[name].run(evidence) for name in wanted]


def _verdict(judge: Judge) -> Verdict:
    if judge.crashed:
        return Verdict.UNKNOWN
    if judge.findings:
        return Verdict.FAIL
    if judge.doubt:
        return Verdict.UNKNOWN
    return Verdict.PASS if judge.items else Verdict.NOT_APPLICABLE
