"""The world of real time on gevent: the same rigs, faults and counts as on asyncio, against a server in another process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenarios.load_run.generator import Generator
from scenarios.load_run.plan import LoadPlan
from scenarios.sockets.child import ServerChild, free_port
from sim.clock import SECOND, Instant
from sim.machine import Command, Effect, Event
from sim.runtimes.greenlet import wait_until

PATIENCE_S = 15


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerChild]:
    child = ServerChild(tmp_path_factory.mktemp("serve"), ["--accept-unknown"])
    child.start()
    yield child
    assert child.stop() == 0


def generator(url: str, heard: list[tuple[str, str]] | None = None) -> Generator:
    plan = LoadPlan(url=url, profile="ac-cloud", pace=20.0, lasts_s=60.0, session_s=30.0, gap_s=5.0, sample_s=5)
    calls = [] if heard is None else heard
    return Generator(plan, 0, lambda action, ms, size, fate: calls.append((action, fate)), None, None)


def test_a_rig_boots_is_cut_off_dials_again_and_every_call_is_told(server: ServerChild) -> None:
    heard: list[tuple[str, str]] = []
    fleet = generator(server.ocpp, heard)
    station = fleet.join()
    assert wait_until(lambda: ("BootNotification", "accepted") in heard, PATIENCE_S)
    fleet.lines.line(station).reset()
    assert wait_until(lambda: fleet.lines.counts["opened"] == 2, PATIENCE_S)
    fleet.finish()
    told = fleet.figures(over=True)
    assert (told.stations, told.dials, told.opened) == (1, 2, 2)
    total = told.total()
    assert total.answered + total.errors + total.lost == len(heard) > 0
    assert told.lag_worst < 5_000 and told.failure == ""


def test_a_stalled_line_holds_everything_back_and_loses_nothing(server: ServerChild) -> None:
    heard: list[tuple[str, str]] = []
    fleet = generator(server.ocpp, heard)
    line = fleet.lines.line(fleet.join())
    assert wait_until(lambda: ("BootNotification", "accepted") in heard, PATIENCE_S)
    line.stall(True)
    before = len(heard)
    assert not wait_until(lambda: len(heard) > before, 0.5)
    line.stall(False)
    assert wait_until(lambda: len(heard) > before, PATIENCE_S)
    fleet.hang_up()
    assert wait_until(lambda: not len(fleet.keeper), PATIENCE_S)


def test_a_back_end_that_is_not_there_is_dialled_again_and_again() -> None:
    fleet = generator(f"ws://127.0.0.1:{free_port()}/ocpp/{{id}}")
    fleet.join()
    assert wait_until(lambda: fleet.lines.counts["dials"] >= 2, PATIENCE_S)
    assert fleet.figures().opened == 0


class Broken:
    """A Machine with a mistake of ours."""

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        raise ArithmeticError("on purpose")

    def next_deadline(self) -> Instant | None:
        return None


def test_a_mistake_of_ours_ends_the_world_loudly() -> None:
    fleet = generator("ws://127.0.0.1:9/ocpp/{id}")
    fleet.world.add("broken", Broken())
    fleet.world.send_command("broken", Command("anything"))
    with pytest.raises(ArithmeticError, match="on purpose"):
        fleet.world.live(Instant(fleet.clock.now() + 100 * SECOND))
    assert fleet.figures().failure == "ArithmeticError: on purpose"
