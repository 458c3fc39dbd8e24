"""One run from the command line: the day is played and judged, its records become a folder, the reports are drawn.

The clock on the wall is read here, for the timings in the manifest; nothing that is judged may depend on it.
"""

from __future__ import annotations

import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from msgspec import Struct

from reports.run import bill_file
from scenarios import catalogue
from scenarios.cli_doors import Doors
from scenarios.load import load_scenario, sessions_path, unknown, with_sessions
from scenarios.model import Scenario, plain
from scenarios.runfolder import RunFolder, write_manifest, write_verdicts
from sim.errors import BadInput, TargetFailed, need
from sim.evidence.store import Evidence, open_evidence
from sim.evidence.verdict import CheckResult, Verdict, overall

OK, FINDING, BAD_INPUT, OWN_FAILURE, NOT_JUDGED = 0, 1, 2, 3, 4

_PACKAGES = (
    "chargerig",
    "simpy",
    "ocpp",
    "jsonschema-rs",
    "msgspec",
    "cryptography",
    "zstandard",
    "matplotlib",
    "typst",
    "tzdata",
)

Progress = Callable[[int, int, int, int], None]
Drawing = Callable[[int, int, float], None]


class Wish(Struct, frozen=True):
    """What the user asked for, the same for every scenario of one command."""

    seed: int
    target: str
    out: Path | None = None
    repeat: bool = True
    allow_unknown: tuple[str, ...] = ()
    command: str = ""
    documents: str = "sample"
    templates: Path | None = None
    pace: float = 1.0
    state: Path | None = None


class Done(Struct, frozen=True):
    """A run that lies in its folder."""

    scenario: str
    seed: int
    digest: str
    folder: Path
    results: tuple[CheckResult, ...]
    verdict: Verdict
    counts: dict[str, int]
    timings: dict[str, str]

    @property
    def findings(self) -> int:
        """How many findings all checks have together."""
        return sum(len(result.findings) for result in self.results)

    @property
    def code(self) -> int:
        """The exit code that this run asks for."""
        return {Verdict.PASS: OK, Verdict.FAIL: FINDING}.get(self.verdict, NOT_JUDGED)

    def as_data(self) -> dict[str, Any]:
        """The run as --json tells it."""
        return {
            "scenario": self.scenario,
            "seed": self.seed,
            "digest": self.digest,
            "verdict": self.verdict.value,
            "exit_code": self.code,
            "folder": str(self.folder),
            "counts": self.counts,
            "timings": self.timings,
            "checks": [msgspec.to_builtins(result) for result in self.results],
        }

    def line(self) -> tuple[str, int, str, int, str]:
        """Its line in the table of all runs: scenario, seed, verdict, findings, folder."""
        return self.scenario, self.seed, self.verdict.value, self.findings, str(self.folder)


def wanted_scenario(
    name: str, sessions: str | None = None, zone: str | None = None, sites: str | None = None
) -> Scenario:
    """The scenario of this name or file, on another session file or at some sites only if told so. Raises BadInput."""
    day = load_scenario(name)
    if sessions is not None:
        day = with_sessions(day, sessions, zone)
    elif zone is not None:
        raise BadInput("command line", "--zone", "is the zone of a session file, and none is given", "--sessions FILE")
    if sites is None:
        return day
    names = [site.strip() for site in sites.split(",")]
    if not all(names):
        raise BadInput("command line", "--sites", f"{sites!r} names no site", "names of sites, as campus-4,campus-5")
    return day.at_sites(*names)


def known_checks(names: Sequence[str]) -> tuple[str, ...]:
    """These names of checks. Raises BadInput for one that there is not."""
    known = catalogue.checks()
    for name in names:
        if name not in known:
            where = "`chargerig list checks`"
            raise BadInput("command line", "--allow-unknown", *unknown("check", name, known, where))
    return tuple(names)


def run_one(scenario: Scenario, wish: Wish, doors: Doors, progress: Progress, drawing: Drawing | None = None) -> Done:
    """Run, judge and write down one scenario. Raises BadInput; leaves no half-written folder whatever happens.

    Documents that cannot be drawn raise too, but only when the run lies in its folder: what was judged is not lost.
    """
    sessions = sessions_path(scenario)
    judge = judging(scenario, wish, doors, sessions)
    with RunFolder(scenario.name, wish.seed, wish.out) as folder:
        begun = perf_counter()
        played, results = judge(folder=folder.path, progress=progress)
        played.evidence.close()
        judged = perf_counter()
        with closing(open_evidence(folder.path / "evidence.sqlite")) as evidence:
            digest = evidence.digest
            counts = _counts(evidence, results)
            counts["frames"] = played.frames
            counts["bills without a page"] = _write_bills(evidence, folder.path, doors)
        timings = {"run and checks": f"{judged - begun:.1f} s"}
        try:
            drawn = doors.documents(folder.path, wish.documents, wish.templates, drawing)
            counts["documents"] = len(drawn.files)
            counts["documents that could not be drawn"] = len(drawn.left_out)
            timings["documents"] = drawn.timing()
            undrawn = None
        except BadInput as err:
            undrawn = err
        verdict = overall(results, wish.allow_unknown)
        manifest = {
            "scenario_name": scenario.name,
            "title": scenario.title,
            "seed": wish.seed,
            "digest": digest,
            "verdict": verdict.value,
            "target": wish.target,
            "command": wish.command,
            "versions": versions(),
            "counts": counts,
            "timings": timings,
            "scenario": plain(scenario),
            **({"live": played.facts} if played.facts else {}),
        }
        write_verdicts(folder.path, results, wish.allow_unknown)
        write_manifest(folder.path, manifest)
        doors.reports(folder.path)
        manifest["timings"] = {**manifest["timings"], "bills and reports": f"{perf_counter() - judged:.1f} s"}
        write_manifest(folder.path, manifest)
        place = folder.publish(digest)
    if undrawn is not None:
        problem = f"{undrawn.problem} (no more documents were drawn; the run lies in {place})"
        raise BadInput(undrawn.file, undrawn.place, problem, undrawn.allowed)
    return Done(
        scenario=scenario.name,
        seed=wish.seed,
        digest=digest,
        folder=place,
        results=tuple(results),
        verdict=verdict,
        counts=counts,
        timings=dict(manifest["timings"]),
    )


def judging(scenario: Scenario, wish: Wish, doors: Doors, sessions: Path) -> Callable[..., Any]:
    """Plays and judges it: in virtual time, or against a back-end behind sockets. Raises BadInput for what fits neither."""
    from scenarios.targets import foreign

    behind_sockets = foreign(wish.target)
    if behind_sockets is not None:
        how = {"pace": wish.pace, "state": wish.state}
        return partial(doors.judge_live, scenario, wish.seed, behind_sockets, sessions=sessions, **how)
    for option, given in (("--pace", wish.pace != 1), ("--state", wish.state is not None)):
        need(not given, "command line", option, "is for a back-end behind sockets", "--target TARGET.toml with [ocpp]")
    target = doors.resolve(wish.target)
    return partial(doors.judge, scenario, wish.seed, sessions=sessions, target=target, repeat=wish.repeat)


def blame(err: Exception) -> tuple[int, str]:
    """Exit code and sentence for what ended a command; what is no mistake of the user shows its traceback, too."""
    if isinstance(err, BadInput):
        return BAD_INPUT, str(err)
    cause = err.__cause__ if isinstance(err, TargetFailed) else err
    if cause is not None:
        traceback.print_exception(cause, file=sys.stderr)
    if isinstance(err, TargetFailed):
        return OWN_FAILURE, str(err)
    return OWN_FAILURE, f"this is our own failure, not the back-end's: {type(err).__name__}: {err}"


def worst(codes: Sequence[int]) -> int:
    """The exit code of several runs: a finding beats what could not be judged."""
    return next((code for code in (OWN_FAILURE, BAD_INPUT, FINDING, NOT_JUDGED) if code in codes), OK)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run depends on."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _counts(evidence: Evidence, results: Sequence[CheckResult]) -> dict[str, int]:
    tables = {
        "visits": "truth_visits",
        "true sessions": "truth_sessions",
        "calls": "wire_calls",
        "connections": "wire_links",
        "bills": "books_bills",
        "journal entries": "books_journal",
        "in quarantine": "books_quarantine",
    }
    counts = {name: int(evidence.rows(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"]) for name, table in tables.items()}
    counts["items examined"] = sum(result.items for result in results)
    counts["findings"] = sum(len(result.findings) for result in results)
    return counts


def _write_bills(evidence: Evidence, folder: Path, doors: Doors) -> int:
    """A page for each bill; returns how many have data that we cannot render (a foreign back-end's own)."""
    (folder / "bills").mkdir()
    failed = 0
    for bill in evidence.rows("SELECT * FROM books_bills ORDER BY rowid"):
        try:
            page = doors.bill_page(bill)
        except (ValueError, KeyError, TypeError):
            failed += 1
        else:
            (folder / bill_file(bill)).write_text(page, encoding="utf-8")
    return failed


def draw(run_dir: Path, picture: Path, doors: Doors) -> None:
    """Write the picture of a run into a file of its own. Raises BadInput for a place that cannot hold it."""
    if picture.suffix != ".svg":
        raise BadInput("command line", "--picture", f"{str(picture)!r} is no name for an SVG file", "FILE.svg")
    if not picture.absolute().parent.is_dir():
        raise BadInput("command line", "--picture", f"there is no folder for {picture}", "a file in a folder that is")
    try:
        doors.picture(run_dir, picture)
    except OSError as err:
        problem = f"{picture} cannot be written ({err.strerror})"
        raise BadInput("command line", "--picture", problem, "a file that this user may write") from None


def draw_again(
    run_dir: Path, wanted: str, templates: Path | None, doors: Doors, drawing: Drawing | None = None
) -> dict[str, Any]:
    """Draw the documents of an old run anew; returns what --json tells of them. Raises BadInput."""
    doors.try_documents(wanted, templates)
    try:
        drawn = doors.documents(run_dir, wanted, templates, drawing)
    except OSError as err:
        raise BadInput(run_dir, "documents", f"cannot be written ({err.strerror})", "a folder of this user") from None
    return {"documents": list(drawn.files), "documents_left_out": list(drawn.left_out), "drawn": drawn.timing()}
