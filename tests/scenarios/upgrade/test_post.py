"""Whatever mix of faults the mailbox has, of each mail exactly one arrives."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.upgrade.letters import Letter
from scenarios.upgrade.notices import at_once
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.post import Mail, Post, Sent
from scenarios.upgrade.stories import Stories, Story
from sim.clock import DAY, HOUR, MINUTE, Instant
from sim.partners.faults import Fault
from sim.partners.line import Line
from sim.partners.mailbox import Mailbox, Rule
from sim.runtimes.virtual import VirtualWorld

START = Instant(1_712_000_000_000)
KINDS = ("slow", "timeout-before", "timeout-after", "500-before", "500-after", "429", "outage")


class Clerk(Stories):
    """Sends some mails, one story each, and keeps what became of them."""

    def __init__(self, mails: int) -> None:
        super().__init__("clerk")
        self.post = Post(self, DeskParts())
        self.sent: list[Sent] = []
        for n in range(mails):
            self.begin(self._send(n), START + n * MINUTE)

    def _send(self, n: int) -> Story:
        mail = Mail(
            addresses=(f"first{n}@x.example", f"second{n}@x.example"),
            language="en",
            kind="test",
            message_id=f"mail/{n}",
            letter=Letter("s", "t"),
            meta={"n": n},
        )
        self.sent.append((yield from self.post.send(at_once(mail))))


class _Silent:
    def note(self, *_: Any) -> None:
        pass

    frame = link_opened = link_closed = note


faults = st.lists(
    st.builds(
        Fault,
        kind=st.sampled_from(KINDS),
        share=st.integers(20, 90),
        times=st.integers(1, 12),
        extra=st.integers(0, HOUR),
        silent=st.booleans(),
    ),
    max_size=4,
)


@given(faults=faults, seed=st.integers(0, 1000), bounces=st.booleans())
@settings(max_examples=60, deadline=None)
def test_of_each_mail_exactly_one_arrives(faults: list[Fault], seed: int, bounces: bool) -> None:
    world = VirtualWorld(START, seed, _Silent(), _Silent(), (10, 10))  # type: ignore[arg-type]
    mailbox, clerk = Mailbox(seed, rules=[Rule(to="first*", bounces=bounces)]), Clerk(4)
    world.add("mailbox", Line(mailbox, seed, faults))
    world.add("clerk", clerk)
    world.run(Instant(START + 10 * DAY))
    arrived = [row for row in mailbox.statement(world.now)["partner_mails"] if row["state"] == "delivered"]
    assert sorted(row["meta"]["n"] for row in arrived) == [0, 1, 2, 3]
    ids = {row["message_id"]: row["to"] for row in arrived}
    assert {one.message_id: one.to for one in clerk.sent if one.arrived} == ids
    assert all(to.startswith("second" if bounces else "first") for to in ids.values())
