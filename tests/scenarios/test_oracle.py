"""The second opinion: sums done by hand, both ways of counting alike, and nothing shared with a back-end."""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import oracle
from scenarios.oracle import NoOpinion, Opinion, Point, Terms, opinion, second_by_second

BERLIN = "Europe/Berlin"
TARIFF: dict[str, Any] = {
    "tariff_id": "day-night",
    "version": 1,
    "currency": "EUR",
    "vat_percent": "19",
    "prices_include_vat": True,
    "energy": [{"from": "06:00", "to": "22:00", "price": "0.49"}, {"from": "22:00", "to": "06:00", "price": "0.39"}],
    "start_fee": "0.50",
    "idle_per_minute": "0.10",
    "idle_grace_s": 1800,
    "group_discounts": {"staff": "10"},
    "minimum_wh": 100,
}
MINUTE = 60_000


def local(text: str, zone: str = BERLIN, fold: int = 0) -> int:
    """The instant of a local time, written `2019-06-12 08:00`."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp() * 1000)


def terms(group: str | None = None, idle: bool = True, zone: str = BERLIN, **tariff: Any) -> Terms:
    return Terms({**TARIFF, **tariff}, zone, group, idle)


def walk(*points: tuple[str, int, str]) -> list[Point]:
    return [Point(local(f"2019-06-12 {at}"), wh, mark) for at, wh, mark in points]


def amounts(said: Opinion) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for line in said.lines:
        found.setdefault(line.component, []).append(line.amount)
    return found


def test_t01_a_plain_session_done_by_hand() -> None:
    """7 kWh x 0.49 = 3.43, 0.50 to begin: 3.93 gross, 3.93 / 1.19 = 3.3025 net."""
    said = opinion(walk(("08:00", 1_000, "B"), ("09:00", 8_000, "E")), terms())
    assert amounts(said) == {"energy": [343], "start": [50]}
    assert (said.currency, said.gross, said.net, said.vat, said.free) == ("EUR", 393, 330, 63, False)


def test_t01_each_stretch_is_priced_at_the_local_time_of_its_start() -> None:
    """3.5 kWh x 0.49 = 1.715 -> 1.72 (half up), 3.5 kWh x 0.39 = 1.365 -> 1.37."""
    said = opinion(walk(("21:30", 0, "B"), ("22:00", 3_500, "T"), ("22:30", 7_000, "E")), terms())
    assert amounts(said)["energy"] == [172, 137]
    unsigned = opinion(walk(("21:30", 0, "B"), ("22:30", 7_000, "E")), terms())
    assert amounts(unsigned)["energy"] == [343]


def test_t01_stretches_of_one_price_make_one_line_that_is_rounded_once() -> None:
    """Three stretches of 0.25 kWh at 0.49 are 0.3675 -> 0.37, not three times 0.12."""
    points = walk(("08:00", 0, "B"), ("08:10", 250, "S"), ("08:20", 250, "C"), ("08:30", 500, "T"), ("08:40", 750, "E"))
    assert amounts(opinion(points, terms()))["energy"] == [37]


def test_t01_a_meter_clock_that_is_a_second_early_does_not_move_the_price_change() -> None:
    points = walk(("21:30", 0, "B"), ("21:59:59", 3_500, "T"), ("22:30", 7_000, "E"))
    assert amounts(opinion(points, terms()))["energy"] == [172, 137]


def test_t01_a_discount_is_taken_off_energy_only() -> None:
    """7 kWh x 0.49 x 0.9 = 3.087 -> 3.09."""
    said = opinion(walk(("08:00", 0, "B"), ("09:00", 7_000, "E")), terms("staff"))
    assert amounts(said) == {"energy": [309], "start": [50]}


def test_t01_below_the_minimum_is_free_and_at_it_is_not() -> None:
    below = opinion(walk(("08:00", 0, "B"), ("09:00", 99, "E")), terms())
    assert (below.free, below.gross, below.lines) == (True, 0, ())
    assert not opinion(walk(("08:00", 0, "B"), ("09:00", 100, "E")), terms()).free


def test_inv_35_idle_is_billed_after_one_grace_from_the_evs_own_end() -> None:
    """50 minutes of idle in two pieces, 30 of them free: 20 x 0.10."""
    points = walk(
        ("08:00", 0, "B"), ("09:00", 7_000, "S"), ("09:40", 7_000, "C"), ("09:50", 8_000, "S"), ("10:00", 8_000, "E")
    )
    assert amounts(opinion(points, terms()))["idle"] == [200]
    assert "idle" not in amounts(opinion(points, terms(idle=False)))


def test_inv_35_a_tariff_change_does_not_end_idle_time() -> None:
    points = walk(("21:00", 0, "B"), ("21:30", 7_000, "S"), ("22:00", 7_000, "T"), ("22:30", 7_000, "E"))
    assert oracle.idle_ms(points) == 60 * MINUTE
    assert amounts(opinion(points, terms()))["idle"] == [300]


def test_t11_withheld_power_is_no_idle_time_even_without_a_reading() -> None:
    points = walk(
        ("08:00", 0, "B"), ("09:00", 7_000, "S"), ("09:10", 7_000, "W"), ("09:50", 7_000, "w"), ("10:00", 7_000, "E")
    )
    assert oracle.idle_ms(points) == 20 * MINUTE


def test_t01_idle_seconds_are_cut_before_they_are_priced() -> None:
    """1800 s of grace, 5.999 s more: 5 s at 0.10 a minute are 0.8333 -> 1 cent."""
    end = local("2019-06-12 09:30:05") + 999
    points = [*walk(("08:00", 0, "B"), ("09:00", 7_000, "S")), Point(end, 7_000, "E")]
    said = opinion(points, terms())
    assert [(line.quantity, line.amount) for line in said.lines if line.component == "idle"] == [(1805, 1)]


def test_t10_letters_and_approvals_decide_whether_time_may_be_billed() -> None:
    allowed = {
        (approval, letter)
        for approval in ("none", "duration", "absolute")
        for letter in ("S", "R", "I", "U", None)
        if oracle.may_bill_time(approval, letter)
    }
    assert allowed == {("duration", "S"), ("duration", "R"), ("absolute", "S")}


def test_t01_local_time_is_that_of_the_owner_and_not_utc() -> None:
    """04:30 UTC is 06:30 in Berlin: the day price."""
    points = walk(("06:30", 0, "B"), ("07:00", 1_000, "E"))
    assert amounts(opinion(points, terms()))["energy"] == [49]
    assert amounts(opinion(points, terms(zone="UTC")))["energy"] == [39]


def test_t01_both_hours_of_an_autumn_night_have_the_price_that_the_clock_shows() -> None:
    bands = [{"from": "02:00", "to": "03:00", "price": "1.00"}, {"from": "03:00", "to": "02:00", "price": "2.00"}]
    night = "2019-10-27 02:30"
    start, again = local(night), local(night, fold=1)
    assert again - start == 60 * MINUTE
    points = [Point(start, 0, "B"), Point(again, 1_000, "C"), Point(again + 30 * MINUTE, 2_000, "T")]
    said = opinion([*points, Point(again + 60 * MINUTE, 3_000, "E")], terms(energy=bands))
    assert amounts(said)["energy"] == [200, 200]


def test_t01_currencies_have_their_own_minor_units() -> None:
    points = walk(("08:00", 0, "B"), ("09:00", 7_000, "E"))
    yen = terms(currency="JPY", start_fee="50", energy=[{"from": "00:00", "to": "24:00", "price": "49.9"}])
    assert amounts(opinion(points, yen)) == {"energy": [349], "start": [50]}


@pytest.mark.parametrize(
    "energy",
    [
        [{"from": "06:00", "to": "22:00", "price": "0.49"}],
        [{"from": "06:00", "to": "23:00", "price": "0.49"}, {"from": "22:00", "to": "06:00", "price": "0.39"}],
    ],
)
def test_a_tariff_that_does_not_cover_the_day_once_has_no_opinion(energy: list[dict[str, str]]) -> None:
    with pytest.raises(NoOpinion, match="energy prices at 22:30"):
        opinion(walk(("22:30", 0, "B"), ("22:40", 7_000, "E")), terms(energy=energy))


def test_a_session_without_end_or_prices_without_vat_have_no_opinion() -> None:
    with pytest.raises(NoOpinion):
        opinion(walk(("08:00", 0, "B"), ("09:00", 7_000, "S")), terms())
    with pytest.raises(NoOpinion):
        opinion(walk(("08:00", 0, "B"), ("09:00", 7_000, "E")), terms(prices_include_vat=False))


@st.composite
def sessions(draw: st.DrawFn) -> list[Point]:
    """A session with everything in it, and a T wherever the price changes."""
    at = local("2019-06-12 04:30") + draw(st.integers(0, 18 * 60 * MINUTE))
    changes = [local(f"2019-06-12 {hour}:00") for hour in ("06", "22")]
    points, wh, state = [Point(at, draw(st.integers(0, 10**8)), "B")], 0, "B"
    wh = points[0].wh
    for _ in range(draw(st.integers(1, 4))):
        end = at + 1_000 * draw(st.integers(0, 2_400)) + draw(st.integers(1, 999))
        flow = draw(st.integers(0, 9_000)) if state in ("B", "C") else 0
        for change in changes:
            if at < change < end:
                part = flow * (change - at) // (end - at)
                points.append(Point(change, wh + part, "T"))
        at, wh = end, wh + flow
        state = draw(st.sampled_from(("S", "C")))
        points.append(Point(at, wh, state))
    return [*points[:-1], Point(at, wh, "E")]


@settings(max_examples=60, deadline=None)
@given(sessions(), st.sampled_from(("staff", None)), st.booleans())
def test_t01_the_exact_opinion_is_that_of_walking_second_by_second(points: list[Point], group: str, idle: bool) -> None:
    question = terms(group, idle)
    assert oracle.changes_signed(points, question)
    exact, walked = opinion(points, question), second_by_second(points, question)
    assert (exact.gross, exact.net, exact.vat, exact.free) == (walked.gross, walked.net, walked.vat, walked.free)


@settings(max_examples=60, deadline=None)
@given(sessions(), st.integers(0, 5_000))
def test_t01_net_and_vat_make_gross_and_more_energy_never_costs_less(points: list[Point], more: int) -> None:
    said = opinion(points, terms())
    assert said.net + said.vat == said.gross == sum(line.amount for line in said.lines)
    last = points[-1]
    longer = [*points[:-1], Point(last.at, last.wh + more, "E")]
    assert opinion(longer, terms()).gross >= said.gross


def test_second_by_second_shows_where_a_price_change_was_not_signed() -> None:
    points = walk(("21:30", 0, "B"), ("22:30", 7_000, "E"))
    assert not oracle.changes_signed(points, terms())
    assert second_by_second(points, terms()).gross < opinion(points, terms()).gross


@pytest.mark.parametrize(
    ("reading", "missed"),
    [(None, True), ("21:00", True), ("21:59:58", False), ("22:00:02", False)],
)
def test_t01_a_price_change_without_a_reading_within_two_seconds_is_missed(reading: str | None, missed: bool) -> None:
    marks = [("20:00", 0, "B"), ("23:00", 9_000, "E")]
    if reading:
        marks.insert(1, (reading, 5_000, "T"))
    found = oracle.changes_missed(walk(*marks), terms())
    assert found == ([local("2019-06-12 22:00")] if missed else [])


def test_the_oracle_imports_no_back_end_and_no_code_of_ours() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text("utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    roots = {name.split(".")[0] for name in imported}
    assert roots.isdisjoint({"reference_csms", "fleet", "scenarios", "sim", "reports"})
