"""The pictures of an upgrade as SVG text: its waves, what was announced, the course of the run, drivers' money.

Drawn with what `reports.plots` lends. Series differ by line style, marker or hatch besides their colour, and are named where
they end, so that they can be told apart in grey print and by people who do not see all colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports import words
from reports.course import MONEY, Course, Purse
from reports.plots import DRAWING, FAULT, GREY, INK, LEGACY, NEW, counted, pyplot_of, svg_of, titled
from reports.waves import BACK, PHASES, Calendar, Wave
from sim import clock
from sim.clock import DAY, HOUR

_LOOK: dict[str, tuple[str, str]] = dict(
    zip(
        PHASES,
        (
            ("#dce8f2", ""),
            ("#f0d060", "...."),
            ("#444444", ""),
            ("#f2b48c", "////"),
            (NEW, ""),
            (FAULT, "xxxx"),
            (LEGACY, "\\\\\\\\"),
        ),
        strict=True,
    )
)
_SHORT = dict(
    zip(PHASES, ("waiting", "draining", "switching", "being set up", "moved", "in trouble", "back"), strict=True)
)
_LINES: dict[str, dict[str, Any]] = {
    "legacy": {"color": LEGACY, "linestyle": "-", "marker": "o"},
    "new": {"color": NEW, "linestyle": (0, (5, 1.2)), "marker": "s"},
    "invoiced": {"color": INK, "linestyle": "-", "linewidth": 2.2},
    "captured": {"color": LEGACY, "linestyle": (0, (5, 1.2)), "linewidth": 1.8},
    "paid out": {"color": DRAWING, "linestyle": (0, (5, 1.5, 1, 1.5)), "linewidth": 1.8},
    "held": {"color": NEW, "linestyle": (0, (1, 1)), "linewidth": 1.8},
}
_MARKS: dict[str, tuple[str, dict[str, Any]]] = {
    "notice": ("owners told", {"marker": "^", "color": LEGACY}),
    "notice-void": ("told that it is off", {"marker": "x", "color": FAULT}),
    "called-off": ("day called off", {"marker": "s", "markerfacecolor": "white", "color": GREY}),
    "day": ("day of the move", {"marker": "s", "color": NEW}),
}


def waves(told: Sequence[Wave], name: str, narrow: bool = False) -> str:
    """A small picture per wave: its stations by phase over the working day, stacked."""
    across = 1 if narrow else min(len(told), 3)
    down = -(-len(told) // across)
    width, height = (4.3, 2.0 * down + 0.9) if narrow else (9.4, 2.5 * down + 0.6)
    plt = pyplot_of()
    figure, axes = plt.subplots(down, across, squeeze=False, figsize=(width, height))
    try:
        handles: dict[str, Any] = {}
        for axis, wave in zip(axes.flat, told, strict=False):
            _wave(axis, wave, handles)
        for axis in list(axes.flat)[len(told) :]:
            axis.axis("off")
        shown = [phase for phase in PHASES if phase in handles]
        figure.legend(
            [handles[phase] for phase in shown], shown, loc="lower center", ncols=2 if narrow else 4, fontsize=7.5,
            frameon=False, handlelength=2, labelspacing=0.35,
        )  # fmt: skip
        figure.tight_layout(rect=(0, (0.8 if narrow else 0.45) / height, 1, 1))
        return svg_of(figure, name, "Stations of each wave by the phase of their move, over the working day")
    finally:
        plt.close(figure)


def _wave(axis: Any, wave: Wave, handles: dict[str, Any]) -> None:
    xs = [(at - wave.begin) / HOUR for at in wave.times]
    bottom = [0] * len(xs)
    ends: list[tuple[float, str, str]] = []
    order = [PHASES[4], BACK, PHASES[5], PHASES[3], PHASES[2], PHASES[1], PHASES[0]]
    for phase in (one for one in order if one in wave.counts):
        top = [low + count for low, count in zip(bottom, wave.counts[phase], strict=True)]
        color, hatch = _LOOK[phase]
        handles[phase] = axis.fill_between(
            xs, bottom, top, step="post", facecolor=color, hatch=hatch, edgecolor="#666666", linewidth=0.3
        )
        if wave.counts[phase][-1]:
            ends.append(((bottom[-1] + top[-1]) / 2, f"{wave.counts[phase][-1]} {_SHORT[phase]}", INK))
        bottom = top
    axis.set_xlim(0, xs[-1])
    counted(axis, wave.stations * 1.02)
    _at_end(axis, xs[-1], ends, 7.5)
    first = -(-wave.begin // HOUR) * HOUR
    zone = clock.zone(wave.zone)
    marks = [(at, clock.to_datetime(at, zone)) for at in range(first, wave.end + 1, HOUR)]
    every = 2 if len(marks) < 12 else 4
    shown = [(at, local) for at, local in marks if local.hour % every == 0]
    axis.set_xticks([(at - wave.begin) / HOUR for at, _ in shown], [f"{local:%H:%M}" for _, local in shown])
    axis.tick_params(labelsize=7.5)
    day = clock.to_datetime((wave.begin + wave.end) // 2, zone)
    titled(axis, f"Wave {wave.wave}, {day:%d %b}: {wave.stations} stations")


def calendar(told: Calendar, name: str, narrow: bool = False) -> str:
    """A row per wave: when its owners were told, which day was called off, which day it took place; the deadline."""
    width, height = 4.3 if narrow else 9.4, 0.33 * len(told.waves) + (1.5 if narrow else 1.15)
    plt = pyplot_of()
    figure, axis = plt.subplots(figsize=(width, height))
    try:
        rows = {wave: number for number, wave in enumerate(told.waves)}
        handles = {}
        for mark in told.marks:
            (handles[mark.kind],) = axis.plot(
                (mark.at - told.begin) / DAY,
                rows[mark.wave] - 0.17 * (mark.kind == "notice"),
                linestyle="",
                markersize=7,
                **_MARKS[mark.kind][1],
            )
        end = (told.deadline - told.begin) / DAY
        axis.axvline(end, color=INK, linestyle=(0, (3, 2)), linewidth=1)
        axis.annotate(
            "owners' deadline", (end, -0.75), xytext=(3, 0), textcoords="offset points", fontsize=7.5, va="center"
        )
        axis.set_yticks(range(len(rows)), [f"wave {wave}" for wave in rows])
        axis.set_ylim(len(rows) - 0.5, -1.05)
        axis.tick_params(axis="y", length=0)
        _days(axis, told.begin, told.end, told.zone, 3 if narrow else 2)
        kinds = [kind for kind in _MARKS if kind in handles]
        figure.legend(
            [handles[kind] for kind in kinds], [_MARKS[kind][0] for kind in kinds], loc="lower center",
            ncols=2 if narrow else 4, fontsize=7.5, frameon=False,
        )  # fmt: skip
        figure.tight_layout(rect=(0, (0.45 if narrow else 0.25) / height, 1, 1))
        return svg_of(figure, name, "Notices and days of the waves, and the owners' deadline")
    finally:
        plt.close(figure)


def course(told: Course, name: str, narrow: bool = False) -> str:
    """The whole run per back-end: stations connected, power drawn (mean of each day), sessions begun a day."""
    plt = pyplot_of()
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(4.3 if narrow else 9.4, 5.6))
    try:
        xs = [(at - told.begin) / DAY for at in told.days]
        power = {name: [wh / 24_000 for wh in daily] for name, daily in told.energy_wh.items()}
        for axis, title, series in (
            (axes[1], "Power drawn, kW (mean of each day)", power),
            (axes[2], "Sessions begun each day", told.sessions),
        ):
            _lines(axis, {one: (xs, ys) for one, ys in series.items()})
            titled(axis, title)
        links = {one: _clipped(times, counts, told.begin, told.end) for one, (times, counts) in told.connected.items()}
        _lines(axes[0], links, steps=True)
        titled(axes[0], "Stations connected")
        _days(axes[2], told.begin, told.end, told.zone, 7)
        figure.tight_layout()
        return svg_of(figure, name, "Stations connected, power and sessions per back-end over the whole run")
    finally:
        plt.close(figure)


def _lines(axis: Any, series: Mapping[str, tuple[Sequence[float], Sequence[float]]], steps: bool = False) -> None:
    """A line per back-end, named where it ends; days get a marker each."""
    top = max((max(ys, default=0) for _, ys in series.values()), default=0)
    counted(axis, max(top, 1) * 1.12)
    ends = []
    for name, (xs, ys) in series.items():
        look = dict(_LINES[name])
        if steps:
            look.pop("marker")
            axis.step(xs, ys, where="post", linewidth=1.7, **look)
        else:
            axis.plot(xs, ys, linewidth=1.4, markersize=3.5, **look)
        ends.append((float(ys[-1]), name, str(look["color"])))
    _at_end(axis, max(xs[-1] for xs, _ in series.values()), ends, 8.5)


def money(told: Sequence[Purse], name: str, narrow: bool = False) -> str:
    """A panel per currency: drivers' money invoiced, captured and paid out, added up, and what is held at the time."""
    plt = pyplot_of()
    figure, axes = plt.subplots(
        len(told), 1, squeeze=False, sharex=True, figsize=(4.3 if narrow else 9.4, 0.5 + 2.6 * len(told))
    )
    try:
        for axis, purse in zip(axes.flat, told, strict=True):
            ends = []
            for one in MONEY:
                times, sums = purse.series[one]
                xs, ys = _clipped(times, [amount / 100 for amount in sums], purse.begin, purse.end)
                axis.step(xs, ys, where="post", **_LINES[one])
                amount = words.number(round(max(ys) if one == "held" else ys[-1])).replace("\u202f", " ")
                most = ", most" if one == "held" else ""  # what is held goes up and down: its end says little
                ends.append((ys[-1], f"{one}{most} {amount}", str(_LINES[one]["color"])))
            axis.set_ylim(0, max(max(sums, default=0) for _, sums in purse.series.values()) / 100 * 1.08 or 1)
            axis.yaxis.set_major_formatter(lambda value, _: words.number(round(value)).replace("\u202f", " "))
            axis.tick_params(axis="y", labelsize=7.5)
            _at_end(axis, (purse.end - purse.begin) / DAY, ends, 7.5 if narrow else 8.5)
            titled(axis, f"Drivers' money, {purse.currency}")
        _days(list(axes.flat)[-1], told[0].begin, told[0].end, told[0].zone, 14 if narrow else 7)
        figure.tight_layout()
        return svg_of(figure, name, "Drivers' money invoiced, held, captured and paid out over the whole run")
    finally:
        plt.close(figure)


def _clipped(times: Sequence[int], ys: Sequence[float], begin: int, end: int) -> tuple[list[float], list[float]]:
    """Steps as days since the begin of the picture, beginning at 0 and going on to its end."""
    shown = [(at, y) for at, y in zip(times, ys, strict=True) if at <= end]
    xs = [0.0, *(max(at - begin, 0) / DAY for at, _ in shown), (end - begin) / DAY]
    return xs, [0, *(y for _, y in shown), shown[-1][1] if shown else 0]


def _at_end(axis: Any, x: float, ends: Iterable[tuple[float, str, str]], size: float) -> None:
    """Names right of where the series end, moved apart so far that they can be read."""
    low, high = sorted(axis.get_ylim())
    tall = axis.get_window_extent().height * 72 / axis.figure.dpi
    gap = size * 1.25 * (high - low) / max(tall, 1)
    placed: list[float] = []
    for y, text, color in sorted(ends):
        place = max(y, placed[-1] + gap) if placed else max(y, low + gap / 2)
        placed.append(place)
        axis.annotate(
            text, (x, place), xytext=(4, 0), textcoords="offset points", ha="left", va="center", fontsize=size,
            color=color, fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _days(axis: Any, begin: int, end: int, zone: str, every: int) -> None:
    """Local days on the x axis, whose unit is days since `begin`."""
    local = clock.to_datetime(begin, clock.zone(zone))
    midnight = begin - (local.hour * 60 + local.minute) * 60_000 - local.second * 1000
    days = [at for at in range(midnight, end + 1, every * DAY) if at >= begin]
    axis.set_xticks(
        [(at - begin) / DAY for at in days], [f"{clock.to_datetime(at, clock.zone(zone)):%d %b}" for at in days]
    )
    axis.set_xlim(0, (end - begin) / DAY)
