"""Hostile input: whatever one peer sends, the server lives, answers as OCPP-J says, and a neighbour notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reference_csms.endpoint import Connection
from scenarios.sockets.fuzz import Fuzzed, Neighbour, fuzz_frames, gone
from scenarios.sockets.fuzz_bytes import rubbish, throw
from scenarios.sockets.fuzz_frames import probes
from scenarios.sockets.serve import ServeWish, Where, serve
from sim.machine import Send
from sim.runtimes.websocket import Keeper, Limits
from sim.wire import ocppj

AT_ONCE = 25
NEIGHBOUR_P99_MS = 1_000
LONGEST_S = 280

stacks = pytest.mark.parametrize("fast", [False, True], ids=["default", "fast"])


def beside_a_neighbour(tmp_path: Path, fast: bool, test: Callable[[str, Keeper], Awaitable[None]]) -> None:
    """Run a test against a server on which a healthy station works all the time."""

    async def run() -> None:
        up: asyncio.Future[Where] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        wish = ServeWish(
            port=0, api_port=0, accept_unknown=True, store=f"sqlite:///{tmp_path / 'books.sqlite'}", fast=fast
        )
        task = asyncio.ensure_future(serve(wish, lambda event, **said: None, up.set_result, stop))
        async with asyncio.timeout(LONGEST_S):
            await asyncio.wait([task, up], return_when="FIRST_COMPLETED")
            where, keeper = up.result(), Keeper(Limits())
            neighbour = Neighbour(where.ocpp.replace("{id}", "GOOD"), keeper)
            working = asyncio.ensure_future(neighbour.run())
            try:
                await test(where.ocpp.replace("{id}", "BAD"), keeper)
                while neighbour.times.count < 3 and not working.done():  # a quick test: give it its turns
                    await asyncio.sleep(0.02)
            finally:
                neighbour.stop()
                said = await asyncio.gather(working, return_exceptions=True)
                await gone(keeper)
                stop.set()
                served = await task
        assert said == [None]
        assert served.failure is None
        assert neighbour.times.count >= 3
        assert neighbour.times.quantile(0.99) < NEIGHBOUR_P99_MS, "only the guilty connection suffers"

    asyncio.run(run())


def frames(tmp_path: Path, fast: bool, seed: int, count: int) -> Fuzzed:
    found: list[Fuzzed] = []

    async def test(url: str, keeper: Keeper) -> None:
        found.append(await fuzz_frames(url, probes(seed, count), keeper, at_once=AT_ONCE, timeout_s=30))

    beside_a_neighbour(tmp_path, fast, test)
    return found[0]


async def thrown(url: str, seed: int, count: int) -> list[Any]:
    """Ten at once: what came back wrong."""
    gate = asyncio.Semaphore(10)

    async def one(number: int, what: Any) -> Any:
        async with gate:  # each under a name of its own: the newest connection of a name ends the one before
            return await throw(f"{url}-{number}", what)

    tasks = [one(number, what) for number, what in enumerate(rubbish(seed, count))]
    return [bad for bad in await asyncio.gather(*tasks) if bad is not None]


@stacks
def test_a_thousand_hostile_frames_are_answered_as_ocpp_j_says(tmp_path: Path, fast: bool) -> None:
    fuzzed = frames(tmp_path, fast, seed=11, count=1_000)
    assert fuzzed.findings == []
    assert fuzzed.sent == 1_000
    assert {"result", "silence", "ended", "NotImplemented", "FormationViolation"} <= fuzzed.answers.keys()


@stacks
def test_rubbish_below_ocpp_ends_its_own_connection_only(tmp_path: Path, fast: bool) -> None:
    async def test(url: str, keeper: Keeper) -> None:
        assert await thrown(url, seed=11, count=200) == []

    beside_a_neighbour(tmp_path, fast, test)


@pytest.mark.slow
@stacks
def test_a_hundred_thousand_hostile_frames(tmp_path: Path, fast: bool) -> None:
    """All of them at the fast stack, the first half at the default one."""
    count = 100_000 if fast else 50_000
    fuzzed = frames(tmp_path, fast, seed=12, count=count)
    print(fuzzed.sent, fuzzed.dials, dict(fuzzed.answers))
    assert fuzzed.findings == [] and fuzzed.sent == count


@pytest.mark.slow
@stacks
def test_much_rubbish_below_ocpp(tmp_path: Path, fast: bool) -> None:
    async def test(url: str, keeper: Keeper) -> None:
        assert await thrown(url, seed=12, count=5_000) == []

    beside_a_neighbour(tmp_path, fast, test)


# -- the fuzzer has to see what is wrong ------------------------------------------------------------------------------------


def test_a_back_end_that_says_nothing_to_a_wrong_frame_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "_bad_frame", lambda self, bad, now: None)
    problems = {finding.problem.partition(",")[0] for finding in frames(tmp_path, False, 13, 200).findings}
    assert problems == {"silence"}


def test_a_back_end_with_one_code_for_everything_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, id: str, code: str, why: str) -> None:
        plainly(self, id, "GenericError", why)

    plainly = Connection._refuse
    monkeypatch.setattr(Connection, "_refuse", refuse)
    kinds = {finding.kind for finding in frames(tmp_path, False, 14, 300).findings}
    assert {"extra-property", "missing", "wrong-type", "unknown-action", "enum"} <= kinds


def test_a_back_end_that_takes_in_what_breaks_the_schema_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lenient(self: Any, call: ocppj.Call, frame: bytes, now: Any) -> None:
        self._stage.add(Send(self.link, ocppj.encode_result(call.id, b"{}")))

    monkeypatch.setattr(Connection, "_unusual_call", lenient)
    problems = [finding.problem for finding in frames(tmp_path, False, 15, 200).findings]
    assert any(problem.startswith("answered [3") for problem in problems)
