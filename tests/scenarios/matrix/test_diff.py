"""Two matrices ask the same price, or each cell that does not is named with an example that is rated both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.matrix.diff import Diff, diff_of
from scenarios.matrix.grid import compile_table
from scenarios.matrix.table import read_table
from tests.scenarios.matrix.test_matrix import COLUMNS, COOPERATIVE, HEAD


def compared(folder: Path, old: str, new: str, heads: tuple[str, str] = (HEAD, HEAD)) -> Diff:
    """The difference of two matrices of these rows."""
    found = []
    for name, rows, head in (("old", old, heads[0]), ("new", new, heads[1])):
        file = folder / f"{name}.csv"
        file.write_text(head + COLUMNS + rows, "utf-8")
        found.append(compile_table(read_table(file)))
    return diff_of(found[0], found[1])


def test_the_same_prices_cut_up_differently_are_proved_the_same(tmp_path: Path) -> None:
    new = COOPERATIVE.replace(
        "bergen,*,*,4.49,5,,",
        "bergen,residents,Mon-Fri,4.49,5,,\nbergen,residents,Sat-Sun,4.490,5,0,\nbergen,other,*,4.49,5,,",
    ).replace("oslo,other,06:00-22:00", "oslo,other,06:00-12:00;12:00-22:00")
    found = compared(tmp_path, COOPERATIVE, new)
    assert found.same, found.changed
    assert found.fields == 4
    assert found.pieces > 60


def test_prices_with_and_without_tax_that_are_the_same_for_the_customer_are_the_same(tmp_path: Path) -> None:
    net = "# currency = NOK\n# vat_percent = 25\n# tax = excluded\n"
    gross = "# currency = NOK\n# vat_percent = 25\n"
    assert compared(tmp_path, "a,*,*,2,4,,\n", "a,*,*,2.5,5,,\n", (net, gross)).same
    assert not compared(tmp_path, "a,*,*,2,4,,\n", "a,*,*,2,4,,\n", (net, gross)).same


def test_a_cell_that_changes_is_named_with_its_columns_and_its_smallest_example(tmp_path: Path) -> None:
    (one,) = compared(tmp_path, COOPERATIVE, COOPERATIVE.replace("1.79", "1.80")).changed
    assert (one.location, one.group, one.time) == ("oslo", "residents", "holidays")
    assert one.columns == {"energy_per_kwh": ("1.79", "1.80")}
    assert one.example is not None
    kwh = float(one.example.what.removesuffix(" kWh"))
    old, new = round(kwh * 1.79 + 1e-9, 2), round(kwh * 1.80 + 1e-9, 2)
    assert (one.example.old, one.example.new) == (f"{old:.2f} NOK", f"{new:.2f} NOK")
    assert old != new
    assert round((kwh - 0.001) * 1.79 + 1e-9, 2) == round((kwh - 0.001) * 1.80 + 1e-9, 2)


@pytest.mark.parametrize(
    ("old", "new", "time", "columns", "what"),
    [
        ("a,*,*,1,5,,", "a,*,*,1,6,,", "any time", {"start_fee"}, "0.001 kWh"),
        ("a,*,*,1,,6,30", "a,*,*,1,,6,31", "any time", {"idle_grace_minutes"}, "1803 s of idle"),
        ("a,*,*,1,,,", "a,*,06:00-22:00,1,,,\na,*,22:00-06:00,2,,,", "00:00-06:00", {"energy_per_kwh"}, "0.003 kWh"),
    ],
)
def test_whatever_changes_the_example_is_of_its_kind(
    tmp_path: Path, old: str, new: str, time: str, columns: set[str], what: str
) -> None:
    found = compared(tmp_path, old + "\n", new + "\n").changed
    one = found[0]
    assert (one.time, set(one.columns)) == (time, columns)
    assert one.example is not None
    assert one.example.what == what


def test_a_location_or_group_that_is_gone_or_came_is_named_unless_other_prices_it_the_same(tmp_path: Path) -> None:
    found = compared(tmp_path, "a,*,*,1,,,\nb,*,*,1,,,\n", "a,*,*,1,,,\nc,*,*,1,,,\n")
    assert (found.gone, found.came, found.same) == ((("b", "other"),), (("c", "other"),), False)
    assert compared(tmp_path, "a,members,*,1,,,\na,other,*,1,,,\n", "a,*,*,1,,,\n").same
    (one,) = compared(tmp_path, "a,members,*,1,,,\na,other,*,2,,,\n", "a,*,*,2,,,\n").changed
    assert one.group == "members"


def test_a_price_that_no_single_charge_shows_is_still_no_proof(tmp_path: Path) -> None:
    (one,) = compared(tmp_path, "a,*,*,1,,,\n", "a,*,*,1.00000001,,,\n").changed
    assert one.example is None
