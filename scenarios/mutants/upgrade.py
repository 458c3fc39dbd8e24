"""The planted bugs of an upgrade: money, notices, contracts, and what the migration tool leaves behind.

Each is played at the sites of `upgrade-day` that show it, so that all of them together take minutes. `after` says how many
groups the old back-end works off in the night of the invoices before it dies: at fewer sites that night is shorter.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from scenarios.migration.parts import MoveParts
from scenarios.model import Duration, Scenario
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


def _planted(name: str, check: str, sentence: str, **more: object) -> Mutant:
    return Mutant(name=name, check=check, sentence=sentence, scenario=UPGRADE_DAY, **{"sites": LATE, **more})  # type: ignore[arg-type]


UPGRADE_MUTANTS = (
    _planted(
        "kyc-gate-missing",
        "P05",
        "drivers are charged for an owner whose account may not charge yet",
        parts=always(may_charge=bugs.anybody_may_charge),
        roles=("new",),
        calm=everybody_in_time,
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
        "captured-again-at-the-old-partner",
        "M06",
        "the old back-end captures again what its partner took and did not confirm",
        parts=always(after_unknown=bugs.given_up_and_anew),
        roles=("legacy",),
        baits=("timeout-after", "slow"),
        sites=SMALL,
    ),
    _planted(
        "old-partner-goes-on",
        "M06",
        "claims of the new back-end go to the partner of the old one",
        parts=always(claim_route=bugs.through_the_old_partner),
        roles=("new",),
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
        calm=everybody_in_time,
    ),
    _planted(
        "catch-up-all-at-once",
        "M10",
        "what waited for an account is taken in one day, whatever was agreed",
        parts=always(catch_up_room=bugs.always_room),
        roles=("new",),
        calm=everybody_in_time,
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
        "old-terms-on-new-documents",
        "INV-23",
        "invoices of the new company name the terms of the old one",
        parts=bugs.old_terms_on_documents,
        roles=("new",),
    ),
    _planted(
        "old-account-not-read",
        "M09",
        "nobody looks at the old account any more, and an owner pays to it",
        parts=always(read_accounts=bugs.newest_account),
        roles=("new",),
        sites=("laboratory-1F",),
        calm=paid_where_asked,
    ),
    _planted(
        "free-session-billed",
        "T01",
        "a session below the minimum is billed at what it comes to",
        parts=always(rate=bugs.nothing_is_free),
    ),
    _planted(
        "minimum-ten-times-too-high",
        "B12",
        "sessions are free that are not below the minimum",
        parts=always(rate=bugs.minimum_in_ten_wh),
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
        "cards-of-somebody-else",
        "M03",
        "at the new back-end each card belongs to the customer of the next one",
        parts=always(tokens=bugs.of_the_next_customer),
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
        calm=never_put_off,
        sites=NOTICED,
    ),
    _planted(
        "old-notice-stands",
        "INV-25",
        "the notice of a day that does not hold any more is not taken back",
        desk=DeskParts(void_notice=bugs.never),
        calm=never_put_off,
        sites=NOTICED,
    ),
    _planted(
        "nobody-compared",
        "INV-21",
        "nobody compares both back-ends before a wave, and what an owner forgot stays forgotten",
        desk=DeskParts(ask_preflight=bugs.never),
        calm=nothing_forgotten,
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
        "lost-in-the-rollback",
        "M11",
        "the old back-end does not get back what it gave away, and holds the stops as nobody's",
        move=MoveParts(hand_back=bugs.forgotten),
        baits=("move.rollback-ordered", "route.wrong-url"),
        sites=("laboratory-1F",),
        change=more_ordered_back,
    ),
    _planted(
        "stuck-for-ever",
        "INV-26",
        "a station that cannot be reached at its new address is never sent back",
        move=MoveParts(roll_back=bugs.never_back),
        baits=("route.wrong-url",),
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
        "old-list-stays",
        "INV-28",
        "the local list of the old back-end is not replaced by that of the new one",
        move=MoveParts(local_lists=bugs.no_payloads),
        baits=("leftover.local-list",),
    ),
    _planted(
        "old-door-stays-open",
        "INV-26",
        "a station that moved is let in at the old back-end as before",
        move=MoveParts(close_identity=bugs.never),
    ),
)
