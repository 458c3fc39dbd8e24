"""Secrets stay where they belong: no password, key or full token, and nobody's own bank account, in what is shown (INV-37).

Searched are GetConfiguration dumps, exports of stations, bills and invoices, and the mails that went out. A run knows
these secrets: values written to keys that hold passwords, the tokens of customers, the bank accounts of owners; besides
them everything that has the shape of a password in an address, a private key, or a key of an API or a webhook. Findings
name the place and never repeat what they found.

Allowed are: the account of a seller, which is there to be paid to; the token inside a signed record, which would not
verify without it (billing.md §10); the token of a guest, which is the name of one visit and opens nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from scenarios.checks.plan import GUEST, plan_of
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import answer
from sim.evidence.billing_views import BookInvoice
from sim.evidence.reader import Evidence, note
from sim.evidence.upgrade_views import Mail, StationExport
from sim.evidence.verdict import EvidenceLine, SubjectKind
from sim.evidence.views import BillContent, WireCall

_SECRET_KEY = re.compile(r"authorization_?key|passw|secret|private_?key", re.IGNORECASE)
"""Keys whose values are written and never shown (OCPP security whitepaper, AuthorizationKey)."""
_SHAPES: dict[str, tuple[tuple[str, ...], re.Pattern[str]]] = {
    "an address with a password": (("://",), re.compile(r"\w://[^/\s:@\"]*:[^/\s@\"]+@")),
    "a private key": (("PRIVATE KEY-----",), re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    "a key of an API or a webhook": (
        ("whsec_", "k_live_", "k_test_"),
        re.compile(r"\b(?:whsec|sk_live|sk_test|rk_live|rk_test)_\w{8,}"),
    ),
}
"""Secrets by their shape, and before each what a text holds that has one: most texts hold none, and need no search."""
_WORD = re.compile(r"[^\s\"'\\,:;<>|()\[\]{}]+")
_SHORTEST = 4
"""Shorter values cannot be told from ordinary words."""


class Shown(Struct, frozen=True):
    """Something that somebody can read, and where it stands. `row` names the row and leaves out what it holds."""

    kind: SubjectKind
    name: str
    what: str
    text: str
    row: EvidenceLine


@check(
    "INV-37",
    sentence="no password, key or full token, and no bank account of an owner, stands in a dump, export, document or mail",
    planes=("wire", "books", "run", "plan"),
    needs=("wire_calls", "books_bills"),
)
def nothing_secret_shown(evidence: Evidence, judge: Judge) -> None:
    """Every dump, export, document and mail, word by word."""
    tokens = {key for key in plan_of(evidence).tokens if not key.startswith(GUEST) and len(key) >= _SHORTEST}
    accounts = {_compact(iban) for iban in _own_accounts(evidence)}
    passwords = _passwords(evidence)
    for one in _shown(evidence, judge):
        judge.examined()
        found = [
            name
            for name, (parts, shape) in _SHAPES.items()
            if any(map(one.text.__contains__, parts)) and shape.search(one.text)
        ]
        words = {word.strip(".-!?*").upper() for word in dict.fromkeys(_WORD.findall(one.text))}
        found += [f"the full token ending in {token[-2:]}" for token in sorted(tokens & words)]
        compact = _compact(one.text)
        found += [f"the bank account ending in {iban[-4:]}" for iban in sorted(accounts) if iban in compact]
        found += ["a password that was written to a station" for secret in sorted(passwords) if secret in one.text]
        for problem in dict.fromkeys(found):
            judge.fail(one.kind, one.name, f"{one.what} shows {problem}", one.row)
    _keys_shown(evidence, judge)
    secrets = (len(tokens), "tokens"), (len(accounts), "bank accounts"), (len(passwords), "passwords")
    judge.say("searched for " + ", ".join(f"{count} {name}" for count, name in secrets))


def _own_accounts(evidence: Evidence) -> Iterator[str]:
    """Where owners are paid to: nobody but the partner that pays needs to see it."""
    upgrade = evidence.plan("upgrade") or {}
    sellers = {_compact(one["value"]) for row in upgrade.get("sellers", ()) for one in row.get("accounts") or ()}
    for owner in upgrade.get("owners", ()):
        for name in ("iban", "wrong_iban"):
            if owner.get(name) and _compact(owner[name]) not in sellers:
                yield owner[name]


def _compact(text: str) -> str:
    return "".join(text.split()).upper()


def _passwords(evidence: Evidence) -> set[str]:
    """Values that were written to keys of passwords."""
    found = set()
    for call in evidence.read(WireCall):
        if call.action == "ChangeConfiguration" and call.way == "down":
            asked = json.loads(call.payload or "{}")
            if _SECRET_KEY.search(str(asked.get("key"))) and len(str(asked.get("value", ""))) >= _SHORTEST:
                found.add(str(asked["value"]))
    return found


def _dumps(evidence: Evidence) -> Iterator[tuple[WireCall, Any]]:
    for call in evidence.read(WireCall):
        if call.action == "GetConfiguration" and call.way == "down":
            said = answer(call)
            if isinstance(said, dict):
                yield call, said


def _keys_shown(evidence: Evidence, judge: Judge) -> None:
    """Keys of passwords are write-only: a dump may name them, never with a value."""
    for call, said in _dumps(evidence):
        for entry in said.get("configurationKey") or ():
            if _SECRET_KEY.search(str(entry.get("key"))) and entry.get("value"):
                judge.fail("station", call.station, f"a dump shows the value of {entry['key']}", _place(call))


def _shown(evidence: Evidence, judge: Judge) -> Iterator[Shown]:
    for call, _ in _dumps(evidence):
        yield Shown("station", call.station, "a configuration dump", call.answer or "", _place(call))
    for export in evidence.read_shown(StationExport):
        if export.data:
            yield Shown(
                "station",
                export.station,
                "the export of the station",
                export.data,
                note("books", export.table, station=export.station),
            )
    for bill in evidence.read(BillContent):
        if bill.data is None:
            judge.unknown(f"nobody shows what the bill {bill.number} says")
        else:
            yield Shown("bill", bill.number, "the bill", _unsigned(bill.data), _number(bill))
    for document in evidence.read(BookInvoice):
        if document.data:
            yield Shown("bill", document.number, f"the {document.kind}", _unsigned(document.data), _number(document))
    for mail in evidence.read(Mail):
        yield Shown("entry", mail.id, f"a mail to {mail.to}", f"{mail.subject or ''} {mail.text or ''}", _sent(mail))


def _place(call: WireCall) -> EvidenceLine:
    return note("wire", call.table, call_no=call.call_no, station=call.station, backend=call.backend, at=call.sent_at)


def _number(row: BillContent | BookInvoice) -> EvidenceLine:
    return note("books", row.table, backend=row.backend, number=row.number)


def _sent(mail: Mail) -> EvidenceLine:
    return note("run", mail.table, id=mail.id, at=mail.at, to=mail.to, kind=mail.kind)


def _unsigned(data: str) -> str:
    """A document without the signed records in it; one that is no JSON is searched as it is."""
    try:
        content = json.loads(data)
    except ValueError:
        return data
    return json.dumps(_without_records(content), ensure_ascii=False)


def _without_records(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_records(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_records(one) for one in value]
    return "" if isinstance(value, str) and value.startswith("OCMF|") else value
