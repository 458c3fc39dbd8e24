"""Vendor profiles: what one kind of station is like, read from TOML, neutral in name.

Strict: a profile with an unknown key, quirk, configuration key or value is refused in one sentence (BadInput). Nothing
here acts; a station's parts read what they need.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, field

from fleet.quirks import QUIRKS
from fleet.station.keys import STANDARD, TWO
from sim.errors import BadInput
from sim.wire.variables import ADDRESSES

SETTINGS = {address.text: name for name, address in ADDRESSES.items() if name in TWO}
"""The variables that a profile of 2.0.1 may set, with the settings they stand for."""


class BootProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the station says of itself at boot, and how it boots (seconds)."""

    vendor: str
    model: str
    firmware: str
    retry_s: int = 60
    reboot_s: int = 25
    reset_patience_s: int = 20


class ClockProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clock.

    `letter` is the time status that readings carry (OCMF: S synchronised, R relative, I informative), `time_billing` what
    the meter's type approval allows, `factory_offset_s` how wrong the clock is before its first setting.
    """

    letter: Literal["S", "R", "I"]
    time_billing: Literal["none", "duration", "absolute"]
    factory_offset_s: int = 0


class ReconnectProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Back-off between dials, in seconds: wait_min doubled up to `repeats` times, plus random 0..random each time."""

    wait_min_s: int = 5
    random_s: int = 10
    repeats: int = 3


class CallProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an own CALL may stay unanswered, and whether the connection is given up then."""

    timeout_s: int = 30
    on_timeout: Literal["reconnect", "carry-on"] = "reconnect"


class MigrationProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How stations of this kind are pointed at another back-end. `attempts` counts dials per network profile, `applies`
    says when an own configuration key acts.
    """

    route: Literal["vendor_key", "network_profile", "vendor_cloud", "technician", "firmware"]
    url_key: str = ""
    applies: Literal["reboot", "at_once"] = "reboot"
    attempts: int = 20


class MeterProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The signing meter: one record per reading (`separate`) or one with all readings at the end (`single`)."""

    records: Literal["single", "separate"]
    phases: Literal[1, 3] = 3
    voltage: int = 230
    vendor: str = ""
    model: str = ""


class MemoryProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Room for transaction messages and for cached tokens, and what a reboot makes the station forget (`volatile`): by the
    book it forgets nothing of these (OCPP 1.6 §5.2, errata §3.37).
    """

    outbox_messages: int = 2000
    cache_entries: int = 200
    volatile: tuple[Literal["profiles", "reservations", "list", "availability"], ...] = ()


class QuirkChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One quirk that this kind of station has, and the threads that report it."""

    name: str
    sources: tuple[str, ...]


class StationProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of station. `configuration` holds its own defaults as texts: of configuration keys, or in 2.0.1 of variables
    (`SampledDataCtrlr.TxUpdatedInterval`).
    """

    name: str
    title: str
    sources: tuple[str, ...]
    version: Literal["1.6", "2.0.1"] = "1.6"
    boot: BootProfile
    clock: ClockProfile
    migration: MigrationProfile
    meter: MeterProfile
    reconnect: ReconnectProfile = field(default_factory=ReconnectProfile)
    calls: CallProfile = field(default_factory=CallProfile)
    memory: MemoryProfile = field(default_factory=MemoryProfile)
    lock: bool = True
    configuration: dict[str, str] = field(default_factory=dict)
    quirks: tuple[QuirkChoice, ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """Its own defaults by setting, whatever the version calls them."""
        if self.version == "1.6":
            return self.configuration
        return {SETTINGS[address]: text for address, text in self.configuration.items()}

    def with_setting(self, name: str, text: str) -> StationProfile:
        """The same kind of station with another default of one setting, named as its key in 1.6."""
        key = name if self.version == "1.6" else ADDRESSES[name].text
        return msgspec.structs.replace(self, configuration={**self.configuration, key: text})

    def with_quirks(self, *names: str) -> StationProfile:
        """The same kind of station with these quirks besides."""
        more = [QuirkChoice(name=name, sources=QUIRKS[name].sources) for name in names if not self.has(name)]
        return msgspec.structs.replace(self, quirks=(*self.quirks, *more))

    @property
    def misreports(self) -> bool:
        """Whether such stations do not say of their sessions what is so."""
        return any(QUIRKS[choice.name].misreports for choice in self.quirks)

    def has(self, quirk: str) -> bool:
        """Whether stations of this kind have the quirk."""
        return any(choice.name == quirk for choice in self.quirks)


def profile_names() -> tuple[str, ...]:
    """The profiles that are shipped, sorted."""
    folder = resources.files("fleet") / "profiles"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


@cache
def load_profile(name: str) -> StationProfile:
    """A shipped profile by name, or the one in a `.toml` file. Raises BadInput."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise BadInput(name, None, "there is no such file", "a profile in TOML")
        return read_profile(path.read_text(encoding="utf-8", errors="replace"), name)
    if name not in profile_names():
        raise BadInput(None, "profile", f"no profile is called {name!r}", profile_names())
    text = (resources.files("fleet") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    return read_profile(text, f"{name}.toml")


def read_profile(text: str, file: str) -> StationProfile:
    """The profile that this TOML text describes. Raises BadInput naming file, key and what is allowed."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise BadInput(file, None, f"is no TOML: {err}", "a profile in TOML") from None
    try:
        profile = msgspec.convert(table, StationProfile)
    except msgspec.ValidationError as err:
        raise _bad(file, str(err)) from None
    _check(profile, file)
    return profile


def _check(profile: StationProfile, file: str) -> None:
    for number, choice in enumerate(profile.quirks, 1):
        if choice.name not in QUIRKS:
            raise BadInput(file, f"quirks[{number}].name", f"no quirk is called {choice.name!r}", sorted(QUIRKS))
        if profile.version not in QUIRKS[choice.name].versions:
            where = f"{' and '.join(QUIRKS[choice.name].versions)}, not {profile.version}"
            raise BadInput(file, f"quirks[{number}].name", f"{choice.name!r} is one of {where}", "no such quirk")
    known = {key: key for key in STANDARD} if profile.version == "1.6" else SETTINGS
    table = STANDARD if profile.version == "1.6" else TWO
    for key, value in profile.configuration.items():
        if key not in known:
            what = "configuration key" if profile.version == "1.6" else "variable"
            raise BadInput(file, f"configuration.{key}", f"no {what} is called so", sorted(known))
        try:
            table[known[key]].parse(value)
        except ValueError as err:
            allowed = f"a text like {table[known[key]].default!r}"
            raise BadInput(file, f"configuration.{key}", f"{value!r} is {err}", allowed) from None
    if profile.version != "1.6" and profile.meter.records != "separate":
        problem = "a record with all readings does not fit the 2,500 characters of a signed value in 2.0.1"
        raise BadInput(file, "meter.records", problem, "separate")
    if profile.version != "1.6" and profile.migration.route in ("vendor_key", "firmware"):
        problem = f"a station of {profile.version} has no route {profile.migration.route}"
        raise BadInput(file, "migration.route", problem, "network_profile, vendor_cloud, technician")
    if profile.migration.route in ("vendor_key", "network_profile") and not profile.migration.url_key:
        raise BadInput(file, "migration.url_key", f"the route {profile.migration.route} needs one", "the name of a key")
    for place, low, amount in _amounts(profile):
        if amount < low:
            raise BadInput(file, place, f"{amount} is too small", f"{low} or more")


def _amounts(profile: StationProfile) -> list[tuple[str, int, int]]:
    return [
        ("boot.retry_s", 1, profile.boot.retry_s),
        ("boot.reboot_s", 1, profile.boot.reboot_s),
        ("boot.reset_patience_s", 1, profile.boot.reset_patience_s),
        ("reconnect.wait_min_s", 1, profile.reconnect.wait_min_s),
        ("reconnect.random_s", 0, profile.reconnect.random_s),
        ("reconnect.repeats", 0, profile.reconnect.repeats),
        ("calls.timeout_s", 1, profile.calls.timeout_s),
        ("migration.attempts", 1, profile.migration.attempts),
        ("memory.outbox_messages", 10, profile.memory.outbox_messages),
        ("memory.cache_entries", 0, profile.memory.cache_entries),
        ("meter.voltage", 1, profile.meter.voltage),
    ]


def _bad(file: str, message: str) -> BadInput:
    """The decoder's message as a sentence for people: which key, and what would be right there."""
    problem, _, place = message.partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    found = re.search(r"unknown field `([^`]*)`", problem)
    if found:
        inside = _type_at(StationProfile, place)
        allowed = sorted(inside.__struct_fields__) if inside is not None else "the keys of a shipped profile"
        return BadInput(file, f"{place}.{found[1]}".lstrip("."), "no such key", allowed)
    wanted = _type_at(StationProfile, place)
    choices = ", ".join(map(str, get_args(wanted))) if get_origin(wanted) is Literal else None
    return BadInput(file, place, problem, choices)


def _type_at(kind: Any, place: str) -> Any:
    for part in filter(None, place.split(".")):
        name, _, index = part.partition("[")
        hints: Mapping[str, Any] = get_type_hints(kind) if isinstance(kind, type) and issubclass(kind, Struct) else {}
        kind = hints.get(name)
        if index and get_args(kind):
            kind = get_args(kind)[0]
    return kind
