"""Session files: what is read, what is refused with one sentence, how dates move, the rule for each kind of dirt."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.workloads import RULES, Row, Workload, load_day, read_sessions, redate
from scenarios.workloads.dirt import SHORTEST, TURNAROUND, examine, power_limit
from sim.clock import DAY, HOUR, MINUTE, SECOND, from_datetime, to_datetime, zone
from sim.errors import BadInput

JUNE = Path(__file__).parents[2] / "scenarios" / "data" / "acn-2019-june.csv"
HEADER = "start_local,end_local,station,connector,energy_kwh,site,user,model"
DAY_USED = date(2019, 6, 12)
OSLO = zone("Europe/Oslo")


def beside(name: str) -> Path | None:
    """A data file that lies beside the checkout, if it does."""
    found = (up / "shared" / "data" / "sessions" / name for up in Path(__file__).resolve().parents)
    return next((path for path in found if path.is_file()), None)


def a_file(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "sessions.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def line(start: str, end: str, kwh: str = "1.0", station: str = "A", user: str = "", model: str = "") -> str:
    return f"2019-06-12T{start},2019-06-{end if len(end) > 5 else '12T' + end},{station},1,{kwh},yard,{user},{model}"


def load(path: Path, day: date = DAY_USED, **more: Any) -> Workload:
    return load_day(path, "Europe/London", day, lambda site: OSLO, **more)


def kinds_of(workload: Workload) -> dict[str, tuple[int, int]]:
    """Counts of the kinds that occur: file, day."""
    rows = workload.input_report["kinds"]
    return {row["kind"]: (row["count_file"], row["count_day"]) for row in rows if row["count_file"]}


def clock(instant: int) -> str:
    return f"{to_datetime(instant, OSLO):%d %H:%M:%S}"


# the shipped extract


def test_the_shipped_weeks_are_four_and_clean_but_for_long_stays() -> None:
    file = read_sessions(JUNE, "America/Los_Angeles")
    assert (file.rows_read, file.first_day, file.last_day) == (2236, date(2019, 6, 3), date(2019, 6, 30))
    found = examine(file.rows, file.zone, 36 * HOUR)
    assert {kind for kinds in found.values() for kind in kinds} == {"longer-than-a-day", "past-horizon", "back-to-back"}


def test_a_day_of_the_shipped_weeks_has_its_visits_on_the_clock_of_the_site() -> None:
    workload = load_day(JUNE, "America/Los_Angeles", DAY_USED, lambda site: OSLO)
    assert (len(workload.visits), len(workload.stations), len(workload.sites)) == (118, 99, 7)
    first = workload.visits[0]
    assert (first.visit_id, first.station, clock(first.arrive)) == ("v0001", "CA-325", "12 04:37:28")
    assert workload.day_start == from_datetime(datetime(2019, 6, 12, tzinfo=OSLO))
    assert all(
        visit.arrive < visit.leave <= workload.horizon == workload.day_start + 36 * HOUR for visit in workload.visits
    )
    assert workload.stations["CA-305"] == {"site": "campus-3", "connectors": 1, "power_w": 7400}
    json.dumps(workload.input_report)


def test_with_the_clock_of_the_file_visits_happen_when_they_happened() -> None:
    workload = load_day(JUNE, "America/Los_Angeles", DAY_USED, lambda site: OSLO, wall_clock="file")
    assert workload.visits[0].arrive == from_datetime(datetime(2019, 6, 12, 11, 37, 28, tzinfo=UTC))


def test_a_wanted_day_outside_of_the_file_takes_the_first_full_day_of_its_weekday() -> None:
    workload = load_day(JUNE, "America/Los_Angeles", date(2026, 9, 16), lambda site: OSLO)
    assert workload.input_report["source_day"] == "2019-06-05"
    assert workload.input_report["weeks_shifted"] == (date(2026, 9, 16) - date(2019, 6, 5)).days // 7
    source = load_day(JUNE, "America/Los_Angeles", date(2019, 6, 5), lambda site: OSLO)
    assert [(v.station, clock(v.arrive)[3:], v.energy_wh) for v in workload.visits] == [
        (v.station, clock(v.arrive)[3:], v.energy_wh) for v in source.visits
    ]


# re-dating and clock changes


def rows_on(days: list[date], minutes: list[int]) -> list[Row]:
    return [
        Row(n, datetime(day.year, day.month, day.day) + timedelta(minutes=m), HOUR, "A", 1, 1, "yard")
        for n, (day, m) in enumerate(zip(days, minutes, strict=True), 2)
    ]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1439)), min_size=1),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
@settings(max_examples=150, deadline=None)
def test_redating_keeps_weekday_wall_clock_and_duration(starts: list[tuple[int, int]], onto: date) -> None:
    days = [date(2019, 6, 1) + timedelta(days=offset) for offset, _ in starts]
    rows = rows_on(days, [minute for _, minute in starts])
    if onto.weekday() not in {day.weekday() for day in days} and not min(days) <= onto <= max(days):
        with pytest.raises(BadInput, match="holds none"):
            redate(rows, onto)
        return
    moved, weeks = redate(rows, onto)
    assert all(new.start - old.start == timedelta(weeks=weeks) for old, new in zip(rows, moved, strict=True))
    assert all(new.start.weekday() == old.start.weekday() for old, new in zip(rows, moved, strict=True))
    assert [row.duration_ms for row in moved] == [row.duration_ms for row in rows]
    new_days = [row.start.date() for row in moved]
    assert min(new_days) <= onto <= max(new_days)
    if min(days) <= onto <= max(days):
        assert weeks == 0
    else:
        assert onto in new_days


@given(
    st.datetimes(datetime(2018, 1, 1), datetime(2020, 12, 31)),
    st.integers(0, 60 * 48),
    st.sampled_from(["Europe/London", "America/Los_Angeles", "Australia/Lord_Howe"]),
)
@settings(max_examples=150, deadline=None)
def test_durations_are_true_time_across_clock_changes(start: datetime, minutes: int, name: str) -> None:
    hangs_in = ZoneInfo(name)
    begin = start.replace(microsecond=0, tzinfo=UTC)
    end = begin + timedelta(minutes=minutes)
    texts = [f"{moment.astimezone(hangs_in).replace(tzinfo=None).isoformat()}" for moment in (begin, end)]
    (row,) = read_sessions_of(f"{texts[0]},{texts[1]},A,1,1.0,yard,,", name)
    if row.odd_clock:
        assert abs(row.duration_ms - minutes * MINUTE) <= HOUR
    else:
        assert row.duration_ms == minutes * MINUTE


def read_sessions_of(text: str, name: str) -> tuple[Row, ...]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return read_sessions(a_file(Path(folder), text), name).rows


def test_a_session_over_the_spring_change_is_an_hour_shorter_than_its_clock_says(tmp_path: Path) -> None:
    path = a_file(tmp_path, "2019-03-31T00:30,2019-03-31T03:30,A,1,1,yard,,")
    assert read_sessions(path, "Europe/London").rows[0].duration_ms == 2 * HOUR


def test_an_end_in_the_doubled_hour_is_the_second_one_where_it_must_be(tmp_path: Path) -> None:
    path = a_file(
        tmp_path, "2019-10-27T01:50,2019-10-27T01:10,A,1,1,yard,,", "2019-10-27T01:10,2019-10-27T01:50,B,1,1,yard,,"
    )
    first, second = read_sessions(path, "Europe/London").rows
    assert (first.duration_ms, second.duration_ms) == (20 * MINUTE, 40 * MINUTE)
    assert first.odd_clock and second.odd_clock


def test_a_time_with_an_offset_is_believed(tmp_path: Path) -> None:
    path = a_file(tmp_path, "2019-06-12T08:00:00Z,2019-06-12T10:00:00+01:00,A,1,1,yard,,")
    (row,) = read_sessions(path, "Europe/London").rows
    assert (row.start, row.duration_ms) == (datetime(2019, 6, 12, 9), HOUR)


# dirt: every kind has a rule that is followed and counted


def test_every_kind_has_one_sentence_and_is_listed_even_when_absent(tmp_path: Path) -> None:
    report = load(a_file(tmp_path, line("08:00", "09:00"))).input_report
    assert [row["kind"] for row in report["kinds"]] == list(RULES)
    assert all(row["rule"] == RULES[row["kind"]] and row["rule"].endswith(".") for row in report["kinds"])
    assert kinds_of(load(a_file(tmp_path, line("08:00", "09:00")))) == {}


def test_negative_and_zero_energy_are_plugged_in_without_drawing(tmp_path: Path) -> None:
    workload = load(a_file(tmp_path, line("08:00", "09:00", "-6.41"), line("10:00", "11:00", "0.000")))
    assert [(v.energy_wh, v.leave - v.arrive) for v in workload.visits] == [(0, HOUR), (0, HOUR)]
    assert kinds_of(workload) == {"negative-energy": (1, 1), "zero-energy": (1, 1)}


def test_zero_and_negative_lengths_are_plugged_in_for_thirty_seconds(tmp_path: Path) -> None:
    workload = load(a_file(tmp_path, line("08:00", "08:00", "0"), line("10:00", "09:00", "5", model="22kW")))
    assert [(v.leave - v.arrive, v.energy_wh) for v in workload.visits] == [(SHORTEST, 0), (SHORTEST, 183)]
    found = kinds_of(workload)
    assert found["zero-length"] == found["negative-length"] == found["beyond-power"] == (1, 1)


def test_longer_than_a_day_stays_until_its_end_or_the_horizon(tmp_path: Path) -> None:
    path = a_file(tmp_path, line("01:00", "13T02:00"), line("10:00", "30T08:00", "200", station="B"))
    workload = load(path)
    assert [clock(v.leave) for v in workload.visits] == ["13 02:00:00", "13 12:00:00"]
    assert workload.visits[1].energy_wh == 7400 * 26
    assert kinds_of(workload) == {"longer-than-a-day": (2, 2), "past-horizon": (1, 1)}
    assert clock(load(path, horizon=30 * HOUR).visits[1].leave) == "13 06:00:00"


def test_a_night_past_the_horizon_leaves_there(tmp_path: Path) -> None:
    workload = load(a_file(tmp_path, line("20:00", "13T15:00")))
    assert clock(workload.visits[0].leave) == "13 12:00:00"
    assert kinds_of(workload) == {"past-horizon": (1, 1)}


def test_the_later_of_two_on_one_connector_waits_and_is_shortened(tmp_path: Path) -> None:
    path = a_file(tmp_path, line("08:00", "10:00"), line("09:00", "11:00", "14"), line("09:30", "10:30", station="B"))
    workload = load(path)
    waited = workload.visits[2]
    assert (clock(waited.arrive), clock(waited.leave)) == ("12 10:00:05", "12 11:00:00")
    assert waited.energy_wh == 7400 * (HOUR - TURNAROUND) // HOUR
    assert kinds_of(workload) == {"overlap": (1, 1)}


def test_an_overlap_with_nothing_left_is_not_replayed_and_says_so(tmp_path: Path) -> None:
    workload = load(a_file(tmp_path, line("08:00", "10:00"), line("09:00", "09:30")))
    assert [v.line for v in workload.visits] == [2]
    (left_out,) = workload.input_report["not_replayed"]
    assert (left_out["line"], left_out["kind"], left_out["station"]) == (3, "overlap", "A")
    assert left_out["reason"]


def test_an_overlap_with_a_visit_of_the_day_before_does_not_wait(tmp_path: Path) -> None:
    path = a_file(tmp_path, "2019-06-11T08:00,2019-06-12T09:00,A,1,1,yard,,", line("08:30", "10:00"))
    workload = load(path)
    assert clock(workload.visits[0].arrive) == "12 08:30:00"
    assert kinds_of(workload)["overlap"] == (1, 1)


def test_the_next_one_plugs_in_five_seconds_after(tmp_path: Path) -> None:
    workload = load(a_file(tmp_path, line("08:00", "10:00"), line("10:00", "10:00", "0"), line("10:00", "11:00")))
    assert [(clock(v.arrive), clock(v.leave)) for v in workload.visits] == [
        ("12 08:00:00", "12 10:00:00"),
        ("12 10:00:05", "12 10:00:35"),
        ("12 10:00:40", "12 11:00:00"),
    ]
    assert kinds_of(workload)["back-to-back"] == (2, 2)


def test_a_user_in_two_places_is_a_guest_at_the_second(tmp_path: Path) -> None:
    path = a_file(
        tmp_path,
        line("08:00", "10:00", user="U1"),
        line("09:00", "11:00", station="B", user="U1"),
        line("10:30", "11:00", user="U1"),
        line("11:00", "12:00", station="C", user="U1"),
    )
    workload = load(path)
    assert [(v.user, v.registered) for v in workload.visits] == [
        ("U1", True),
        (None, False),
        (None, False),
        ("U1", True),
    ]
    assert kinds_of(workload) == {"two-places": (2, 2)}


def test_energy_beyond_power_and_time_is_cut_down(tmp_path: Path) -> None:
    path = a_file(tmp_path, line("08:00", "09:00", "50.1", model="APT 50kW Raption"), line("10:00", "11:00", "7.4"))
    workload = load(path)
    assert [(v.limit_w, v.energy_wh) for v in workload.visits] == [(50_000, 50_000), (7_400, 7_400)]
    assert kinds_of(workload) == {"beyond-power": (1, 1)}
    assert workload.stations["A"]["power_w"] == 50_000


@pytest.mark.parametrize(
    ("model", "watts"),
    [
        ("APT 50kW Raption", 50_000),
        ("APT Triple Rapid Charger", 50_000),
        ("APT 22kW Dual Outlet", 22_000),
        ("APT 7kW Single Outlet", 7_000),
        ("", 7_400),
    ],
)
def test_the_model_limits_the_power(model: str, watts: int) -> None:
    assert power_limit(model) == watts


def test_the_same_row_twice_is_replayed_once(tmp_path: Path) -> None:
    workload = load(a_file(tmp_path, line("08:00", "10:00"), line("08:00", "10:00")))
    assert len(workload.visits) == 1 and kinds_of(workload) == {"duplicate": (1, 1)}
    assert workload.input_report["not_replayed"][0]["kind"] == "duplicate"


def test_a_row_with_a_blank_or_a_cell_too_many_is_counted_with_its_line(tmp_path: Path) -> None:
    path = a_file(
        tmp_path, line("08:00", "09:00"), line("08:00", "09:00", " "), line("08:00", "09:00") + ",x", "2019-06-13"
    )
    workload = load(path)
    assert len(workload.visits) == 1 and kinds_of(workload) == {"unparsable": (3, 2)}
    assert workload.input_report["unparsable_lines"] == [3, 4, 5]
    assert workload.input_report["rows_read"] == 4


def test_a_station_that_moved_is_where_it_was_on_the_day(tmp_path: Path) -> None:
    rows = [
        f"2019-06-{day}T08:00,2019-06-{day}T09:00,A,1,1,{site},,"
        for day, site in (("11", "x"), ("12", "y"), ("13", "z"))
    ]
    workload = load(a_file(tmp_path, *rows))
    assert workload.stations["A"]["site"] == "y" and kinds_of(workload) == {"two-sites": (2, 0)}


def test_stations_without_a_visit_that_day_exist_too(tmp_path: Path) -> None:
    path = a_file(tmp_path, line("08:00", "09:00"), "2019-06-14T08:00,2019-06-14T09:00,Z,3,1,quay,,APT 22kW")
    assert load(path).stations["Z"] == {"site": "quay", "connectors": 3, "power_w": 22_000}


@given(
    st.lists(
        st.tuples(
            st.integers(-600, 1500),
            st.integers(-30, 3000),
            st.sampled_from("AB"),
            st.integers(-5_000, 90_000),
            st.sampled_from(["", "U1", "U2"]),
        ),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_dirt_nothing_is_lost_in_silence_and_every_visit_can_happen(rows: list[tuple[Any, ...]]) -> None:
    midnight = datetime(2019, 6, 12)
    texts = [line("12:00", "13:00", station="C")]
    for start, minutes, station, energy, user in rows:
        times = [(midnight + timedelta(minutes=m)).isoformat() for m in (start, start + minutes)]
        texts.append(f"{times[0]},{times[1]},{station},1,{energy / 1000},yard,{user},")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        workload = load(a_file(Path(folder), *texts))
    report = workload.input_report
    assert report["rows_read"] == len(rows) + 1
    assert report["rows_day"] == len(workload.visits) + len(report["not_replayed"])
    places: dict[object, int] = {}
    for visit in workload.visits:
        assert visit.leave - visit.arrive >= SHORTEST and visit.leave <= workload.horizon
        assert 0 <= visit.energy_wh * HOUR <= visit.limit_w * (visit.leave - visit.arrive)
        for key in ((visit.station, visit.connector), visit.user):
            if key is not None:
                assert visit.arrive >= places.get(key, 0)
                places[key] = visit.leave


# bad input: one sentence with file, place and what is allowed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2019-06-12T08:00,2019-06-12T09:00,A,1,seven,yard,,", "line 2, column energy_kwh: 'seven' is no number"),
        ("2019-06-12T08:00,2019-06-12T09:00,A,1,nan,yard,,", "line 2, column energy_kwh: 'nan' is no energy"),
        ("2019-06-12T08:00,2019-06-12T09:00,A,1,1e9,yard,,", "line 2, column energy_kwh: '1e9' is no energy"),
        (
            "2019-06-12T25:00,2019-06-12T09:00,A,1,1,yard,,",
            "line 2, column start_local: '2019-06-12T25:00' is no possible time",
        ),
        (
            "2019-06-12T08:00,2019-02-30T09:00,A,1,1,yard,,",
            "line 2, column end_local: '2019-02-30T09:00' is no possible time",
        ),
        (
            "2019-06-12T08:00,2019-06-12T09:00,A,left,1,yard,,",
            "line 2, column connector: 'left' is no connector number",
        ),
        ("2019-06-12T08:00,2019-06-12T09:00,A,0,1,yard,,", "line 2, column connector: '0' is no connector number"),
    ],
)
def test_a_bad_cell_is_named_with_file_line_and_column(tmp_path: Path, text: str, says: str) -> None:
    path = a_file(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}, {says}; allowed: ")
    assert "\n" not in str(caught.value)


def test_a_missing_column_names_the_needed_columns_and_those_that_the_file_has(tmp_path: Path) -> None:
    path = a_file(tmp_path, "x,y", header="start_local,end_local")
    with pytest.raises(BadInput) as caught:
        load(path)
    assert caught.value.problem == "has no column 'station' for the station, only 'start_local', 'end_local'"
    assert caught.value.allowed.startswith(
        "start_local, end_local, station, connector, energy_kwh, site; or other names"
    )
    wide = a_file(tmp_path, "x", header=",".join(f"c{number}" for number in range(40)))
    with pytest.raises(BadInput, match="'c11' and 28 more; allowed"):
        load(wide)


def test_a_column_the_user_named_must_exist_even_if_it_is_optional(tmp_path: Path) -> None:
    path = a_file(tmp_path, line("08:00", "09:00"))
    with pytest.raises(BadInput, match="has no column 'driver' for the user"):
        load(path, columns={"user": "driver"})
    with pytest.raises(BadInput, match=r"columns\.colour: is no field"):
        load(path, columns={"colour": "x"})


def test_columns_and_separator_may_be_others(tmp_path: Path) -> None:
    path = a_file(
        tmp_path, "12;1;2019-06-12 08:00;2019-06-12 09:30;3.5;yard;no", header="pole;plug;from;to;kwh;place;member"
    )
    columns = {"station": "pole", "connector": "plug", "start": "from", "end": "to", "energy": "kwh", "site": "place"}
    (visit,) = load(path, columns={**columns, "registered": "member"}).visits
    assert (visit.station, visit.energy_wh, visit.registered, visit.user) == ("12", 3500, False, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"start_local,end_local,station,connector,energy_kwh,site\n", "holds no session"),
        (
            b"start_local,start_local,end_local,station,connector,energy_kwh,site\n",
            "names the column 'start_local' twice",
        ),
        (b"start_local,end_local\n\xff\xfe\n", "line 2: is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_session_file_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        load(path)


def test_unknown_zone_missing_file_empty_day_and_short_horizon_are_bad_input(tmp_path: Path) -> None:
    path = a_file(tmp_path, line("08:00", "09:00"), "2019-06-14T08:00,2019-06-14T09:00,A,1,1,yard,,")
    with pytest.raises(BadInput, match="'Europe/Dundee' is unknown; allowed: an IANA name"):
        load_day(path, "Europe/Dundee", DAY_USED, lambda site: OSLO)
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "nowhere.csv")
    with pytest.raises(BadInput, match="day 2019-06-13: has no session"):
        load(path, date(2019, 6, 13))
    with pytest.raises(BadInput, match="day 2026-06-15: is a Monday, and the session file holds none"):
        load(path, date(2026, 6, 15))
    with pytest.raises(BadInput, match="horizon"):
        load(path, horizon=DAY)


def test_four_weeks_begin_on_the_same_weekday_and_hold_every_row_of_the_shipped_file() -> None:
    path = JUNE
    workload = load(path, date(2024, 4, 1), days=28, horizon=29 * DAY)
    report = workload.input_report
    assert (report["source_day"], report["days"]) == ("2019-06-03", 28)
    assert report["rows_day"] == report["rows_read"] == len(workload.visits) + len(report["not_replayed"])
    assert workload.visits[-1].arrive - workload.visits[0].arrive > 27 * DAY


def test_days_that_the_file_cannot_fill_from_that_weekday_on_are_taken_from_its_first_one() -> None:
    path = JUNE
    workload = load(path, date(2024, 4, 3), days=28, horizon=29 * DAY)
    assert workload.input_report["source_day"] == "2019-06-05"
    with pytest.raises(BadInput, match="too short for 28 days"):
        load(path, date(2024, 4, 1), days=28, horizon=28 * DAY)


@pytest.mark.skipif(beside("dundee-2018-summer.csv") is None, reason="the file does not lie beside the checkout")
def test_the_dirty_file_beside_the_checkout_is_counted_kind_by_kind() -> None:
    path = beside("dundee-2018-summer.csv")
    assert path is not None
    workload = load(path, date(2018, 8, 20))
    report = workload.input_report
    found = {kind: count for kind, (count, _) in kinds_of(workload).items()}
    assert (report["rows_read"], report["stations"]) == (19_155, 63)
    assert (found["negative-energy"], found["zero-energy"], found["zero-length"]) == (8, 733, 129)
    assert (found["longer-than-a-day"], found["two-places"]) == (601, 175)
    assert found["overlap"] > 0 and found["beyond-power"] > 0
    assert max(row.duration_ms for row in read_sessions(path, "Europe/London").rows) // HOUR == 430
    assert report["rows_day"] == len(workload.visits) + len(report["not_replayed"])
    assert dict(kinds_of(workload))["negative-energy"][1] == 1
    assert all(visit.leave % SECOND == 0 for visit in workload.visits)
