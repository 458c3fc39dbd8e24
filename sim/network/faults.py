"""What link rules do to the connections of stations: pure verdicts over frames and moments.

Honest to TCP: a living connection loses nothing and never reorders. Frames are late, wait while a path is stalled, or the
whole connection is cut, and then what was under way is lost. Nothing here may drop a single frame, sleep or do I/O.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from random import Random

from msgspec import Struct

from sim.network.rules import WAYS, Rule, Rules, Way
from sim.rng import stream
from sim.wire.ocppj import BadFrame, Call, parse

_OTHER: dict[Way, Way] = {"up": "down", "down": "up"}
_MOST_PENDING = 1000


class Passage(Struct, frozen=True):
    """The verdict about a frame: it arrives `at` (ms) unless its path stalls meanwhile, or `cut` names what ended it."""

    at: int
    cut: str = ""


class Weather:
    """The rules over all connections of one recording that began at `begun` (ms). `hits` counts what each rule did."""

    def __init__(self, rules: Rules, begun: int) -> None:
        self.begun = begun
        self._seed = rules.seed
        self._rules = [(f"rule[{number}] {rule.what}", rule) for number, rule in enumerate(rules.rules)]
        self._fired: Counter[tuple[str, str]] = Counter()
        self._streams: dict[tuple[str, str], Random] = {}
        self.hits: dict[str, int] = {name: 0 for name, _ in self._rules}

    def line(self, station: str) -> Line:
        """The state of a new connection of this station."""
        return Line(self, station, [one for one in self._rules if fnmatchcase(station, one[1].station)])

    def refusal(self, station: str, now: int) -> tuple[str, int] | None:
        """Rule and status of HTTP (0: cut off at once) if a handshake of this station is refused now."""
        for name, rule in self._rules:
            if fnmatchcase(station, rule.station) and (
                (rule.what == "refuse" and self.open(rule, now) and self.drawn(name, rule, station))
                or (
                    rule.what == "flap" and self._down_since(rule, now) is not None and self.chosen(name, rule, station)
                )
            ):
                self.hits[name] += 1
                return name, rule.status
        return None

    def next_moment(self, now: int) -> int | None:
        """When, after now, a rule that goes by time next touches connections that live."""
        moments = []
        for _, rule in self._rules:
            start = self.begun + (rule.at or 0)
            if rule.what in ("stall", "reset") and rule.by_time and start > now:
                moments.append(start)
            elif rule.what == "flap":
                cycle = rule.up + rule.down
                number = max(0, (now - start - rule.up) // cycle + 1)
                if rule.times is None or number < rule.times:
                    moments.append(start + rule.up + number * cycle)
        return min(moments, default=None)

    def cut(self, station: str, moment: int) -> str:
        """The rule that cuts the connections of this station at a moment that `next_moment` named; "" for none."""
        for name, rule in self._rules:
            reset = rule.what == "reset" and rule.by_time and moment == self.begun + (rule.at or 0)
            down = rule.what == "flap" and self._down_since(rule, moment) == moment
            if (reset or down) and fnmatchcase(station, rule.station) and self.chosen(name, rule, station):
                self.hits[name] += 1
                return name
        return ""

    # -- what lines ask -----------------------------------------------------------------------------------------------

    def open(self, rule: Rule, now: int) -> bool:
        """Whether now lies in the window of a rule."""
        start = self.begun + (rule.at or 0)
        return start <= now and (rule.lasts is None or now < start + rule.lasts)

    def chosen(self, name: str, rule: Rule, station: str) -> bool:
        """Whether this station is among the share that a rule by time hits: the same for ever."""
        return rule.share >= 1 or stream(self._seed, name, station).random() < rule.share

    def drawn(self, name: str, rule: Rule, station: str) -> bool:
        """Whether this one case is among the share."""
        return rule.share >= 1 or self.chance(name, station).random() < rule.share

    def chance(self, name: str, station: str) -> Random:
        """The stream of a rule for a station."""
        known = self._streams.get((name, station))
        if known is None:
            known = self._streams[name, station] = stream(self._seed, name, station, "cases")
        return known

    def fires(self, name: str, rule: Rule, station: str) -> bool:
        """Whether a trigger acts: drawn, and not more often than it may; once a station if nothing is said."""
        if self._fired[name, station] >= (rule.times or 1) or not self.drawn(name, rule, station):
            return False
        self._fired[name, station] += 1
        self.hits[name] += 1
        return True

    def _down_since(self, rule: Rule, now: int) -> int | None:
        number, phase = divmod(now - self.begun - (rule.at or 0), rule.up + rule.down)
        if number < 0 or phase < rule.up or (rule.times is not None and number >= rule.times):
            return None
        return now - (phase - rule.up)


class Line:
    """One connection under the rules that match its station. Times in ms."""

    def __init__(self, weather: Weather, station: str, rules: list[tuple[str, Rule]]) -> None:
        self._weather = weather
        self._station = station
        self._rules = rules
        self._stalled: dict[Way, int] = dict.fromkeys(WAYS, 0)
        self._busy: dict[Way, int] = dict.fromkeys(WAYS, 0)
        self._last: dict[Way, int] = dict.fromkeys(WAYS, 0)
        self._matched: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._calls: dict[Way, dict[str, str]] = {way: {} for way in WAYS}
        self._by_action = any(rule.action for _, rule in rules)

    def frame(self, way: Way, frame: bytes, now: int) -> Passage:
        """What becomes of a frame that was sent now."""
        action = self._action(way, frame) if self._by_action else ""
        delay = 0.0
        rate = 0
        for name, rule in self._rules:
            if (rule.way and rule.way != way) or (rule.action and rule.action != action):
                continue
            if rule.what == "latency" and self._weather.open(rule, now) and self._behind(name, rule):
                if self._weather.drawn(name, rule, self._station):
                    self._weather.hits[name] += 1
                    delay += rule.latency
                    if rule.jitter:
                        delay += rule.jitter * self._weather.chance(name, self._station).random()
            elif rule.what == "bandwidth" and self._by_time(name, rule, now):
                self._weather.hits[name] += 1
                rate = min(rate, rule.rate) if rate else rule.rate
            elif rule.what in ("stall", "reset") and not rule.by_time and self._triggers(name, rule, now):
                if rule.what == "reset":
                    return Passage(now, name)
                for one in WAYS:
                    if rule.way in ("", one):
                        self._stalled[one] = max(self._stalled[one], now + (rule.lasts or 0))
        begins = max(now, self.held(way, now))
        if rate:
            begins = self._busy[way] = max(begins, self._busy[way]) + round(8000 * len(frame) / rate)
        at = self._last[way] = max(self._last[way], begins + round(delay))
        return Passage(at)

    def held(self, way: Way, now: int) -> int:
        """Until when nothing gets through this way; 0 if it is free."""
        until = self._stalled[way] if self._stalled[way] > now else 0
        for name, rule in self._rules:
            here = rule.what == "stall" and rule.by_time and rule.way in ("", way)
            if here and self._by_time(name, rule, now):
                self._weather.hits[name] += not self._counted[name]
                self._counted[name] = 1
                until = max(until, self._weather.begun + (rule.at or 0) + (rule.lasts or 0))
        return until

    def closing(self, way: Way, now: int) -> int:
        """When the far side may learn of a close that was sent now; never before the frames in front of it."""
        at = max(now, self._last[way], self.held(way, now))
        for name, rule in self._rules:
            begun = now >= self._weather.begun + (rule.at or 0)
            here = rule.what == "slow-close" and rule.way in ("", way) and begun
            if here and self._weather.drawn(name, rule, self._station):
                self._weather.hits[name] += 1
                at += rule.lasts or 0
        return at

    def _by_time(self, name: str, rule: Rule, now: int) -> bool:
        """Whether a rule that goes by time alone has this station in its grip now."""
        return self._weather.open(rule, now) and self._weather.chosen(name, rule, self._station)

    def _behind(self, name: str, rule: Rule) -> bool:
        """Whether this matching frame comes after those that pass untouched."""
        self._matched[name] += 1
        return self._matched[name] > rule.after

    def _triggers(self, name: str, rule: Rule, now: int) -> bool:
        """Whether this matching frame sets off a stall or reset. The count begins anew behind it."""
        if now < self._weather.begun + (rule.at or 0) or not self._behind(name, rule):
            return False
        self._matched[name] = 0
        return self._weather.fires(name, rule, self._station)

    def _action(self, way: Way, frame: bytes) -> str:
        """The action of a call, or of the call that this frame answers; "" if there is none to see."""
        try:
            read = parse(frame)
        except BadFrame:
            return ""
        if not isinstance(read, Call):
            return self._calls[_OTHER[way]].pop(read.id, "")
        if len(self._calls[way]) < _MOST_PENDING:
            self._calls[way][read.id] = read.action
        return read.action
