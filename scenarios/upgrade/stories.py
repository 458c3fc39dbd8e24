"""Several short stories told at once by one Machine: each asks and waits on its own, none knows of the others' waiting.

A story is a generator that yields wishes (`scenarios.migration.asking`), a Note or a Settle. Silence is an answer too: who
is asked and says nothing for `PATIENCE` was asked in vain, and what was asked may have happened (Unknown).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from typing import Any

from scenarios.migration.asking import Ask, Inform, Wait
from sim.clock import MINUTE, Instant, from_datetime, zone
from sim.evidence.canonical import canonical
from sim.machine import Answered, Command, Effect, Event, Note, Outcome, Refused, Settle, Settled, Tell, Unknown
from sim.partners.port import Request, Response

Wish = Ask | Inform | Wait | Note | Settle
Story = Generator[Wish, Any, None]
PATIENCE = 2 * MINUTE
UNAVAILABLE = "unavailable"
LONGEST_PAUSE = 32 * MINUTE


class _Told:
    """A story that runs: `turn` tells its present waiting from earlier ones, `call_id` what it waits for."""

    __slots__ = ("call_id", "story", "turn")

    def __init__(self, story: Story) -> None:
        self.story = story
        self.turn = 0
        self.call_id: str | None = None


class Stories:
    """A Machine made of stories. A subclass begins them, and takes commands in `heard`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.now = Instant(0)
        self._due: list[tuple[int, int, _Told]] = []
        self._turns = 0
        self._asked: dict[str, _Told] = {}
        self._asks = 0
        self._effects: list[Effect] = []

    # -- as a Machine -----------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Go on with the stories that the event concerns. An answer that nobody waits for any more is dropped."""
        self.now = now
        if isinstance(event, Settled):
            told = self._asked.pop(event.call_id, None)
            if told is not None:
                told.call_id, told.turn = None, 0
                self._go_on(told, event.outcome)
        elif isinstance(event, Command):
            args = dict(event.args)
            call_id = args.pop("call_id", None)
            self.heard(event.name, args, call_id)
        self._wake()
        effects, self._effects = self._effects, []
        return effects

    def next_deadline(self) -> Instant | None:
        """When the next story goes on by itself."""
        while self._due and self._due[0][2].turn != self._due[0][1]:
            heappop(self._due)
        return Instant(max(self._due[0][0], self.now)) if self._due else None

    def heard(self, name: str, args: Mapping[str, Any], call_id: str | None) -> None:
        """A command. What nobody here knows is refused, if somebody waits for an answer."""
        if call_id is not None:
            self.emit(Settle(call_id, Refused("unknown-command", name)))

    def begin(self, story: Story, at: int | None = None) -> None:
        """Let a story begin at that instant, without one now."""
        self._sleep(_Told(story), self.now if at is None else at)

    def emit(self, effect: Effect) -> None:
        """One effect outside of any story."""
        self._effects.append(effect)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        while True:
            deadline = self.next_deadline()
            if deadline is None or deadline > self.now:
                return
            _, _, told = heappop(self._due)
            told.turn = 0
            if told.call_id is not None:
                del self._asked[told.call_id]
                told.call_id = None
                self._go_on(told, Unknown("no answer"))
            else:
                self._go_on(told, None)

    def _sleep(self, told: _Told, until: int) -> None:
        self._turns += 1
        told.turn = self._turns
        heappush(self._due, (until, told.turn, told))

    def _go_on(self, told: _Told, value: Outcome | None) -> None:
        while True:
            try:
                wish = told.story.send(value)
            except StopIteration:
                return
            value = None
            if isinstance(wish, Ask):
                self._asks += 1
                told.call_id = f"{self.name}/{self._asks}"
                self._asked[told.call_id] = told
                self._effects.append(Tell(wish.to, wish.command, told.call_id))
                self._sleep(told, self.now + PATIENCE)
                return
            if isinstance(wish, Wait):
                self._sleep(told, self.now + max(0, wish.ms))
                return
            self._effects.append(Tell(wish.to, wish.command) if isinstance(wish, Inform) else wish)

    # -- ways of telling --------------------------------------------------------------------------------------------

    def until(self, at: int) -> Generator[Wish, Any, None]:
        """Wait for an instant; one that has passed is no reason to wait."""
        if at > self.now:
            yield Wait(at - self.now)

    def ask(self, to: str, kind: str, /, **args: Any) -> Generator[Wish, Any, Outcome]:
        """Hand a command over, once, and hear what became of it."""
        outcome: Outcome = yield Ask(to, Command(kind, args))
        return outcome

    def insist(self, to: str, kind: str, /, **args: Any) -> Generator[Wish, Any, Answered | Refused]:
        """Ask until there is an answer: for what does no harm when it is done twice."""
        tries = 0
        while True:
            outcome = yield from self.ask(to, kind, **args)
            if isinstance(outcome, Answered) or (isinstance(outcome, Refused) and outcome.code != UNAVAILABLE):
                return outcome
            yield Wait(pause(tries))
            tries += 1

    def request(
        self, to: str, api: str, params: dict[str, Any], key: str | None = None
    ) -> Generator[Wish, Any, Outcome]:
        """One request to a partner. Answered carries a Response, whatever its status."""
        outcome: Outcome = yield Ask(to, Request(api=api, params=params, key=key).command())
        return outcome

    def note(self, kind: str, owner: str | None, wave: int | None = None, /, **data: Any) -> Note:
        """A row of `truth_upgrade`."""
        row = {"at": self.now, "actor": self.name, "owner": owner, "wave": wave, "kind": kind}
        return Note("upgrade", {**row, "data": canonical(data)})


def pause(tries: int) -> int:
    """How long to wait after so many tries in vain, ms: a minute, then twice as long each time, up to half an hour."""
    return min(MINUTE << min(tries, 5), LONGEST_PAUSE)


def response_of(outcome: Outcome) -> Response | None:
    """What a partner answered, None if nothing was heard of it."""
    return outcome.payload if isinstance(outcome, Answered) and isinstance(outcome.payload, Response) else None


def local(day: str, zone_name: str, hour: int, days_before: int = 0) -> Instant:
    """The instant of a full hour by local clocks, some days before an ISO day."""
    moment = datetime.combine(date.fromisoformat(day) - timedelta(days=days_before), time(hour), zone(zone_name))
    return from_datetime(moment)
