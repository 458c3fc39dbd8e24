"""The planted bugs of an upgrade: money, notices, contracts, and what the migration tool leaves behind.

Each is played at the sites of `upgrade-day` that show it, so that all of them together take minutes. `after` says how many
groups the old back-end works off in the night of the invoices before it dies: at fewer sites that night is shorter.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from scenarios.migration.parts import MoveParts
from scenarios.model import Scenario
from scenarios.mutants import upgrade_bugs as bugs
from scenarios.mutants.mutant import Mutant, always
from scenarios.upgrade.parts import DeskParts

UPGRADE_DAY = "upgrade-day"
LATE = ("campus-4",)
"""The owner here is onboarded after the deadline; a small site at the old back-end, then at the new one."""
SMALL = ("campus-4", "campus-5")
NOTICED = ("campus-2", "laboratory-4F")
"""The one was announced once, the other put off; the owner of the latter forgot something."""


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


def _planted(name: str, check: str, sentence: str, **more: object) -> Mutant:
    return Mutant(name=name, check=check, sentence=sentence, scenario=UPGRADE_DAY, **{"sites": LATE, **more})  # type: ignore[arg-type]


UPGRADE_MUTANTS = (
    _planted(
        "kyc-gate-missing",
        "P05",
        "drivers are charged for an owner whose account may not charge yet",
        parts=always(may_charge=bugs.anybody_may_charge),
        roles=("new",),
    ),
    _planted(
        "new-key-after-silence",
        "P02",
        "a payment whose outcome is unknown is asked for again under a new key",
        parts=always(after_unknown=bugs.given_up_and_anew),
        baits=("timeout-after", "slow"),
        sites=SMALL,
    ),
    _planted(
        "charged-twice-after-silence",
        "P01",
        "a payment that was made and not heard of is made again",
        parts=always(after_unknown=bugs.given_up_and_anew),
        roles=("new",),
        baits=("timeout-after", "slow"),
        sites=SMALL,
    ),
    _planted(
        "one-key-for-everything",
        "P03",
        "hold, capture and release of a claim go under the same key",
        parts=always(idempotency_key=bugs.key_of_claim),
    ),
    _planted(
        "webhook-applied-twice",
        "P04",
        "each copy of an event books its payout again",
        parts=always(take_webhook=bugs.always, moves_on=bugs.always, movement_change=bugs.paid_again),
        roles=("new",),
        baits=("webhook-duplicate",),
        sites=("laboratory-1F",),
    ),
    _planted(
        "payout-booked-in-part",
        "P04",
        "a payout is booked without its last digit",
        parts=always(movement_change=bugs.without_last_digit),
        roles=("new",),
    ),
    _planted(
        "payouts-not-booked",
        "P10",
        "events of the payment partner are taken and thrown away",
        parts=always(take_webhook=bugs.never),
        roles=("new",),
    ),
    _planted(
        "catch-up-taken-twice",
        "M10",
        "what waited for an account is taken twice once it can charge",
        parts=always(catch_up_order=bugs.each_twice, may_collect=bugs.always, next_step=bugs.charged_again),
        roles=("new",),
    ),
    _planted(
        "catch-up-all-at-once",
        "M10",
        "what waited for an account is taken in one day, whatever was agreed",
        parts=always(catch_up_room=bugs.always_room),
        roles=("new",),
    ),
    _planted(
        "hold-never-released",
        "P09",
        "what is held and not needed stays held",
        parts=always(next_step=bugs.holds_stay),
        sites=("campus-3",),
    ),
    _planted(
        "refund-by-new-partner",
        "P12",
        "the old back-end gives money back by the new partner",
        parts=always(credit_route=bugs.back_by_new_partner),
        roles=("legacy",),
        sites=("campus-3",),
    ),
    _planted(
        "vat-cut-off",
        "INV-33",
        "VAT of invoices is cut off instead of rounded",
        parts=always(vat_rounding=bugs.vat_cut_off),
    ),
    _planted(
        "quarter-not-split",
        "L09",
        "a quarter is priced as if it were a month",
        parts=always(split_period=bugs.quarter_in_one),
        roles=("new",),
    ),
    _planted(
        "no-pro-rata",
        "L09",
        "the first month of a contract is charged whole",
        parts=always(pro_rata=bugs.whole_months),
        roles=("new",),
    ),
    _planted(
        "numbers-reused-after-death",
        "L06",
        "invoice numbers begin again when the back-end does",
        parts=bugs.numbers_from_memory,
        roles=("legacy",),
        baits=("backend.crash",),
        change=dies_after(18),
    ),
    _planted(
        "run-begins-again",
        "B03",
        "an invoice run that died begins again with its first invoice",
        parts=always(resume_at=bugs.from_the_start, may_invoice=bugs.always),
        roles=("legacy",),
        baits=("backend.crash",),
        change=dies_after(18),
    ),
    _planted(
        "old-account-on-new-documents",
        "M09",
        "invoices of the new company name the account of the old one",
        parts=bugs.old_payee,
        roles=("new",),
    ),
    _planted(
        "dearer-after-the-move",
        "M01",
        "every price is 2 % higher at the new back-end",
        parts=always(tariffs=bugs.dearer_by("1.02")),
        roles=("new",),
    ),
    _planted(
        "groups-left-behind",
        "M02",
        "users come to the new back-end without their groups",
        parts=always(tokens=bugs.without_groups),
        roles=("new",),
    ),
    _planted(
        "notice-sent-twice",
        "INV-25",
        "a mail whose sending was not confirmed is sent again without a look",
        desk=DeskParts(send_again=bugs.always),
        baits=("timeout-after",),
        sites=SMALL,
    ),
    _planted(
        "notice-with-old-account",
        "INV-25",
        "notices name the account that owners are to pay to no more",
        desk=DeskParts(notice_account=bugs.old_account),
    ),
    _planted(
        "notice-with-old-terms",
        "INV-25",
        "notices name the terms of the old contract",
        desk=DeskParts(notice_terms=bugs.old_terms),
    ),
    _planted(
        "new-day-not-notified",
        "INV-25",
        "a wave that was put off takes place without a word",
        desk=DeskParts(notify_again=bugs.never),
        sites=NOTICED,
    ),
    _planted(
        "old-notice-stands",
        "INV-25",
        "the notice of a day that does not hold any more is not taken back",
        desk=DeskParts(void_notice=bugs.never),
        sites=NOTICED,
    ),
    _planted(
        "nobody-compared",
        "INV-21",
        "nobody compares both back-ends before a wave, and what an owner forgot stays forgotten",
        desk=DeskParts(ask_preflight=bugs.never),
        sites=NOTICED,
    ),
    _planted(
        "prepaid-days-lost",
        "M08",
        "what an owner paid in advance is not credited by the new company",
        desk=DeskParts(move_prepaid=bugs.forgotten),
    ),
    _planted(
        "prepaid-days-doubled",
        "M05",
        "what an owner paid in advance is credited twice over",
        desk=DeskParts(move_prepaid=bugs.doubled),
    ),
    _planted(
        "contract-ends-a-day-late",
        "M08",
        "the day of the move is paid to both companies",
        desk=DeskParts(contract_end=bugs.a_day_later),
    ),
    _planted(
        "contract-begins-late",
        "M08",
        "days between the two contracts are paid to nobody",
        desk=DeskParts(contract_start=bugs.ten_days_later),
    ),
    _planted(
        "sessions-not-handed-back",
        "INV-03",
        "a station goes back, and what runs at it stays behind",
        move=MoveParts(hand_back=bugs.forgotten),
        baits=("move.rollback-ordered", "route.wrong-url"),
        sites=("laboratory-1F",),
        change=more_ordered_back,
    ),
    _planted(
        "group-lost-on-the-way",
        "T01",
        "running sessions come over without the group of their driver, and with it the discount",
        move=MoveParts(hand_over=bugs.handed_over_without_group),
        sites=("laboratory-1F",),
    ),
    _planted(
        "left-overs-stay",
        "INV-28",
        "what the old back-end left in a station is not cleaned away",
        move=MoveParts(clear_profiles=bugs.no_payloads, make_operative=bugs.no_payloads),
    ),
    _planted(
        "old-door-stays-open",
        "INV-26",
        "a station that moved is let in at the old back-end as before",
        move=MoveParts(close_identity=bugs.never),
    ),
)
