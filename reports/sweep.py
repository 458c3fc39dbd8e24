"""Many seeds of a scenario under the checks: the figures, and one page of seeds x checks with nothing outside of it.

Verdicts come as they are; nothing is judged here. The same outcomes give the same bytes, wherever they were played.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reports import words
from reports.html import cards
from sim.evidence.verdict import Verdict
from sim.pages import Markup, render

FORMAT = "chargerig-sweep/1"
FAILED = "failed"
_TEMPLATE = Path(__file__).parent / "templates" / "sweep.html"
_HEIGHTS = {Verdict.FAIL.value: 20, Verdict.UNKNOWN.value: 13, Verdict.PASS.value: 7, Verdict.NOT_APPLICABLE.value: 2}
"""How tall each verdict stands, of 20: shape tells what colour tells, for whoever sees none."""
_COLOURS = {
    Verdict.FAIL.value: "#b00020",
    Verdict.UNKNOWN.value: "#b98900",
    Verdict.PASS.value: "#7fa8c9",
    Verdict.NOT_APPLICABLE.value: "#9aa4ad",
    FAILED: "#1d2126",
}


def told(
    head: Mapping[str, Any], outcomes: Sequence[Mapping[str, Any]], sentences: Mapping[str, str], replay: str
) -> dict[str, Any]:
    """The figures of a sweep. `head` says what was swept, `replay` how one seed is seen again (`{seed}` in it).

    An outcome is {seed, digest, checks: [{check, verdict, findings, said}], faults, failed}.
    """
    verdicts: dict[str, dict[int, str]] = {}
    rows: dict[str, list[dict[str, Any]]] = {"findings": [], "not_judged": [], "failed": []}
    for one in outcomes:
        again = {"seed": one["seed"], "replay": replay.format(seed=one["seed"])}
        if one["failed"]:
            rows["failed"].append({**again, "problem": one["failed"]})
        for check in one["checks"]:
            verdicts.setdefault(check["check"], {})[one["seed"]] = check["verdict"]
            said = {**again, "check": check["check"], "said": check["said"]}
            if check["findings"]:
                rows["findings"].append({**said, "findings": check["findings"]})
            elif check["verdict"] == Verdict.UNKNOWN.value:
                rows["not_judged"].append(said)
    table = [
        {
            "check": check,
            "sentence": sentences.get(check, ""),
            "counts": {verdict.value: list(seeds.values()).count(verdict.value) for verdict in Verdict},
        }
        for check, seeds in verdicts.items()
    ]
    return {
        "format": FORMAT,
        **head,
        "seeds": [one["seed"] for one in outcomes],
        "digest": _digest(outcomes),
        "checks": table,
        **rows,
        "verdicts": {check: [seeds.get(one["seed"], FAILED) for one in outcomes] for check, seeds in verdicts.items()},
        "faults": _counted(kind for one in outcomes for kind in one["faults"]),
    }


def _digest(outcomes: Iterable[Mapping[str, Any]]) -> str:
    """One digest over those of all seeds, in their order: equal if every day was the same to the last byte."""
    text = "\n".join(f"{one['seed']} {one['digest'] or one['failed']}" for one in outcomes)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _counted(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def dumps(figures: Mapping[str, Any]) -> str:
    """As a file: sorted keys, one line each."""
    return json.dumps(figures, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def headline(figures: Mapping[str, Any]) -> str:
    """The sweep in one sentence."""
    seeds, found = figures["seeds"], len({row["seed"] for row in figures["findings"]})
    days = words.plural(len(seeds), "day")
    if figures["failed"]:
        return f"{words.plural(len(figures['failed']), 'day')} of {len(seeds)} failed before a verdict."
    if found and figures["stopped"]:
        return f"A finding at seed {figures['findings'][0]['seed']}, after {days}."
    if found:
        return f"{words.plural(found, 'day')} of {len(seeds)} with a finding."
    if figures["not_judged"]:
        return f"{days} without a finding, but not everything could be judged."
    return f"{days} without a finding."


def page(figures: Mapping[str, Any]) -> str:
    """The whole page as HTML text."""
    strips = {check: Markup(strip(row, figures["seeds"])) for check, row in figures["verdicts"].items()}
    key = [
        ("found something", Verdict.FAIL.value),
        ("could not be judged", Verdict.UNKNOWN.value),
        ("holds", Verdict.PASS.value),
        ("nothing to examine", Verdict.NOT_APPLICABLE.value),
        ("the day failed", FAILED),
    ]
    context = {
        "told": figures,
        "headline": headline(figures),
        "good": not figures["findings"] and not figures["failed"],
        "strips": strips,
        "key": [(Markup(strip([verdict], [0], 14)), name) for name, verdict in key],
    }
    return cards(render(_TEMPLATE, filters={"n": words.number, "plural": words.plural}, **context))


def strip(verdicts: Sequence[str], seeds: Sequence[int], width: int = 0) -> str:
    """One check over all seeds as an SVG: a bar for each, its height and colour by its verdict."""
    paths: dict[str, list[str]] = {}
    for place, verdict in enumerate(verdicts):
        high = _HEIGHTS.get(verdict, 20)
        paths.setdefault(verdict, []).append(f"M{place * 10} 20v-{high}h9v{high}z")
    drawn = "".join(f'<path d="{"".join(d)}" fill="{_COLOURS[verdict]}"/>' for verdict, d in paths.items())
    bad = [str(seed) for seed, verdict in zip(seeds, verdicts, strict=True) if verdict == Verdict.FAIL.value]
    title = f"found at seeds {', '.join(bad[:20])}" if bad else "no finding"
    size = f'width="{width}"' if width else 'class="strip"'
    return (
        f'<svg {size} height="20" viewBox="0 0 {max(1, len(verdicts)) * 10} 20" preserveAspectRatio="none" role="img">'
        f"<title>{title}</title>{drawn}</svg>"
    )
