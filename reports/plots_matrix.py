"""The heat map of a pricing matrix: what one and the same charge costs, by location and group and by when it begins.

Draws what it is given and works out no price. Colours run from dark blue to yellow, which nobody confuses, and every cell
says its number where there is room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from reports.plots import INK, pyplot_of, titled


class Heat(Struct, frozen=True):
    """A panel: rows and days by name, and for each row the prices of each day at each hour 0 to 23, in `currency`."""

    currency: str
    rows: tuple[str, ...]
    days: tuple[str, ...]
    prices: tuple[tuple[tuple[float, ...], ...], ...]


def draw_heat_map(panels: Sequence[Heat], title: str, file: Path) -> None:
    """Write the picture, SVG or PNG by the name of the file. A panel for each currency."""
    plt = pyplot_of()
    heights = [0.3 * len(panel.rows) + 0.5 for panel in panels]
    widest = max(len(panel.days) for panel in panels)
    size = (2.2 + 3.4 * widest, sum(heights) + 0.75 * len(panels) + 0.4)
    figure, axes = plt.subplots(
        len(panels), widest, squeeze=False, figsize=size, gridspec_kw={"height_ratios": heights}, layout="constrained"
    )
    try:
        for line, panel in zip(axes, panels, strict=True):
            _panel(figure, line, panel)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
        metadata = {"Date": None, "Creator": "chargerig"} if file.suffix == ".svg" else None
        figure.savefig(file, format=file.suffix[1:], dpi=160, metadata=metadata)
    finally:
        plt.close(figure)


def _panel(figure: Any, axes: Sequence[Any], panel: Heat) -> None:
    every = [price for row in panel.prices for day in row for price in day]
    low, high = min(every), max(every)
    image = None
    for n, axis in enumerate(axes):
        if n >= len(panel.days):
            axis.axis("off")
            continue
        values = [row[n] for row in panel.prices]
        image = axis.imshow(values, aspect="auto", cmap="cividis", vmin=low, vmax=high, interpolation="nearest")
        axis.set_xticks(range(0, 24, 6), [f"{hour:02}:00" for hour in range(0, 24, 6)], fontsize=7.5)
        axis.set_yticks(range(len(panel.rows)), panel.rows if n == 0 else [], fontsize=7.5)
        axis.tick_params(length=0)
        titled(axis, panel.days[n])
        for row, prices in enumerate(values):
            _numbers(axis, row, prices, low, high)
    bar = figure.colorbar(image, ax=list(axes[: len(panel.days)]), fraction=0.03, pad=0.01)
    bar.set_label(panel.currency, fontsize=8)
    bar.ax.tick_params(labelsize=7.5)


def _numbers(axis: Any, row: int, prices: Sequence[float], low: float, high: float) -> None:
    """The price once for each run of equal hours, if it has room."""
    begun = 0
    for hour in range(1, len(prices) + 1):
        if hour < len(prices) and prices[hour] == prices[begun]:
            continue
        if hour - begun >= 3:
            dark = high == low or (prices[begun] - low) / (high - low) < 0.5
            axis.text(
                (begun + hour - 1) / 2, row, f"{prices[begun]:g}", ha="center", va="center", fontsize=7,
                color="white" if dark else INK,
            )  # fmt: skip
        begun = hour
