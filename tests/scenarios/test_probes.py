"""The two tools that only ask: one knocks at a closed door, one taps every card."""

from __future__ import annotations

import json
from typing import Any

from scenarios.probes import KNOCKS, Knocker, Tapper
from sim.clock import MINUTE, Instant
from sim.machine import Close, Closed, Command, LinkId, Note, Open, Opened, Received, Send, Tick
from sim.wire import ocppj

NOW = Instant(1_000_000)
LINK = LinkId(1)
KNOCK = Command("knock", {"url": "ws://legacy/ocpp", "backend": "legacy"})


def noted(effects: Any) -> list[str]:
    return [json.loads(effect.fields["data"])["outcome"] for effect in effects if isinstance(effect, Note)]


def test_a_refusal_is_noted_and_ends_it() -> None:
    knocker = Knocker("S 1/a")
    assert knocker.handle(KNOCK, NOW) == [Open("ws://legacy/ocpp/S%201%2Fa")]
    assert noted(knocker.handle(Closed(LINK, "404"), NOW)) == ["404"]
    assert knocker.next_deadline() is None


def test_whoever_is_let_in_hangs_up_at_once() -> None:
    knocker = Knocker("S1")
    knocker.handle(KNOCK, NOW)
    effects = knocker.handle(Opened(LINK), NOW)
    assert noted(effects) == ["let in"]
    assert isinstance(effects[-1], Close)
    assert knocker.handle(Closed(LINK, "knocked"), NOW) == []


def test_no_clear_answer_is_no_answer_and_it_knocks_again_each_minute_but_not_for_ever() -> None:
    knocker, now = Knocker("S1"), NOW
    knocker.handle(KNOCK, now)
    for _ in range(KNOCKS - 1):
        assert noted(knocker.handle(Closed(LINK, "refused"), now)) == []
        assert knocker.next_deadline() == now + MINUTE
        now = Instant(now + MINUTE)
        assert knocker.handle(Tick(), now) == [Open("ws://legacy/ocpp/S1")]
    knocker.handle(Closed(LINK, "refused"), now)
    assert knocker.next_deadline() is None


def sent(effects: Any) -> list[tuple[str, Any]]:
    calls = [ocppj.parse(effect.frame) for effect in effects if isinstance(effect, Send)]
    return [(call.action, json.loads(call.payload)) for call in calls if isinstance(call, ocppj.Call)]


def answered(tapper: Tapper, number: int, payload: dict[str, Any], now: Instant = NOW) -> Any:
    return tapper.handle(Received(LINK, ocppj.encode_result(f"tap-{number}", json.dumps(payload).encode())), now)


def test_every_token_is_asked_about_once_after_the_boot() -> None:
    tapper = Tapper("tap-new", "ws://new/ocpp", ["A", "B"], NOW)
    assert tapper.next_deadline() == NOW
    assert tapper.handle(Tick(), NOW) == [Open("ws://new/ocpp/tap-new")]
    assert sent(tapper.handle(Opened(LINK), NOW))[0][0] == "BootNotification"
    assert sent(answered(tapper, 1, {"status": "Accepted"})) == [("Authorize", {"idTag": "A"})]
    assert sent(answered(tapper, 2, {"idTagInfo": {"status": "Blocked"}})) == [("Authorize", {"idTag": "B"})]
    assert isinstance(answered(tapper, 3, {})[0], Close)
    tapper.handle(Closed(LINK, "x"), NOW)
    assert tapper.next_deadline() is None


def test_a_pending_boot_is_repeated_and_silence_costs_one_token_only() -> None:
    tapper = Tapper("tap-new", "ws://new/ocpp", ["A", "B"], NOW)
    tapper.handle(Tick(), NOW)
    tapper.handle(Opened(LINK), NOW)
    assert sent(answered(tapper, 1, {"status": "Pending"})) == []
    later = Instant(NOW + MINUTE)
    assert sent(tapper.handle(Tick(), later))[0][0] == "BootNotification"
    assert sent(answered(tapper, 2, {"status": "Accepted"}, later))[0] == ("Authorize", {"idTag": "A"})
    much_later = Instant(later + MINUTE)
    assert sent(tapper.handle(Tick(), much_later)) == [("Authorize", {"idTag": "B"})]


def test_a_lost_connection_is_dialled_again_and_calls_of_the_back_end_are_answered() -> None:
    tapper = Tapper("tap-new", "ws://new/ocpp", ["A"], NOW)
    tapper.handle(Tick(), NOW)
    tapper.handle(Opened(LINK), NOW)
    call = ocppj.encode_call("x", "ChangeConfiguration", b'{"key":"K","value":"1"}')
    (reply,) = tapper.handle(Received(LINK, call), NOW)
    assert isinstance(reply, Send) and reply.frame.startswith(b'[4,"x","NotSupported"')
    assert tapper.handle(Received(LINK, b"odd"), NOW) == []
    tapper.handle(Closed(LINK, "reset"), NOW)
    assert tapper.handle(Tick(), Instant(NOW + MINUTE)) == [Open("ws://new/ocpp/tap-new")]
