"""What a scenario may name: kinds of faults, checks, vendor profiles, packaged scenarios and planted bugs.

Only names and sentences. How a fault is done, a check judges or a profile behaves is written elsewhere, and the lists
are asked from there where that place keeps one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from scenarios.faults.kinds import KINDS, Kind

FAULT_KEYS: Mapping[str, Kind] = KINDS
"""The kinds of faults with the fields that each needs and may have."""


ALIASES: Mapping[str, str] = {"migration-day": "upgrade-day"}
"""Other names of packaged scenarios."""


def _library() -> Traversable:
    return resources.files("scenarios") / "library"


def _toml_files(folder: Traversable) -> list[Traversable]:
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")] if folder.is_dir() else []
    return sorted(files, key=lambda entry: entry.name)


def scenarios() -> dict[str, str]:
    """Names of the packaged scenarios with their titles."""
    found = {name: tomllib.loads(entry.read_text("utf-8")) for name, entry in _scenario_files().items()}
    return {name: str(data.get("title", "")) for name, data in found.items()}


def scenario_file(name: str) -> Traversable:
    """The TOML file of a packaged scenario, by one of its names. Raises KeyError for a name that there is not."""
    return _scenario_files()[ALIASES.get(name, name)]


def _scenario_files() -> dict[str, Traversable]:
    """The packaged scenarios by name: those of the library itself, then those of each folder in it."""
    library = _library()
    folders = sorted((entry for entry in library.iterdir() if entry.is_dir()), key=lambda entry: entry.name)
    files = [file for folder in (library, *folders) for file in _toml_files(folder)]
    return {file.name.removesuffix(".toml"): file for file in files}


def session_files() -> tuple[str, ...]:
    """Names of the packaged session files."""
    folder = resources.files("scenarios") / "data"
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".csv")))


def session_file(name: str) -> Path:
    """Where a packaged session file lies; packages are installed as plain files."""
    return Path(str(resources.files("scenarios") / "data" / name))


def profiles() -> dict[str, str]:
    """Names of the vendor profiles with their titles."""
    found: dict[str, str] = {}
    for entry in _toml_files(resources.files("fleet") / "profiles"):
        data = tomllib.loads(entry.read_text("utf-8"))
        found[entry.name.removesuffix(".toml")] = str(data.get("title") or data.get("description") or "")
    return found


def faults() -> dict[str, str]:
    """Kinds of faults with what each of them does."""
    return {kind.name: kind.what for kind in KINDS.values()}


def quirks() -> dict[str, str]:
    """Names of the quirks that a station may have, with what it does."""
    from fleet.quirks import QUIRKS

    return {quirk.name: quirk.what for quirk in QUIRKS.values()}


def session_columns() -> tuple[str, ...]:
    """What a column of a session file may hold."""
    from scenarios.workloads.sessions import Columns

    return tuple(Columns.__struct_fields__)


def checks() -> dict[str, str]:
    """Names of all checks with the sentence that each of them proves."""
    from scenarios.checks import registry

    return {check.name: check.sentence for check in registry.all_checks()}


def mutants(scenario: str | None = None) -> dict[str, str]:
    """Names of the planted bugs with what is wrong in each; of one scenario, or all."""
    from scenarios.mutants import registry

    return {one.name: one.sentence for one in registry.all_mutants() if scenario in (None, one.scenario)}


def planted_in() -> dict[str, str]:
    """Names of the planted bugs with the scenario that each is played on."""
    from scenarios.mutants import registry

    return {one.name: one.scenario for one in registry.all_mutants()}
