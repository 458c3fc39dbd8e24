"""A driver in one visit: plugs in, starts by card or app, tries again when it does not work, comes back and leaves.

The driver sees what a person sees: the display of the station and the answer of the app. Nothing here may look into
station, EV or back-end, and nothing is judged: what happened is told once, in one row of `truth_visits`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct

from fleet.visits import Visit
from sim.clock import MINUTE, SECOND, Instant
from sim.machine import Answered, Command, Effect, Event, Note, Outcome, Refused, Settled, Tell
from sim.rng import stream

QUICK_RETRIES = 2
"""So many failures in a row are followed by another try at once; after that the driver only looks in now and then."""
LOOK_AGAIN = 1 * MINUTE
"""How often a driver who finds the connector occupied looks whether it is free."""
LAST_WORD = 5 * SECOND
"""How long after plugging out the display of the station is still read."""


class Habits(Struct, frozen=True):
    """What a person always does (patience, attempts, stop_by) and does today (pause before the first try, pack_up)."""

    patience: int
    attempts: int
    stop_by: str
    pause: int
    pack_up: int

    @classmethod
    def of(cls, visit: Visit, seed: int) -> Habits:
        """The habits of the visit's driver, and the mood of this visit."""
        always = stream(seed, "driver", visit.driver, "habits")
        patience = always.randrange(60, 121) * SECOND
        attempts = always.randrange(6, 11)
        liked = always.random() < 0.55
        stop_by = {"app": "app", "rfid": "swipe"}[visit.channel] if liked else "unplug"
        today = stream(seed, "driver", visit.visit_id, "mood")
        time = visit.leave - visit.arrive
        pause = min(today.randrange(5_000, 20_000), time // 6)
        return cls(patience, attempts, stop_by, pause, min(today.randrange(5_000, 40_000), time // 4))


class EvDriver:
    """Machine `driver:<visit_id>`. Tells `rig:<station>` and `app`, hears `display{connector, text}`, emits one Note.

    Of the display's further words it uses, if they are there: `wh` (finished: energy of that session, Wh), `by`
    (suspended: "ev" or "evse"), `occupied` (unavailable: another EV holds the connector, nothing was plugged in). An
    EV suspended by nobody named counts as full only when no `wh` says otherwise.
    """

    def __init__(self, visit: Visit, seed: int) -> None:
        self.visit = visit
        self.name = visit.machine
        self.habits = Habits.of(visit, seed)
        self._chance: Random = stream(seed, "driver", visit.visit_id, "retries")
        self._agenda: dict[str, Instant] = {"plug": visit.arrive}
        self._steps: dict[str, Callable[[Instant], None]] = {
            "plug": self._plug,
            "patience": self._out_of_patience,
            "start": self._start,
            "stop": self._stop,
            "unplug": self._unplug,
            "tell": self._tell_visit,
        }
        self._out: list[Effect] = []
        self._charge = "none"  # none | asked | authorized | charging
        self._channel = visit.channel
        self._came = False
        self._gone = False
        self._told = False
        self._attempts = 0
        self._failures = 0
        self._refusals = 0
        self._refused_attempt = 0
        self._interrupted = 0
        self._plugged_at: Instant | None = None
        self._started_at: Instant | None = None
        self._unplugged_at: Instant | None = None
        self._stopping = False
        self._full = visit.energy_wh == 0
        self._looks_full = False
        self._delivered = 0
        self._sessions_unmeasured = 0
        self._loss_since: Instant | None = None
        self._lost = 0
        self._words = [word for word in visit.note.split(",") if word]

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to the display, to an answer of the app, or to the clock."""
        if not self._told:
            if isinstance(event, Command) and event.name == "display":
                self._look(event, now)
            elif isinstance(event, Settled):
                self._hear(event.call_id, event.outcome, now)
            self._catch_up(now)
        out, self._out = self._out, []
        return out

    def next_deadline(self) -> Instant | None:
        """The earliest thing on the agenda, None once the visit is told."""
        return min(self._agenda.values(), default=None)

    def final_notes(self, now: Instant) -> list[Note]:
        """The row of a driver who is still there when the day is harvested; empty once told or if they never came."""
        if self._told or not self._came:
            return []
        self._tell_visit(now)
        out, self._out = self._out, []
        return [effect for effect in out if isinstance(effect, Note)]

    def _catch_up(self, now: Instant) -> None:
        while True:
            due = [name for name in self._steps if name in self._agenda and self._agenda[name] <= now]
            if not due:
                return
            self._agenda.pop(due[0])
            self._steps[due[0]](now)

    # what the driver does

    def _plug(self, now: Instant) -> None:
        self._came = True
        self._plugged_at = now
        self._agenda["stop"] = Instant(self.visit.leave - self.habits.pack_up)
        self._agenda["unplug"] = self.visit.leave
        if now < self._agenda["stop"]:
            self._agenda["start"] = Instant(now + self.habits.pause)
        wish = {"energy_wh": self.visit.energy_wh, "power_w": self.visit.power_w}
        self._tell_rig("plug", visit_id=self.visit.visit_id, driver=self.name, **wish)

    def _start(self, now: Instant) -> None:
        if self._charge in ("authorized", "charging") or self._plugged_at is None:
            return
        self._attempts += 1
        self._charge = "asked"
        self._loses_from(now)
        self._agenda["patience"] = Instant(now + self.habits.patience)
        if self._channel == "app":
            self._tell_app("start", f"{self.visit.visit_id}/start-{self._attempts}")
        else:
            self._tell_rig("swipe", token=self.visit.token)

    def _out_of_patience(self, now: Instant) -> None:
        if self._charge == "asked":
            self._failed(now)

    def _stop(self, now: Instant) -> None:
        self._forget("start", "patience", "plug")
        if self._charge not in ("authorized", "charging"):
            return
        self._stopping = True
        if self.habits.stop_by == "swipe":
            self._tell_rig("swipe", token=self.visit.token)
        elif self.habits.stop_by == "app":
            self._tell_app("stop", f"{self.visit.visit_id}/stop")

    def _unplug(self, now: Instant) -> None:
        self._forget("start", "patience", "plug", "stop")
        self._gone = True
        self._regains(now)
        if self._plugged_at is not None:
            self._unplugged_at = now
            self._tell_rig("unplug")
        if self._charge in ("authorized", "charging"):
            self._agenda["tell"] = Instant(now + LAST_WORD)
        else:
            self._tell_visit(now)

    def _failed(self, now: Instant) -> None:
        """The try led to nothing: take the other way next time, at once or later."""
        self._forget("patience")
        self._charge = "none"
        self._failures += 1
        if self.visit.contract:
            self._channel = "rfid" if self._channel == "app" else "app"
        if self._attempts < self.habits.attempts:
            quick = self._failures <= QUICK_RETRIES
            self._try_again(now, (15 * SECOND, 40 * SECOND) if quick else (10 * MINUTE, 20 * MINUTE))

    def _try_again(self, now: Instant, between: tuple[int, int]) -> None:
        at = now + self._chance.randrange(*between)
        if at < self._agenda.get("stop", now):
            self._agenda["start"] = Instant(at)

    # what the driver sees and hears

    def _look(self, event: Command, now: Instant) -> None:
        if event.args.get("connector") != self.visit.connector or not self._came:
            return
        text = event.args.get("text")
        if text in ("authorized", "charging", "suspended"):
            self._goes(str(text), event.args.get("by"), now)
        elif text == "finished":
            self._finished(event.args.get("wh"), now)
        elif text == "refused":
            self._refused(now)
        elif text == "no-answer" and self._charge == "asked":
            self._failed(now)
        elif text == "unavailable":
            self._unavailable(bool(event.args.get("occupied")), now)

    def _hear(self, call_id: str, outcome: Outcome, now: Instant) -> None:
        """The app's answer to the latest try. Unknown is no answer: patience goes on."""
        if call_id != f"{self.visit.visit_id}/start-{self._attempts}" or self._charge != "asked":
            return
        payload = outcome.payload if isinstance(outcome, Answered) else None
        rejected = isinstance(payload, dict) and payload.get("status", "Accepted") != "Accepted"
        if isinstance(outcome, Refused) or rejected:
            self._refused(now)

    def _goes(self, text: str, by: object, now: Instant) -> None:
        if self._gone:
            return
        self._forget("start", "patience")
        self._failures = 0
        self._regains(now)
        self._started_at = self._started_at or now
        self._charge = "authorized" if text == "authorized" else "charging"
        if text != "authorized":
            self._looks_full = text == "suspended" and by != "evse"
            self._full = self.visit.energy_wh == 0 or (text == "suspended" and by == "ev")

    def _refused(self, now: Instant) -> None:
        """An explicit no, of the display or the app; also one that comes when patience had run out already."""
        if self._gone or self._attempts == 0 or self._charge == "charging":
            return
        if self._refused_attempt < self._attempts:
            self._refused_attempt = self._attempts
            self._refusals += 1
        if self._charge == "authorized":
            self._loses_from(now)
        if self._charge in ("asked", "authorized"):
            self._failed(now)

    def _unavailable(self, occupied: bool, now: Instant) -> None:
        if self._gone or self._charge in ("authorized", "charging"):
            return
        self._loses_from(now)
        if occupied:
            self._plugged_at = None
            self._forget("start", "patience")
            self._charge = "none"
            if now + LOOK_AGAIN < self._agenda.get("stop", now):
                self._agenda["plug"] = Instant(now + LOOK_AGAIN)
        elif self._charge == "asked":
            self._refused(now)

    def _finished(self, wh: object, now: Instant) -> None:
        if self._charge not in ("authorized", "charging"):
            return
        if isinstance(wh, int):
            self._delivered += wh
            self._full = self._full or self._delivered >= self.visit.energy_wh
        else:
            self._sessions_unmeasured += 1
            self._full = self._full or self._looks_full
        self._charge = "none"
        if self._gone:
            self._tell_visit(now)
        elif not self._stopping:
            self._cut_short(now)

    def _cut_short(self, now: Instant) -> None:
        """The session ended and it was not the driver. With the energy in that harms nobody; else start anew."""
        if self._full:
            self._words.append("ended-when-full")
            return
        self._interrupted += 1
        self._loses_from(now)
        if self._attempts < self.habits.attempts:
            self._try_again(now, (20 * SECOND, 120 * SECOND))

    # bookkeeping

    def _loses_from(self, now: Instant) -> None:
        """Parked, wanting energy and not authorised from now on."""
        if self._loss_since is None and not self._full:
            self._loss_since = now

    def _regains(self, now: Instant) -> None:
        if self._loss_since is not None:
            self._lost += now - self._loss_since
            self._loss_since = None

    def _forget(self, *steps: str) -> None:
        for step in steps:
            self._agenda.pop(step, None)

    def _tell_rig(self, name: str, **args: object) -> None:
        self._out.append(Tell(self.visit.rig, Command(name, {"connector": self.visit.connector, **args})))

    def _tell_app(self, name: str, call_id: str) -> None:
        args = {"mobile": self.visit.mobile, "station": self.visit.station, "connector": self.visit.connector}
        self._out.append(Tell("app", Command(name, args), call_id))

    def _tell_visit(self, now: Instant) -> None:
        """The one row of this visit: charged, refused (tried, and never got to charge), or left (could not even try).

        `delivered_wh` stays NULL when the display did not say.
        """
        self._regains(now)
        self._told = True
        self._agenda.clear()
        visit = self.visit
        open_session = self._charge in ("authorized", "charging")
        outcome = "charged" if self._started_at is not None else "refused" if self._attempts else "left"
        fields = {
            "visit_id": visit.visit_id,
            "site": visit.site,
            "station": visit.station,
            "connector": visit.connector,
            "driver": visit.driver,
            "token": visit.token,
            "mobile": visit.mobile,
            "grp": visit.group,
            "channel": visit.channel,
            "arrive": visit.arrive,
            "leave": visit.leave,
            "energy_wh": visit.energy_wh,
            "power_w": visit.power_w,
            "outcome": outcome,
            "attempts": self._attempts,
            "refusals": self._refusals,
            "plugged_at": self._plugged_at,
            "started_at": self._started_at,
            "unplugged_at": self._unplugged_at,
            "delivered_wh": None if self._sessions_unmeasured or open_session else self._delivered,
            "interrupted": self._interrupted,
            "lost_ms": self._lost,
            "note": ",".join(self._words),
        }
        self._out.append(Note("visits", fields))
