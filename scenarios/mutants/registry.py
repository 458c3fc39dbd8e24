"""The planted bugs, each a few lines through the composition root, each with the check that must catch it.

Those of the first day stand here, those of an upgrade in `upgrade`, those of OCPP 2.0.1 in `versions`.
"""

from __future__ import annotations

from typing import Any

from scenarios.mutants import bugs
from scenarios.mutants.mutant import Mutant, always
from scenarios.mutants.upgrade import UPGRADE_MUTANTS
from scenarios.mutants.versions import VERSION_MUTANTS
from sim.errors import BadInput

FEW = ("campus-4", "campus-5")
"""The site that moves, and a small one at the new back-end: enough for most bugs."""
MORE = ("campus-3", *FEW)
"""And the largest of the old back-end, where stations are hit by what does not hit the moving ones."""
BOTH = ("campus-4", "laboratory-1F", "laboratory-3F")
"""And one of each back-end that stays there, with stations that come back when the new one has died."""


def _planted(*, sites: tuple[str, ...] = FEW, **told: Any) -> Mutant:
    """A bug that is played at a few sites of the first day."""
    return Mutant(sites=sites, **told)


_MUTANTS = (
    _planted(
        name="repeated-stop-billed-twice",
        sentence="a StopTransaction that is delivered again after a lost reply makes a second session and a second bill",
        check="INV-04",
        parts=always(deduplicate_stop=bugs.every_stop_closes),
        baits=("backend.crash", "station.second-stop"),
        sites=MORE,
    ),
    _planted(
        name="reply-before-commit",
        sentence="replies leave before the group is committed, so a crash forgets what was acknowledged",
        check="INV-03",
        parts=always(committer=bugs.release_then_commit),
        roles=("new",),
        baits=("backend.crash",),
    ),
    _planted(
        name="transaction-ids-restart-at-one",
        sentence="both back-ends number their transactions from 1",
        check="INV-07",
        parts=always(transaction_ids=bugs.ids_from_one),
    ),
    _planted(
        name="stop-matched-by-id-only",
        sentence="a StopTransaction ends whatever session has its id, whichever station sent it",
        check="INV-03",
        parts=always(match_stop=bugs.match_by_id_only),
        baits=("station.stray-stop",),
        sites=MORE,
    ),
    _planted(
        name="local-time-taken-as-utc",
        sentence="price windows of the local day are looked up in UTC",
        check="T01",
        parts=always(local_time=bugs.minute_of_the_utc_day),
    ),
    _planted(
        name="offline-stop-timed-at-arrival",
        sentence="a stop that waited in an offline queue counts from its arrival, so idle time grows",
        check="T01",
        parts=always(stop_time=bugs.as_received),
        baits=("link.stall", "backend.crash"),
        sites=MORE,
    ),
    _planted(
        name="withheld-power-billed-as-idle",
        sentence="idle time goes on while the station withholds power",
        check="INV-35",
        parts=always(idle_intervals=bugs.idle_whenever_nothing_flows),
        baits=("station.withhold",),
    ),
    _planted(
        name="signature-not-checked",
        sentence="a signed record is taken for good without looking at its signature",
        check="INV-29",
        parts=always(verify_record=bugs.every_signature_is_good),
        baits=("meter.tamper",),
    ),
    _planted(
        name="quarantine-billed",
        sentence="what was held because of a bad record is billed all the same",
        check="INV-29",
        parts=always(gate=bugs.bill_what_was_held),
        baits=("meter.tamper", "meter.key-unregistered"),
    ),
    _planted(
        name="price-off-by-a-cent-after-the-move",
        sentence="the new back-end's energy prices are a hundredth higher per kWh than the old one's",
        check="INV-22",
        parts=always(tariffs=bugs.a_cent_more),
        roles=("new",),
    ),
    _planted(
        name="group-discount-forgotten",
        sentence="the new back-end gives no group its discount",
        check="INV-22",
        parts=always(tariffs=bugs.no_discounts),
        roles=("new",),
    ),
    _planted(
        name="meters-never-told-of-price-changes",
        sentence="stations are never told when prices change, so a session is priced whole at the price of its start",
        check="T01",
        parts=always(change_times=bugs.never),
    ),
    _planted(
        name="remote-start-before-accepted",
        sentence="a remote start goes out to a station that was told to wait",
        check="INV-16",
        parts=always(may_remote_start=bugs.anybody_may),
    ),
    _planted(
        name="idle-billed-by-an-unapproved-clock",
        sentence="time is billed whatever the meter's approval says of its clock",
        check="T10",
        parts=always(time_billable=bugs.any_clock_will_do),
    ),
    _planted(
        name="calls-taken-before-accepted",
        sentence="a station that was told to wait may send what it likes",
        check="INV-16",
        parts=always(admit_call=bugs.admit_everything),
    ),
    _planted(
        name="blocked-token-let-in-at-new",
        sentence="the new back-end accepts tokens that the old one blocks",
        check="INV-21",
        parts=always(authorize=bugs.known_is_good_enough),
        roles=("new",),
    ),
    _planted(
        name="rounding-lost-in-the-ledger",
        sentence="the revenue side of a bill is posted a cent short",
        check="L01",
        parts=always(post=bugs.a_cent_short, check_posting=bugs.anything_balances),
    ),
    _planted(
        name="bill-posted-to-the-wrong-customer",
        sentence="what a bill asks is put down to another account than its customer's",
        check="L02",
        parts=always(post=bugs.owed_by_the_seller),
    ),
    _planted(
        name="cent-moved-from-revenue-to-vat",
        sentence="an entry balances, and a cent of its revenue stands with the VAT",
        check="L02",
        parts=always(post=bugs.a_cent_of_vat),
    ),
    _planted(
        name="line-lost-from-the-bill",
        sentence="the lines of a rating do not sum to its gross",
        check="B02",
        parts=always(rate=bugs.a_line_short),
    ),
    _planted(
        name="blocked-token-let-in-everywhere",
        sentence="both back-ends accept tokens that are blocked, so they agree",
        check="INV-21",
        parts=always(authorize=bugs.known_is_good_enough),
    ),
    _planted(
        name="price-off-by-a-cent-everywhere",
        sentence="both back-ends ask a hundredth more per kWh than was agreed, so they agree",
        check="INV-22",
        parts=always(tariffs=bugs.a_cent_more),
    ),
    _planted(
        name="hash-chain-broken",
        sentence="journal entries are hashed without the entry before them",
        check="L05",
        parts=always(chain_hash=bugs.hash_alone),
    ),
)

_SECOND_HALF = (
    _planted(
        name="close-station-does-nothing",
        sentence="a station that was closed at the old back-end is still let in there",
        check="INV-26",
        parts=always(close_station=bugs.stays_open),
        roles=("legacy",),
    ),
    _planted(
        name="second-stop-billed-again",
        sentence="a stop with other values for a session that has ended closes it again, with a second bill",
        check="INV-06",
        parts=always(deduplicate_stop=bugs.second_stop_closes),
        baits=("station.second-stop",),
        sites=MORE,
    ),
    _planted(
        name="answer-with-a-key-too-many",
        sentence="StatusNotification is answered with a status that its schema does not have",
        check="INV-13",
        parts=always(acknowledge=bugs.acknowledged_with_a_status),
        roles=("new",),
    ),
    _planted(
        name="answer-that-is-no-object",
        sentence="StatusNotification is answered with null instead of an object",
        check="INV-13",
        parts=always(acknowledge=bugs.acknowledged_with_null),
        roles=("new",),
    ),
    _planted(
        name="heartbeat-clock-ahead",
        sentence="answers to heartbeats tell a time that is 1.4 s ahead",
        check="INV-17",
        parts=always(current_time=bugs.ahead),
        roles=("new",),
    ),
    _planted(
        name="boot-clock-without-seconds",
        sentence="answers to boots tell the time to the minute",
        check="INV-17",
        parts=always(current_time=bugs.to_the_minute),
        roles=("new",),
    ),
    _planted(
        name="newest-tariff-version-taken",
        sentence="sessions are sold by the highest version of their tariff, whether it is in force or not",
        check="T02",
        parts=always(tariff_version=bugs.newest_version),
    ),
    _planted(
        name="token-groups-swapped-at-new",
        sentence="at the new back-end staff are residents and residents are staff",
        check="INV-21",
        parts=always(tokens=bugs.groups_by_letter),
        roles=("new",),
    ),
    _planted(
        name="energy-cut-to-ten-wh",
        sentence="the energy of a session is cut to two decimals of a kWh",
        check="INV-01",
        parts=always(energy=bugs.cut_to_ten_wh),
    ),
    _planted(
        name="stop-time-offset-twice",
        sentence="the offset of the time zone is added to stops that are UTC already, so sessions overlap",
        check="INV-02",
        parts=always(stop_time=bugs.offset_added_once_more),
    ),
    _planted(
        name="meter-values-refused",
        sentence="MeterValues are answered with an error",
        check="INV-05",
        parts=always(admit_call=bugs.without_meter_values),
    ),
    _planted(
        name="energy-in-binary-floats",
        sentence="signed decimals are subtracted as binary floats",
        check="INV-31",
        parts=always(energy=bugs.as_binary_floats),
    ),
    _planted(
        name="kwh-rounded-on-the-lines",
        sentence="the kWh on a bill are rounded for the eye, its amounts are not",
        check="B06",
        parts=always(rate=bugs.quantities_for_the_eye),
    ),
    _planted(
        name="held-session-ends-at-midnight",
        sentence="a session that is held blocks its connector until midnight in the books",
        check="B08",
        parts=always(hold_session=bugs.held_until_midnight),
        baits=("meter.key-unregistered",),
        sites=MORE,
    ),
    _planted(
        name="price-list-renumbered",
        sentence="bills name tariff versions that nobody agreed to",
        check="B11",
        parts=always(tariffs=bugs.renumbered),
    ),
    _planted(
        name="remote-starts-refused",
        sentence="starts from the app are refused",
        check="DRV-01",
        parts=always(may_remote_start=bugs.nobody_may),
    ),
    _planted(
        name="stations-reset-when-they-come-back",
        sentence="a station that reconnects without a boot is reset, and its charges end",
        check="DRV-02",
        parts=lambda setup: {"welcome": bugs.ResetWhoeverComesBack()},
        baits=("backend.crash",),
        sites=BOTH,
    ),
    _planted(
        name="remote-starts-lost",
        sentence="the app is told that all is well, and the first requests to the station are never sent",
        check="DRV-03",
        parts=lambda setup: {"reaches_station": bugs.FirstRequestsLost(4)},
        sites=MORE,
    ),
)


def all_mutants() -> tuple[Mutant, ...]:
    """Every planted bug, in the order in which they are listed."""
    return _MUTANTS + _SECOND_HALF + VERSION_MUTANTS + UPGRADE_MUTANTS


def mutant(name: str) -> Mutant:
    """The planted bug of this name. Raises BadInput with the names there are."""
    for one in all_mutants():
        if one.name == name:
            return one
    raise BadInput(None, "mutant", f"no mutant is called {name!r}", [one.name for one in all_mutants()])
