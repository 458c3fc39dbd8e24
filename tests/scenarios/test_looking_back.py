"""Runs with planted bugs, looked back at from their folders: where books and truth part, one moment, two runs, a diagram."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from reports.against import compare, headline
from reports.run import Run
from reports.sequence import Mark, sequence
from reports.trace import walks_of
from reports.trace_at import moment, moment_trace
from reports.trace_lines import plain as plain_text
from scenarios.cli import app
from scenarios.cli_bisect import Bisected, bisect
from scenarios.load import load_scenario, sessions_path
from scenarios.model import plain
from scenarios.runfolder import write_manifest, write_verdicts
from scenarios.runner import judge
from scenarios.targets import resolve
from sim.errors import BadInput
from sim.evidence.verdict import overall

PARTS_AT = {
    "stop-time-offset-twice": ("transaction", "its end is booked +7200.0 s from the true one"),
    "price-off-by-a-cent-everywhere": ("price", "and by the oracle at"),
    "line-lost-from-the-bill": ("price", "its lines add up to"),
    "bill-posted-to-the-wrong-customer": ("journal", "are not put down to"),
    "cent-moved-from-revenue-to-vat": ("journal", "is posted, the bill has"),
}


def _run(place: Path, target: str) -> Path:
    """A run folder of the smoke day without its reports, which cost more than the day."""
    day = load_scenario("smoke")
    day = replace(day, fleet=replace(day.fleet, heartbeat_s=3_600))
    place.mkdir()
    played, results = judge(day, 1, sessions=sessions_path(day), target=resolve(target), folder=place, repeat=False)
    digest = played.evidence.digest
    played.evidence.close()
    write_verdicts(place, results)
    head = {"scenario_name": "smoke", "title": day.title, "seed": 1, "digest": digest, "scenario": plain(day)}
    counts = {"findings": sum(len(one.findings) for one in results)}
    verdict = overall(results).value
    write_manifest(
        place, {**head, "verdict": verdict, "target": target, "counts": counts, "timings": {"run and checks": "1.5 s"}}
    )
    return place


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("runs")
    targets = {"reference": "reference", **{name: f"mutant:{name}" for name in PARTS_AT}}
    return {name: _run(place / name, target) for name, target in targets.items()}


def _bisected(folder: Path) -> Bisected:
    with Run(folder) as run:
        return bisect(run)


# -- where books and truth part -------------------------------------------------------------------------------------------


def test_a_healthy_run_parts_nowhere(runs: dict[str, Path]) -> None:
    found = _bisected(runs["reference"])
    assert (found.first, found.parted, found.followed) == (None, 0, 4)
    assert "do not part in any of 4 sessions" in found.text()


@pytest.mark.parametrize("bug", PARTS_AT)
def test_a_planted_bug_is_named_by_session_plane_and_lines(runs: dict[str, Path], bug: str) -> None:
    stage, sentence = PARTS_AT[bug]
    found = _bisected(runs[bug])
    first = found.first
    assert first is not None and (first.plane, first.stage) == ("books", stage)
    assert sentence in first.sentence
    assert first.rows[0][0] == "truth_sessions" and len(first.rows) >= 2
    texts = [line.text for line in found.lines]
    assert any(text.startswith("HERE: ") for text in texts)
    assert any("StartTransaction to legacy" in text for text in texts)
    assert found.data()["first"]["at"] == first.at and found.parted >= 1


def test_the_earliest_of_several_partings_is_the_answer(runs: dict[str, Path]) -> None:
    """All four sessions part; the answer is the one whose end came first."""
    found = _bisected(runs["stop-time-offset-twice"])
    with Run(runs["stop-time-offset-twice"]) as run:
        ends = sorted((int(row["received_stop_at"]), row["station"]) for row in run.table("books_transactions"))
    assert found.first is not None and (found.first.at, found.first.station) == ends[0]
    assert found.parted == 4


def test_the_command_ends_with_a_finding_where_they_part(runs: dict[str, Path]) -> None:
    done = CliRunner().invoke(app, ["bisect", str(runs["price-off-by-a-cent-everywhere"]), "--json"])
    assert done.exit_code == 1 and json.loads(done.stdout)["first"]["stage"] == "price"
    assert CliRunner().invoke(app, ["bisect", str(runs["reference"])]).exit_code == 0


# -- one moment -----------------------------------------------------------------------------------------------------------


def test_a_moment_shows_what_was_going_on_in_each_plane(runs: dict[str, Path]) -> None:
    with Run(runs["reference"]) as run:
        truth = run.table("truth_sessions")[0]
        at = int(truth["started_at"]) + 60_000
        steps = {step.title: step for step in moment_trace(run, _local(at)).steps}
    assert any(truth["station"] in line.text for line in steps["Sessions that were running"].lines)
    assert plain_text(steps["Connections"].lines[0].text) == "3 stations at legacy"
    assert any("StartTransaction" in line.text for line in steps["On the wire"].lines)
    assert any("begins at legacy" in line.text for line in steps["In the books"].lines)


def _local(at: int) -> str:
    from sim import clock

    return f"{clock.to_datetime(at, clock.zone('Europe/Oslo')):%Y-%m-%d %H:%M:%S}"


def test_a_moment_is_read_in_the_zone_of_the_run_or_in_its_own(runs: dict[str, Path]) -> None:
    with Run(runs["reference"]) as run:
        assert moment(run, "10:00") == moment(run, "2024-05-15 10:00:00") == moment(run, "2024-05-15T08:00Z")
        for wrong in ("25:00", "ten", "2024-13-01 10:00", "10"):
            with pytest.raises(BadInput, match="is no time"):
                moment(run, wrong)
        with pytest.raises(BadInput, match="is not in the run"):
            moment_trace(run, "2024-06-15 10:00")


# -- a sequence diagram ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("narrow", [False, True])
def test_a_session_is_drawn_from_plug_to_bill(runs: dict[str, Path], narrow: bool) -> None:
    with Run(runs["reference"]) as run:
        number = str(run.table("books_transactions")[0]["session_id"])
        svg = sequence(run, walks_of(run, number)[0], "one", narrow=narrow)
    root = ET.fromstring(svg)
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for wanted in ("car", "legacy", "plugs in", "StartTransaction", "StopTransaction", "unplugs"):
        assert wanted in texts
    assert texts.index("StartTransaction") < texts.index("StopTransaction")
    width = 360 if narrow else 760
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.attrib["x"]) >= 0 and float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width


def test_what_never_arrived_ends_in_a_cross_and_an_answer_is_dashed() -> None:
    from reports.sequence import _drawn

    places = {"station": 100.0, "legacy": 300.0}
    lost = _drawn(Mark(0, "station", "legacy", "StopTransaction", lost=True), places, 50, "n", "UTC", False)
    assert "(lost)" in lost and "marker-end" not in lost and "M195" in lost
    answer = _drawn(Mark(0, "legacy", "station", "Accepted", answer=True), places, 50, "n", "UTC", False)
    assert "stroke-dasharray" in answer and "marker-end" in answer


def test_the_command_writes_the_diagram_of_a_session_only(runs: dict[str, Path], tmp_path: Path) -> None:
    folder, file = str(runs["reference"]), tmp_path / "one.svg"
    done = CliRunner().invoke(app, ["trace", folder, "--session", "legacy-s-000001", "--svg", str(file)])
    assert done.exit_code == 0 and file.read_text("utf-8").startswith("<svg")
    done = CliRunner().invoke(app, ["trace", folder, "--at", "10:00", "--svg", str(file)])
    assert done.exit_code == 2 and "only a session has a sequence diagram" in " ".join(done.stderr.split())


# -- two runs -------------------------------------------------------------------------------------------------------------


def test_two_runs_are_compared_in_verdicts_money_and_sessions(runs: dict[str, Path]) -> None:
    with Run(runs["reference"]) as a, Run(runs["price-off-by-a-cent-everywhere"]) as b:
        told = compare(a, b)
        same = compare(a, a)
    assert {row["check"] for row in told["checks"] if row["change"] == "broken"} >= {"T01"}
    assert all(row["change"] in ("same", "broken") for row in told["checks"])
    gross = {side: sum(row[side]["gross"] for row in told["money"]) for side in "ab"}
    assert gross["b"] > gross["a"] and sum(row["more"] for row in told["money"]) == gross["b"] - gross["a"]
    assert told["sessions"]["differ"] >= 1 and told["sessions"]["same"] + told["sessions"]["differ"] == 4
    assert told["same_day"] and not told["same_digest"]
    assert same["same_digest"] and headline(same) == "Both runs are the same to the last byte of evidence."


def test_the_command_tells_it_as_text_json_and_page(runs: dict[str, Path]) -> None:
    a, b = str(runs["price-off-by-a-cent-everywhere"]), str(runs["reference"])
    done = CliRunner().invoke(app, ["report", a, "--against", b])
    assert done.exit_code == 0 and "mended in B" in done.stdout
    told = json.loads(CliRunner().invoke(app, ["report", a, "--against", b, "--json"]).stdout)
    page = Path(told["page"]).read_text("utf-8")
    assert "T01" in page and "mended" in page and "Sessions that ended otherwise" in page
