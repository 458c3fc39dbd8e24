"""Lines in, verdicts out: hands each line to its station and adds up what the rules found.

Goes over a trace once and keeps no lines. A rule that fails is our own mistake and raises; a trace never does.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from scenarios.wirecheck.lines import Line, Unread
from scenarios.wirecheck.rule import KEPT, Breach, Limits, Rule, Tally
from scenarios.wirecheck.station import Shared, Station
from sim.evidence.verdict import Verdict

_MOST_REASONS = 20


class Result(Struct, frozen=True):
    """What one rule says of one station, or of all (`station` "").

    `found` counts the findings (`at_station` those that blame the station), of which `breaches` has the first; notes
    break nothing. `reason` says why something could not be judged, `unknown` how often.
    """

    rule: type[Rule]
    station: str
    verdict: Verdict
    examined: int
    found: int
    at_station: int
    breaches: tuple[Breach, ...]
    notes: tuple[Breach, ...]
    unknown: int
    reason: str


class Standing(Struct, frozen=True):
    """A station in one line: would it work with a strict back-end? None: too little was seen to say."""

    station: str
    version: str
    calls: int
    works: bool | None
    broken: tuple[str, ...]
    held: int


class Skipped(Struct):
    """Lines that could not be read for one reason: how many, and the first of them."""

    why: str
    count: int = 0
    places: list[str] = []


class Report(Struct, frozen=True):
    """All that a trace proves."""

    lines: int
    begin: int | None
    end: int | None
    rules: tuple[Result, ...]
    by_station: tuple[Result, ...]
    stations: tuple[Standing, ...]
    skipped: tuple[Skipped, ...]

    @property
    def verdict(self) -> Verdict:
        """FAIL if there is a finding, PASS if anything was judged, UNKNOWN otherwise."""
        verdicts = [one.verdict for one in self.rules]
        if Verdict.FAIL in verdicts:
            return Verdict.FAIL
        return Verdict.PASS if Verdict.PASS in verdicts else Verdict.UNKNOWN


class Judge:
    """Hears a trace. `kinds` are the rules, `stations` patterns of names (none: all), `since` an instant in ms.

    `version` forces an OCPP version; `keys` are public keys in hex by meter or station.
    """

    def __init__(
        self,
        kinds: Sequence[type[Rule]],
        *,
        limits: Limits | None = None,
        version: str | None = None,
        stations: Sequence[str] = (),
        since: int | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        self._kinds = kinds
        self._limits = limits or Limits()
        self._version = version
        self._patterns = stations
        self._since = since
        self._shared = Shared(given={}, keys=dict(keys or {}))
        self._stations: dict[str, Station | None] = {}
        self._skipped: dict[str, Skipped] = {}
        self._begin: int | None = None
        self._end: int | None = None
        self.lines = 0
        """How many lines were read, those of other stations and times not counted."""

    def hear(self, lines: Iterable[Line | Unread]) -> None:
        """Some more of the trace."""
        for line in lines:
            if isinstance(line, Unread):
                self._skip(line)
                continue
            if self._since is not None and line.sent < self._since:
                continue
            station = self._stations.get(line.station)
            if station is None:
                if line.station in self._stations:
                    continue
                station = self._stations[line.station] = self._station(line.station)
                if station is None:
                    continue
            self.lines += 1
            at = line.sent
            self._begin = at if self._begin is None else min(self._begin, at)
            self._end = at if self._end is None else max(self._end, at)
            station.hear(line)

    def report(self) -> Report:
        """The trace is over: what it proves."""
        stations = [one for one in self._stations.values() if one is not None]
        for station in stations:
            station.end(self._end or 0)
        each = [_result(kind, one.name, [one.tallies[kind.id]]) for one in stations for kind in self._kinds]
        rules = [_result(kind, "", [one.tallies[kind.id] for one in stations]) for kind in self._kinds]
        standings = tuple(_standing(one, self._kinds) for one in stations)
        skipped = tuple(self._skipped.values())
        return Report(self.lines, self._begin, self._end, tuple(rules), tuple(each), standings, skipped)

    def _station(self, name: str) -> Station | None:
        if self._patterns and not any(fnmatch.fnmatchcase(name, pattern) for pattern in self._patterns):
            return None
        return Station(name, self._kinds, self._limits, self._version, self._shared)

    def _skip(self, line: Unread) -> None:
        why = line.why if line.why in self._skipped or len(self._skipped) < _MOST_REASONS else "other reasons"
        skipped = self._skipped.setdefault(why, Skipped(why, places=[]))
        skipped.count += 1
        if len(skipped.places) < KEPT:
            skipped.places.append(line.place)


def _result(kind: type[Rule], station: str, tallies: Sequence[Tally]) -> Result:
    examined, unknown = sum(one.examined for one in tallies), sum(one.unknown for one in tallies)
    at_station = sum(one.at_station for one in tallies)
    found = at_station + sum(one.at_backend for one in tallies)
    verdict = Verdict.NOT_APPLICABLE
    if found:
        verdict = Verdict.FAIL
    elif examined:
        verdict = Verdict.PASS
    elif unknown:
        verdict = Verdict.UNKNOWN
    breaches = [breach for one in tallies for breach in one.breaches][:KEPT]
    notes = [note for one in tallies for note in one.notes][:KEPT]
    reason = next((one.why for one in tallies if one.why), "")
    return Result(kind, station, verdict, examined, found, at_station, tuple(breaches), tuple(notes), unknown, reason)


def _standing(station: Station, kinds: Sequence[type[Rule]]) -> Standing:
    judged = [(kind.id, station.tallies[kind.id]) for kind in kinds if kind.side != "back-end" and not kind.only_notes]
    broken = tuple(name for name, tally in judged if tally.at_station)
    held = sum(1 for _, tally in judged if tally.examined and not tally.at_station)
    works = False if broken else True if station.calls and held else None
    return Standing(station.name, station.decided or "", station.calls, works, broken, held)
