"""Two runs side by side: verdicts, counts, energy and money, timings, and the sessions that ended otherwise.

Only compares what both folders say; which of the two is right is not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from reports import words
from reports.facts import facts
from reports.html import cards, money_by_seller
from reports.run import Row, Run
from reports.trace_lines import plain
from reports.walk import of_truth
from sim.pages import render

FORMAT = "chargerig-against/1"
_TEMPLATE = Path(__file__).parent / "templates" / "against.html"
_MOST_SESSIONS = 200
_NAMED = ("scenario_name", "seed", "target", "digest", "verdict")


def compare(a: Run, b: Run) -> dict[str, Any]:
    """Everything in which they differ, and how much there is that does not. Amounts in minor units, times in s."""
    return {
        "format": FORMAT,
        "runs": [_head(run) for run in (a, b)],
        "same_day": all(a.manifest.get(key) == b.manifest.get(key) for key in ("scenario", "seed")),
        "same_digest": a.manifest.get("digest") == b.manifest.get("digest"),
        "checks": _checks(a, b),
        "counts": _pairs(a.manifest.get("counts", {}), b.manifest.get("counts", {})),
        "energy_wh": _pairs(_energy(a), _energy(b)),
        "money": _money(a, b),
        "timings_s": _pairs(_timings(a), _timings(b)),
        "versions": [row for row in _texts(a, b, "versions") if row["a"] != row["b"]],
        "sessions": _sessions(a, b),
    }


def _head(run: Run) -> dict[str, Any]:
    return {"folder": str(run.folder), **{key: run.manifest.get(key) for key in _NAMED}}


def _checks(a: Run, b: Run) -> list[dict[str, Any]]:
    """Each check of either run; `change` says what became of it from A to B."""
    told = []
    one, two = ({result.check: result for result in run.results} for run in (a, b))
    for check in dict.fromkeys((*one, *two)):
        x, y = one.get(check), two.get(check)
        sides = [
            {
                "verdict": "NOT_ASKED" if side is None else side.verdict.value,
                "items": 0 if side is None else side.items,
                "findings": 0 if side is None else len(side.findings),
            }
            for side in (x, y)
        ]
        before, now = str(sides[0]["verdict"]), str(sides[1]["verdict"])
        change = "same" if before == now else "broken" if now == "FAIL" else "mended" if before == "FAIL" else "other"
        known = x or y
        sentence = known.sentence if known is not None else ""
        first = next((side.findings[0].sentence for side in (y, x) if side is not None and side.findings), "")
        told.append(
            {"check": check, "sentence": sentence, "a": sides[0], "b": sides[1], "change": change, "first": first}
        )
    return told


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Figures by name: of A, of B, and B less A; None where one has none."""
    rows = []
    for name in dict.fromkeys((*a, *b)):
        x, y = a.get(name), b.get(name)
        rows.append({"name": name, "a": x, "b": y, "more": None if x is None or y is None else round(y - x, 3)})
    return rows


def _energy(run: Run) -> dict[str, int]:
    known = facts(run)
    parts = {name: known.wh(name) for name in ("billed", "free", "quarantined")}
    return {"left the meters": known.delivered_wh, **parts, "not found": known.unaccounted_wh}


def _money(a: Run, b: Run) -> list[dict[str, Any]]:
    def by_key(run: Run) -> dict[tuple[str, str, str], Row]:
        return {(row["seller"], row["backend"], row["currency"]): row for row in money_by_seller(run)}

    one, two = by_key(a), by_key(b)
    rows = []
    for key in sorted({*one, *two}):
        sides = [
            {name: int(side.get(key, {}).get(name, 0)) for name in ("bills", "net", "vat", "gross")}
            for side in (one, two)
        ]
        seller, backend, currency = key
        more = sides[1]["gross"] - sides[0]["gross"]
        rows.append(
            {"seller": seller, "backend": backend, "currency": currency, "a": sides[0], "b": sides[1], "more": more}
        )
    return rows


def _timings(run: Run) -> dict[str, float]:
    found = {name: re.match(r"[\d.]+(?= s)", str(text)) for name, text in run.manifest.get("timings", {}).items()}
    return {name: float(one[0]) for name, one in found.items() if one is not None}


def _texts(a: Run, b: Run, key: str) -> Iterable[dict[str, str]]:
    one, two = a.manifest.get(key, {}), b.manifest.get(key, {})
    for name in dict.fromkeys((*one, *two)):
        yield {"name": str(name), "a": str(one.get(name, "")), "b": str(two.get(name, ""))}


def _sessions(a: Run, b: Run) -> dict[str, Any]:
    """The sessions of the same visit that ended otherwise; what one run has and the other has not counts too."""
    one, two = _ends(a), _ends(b)
    differ = [
        {"visit": visit, "a": one.get(visit, ""), "b": two.get(visit, "")}
        for visit in sorted({*one, *two})
        if one.get(visit) != two.get(visit)
    ]
    same = sum(one.get(visit) == end for visit, end in two.items())
    return {"same": same, "differ": len(differ), "rows": differ[:_MOST_SESSIONS]}


def _ends(run: Run) -> dict[str, str]:
    """How each visit ended: energy by the meter, what the books call it, and what it costs."""
    ends: dict[str, list[str]] = {}
    for truth in run.table("truth_sessions"):
        walk = of_truth(run, truth)
        wh = (truth["register_stop"] or truth["register_start"]) - truth["register_start"]
        state = f"{walk.session['state']} at {walk.session['backend']}" if walk.session else "in no book"
        gross = f", {words.money(int(walk.bill['gross']), str(walk.bill['currency']))}" if walk.bill else ""
        ends.setdefault(str(truth["visit_id"]), []).append(plain(f"{words.kwh(int(wh))}, {state}{gross}"))
    return {visit: "; then ".join(told) for visit, told in ends.items()}


def headline(told: Mapping[str, Any]) -> str:
    """In one sentence what became of A in B."""
    if told["same_digest"]:
        return "Both runs are the same to the last byte of evidence."
    broken = [row["check"] for row in told["checks"] if row["change"] == "broken"]
    mended = [row["check"] for row in told["checks"] if row["change"] == "mended"]
    parts = [
        f"{words.listed(names)} {word}" for names, word in ((broken, "broken in B"), (mended, "mended in B")) if names
    ]
    if not parts:
        parts = ["no check fails in one that holds in the other"]
    return f"{'; '.join(parts)}; {words.plural(told['sessions']['differ'], 'session')} ended otherwise."


def text(told: Mapping[str, Any]) -> list[str]:
    """For a terminal; only what differs."""
    a, b = told["runs"]
    lines = [f"A {a['folder']}: {a['scenario_name']} seed {a['seed']}, {a['target']}, {a['verdict']}"]
    lines += [f"B {b['folder']}: {b['scenario_name']} seed {b['seed']}, {b['target']}, {b['verdict']}", ""]
    if not told["same_day"]:
        lines += ["these are not the same day: another scenario or seed", ""]
    for row in told["checks"]:
        if row["change"] != "same" or row["a"]["findings"] != row["b"]["findings"]:
            sides = " -> ".join(f"{row[side]['verdict']} ({row[side]['findings']})" for side in "ab")
            lines.append(f"{row['check']:<8} {sides}  {row['first'] or row['sentence']}")
    for title, key in (("counts", "counts"), ("energy, Wh", "energy_wh"), ("timings, s", "timings_s")):
        changed = [row for row in told[key] if row["a"] != row["b"]]
        lines += ["", title, *(f"  {row['name']:<28} {row['a']} -> {row['b']}" for row in changed)] if changed else []
    changed = [row for row in told["money"] if row["a"] != row["b"]]
    if changed:
        lines += ["", "money"]
    for row in changed:
        sides = " -> ".join(plain(words.money(row[side]["gross"], row["currency"])) for side in "ab")
        bills = f"{row['a']['bills']} -> {row['b']['bills']} bills"
        lines.append(f"  {row['seller']} at {row['backend']}: {bills}, {sides}")
    differ = told["sessions"]["rows"][:10]
    if differ:
        lines += ["", f"sessions that ended otherwise: {told['sessions']['differ']}"]
        lines += [f"  {row['visit']}: {row['a'] or 'none'} -> {row['b'] or 'none'}" for row in differ]
    return [*lines, "", headline(told)]


def page(told: Mapping[str, Any]) -> str:
    """The whole page as HTML text."""
    filters: dict[str, Callable[..., Any]] = {
        "n": words.number,
        "kwh": words.kwh,
        "money": words.money,
        "plural": words.plural,
    }
    context = {"told": told, "headline": headline(told), "verdict_words": words.VERDICTS}
    return cards(render(_TEMPLATE, filters=filters, **context))
