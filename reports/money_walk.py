"""What became of the money of some documents: invoice, claim, each attempt with its key, the partner's own statement,
payout, bank.

Follows numbers, keys and ids and never guesses, with one exception that is named where it is shown: a payout says not
what it pays, so the first one of the account after the money was available counts. Empty where a run has no money.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from reports.run import Row, Run

PAYOUTS = ("payout", "settlement")
_GAIN = "capture"


class Attempt(Struct, frozen=True):
    """One attempt to move money and the rows of the partner's statement that belong to it."""

    row: Row
    partner: list[Row]


class ClaimWalk(Struct, frozen=True):
    """A claim with its attempts, what the partner did besides, and lines of bank statements that paid it."""

    claim: Row
    attempts: list[Attempt]
    besides: list[Row]
    bank: list[Row]


class Payout(Struct, frozen=True):
    """A payout of a partner: its row, what the books and the bank say of it."""

    row: Row
    movements: list[Row]
    bank: list[Row]


class Money(Struct, frozen=True):
    """Everything that is known of the money of some documents and sessions, each list in the order of time."""

    billables: list[Row]
    invoices: list[Row]
    claims: list[ClaimWalk]
    payouts: list[Payout]
    entries: list[Row]


def money_of(run: Run, documents: Iterable[str], sessions: Iterable[str] = ()) -> Money:
    """The money of documents (numbers of bills and invoices) and of sessions that hold money before they have a bill."""
    numbers = list(dict.fromkeys(documents))
    billables = [row for number in numbers for row in run.where("books_billables", number=number)]
    invoices = _invoices(run, numbers, billables)
    wanted = dict.fromkeys([*numbers, *(str(row["number"]) for row in invoices)])
    rows = [row for number in wanted for row in run.where("books_claims", document=number)]
    rows += [row for session in sessions for row in run.where("books_claims", session_id=session)]
    claims = [_claim(run, row) for row in {(row["backend"], row["claim_id"]): row for row in rows}.values()]
    payouts = [_payout(run, row) for row in _payouts(run, claims)]
    theirs = [row for one in claims for row in (*one.besides, *(r for tried in one.attempts for r in tried.partner))]
    names = [*wanted, *(str(one.claim["claim_id"]) for one in claims), *(str(one.row["id"]) for one in payouts)]
    names += [str(row["id"]) for row in theirs]  # fees and disputes name the payment at the partner
    return Money(billables, invoices, claims, payouts, _entries(run, names))


def _invoices(run: Run, numbers: Sequence[str], billables: Sequence[Row]) -> list[Row]:
    """The invoices of these numbers, those that bills went into, and whatever credits or cancels one of them."""
    wanted = [*numbers, *(str(row["invoice"]) for row in billables if row["invoice"])]
    wanted += [str(row["number"]) for number in numbers for row in run.where("books_invoice_lines", bill=number)]
    found: dict[tuple[str, str], Row] = {}
    while wanted:
        number = wanted.pop(0)
        for row in [*run.where("books_invoices", number=number), *run.where("books_invoices", cancels=number)]:
            if (row["backend"], row["number"]) not in found:
                found[row["backend"], row["number"]] = row
                wanted += [str(other) for other in (row["number"], row["cancelled_by"]) if other]
    return sorted(found.values(), key=lambda row: (int(row["issued_at"] or 0), str(row["number"])))


def _claim(run: Run, claim: Row) -> ClaimWalk:
    attempts, told = [], dict[str, Row]()
    for row in run.where("books_payments", backend=claim["backend"], claim_id=claim["claim_id"]):
        theirs = run.where("partner_payments", partner=row["partner"], key=row["key"])
        attempts.append(Attempt(row, theirs))
        told.update((str(one["id"]), one) for one in theirs)
    besides: list[Row] = []
    for partner in dict.fromkeys(str(one.row["partner"]) for one in attempts):
        for row in run.where("partner_payments", partner=partner):
            if str(row["for_id"]) in told and str(row["id"]) not in told:
                told[str(row["id"])] = row
                besides.append(row)
    lines = run.where("books_statement_lines", backend=claim["backend"], claim_id=claim["claim_id"])
    return ClaimWalk(claim, attempts, besides, lines)


def _payouts(run: Run, claims: Sequence[ClaimWalk]) -> list[Row]:
    """For each gain the first payout of its account in its currency, once the money was available."""
    found: dict[str, Row] = {}
    for claim in claims:
        gains = [row for attempt in claim.attempts for row in attempt.partner] + claim.besides
        for gain in (row for row in gains if row["kind"] == _GAIN):
            ready = _available(run, gain)
            for row in run.where("partner_payments", partner=gain["partner"], account=gain["account"]):
                same = row["kind"] in PAYOUTS and row["currency"] == gain["currency"]
                if same and int(row["at"]) >= ready:
                    found[str(row["id"])] = row
                    break
    return sorted(found.values(), key=lambda row: int(row["at"]))


def _available(run: Run, gain: Row) -> int:
    """When the partner could pay out a gain, by its own balance; when it took place if the balance does not tell."""
    sources = [source for source in (gain["id"], gain["for_id"]) if source]
    rows = [row for source in sources for row in run.where("partner_balance", partner=gain["partner"], source=source)]
    mine = [int(row["available_at"]) for row in rows if row["account"] == gain["account"] and row["available_at"]]
    return max(mine, default=int(gain["at"]))


def _payout(run: Run, row: Row) -> Payout:
    bank = run.where("partner_bank", reference=row["id"])
    return Payout(row, run.where("books_movements", movement_id=row["id"]), bank)


def _entries(run: Run, names: Sequence[str]) -> list[Row]:
    """Entries of the journals whose reference names one of these."""
    wanted = frozenset(names)
    return [row for row in run.table("books_journal") if not wanted.isdisjoint(str(row["ref"] or "").split())]
