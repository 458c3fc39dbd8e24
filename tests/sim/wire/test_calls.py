"""The RPC rule: one outstanding CALL per direction and connection (OCPP-J 1.6 §4.1.1)."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sim.wire.calls import NORMAL, TRANSACTION, URGENT, CallQueue, Pending


def call(id: str, priority: int = NORMAL) -> Pending:
    return Pending(id=id, action="Heartbeat", frame=b"", priority=priority)


def sent(queue: CallQueue, now: int = 0) -> str | None:
    pending = queue.next(now)
    return None if pending is None else pending.id


def test_a_second_call_waits_for_the_answer_to_the_first() -> None:
    queue = CallQueue()
    queue.offer(call("a"))
    queue.offer(call("b"))
    assert sent(queue) == "a"
    assert sent(queue) is None
    answered = queue.answered("a")
    assert answered is not None and answered.id == "a"
    assert sent(queue) == "b"


def test_an_answer_with_an_unknown_id_is_nobodys() -> None:
    queue = CallQueue()
    queue.offer(call("a"))
    assert queue.answered("a") is None
    queue.next(0)
    assert queue.answered("b") is None
    assert queue.outstanding is not None


def test_a_call_is_given_up_at_its_deadline_and_a_late_answer_is_nobodys() -> None:
    queue = CallQueue(timeout_ms=1_000)
    queue.offer(call("a"))
    assert queue.deadline is None
    queue.next(5_000)
    assert queue.deadline == 6_000
    assert queue.timed_out(5_999) is None
    given_up = queue.timed_out(6_000)
    assert given_up is not None and given_up.id == "a"
    assert queue.deadline is None
    assert queue.answered("a") is None


def test_others_overtake_transaction_messages_which_keep_their_order() -> None:
    queue = CallQueue()
    for id, priority in (("t1", TRANSACTION), ("n1", NORMAL), ("t2", TRANSACTION), ("boot", URGENT), ("n2", NORMAL)):
        queue.offer(call(id, priority))
    order = []
    while (id := sent(queue)) is not None:
        order.append(id)
        queue.answered(id)
    assert order == ["boot", "n1", "n2", "t1", "t2"]


def test_a_repeated_transaction_message_goes_before_the_later_ones() -> None:
    queue = CallQueue()
    queue.offer(call("t1", TRANSACTION))
    queue.offer(call("t2", TRANSACTION))
    assert sent(queue) == "t1"
    assert queue.timed_out(30_000) is not None
    queue.offer(call("t1 again", TRANSACTION), first=True)
    assert sent(queue, 30_000) == "t1 again"


def test_when_the_connection_is_gone_everything_comes_back_in_order() -> None:
    queue = CallQueue()
    for id, priority in (("t", TRANSACTION), ("a", NORMAL), ("b", NORMAL)):
        queue.offer(call(id, priority))
    queue.next(0)
    assert queue.waiting == 2
    assert [one.id for one in queue.drop_all()] == ["a", "b", "t"]
    assert queue.waiting == 0 and queue.outstanding is None


class QueueModel(RuleBasedStateMachine):
    """Whatever happens: at most one outstanding, nothing lost, nothing twice, transaction messages in order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = CallQueue(timeout_ms=100)
        self.now = 0
        self.offered: list[str] = []
        self.ended: list[str] = []

    @rule(priority=st.sampled_from([URGENT, NORMAL, TRANSACTION]))
    def offer(self, priority: int) -> None:
        id = f"{priority}-{len(self.offered)}"
        self.offered.append(id)
        self.queue.offer(call(id, priority))

    @rule()
    def send(self) -> None:
        busy = self.queue.outstanding is not None
        waiting = self.queue.waiting
        assert (self.queue.next(self.now) is not None) == (not busy and waiting > 0)

    @precondition(lambda self: self.queue.outstanding is not None)
    @rule()
    def answer(self) -> None:
        assert self.queue.outstanding is not None
        ended = self.queue.answered(self.queue.outstanding.id)
        assert ended is not None
        self.ended.append(ended.id)

    @rule(wait=st.integers(0, 150))
    def tick(self, wait: int) -> None:
        self.now += wait
        ended = self.queue.timed_out(self.now)
        if ended is not None:
            self.ended.append(ended.id)

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        outstanding = 0 if self.queue.outstanding is None else 1
        assert len(self.ended) + outstanding + self.queue.waiting == len(self.offered)
        assert len(dict.fromkeys(self.ended)) == len(self.ended)

    @invariant()
    def each_priority_keeps_its_order(self) -> None:
        for priority in (URGENT, NORMAL, TRANSACTION):
            mine = [int(id.split("-")[1]) for id in self.ended if id.startswith(f"{priority}-")]
            assert mine == sorted(mine)


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
