"""A back-end that sends frames which are none: found from the wire, by a target and not by a part."""

from __future__ import annotations

from typing import Any

from reference_csms import assemble
from scenarios.load import load_scenario, sessions_path
from scenarios.runner import judge
from scenarios.targets import Target, reference
from sim.backend import BackEnd, Setup
from sim.evidence.verdict import Verdict
from sim.machine import Send


class OddTypes:
    """The reference, with message type 5 instead of 3 on every hundredth answer to a heartbeat."""

    def __init__(self, setup: Setup) -> None:
        self._inner = assemble(setup)
        self._beats = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def flush(self, now: Any, release: Any) -> None:
        """Let the replies go, some of them spoilt."""
        self._inner.flush(now, lambda effect: release(self._spoilt(effect)))

    def _spoilt(self, effect: Any) -> Any:
        if isinstance(effect, Send) and effect.frame.startswith(b"[3,") and b"currentTime" in effect.frame:
            self._beats += 1
            if self._beats % 100 == 0 and b"status" not in effect.frame:
                return Send(effect.link, b"[5," + effect.frame[3:])
        return effect


def factory(setup: Setup) -> BackEnd:
    return OddTypes(setup)  # type: ignore[return-value]


def test_a_wrong_message_type_is_found_at_the_wire() -> None:
    """INV-13."""
    day = load_scenario("first-day").at_sites("campus-4", "campus-5")
    target = Target(name="odd", legacy=reference, new=factory)
    _, results = judge(day, 1, sessions=sessions_path(day), target=target, repeat=False, wire="index")
    failed = {result.check: result for result in results if result.verdict is Verdict.FAIL}
    assert "INV-13" in failed
    assert "no frame of OCPP-J" in failed["INV-13"].findings[0].sentence
