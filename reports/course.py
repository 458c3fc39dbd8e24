"""The whole run as series: stations, power and sessions per back-end day by day, and drivers' money over time.

Money is that of drivers, of both back-ends, in minor units of its currency: `invoiced` what bills and invoices ask for,
`held` what partners hold authorised at that instant, `captured` what they took (less refunds), `paid out` what reached a
bank account. All but `held` only add up. Nothing here draws or judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from reports.day import Steps, connected, drawing
from reports.facts import delivered
from reports.run import BACKENDS, Row, Run, by, points
from reports.waves import local_noon
from sim import clock
from sim.clock import DAY, HOUR

MONEY = ("invoiced", "held", "captured", "paid out")
_PAID_OUT = ("payout", "settlement")
_ENDS = ("capture", "void")


class Course(Struct, frozen=True):
    """Series per back-end from `begin` to `end` (ms). One number per local day of `days` (its noon)."""

    begin: int
    end: int
    zone: str
    days: tuple[int, ...]
    connected: dict[str, Steps]
    energy_wh: dict[str, tuple[int, ...]]
    sessions: dict[str, tuple[int, ...]]


class Purse(Struct, frozen=True):
    """The drivers' money in one currency: for each of MONEY the instants (ms) and sums (minor units)."""

    currency: str
    begin: int
    end: int
    zone: str
    series: dict[str, Steps]

    @property
    def last(self) -> dict[str, int]:
        """The sums at the end."""
        return {name: sums[-1] if sums else 0 for name, (_, sums) in self.series.items()}


def course(run: Run) -> Course:
    """Stations, power and sessions of the whole run."""
    sessions = run.table("truth_sessions")
    zone = clock.zone(run.zone)
    starts = [int(row["started_at"]) for row in sessions]
    stops = [int(row["stopped_at"]) for row in sessions if row["stopped_at"] is not None]
    dates = [clock.to_datetime(at, zone).date() for at in (min(starts, default=0), max([*starts, *stops], default=0))]
    first, last = (local_noon(day.isoformat(), run.zone) for day in dates)
    days = tuple(
        local_noon(clock.to_datetime(at, zone).date().isoformat(), run.zone) for at in range(first, last + HOUR, DAY)
    )
    number = {clock.to_datetime(at, zone).date(): place for place, at in enumerate(days)}
    where = homes(run)
    counts = {name: [0] * len(days) for name in BACKENDS}
    energy = {name: [0] * len(days) for name in BACKENDS}
    for session in sessions:
        begun = clock.to_datetime(session["started_at"], zone).date()
        counts[_home(where, session["station"], int(session["started_at"]))][number[begun]] += 1
        for begin, end, wh in gained(session):
            middle = (begin + end) // 2
            energy[_home(where, session["station"], middle)][number[clock.to_datetime(middle, zone).date()]] += wh
    end = days[-1] + 12 * HOUR
    return Course(
        begin=days[0] - 12 * HOUR,
        end=end,
        zone=run.zone,
        days=days,
        connected={name: connected(run, name, end) for name in BACKENDS},
        energy_wh={name: tuple(energy[name]) for name in BACKENDS},
        sessions={name: tuple(counts[name]) for name in BACKENDS},
    )


def gained(session: Row) -> Iterable[tuple[int, int, int]]:
    """A session's energy in stretches of at most an hour: begin, end, Wh; their sum is what the meter gave.

    Between two signed points the energy is spread evenly over the time in which power flowed.
    """
    end = max((at for at, _, _ in points(session)), default=int(session["started_at"]))
    flows = list(drawing(session, end))
    for (begin, low, _), (until, high, _) in pairwise(points(session)):
        pieces = [piece for flow in flows for piece in _cut(max(begin, flow[0]), min(until, flow[1]))]
        whole = sum(stop - start for start, stop in pieces)
        given, passed = 0, 0
        for start, stop in pieces:
            passed += stop - start
            upto = (high - low) * passed // whole
            yield start, stop, upto - given
            given = upto
        if not pieces and high != low:
            yield begin, until, high - low
    if not points(session) and delivered(session):
        yield int(session["started_at"]), end, delivered(session)


def _cut(begin: int, end: int) -> Iterable[tuple[int, int]]:
    """A stretch in pieces of at most an hour, so that each belongs to one day."""
    while begin < end:
        until = min(end, (begin // HOUR + 1) * HOUR)
        yield begin, until
        begin = until


def homes(run: Run) -> dict[str, list[tuple[int, str]]]:
    """Since when each station belonged to which back-end, oldest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for link in run.table("wire_links"):
        found.setdefault(str(link["station"]), [(0, str(link["backend"]))])
    to = {"SEEN_AT_NEW": "new", "BACK_AT_OLD": "legacy"}
    for station, rows in by(run.table("truth_migration"), "station").items():
        found[station] = [(0, "legacy"), *((int(row["at"]), to[row["state"]]) for row in rows if row["state"] in to)]
    return found


def _home(where: dict[str, list[tuple[int, str]]], station: str, at: int) -> str:
    return next((name for since, name in reversed(where.get(station, [])) if since <= at), BACKENDS[0])


def purses(run: Run) -> tuple[Purse, ...]:
    """The drivers' money, one purse per currency; none where no partner moved any."""
    payments = run.table("partner_payments")
    if not payments:
        return ()
    moved: dict[str, dict[str, list[tuple[int, int]]]] = {}

    def add(currency: str, name: str, at: int, amount: int) -> None:
        moved.setdefault(currency.upper(), {one: [] for one in MONEY})[name].append((at, amount))

    direct = {row["number"] for row in run.table("books_billables") if row["state"] == "direct"}
    for row in run.table("books_bills"):
        if row["number"] in direct:
            add(row["currency"], "invoiced", int(row["issued_at"]), int(row["gross"]))
    drivers = {row["number"] for row in run.table("books_invoices") if row["kind"] == "drivers"}
    for row in run.table("books_invoices"):
        if row["number"] in drivers or row["cancels"] in drivers:
            add(row["currency"], "invoiced", int(row["issued_at"]), int(row["gross"]))
    for row in payments:
        if row["kind"] in ("capture", "refund"):
            sign = 1 if row["kind"] == "capture" else -1
            add(row["currency"], "captured", int(row["at"]), sign * int(row["amount"]))
        elif row["kind"] in _PAID_OUT and row["state"] != "failed":
            add(row["currency"], "paid out", int(row["at"]), int(row["amount"]))
    for currency, at, amount in _held(payments):
        add(currency, "held", at, amount)
    begin = min(at for one in moved.values() for changes in one.values() for at, _ in changes)
    end = max(at for one in moved.values() for changes in one.values() for at, _ in changes)
    return tuple(
        Purse(currency, begin, end, run.zone, {name: _sums(changes) for name, changes in moved[currency].items()})
        for currency in sorted(moved)
    )


def _held(payments: Sequence[Row]) -> Iterable[tuple[str, int, int]]:
    """Holds as changes: currency, instant, amount. The last capture or void of one that is over lets go of the rest."""
    ends: dict[tuple[str, str], list[Row]] = {}
    for row in payments:
        if row["kind"] in _ENDS and row["for_id"]:
            ends.setdefault((row["partner"], row["for_id"]), []).append(row)
    for row in payments:
        if row["kind"] != "auth" or str(row["state"]).startswith("declined"):
            continue
        left = int(row["amount"])
        yield row["currency"], int(row["at"]), left
        mine = sorted(ends.get((row["partner"], row["id"]), []), key=lambda one: int(one["at"]))
        for number, one in enumerate(mine, start=1):
            over = number == len(mine) and str(row["state"]) != "authorised"
            taken = left if over else min(left, int(one["amount"]))
            left -= taken
            yield row["currency"], int(one["at"]), -taken


def _sums(changes: Sequence[tuple[int, int]]) -> Steps:
    """Changes summed up, one step for all of an instant."""
    times: list[int] = []
    sums: list[int] = []
    level = 0
    for at, amount in sorted(changes):
        level += amount
        if times and times[-1] == at:
            sums[-1] = level
        else:
            times.append(at)
            sums.append(level)
    return times, sums
