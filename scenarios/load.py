"""TOML to a Scenario, strictly: every mistake of a user is one sentence with file, key path and what is allowed.

Nothing here may guess, fill in or ignore: a key that we do not know is a mistake. What the values mean together is
judged in `scenarios.load_rules`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from scenarios import catalogue, load_rules
from scenarios.faults.timing import parse_share
from scenarios.model import Scenario, Sessions, ZoneName
from scenarios.strict import StrictReader, parse_toml, read_text
from sim import clock
from sim.errors import BadInput, need, unknown

WHAT = "a scenario in TOML"


def load_scenario(name: str) -> Scenario:
    """The scenario of this name, or of this TOML file if the name is a path. Raises BadInput."""
    if is_path(name):
        return make_scenario(parse_toml(read_text(Path(name), WHAT), name), name)
    known = catalogue.scenarios()
    name = catalogue.ALIASES.get(name, name)
    if name not in known:
        problem, allowed = unknown("scenario", name, known, "`chargerig list scenarios`", "the path of a .toml file")
        raise BadInput("command line", "SCENARIO", problem, allowed)
    text = catalogue.scenario_file(name).read_text("utf-8")
    return make_scenario(parse_toml(text, f"{name}.toml"), f"{name}.toml")


def is_path(name: str) -> bool:
    """Whether a user means a file rather than the name of a scenario."""
    return name.endswith(".toml") or "/" in name or "\\" in name


def make_scenario(data: Mapping[str, Any], file: str) -> Scenario:
    """A Scenario from parsed TOML. `file` is named in complaints. Raises BadInput."""
    scenario: Scenario = StrictReader(file).struct(Scenario, _with_shorthands(extended(data, file), file), "")
    load_rules.judge(scenario, file)
    return scenario


def extended(data: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The tables of a file with `extends = "NAME"` laid over those of that scenario, a name or a path beside the file.

    Tables are merged key by key; everything else, lists too, replaces what the other one says. Raises BadInput.
    """
    own, seen = dict(data), [file]
    while "extends" in own:
        name = own.pop("extends")
        if not isinstance(name, str):
            raise BadInput(
                file, "extends", f"{name!r} is no text", "the name of a scenario, or the path of a .toml file"
            )
        text, other = _text_of(name, seen[-1])
        if other in seen:
            raise BadInput(file, "extends", f"{other} extends itself", "a scenario that stands by itself at the end")
        seen.append(other)
        own = merged(parse_toml(text, other), own)
    return own


def _text_of(name: str, beside: str) -> tuple[str, str]:
    """The text of a scenario that another one extends, and what to call it."""
    if is_path(name):
        path = Path(os.path.normpath(Path(beside).parent / name))  # the folder of a file to be need not be there yet
        return read_text(path, WHAT), str(path)
    known = catalogue.ALIASES.get(name, name)
    if known not in catalogue.scenarios():
        problem, allowed = unknown("scenario", name, catalogue.scenarios(), more="the path of a .toml file")
        raise BadInput(beside, "extends", problem, allowed)
    return catalogue.scenario_file(known).read_text("utf-8"), f"{known}.toml"


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of TOML laid over each other."""
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both


def with_sessions(scenario: Scenario, file: str, zone: str | None) -> Scenario:
    """The same scenario with another session file, its columns under their usual names. Raises BadInput."""
    if zone is None:
        raise BadInput(
            "command line", "--sessions", "the file has local times and no zone is given", "--zone Area/City"
        )
    path = Path(file)
    if not path.is_file():
        raise BadInput("command line", "--sessions", f"there is no file {file}", "a CSV file with a header line")
    sessions = Sessions(file=str(path.resolve()), zone=_zone(zone, "command line", "--zone"))
    return msgspec.structs.replace(scenario, sessions=sessions)


def sessions_path(scenario: Scenario) -> Path:
    """Where the session file lies: in the package, or where the user said. Raises BadInput if it is nowhere."""
    name = scenario.sessions.file
    if name in catalogue.session_files():
        return catalogue.session_file(name)
    if not Path(name).is_file():
        raise BadInput(scenario.name, "sessions.file", f"there is no session file {name!r}", "the path of a CSV file")
    return Path(name)


def _zone(name: str, file: str, place: str) -> ZoneName:
    try:
        clock.zone(name)
    except ValueError:
        raise BadInput(file, place, f"{name!r} is no time zone", "an IANA name such as Europe/London") from None
    return ZoneName(name)


def _with_shorthands(data: Mapping[str, Any], file: str) -> dict[str, Any]:
    """A claim may be only its sentence, and a moment may be one time: both are written out here. Raises BadInput."""
    full = dict(data)
    if isinstance(full.get("claims"), list):
        full["claims"] = [{"says": claim} if isinstance(claim, str) else claim for claim in full["claims"]]
    for faults in ("fault", "partner_fault"):
        if isinstance(full.get(faults), list):
            full[faults] = [_with_window(fault) for fault in full[faults]]
    if isinstance(full.get("fault"), list):
        full["fault"] = [_in_full(fault, file, f"fault[{number}]") for number, fault in enumerate(full["fault"])]
    return full


def _with_window(fault: Any) -> Any:
    if isinstance(fault, dict) and isinstance(fault.get("at"), str):
        return {**fault, "at": {"from": fault["at"], "to": fault["at"]}}
    return fault


def _in_full(fault: Any, file: str, place: str) -> Any:
    """`for` is another word for `lasts`, and a share may be a text: `where = "2 %"`."""
    if not isinstance(fault, dict):
        return fault
    full = dict(fault)
    if "for" in full:
        need("lasts" not in full, file, f"{place}.for", "`lasts` says it already", "one of the two")
        full["lasts"] = full.pop("for")
    where = full.get("where")
    if isinstance(where, str):
        full["where"] = {"share": _share(where, file, f"{place}.where")}
    elif isinstance(where, dict) and isinstance(where.get("share"), str):
        full["where"] = {**where, "share": _share(where["share"], file, f"{place}.where.share")}
    return full


def _share(text: str, file: str, place: str) -> float:
    try:
        return parse_share(text)
    except ValueError as err:
        problem, _, allowed = str(err).partition("; allowed: ")
        raise BadInput(file, place, problem, allowed) from None
