"""Who is to be paid, and where, around the day on which an owner's subscription goes to another seller (INV-23, M09).

The day of the cut-over itself may have documents of both sellers: contracts change hands when its work is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.checks.registry import Judge, check
from scenarios.checks.upgrade_plan import (
    PlannedUpgrade,
    compact,
    days_between,
    local_day,
    midnight,
    says_account,
    upgrade_of,
    written,
)
from sim.clock import HOUR
from sim.evidence.billing_views import BookInvoice, BookPrepaid
from sim.evidence.money_views import BookClaim, PartnerBankLine
from sim.evidence.reader import Evidence, line
from sim.evidence.upgrade_views import Mail, Receipt

SUBSCRIPTION = "subscription"
TAKES_BACK = ("credit", "cancellation")
KINDS = (SUBSCRIPTION, *TAKES_BACK)
READ_WITHIN = 24 * HOUR
"""How long a payment may lie at the bank before a back-end has read it, ms."""


@check(
    "INV-23",
    sentence="documents name the payee and the terms of their side of the cut-over, and no paid day is lost",
    planes=("books", "run", "plan"),
    needs=("books_invoices", "books_prepaid", "partner_mails"),
)
def one_payee_at_a_time(evidence: Evidence, judge: Judge) -> None:
    """Every document of a subscription, and every mail to an owner, on its side of that owner's cut-over."""
    upgrade = upgrade_of(evidence)
    if upgrade is None:
        return
    documents = [one for one in evidence.read(BookInvoice) if one.kind in KINDS and one.customer in upgrade.owners]
    numbers = {one.number: one for one in documents}
    for document in documents:
        judge.examined()
        problem = _wrong_seller(upgrade, document, numbers) or _wrong_payee(upgrade, document)
        problem = problem or _wrong_terms(upgrade, document) or _wrong_words(upgrade, document)
        if problem:
            judge.fail("bill", document.number, f"the {document.kind} {problem}", line(document))
        elif document.kind == SUBSCRIPTION and document.state != "cancelled":
            _no_day_lost(evidence, judge, upgrade, document)
    drivers = {one["customer"]: one for one in upgrade.drivers}
    for document in (one for one in evidence.read(BookInvoice) if one.customer in drivers):
        judge.examined()
        driver = drivers[document.customer or ""]
        problem = _other_party(document, "customer", driver, ("email", "language"))
        problem = problem or _wrong_columns(upgrade, document, driver.get("language"))
        if problem:
            judge.fail("bill", document.number, f"the {document.kind} {problem}", line(document))
    _mails(evidence, judge, upgrade)


def _wrong_seller(upgrade: PlannedUpgrade, document: BookInvoice, numbers: dict[str, BookInvoice]) -> str:
    """A subscription is of the seller of its day; what takes it back is of the seller who issued it (M07)."""
    owner = upgrade.owners[document.customer or ""]
    if document.kind in TAKES_BACK:
        taken = numbers.get(document.cancels or "")
        if taken is None:
            return f"takes back {document.cancels or 'nothing'}, which is no document of this owner"
        return (
            "" if taken.seller == document.seller else f"is of {document.seller}, and takes back one of {taken.seller}"
        )
    day = upgrade.cut_over(owner.owner)
    if day is None:
        kept = (owner.contract_new if owner.contract_old is None else owner.contract_old) or {}
        due = kept.get("seller")
        return "" if document.seller == due else f"names {document.seller}, and the contract is with {due}"
    if document.seller == upgrade.new_seller and document.issued_at < midnight(day, owner.zone):
        return f"names {document.seller} before the cut-over on {day}"
    if document.seller == upgrade.old_seller and document.issued_at >= midnight(day, owner.zone, 1):
        return f"names {document.seller} after the cut-over on {day}"
    if document.seller not in (upgrade.old_seller, upgrade.new_seller):
        return f"names {document.seller}, who sells no subscription"
    if document.seller == upgrade.new_seller and (document.period_start or day) < day:
        return f"is for days from {document.period_start} on, before the cut-over on {day}"
    return ""


def _wrong_payee(upgrade: PlannedUpgrade, document: BookInvoice) -> str:
    """No account of the other seller, neither in its column nor anywhere in its content."""
    other = upgrade.old_seller if document.seller == upgrade.new_seller else upgrade.new_seller
    for iban in upgrade.accounts(other):
        if compact(document.account or "") == iban or says_account(document.data or "", iban):
            return f"is of {document.seller}, and names the account of {other}"
    return ""


def _wrong_terms(upgrade: PlannedUpgrade, document: BookInvoice) -> str:
    """A subscription names the terms of its contract that are in force on its date."""
    seller, owner = document.seller or "", upgrade.owners[document.customer or ""]
    day = local_day(document.issued_at, upgrade.sellers.get(seller, {}).get("zone") or "UTC")
    due = upgrade.terms(owner, day, seller)
    if document.kind in TAKES_BACK or due is None or document.terms == due:
        return ""
    return f"of {day} names {f'the terms {document.terms}' if document.terms else 'no terms'}, and {due} are in force"


def _wrong_words(upgrade: PlannedUpgrade, document: BookInvoice) -> str:
    """Who is written to, who writes, when it is due and under what reference it is paid, in the words of its content."""
    owner, seller = upgrade.owners[document.customer or ""], upgrade.sellers.get(document.seller or "", {})
    contract = (owner.contract_old if document.seller == upgrade.old_seller else owner.contract_new) or {}
    problem = _other_party(document, "customer", contract, ("name", "address", "email", "language"))
    problem = problem or _other_party(document, "seller", seller, ("name", "address", "vat_id"))
    problem = problem or _wrong_columns(upgrade, document, owner.language)
    content: dict[str, Any] = json.loads(document.data or "{}")
    day, days = local_day(document.issued_at, seller.get("zone") or "UTC"), seller.get("due_days")
    if not problem and content.get("due") and days is not None and days_between(day, content["due"]) != int(days):
        problem = f"of {day} is due on {content['due']}, and {days} days are agreed"
    if not problem and content.get("reference", document.number) != (document.reference or document.number):
        problem = f"asks for the reference {content['reference']}, and {document.reference} is booked"
    return problem


def _wrong_columns(upgrade: PlannedUpgrade, document: BookInvoice, language: str | None) -> str:
    """When it is due and in what language it is written, as booked: by the plan, and as its content says."""
    content: dict[str, Any] = json.loads(document.data or "{}")
    seller = upgrade.sellers.get(document.seller or "", {})
    zone_name, days = seller.get("zone") or "UTC", seller.get("due_days")
    said = content.get("language") or language
    if document.language is not None and said is not None and written(document.language) != written(said):
        return f"is booked as written in {document.language}, and {said} is right"
    if document.kind in TAKES_BACK or document.due_at is None:
        return "" if document.due_at is None else f"takes back, and is booked as due at {document.due_at}"
    day, due = local_day(document.issued_at, zone_name), local_day(document.due_at, zone_name)
    if days is not None and days_between(day, due) != int(days):
        return f"of {day} is booked as due on {due}, and {days} days are agreed"
    if content.get("due") and content["due"] != due:
        return f"is due on {content['due']}, and booked as due on {due}"
    return ""


def _other_party(document: BookInvoice, side: str, due: Mapping[str, Any], names: Sequence[str]) -> str:
    """How a party in the content of a document is not the one of the plan; what either leaves out is not compared."""
    content: dict[str, Any] = json.loads(document.data or "{}")
    said = content.get(side) or {}
    for name in names:
        if name in said and due.get(name) is not None and said[name] != due[name]:
            return f"has the {side}'s {name} {said[name]!r}, and {due[name]!r} is right"
    return ""


def _no_day_lost(evidence: Evidence, judge: Judge, upgrade: PlannedUpgrade, document: BookInvoice) -> None:
    """A period of the old seller beyond the cut-over: the rest is prepaid, and both back-ends know it, once."""
    day = upgrade.cut_over(document.customer or "")
    if day is None or document.seller != upgrade.old_seller or (document.period_until or "") <= day:
        return
    start, until = max(day, document.period_start or day), document.period_until or day
    rows = [one for one in evidence.read(BookPrepaid) if one.invoice == document.number]
    backends: dict[str, list[BookPrepaid]] = {document.backend: []}
    for one in rows:
        backends.setdefault(one.backend, []).append(one)
    if len(backends) < 2:
        sentence = f"is paid for until {until}, and nobody else was told that the days from {start} on are prepaid"
        judge.fail("bill", document.number, f"the subscription {sentence}", line(document), *map(line, rows))
    for backend, mine in backends.items():
        days = sum(days_between(one.start_day, one.until_day) for one in mine)
        whole = min((one.start_day for one in mine), default="") == start
        if not whole or days != days_between(start, until) or max(one.until_day for one in mine) != until:
            sentence = (
                f"straddles the cut-over, and {backend} has {days} of {days_between(start, until)} days as prepaid"
            )
            judge.fail("bill", document.number, f"the subscription {sentence}", line(document), *map(line, mine))


def _mails(evidence: Evidence, judge: Judge, upgrade: PlannedUpgrade) -> None:
    """Notices announce the new account and never name the old one; no other mail names an account that is not in force."""
    owners = {address: owner for owner in upgrade.owners.values() for address in owner.addresses}
    for mail in evidence.read(Mail):
        owner = owners.get(mail.to)
        day = upgrade.cut_over(owner.owner) if owner is not None else None
        if owner is None or day is None:
            continue
        judge.examined()
        text = f"{mail.subject or ''} {mail.text or ''}"
        notice, after = mail.kind == "upgrade-notice", mail.at >= midnight(day, owner.zone, 1)
        if (notice or after) and any(says_account(text, iban) for iban in upgrade.accounts(upgrade.old_seller)):
            sentence = f"a mail of the kind {mail.kind} names the account of {upgrade.old_seller}"
            judge.fail("customer", owner.owner, sentence, line(mail))
        before = mail.at < midnight(day, owner.zone) and not notice
        if before and any(says_account(text, iban) for iban in upgrade.accounts(upgrade.new_seller)):
            sentence = f"a mail of the kind {mail.kind} names the account of {upgrade.new_seller} before {day}"
            judge.fail("customer", owner.owner, sentence, line(mail))


@check(
    "M09",
    sentence="each invoice names the account in force on its date, and payments to any account of a seller are matched",
    planes=("books", "run", "plan"),
    needs=("books_invoices", "books_statement_lines", "books_claims", "partner_bank"),
)
def account_in_force(evidence: Evidence, judge: Judge) -> None:
    """Every subscription of a seller of the plan; every payment to one of their accounts that names an invoice."""
    upgrade = upgrade_of(evidence)
    if upgrade is None:
        return
    documents = [one for one in evidence.read(BookInvoice) if one.kind == SUBSCRIPTION]
    for document in documents:
        seller = upgrade.sellers.get(document.seller or "")
        if seller is None or not upgrade.accounts(document.seller or ""):
            continue
        judge.examined()
        day = local_day(document.issued_at, seller.get("zone") or "UTC")
        due = upgrade.account(document.seller or "", day)
        if compact(document.account or "") != (due or ""):
            sentence = f"of {day} asks for payment to {document.account or 'no account'}, and {due} is in force"
            judge.fail("bill", document.number, f"the invoice {sentence}", line(document))
    _payments(evidence, judge, upgrade, documents)


def _payments(evidence: Evidence, judge: Judge, upgrade: PlannedUpgrade, documents: list[BookInvoice]) -> None:
    """As many matched lines as there were payments, each for the claim of the document that it names."""
    ibans = {iban for seller in (upgrade.old_seller, upgrade.new_seller) for iban in upgrade.accounts(seller)}
    named = {one.reference or one.number: one for one in documents}
    claims = {(one.backend, one.document): one for one in evidence.read(BookClaim)}
    entries = [one for one in evidence.read(PartnerBankLine) if compact(one.iban) in ibans]
    payments: dict[tuple[str, str, int], list[PartnerBankLine]] = {}
    for entry in entries:
        if entry.amount > 0 and not entry.for_id:
            place = (compact(entry.iban), entry.reference or "", entry.amount)
            payments.setdefault(place, []).append(entry)
    receipts: dict[tuple[str, str, int], list[Receipt]] = {}
    for receipt in evidence.read(Receipt):
        if receipt.state == "matched":
            place = (compact(receipt.iban), receipt.reference or "", receipt.amount)
            receipts.setdefault(place, []).append(receipt)
    for place, paid in payments.items():
        document = next((named[word] for word in place[1].replace(",", " ").split() if word in named), None)
        due = sum(one.at + READ_WITHIN <= evidence.ended_at() for one in paid)
        if document is None or not due:
            continue
        judge.examined(due)
        found, claim = receipts.get(place, []), claims.get((document.backend, document.number))
        if not due <= len(found) <= len(paid):
            sentence = f"paid {due} times to {paid[0].iban}, and {len(found)} lines are matched"
            judge.fail("bill", document.number, sentence, line(document), *map(line, paid), *map(line, found))
        for one in found:
            if claim is None or (one.backend, one.claim_id) != (claim.backend, claim.claim_id):
                sentence = f"{one.backend} takes this payment for {one.claim_id}, and it names {document.number}"
                judge.fail("bill", document.number, sentence, line(document), line(one))
