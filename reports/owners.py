"""What an upgrade came to, station by station and owner by owner, in the words of a person.

Adds and groups only, from truth, books and the partners' own statements. Empty where a run has no upgrade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from reports import words
from reports.run import Row, Run
from reports.waves import data_of

OUTCOMES = {
    "verified": "moved, and its meter goes on where the old back-end saw it last",
    "rolled-back": "went back to the old back-end and works there",
    "stuck": "did not arrive at either back-end; somebody has to go there",
    "split": "talks to both back-ends; somebody has to go there",
}
FATES = {
    "in-time": "done before the deadline",
    "interrupted": "left half filled, and taken up again days later by a fresh link",
    "link-expired": "opened the link too late; the portal made another",
    "link-burnt": "a mail scanner used up the link; the portal made another",
    "clerk-then-board": "begun by a clerk without authority, who needs a board member to vouch",
    "finance": "done by somebody from finance, which this company's register allows",
    "wrong-account": "gave a bank account that is somebody else's; mended when the first payout came back",
    "late": "finished after the deadline",
    "never": "never done",
}


class Outcome(Struct, frozen=True):
    """What became of a station; `along` says what befell it on the way."""

    station: str
    site: str
    outcome: str
    along: str


class Owner(Struct, frozen=True):
    """One owner: name, and what happened as pairs of a heading and its sentences."""

    owner: str
    name: str
    facts: tuple[tuple[str, tuple[str, ...]], ...]


def outcomes(run: Run) -> list[Outcome]:
    """Every station that was to move."""
    return [
        Outcome(str(row["station"]), str(row["site"]), OUTCOMES.get(row["outcome"], str(row["outcome"])), _along(row))
        for row in run.table("truth_outcomes")
    ]


def outcome_counts(run: Run) -> list[tuple[str, str, int]]:
    """How many stations of which site came to which outcome: site, sentence, count."""
    counts = Counter((one.site, one.outcome) for one in outcomes(run))
    return [(site, outcome, count) for (site, outcome), count in counts.items()]


def _along(row: Row) -> str:
    told = {"stuck": "was not seen for too long", "split": "was seen at both back-ends", "rollback": "was called back"}
    return "; ".join(text for key, text in told.items() if row[key])


def owners(run: Run) -> list[Owner]:
    """Every owner of the plan."""
    plan = run.plan("upgrade") or {}
    return [Owner(str(row["owner"]), str(row["name"]), _facts(run, row, plan)) for row in plan.get("owners", ())]


def _facts(run: Run, owner: Row, plan: dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    wave = next((str(one["wave"]) for one in plan["waves"] if owner["owner"] in one["owners"]), "")
    sites = words.listed([str(site) for site in owner["sites"]])
    told = (
        ("Sites", (f"{sites}; {'moved in wave ' + wave if wave else 'stays where it is'}",)),
        ("Onboarding", tuple(FATES.get(fate, str(fate)) for fate in owner["fates"])),
        ("May charge drivers", tuple(_enabled(run, owner["owner"]))),
        ("Letters", tuple(_letters(run, owner["owner"]))),
        ("Set-up", tuple(_set_up(run, owner["owner"]))),
        ("Drivers' money that had to wait", tuple(_waited(run, owner["owner"]))),
        ("Contract", tuple(_contract(run, owner["owner"]))),
        ("Invoices of the subscription", tuple(_invoices(run, owner["owner"]))),
        ("Payouts", tuple(_payouts(run, owner["owner"]))),
    )
    return tuple((head, sentences) for head, sentences in told if sentences)


def _at(run: Run, instant: int | None) -> str:
    return words.moment(instant, run.zone)[:-3]


def _day(day: str) -> str:
    """An ISO day as `09 Apr`, as the rest of the page writes days."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day[8:10]} {months[int(day[5:7]) - 1]}"


def _enabled(run: Run, owner: str) -> Iterator[str]:
    first = enabled_at(run, owner)
    yield "never" if first is None else f"since {_at(run, first)}"
    for row in run.where("partner_accounts", owner=owner):
        if row["cause"] == "payout-failed":
            yield f"{_at(run, row['at'])} a payout came back, and payouts stopped"


def enabled_at(run: Run, owner: str) -> int | None:
    """When the owner's account could charge for the first time, by the partner's own statement."""
    return min(
        (int(row["at"]) for row in run.where("partner_accounts", owner=owner) if row["charges_enabled"]), default=None
    )


def _letters(run: Run, owner: str) -> Iterator[str]:
    for row in run.where("truth_upgrade", owner=owner):
        data = data_of(row)
        if row["kind"] == "invited":
            yield f"{_at(run, row['at'])} invited to sign up"
        elif row["kind"] == "reminded":
            yield f"{_at(run, row['at'])} reminded of the deadline"
        elif row["kind"] == "notice":
            instead = ", instead of the one before" if data.get("voids") else ""
            yield f"{_at(run, row['at'])} told of the move on {_day(data['day'])}{instead}"
        elif row["kind"] == "notice-void":
            yield f"{_at(run, row['at'])} told that {_day(data['day'])} does not hold any more"


def _set_up(run: Run, owner: str) -> Iterator[str]:
    missed = [row for row in run.where("truth_upgrade", owner=owner, kind="preflight") if data_of(row).get("lacks")]
    for row in missed[:1]:
        people = words.plural(len(data_of(row)["lacks"]), "driver", "drivers")
        yield f"{_at(run, row['at'])} found incomplete: {people} without their group"
    for row in run.where("truth_upgrade", owner=owner, kind="set-up-mended"):
        yield f"{_at(run, row['at'])} mended"


def _waited(run: Run, owner: str) -> Iterator[str]:
    """Claims from before the account could charge: taken since, or still waiting."""
    since = enabled_at(run, owner)
    waited = [
        row
        for row in run.where("books_claims", seller=owner, route="stripe")
        if since is None or int(row["created_at"]) < since
    ]
    for currency in dict.fromkeys(str(row["currency"]) for row in waited):
        mine = [row for row in waited if row["currency"] == currency]
        taken = [row for row in mine if int(row["paid"])]
        left = sum(int(row["amount"]) - int(row["credited"]) - int(row["paid"]) + int(row["refunded"]) for row in mine)
        all_of_it = words.money(sum(int(row["amount"]) for row in mine), currency)
        yield f"{all_of_it} of {words.plural(len(mine), 'charge')} waited for the account"
        if taken:
            last = max(int(row["settled_at"] or 0) for row in taken)
            sum_taken = words.money(sum(int(row["paid"]) for row in taken), currency)
            yield f"{sum_taken} of it taken later, {words.plural(len(taken), 'charge')}, the last {_at(run, last)}"
        if left:
            yield f"{words.money(left, currency)} was not taken by the end of the run"


def _contract(run: Run, owner: str) -> Iterator[str]:
    sellers = {row["seller"]: row["name"] for row in (run.plan("upgrade") or {}).get("sellers", ())}
    for row in run.table("books_contracts"):
        if row["customer"] == owner and row["end_day"]:
            yield f"with {sellers.get(row['seller'], row['seller'])} until {_day(row['end_day'])}"
    for row in run.where("truth_upgrade", owner=owner, kind="contract-begun"):
        new = sellers.get((run.plan("upgrade") or {}).get("new_seller"), "")
        yield f"with {new} from {_day(data_of(row)['start'])} on"
    for row in run.where("books_prepaid", customer=owner, backend="new"):
        amount = words.money(int(row["net"]), str(row["currency"]))
        to_last = f"{_day(row['start_day'])} to before {_day(row['until_day'])}"
        credited = f"credited on {row['credited_on']}" if row["credited_on"] else "not credited yet"
        yield f"{amount} (without VAT) was paid ahead for {to_last}: {credited}"


def _invoices(run: Run, owner: str) -> Iterator[str]:
    paid = {data_of(row)["number"]: row for row in run.where("truth_upgrade", owner=owner, kind="invoice-paid")}
    for row in run.where("books_invoices", customer=owner, kind="subscription"):
        told = f"{row['number']}, {words.money(int(row['gross']), str(row['currency']))}"
        payment = paid.get(row["number"])
        if payment is None:
            yield f"{told}: not paid by the end of the run"
            continue
        wrong = data_of(payment)["iban"] != row["account"]
        yield f"{told}: paid {_at(run, payment['at'])}{', to the old account by mistake' if wrong else ''}"


def _payouts(run: Run, owner: str) -> Iterator[str]:
    rows = [row for row in run.where("partner_payments", owner=owner) if row["kind"] == "payout"]
    for currency in dict.fromkeys(str(row["currency"]) for row in rows):
        paid = [row for row in rows if row["currency"] == currency and row["state"] == "paid"]
        failed = [row for row in rows if row["currency"] == currency and row["state"] == "failed"]
        if paid:
            total = words.money(sum(int(row["amount"]) for row in paid), currency)
            span = f"the first {_at(run, paid[0]['at'])}, the last {_at(run, paid[-1]['at'])}"
            yield f"{total} in {words.plural(len(paid), 'payout')}, {span}"
        if failed:
            total = words.money(sum(int(row["amount"]) for row in failed), currency)
            yield f"{words.plural(len(failed), 'payout')} of {total} came back from the bank"
