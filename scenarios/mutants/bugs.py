"""What is wrong in each planted bug: wrong versions of single decisions of the reference back-end.

Each is what a hurried programmer might really write. Nothing here may be imported by anything but the registry of mutants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from msgspec import structs

from reference_csms import authorization, matching
from reference_csms.billing import ledger
from reference_csms.commands import Stop
from reference_csms.pricing import rating
from reference_csms.pricing.rating import Cdr, RatedCdr, RatingPolicy
from reference_csms.pricing.tariffs import Tariff
from reference_csms.records import OPEN, Session, Token
from sim.backend import Row
from sim.clock import DAY, HOUR, MINUTE, Instant
from sim.wire.ocmf import Reading, Record

Step = Callable[[], None]


def every_stop_closes(session: Session, stop: Stop) -> str:
    """Nobody asks whether this stop came before."""
    return matching.CLOSE


def second_stop_closes(session: Session, stop: Stop) -> str:
    """An equal stop is known; one with other values must be news."""
    return matching.REPEAT if session.stop_key == stop.key else matching.CLOSE


def release_then_commit(commit: Step, release: Step) -> None:
    """The replies first: it feels faster."""
    release()
    commit()


def ids_from_one(base: int, n: int) -> int:
    """Everybody begins at 1."""
    return n


def match_by_id_only(view: matching.View, stop: Stop) -> matching.Match:
    """The session with this id, whoever sent the stop."""
    found = view.by_transaction(stop.transaction_id)
    running = [session for session in found if session.transaction_state == OPEN]
    if running:
        return matching.Match(running[0])
    return matching.match_stop(view, stop)


def minute_of_the_utc_day(instant: int, zone_name: str) -> int:
    """The zone is forgotten."""
    return instant % DAY // MINUTE


def as_received(claimed: Instant, received: Instant) -> Instant:
    """What comes late is taken to have happened when it came."""
    return received if received - claimed > MINUTE else claimed


def idle_whenever_nothing_flows(readings: Sequence[Reading]) -> list[tuple[int, int]]:
    """Every stretch without energy is idle time, whoever is the cause."""
    return [(before.at, after.at) for before, after in pairwise(readings) if after.value == before.value]


def every_signature_is_good(record: Record, public_key: str) -> bool:
    """The signature is there, that will do."""
    return True


def bill_what_was_held(reason: str | None) -> str | None:
    """A quarantine is bad for turnover."""
    return None


def a_cent_more(rows: Sequence[Row]) -> list[Row]:
    """Somebody rounded up while copying the price list."""
    return [{**row, "energy": [_dearer(band) for band in row["energy"]]} for row in rows]


def _dearer(band: Row) -> Row:
    return {**band, "price": str(Decimal(band["price"]) + Decimal("0.01"))}


def no_discounts(rows: Sequence[Row]) -> list[Row]:
    """The groups were not taken along."""
    return [{**row, "group_discounts": {}} for row in rows]


def any_clock_will_do(time_billing: str, readings: Sequence[Reading]) -> bool:
    """A clock is a clock."""
    return True


def admit_everything(action: str, accepted: bool) -> bool:
    """Being accepted is a formality."""
    return True


def never(bands: object, zone_name: str, day: int) -> tuple[str, ...]:
    """Nobody told the stations."""
    return ()


def anybody_may(station_accepted: bool, decision: str) -> bool:
    """The station will know whether it can."""
    return True


def known_is_good_enough(token: Token | None, site: str, now: int) -> str:
    """Whoever has a row is let in."""
    return authorization.INVALID if token is None else authorization.ACCEPTED


def a_cent_short(seller: str, customer: str, rated: RatedCdr) -> tuple[ledger.Posting, ...]:
    """Net and VAT are cut instead of rounded, and the rest is nobody's."""
    receivable, revenue, vat = ledger.post_bill(seller, customer, rated)
    return receivable, ledger.Posting(revenue.account, revenue.currency, revenue.amount + 1), vat


def owed_by_the_seller(seller: str, customer: str, rated: RatedCdr) -> tuple[ledger.Posting, ...]:
    """The arguments were swapped in one place: the debt is put down to the seller."""
    receivable, revenue, vat = ledger.post_bill(seller, customer, rated)
    return ledger.Posting(f"receivable:{seller}", receivable.currency, receivable.amount), revenue, vat


def a_cent_of_vat(seller: str, customer: str, rated: RatedCdr) -> tuple[ledger.Posting, ...]:
    """VAT is rounded a second time, and revenue takes up the difference: the entry balances."""
    receivable, revenue, vat = ledger.post_bill(seller, customer, rated)
    less, more = revenue.amount + 1, vat.amount - 1
    return (
        receivable,
        ledger.Posting(revenue.account, revenue.currency, less),
        ledger.Posting(vat.account, vat.currency, more),
    )


def a_line_short(cdr: Cdr, tariff: Tariff, policy: RatingPolicy) -> RatedCdr:
    """The sums are right, and the last line gets lost on its way to the bill."""
    rated = rating.rate(cdr, tariff, policy)
    return structs.replace(rated, lines=rated.lines[:-1])


def anything_balances(postings: Sequence[ledger.Posting]) -> None:
    """The check was in the way."""


def hash_alone(seq: int, at: Instant, kind: str, ref: str, postings: Sequence[ledger.Posting], prev_hash: str) -> str:
    """Each entry by itself: nothing ties it to the one before."""
    return hashlib.sha256(f"{seq}{at}{kind}{ref}".encode()).hexdigest()


def stays_open(policy: str) -> str:
    """Closing is for another release: the identity keeps the policy it has."""
    return policy


def newest_version(versions: Sequence[Tariff], at: int) -> Tariff | None:
    """The price list with the highest number, valid already or not."""
    return max(versions, key=lambda tariff: tariff.version, default=None)


def renumbered(rows: Sequence[Row]) -> list[Row]:
    """Versions are counted anew while the price list is read in."""
    return [{**row, "version": row["version"] + 100} for row in rows]


def ahead(action: str, now: Instant) -> Instant:
    """Boots are answered with the right time, heartbeats from a clock that runs ahead."""
    return Instant(now + 1_400) if action == "Heartbeat" else now


def to_the_minute(action: str, now: Instant) -> Instant:
    """At boot the time is told without its seconds."""
    return Instant(now // MINUTE * MINUTE) if action == "BootNotification" else now


def acknowledged_with_a_status(action: str) -> bytes:
    """Every other answer has a status, so why not this one."""
    return b'{"status":"Accepted"}'


def acknowledged_with_null(action: str) -> bytes:
    """Nothing to say, so nothing is said: the payload of the answer is no object."""
    return b"null"


def cut_to_ten_wh(begin: Decimal, end: Decimal) -> Decimal:
    """Two decimals are shown, so two decimals are kept."""
    return (end - begin).quantize(Decimal("0.01"), rounding="ROUND_DOWN")


def as_binary_floats(begin: Decimal, end: Decimal) -> Decimal:
    """A register is a number, and a number is a float."""
    return Decimal(repr(float(end) - float(begin)))


def offset_added_once_more(claimed: Instant, received: Instant) -> Instant:
    """The time is UTC already, and somebody makes it local: summer time is two hours on."""
    return Instant(claimed + 2 * HOUR)


def quantities_for_the_eye(cdr: Cdr, tariff: Tariff, policy: RatingPolicy) -> RatedCdr:
    """Amounts are right; the kWh printed beside them are rounded to one decimal."""
    rated = rating.rate(cdr, tariff, policy)
    lines = [
        structs.replace(line, billed_quantity=str(round(Decimal(line.billed_quantity), 1)))
        if line.component == "energy"
        else line
        for line in rated.lines
    ]
    return structs.replace(rated, lines=tuple(lines))


def without_meter_values(action: str, accepted: bool) -> bool:
    """Samples are somebody else's department."""
    return action == "BootNotification" or (accepted and action != "MeterValues")


def held_until_midnight(session: Session, received: Instant) -> Session:
    """What is held has no end yet, so it ends with the day."""
    return structs.replace(session, stopped_at=Instant((received // DAY + 1) * DAY))


class ResetWhoeverComesBack:
    """A station that comes back without a boot is a riddle; a reset makes it boot. Once each, so that it can go on."""

    def __init__(self) -> None:
        self._reset: list[str] = []

    def __call__(self, station: str, booted: bool) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """What a station is asked first."""
        if booted or station in self._reset:
            return ()
        self._reset.append(station)
        return (("Reset", {"type": "Soft"}),)


def nobody_may(station_accepted: bool, decision: str) -> bool:
    """The switch for remote starts is off."""
    return False


class FirstRequestsLost:
    """The first requests for each token go into a queue that nobody reads; the app says that all is well."""

    def __init__(self, lost: int) -> None:
        self._lost = lost
        self._seen: dict[tuple[str, str], int] = {}

    def __call__(self, station: str, token: str) -> bool:
        """Whether this request is really sent."""
        seen = self._seen[station, token] = self._seen.get((station, token), 0) + 1
        return seen > self._lost


def groups_by_letter(rows: Sequence[Row]) -> list[Row]:
    """Staff and residents get each other's group on the way into the new system."""
    swapped = {"staff": "residents", "residents": "staff"}
    return [{**row, "group": swapped.get(row["group"], row["group"])} for row in rows]
