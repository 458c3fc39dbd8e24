"""A matrix is whole or refused by the cell, compiles to what its rows say, and its prices are those of the oracle."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_csms.pricing.engine import rate
from reference_csms.pricing.model import ENERGY
from reference_csms.pricing.policies import policy_named
from scenarios.matrix import priced as priced_module
from scenarios.matrix.charges import Stay, charge_of
from scenarios.matrix.grid import Matrix, compile_table
from scenarios.matrix.priced import price_matrix
from scenarios.matrix.table import read_table
from scenarios.matrix.windows import parse_window, pieces
from scenarios.working_days import is_holiday
from sim.clock import HOUR, MINUTE, Instant, from_datetime, parse_iso
from sim.errors import BadInput

HEAD = "# currency = NOK\n# zone = Europe/Oslo\n# holidays = NO\n# vat_percent = 25\n"
COLUMNS = "location,group,time,energy_per_kwh,start_fee,idle_per_hour,idle_grace_minutes\n"
COOPERATIVE = """oslo,residents,Mon-Fri 06:00-22:00; Sat 08:00-18:00,2.49,0,6,30
oslo,residents,Mon-Fri 22:00-06:00; Sat 18:00-08:00; Sun,1.99,0,6,30
oslo,residents,holidays,1.79,0,6,30
oslo,other,06:00-22:00,4.99,5,12,
oslo,other,22:00-06:00,3.99,5,12,
bergen,*,*,4.49,5,,
"""


def matrix_of(folder: Path, rows: str, head: str = HEAD, columns: str = COLUMNS) -> Matrix:
    """The matrix of a CSV file with these rows."""
    file = folder / "prices.csv"
    file.write_text(head + columns + rows, "utf-8")
    return compile_table(read_table(file))


def refusal(folder: Path, rows: str, head: str = HEAD, columns: str = COLUMNS) -> str:
    """The sentence with which a matrix is refused."""
    with pytest.raises(BadInput) as caught:
        matrix_of(folder, rows, head, columns)
    return str(caught.value)


def stay(start: str, hours: float, wh: int, charging: float | None = None) -> Stay:
    """A stay of so many hours, charging evenly for `charging` of them, or for all."""
    begin = parse_iso(start)
    full = begin + int((hours if charging is None else charging) * HOUR)
    return Stay("a", begin, Instant(full), Instant(begin + int(hours * HOUR)), wh)


def test_each_location_and_group_gets_one_tariff_and_every_row_counts_as_a_cell(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path, COOPERATIVE)
    assert [(one.location, one.group) for one in matrix.fields] == [
        ("oslo", "residents"), ("oslo", "other"), ("bergen", "residents"), ("bergen", "other"),
    ]  # fmt: skip
    assert matrix.cells == 7


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (COOPERATIVE.replace("; Sun,", ","), "location oslo, group residents, Sun: has no price"),
        (
            COOPERATIVE.replace("Sat 08:00-18:00", "Sat 08:00-18:15"),
            "Sat 18:00-18:15: is priced 2 times, in line 6 and line 7",
        ),
        (COOPERATIVE.replace("bergen,*", "bergen|oslo,*"), "group residents, Mon-Fri 00:00-06:00: is priced 2 times"),
        (
            COOPERATIVE.replace("oslo,other,22:00-06:00", "oslo,other,22:00-05:00"),
            "group other, 05:00-06:00: has no price",
        ),
        (COOPERATIVE.replace("bergen,*,*", "bergen,residents,*"), "location bergen, group other: has no price"),
        (
            COOPERATIVE.replace("bergen,*,*", "bergen,*,2024-01-01..2030-12-31"),
            "has no price, and 3 more cells are wrong",
        ),
    ],
)
def test_a_gap_or_an_overlap_is_an_error_that_names_the_cell(tmp_path: Path, rows: str, said: str) -> None:
    sentence = refusal(tmp_path, rows)
    assert sentence.startswith("prices.csv, location ")
    assert said in sentence
    assert "each location, group and time in exactly one row" in sentence


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("oslo,*,*,2.4.9,,,\n", "line 6, column energy_per_kwh: '2.4.9' is no amount"),
        ("oslo,*,*,-1,,,\n", "is no amount"),
        ("oslo,*,*,NaN,,,\n", "is no amount"),
        ("oslo,*,*,,,,\n", "line 6: has no price"),
        ("oslo,*,Mon-Fry,1,,,\n", "line 6, column time: 'Mon-Fry' is no window"),
        ("oslo,*,25:00-26:00,1,,,\n", "25:00-26:00 is no span of a day"),
        ("oslo,*,2024-02-30..2024-03-01,1,,,\n", "holds no date of the calendar"),
        ("oslo,*,2024-03-02..2024-03-01,1,,,\n", "ends before it begins"),
        ("oslo|*,*,*,1,,,\n", "'oslo|*' is no location"),
        ("oslo,*,*,1,,,,8\n", "line 6: has 8 cells"),
        (
            "oslo,*,06:00-22:00,1,,1,30\noslo,*,22:00-06:00,1,,1,20\n",
            "column idle_grace_minutes: says 20 where line 6 says 30",
        ),
    ],
)
def test_a_row_that_is_no_price_is_refused_with_its_line_and_column(tmp_path: Path, rows: str, said: str) -> None:
    assert said in refusal(tmp_path, rows)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("# currency = kr\n", "'kr' is no currency"),
        ("", "names no currency"),
        ("# currency = NOK\n# zone = Oslo\n", "column zone: 'Oslo' is no IANA time zone"),
        ("# currency = NOK\n# holidays = XX\n", "'XX' is unknown"),
        ("# currency = NOK\n# policy = ocpj\n", "policy"),
        ("# currency = NOK\n# colour = red\n", "colour"),
        ("# currency = NOK\n# tax = included\n", "column vat_percent: names no VAT"),
        ("# currency = NOK\n# vat_percent = 125\n", "125 is no percentage"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path: Path, head: str, said: str) -> None:
    assert said in refusal(tmp_path, "oslo,*,*,1,,,\n", head)


def test_windows_of_the_day_need_a_zone_and_holidays_a_region(tmp_path: Path) -> None:
    two = "oslo,*,06:00-22:00,1,,,\noslo,*,22:00-06:00,1,,,\n"
    assert "column zone: is missing" in refusal(tmp_path, two, "# currency = NOK\n")
    zoned = "# currency = NOK\n# zone = Europe/Oslo\n"
    assert "names no region" in refusal(tmp_path, two.replace("06:00-22:00", "holidays"), zoned)


def test_the_same_matrix_as_toml_makes_the_same_tariffs(tmp_path: Path) -> None:
    table = 'currency = "NOK"\nzone = "Europe/Oslo"\nholidays = "NO"\nvat_percent = 25\n'
    names = COLUMNS.strip().split(",")
    for row in COOPERATIVE.splitlines():
        cells = dict(zip(names, row.split(","), strict=True))
        table += "[[row]]\n" + "".join(f'{name} = "{cell}"\n' for name, cell in cells.items() if cell)
    file = tmp_path / "prices.toml"
    file.write_text(table, "utf-8")
    as_toml, as_csv = compile_table(read_table(file)), matrix_of(tmp_path, COOPERATIVE)
    assert [one.tariff for one in as_toml.fields] == [one.tariff for one in as_csv.fields]
    file.write_text(table.replace('"2.49"', "2.49"), "utf-8")
    with pytest.raises(BadInput, match=r"row 1, energy_per_kwh: 2.49 is no text"):
        read_table(file)


@pytest.fixture(scope="module")
def cooperative(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    """The matrix of the cooperative, read once."""
    return matrix_of(tmp_path_factory.mktemp("matrix"), COOPERATIVE)


@settings(max_examples=200, deadline=None)
@given(minutes=st.integers(0, 3 * 365 * 24 * 60), rows=st.sampled_from(["oslo/residents", "oslo/other"]))
def test_at_each_moment_the_tariff_asks_what_the_row_of_that_moment_says(
    cooperative: Matrix, minutes: int, rows: str
) -> None:
    field = next(one for one in cooperative.fields if one.tariff.tariff_id.endswith(rows))
    start = from_datetime(datetime(2023, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
    charge = charge_of(Stay("a", start, Instant(start + 1000), Instant(start + 1000), 1000), field)
    priced = rate(field.tariff, charge, policy_named("ocpi"))
    (line,) = [one for one in priced.lines if one.dimension == ENERGY]
    wall = datetime.fromtimestamp(start / 1000, ZoneInfo("Europe/Oslo"))
    day = 6 <= wall.hour < 22
    if rows == "oslo/other":
        expected = "4.99" if day else "3.99"
    else:
        off = is_holiday(wall.date(), "NO")
        long = (wall.weekday() < 5 and day) or (wall.weekday() == 5 and 8 <= wall.hour < 18)
        expected = "1.79" if off else "2.49" if long else "1.99"
    assert line.price == Decimal(expected)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Rows of one location whose windows are a partition of the week."""
    cuts = sorted(draw(st.sets(st.integers(1, 95), max_size=3)))
    weekend = draw(st.booleans())
    price = st.decimals(0, 9, places=4).map(str)
    fee = draw(st.sampled_from(["", "0", "5", "3.5"]))
    limits = draw(st.sampled_from([",,", ",2,", ",,30", ",2,30"]))
    grace = draw(st.sampled_from(["", "10", "45"]))
    rows = []
    for days in ("Mon-Fri", "Sat-Sun") if weekend else ("Mon-Sun",):
        marks = [0, *cuts, 96]
        for begin, end in pairwise(marks):
            time = f"{days} {begin // 4:02}:{begin % 4 * 15:02}-{end // 4:02}:{end % 4 * 15:02}"
            energy, charging, idle = (
                draw(price),
                draw(st.one_of(st.just(""), price)),
                draw(st.one_of(st.just(""), price)),
            )
            steps = draw(st.sampled_from([",,", "500,,", ",60,", ",,900"]))
            steps = ",".join(
                step if used else "" for step, used in zip(steps.split(","), (energy, charging, idle), strict=True)
            )
            rows.append(f"a,*,{time},{energy},{charging},{idle},{fee},{grace},{steps}{limits}")
    return "\n".join(rows) + "\n"


@settings(max_examples=40, deadline=None)
@given(
    rows=tables(),
    tax=st.sampled_from(["tax = none", "vat_percent = 25", "vat_percent = 19\n# tax = excluded"]),
    starts=st.lists(st.integers(0, 365 * 24 * 60), min_size=1, max_size=6),
    length=st.integers(1, 40 * 60),
    share=st.integers(1, 100),
    wh=st.integers(1, 150_000),
    currency=st.sampled_from(["NOK", "JPY", "KWD"]),
)
def test_the_price_of_any_stay_through_any_matrix_is_that_of_the_oracle(
    tmp_path_factory: pytest.TempPathFactory, rows: str, tax: str, starts: list[int], length: int, share: int, wh: int,
    currency: str,
) -> None:  # fmt: skip
    head = f"# currency = {currency}\n# zone = Europe/Oslo\n# {tax}\n"
    columns = (
        "location,group,time,energy_per_kwh,charging_per_hour,idle_per_hour,start_fee,idle_grace_minutes,"
        "energy_step_wh,charging_step_s,idle_step_s,min_price,max_price\n"
    )
    matrix = matrix_of(tmp_path_factory.mktemp("matrix"), rows, head, columns)
    base = from_datetime(datetime(2024, 1, 1, tzinfo=UTC))
    stays = []
    for minute in starts:
        begin = base + minute * MINUTE + 7_013
        full = begin + max(1000, length * MINUTE * share // 100)
        stays.append(Stay("a", Instant(begin), Instant(full), Instant(begin + length * MINUTE), wh))
    (found,) = price_matrix(matrix, stays)
    assert found.compared == len(stays)
    assert found.differing == 0, found.differences


def test_both_nights_of_the_clock_change_are_priced_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    rows = "oslo,*,02:30-06:00,1,,,\noslo,*,06:00-02:30,2,,,\n"
    matrix = matrix_of(tmp_path, rows)
    spring = stay("2024-03-30T23:30:00Z", 3, 3000)  # 00:30 to 04:30 local, 02:00 to 03:00 does not exist
    autumn = stay("2024-10-26T22:30:00Z", 5, 5000)  # 00:30 to 04:30 local, 02:00 to 03:00 happens twice
    (found, _) = [
        rate(matrix.fields[0].tariff, charge_of(one, matrix.fields[0]), policy_named("ocpi"))
        for one in (spring, autumn)
    ]
    assert found.gross == Decimal("4.50")  # 1.5 h at 2, 1.5 h at 1
    told = price_matrix(matrix, [spring, autumn])
    assert [one.differing for one in told] == [0]
    assert told[0].most == "7.50"  # 00:30-02:30 at 2, half an hour at 1, 02:00-02:30 again at 2, then two hours at 1


def test_a_rating_that_is_off_by_a_cent_is_told_with_session_and_both_prices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dearer(*args: object) -> object:
        made = rate(*args)  # type: ignore[arg-type]
        return replace(made, gross=made.gross + Decimal("0.01"))

    monkeypatch.setattr(priced_module, "rate", dearer)
    (first, *_) = price_matrix(matrix_of(tmp_path, COOPERATIVE), [stay("2024-04-02T10:00:00Z", 2, 10_000)])
    assert (first.differing, first.differences[0].gross, first.differences[0].expected_gross) == (1, "24.91", "24.90")


def test_processes_change_no_price(tmp_path: Path) -> None:
    matrix = matrix_of(tmp_path, COOPERATIVE)
    stays = [stay("2024-04-02T10:00:00Z", 2, 10_000, 1)]
    assert price_matrix(matrix, stays, 2) == price_matrix(matrix, stays, 1)


def test_a_window_over_midnight_counts_on_each_day_it_names() -> None:
    window = parse_window("Fri 22:00-06:00")
    assert [(box.start, box.end) for box in window.boxes] == [(0, 360), (1320, 1440)]
    assert {box.days for box in window.boxes} == {(5,)}
    assert len(pieces([window])) == 7 * 3
    assert parse_window("Sat-Mon").boxes[0].days == (1, 6, 7)
    assert parse_window("2024-06-01..2024-06-30").boxes[0].last == date(2024, 7, 1).toordinal()
