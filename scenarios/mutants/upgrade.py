"""The planted bugs of an upgrade: those of money, and what is told, agreed and left behind when sites and contracts move.

Each is played at the sites of `upgrade-day` that show it, so that all of them together take minutes.
"""

from __future__ import annotations

from scenarios.migration.parts import MoveParts
from scenarios.mutants import upgrade_bugs as bugs
from scenarios.mutants.bugs import bill_what_was_held
from scenarios.mutants.mutant import always
from scenarios.mutants.upgrade_days import (
    NOTICED,
    SMALL,
    back_while_answers_are_lost,
    everybody_in_time,
    more_ordered_back,
    never_put_off,
    nothing_forgotten,
    planted,
)
from scenarios.mutants.upgrade_money import MONEY_MUTANTS
from scenarios.upgrade.parts import DeskParts

UPGRADE_MUTANTS = (
    *MONEY_MUTANTS,
    planted(
        "dearer-after-the-move",
        "M01",
        "every price is 2 % higher at the new back-end",
        parts=always(tariffs=bugs.dearer_by("1.02")),
        roles=("new",),
    ),
    planted(
        "groups-left-behind",
        "M02",
        "users come to the new back-end without their groups",
        parts=always(tokens=bugs.without_groups),
        roles=("new",),
    ),
    planted(
        "cards-of-somebody-else",
        "M03",
        "at the new back-end each card belongs to the customer of the next one",
        parts=always(tokens=bugs.of_the_next_customer),
        roles=("new",),
    ),
    planted(
        "notice-sent-twice",
        "INV-25",
        "a mail whose sending was not confirmed is sent again without a look",
        desk=DeskParts(send_again=bugs.always),
        baits=("timeout-after",),
        sites=SMALL,
    ),
    planted(
        "notice-with-old-account",
        "INV-25",
        "notices name the account that owners are to pay to no more",
        desk=DeskParts(notice_account=bugs.old_account),
    ),
    planted(
        "notice-with-old-terms",
        "INV-25",
        "notices name the terms of the old contract",
        desk=DeskParts(notice_terms=bugs.old_terms),
    ),
    planted(
        "notice-names-sites-of-others",
        "INV-25",
        "notices name every site of the wave, whosesoever it is",
        desk=DeskParts(notice_sites=bugs.whole_wave),
        sites=("campus-2", "campus-4"),
    ),
    planted(
        "owner-not-invited",
        "M15",
        "an account is opened for an owner, and nobody tells them",
        desk=DeskParts(invite=bugs.never),
    ),
    planted(
        "nobody-reminded",
        "M15",
        "owners whose account is not ready are not reminded of the deadline",
        desk=DeskParts(is_done=bugs.always),
        calm=everybody_in_time,
    ),
    planted(
        "new-day-not-notified",
        "INV-25",
        "a wave that was put off takes place without a word",
        desk=DeskParts(notify_again=bugs.never),
        calm=never_put_off,
        sites=NOTICED,
    ),
    planted(
        "old-notice-stands",
        "INV-25",
        "the notice of a day that does not hold any more is not taken back",
        desk=DeskParts(void_notice=bugs.never),
        calm=never_put_off,
        sites=NOTICED,
    ),
    planted(
        "nobody-compared",
        "INV-21",
        "nobody compares both back-ends before a wave, and what an owner forgot stays forgotten",
        desk=DeskParts(ask_preflight=bugs.never),
        calm=nothing_forgotten,
        sites=NOTICED,
    ),
    planted(
        "prepaid-days-lost",
        "M08",
        "what an owner paid in advance is not credited by the new company",
        desk=DeskParts(move_prepaid=bugs.forgotten),
    ),
    planted(
        "prepaid-days-doubled",
        "M05",
        "what an owner paid in advance is credited twice over",
        desk=DeskParts(move_prepaid=bugs.doubled),
    ),
    planted(
        "contract-ends-a-day-late",
        "M08",
        "the day of the move is paid to both companies",
        desk=DeskParts(contract_end=bugs.a_day_later),
    ),
    planted(
        "contract-begins-late",
        "M08",
        "days between the two contracts are paid to nobody",
        desk=DeskParts(contract_start=bugs.ten_days_later),
    ),
    planted(
        "sessions-not-handed-back",
        "INV-03",
        "a station goes back, and what runs at it stays behind",
        move=MoveParts(hand_back=bugs.forgotten),
        baits=("move.rollback-ordered", "route.wrong-url"),
        sites=("laboratory-1F",),
        change=more_ordered_back,
    ),
    planted(
        "lost-in-the-rollback",
        "M11",
        "the old back-end does not get back what it gave away, and holds the stops as nobody's",
        move=MoveParts(hand_back=bugs.forgotten),
        baits=("move.rollback-ordered", "route.wrong-url"),
        sites=("laboratory-1F",),
        change=more_ordered_back,
    ),
    planted(
        "rollback-bills-twice",
        "M11",
        "what runs while a station goes back is handed back under two issuers, and a repeated stop bills it again",
        move=MoveParts(hand_back=bugs.under_both_issuers),
        parts=always(gate=bill_what_was_held),
        roles=("legacy",),
        baits=("move.rollback-ordered", "route.wrong-url"),
        sites=("laboratory-1F",),
        change=back_while_answers_are_lost,
    ),
    planted(
        "stuck-for-ever",
        "INV-26",
        "a station that cannot be reached at its new address is never sent back",
        move=MoveParts(roll_back=bugs.never_back),
        baits=("route.wrong-url",),
    ),
    planted(
        "group-lost-on-the-way",
        "T01",
        "running sessions come over without the group of their driver, and with it the discount",
        move=MoveParts(hand_over=bugs.handed_over_without_group),
        sites=("laboratory-1F",),
    ),
    planted(
        "left-overs-stay",
        "INV-28",
        "what the old back-end left in a station is not cleaned away",
        move=MoveParts(clear_profiles=bugs.no_payloads, make_operative=bugs.no_payloads),
    ),
    planted(
        "old-list-stays",
        "INV-28",
        "the local list of the old back-end is not replaced by that of the new one",
        move=MoveParts(local_lists=bugs.no_payloads),
        baits=("leftover.local-list",),
    ),
    planted(
        "old-door-stays-open",
        "INV-26",
        "a station that moved is let in at the old back-end as before",
        move=MoveParts(close_identity=bugs.never),
    ),
)
