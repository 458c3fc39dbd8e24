"""The pictures of a run as SVG text. The one door to matplotlib, which is imported only when a picture is drawn.

Colours can be told apart by people who do not see all of them, and in grey print; every series is labelled where it is.
The same run gives the same bytes: no date, no random ids.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reports import words
from reports.day import Band, Day
from reports.facts import Facts
from sim import clock
from sim.clock import HOUR

LEGACY, NEW, DRAWING, GREY, INK = "#0072b2", "#d55e00", "#009e73", "#8a8a8a", "#222222"
FREE, QUARANTINE, FAULT = "#c9a400", "#cc79a7", "#cc0044"
_BACKEND = {"legacy": LEGACY, "new": NEW}
_HOME = {"legacy": LEGACY, "on the way": INK, "new": NEW, "in trouble": FAULT}
_PHASE = dict(zip((phase for phase, _ in words.PHASES), (LEGACY, "#f0d060", INK, "#f2b48c", NEW, FAULT), strict=True))


def timeline(day: Day, name: str, narrow: bool = False) -> str:
    """The day in panels above each other: connections, charging, the move, the faults. `narrow` is for a phone."""
    stations = list(dict.fromkeys(band.row for band in day.homes))
    faults = list(dict.fromkeys(band.row for band in day.faults))
    panels: list[tuple[float, Any]] = [(1.5, _connections), (1.7, _charging)]
    if stations:
        panels.append((0.19 * len(stations) + 0.1, lambda axis, day: _homes(axis, day, stations)))
    if faults:
        panels.append((0.34 * len(faults) + 0.05, lambda axis, day: _faults(axis, day, faults, 4.3 if narrow else 9.4)))
    title = "The day: stations connected, cars charging, the move, and what went wrong"
    return _stacked(panels, day, (name, title), narrow, 6 if narrow else 3)


def move(day: Day, name: str, narrow: bool = False) -> str:
    """The move alone, near enough to see its phases. `day.begin` and `day.end` are those of the move."""
    stations = list(dict.fromkeys(band.row for band in day.moves))
    panels = [
        (0.26 * len(stations) + 0.1, lambda axis, day: _phases(axis, day, stations)),
        (0.62 if narrow else 0.34, lambda axis, day: _legend(axis, day, 2 if narrow else 3)),
    ]
    return _stacked(panels, day, (name, "The move of each station, phase by phase"), narrow, 1, ticks_on=0)


def _stacked(
    panels: Sequence[tuple[float, Any]], day: Day, named: tuple[str, str], narrow: bool, every: int, ticks_on: int = -1
) -> str:
    """Panels of given heights (inches) above each other with one time axis, as SVG. `named`: id prefix, title."""
    heights = [height for height, _ in panels]
    total = sum(heights) + 0.42 * len(heights) + 0.35
    width = 4.3 if narrow else 9.4
    plt = pyplot_of()
    figure, axes = plt.subplots(
        len(panels), 1, sharex=True, figsize=(width, total), gridspec_kw={"height_ratios": heights}
    )
    try:
        for axis, (_, draw) in zip(axes, panels, strict=True):
            draw(axis, day)
        _hours(axes[ticks_on], day, every)
        figure.subplots_adjust(
            left=(0.7 if day.homes else 0.45) / width, right=1 - 0.25 / width, top=1 - 0.28 / total,
            bottom=(0.5 if ticks_on else 0.05) / total,
            hspace=0.42 * len(heights) / sum(heights),
        )  # fmt: skip
        return svg_of(figure, *named)
    finally:
        plt.close(figure)


def energy(facts: Facts, name: str, narrow: bool = False) -> str:
    """Where every kWh went: from what left the meters, step by step down to what nobody can find."""
    gap = facts.missing("books_sessions") or facts.missing("books_quarantine")
    steps = [
        ("left the meters", facts.delivered_wh, facts.sessions, INK),
        *(
            (label, fate.wh, fate.sessions, color)
            for key, text, color_of in _STEPS
            for fate in facts.fates
            if fate.key == key and (fate.wh or fate.sessions or (key == "billed" and not gap))
            for label, color in [(f"{text} at {fate.backend}", color_of.get(fate.backend, GREY))]
        ),
        (gap or "not found in any book", facts.unaccounted_wh, 0, GREY if gap else FAULT),
    ]
    size, width = (8.0, 4.3) if narrow else (9.5, 9.4)
    top = max(facts.delivered_wh / 1000, 1) * 1.01
    plt = pyplot_of()
    figure, axis = plt.subplots(figsize=(width, 0.55 + 0.5 * len(steps)))
    try:
        left = facts.delivered_wh
        for row, (label, wh, sessions, color) in enumerate(steps):
            begin = 0 if row == 0 else left - wh
            axis.barh(row + 0.18, wh / 1000, left=begin / 1000, height=0.36, color=color)
            left = left if row == 0 else begin
            note = f"{label}: {words.kwh_round(wh)}" + (f", {words.plural(sessions, 'session')}" if sessions else "")
            _above(axis, note.replace("\u202f", " "), (begin / 1000, row - 0.2), (top, (width - 0.4) * 72), size)
        axis.set_ylim(len(steps) - 0.4, -0.55)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
        axis.set_xlabel("kWh")
        axis.set_xlim(0, top)
        figure.tight_layout()
        return svg_of(figure, name, "Where every kWh went")
    finally:
        plt.close(figure)


def _above(axis: Any, text: str, place: tuple[float, float], across: tuple[float, float], size: float) -> None:
    """A label above a bar, from where the bar begins, moved left so far that the picture's edge does not cut it.

    `across` is the width of the axis in its own unit and in points.
    """
    whole, points = across
    room = whole * (1 - min(len(text) * size * 0.64 / points, 1))
    axis.annotate(
        text, (max(min(place[0], room), 0), place[1]), xytext=(2, 0), textcoords="offset points", ha="left",
        va="center", fontsize=size, color=INK,
    )  # fmt: skip


_STEPS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("billed", "billed", _BACKEND),
    ("free", "free by a rule", {"legacy": FREE, "new": FREE}),
    ("quarantined", "in quarantine", {"legacy": QUARANTINE, "new": QUARANTINE}),
    ("open", "still open", {}),
)


def _connections(axis: Any, day: Day) -> None:
    top = max((max(counts, default=0) for _, counts in day.connected.values()), default=0)
    series = {backend: _within(day, *steps) for backend, steps in day.connected.items()}
    last = {backend: ys[-1] for backend, (_, ys) in series.items()}
    for backend, (xs, ys) in series.items():
        dashes = {"linestyle": (0, (5, 1.2))} if backend == "new" else {}
        axis.step(xs, ys, where="post", color=_BACKEND[backend], linewidth=1.8, **dashes)
        below = ys[-1] < max(last.values()) and ys[-1] > top * 0.2  # two lines near each other keep their labels apart
        axis.annotate(
            f"at {backend}",
            (xs[-1], ys[-1]),
            xytext=(-3, -4 if below else 4),
            textcoords="offset points",
            ha="right",
            va="top" if below else "bottom",
            color=_BACKEND[backend],
            fontweight="bold",
        )
    counted(axis, max(top, 1) * 1.22)
    titled(axis, "Stations connected")


def _charging(axis: Any, day: Day) -> None:
    for (times, counts), color, alpha in ((day.plugged, GREY, 0.45), (day.drawing, DRAWING, 1.0)):
        xs, ys = _within(day, times, counts)
        axis.fill_between(xs, ys, step="post", color=color, alpha=alpha, linewidth=0)
    counted(axis, max([*day.plugged[1], 1]) * 1.5)
    axis.annotate("drawing power", (0.012, 0.90), xycoords="axes fraction", va="top", color=DRAWING, fontweight="bold")
    axis.annotate(
        "plugged in, full", (0.012, 0.74), xycoords="axes fraction", va="top", color="#5f5f5f", fontweight="bold"
    )
    titled(axis, "Cars in a session")


def _homes(axis: Any, day: Day, stations: Sequence[str]) -> None:
    rows = {station: number for number, station in enumerate(stations)}
    for band in day.homes:
        _bar(axis, day, band, rows[band.row], 0.72, _HOME[band.label], least=(day.end - day.begin) / 250)
    _with_sessions(axis, day, rows, "white")
    titled(axis, "The move (white line: a session)")


def _phases(axis: Any, day: Day, stations: Sequence[str]) -> None:
    rows = {station: number for number, station in enumerate(stations)}
    for band in day.homes:
        if band.label == "legacy":
            _bar(axis, day, band, rows[band.row], 0.78, LEGACY)
    for band in day.moves:
        _bar(axis, day, band, rows[band.row], 0.78, _PHASE[band.label])
    _with_sessions(axis, day, rows, "white")
    axis.tick_params(axis="x", labelbottom=True)


def _with_sessions(axis: Any, day: Day, rows: dict[str, int], color: str) -> None:
    for band in day.charging_at_moved:
        _bar(axis, day, band, rows[band.row], 0.2, color)
    axis.set_yticks(range(len(rows)), list(rows), fontsize=7.5)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)


def _legend(axis: Any, day: Day, columns: int) -> None:
    """What the colours of the move mean, in a row of its own."""
    from matplotlib.patches import Patch

    used = [phase for phase in _PHASE if _PHASE[phase] != LEGACY and any(band.label == phase for band in day.moves)]
    handles: list[Any] = [Patch(facecolor=LEGACY, label="at legacy, before its turn")]
    handles += [Patch(facecolor=_PHASE[phase], edgecolor="#999999", linewidth=0.5, label=phase) for phase in used]
    handles.append(
        Patch(facecolor="white", edgecolor="#999999", linewidth=0.5, label="white line: a session is running")
    )
    axis.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 1), ncols=columns, fontsize=7.5, frameon=False,
        handlelength=1.3, borderpad=0, borderaxespad=0, labelspacing=0.3, columnspacing=1.4,
    )  # fmt: skip
    axis.axis("off")


def _faults(axis: Any, day: Day, faults: Sequence[str], width: float) -> None:
    """Each kind of fault above its bars, from where the first begins."""
    rows = {fault: number for number, fault in enumerate(faults)}
    for band in day.faults:
        _bar(axis, day, band, rows[band.row] + 0.2, 0.34, FAULT, least=(day.end - day.begin) / 250)
    for fault, row in rows.items():
        begin = min(max(band.begin, day.begin) for band in day.faults if band.row == fault)
        place = ((begin - day.begin) / HOUR, row - 0.22)
        _above(axis, fault, place, ((day.end - day.begin) / HOUR, (width - 1) * 72), 8)
    axis.set_yticks([])
    axis.set_ylim(len(faults) - 0.45, -0.6)
    titled(axis, "What went wrong on purpose")


def _bar(axis: Any, day: Day, band: Band, row: float, height: float, color: str, least: float = 0) -> None:
    begin, end = max(band.begin, day.begin), min(band.end, day.end)
    if end > begin:
        width = max(end - begin, least)
        axis.barh(row, width / HOUR, left=(begin - day.begin) / HOUR, height=height, color=color, linewidth=0)


def spreads(sites: Mapping[str, Any], measures: Mapping[str, str], name: str, narrow: bool = False) -> str:
    """A panel for each measure, a row for each site: the middle day (dot) and the bad one (diamond), joined by a line."""
    rows = list(sites)
    width, each = (4.3, 1) if narrow else (9.4, 2)
    lines = -(-len(measures) // each)
    plt = pyplot_of()
    figure, axes = plt.subplots(lines, each, squeeze=False, figsize=(width, lines * (0.75 + 0.24 * len(rows))))
    try:
        for axis, (key, title) in zip(axes.flat, measures.items(), strict=False):
            for row, site in enumerate(rows):
                middle, bad = sites[site][key]["p50"], sites[site][key]["p95"]
                axis.plot([middle, bad], [row, row], color=GREY, linewidth=2, zorder=1)
                axis.scatter([bad], [row], marker="D", s=34, color=NEW, zorder=2)
                axis.scatter([middle], [row], marker="o", s=22, color=LEGACY, zorder=3)
            axis.set_yticks(range(len(rows)), rows, fontsize=7.5)
            axis.set_ylim(len(rows) - 0.4, -0.6)
            _whole(axis, max(max(sites[site][key]["p95"] for site in rows), 1) * 1.06)
            axis.tick_params(axis="y", length=0)
            titled(axis, title[:1].upper() + title[1:])
        for axis in list(axes.flat)[len(measures) :]:
            axis.axis("off")
        figure.tight_layout()
        return svg_of(figure, name, "What each site suffers: the middle day and the bad one of twenty")
    finally:
        plt.close(figure)


def _whole(axis: Any, right: float) -> None:
    """An x axis of whole things that begins a little before 0, so that a mark there is not cut."""
    from matplotlib.ticker import MaxNLocator

    axis.set_xlim(-right * 0.03, right)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def switching(hours: Mapping[str, Any], name: str, narrow: bool = False) -> str:
    """A panel for each site that moves: minutes lost by one switch, by the hour; the best hour is hatched and named."""
    width = 4.3 if narrow else 9.4
    plt = pyplot_of()
    figure, axes = plt.subplots(len(hours), 1, squeeze=False, figsize=(width, 0.35 + 1.35 * len(hours)))
    try:
        for axis, (site, told) in zip(axes.flat, hours.items(), strict=True):
            rows = told["rows"]
            minutes = [row["lost_ms_per_switch"] / 60_000 for row in rows]
            top = max([*minutes, 0.1]) * 1.25
            for row, height in zip(rows, minutes, strict=True):
                best = row["hour"] == told["best"]
                axis.bar(
                    row["hour"], height, width=0.8, color="white" if best else LEGACY, edgecolor=LEGACY,
                    hatch="////" if best else None, linewidth=1,
                )  # fmt: skip
                label = f"best: {height:.1f}" if best else f"{height:.1f}"
                axis.annotate(
                    label, (row["hour"], height), xytext=(0, 2), textcoords="offset points", ha="center",
                    fontsize=7 if narrow else 8, fontweight="bold" if best else "normal", color=INK,
                )  # fmt: skip
            axis.set_ylim(0, top)
            axis.set_yticks([])
            axis.spines["left"].set_visible(False)
            axis.set_xticks([row["hour"] for row in rows], [f"{row['hour']:02d}:00" for row in rows], fontsize=7.5)
            titled(axis, f"{site}: minutes lost by one switch")
        figure.tight_layout()
        return svg_of(figure, name, "Minutes that drivers lose when a station switches, by the hour")
    finally:
        plt.close(figure)


def _within(day: Day, times: Sequence[int], counts: Sequence[int]) -> tuple[list[float], list[int]]:
    """Hours since the begin of the picture, cut to its window with the right level at both ends."""
    xs: list[float] = [0.0]
    ys = [0]
    for at, count in zip(times, counts, strict=True):
        if at <= day.begin:
            ys[0] = count
        elif at < day.end:
            xs.append((at - day.begin) / HOUR)
            ys.append(count)
    return [*xs, (day.end - day.begin) / HOUR], [*ys, ys[-1]]


def _hours(axis: Any, day: Day, every: int) -> None:
    first = -(-day.begin // HOUR) * HOUR
    marks = [(at, clock.to_datetime(at, clock.zone(day.zone))) for at in range(first, day.end + 1, HOUR)]
    shown = [(at, local) for at, local in marks if local.hour % every == 0]
    axis.set_xticks([(at - day.begin) / HOUR for at, _ in shown], [f"{local:%H:%M}" for _, local in shown])
    axis.set_xlim(0, (day.end - day.begin) / HOUR)
    middle = clock.to_datetime((day.begin + day.end) // 2, clock.zone(day.zone))
    axis.set_xlabel(f"local time, {middle:%A %d %B %Y}")


def counted(axis: Any, top: float) -> None:
    """A y axis of whole things."""
    from matplotlib.ticker import MaxNLocator

    axis.set_ylim(0, top)
    axis.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def titled(axis: Any, title: str) -> None:
    """The heading of a panel."""
    axis.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK, pad=4)


def pyplot_of() -> Any:
    """matplotlib.pyplot with the type and colours of the house, without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "chargerig",
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    return pyplot


def svg_of(figure: Any, name: str, title: str) -> str:
    """Bare SVG for a page: as wide as its place, its ids its own, a title for those who cannot see it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "chargerig"}, transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1, flags=re.DOTALL)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r'<svg \1width="100%" role="img"', text, count=1, flags=re.DOTALL)
    return re.sub(r"(<svg [^>]*>)", rf"\1<title>{title}</title>", text, count=1)
