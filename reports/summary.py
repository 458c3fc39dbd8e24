"""What the terminal shows of a run: a headline, a table of checks, and the numbers. Data only; the CLI draws it."""

from __future__ import annotations

from msgspec import Struct

from reports import words
from reports.asked import NOT_ASKED, Asked, asked, did_not_happen
from reports.facts import Facts, facts
from reports.run import Run
from sim.evidence.verdict import CheckResult, Finding, Verdict


class Line(Struct, frozen=True):
    """One check in the table."""

    check: str
    verdict: str
    items: int
    findings: int
    sentence: str


class Summary(Struct, frozen=True):
    """Everything the terminal shows. `numbers` are pairs of what and how much; `more` counts the findings not shown."""

    headline: str
    verdict: str
    lines: tuple[Line, ...]
    numbers: tuple[tuple[str, str], ...]
    first_findings: tuple[tuple[str, str, str], ...]
    more: int


def summary(run: Run) -> Summary:
    """The run in a screenful."""
    failed = [result for result in run.results if result.verdict is Verdict.FAIL]
    found = [(one.check, f"{one.subject_kind} {one.subject}", one.sentence) for one in _first(failed)]
    ran = [one for one in asked(run) if one.verdict != NOT_ASKED]
    lines = tuple(Line(r.check, words.VERDICTS[r.verdict], r.examined, r.found, _sentence(r)) for r in ran)
    more = sum(len(result.findings) for result in failed) - len(found)
    return Summary(headline(run), run.verdict.value, lines, tuple(_numbers(run, facts(run))), tuple(found), more)


def headline(run: Run) -> str:
    """The verdict in words; of a run at some of the sites it says so first, since it proves nothing of the others."""
    sites = run.only_sites
    if not sites:
        return _verdict(run)
    where = words.listed(sites) if len(sites) <= _MOST_NAMES else words.plural(len(sites), "site")
    return f"At {where} only: {_uncapitalised(_verdict(run))}"


def _uncapitalised(sentence: str) -> str:
    """A sentence of ours as the rest of one; what a check or a user wrote keeps its letters."""
    ours = sentence.startswith("Noth")
    return sentence[:1].lower() + sentence[1:] if ours else sentence


def _verdict(run: Run) -> str:
    failed = [result for result in run.results if result.verdict is Verdict.FAIL]
    unknown = [r.check for r in run.results if r.verdict is Verdict.UNKNOWN and r.check not in run.forgiven]
    if failed:
        count = sum(len(result.findings) for result in failed)
        return f"{words.plural(count, 'finding')} in {words.plural(len(failed), 'check')}: {_found(failed)}."
    if len(unknown) > _MOST_NAMES:
        return f"Nothing wrong was found, but {len(unknown)} of {len(run.results)} checks could not be judged."
    if unknown:
        return f"Nothing wrong was found, but {', '.join(unknown)} could not be judged."
    if run.verdict is Verdict.NOT_APPLICABLE:
        return "Nothing was examined, so nothing is proven."
    return "Nothing was lost, billed twice or billed wrongly."


_MOST_NAMES = 5
_MOST_FINDINGS = 10
_MOST_TOLD = 2
_MOST_LETTERS = 120


def _found(failed: list[CheckResult]) -> str:
    """The first finding of the first checks in its own words, and the names of the other broken checks."""
    told = [_told(result.findings[0]) for result in failed[:_MOST_TOLD] if result.findings]
    others = [result.check for result in failed[_MOST_TOLD:]]
    if len(others) > _MOST_NAMES:
        told.append(f"and what {len(others)} other checks found")
    elif others:
        told.append(f"and what {words.listed(others)} found")
    return "; ".join(told)


def _told(finding: Finding) -> str:
    sentence = "".join(letter for letter in finding.sentence if letter.isprintable()).rstrip(".")
    if len(sentence) > _MOST_LETTERS:
        sentence = sentence[: _MOST_LETTERS - 1].rstrip() + "\u2026"
    return f"{sentence} ({finding.check}, {finding.subject_kind} {finding.subject})"


def _first(failed: list[CheckResult]) -> list[Finding]:
    """The first finding of every broken check, and more of them in turn while there is room; by check."""
    room = max(_MOST_FINDINGS, len(failed))
    shown = dict.fromkeys((result.check for result in failed), 0)
    for turn in range(_MOST_FINDINGS):
        for result in failed:
            if turn < len(result.findings) and sum(shown.values()) < room:
                shown[result.check] += 1
    return [finding for result in failed for finding in result.findings[: shown[result.check]]]


def _sentence(result: Asked) -> str:
    if result.verdict in ("UNKNOWN", "NOT_APPLICABLE") and result.reason:
        return f"{result.sentence} ({result.reason})"
    return result.sentence


def _numbers(run: Run, f: Facts) -> list[tuple[str, str]]:
    sessions, bills = "books_sessions", "books_bills"
    told = f" ({f.sessions_told})" if f.sessions_told else ""
    billed = f"{words.kwh(f.wh('billed'))} ({words.plural(sum(m.bills for m in f.money), 'bill')})"
    held = f"{words.kwh(f.wh('quarantined'))} ({f.held_told})"
    money = ", ".join(f"{words.money(m.gross, m.currency)} at {m.backend}" for m in f.money) or "none"
    rows = [
        ("people", f"{f.replayed}, at {words.plural(f.stations, 'station')}, {f.app_visits} by app"),
        ("energy", f"{words.kwh(f.delivered_wh)} in {words.plural(f.sessions, 'session')}{told}"),
        ("billed", f.known(billed, sessions, bills)),
        ("free by a rule", f.known(words.kwh(f.wh("free")), sessions)),
        ("quarantined", f.known(held, sessions, "books_quarantine")),
        ("not found", f.known(words.kwh(f.unaccounted_wh), sessions, "books_quarantine")),
        ("money", f.known(money, bills)),
        ("messages", f"{words.number(f.frames)} over {words.plural(f.connections, 'connection')}"),
    ]
    if f.to_move:
        rows.append(("moved", f"{f.moved} of {words.plural(f.to_move, 'station')}, {f.handed_over} while charging"))
    skipped = [one.check + (f" ({one.reason})" if one.reason else "") for one in asked(run) if one.verdict == NOT_ASKED]
    if skipped:
        rows.append(("not asked", ", ".join(skipped)))
    missed = did_not_happen(run)
    if missed:
        rows.append(("faults", f"planned, did not happen: {', '.join(fault.name for fault in missed)}"))
    return rows
