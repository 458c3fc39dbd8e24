"""What a load is to be: one table of options for `chargerig load` and for plain Locust, and the plan that they make.

Options travel as Locust's own custom arguments, so that a master hands them to its workers. Secrets never do: they come
from the environment of each process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from scenarios.load_run.shapes import SHAPES
from scenarios.sockets.fleet import station_names as names_of
from sim.clock import parse_duration
from sim.errors import BadInput, unknown

TOKENS = tuple(f"LOAD-{number:03d}" for number in range(1, 101))
"""The cards of the drivers when we make them known ourselves; else each connector has one of its own."""
MOST_USERS = 50_000
LONGEST_S = 24 * 3600.0
WITHOUT_END_S = 300.0
"""A load without `--run-time` (Locust with its web page) goes through its shape in so many seconds, and then goes on."""


class LoadPlan(Struct, frozen=True, kw_only=True):
    """What each generating process has to know. Real seconds, but for `session_s` and `gap_s`, which are drivers'."""

    url: str
    shape: str = "steady"
    profile: str = "ac-duo"
    connectors: int = 1
    session_s: float = 120.0
    gap_s: float = 30.0
    sample_s: int | None = None
    steps: tuple[int, ...] = (300, 120, 60, 30, 10)
    quiet_s: float = 10.0
    lasts_s: float = 0.0
    pattern: str = "CS-{n:05}"
    tokens: tuple[str, ...] = ()
    seed: int = 1
    pace: float = 1.0
    api: str = ""
    ca: str = ""
    generators: int = 1


class Option(Struct, frozen=True):
    """One custom argument: its name, the field of the plan, how it is read from text, and what it means."""

    name: str
    field: str
    read: str
    help: str


OPTIONS = (
    Option("--shape", "shape", "shape", f"what happens: {', '.join(SHAPES)}"),
    Option("--rig-profile", "profile", "text", "what kind the stations are: `chargerig list profiles`"),
    Option("--connectors", "connectors", "whole", "connectors of each station"),
    Option("--session", "session_s", "duration", "how long a session lasts, give or take a quarter"),
    Option("--gap", "gap_s", "duration", "how long nobody comes then"),
    Option("--sample", "sample_s", "duration", "between two readings of a meter; else as the profile has it"),
    Option("--steps", "steps", "steps", "seconds between readings that a sweep goes through, as 300,60,10"),
    Option("--quiet", "quiet_s", "duration", "so long before the end nobody charges any more"),
    Option("--lasts", "lasts_s", "duration", "the run time; Locust's own --run-time where it is known"),
    Option("--id", "pattern", "text", "identities of the stations: {n} counts from 1"),
    Option("--tag", "tokens", "texts", "idTags that drivers use, with commas; else one for each connector"),
    Option("--seed", "seed", "whole", "who comes when"),
    Option("--pace", "pace", "number", "how many times as fast as the clock on the wall the stations live"),
    Option("--api", "api", "text", "API of `chargerig serve`; its token comes from CHARGERIG_API_TOKEN"),
    Option("--ca", "ca", "text", "the authority (PEM) of the server's certificate"),
    Option("--generators", "generators", "whole", "how many processes share the stations"),
)


def destination(option: Option) -> str:
    """The name that Locust keeps the value of an option under."""
    return f"rig_{option.field}"


def arguments_of(plan: LoadPlan) -> list[str]:
    """The options that give this plan again, for a command line."""
    said: list[str] = []
    for option in OPTIONS:
        value = getattr(plan, option.field)
        if value not in (None, "", ()):
            unit = "s" if option.read == "duration" else ""
            text = ",".join(map(str, value)) if isinstance(value, tuple) else f"{value}{unit}"
            said.append(f"{option.name}={text}")
    return said


def plan_of(url: str | None, options: Mapping[str, Any]) -> LoadPlan:
    """The plan of a process that Locust started. Raises BadInput naming the option."""
    if not url or "{id}" not in url:
        raise BadInput("--host", None, f"{url or ''!r} has no place for the identity", "ws://HOST:PORT/PATH/{id}")
    fields: dict[str, Any] = {}
    for option in OPTIONS:
        text = options.get(destination(option))
        if text is not None:
            fields[option.field] = _read(option, str(text))
    return checked(LoadPlan(url=url, **fields))


def checked(plan: LoadPlan) -> LoadPlan:
    """The plan itself. Raises BadInput for one that cannot be."""
    if plan.shape not in SHAPES:
        problem, allowed = unknown("shape", plan.shape, list(SHAPES))
        raise BadInput("--shape", None, problem, allowed)
    if SHAPES[plan.shape].needs_api and not plan.api:
        problem = f"{plan.shape!r} asks stations through the API of the back-end, and none is named"
        raise BadInput("--api", None, problem, "http://HOST:PORT")
    if not 0 <= plan.lasts_s <= LONGEST_S:
        raise BadInput("--run-time", None, f"{plan.lasts_s:g} s is too long", f"at most {LONGEST_S / 3600:g}h")
    if plan.lasts_s and plan.quiet_s >= plan.lasts_s:
        problem = f"{plan.quiet_s:g} s of quiet leave nothing of {plan.lasts_s:g} s"
        raise BadInput("--quiet", None, problem, "less than --run-time")
    names_of(plan.pattern, 2)
    return plan


def _read(option: Option, text: str) -> Any:
    try:
        if option.read in ("text", "shape"):
            return text
        if option.read == "texts":
            return tuple(part for part in text.split(",") if part)
        if option.read == "steps":
            return steps_of(text)
        if option.read == "whole":
            return int(text)
        if option.read == "number":
            return float(text)
        seconds = parse_duration(text) / 1000
        return max(1, round(seconds)) if option.field == "sample_s" else seconds
    except ValueError:
        raise BadInput(option.name, None, f"{text!r} is not usable", option.help) from None


def steps_of(text: str) -> tuple[int, ...]:
    """Seconds between readings, in the order that a sweep goes through them. Raises BadInput."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise BadInput(
            "--steps", None, f"{text!r} is no list of seconds", "whole seconds with commas, such as 300,60,10"
        )
    return tuple(int(part) for part in parts)


def station_name(plan: LoadPlan, generator: int, number: int) -> str:
    """The identity of a process's station, both counted from 0: no two processes have the same."""
    return plan.pattern.format(n=number * plan.generators + generator + 1)


def station_names(plan: LoadPlan, users: int) -> tuple[str, ...]:
    """All identities that so many users can have, however they are spread."""
    each = -(-users // plan.generators)
    return tuple(station_name(plan, index, number) for number in range(each) for index in range(plan.generators))
