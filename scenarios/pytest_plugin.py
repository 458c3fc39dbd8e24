"""The pytest plugin: scenario files as tests, and fixtures for a reference CSMS on a port and a fleet that dials a back-end.

It does nothing unless it is asked: files are collected only with `--chargerig-target` or the ini key `chargerig_target`, and
nothing of chargerig is imported before a file is one of ours. Verdicts are those of `chargerig run`; none is made here.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from scenarios.model import Scenario
    from sim.evidence.verdict import CheckResult

MARK = "chargerig"
_NEEDED = ("checks", "extends")
"""One of these tables, and a name, make a TOML file a scenario."""
_MOST_TOLD = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the same as ini keys."""
    group = parser.getgroup("chargerig", "scenarios of charging back-ends as tests")
    group.addoption(
        "--chargerig-target",
        metavar="TARGET",
        help="collect scenario files (*.toml) and judge this back-end: reference, a target file, package.module:factory",
    )
    group.addoption(
        "--chargerig-seeds", metavar="A-B", help="seeds of each scenario, as 1-10 or 1,4,7-9; 1 if left out"
    )
    group.addoption(
        "--chargerig-allow-unknown",
        metavar="CHECK",
        action="append",
        default=[],
        help="a check that may be UNKNOWN without harm; may be repeated",
    )
    group.addoption("--chargerig-out", metavar="DIR", help="keep each run with its report in a folder of this one")
    group.addoption(
        "--chargerig-pace", metavar="N", type=float, default=1.0, help="behind sockets: times as fast as the wall clock"
    )
    parser.addini("chargerig_target", "as --chargerig-target", default="")
    parser.addini("chargerig_seeds", "as --chargerig-seeds", default="1")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known; every collected scenario has it."""
    config.addinivalue_line("markers", f"{MARK}: a scenario file, judged by chargerig")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A scenario file, if the user asked for them and it looks like one."""
    if file_path.suffix != ".toml" or not _target(parent.config) or not _is_scenario(file_path):
        return None
    collector: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return collector


def _target(config: pytest.Config) -> str:
    return str(config.getoption("--chargerig-target") or config.getini("chargerig_target"))


def _is_scenario(path: Path) -> bool:
    """Whether it has a name and what only scenarios have; one that is no TOML is shown as broken, not passed over."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return path.name != "pyproject.toml"
    return "name" in data and any(key in data for key in _NEEDED)


class ScenarioFile(pytest.File):
    """One scenario file: a test for each seed."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test for each seed. A mistake in the file is its sentence."""
        from scenarios.cli_rehearse import seeds_of
        from scenarios.load import load_scenario
        from sim.errors import BadInput

        config = self.config
        try:
            scenario = load_scenario(str(self.path))
            seeds = seeds_of(str(config.getoption("--chargerig-seeds") or config.getini("chargerig_seeds")))
        except BadInput as bad:
            raise self.CollectError(str(bad)) from None
        for seed in seeds:
            yield ScenarioItem.from_parent(self, name=f"{scenario.name}[{seed}]", scenario=scenario, seed=seed)


class ScenarioItem(pytest.Item):
    """One scenario with one seed."""

    def __init__(self, *, scenario: Scenario, seed: int, **known: Any) -> None:
        super().__init__(**known)
        self.scenario = scenario
        self.seed = seed
        self.add_marker(MARK)
        self.keywords.update(dict.fromkeys(scenario.checks.all_of))

    def runtest(self) -> None:
        """Play and judge it. Raises NotGood for whatever is no PASS."""
        from scenarios.cli_doors import Doors
        from scenarios.cli_run import Wish, judging, known_checks, run_one
        from scenarios.load import sessions_path
        from sim.evidence.verdict import Verdict, overall

        config, target = self.config, _target(self.config)
        allowed = known_checks(config.getoption("--chargerig-allow-unknown"))
        parent, folder = config.getoption("--chargerig-out"), None
        out = None if parent is None else Path(parent) / f"{self.scenario.name}-seed{self.seed}"
        wish = Wish(self.seed, target, out, False, allowed, documents="none", pace=config.getoption("--chargerig-pace"))
        if out is not None:
            done = run_one(self.scenario, wish, Doors(), lambda *_: None)
            results: Sequence[CheckResult] = done.results
            digest, folder = done.digest, done.folder
        else:
            played, results = judging(self.scenario, wish, Doors(), sessions_path(self.scenario))()
            digest = played.evidence.digest
            played.evidence.close()
        verdict = overall(results, allowed)
        self.user_properties += [("chargerig_verdict", verdict.value), ("chargerig_digest", digest)]
        if verdict is not Verdict.PASS:
            raise NotGood(_told(verdict.value, results, self._again(target), folder))

    def _again(self, target: str) -> str:
        words = ["chargerig", "run", str(self.path), "--seed", str(self.seed), "--target", target]
        return shlex.join(words)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The findings, or one sentence for a mistake of the user; a traceback only where something raised."""
        from sim.errors import BadInput

        if isinstance(excinfo.value, NotGood | BadInput):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it stands, for the reports of pytest."""
        return self.path, None, self.name


class NotGood(Exception):
    """A run that is no PASS; the text says what was found."""


def _told(verdict: str, results: Sequence[CheckResult], again: str, folder: Path | None) -> str:
    findings = [finding for result in results for finding in result.findings]
    lines = [f"{verdict}, {len(findings)} findings"] if findings else [f"{verdict}, without a finding"]
    for finding in findings[:_MOST_TOLD]:
        lines.append(f"  {finding.check} {finding.subject_kind} {finding.subject}: {finding.sentence}")
    if len(findings) > _MOST_TOLD:
        lines.append(f"  and {len(findings) - _MOST_TOLD} more")
    lines += [f"  {one.check} could not be judged: {one.reason}" for one in results if one.verdict.value == "UNKNOWN"]
    lines += [f"report: {folder / 'report.html'}"] if folder is not None else []
    return "\n".join([*lines, f"see it again: {again}"])


class Csms:
    """A reference CSMS that runs: `url` for stations (with {id}), `api` for operators, `token` for that API."""

    def __init__(self, url: str, api: str, token: str) -> None:
        self.url = url
        self.api = api
        self.token = token


@pytest.fixture(scope="module")
def chargerig_csms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Csms]:
    """A reference CSMS on a free port of loopback, which takes in any station; ended with the module."""
    from scenarios.sockets.child import ServerChild

    server = ServerChild(tmp_path_factory.mktemp("chargerig"), ["--db", "memory", "--accept-unknown"])
    server.start()
    try:
        yield Csms(server.ocpp, server.api, server.token)
    finally:
        server.stop()


@pytest.fixture
def chargerig_fleet() -> Callable[..., dict[str, Any]]:
    """`fleet(url, stations=3, lasts="8s", ...)`: stations with EVs at a back-end; gives what `chargerig fleet --json` says.

    Further options are those of `chargerig fleet`, with underscores: `session="2s"`, `arrive_within="1s"`.
    """

    def fleet(
        url: str, stations: int = 3, lasts: str = "8s", api: str | None = None, token: str | None = None, **options: str
    ) -> dict[str, Any]:
        from scenarios.cli_serve import seconds
        from scenarios.sockets.child import run_fleet

        words = ["--stations", str(stations), "--for", lasts, *(["--api", api] if api else [])]
        for name, value in {"session": "2s", "gap": "1s", "ramp": "1s", **options}.items():
            words += [f"--{name.replace('_', '-')}", value]
        return run_fleet(url, words, token, seconds("lasts", lasts) + 60)

    return fleet
