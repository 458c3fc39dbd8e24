"""report.html: one page, with nothing outside of it, for somebody who never saw the project.

Gathers what the sections say; the template lays it out. No verdict is made here, and none is softened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from reports import plots, words
from reports.asked import claims, did_not_happen, hidden
from reports.combinations import occurred
from reports.day import Day, day, move_window
from reports.facts import NOT_SHOWN, Facts, by_right, facts, is_copy
from reports.junit import junit
from reports.run import DOCUMENTS, Row, Run, by
from reports.sequence import sequence
from reports.summary import headline
from reports.trace import walk_of
from reports.upgrade import first_picture, upgrade
from reports.walks import followed
from sim.evidence.verdict import Verdict
from sim.pages import Markup, render

_TEMPLATE = Path(__file__).parent / "templates" / "report.html"
_MOST_FINDINGS = 50
_MOST_DIAGRAMS = 5
_MOST_ROWS = 5
"""A longer table is folded, so that the page stays short on a phone."""
_INSTANTS = frozenset(("at", "until", "arrive", "leave"))
_AMOUNTS = frozenset(("gross", "net", "vat", "amount"))
_SCENARIO: dict[str, Any] = {"title": "", "story": "", "sessions": {}}
_MANIFEST: dict[str, Any] = {"command": "", "target": "", "counts": {}, "timings": {}, "versions": {}, "digest": ""}
_INPUT: dict[str, Any] = {"source_day": "", "weeks_shifted": 0, "not_replayed": []}
_BUDGETS = dict.fromkeys(("refused_starts", "interrupted_charges", "connector_minutes_lost"), "")


def write_reports(folder: Path) -> None:
    """Write junit.xml and report.html into a run folder that holds manifest, verdicts and evidence."""
    with Run(folder) as run:
        (folder / "junit.xml").write_text(junit(run), encoding="utf-8")
        (folder / "report.html").write_text(page(run), encoding="utf-8")


def write_picture(folder: Path, file: Path) -> None:
    """Write the picture of a run as an SVG file of its own, on white: the day, or the waves of an upgrade."""
    with Run(folder) as run:
        svg = first_picture(run) or plots.timeline(day(run), "day")
    white = '<rect width="100%" height="100%" fill="#ffffff"/>'
    head, _, rest = svg.partition("</title>")
    file.write_text(f"{head}</title>{white}{rest}", encoding="utf-8")


def page(run: Run) -> str:
    """The whole report as HTML text."""
    numbers, series = facts(run), day(run)
    told = upgrade(run)
    begin, end = move_window(series)
    near = msgspec.structs.replace(series, begin=begin, end=end)
    context = {
        "run": run,
        "scenario": {**_SCENARIO, **run.scenario},
        "headline": headline(run),
        "facts": numbers,
        "tiles": _tiles(numbers),
        **_pictures(series, near, told is None),
        "energy": Markup(plots.energy(numbers, "kwh-wide")),
        "energy_narrow": Markup(plots.energy(numbers, "kwh-narrow", narrow=True)),
        "claims": claims(run),
        "findings": [finding for result in run.results for finding in result.findings[:_MOST_FINDINGS]],
        "diagrams": _diagrams(run),
        "cut": {r.check: len(r.findings) for r in run.results if len(r.findings) > _MOST_FINDINGS},
        "upgrade": told,
        "walks": followed(run),
        "combinations": occurred(run.evidence),
        "input": {**_INPUT, **(run.plan("input") or {})} if run.plan("input") else {},
        "sites": _sites(run),
        "drivers": _drivers(run, numbers),
        "faults": run.table("truth_faults"),
        "missed": did_not_happen(run),
        "only_sites": run.only_sites,
        "own_sessions": "--sessions" in str(run.manifest.get("command", "")).split(),
        "moves": _moves(run),
        "quarantine": [{**row, "is_copy": is_copy(run, row)} for row in run.table("books_quarantine")],
        "free": _free(run),
        "money": money_by_seller(run),
        "documents": _documents(run),
        "manifest": {**_MANIFEST, **run.manifest},
        "repeats": run.table("repeats"),
        "hidden": hidden(run),
        "most_rows": _MOST_ROWS,
        "glossary": words.GLOSSARY,
        "quarantine_words": words.QUARANTINE,
        "fault_words": words.FAULTS,
        "free_words": words.FREE,
        "state_words": words.STATES,
        "verdict_words": words.VERDICTS,
        "passed": run.verdict is Verdict.PASS,
    }
    return cards(render(_TEMPLATE, filters=_filters(run), **context))


def _diagrams(run: Run) -> dict[str, list[Markup]]:
    """The walk of the first finding of some checks, by check, wide and narrow; none where it is about no session."""
    drawn: dict[str, list[Markup]] = {}
    for result in run.results:
        walk = walk_of(run, result.findings[0]) if result.findings and len(drawn) < _MOST_DIAGRAMS else None
        if walk is not None:
            name = f"seq-{result.check}"
            drawn[result.check] = [
                Markup(sequence(run, walk, f"{name}-{width}", narrow=width == "narrow")) for width in ("wide", "narrow")
            ]
    return drawn


def _pictures(series: Day, near: Day, wanted: bool) -> dict[str, Any]:
    """The day and the move from near; an upgrade of several weeks is told wave by wave instead."""
    if not wanted:
        return dict.fromkeys(("timeline", "timeline_narrow", "move", "move_narrow"), "")
    return {
        "timeline": Markup(plots.timeline(series, "day-wide")),
        "timeline_narrow": Markup(plots.timeline(series, "day-narrow", narrow=True)),
        "move": Markup(plots.move(near, "move-wide")) if series.moves else "",
        "move_narrow": Markup(plots.move(near, "move-narrow", narrow=True)) if series.moves else "",
    }


def cards(html: str) -> str:
    """The page with the head of each column written on its cells too, so that a phone can stack them."""

    def table(found: re.Match[str]) -> str:
        heads = [re.sub("<[^>]*>", "", head) for head in re.findall(r"<th(?: [^>]*)?>(.*?)</th>", found[1])]
        rows = found[2].split("<tr")
        return f"{found[1]}{'<tr'.join(_labelled(row, heads) for row in rows)}</tbody>"

    return re.sub(r"(<thead>.*?</thead>)(.*?)</tbody>", table, html, flags=re.DOTALL)


def _labelled(row: str, heads: Sequence[str]) -> str:
    before, *cells = row.split("<td")
    if not cells:
        return before
    return before + "".join(f'<td data-label="{head}"{cell}' for head, cell in zip(heads, cells, strict=True))


def _filters(run: Run) -> dict[str, Any]:
    date = str(run.scenario.get("day", {}).get("date", ""))
    return {
        "kwh": words.kwh,
        "n": words.number,
        "money": words.money,
        "at": lambda instant: words.moment(instant, run.zone, date),
        "lasts": words.duration,
        "plural": words.plural,
        "row": lambda row: evidence_text(row, run.zone, date),
        "quantity": quantity,
        "ids": ids,
        "postings": postings,
        "sentence": lambda text: text[:1].upper() + text[1:],
    }


def quantity(line: Mapping[str, Any]) -> str:
    """Quantity and unit of a rated line as people say it: seconds of idle time as minutes and seconds."""
    amount, unit = str(line.get("billed_quantity") or line.get("quantity") or ""), str(line.get("unit") or "")
    if unit in ("s", "second", "seconds") and amount.isdecimal():
        return words.duration(int(amount) * 1000)
    return f"{amount}\u00a0{unit}"


def ids(text: str) -> Markup:
    """A text in which names such as INV-06 or campus-4 stay on one line."""
    return Markup(
        re.sub(r"(?<![\w-])([A-Za-z]\w*-\d\w*)(?![\w-])", r'<span class="id">\1</span>', str(Markup.escape(text)))
    )


def postings(text: str | None) -> str:
    """The postings of a journal entry, one a line, in major units; as they are if they are none of ours."""
    try:
        return "\n".join(
            f"{account}  {words.money(amount, currency)}" for account, currency, amount in json.loads(text or "[]")
        )
    except (ValueError, TypeError):
        return str(text)


def evidence_text(row: Mapping[str, Any], zone: str, date: str) -> str:
    """A row of evidence as a person reads it: instants as local times, texts without their quotes."""
    parts = []
    currency = row.get("currency")
    for key, value in row.items():
        if currency and key in _AMOUNTS and isinstance(value, int):
            parts.append(f"{key} {words.money(value, str(currency))}")
            continue
        instant = isinstance(value, int) and (key in _INSTANTS or key.endswith("_at"))
        parts.append(f"{key} {words.moment(value, zone, date) if instant else value}")
    return " \u00b7 ".join(parts)


def _tiles(f: Facts) -> list[tuple[str, str]]:
    bills, gap = sum(money.bills for money in f.money), f.missing("books_bills")
    tiles = [
        (words.number(f.real_visits), "real visits of cars, replayed"),
        (words.number(f.stations), f"stations at {words.plural(f.sites, 'site')}"),
        (words.kwh_round(f.delivered_wh), "left the meters"),
        (("\u2014" if gap == NOT_SHOWN else words.number(bills)), f"bills, {gap}" if gap else "bills written"),
        (words.number(f.frames), "messages crossed the network"),
    ]
    if f.to_move:
        tiles.append((f"{f.moved} of {f.to_move}", "stations moved to the new back-end"))
    return tiles


def _sites(run: Run) -> list[dict[str, Any]]:
    """Where the stations stand: site, owner, back-end at the start, visits, energy."""
    owners = run.scenario.get("owners", {})
    plan = {str(row["site"]): row for row in run.plan("sites") or []}
    given = run.scenario.get("sites", {})
    moving = {row["site"] for row in run.table("truth_migration")}
    stations = by(run.plan("stations") or [], "site")
    sites = []
    visits = by(run.table("truth_visits"), "site")
    for name in sorted({name for name in (*visits, *stations, *plan) if name}):
        row = {**given.get(name, {}), **plan.get(name, {})}
        owner = owners.get(row.get("owner"), {})
        sites.append(
            {
                "site": name,
                "owner": owner.get("name", row.get("owner") or ""),
                "where": ", ".join(str(owner[key]) for key in ("country", "currency") if key in owner),
                "backend": "legacy, then new" if name in moving else _backends(row, stations.get(name, [])),
                "stations": len({station["station"] for station in stations.get(name, [])}),
                "visits": len(visits.get(name, [])),
            }
        )
    return sites


def _backends(site: Mapping[str, Any], stations: list[Row]) -> str:
    there = dict.fromkeys(str(station.get("backend") or "") for station in stations)
    return ", ".join(name for name in there if name) or str(site.get("backend") or "")


def _drivers(run: Run, f: Facts) -> dict[str, Any]:
    """What happened to drivers; those who were refused by right are counted apart."""
    visits = [visit for visit in run.table("truth_visits") if not by_right(visit)]
    return {
        "outcomes": f.outcomes,
        "by_right": f.by_right,
        "refusals": sum(max(int(visit["refusals"] or 0), int(visit["outcome"] == "refused")) for visit in visits),
        "interrupted": sum(bool(visit["interrupted"]) for visit in visits),
        "lost_minutes": -(-sum(int(visit["lost_ms"] or 0) for visit in visits) // 60_000),
        "budgets": {**_BUDGETS, **run.scenario.get("budgets", {})},
    }


def _moves(run: Run) -> list[dict[str, Any]]:
    """One row for each station that moved, with its transitions and the sessions that ran meanwhile."""
    stations = by(run.table("truth_migration"), "station")
    sessions = by(run.table("truth_sessions"), "station")
    moves = []
    for station, rows in stations.items():
        times = {row["state"]: int(row["at"]) for row in rows}
        begin = times.get("DRAINING", int(rows[0]["at"]))
        end = times.get("CLOSED_AT_OLD", int(rows[-1]["at"]))
        running = [s for s in sessions.get(station, []) if s["started_at"] < end and (s["stopped_at"] or end) > begin]
        away, seen = times.get("SWITCH_SENT"), times.get("SEEN_AT_NEW")
        moves.append(
            {
                "station": station,
                "begin": begin,
                "rows": rows,
                "state": rows[-1]["state"],
                "end": end,
                "dark": seen - away if away is not None and seen is not None else None,
                "running": len(running),
            }
        )
    return sorted(moves, key=lambda move: (move["begin"], move["station"]))


def _free(run: Run) -> list[Row]:
    return [row for row in run.table("books_sessions") if row["state"] == "free"]


def _documents(run: Run) -> list[tuple[str, list[tuple[str, str]]]]:
    """The PDFs of each kind: file and name without the kind."""
    groups = []
    for kind, title in words.DOCUMENTS.items():
        begin = f"{DOCUMENTS}/{kind}-"
        files = [file for file in run.documents if file.startswith(begin)]
        if files:
            groups.append((title, [(quote(file), file.removeprefix(begin).removesuffix(".pdf")) for file in files]))
    return groups


def money_by_seller(run: Run) -> list[dict[str, Any]]:
    """Bills by seller, back-end and currency."""
    owners = run.scenario.get("owners", {})
    sums: dict[tuple[str, str, str], list[int]] = {}
    for bill in run.table("books_bills"):
        total = sums.setdefault((str(bill["seller"]), bill["backend"], bill["currency"]), [0, 0, 0, 0])
        for place, amount in enumerate((1, bill["net"], bill["vat"], bill["gross"])):
            total[place] += int(amount)
    return [
        {
            "seller": owners.get(seller, {}).get("name", seller),
            "backend": backend,
            "currency": currency,
            "bills": total[0],
            "net": total[1],
            "vat": total[2],
            "gross": total[3],
        }
        for (seller, backend, currency), total in sorted(sums.items())
    ]
