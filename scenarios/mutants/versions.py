"""Planted bugs in how a back-end takes the numbered events of OCPP 2.0.1, each with the check that must catch it.

Played on the day with both versions. Each is what somebody may write who knows 1.6 well; nothing here may be imported by
anything but the registry of mutants.
"""

from __future__ import annotations

from reference_csms import matching
from reference_csms.commands import Stop
from reference_csms.pricing.rating import RatedCdr
from reference_csms.records import Session
from reference_csms.spans import Spans
from scenarios.mutants import bugs
from scenarios.mutants.mutant import Mutant, always

MIXED = "mixed-versions-day"


def _never_before(seen: Spans, number: int) -> bool:
    """Message ids are new each time, so it must be news."""
    return False


def _every_event_ends(session: Session, stop: Stop) -> str:
    """1.6 was told to look twice; of events nobody thought."""
    return matching.CLOSE if isinstance(stop.transaction_id, str) else matching.deduplicate_stop(session, stop)


def _nothing_missing(seen: Spans) -> tuple[int, ...]:
    """The last event came, so all of them did."""
    return ()


def _by_connector(evse: int, connector: int) -> int:
    """In 1.6 the connector is the place."""
    return connector


def _only_begin_and_end(action: str, accepted: bool) -> bool:
    """Readings come too often: they are refused, whatever else is in their message."""
    return action == "BootNotification" or (accepted and action != "TransactionEvent")


def _forecast(rated: RatedCdr, final: bool) -> int:
    """A driver wants to know what it will cost: a quarter more than so far."""
    return rated.gross if final else rated.gross * 5 // 4


def _net_in_the_end(rated: RatedCdr, final: bool) -> int:
    """The books are kept net."""
    return rated.net if final else rated.gross


VERSION_MUTANTS = (
    Mutant(
        name="repeated-event-billed-twice",
        sentence="an Ended that is delivered again after a lost reply makes a second session and a second bill",
        check="INV-04",
        scenario=MIXED,
        parts=always(repeated_event=_never_before, deduplicate_stop=_every_event_ends),
        baits=("backend.crash", "link.stall", "station.power-loss"),
    ),
    Mutant(
        name="missing-events-not-noticed",
        sentence="nobody looks whether the numbers of a transaction's events are complete",
        check="INV-10",
        scenario=MIXED,
        parts=always(missing_events=_nothing_missing),
        baits=("link.stall",),
    ),
    Mutant(
        name="signed-event-not-verified",
        sentence="a signed value in an event is taken for good without looking at its signature",
        check="INV-29",
        scenario=MIXED,
        parts=always(verify_record=bugs.every_signature_is_good),
        baits=("meter.tamper",),
    ),
    Mutant(
        name="status-of-the-wrong-evse",
        sentence="a status is booked by its connector number, which is 1 at every EVSE",
        check="INV-11",
        scenario=MIXED,
        parts=always(status_place=_by_connector),
    ),
    Mutant(
        name="events-refused",
        sentence="TransactionEvents are answered with an error",
        check="INV-05",
        scenario=MIXED,
        parts=always(admit_call=_only_begin_and_end),
    ),
    Mutant(
        name="late-end-timed-at-arrival",
        sentence="an Ended that waited in an offline queue counts from its arrival, so idle time grows",
        check="T01",
        scenario=MIXED,
        parts=always(stop_time=bugs.as_received),
        baits=("link.stall", "backend.crash", "station.power-loss"),
    ),
    Mutant(
        name="forecast-shown-as-cost",
        sentence="what is shown while charging is a guess of what it will cost, and not what it has cost",
        check="T04",
        scenario=MIXED,
        parts=always(shown_cost=_forecast),
    ),
    Mutant(
        name="final-cost-shown-net",
        sentence="the final cost on the display is without VAT",
        check="INV-34",
        scenario=MIXED,
        parts=always(shown_cost=_net_in_the_end),
    ),
)
