"""What a replay found, as words and as JUnit."""

from __future__ import annotations

from xml.etree import ElementTree

from reports.replayed import junit, kinds, summary
from sim.evidence.compared import Comparison
from sim.evidence.sameness import Ids, Ignore
from sim.evidence.script import Answer, Ask, Talk


def comparison(*answers: tuple[str, str, str | None]) -> Comparison:
    """Calls of CA-1 with the recorded payload and the new one."""
    result = Comparison(Ignore(["$.unused"]))
    talk = Talk("CA-1", 1, 1, 0, ["ocpp1.6"])
    for line, (action, recorded, new) in enumerate(answers, 2):
        ask = Ask(line, 0, str(line), action, "{}", Answer(0, recorded))
        result.answer(talk, ask, None if new is None else Answer(0, new), Ids())
    return result


def test_the_same_difference_at_many_calls_is_one_line() -> None:
    result = comparison(
        ("Boot", '{"interval":1}', '{"interval":2}'),
        ("Boot", '{"interval":1}', '{"interval":2}'),
        ("Boot", '{"interval":1}', '{"interval":3}'),
        ("Stop", "{}", None),
    )
    assert kinds(result) == [
        "Boot $.interval: 1 -> 2 (2 times, first at CA-1, line 2)",
        "Boot $.interval: 1 -> 3 (CA-1, line 4)",
        "Stop $: {} -> (no answer) (CA-1, line 5)",
    ]


def test_calls_of_the_back_end_problems_and_useless_exceptions_are_told() -> None:
    result = comparison()
    for what in ("recorded", "answered as recorded", "refused", "refused"):
        result.own_call("Reset", what)
    result.problems["CA-1: gone"] += 3
    assert summary(result) == [
        "the back-end's own Reset: 1 in the trace, 3 now, 2 of them refused because the trace has no answer",
        "CA-1: gone (3 times)",
        "ignored at $.unused: 0, so it can be left out",
    ]


def test_junit_has_a_case_for_each_action_and_fails_those_that_differ() -> None:
    text = junit(comparison(("Boot", "{}", "{}"), ("Stop", '{"a":"\x01"}', "{}")), {"trace": "t"})
    root = ElementTree.fromstring(text)
    assert [(case.get("name"), case.find("failure") is None) for case in root.iter("testcase")] == [
        ("Boot: its answers are as recorded", True),
        ("Stop: its answers are as recorded", False),
    ]
    assert [one.get("value") for one in root.iter("property")] == ["t"]
