"""The named parts of a back-end: every decision that somebody may want to replace, each with its default.

`assemble(setup, name=...)` replaces parts and nothing else does. A planted bug is one such replacement.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from reference_csms import authorization, calls, cdr, matching, numbers, provision, quarantine, spans, stations
from reference_csms.billing import amounts, ledger, periods
from reference_csms.metering import check
from reference_csms.payments import bank, claims, losses, signatures
from reference_csms.pricing import rating
from reference_csms.pricing.rating import Cdr, RatedCdr, RatingPolicy
from reference_csms.pricing.tariffs import (
    ChangeTimes,
    LocalMinute,
    Tariff,
    VersionAt,
    change_times,
    local_minute,
    version_at,
)
from sim.clock import Instant
from sim.metering import rules
from sim.wire import ocmf

AdmitCall = Callable[[str, bool], bool]
Gate = Callable[[str | None], str | None]
Rate = Callable[[Cdr, Tariff, RatingPolicy], RatedCdr]
ShownCost = Callable[[RatedCdr, bool], int]
Step = Callable[[], None]
Committer = Callable[[Step, Step], None]
CurrentTime = Callable[[str, Instant], Instant]
Acknowledge = Callable[[str], bytes]
ReachesStation = Callable[[str, str], bool]
StatusPlace = Callable[[int, int], int]

PARTS: dict[str, str] = {
    "transaction_ids": "(base, n) -> the n-th transaction id of this back-end, n from 1 and never the same twice",
    "admit_call": "(action, accepted) -> whether a station's CALL is taken; False is answered SecurityError",
    "authorize": "(token or None, site, now) -> Accepted, Blocked, Expired or Invalid",
    "may_remote_start": "(station accepted, decision) -> whether RemoteStart/Stop may be sent",
    "reaches_station": "(station, token) -> whether a remote start that the app was promised is really sent",
    "close_station": "(policy of a station) -> its policy once it is closed here",
    "current_time": "(action, now) -> the currentTime told in answers to BootNotification and Heartbeat",
    "acknowledge": "(action) -> the bytes that answer a notification",
    "welcome": "(station, booted) -> [(action, payload)] that a station is asked first when it is accepted or comes back",
    "match_stop": "(view of the sessions, stop) -> Match: the session of a stop, or a quarantine reason",
    "deduplicate_stop": "(session, stop) -> close, repeat or second",
    "repeated_event": "(spans of event numbers taken, number) -> whether this event came before",
    "missing_events": "(spans of event numbers taken) -> the numbers between them that never came",
    "status_place": "(evse, connector there) -> the connector of the house that a status is about (2.0.1)",
    "stop_time": "(time claimed, time received) -> the instant that counts as the end",
    "verify_record": "(record, registered public key) -> whether the signature is good",
    "energy": "(signed begin, signed end) -> kWh between two readings",
    "hold_session": "(session, time received) -> the closed session as it stands in the books while it is held",
    "time_billable": "(time_billing of the meter, readings) -> whether time may be billed",
    "idle_intervals": "(readings) -> [(from, to)] in which the EV rested by its own choice",
    "gate": "(reason against billing or None) -> reason to quarantine, or None to bill",
    "tokens": "(token rows of the instruction sheet) -> token rows used here",
    "tariffs": "(tariff rows of the instruction sheet) -> tariff rows used here",
    "tariff_version": "(versions of a tariff, instant) -> the version in force, or None",
    "change_times": "(energy bands, zone, UTC day) -> UTC times HH:MM at which the meter is to sign a reading",
    "local_time": "(instant, zone) -> minute of the local day, for rating and quotes",
    "rate": "(cdr, tariff, policy) -> rated CDR",
    "shown_cost": "(rated CDR, final or so far) -> minor units shown to the driver",
    "post": "(seller, customer, rated CDR) -> postings of a bill",
    "check_posting": "(postings) -> None, or raises Unbalanced",
    "chain_hash": "(seq, at, kind, ref, postings, previous hash) -> hash of a journal entry",
    "vat_rounding": "(total, percent, gross or net) -> VAT of the sum of an invoice at one rate",
    "vat_for": "(dated percents, instant of supply) -> percent in force",
    "payee_for": "(dated accounts, instant of the document) -> IBAN in force",
    "terms_for": "(dated terms, instant of the document) -> version in force",
    "next_number": "(circle, last number, times the store was opened) -> next number of the circle",
    "split_period": "(first day, end, days of change) -> spans that cross neither a month nor a change",
    "pro_rata": "(net price of a month, span) -> net price of the span",
    "may_invoice": "(invoiced before) -> whether a bill or period may go onto an invoice",
    "resume_at": "(invoices committed) -> where a run goes on that was cut off",
    "may_charge": "(account or None) -> whether anything may be debited on its behalf",
    "next_step": "(claim, outstanding) -> Step: what is to be asked next, or None",
    "outstanding": "(claim) -> what may still be collected, minor units",
    "hold_amount": "(currency, amounts of the options) -> what is authorised when a guest begins",
    "idempotency_key": "(claim id, purpose, n) -> key of the n-th attempt",
    "after_unknown": "(age, last status, life of a key) -> retry, look or anew",
    "claim_route": "(kind, route of drivers here) -> partner a new claim goes through",
    "credit_route": "(claim, route of drivers here) -> partner a refund goes through",
    "correction_to_claim": "(difference of a corrected bill) -> what it changes in its claim, minor units",
    "catch_up_order": "(waiting claims) -> claims in the order in which they are taken",
    "catch_up_room": "(taken today, amount, limit) -> whether a claim fits into the day",
    "may_collect": "(claim) -> whether the catch-up may take it",
    "read_accounts": "(accounts told in the options) -> accounts whose statements are read",
    "heed_return": "(code of the bank) -> whether an entry that takes a payment back is booked and opens its claim",
    "verify_webhook": "(payload, signature, secret, now in s) -> whether the signature holds",
    "take_webhook": "(seen before) -> whether an event has an effect",
    "moves_on": "(state known, state told) -> whether a payout or dispute is further on",
    "movement_change": "(state known, state told, amount) -> what is booked of a payout or dispute now",
    "fee_of": "(kind of movement, fee) -> what is booked as the partner's fee, minor units",
    "books_fee": "(id of the movement, known before) -> whether its fee is booked now",
    "fee_account": "(kind of movement, account it was for) -> clearing account that a fee is taken from",
    "after_lost_dispute": "(amount, currency, limits of goodwill) -> state of the claim: open or written-off",
    "committer": "(commit, release) -> None: in which order a group is committed and its replies released",
}


def admit_call(action: str, accepted: bool) -> bool:
    """Before its boot is Accepted a station may only boot (OCPP-J 1.6 errata §3.8, INV-16)."""
    return accepted or action == "BootNotification"


def hold_objections(reason: str | None) -> str | None:
    """The default gate: whatever speaks against billing holds the session."""
    return reason


def commit_then_release(commit: Step, release: Step) -> None:
    """The default order: nothing leaves before everything it speaks of lasts."""
    commit()
    release()


def told_truly(action: str, now: Instant) -> Instant:
    """The default currentTime: what time it is (INV-17)."""
    return now


def nothing_to_add(action: str) -> bytes:
    """The default acknowledgement: an empty object, as the schemas of all notifications want it."""
    return b"{}"


def always_sent(station: str, token: str) -> bool:
    """By default a remote start goes to its station."""
    return True


def by_evse(evse: int, connector: int) -> int:
    """The default place of a status: connector n of this house is EVSE n, whose connector is 1."""
    return evse


class Parts(Struct, frozen=True, kw_only=True):
    """The parts of one back-end, as described in `PARTS`."""

    transaction_ids: numbers.TransactionIds = numbers.in_circle
    admit_call: AdmitCall = admit_call
    authorize: authorization.Authorize = authorization.authorize
    may_remote_start: authorization.MayRemoteStart = authorization.may_remote_start
    reaches_station: ReachesStation = always_sent
    close_station: stations.ClosePolicy = stations.shut
    current_time: CurrentTime = told_truly
    acknowledge: Acknowledge = nothing_to_add
    welcome: calls.Welcome = calls.no_welcome
    match_stop: matching.MatchStop = matching.match_stop
    deduplicate_stop: matching.DeduplicateStop = matching.deduplicate_stop
    repeated_event: spans.RepeatedEvent = spans.came_before
    missing_events: spans.MissingEvents = spans.gaps
    status_place: StatusPlace = by_evse
    stop_time: cdr.StopTime = cdr.as_claimed
    verify_record: check.VerifyRecord = ocmf.verify
    energy: cdr.Energy = cdr.between
    hold_session: quarantine.HoldSession = quarantine.as_closed
    time_billable: cdr.TimeBillable = rules.time_billable
    idle_intervals: cdr.IdleIntervals = cdr.idle_intervals
    gate: Gate = hold_objections
    tokens: provision.Transform = provision.as_given
    tariffs: provision.Transform = provision.as_given
    tariff_version: VersionAt = version_at
    change_times: ChangeTimes = change_times
    local_time: LocalMinute = local_minute
    rate: Rate = rating.rate
    shown_cost: ShownCost = rating.as_rated
    post: ledger.PostBill = ledger.post_bill
    check_posting: ledger.CheckPosting = ledger.balanced
    chain_hash: ledger.ChainHash = ledger.chain_hash
    vat_rounding: amounts.VatRounding = amounts.vat_rounding
    vat_for: amounts.PayeeFor = amounts.in_force
    payee_for: amounts.PayeeFor = amounts.in_force
    terms_for: amounts.PayeeFor = amounts.in_force
    next_number: amounts.NextNumber = amounts.next_number
    split_period: periods.SplitPeriod = periods.split_period
    pro_rata: periods.ProRata = periods.pro_rata
    may_invoice: amounts.MayInvoice = amounts.may_invoice
    resume_at: amounts.ResumeAt = amounts.resume_at
    may_charge: claims.MayCharge = claims.may_charge
    next_step: claims.NextStep = claims.next_step
    outstanding: claims.Outstanding = claims.outstanding
    hold_amount: claims.HoldAmount = claims.hold_amount
    idempotency_key: claims.IdempotencyKey = claims.idempotency_key
    after_unknown: claims.AfterUnknown = claims.after_unknown
    claim_route: claims.ClaimRoute = claims.claim_route
    credit_route: claims.CreditRoute = claims.credit_route
    correction_to_claim: claims.CorrectionToClaim = claims.correction_to_claim
    catch_up_order: claims.CatchUpOrder = claims.oldest_first
    catch_up_room: claims.CatchUpRoom = claims.catch_up_room
    may_collect: claims.MayCollect = claims.may_collect
    read_accounts: bank.ReadAccounts = bank.read_accounts
    heed_return: bank.HeedReturn = bank.heed_return
    verify_webhook: signatures.VerifyWebhook = signatures.verify_webhook
    take_webhook: signatures.TakeWebhook = signatures.take_webhook
    moves_on: signatures.MovesOn = signatures.moves_on
    movement_change: signatures.MovementChange = signatures.movement_change
    fee_of: losses.FeeOf = losses.fee_of
    books_fee: losses.BooksFee = losses.books_fee
    fee_account: losses.FeeAccount = losses.fee_account
    after_lost_dispute: losses.AfterLostDispute = losses.after_lost_dispute
    committer: Committer = commit_then_release
