"""What an upgrade notice says: to owners the day, the payee, the account, the terms and the way to sign up; to drivers less.

An owner's notice names one account only, the one that is valid from the move on (M09, M13).
"""

from __future__ import annotations

import re

from reference_csms.billing.documents.model import DocumentData, Notice
from reference_csms.billing.documents.words import Words
from sim.backend import Row


def notice_view(data: DocumentData, words: Words) -> Row:
    """Greeting, paragraphs, facts, checks and end of the letter."""
    notice = data.notice
    assert notice is not None
    if notice.text:
        return _as_sent(notice.text)
    name = data.customer.address.name
    greeting = words.text("notice.greeting", name=name) if name else words.text("notice.greeting_nobody")
    opening: list[str] = []
    if notice.replaces:
        earlier = words.long_date(notice.replaces_move or notice.move)
        opening.append(words.text("notice.replaces", number=notice.replaces, date=earlier))
    build = _owner if notice.audience == "owner" else _driver
    return {
        "greeting": greeting,
        **build(notice, opening, words),
        "closing": [words.text("notice.closing"), words.text("notice.regards")],
        "signature": data.seller.address.name,
    }


def _as_sent(text: str) -> Row:
    """The letter of a mail: its paragraphs, each a list where every line of it begins with a dash; the last one ends it."""
    *parts, closing = [part.splitlines() for part in re.split(r"\n\s*\n", text.strip())]
    greeting, opening = " ".join(parts[0]) if parts else "", parts[1:]
    regards, *signature = closing
    return {
        "greeting": greeting,
        "opening": [_paragraph(lines) for lines in opening],
        "facts": [],
        "onboarding": None,
        "checks_text": "",
        "checks": [],
        "last": [],
        "closing": [regards],
        "signature": "\n".join(signature),
    }


def _paragraph(lines: list[str]) -> str | list[str]:
    """One text without the line ends of the mail, or the entries of a list."""
    if not lines[0].startswith("- "):
        return " ".join(line.strip() for line in lines)
    entries: list[str] = []
    for line in lines:
        if line.startswith("- "):
            entries.append(line[2:])
        else:
            entries[-1] += f" {line.strip()}"
    return entries


def _owner(notice: Notice, opening: list[str], words: Words) -> Row:
    assert notice.account is not None and notice.onboarding_deadline is not None  # `checked`
    deadline = words.long_date(notice.onboarding_deadline)
    facts = [
        *_first_facts(notice, words),
        _fact("new_payee", notice.payee, words),
        *_account(notice, words),
        _fact("terms_version", notice.terms_version, words),
    ]
    return {
        "opening": [
            *opening,
            words.text("notice.owner_intro", date=words.long_date(notice.move)),
            words.text("notice.owner_payee", payee=notice.payee, old_payee=notice.old_payee),
        ],
        "facts": facts,
        "onboarding": {
            "text": words.text("notice.owner_onboarding", deadline=deadline),
            "link": notice.onboarding_link,
            "later": words.text("notice.owner_later"),
        },
        "checks_text": words.text("notice.owner_checks"),
        "checks": [words.text(f"check.{key}") for key in notice.checks],
        "last": [],
    }


def _driver(notice: Notice, opening: list[str], words: Words) -> Row:
    return {
        "opening": [
            *opening,
            words.text("notice.driver_intro", date=words.long_date(notice.move)),
            words.text("notice.driver_payee", payee=notice.payee, old_payee=notice.old_payee),
        ],
        "facts": _first_facts(notice, words),
        "onboarding": None,
        "checks_text": "",
        "checks": [],
        "last": [words.text("notice.driver_nothing")],
    }


def _first_facts(notice: Notice, words: Words) -> list[Row]:
    return [_fact("move", words.long_date(notice.move), words), _fact("sites", ", ".join(notice.sites), words)]


def _fact(key: str, value: str, words: Words) -> Row:
    return {"label": words.text(f"notice.{key}"), "value": value}


def _account(notice: Notice, words: Words) -> list[Row]:
    account = notice.account
    assert account is not None
    shown = ", ".join(part for part in (account.grouped(), account.bic, account.bank) if part)
    return [_fact("new_account", shown, words)]
