"""A station may have any name that a session file gives it, also one that something of the rig has."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from scenarios.load import load_scenario, with_sessions
from scenarios.runner import judge
from sim.evidence.verdict import Verdict

NAMES = ("app", "migration", "technician", "legacy", "new", "tap-legacy", "rig:app", "knock:app", "driver:v1")


def test_no_name_of_a_station_collides_with_the_rigs_own(tmp_path: Path) -> None:
    head = "start_local,end_local,station,connector,energy_kwh,site\n"
    rows = [
        f"2019-06-12T{8 + number // 3:02d}:{number * 7 % 60:02d}:00,2019-06-12T15:00:00,{name},1,{5 + number},campus-4\n"
        for number, name in enumerate(NAMES)
    ]
    file = tmp_path / "mine.csv"
    file.write_text(head + "".join(rows))
    day = with_sessions(replace(load_scenario("first-day"), fault=()), str(file), "Europe/Oslo")
    played, results = judge(day, 1, sessions=file, repeat=False)
    assert [result.check for result in results if result.verdict in (Verdict.FAIL, Verdict.UNKNOWN)] == []
    evidence = played.evidence
    assert {row["station"] for row in evidence.rows("SELECT station FROM truth_migration")} == set(NAMES)
    knocked = evidence.rows("SELECT station FROM truth_events WHERE kind = 'knock'")
    assert {row["station"] for row in knocked} == set(NAMES)
    probes = [probe["station"] for probe in evidence.plan("probes")]
    assert probes == ["tap-legacy-x", "tap-new"]
    evidence.close()
