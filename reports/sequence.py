"""A session as a sequence diagram: car, station and back-ends as lifelines, messages as arrows, what was written as notes.

Plain SVG text drawn here, nothing outside of it. Time runs down the page, one row for each event and not to scale. Shape and
dash tell what colour tells: an answer is dashed, what never arrived ends in a cross.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from msgspec import Struct

from reports import words
from reports.run import Row, Run
from reports.trace_lines import name_of, said_by
from reports.walk import Walk, moved
from sim import clock

_ROW, _TOP, _BOTTOM = 34, 58, 16
_INK, _SOFT, _LINE, _BAD, _WASH = "#1d2126", "#5b6570", "#9aa4ad", "#b00020", "#f2e3c0"
_LETTER = 5.9
"""Width of a letter, about, in px."""
_MOST = 40
"""Events of a diagram; of more the middle is left out, and says so."""


class Mark(Struct, frozen=True):
    """One row: an arrow from `source` to `to`, or a note at `source` where both are the same."""

    at: int | None
    source: str
    to: str
    text: str
    answer: bool = False
    lost: bool = False
    bad: bool = False


def sequence(run: Run, walk: Walk, name: str, *, narrow: bool = False) -> str:
    """The diagram of a walk as SVG text; `name` makes its ids its own. Times are those of the run's zone."""
    marks = _cut(sorted(_marks(run, walk), key=lambda mark: int(mark.at or 0)))
    lives = _lives(marks)
    width = 360 if narrow else 760
    left = 14 if narrow else 96
    places = {life: left + (width - left) * (number + 0.5) / len(lives) for number, life in enumerate(lives)}
    row = _ROW + (14 if narrow else 0)
    height = _TOP + row * len(marks) + _BOTTOM
    truth = walk.truth or walk.transaction
    title = f"Session at {truth['station']}, connector {truth['connector']}"
    drawn = [_life(life, _title(life, truth), places[life], height) for life in lives]
    for number, mark in enumerate(marks):
        y = _TOP + row * number + (30 if narrow else 18)
        drawn.append(_drawn(mark, places, y, name, run.zone, narrow))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11.5"><title>{escape(title)}</title>'
        f'<defs><marker id="{name}-head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto-start-reverse"><path d="M0 0.5L8 4L0 7.5z" fill="{_INK}"/></marker></defs>{"".join(drawn)}</svg>'
    )


def _marks(run: Run, walk: Walk) -> Iterable[Mark]:
    visit, truth = walk.visit, walk.truth
    for column, text in (("plugged_at", "plugs in"), ("unplugged_at", "unplugs")):
        if visit.get(column) is not None:
            yield Mark(int(visit[column]), "car", "station", text)
    for one in walk.readings:
        text = f"{words.kwh(one['register_wh'])}: {one['means']}"
        yield Mark(int(one["at"]), "station", "station", text)
    for call in walk.calls:
        yield from _call(call)
    for one in (*walk.handed, *([walk.transaction] if walk.transaction else [])):
        at = one["received_stop_at"] or one["received_start_at"]
        issuer = f", begun at {one['issuer']}" if moved(one) else ""
        yield Mark(at, one["backend"], one["backend"], f"transaction {one['transaction_id']}: {one['state']}{issuer}")
    heard = walk.transaction.get("received_stop_at") if walk.transaction else None
    session = walk.session
    if session:
        energy = f", {words.kwh(int(session['energy_wh']))}" if session["energy_wh"] is not None else ""
        at = heard or session["stopped_at"]
        yield Mark(at, session["backend"], session["backend"], f"session {session['state']}{energy}")
    for held in walk.quarantine:
        yield Mark(held["at"], held["backend"], held["backend"], f"held: {held['reason']}", bad=True)
    if walk.bill:
        gross = words.money(int(walk.bill["gross"]), str(walk.bill["currency"]))
        yield Mark(walk.bill["issued_at"], walk.bill["backend"], walk.bill["backend"], f"bill over {gross}")
    begin, end = _span(truth or walk.transaction)
    for fault in run.table("truth_faults"):
        station = (truth or walk.transaction)["station"]
        known = {call["backend"] for call in walk.calls}
        if fault["target"] in (station, *known) and begin <= int(fault["at"]) <= end:
            place = "station" if fault["target"] == station else str(fault["target"])
            lasts = int(fault["until"] or fault["at"]) - int(fault["at"])
            long = f" for {words.duration(lasts)}" if lasts else ""
            yield Mark(int(fault["at"]), place, place, f"fault: {fault['kind']}{long}", bad=True)


def _span(row: Row) -> tuple[int, int]:
    begin = int(row["started_at"] or 0)
    return begin - 10 * clock.MINUTE, int(row["stopped_at"] or begin) + 30 * clock.MINUTE


def _call(call: Row) -> Iterable[Mark]:
    ends = ("station", str(call["backend"]))
    source, to = ends if call["way"] == "up" else ends[::-1]
    lost = call["delivered_at"] is None
    yield Mark(int(call["sent_at"]), source, to, name_of(call), lost=lost)
    if call["answered_at"] is not None:
        text = said_by(call).removeprefix(": ").strip() or "answered"
        gone = call["answer_delivered_at"] is None
        yield Mark(
            int(call["answered_at"]), to, source, text, answer=True, lost=gone, bad=call["answer_kind"] == "error"
        )


def _cut(marks: Sequence[Mark]) -> list[Mark]:
    if len(marks) <= _MOST:
        return list(marks)
    half = _MOST // 2
    gap = Mark(None, "station", "station", f"{len(marks) - 2 * half} more")
    return [*marks[:half], gap, *marks[-half:]]


def _lives(marks: Sequence[Mark]) -> list[str]:
    """Car and station first, then the back-ends in the order in which they appear."""
    named = dict.fromkeys(("car", "station"))
    for mark in marks:
        named.setdefault(mark.source)
        named.setdefault(mark.to)
    there = {life for mark in marks for life in (mark.source, mark.to)}
    return [life for life in named if life in there] or ["station"]


def _title(life: str, truth: Row) -> str:
    return str(truth["station"]) if life == "station" else life


def _life(life: str, title: str, x: float, height: int) -> str:
    return (
        f'<rect x="{x - 46:.0f}" y="10" width="92" height="26" rx="4" fill="#ffffff" stroke="{_INK}"/>'
        f'<text x="{x:.0f}" y="27" text-anchor="middle" font-weight="600" fill="{_INK}">{escape(title[:14])}</text>'
        f'<line x1="{x:.0f}" y1="36" x2="{x:.0f}" y2="{height - 6}" stroke="{_LINE}" stroke-dasharray="2 4"/>'
    )


def _drawn(mark: Mark, places: dict[str, float], y: int, name: str, zone: str, narrow: bool) -> str:
    time = "" if mark.at is None else f"{clock.to_datetime(mark.at, clock.zone(zone)):%H:%M:%S}"
    place = f'x="2" y="{y - 16 if narrow else y + 4}"'
    drawn = f'<text {place} fill="{_SOFT}" font-size="{10 if narrow else 11}">{time}</text>'
    begin, end = places[mark.source], places[mark.to]
    colour = _BAD if mark.bad or mark.lost else _INK
    if mark.source == mark.to:
        return drawn + _note(mark, begin, y, places, colour, 360 if narrow else 760)
    stop = (begin + end) / 2 if mark.lost else end
    dash = ' stroke-dasharray="6 4"' if mark.answer else ""
    head = "" if mark.lost else f' marker-end="url(#{name}-head)"'
    drawn += (
        f'<line x1="{begin:.0f}" y1="{y}" x2="{stop:.0f}" y2="{y}" stroke="{colour}" stroke-width="1.4"{dash}{head}/>'
    )
    if mark.lost:
        drawn += f'<path d="M{stop - 5:.0f} {y - 5}l10 10m0 -10l-10 10" stroke="{_BAD}" stroke-width="2" fill="none"/>'
    text = f"{mark.text} (lost)" if mark.lost else mark.text
    middle = (begin + end) / 2
    return f'{drawn}<text x="{middle:.0f}" y="{y - 5}" text-anchor="middle" fill="{colour}">{escape(text[:48])}</text>'


def _note(mark: Mark, x: float, y: int, places: dict[str, float], colour: str, width: int) -> str:
    """A note beside its lifeline: to the right, at the last one to the left, cut where the picture ends."""
    at_end = len(places) > 1 and x >= max(places.values())
    room = int((x - 14 if at_end else width - x - 14) / _LETTER)
    text = mark.text if len(mark.text) <= room else f"{mark.text[: room - 1].rstrip()}\u2026"
    anchor, where = ("end", x - 9) if at_end else ("start", x + 9)
    wide = _LETTER * len(text) + 8
    left = where - wide + 4 if at_end else where - 4
    paper = _WASH if mark.bad else "#ffffff"
    return (
        f'<rect x="{left:.0f}" y="{y - 9}" width="{wide:.0f}" height="18" rx="3" fill="{paper}"/>'
        f'<circle cx="{x:.0f}" cy="{y}" r="3.5" fill="{colour}"/>'
        f'<text x="{where:.0f}" y="{y + 4}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
    )
