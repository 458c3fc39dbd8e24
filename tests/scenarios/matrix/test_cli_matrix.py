"""`chargerig matrix`: what it prints, draws and refuses, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from scenarios.cli import app
from tests.scenarios.matrix.test_matrix import COLUMNS, COOPERATIVE, HEAD

SESSIONS = """start_local,end_local,station,connector,energy_kwh,site
2024-03-28T20:00:00,2024-03-29T07:00:00,a,1,30,x
2024-04-02T10:00:00,2024-04-02T12:00:00,a,1,10,x
2024-04-02T13:00:00,2024-04-02T13:00:00,a,1,0,x
"""


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls `chargerig matrix` beside a matrix and a session file."""
    monkeypatch.chdir(tmp_path)
    Path("prices.csv").write_text(HEAD + COLUMNS + COOPERATIVE, "utf-8")
    Path("sessions.csv").write_text(SESSIONS, "utf-8")
    return lambda *args: CliRunner().invoke(app, ["matrix", *args])


def test_a_matrix_is_priced_through_every_cell_and_drawn(matrix: Callable[..., Result]) -> None:
    told = matrix(
        "prices.csv", "--sessions", "sessions.csv", "--zone", "Europe/Oslo", "--json", "--picture", "heat.svg"
    )
    assert told.exit_code == 0, told.output
    read = json.loads(told.stdout)
    assert (read["cells"], read["sessions"], read["sessions_left_out"], read["prices"]) == (7, 2, 1, 8)
    assert (read["compared"], read["differing"]) == (8, 0)
    # Maundy Thursday and Good Friday are holidays in Norway: 30 kWh at 1.79 and 7 h 46 min 22 s idle at 6, 30 minutes free.
    # On the Tuesday 10 kWh at 2.49 and 35 min 27 s idle.
    residents = read["priced"][0]
    assert (residents["least"], residents["mean"], residents["most"]) == ("28.45", "64.40", "100.34")
    picture = Path("heat.svg").read_text("utf-8")
    assert "oslo · residents" in picture
    assert "holidays" in picture


def test_the_shipped_sessions_are_priced_if_no_others_are_named(matrix: Callable[..., Result]) -> None:
    told = matrix("price", "prices.csv", "--most", "20")
    assert told.exit_code == 0, told.output
    assert "7 cells, each location, group and time in exactly one" in told.stdout
    assert "80 prices by policy ocpi, 80 held against the oracle, all the same" in told.stdout


def test_a_policy_that_the_oracle_does_not_know_is_said_and_not_called_good(matrix: Callable[..., Result]) -> None:
    Path("prices.csv").write_text(HEAD + "# policy = floor-cents\n" + COLUMNS + COOPERATIVE, "utf-8")
    told = matrix("prices.csv", "--most", "3")
    assert told.exit_code == 4
    assert "not judged" in told.stdout


def test_diff_ends_with_0_for_the_same_prices_and_with_1_for_others(matrix: Callable[..., Result]) -> None:
    Path("new.csv").write_text(HEAD + COLUMNS + COOPERATIVE.replace("1.99", "2.09"), "utf-8")
    assert matrix("diff", "prices.csv", "prices.csv").exit_code == 0
    told = matrix("diff", "prices.csv", "new.csv")
    assert told.exit_code == 1
    assert "group residents, Mon-Fri 00:00-06:00: energy_per_kwh 1.99 -> 2.09; 0." in told.stdout
    read = json.loads(matrix("diff", "prices.csv", "new.csv", "--json").stdout)
    assert read["changed"][0]["columns"] == {"energy_per_kwh": {"old": "1.99", "new": "2.09"}}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nowhere.csv",), "nowhere.csv: cannot be read"),
        (("prices.csv", "--picture", "heat.gif"), "heat.gif: is no picture by its name; allowed: .svg, .png"),
        (("prices.csv", "--sessions", "sessions.csv"), "needs the time zone of its times"),
        (("prices.csv", "--zone", "Europe/Oslo"), "is the zone of no file"),
        (("prices.csv", "--power", "-3"), "is no power"),
        (("diff", "prices.csv", "sessions.csv"), "sessions.csv, header: there is no column 'start_local'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(
    matrix: Callable[..., Result], args: tuple[str, ...], said: str
) -> None:
    told = matrix(*args)
    assert told.exit_code == 2
    assert said in " ".join(told.stderr.split())
