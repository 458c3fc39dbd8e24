"""The command line with a runner of our own behind its doors: exit codes, JSON, complaints, run folders."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import Struct
from typer.testing import CliRunner, Result

from scenarios import catalogue
from scenarios.cli import app
from scenarios.cli_doors import Doors
from scenarios.cli_run import worst
from scenarios.faults.kinds import KINDS
from sim.clock import HOUR
from sim.errors import BadInput
from sim.evidence.store import save_tables
from sim.evidence.verdict import CheckResult, Finding, Verdict

COMMANDS = [
    *(str(one.name or getattr(one.callback, "__name__", "")) for one in app.registered_commands),
    *(str(group.name) for group in app.registered_groups),
]
DIGEST = "0123456789abcdef" * 4
BILL = ("new", "N 1", "s1", "c1", "r1", "owner", "K1", "EUR", 100, 84, 16, 0, "{}", "h", 1)


class Rig:
    """What stands behind the doors: hands out these verdicts and remembers how it was asked."""

    def __init__(self, *verdicts: str, error: BaseException | None = None) -> None:
        self.verdicts = verdicts or ("PASS",)
        self.error = error
        self.asked: list[tuple[str, int, dict[str, Any]]] = []
        self.reported: list[Path] = []

    def judge(self, scenario: Any, seed: int, **named: Any) -> tuple[Any, list[CheckResult]]:
        self.asked.append((scenario.name, seed, named))
        named["progress"](0, 5 * HOUR, 9 * HOUR, 1234)
        if self.error is not None:
            raise self.error
        save_tables(
            named["folder"] / "evidence.sqlite", {"meta": [("digest", DIGEST)], "books_bills": [BILL, BILL]}
        ).close()
        (named["folder"] / "wire.jsonl.zst").write_bytes(b"")
        return SimpleNamespace(evidence=SimpleNamespace(close=lambda: None), frames=1234, facts={}), [
            self._result(v) for v in self.verdicts
        ]

    def _result(self, verdict: str) -> CheckResult:
        findings = (Finding("INV-02", "session", "s1", "it was billed twice"),) if verdict == "FAIL" else ()
        reason = "no journal" if verdict == "UNKNOWN" else ""
        items = 0 if verdict == "NOT_APPLICABLE" else 7
        name = {"UNKNOWN": "L05", "NOT_APPLICABLE": "T01"}.get(verdict, "INV-02")
        return CheckResult(name, Verdict(verdict), "nobody is billed twice", items, findings, reason)

    def bill_page(self, bill: dict[str, Any]) -> str:
        """A page for the bills of the first run; later ones cannot be rendered."""
        if self.reported:
            raise ValueError("not ours")
        return f"<p>{bill['number']}"

    def reports(self, folder: Path) -> None:
        self.reported.append(folder)
        (folder / "report.html").write_text("<p>report")

    def mutant(self, name: str, seed: int) -> Any:
        caught = name != "reply-before-commit"
        return SimpleNamespace(
            name=name, check="INV-03", caught=caught, failed=("INV-03",) if caught else (), note="note"
        )

    def doors(self) -> Doors:
        return Doors(
            judge=self.judge,
            resolve=lambda spec: spec,
            reports=self.reports,
            picture=lambda folder, file: file.write_text("<svg/>") and None,
            run_mutant=self.mutant,
            bench_day=lambda stations, hours, **named: Figures(f"{stations} x {hours}"),
            bill_page=self.bill_page,
        )


class Figures(Struct):
    """Any struct with a text."""

    sentence: str

    def text(self) -> str:
        return self.sentence


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the command line in an empty folder: `chargerig(rig, "run", "first-day")`."""
    monkeypatch.chdir(tmp_path)

    def call(rig: Rig, *args: str) -> Result:
        return CliRunner().invoke(app, list(args), obj=rig.doors())

    return call


def folders(tmp_path: Path) -> Sequence[str]:
    """What lies below reports/out."""
    base = tmp_path / "reports" / "out"
    return sorted(entry.name for entry in base.iterdir()) if base.is_dir() else []


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (("PASS", "PASS"), 0),
        (("PASS", "NOT_APPLICABLE"), 0),
        (("PASS", "FAIL"), 1),
        (("UNKNOWN", "FAIL"), 1),
        (("PASS", "UNKNOWN"), 4),
        (("NOT_APPLICABLE",), 4),
    ],
)
def test_the_exit_code_says_what_was_found(chargerig: Any, verdicts: tuple[str, ...], code: int) -> None:
    result = chargerig(Rig(*verdicts), "run", "first-day", "--json")
    assert result.exit_code == code
    assert json.loads(result.stdout)["exit_code"] == code


def test_a_check_may_be_allowed_to_be_unknown(chargerig: Any) -> None:
    rig = Rig("PASS", "UNKNOWN")
    assert chargerig(rig, "run", "first-day", "--json", "--allow-unknown", "L05").exit_code == 0
    assert chargerig(rig, "run", "first-day", "--json", "--allow-unknown", "L01").exit_code == 4


def test_a_run_leaves_a_whole_folder_and_json_only_on_standard_output(chargerig: Any, tmp_path: Path) -> None:
    rig = Rig("PASS", "FAIL")
    result = chargerig(rig, "run", "first-day", "--seed", "7", "--json", "--no-repeat")
    data = json.loads(result.stdout)["runs"][0]
    assert folders(tmp_path) == ["first-day-seed7-01234567"]
    folder = tmp_path / data["folder"]
    assert {entry.name for entry in folder.iterdir()} == {
        "manifest.json", "verdicts.json", "report.html", "evidence.sqlite", "wire.jsonl.zst", "bills",
    }  # fmt: skip
    assert (folder / "bills" / "new-N_1.html").read_text() == "<p>N 1"
    assert (data["digest"], data["verdict"], data["counts"]["bills"]) == (DIGEST, "FAIL", 2)
    assert data["checks"][1]["findings"][0]["sentence"] == "it was billed twice"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["scenario"]["day"]["date"] == "2019-06-12"
    assert manifest["versions"]["python"] and manifest["timings"]
    name, seed, named = rig.asked[0]
    assert (name, seed, named["repeat"], named["target"]) == ("first-day", 7, False, "reference")
    assert "1,234 messages" in result.stderr


def test_a_run_again_replaces_itself(chargerig: Any, tmp_path: Path) -> None:
    rig = Rig()
    for _ in range(2):
        assert chargerig(rig, "run", "first-day", "--json").exit_code == 0
    assert folders(tmp_path) == ["first-day-seed1-01234567"]
    manifest = json.loads((tmp_path / "reports/out/first-day-seed1-01234567/manifest.json").read_text())
    assert manifest["counts"]["bills without a page"] == 2, "bills that cannot be rendered are counted"


def test_several_scenarios_lie_side_by_side(chargerig: Any, tmp_path: Path) -> None:
    copy = tmp_path / "other.toml"
    text = catalogue.scenario_file("first-day").read_text("utf-8")
    copy.write_text(text.replace('name  = "first-day"', 'name  = "other"'))
    result = chargerig(Rig(), "run", "first-day", "other.toml", "--json", "--out", "all")
    assert result.exit_code == 0
    assert sorted(entry.name for entry in (tmp_path / "all").iterdir()) == ["first-day-seed1", "other-seed1"]


def test_our_own_failure_is_not_the_back_ends(chargerig: Any, tmp_path: Path) -> None:
    result = chargerig(Rig(error=ZeroDivisionError("oops")), "run", "first-day", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["exit_code"] == 3
    assert "our own failure" in result.stderr and "ZeroDivisionError" in result.stderr
    assert folders(tmp_path) == []


def test_a_hand_on_the_keyboard_leaves_nothing(chargerig: Any, tmp_path: Path) -> None:
    assert chargerig(Rig(error=KeyboardInterrupt()), "run", "first-day").exit_code == 130
    assert folders(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "frist-day"), "did you mean first-day?"),
        (("run", "gone.toml"), "gone.toml: there is no such file"),
        (("run", "first-day", "--allow-unknown", "INV-1"), "there is no check 'INV-1'"),
        (("run", "first-day", "--zone", "Europe/London"), "allowed: --sessions FILE"),
        (("run", "first-day", "--sessions", "gone.csv", "--zone", "Europe/London"), "there is no file gone.csv"),
        (("list", "scenarioes"), "did you mean scenarios?"),
        (("show", "nothing"), "there is no scenario 'nothing'"),
        (("report", "nowhere"), "nowhere: there is no such folder"),
        (("mutants", "no-such-bug"), "there is no mutant 'no-such-bug'"),
        (("run", "first-day", "--seed", "-1"), "--seed: '-1' is not usable here; allowed: a whole number, 0 or more."),
        (("run", "first-day", "--seed=x"), "--seed: 'x' is not usable here; allowed: a whole number, 0 or more."),
        (("bench", "day", "--stations", "0"), "--stations: '0' is not usable here; allowed: a whole number, 1 or more"),
        (("run", "first-day", "--sead", "3"), "there is no option '--sead' (did you mean --seed?); allowed: --allow-"),
        (("run", "first-day", "--jsn"), "(did you mean --json?)"),
        (("run",), "SCENARIO...: is missing; allowed: names of scenarios"),
        (("list", "checks", "twice"), "unexpected extra argument(s) (twice); allowed: what `chargerig list --help` sh"),
        (("fly",), f"COMMAND: there is no command 'fly'; allowed: {', '.join(sorted(COMMANDS))}."),
        (("bench", "dya"), "there is no command 'dya' (did you mean day?)"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    chargerig: Any, tmp_path: Path, args: tuple[str, ...], says: str
) -> None:
    result = chargerig(Rig(), *args)
    assert result.exit_code == 2
    assert says in result.stderr and result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert folders(tmp_path) == []
    data = json.loads(chargerig(Rig(), *args, "--json").stdout)
    assert data["exit_code"] == 2 and says in data["error"]["sentence"]


def test_bad_input_inside_a_run_leaves_no_folder(chargerig: Any, tmp_path: Path) -> None:
    result = chargerig(Rig(error=BadInput("mine.csv", "line 3", "is no number", "kWh")), "run", "first-day")
    assert result.exit_code == 2
    assert "mine.csv, line 3: is no number; allowed: kWh." in result.stderr
    assert folders(tmp_path) == []


def test_a_file_is_no_place_for_a_run(chargerig: Any, tmp_path: Path) -> None:
    (tmp_path / "afile").write_text("mine")
    rig = Rig()
    for out in ("afile/sub", "afile/sub/deeper"):
        result = chargerig(rig, "run", "first-day", "--out", out)
        assert result.exit_code == 2 and rig.asked == []
        assert "afile: is a file, so that no folder can be made in it; allowed: the path of a folder." in result.stderr
    assert "afile: is a file; allowed: the folder of a run." in chargerig(rig, "report", "afile").stderr


def test_a_foreign_folder_is_refused_before_anything_runs(chargerig: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    rig = Rig()
    result = chargerig(rig, "run", "first-day", "--out", "mine")
    assert result.exit_code == 2 and rig.asked == []
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_an_option_without_its_value_is_bad_input(chargerig: Any) -> None:
    result = chargerig(Rig(), "run", "first-day", "--json", "--seed")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "--seed: has no value behind it; allowed: --seed VALUE." in json.loads(result.stdout)["error"]["sentence"]


def test_no_command_at_all_shows_the_help(chargerig: Any) -> None:
    result = chargerig(Rig())
    assert result.exit_code == 2 and "chargerig run first-day --seed 1" in result.output


def test_the_version_can_be_asked(chargerig: Any) -> None:
    result = chargerig(Rig(), "--version")
    assert (result.exit_code, result.stdout.split()[0]) == (0, "chargerig")


@pytest.mark.parametrize("what", ["scenarios", "checks", "faults", "profiles", "quirks", "mutants"])
def test_lists_name_things_with_a_sentence(chargerig: Any, what: str) -> None:
    rows = json.loads(chargerig(Rig(), "list", what, "--json").stdout)
    assert rows and all(row["name"] and row["sentence"] for row in rows)
    assert rows[0]["name"] in chargerig(Rig(), "list", what).stdout
    if what == "faults":
        assert [row["name"] for row in rows] == list(KINDS)


def test_show_tells_what_a_scenario_says(chargerig: Any) -> None:
    result = chargerig(Rig(), "show", "first-day")
    assert result.exit_code == 0 and "campus-4" in result.stdout
    assert json.loads(chargerig(Rig(), "show", "first-day", "--json").stdout)["name"] == "first-day"


def test_report_renders_an_old_folder_again(chargerig: Any, tmp_path: Path) -> None:
    rig = Rig()
    chargerig(rig, "run", "first-day", "--json", "--out", "mine")
    again = chargerig(rig, "report", "mine", "--json", "--picture", "day.svg")
    assert again.exit_code == 0 and json.loads(again.stdout)["digest"] == DIGEST
    assert rig.reported[-1] == Path("mine") and (tmp_path / "day.svg").is_file()
    (tmp_path / "folder.svg").mkdir()
    for picture in ("no/where.svg", "day.png", ".", "folder.svg"):
        refused = chargerig(rig, "report", "mine", "--picture", picture)
        assert refused.exit_code == 2 and refused.stderr.count("\n") == 1, picture


def test_mutants_count_who_was_caught(chargerig: Any) -> None:
    all_of_them = chargerig(Rig(), "mutants", "--json")
    data = json.loads(all_of_them.stdout)
    assert all_of_them.exit_code == 1
    quick = len(catalogue.mutants("first-day"))
    assert (data["planted"], data["caught"]) == (quick, quick - 1)
    one = chargerig(Rig(), "mutants", "signature-not-checked")
    assert one.exit_code == 0 and "1 of 1 planted bugs caught" in one.stdout


def test_mutants_runs_the_quick_ones_and_says_how_to_run_the_others(chargerig: Any) -> None:
    many = len(catalogue.mutants("upgrade-day"))
    assert f"{many} more: chargerig mutants --scenario upgrade-day" in chargerig(Rig(), "mutants").stdout
    others = chargerig(Rig(), "mutants", "--scenario", "migration-day")
    assert others.exit_code == 0 and f"{many} of {many} planted bugs caught" in others.stdout
    assert " more: " not in others.stdout


def test_mutants_of_another_scenario_are_bad_input(chargerig: Any, tmp_path: Path) -> None:
    mine = files("scenarios").joinpath("library/first-day.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(mine.replace('"first-day"', '"mine"', 1), encoding="utf-8")
    asked = {
        ("no-pro-rata", "--scenario", "first-day"): "no-pro-rata is planted in upgrade-day",
        ("--scenario", "mine.toml"): "no bug is planted in mine.toml",
    }
    for words, says in asked.items():
        refused = chargerig(Rig(), "mutants", *words)
        assert refused.exit_code == 2 and says in refused.stderr and refused.stderr.count("\n") == 1, words


def test_the_list_of_mutants_names_the_scenario_of_each(chargerig: Any) -> None:
    rows = json.loads(chargerig(Rig(), "list", "mutants", "--json").stdout)
    assert {row["name"]: row["scenario"] for row in rows} == catalogue.planted_in()
    assert "upgrade-day" in chargerig(Rig(), "list", "mutants").stdout
    assert all("scenario" not in row for row in json.loads(chargerig(Rig(), "list", "checks", "--json").stdout))


def test_planted_bugs_stay_readable_at_80_columns(chargerig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = max(catalogue.mutants(), key=len)
    lines = chargerig(Rig(), "mutants", name).stdout.splitlines()
    assert lines[0].startswith(f"caught  {name}: INV-03") and lines[1].strip() == "note"


def test_bench_prints_figures(chargerig: Any) -> None:
    assert "5 x 6" in chargerig(Rig(), "bench", "day", "--stations", "5", "--hours", "6").stdout
    assert json.loads(chargerig(Rig(), "bench", "day", "--json").stdout)["sentence"] == "1000 x 24"


def test_help_teaches_with_examples(chargerig: Any) -> None:
    text = chargerig(Rig(), "run", "--help").stdout
    assert "chargerig run first-day --seed 1" in text and "--target" in text


def test_the_worst_run_decides() -> None:
    assert [worst(codes) for codes in ([0, 4, 1], [0, 4], [0, 0], [])] == [1, 4, 0, 0]


def test_a_target_that_does_not_import_is_named() -> None:
    """The real door, in a process of its own: nothing else has put the folder on the path."""
    command = [sys.executable, "-m", "scenarios.cli", "run", "first-day", "--target", "no.such.module:factory"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert "no.such.module" in done.stderr and done.stderr.count("\n") == 1


NOISY = """
import os, sys
from reference_csms import assemble
print("imported")
def factory(setup):
    print("made", setup.name)
    os.write(1, b"past python\\n")
    return assemble(setup)
"""
SLOW = """
import sys, time
from reference_csms import assemble
def factory(setup):
    if setup.name == "new":
        print("half way", file=sys.stderr, flush=True)
        time.sleep(60)
    return assemble(setup)
"""


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "scenarios.cli", *words]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_a_target_that_prints_does_not_spoil_the_json(tmp_path: Path) -> None:
    """Whatever a target writes, to `sys.stdout` or to the descriptor, standard output is one document."""
    (tmp_path / "noisy.py").write_text(NOISY)
    less = ("--sites", "campus-4,campus-5", "--documents", "none", "--no-repeat")
    command = _command("run", "first-day", "--json", *less, "--target", "noisy:factory")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=_environment())
    assert json.loads(done.stdout)["exit_code"] == done.returncode == 0
    assert all(word in done.stderr for word in ("imported", "made legacy", "past python"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_with_a_sentence_and_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    command = _command("run", "first-day", "--target", "slow:factory", "--out", "here")
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job has it ignored, and hands that on
    try:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=_environment())
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if "half way" in line:
                break
        assert [path.name for path in tmp_path.glob("*.partial")] == [f"here.{process.pid}.partial"]
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == code
    assert "nothing half-written is left" in said and "Traceback" not in said
    assert list(tmp_path.glob("here*")) == []
