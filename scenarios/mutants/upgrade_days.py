"""Where and on which days the bugs of an upgrade are planted, and the days on which they get through.

At fewer sites the night of the invoices is shorter, so the old back-end has to die earlier in it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from scenarios.model import Duration, Fault, Scenario, Where
from scenarios.model_types import LocalTime, Window
from scenarios.mutants.mutant import Mutant
from sim.clock import MINUTE, SECOND

UPGRADE_DAY = "upgrade-day"
LATE = ("campus-4",)
"""The owner here is onboarded after the deadline; a small site at the old back-end, then at the new one."""
SMALL = ("campus-4", "campus-5")
NOTICED = ("campus-2", "laboratory-4F")
"""The one was announced once, the other put off; the owner of the latter forgot something."""


def planted(name: str, check: str, sentence: str, **more: object) -> Mutant:
    """A bug that is planted in the upgrade, by default at the sites of LATE."""
    return Mutant(name=name, check=check, sentence=sentence, scenario=UPGRADE_DAY, **{"sites": LATE, **more})  # type: ignore[arg-type]


def dies_after(groups: int) -> Callable[[Scenario], Scenario]:
    """The same day, with the old back-end dying so many groups into the night of the invoices."""

    def change(day: Scenario) -> Scenario:
        faults = tuple(replace(one, groups=groups) if one.groups else one for one in day.fault)
        return replace(day, fault=faults)

    return change


def more_ordered_back(day: Scenario) -> Scenario:
    """The same day, with more stations that the operator orders back: some of them while somebody charges."""
    faults = tuple(
        replace(one, where=replace(one.where, count=8)) if one.kind == "move.rollback-ordered" else one
        for one in day.fault
    )
    return replace(day, fault=faults)


def back_while_answers_are_lost(day: Scenario) -> Scenario:
    """The same, and the old back-end dies again and again before it answers a stop, so that stops come twice there."""
    dies = Fault(
        kind="backend.crash",
        where=Where(backend="legacy"),
        lasts=Duration(30 * SECOND),
        moment="before-replies",
        on="StopTransaction",
    )
    times = [LocalTime(minute * MINUTE) for minute in range(13 * 60, 20 * 60, 15)]
    each = (
        replace(dies, id=f"no-answer-{wave}-{at}", date=one.date, at=Window(from_=at, to=at))
        for wave, one in enumerate(day.wave, 1)
        for at in times
    )
    return replace(more_ordered_back(day), fault=(*more_ordered_back(day).fault, *each))


def nobody_complains(day: Scenario) -> Scenario:
    """The same day without anybody who gets part of an invoice back."""
    assert day.upgrade is not None
    return replace(day, upgrade=replace(day.upgrade, goodwill=0))


def nothing_comes_back(day: Scenario) -> Scenario:
    """The same day with every payment that was made staying where it is."""
    return _owners(day, payment_returned=Duration(0))


def nobody_disputes(day: Scenario) -> Scenario:
    """The same day without anybody who takes a card payment back."""
    assert day.upgrade is not None
    return replace(day, upgrade=replace(day.upgrade, disputes=0, disputes_won=0))


def _owners(day: Scenario, **changes: object) -> Scenario:
    """The same day with these things changed in the onboarding of every owner who has one."""
    owners = {
        name: owner if owner.onboarding is None else replace(owner, onboarding=replace(owner.onboarding, **changes))
        for name, owner in day.owners.items()
    }
    return replace(day, owners=owners)


def everybody_in_time(day: Scenario) -> Scenario:
    """The same day with every account ready before the first wave."""
    return _owners(day, fates=("in-time",), resumes=Duration(0))


def nothing_forgotten(day: Scenario) -> Scenario:
    """The same day with every owner's groups handed over."""
    return _owners(day, lacks=0)


def paid_where_asked(day: Scenario) -> Scenario:
    """The same day with every invoice paid to the account that it names."""
    return _owners(day, pays_old_account=False)


def never_put_off(day: Scenario) -> Scenario:
    """The same day with every wave on the day that was announced first."""
    return replace(day, wave=tuple(replace(wave, rescheduled=None) for wave in day.wave))
