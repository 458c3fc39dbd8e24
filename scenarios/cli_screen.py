"""What the command line draws: verdicts, lists, a scenario, the planted bugs, and progress. The one door to rich.

Results go to standard output, progress and complaints to standard error. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from reports import words
from reports.rehearsal import GO, MEASURES, SHORT
from reports.rehearsal_page import headline, per_hundred, tenth
from reports.summary import Summary
from scenarios.faults import telling
from scenarios.model import Scenario, duration_text, hhmm, plain
from scenarios.model_upgrade import PartnerFault
from sim import clock
from sim.clock import DAY, HOUR

_STYLE = {"holds": "green", "broken": "bold red", "could not be judged": "yellow", "nothing to examine": "dim"}
_LINE_EVERY, _SHORT = 4 * HOUR, 7 * DAY
"""Virtual time between two lines of progress in a run that is no longer than that; one a day in a longer one."""
_DRAWN_EVERY = 2.0
"""Seconds between two lines about documents."""


def out() -> Console:
    """Where results go."""
    return Console(highlight=False, soft_wrap=False)


def err() -> Console:
    """Where progress and complaints go."""
    return Console(stderr=True, highlight=False)


def complain(sentence: str) -> None:
    """One sentence to the user about a mistake."""
    err().print(f"[bold red]chargerig:[/] {escape(sentence)}", soft_wrap=True)


def lines(texts: Iterable[str]) -> None:
    """Plain lines as they are; with blanks that can be searched for, whatever a page would have there."""
    for text in texts:
        out().print(escape(text.replace("\u00a0", " ")), soft_wrap=True)


def serving(where: Mapping[str, str], secret: str | None) -> None:
    """Where a server can be reached; `secret` is a token that was made for this start."""
    shown = {**where, **({"token": secret} if secret is not None else {})}
    lines(f"{name:<8} {text}" for name, text in shown.items())


def verdicts(summary: Summary, folder: Path) -> None:
    """The table of a run, its numbers, its first findings, and where the report lies."""
    console = out()
    style = {"PASS": "bold green", "FAIL": "bold red"}.get(summary.verdict, "bold yellow")
    table = _table("check", "verdict", "items", "what it says")
    table.columns[2].justify = "right"
    for line in summary.lines:
        word = line.verdict + (f" ({line.findings})" if line.findings else "")
        table.add_row(line.check, f"[{_STYLE[line.verdict]}]{word}[/]", f"{line.items:,}", escape(line.sentence))
    console.print(table)
    numbers = Table.grid(padding=(0, 2))
    for what, much in summary.numbers:
        numbers.add_row(f"[dim]{what}[/]", escape(much))
    console.print(numbers)
    for check, subject, sentence in summary.first_findings:
        console.print(f"[bold red]{check}[/] {escape(subject)}: {escape(sentence)}")
    if summary.more:
        console.print(f"[dim]and {summary.more:,} more in the report[/]")
    console.print(f"\n[{style}]{escape(summary.headline)}[/]")
    console.print(f"report: {escape(str(folder / 'report.html'))}", soft_wrap=True)


def rehearsal(told: Mapping[str, Any], page: Path) -> None:
    """A forecast: what each site suffers, the hours, the waves with their reasons, and the seeds to look at."""
    console = out()
    seeds = len(told["seeds"])
    table = _table("site", "wave", *SHORT, "money held")
    table.columns[0].no_wrap = True
    for site, row in told["sites"].items():
        held = ", ".join(
            f"{words.money(one['p50'], key)} / {words.money(one['p95'], key)}" for key, one in row["money_held"].items()
        )
        cells = [f"{row[key]['p50']} / {row[key]['p95']}" for key in MEASURES]
        table.add_row(escape(site), str(row["wave"] or "-"), *cells, escape(held or "0"))
    console.print(f"p50 / p95 over {words.plural(seeds, 'seed')}")
    console.print(table)
    for site, one in told["hours"].items():
        hours = _table("hour", "minutes lost by one switch", "interrupted by 100 switches", "switches imagined")
        for row in one["rows"]:
            best = " (best)" if row["hour"] == one["best"] else ""
            lost, broken = tenth(row["lost_ms_per_switch"]), per_hundred(row["interrupted_per_1000"])
            hours.add_row(f"{row['hour']:02d}:00{best}", lost, broken, f"{row['switches']:,}")
        console.print(f"\n[bold]{escape(site)}[/], wave {one['wave']}: when to switch")
        console.print(hours)
    for wave in told["waves"]:
        style = "green" if wave["verdict"] == GO else "bold red"
        sites = escape(", ".join(wave["sites"]))
        console.print(f"\n[bold]wave {wave['wave']}[/], {wave['date']}, {sites}: [{style}]{wave['verdict']}[/]")
        _reasons(console, wave["reasons"])
        for one in wave["last_rollbacks"]:
            console.print(f"  last safe time to roll back: {one['local']}, {escape(one['site'])}", soft_wrap=True)
    console.print("\n[bold]all sites together[/]")
    _reasons(console, told["reasons"])
    for kind in ("findings", "failed", "not_judged", "over_budget"):
        for row in told[kind]:
            what = row.get("first") or row.get("problem") or row.get("reason")
            console.print(
                escape(f"seed {row['seed']} {row.get('check', 'failed')}: {what} -> {row['replay']}"), soft_wrap=True
            )
    console.print(f"\ndistinct combinations that occurred: {told['combinations']['count']}")
    console.print(f"[{'bold green' if told['verdict'] == GO else 'bold red'}]{escape(headline(told))}[/]")
    console.print(f"report: {escape(str(page))}", soft_wrap=True)


def _reasons(console: Console, reasons: Iterable[Mapping[str, Any]]) -> None:
    for reason in reasons:
        mark = {True: "[green]✓[/]", None: "[yellow]?[/]"}.get(reason["ok"], "[bold red]✗[/]")
        console.print(f"  {mark} {escape(reason['says'])}", soft_wrap=True)


def names(rows: Mapping[str, str], places: Mapping[str, str] | None = None) -> None:
    """Names with what they mean, and with the scenario that each belongs to where they have one."""
    table = _table("name", *(["scenario"] if places else []), "what it is")
    for name, sentence in rows.items():
        where = [escape(places[name])] if places else []
        table.add_row(f"[bold]{escape(name)}[/]", *where, escape(sentence))
    out().print(table)


def scenario(one: Scenario) -> None:
    """What a scenario says, for a reader."""
    console = out()
    console.print(f"[bold]{escape(one.name)}[/]: {escape(one.title)}\n\n{escape(' '.join(one.story.split()))}\n")
    for claim in one.claims:
        console.print(f"  • {escape(claim.says)} [dim]{' '.join(claim.checks)}[/]")
    table = Table.grid(padding=(0, 2))
    for what, text in _lines(one):
        table.add_row(f"[dim]{what}[/]", escape(text))
    console.print()
    console.print(table)


def _lines(one: Scenario) -> Iterator[tuple[str, str]]:
    yield "day", f"{one.day.date:%A %d %B %Y}, {duration_text(one.day.horizon)} from midnight ({one.day.zone})"
    yield "sessions", f"{one.sessions.file}, times of {one.sessions.zone}"
    for name, owner in one.owners.items():
        fates = f", onboarding {' and '.join(owner.onboarding.fates)}" if owner.onboarding else ""
        yield f"owner {name}", f"{owner.name}, {owner.country}, {owner.currency}, VAT {owner.vat_percent} %{fates}"
    for name, seller in one.sellers.items():
        yield f"seller {name}", f"{seller.name}, {seller.country}, account {seller.iban}, terms {seller.terms}"
    if one.upgrade is not None:
        days = f"invited {one.upgrade.invited}, onboarding until {one.upgrade.deadline}"
        yield "upgrade", f"{one.upgrade.old_seller} to {one.upgrade.new_seller}, {days}"
    for tariff in one.tariff:
        bands = ", ".join(f"{hhmm(b.from_)}-{hhmm(b.to)} {b.price}" for b in tariff.energy)
        since = "" if tariff.valid_from is None else f", from {plain(tariff.valid_from)}"
        terms = f"{tariff.currency} per kWh: {bands}; start {tariff.start_fee}{since}"
        yield f"tariff {tariff.tariff_id} {tariff.version}", terms
    for name, site in one.sites.items():
        place = "moves from legacy to new" if site.backend == "move" else f"at {site.backend}"
        yield f"site {name}", f"{site.owner}, {one.tariff_of(site).tariff_id}, {place}"
    if one.move is not None:
        span = f"{hhmm(one.move.start)} to {hhmm(one.move.deadline)}"
        yield "move", f"{one.move.site}, {span}, a station every {duration_text(one.move.pace)}"
    for number, wave in enumerate(one.wave):
        span = f"{wave.date}, {hhmm(wave.start)} to {hhmm(wave.deadline)}"
        put_off = f" (announced for {wave.rescheduled.from_} first)" if wave.rescheduled else ""
        yield (
            f"wave {number + 1}",
            f"{', '.join(wave.sites)}, {span}{put_off}, a station every {duration_text(wave.pace)}",
        )
    for fault in one.fault:
        yield f"fault {fault.id or fault.kind}", f"{fault.kind}: {telling.told(fault)}"
    for rule in one.partner_fault:
        yield f"fault {rule.id or rule.kind}", f"{rule.partner}: {rule.kind} of {rule.api}, {_when(rule)}"
    yield "checks", " ".join(one.checks.all_of)


def _when(fault: PartnerFault) -> str:
    begin, end = hhmm(fault.at.from_), hhmm(fault.at.to)
    day = f"{fault.date}, " if fault.date else ""
    lasts = f", for {duration_text(fault.lasts)}" if fault.lasts else ""
    return f"{day}{begin if begin == end else f'{begin} to {end}'}{lasts}"


def mutants(rows: Iterable[Any]) -> None:
    """Which planted bugs were caught, and by what: a line for each, and below it what the check named for it said."""
    table = Table.grid(padding=(0, 2))
    for row in rows:
        word = "[green]caught[/]" if row.caught else "[bold red]escaped[/]"
        others = [check for check in row.failed if check != row.check]
        besides = f"; {', '.join(others)} found something too" if others else ""
        table.add_row(word, f"[bold]{escape(row.name)}[/]: {row.check} is named for it{besides}")
        table.add_row("", f"[dim]{escape(row.note)}[/]")
    out().print(table)


def answerable(rows: Iterable[tuple[str, str, Sequence[str]]]) -> None:
    """Which checks a target lets us answer: check, its sentence, and all that it lacks."""
    table = _table("check", "answer", "what it says, or what is missing")
    for check, sentence, missing in rows:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        answer = "[yellow]UNKNOWN[/]" if missing else "[green]can be answered[/]"
        table.add_row(f"[bold]{check}[/]", answer, escape(missing[0] if missing else sentence) + more)
    out().print(table)


def judged(rows: Iterable[tuple[str, str, int, str]]) -> None:
    """Verdicts of a run by other books: check, verdict, items, and the first finding or the reason."""
    table = _table("check", "verdict", "items", "why")
    styles = {"PASS": "green", "FAIL": "bold red", "UNKNOWN": "yellow"}
    for check, verdict, items, why in rows:
        table.add_row(f"[bold]{check}[/]", f"[{styles.get(verdict, 'dim')}]{verdict}[/]", f"{items:,}", escape(why))
    out().print(table)


def runs(lines: Iterable[tuple[str, int, str, int, str]]) -> None:
    """What became of several runs: scenario, seed, verdict, findings, and where it lies or why it could not be run."""
    table = _table("scenario", "seed", "verdict", "findings", "")
    for scenario, seed, verdict, findings, where in lines:
        style = {"PASS": "bold green", "UNKNOWN": "bold yellow"}.get(verdict, "bold red")
        table.add_row(escape(scenario), str(seed), f"[{style}]{verdict}[/]", str(findings or ""), escape(where))
    out().print(table)


def checked(told: Mapping[str, Any]) -> None:
    """What `chargerig check` found: a line for each rule, the first findings, a line for each station, what was not read."""
    console = out()
    table = _table("rule", "verdict", "examined", "requirements")
    table.columns[2].justify = "right"
    for one in told["rules"]:
        style = {"PASS": "green", "FAIL": "bold red", "UNKNOWN": "yellow"}.get(one["verdict"], "dim")
        word = one["verdict"] + (f" ({one['findings']})" if one["findings"] else "")
        word += f" ({len(one['notes'])} notes)" if one["notes"] else ""
        why = f"  {one['not_judged']:,} not judged: {one['reason']}" if one["not_judged"] else ""
        requires = escape("; ".join(one["requires"]) + why)
        table.add_row(escape(one["rule"]), f"[{style}]{word}[/]", f"{one['examined']:,}", requires)
    console.print(table)
    for one in told["rules"]:
        for kind, style in (("first", "bold red"), ("notes", "dim")):
            for found in one[kind]:
                console.print(
                    f"[{style}]{escape(one['rule'])}[/] {escape(found['station'])}, {found['blames']}: "
                    f"{escape(found['sentence'])}",
                    soft_wrap=True,
                )
                for line in found["evidence"]:
                    console.print(f"    [dim]{escape(line['place'])}[/] {escape(line['frame'])}", soft_wrap=True)
    stations = _table("station", "OCPP", "calls", "would work with a strict back-end")
    stations.columns[2].justify = "right"
    for one in told["stations"]:
        works = {True: "[green]yes[/], as far as the trace shows", None: "[yellow]cannot be said[/]"}.get(
            one["works_with_a_strict_back_end"], f"[bold red]no[/]: {escape(', '.join(one['broken']))}"
        )
        stations.add_row(escape(one["station"]), one["version"], f"{one['calls']:,}", works)
    console.print(stations)
    for one in told["not_read"]:
        places = ", ".join(one["first"]) + (", ..." if one["lines"] > len(one["first"]) else "")
        console.print(f"not read: {one['lines']:,} lines ({escape(places)}): {escape(one['why'])}", soft_wrap=True)
    console.print(f"{told['verdict']}: {told['lines']:,} lines, {told['from']} to {told['to']}", soft_wrap=True)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def table(heads: Iterable[str], lines: Iterable[Iterable[object]]) -> None:
    """A plain table; what is no text stands on the right."""
    drawn = _table(*heads)
    for number, line in enumerate(lines):
        cells = list(line)
        if not number:
            for column, cell in zip(drawn.columns, cells, strict=True):
                column.justify = "left" if isinstance(cell, str) else "right"
        drawn.add_row(*(escape(cell) if isinstance(cell, str) else f"{cell:,}" for cell in cells))
    out().print(drawn)


@contextmanager
def progress(title: str, zone: str) -> Iterator[Any]:
    """Yields `tell(start, now, end, frames)`: a bar with the virtual clock on a terminal, lines elsewhere."""
    console = err()
    begun = perf_counter()

    def clock_text(now: int, frames: int) -> str:
        local = clock.to_datetime(now, clock.zone(zone))
        rate = int(frames / max(perf_counter() - begun, 0.001))
        return f"{local:%a %d %b %H:%M}  {frames:,} messages  {rate:,}/s"

    if not console.is_terminal:
        told = [0]

        def line(start: int, now: int, end: int, frames: int) -> None:
            every = _LINE_EVERY if end - start <= _SHORT else DAY
            if now - max(told[0], start) >= every or now >= end:
                told[0] = now
                share = 100 * (now - start) // max(end - start, 1)
                console.print(f"{title}: {share}%  {clock_text(now, frames)}", soft_wrap=True)

        yield line
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[clock]}"),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=1.0, clock="")

        def move(start: int, now: int, end: int, frames: int) -> None:
            bar.update(task, completed=(now - start) / max(end - start, 1), clock=clock_text(now, frames))

        yield move


def drawing() -> Any:
    """`tell(done, total, seconds)` of documents: a line every few seconds, and one at the end with the time of each."""
    told = [0.0]

    def tell(done: int, total: int, seconds: float) -> None:
        if done == total or seconds - told[0] >= _DRAWN_EVERY:
            told[0] = seconds
            each = f"{1000 * seconds / done:.0f} ms each"
            err().print(f"documents: {done:,} of {total:,}, {seconds:.1f} s, {each}", soft_wrap=True)

    return tell


@contextmanager
def counted(title: str, third: str = "under way", what: str = "seeds") -> Iterator[Any]:
    """Yields `tell(done, total, some)`: a line that is drawn over on a terminal, one for each call elsewhere."""
    console = err()
    begun = perf_counter()
    before = [0]

    def text(done: int, total: int, running: int) -> str:
        left = (perf_counter() - begun) * (total - done) / done if done else 0.0
        eta = f", about {words.duration(int(left) * 1000)} to go" if done and done < total else ""
        return f"{title}: {done:,} of {total:,} {what}, {running} {third}{eta}"

    if not console.is_terminal:

        def line(done: int, total: int, running: int) -> None:
            if done > before[0]:
                before[0] = done
                console.print(text(done, total, running), soft_wrap=True)

        yield line
        return
    with console.status(title) as status:
        yield lambda done, total, running: status.update(text(done, total, running))


@contextmanager
def steps(title: str) -> Iterator[Any]:
    """Yields `tell(line)`: a line for each step that is done, on a terminal below them a sign that it goes on."""
    console = err()

    def line(text: str) -> None:
        console.print(f"{title}: {text}", soft_wrap=True, markup=False)

    if not console.is_terminal:
        yield line
        return
    with console.status(title):
        yield line
