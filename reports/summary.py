"""What the terminal shows of a run: a headline, a table of checks, and the numbers. Data only; the CLI draws it."""

from __future__ import annotations

from msgspec import Struct

from reports import words
from reports.asked import NOT_ASKED, Asked, asked, did_not_happen
from reports.facts import Facts, facts
from reports.run import Run
from sim.evidence.verdict import CheckResult, Verdict


class Line(Struct, frozen=True):
    """One check in the table."""

    check: str
    verdict: str
    items: int
    findings: int
    sentence: str


class Summary(Struct, frozen=True):
    """Everything the terminal shows. `numbers` are pairs of what and how much."""

    headline: str
    verdict: str
    lines: tuple[Line, ...]
    numbers: tuple[tuple[str, str], ...]
    first_findings: tuple[tuple[str, str, str], ...]


def summary(run: Run) -> Summary:
    """The run in a screenful."""
    found = [(one.check, f"{one.subject_kind} {one.subject}", one.sentence) for r in run.results for one in r.findings]
    ran = [one for one in asked(run) if one.verdict != NOT_ASKED]
    lines = tuple(Line(r.check, words.VERDICTS[r.verdict], r.examined, r.found, _sentence(r)) for r in ran)
    return Summary(headline(run), run.verdict.value, lines, tuple(_numbers(run, facts(run))), tuple(found[:10]))


def headline(run: Run) -> str:
    """The verdict in words."""
    failed = [result for result in run.results if result.verdict is Verdict.FAIL]
    unknown = [r.check for r in run.results if r.verdict is Verdict.UNKNOWN and r.check not in run.forgiven]
    if failed:
        count = sum(len(result.findings) for result in failed)
        return f"{words.plural(count, 'finding')} in {words.plural(len(failed), 'check')}: {_harm(failed)}."
    if len(unknown) > _MOST_NAMES:
        return f"Nothing wrong was found, but {len(unknown)} of {len(run.results)} checks could not be judged."
    if unknown:
        return f"Nothing wrong was found, but {', '.join(unknown)} could not be judged."
    if run.verdict is Verdict.NOT_APPLICABLE:
        return "Nothing was examined, so nothing is proven."
    return "Nothing was lost, billed twice or billed wrongly."


_MOST_NAMES = 5
_HARM = (
    (("INV-02", "INV-04", "B02"), "something was billed twice"),
    (("INV-01", "INV-03"), "energy or a session was lost"),
    (("T01", "T10", "B06", "B11", "INV-31", "INV-22"), "something was billed wrongly"),
    (("INV-29",), "an unproven meter value reached a bill"),
    (("INV-06", "L01", "L05"), "the books do not hold together"),
    (("INV-26", "INV-07", "INV-21", "INV-16", "INV-05"), "the back-ends did not do what they must"),
    (("INV-39",), "the run does not repeat itself"),
)


def _harm(failed: list[CheckResult]) -> str:
    names = [result.check for result in failed]
    told = [harm for checks, harm in _HARM if any(name in checks for name in names)]
    known = [name for checks, _ in _HARM for name in checks]
    told += [f"{name} is broken" for name in names if name not in known]
    return ", ".join(told[:-1]) + (" and " if len(told) > 1 else "") + told[-1]


def _sentence(result: Asked) -> str:
    if result.verdict in ("UNKNOWN", "NOT_APPLICABLE") and result.reason:
        return f"{result.sentence} ({result.reason})"
    return result.sentence


def _numbers(run: Run, f: Facts) -> list[tuple[str, str]]:
    sessions, bills = "books_sessions", "books_bills"
    told = f" ({f.sessions_told})" if f.sessions_told else ""
    billed = f"{words.kwh(f.wh('billed'))} ({words.plural(sum(m.bills for m in f.money), 'bill')})"
    held = f"{words.kwh(f.wh('quarantined'))} ({words.plural(f.quarantined, 'entry', 'entries')})"
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
