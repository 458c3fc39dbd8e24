"""The letters of the operator, in Norwegian, German and English. Pure functions of data; nothing here sends anything.

A language that there is none for gets English. Days are ISO texts and written out, accounts printed in groups of four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from scenarios.upgrade.wording import MONTHS, TEXTS
from sim.backend import Row

OTHERWISE = "en"


class Letter(Struct, frozen=True):
    """What a mail says."""

    subject: str
    text: str


def spoken(language: str) -> str:
    """The language that is really written."""
    return language if language in TEXTS else OTHERWISE


def written_day(day: str, language: str) -> str:
    """An ISO day as it stands in a letter: `9. april 2024`, `9. April 2024`, `9 April 2024`."""
    moment = date.fromisoformat(day)
    tongue = spoken(language)
    dot = "" if tongue == "en" else "."
    return f"{moment.day}{dot} {MONTHS[tongue][moment.month - 1]} {moment.year}"


def printed_iban(iban: str) -> str:
    """An IBAN in groups of four, as on paper."""
    return " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))


def masked(token: str) -> str:
    """A token by its last four characters, or by none if it is short: a mail is read by many (INV-37)."""
    return "•" * 6 + (token[-4:] if len(token) > 6 else "")


def _letter(kind: str, language: str, **fields: Any) -> Letter:
    subject, text = TEXTS[spoken(language)][kind]
    return Letter(subject.format(**fields), text.strip().format(**fields) + "\n")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def invitation(language: str, *, name: str, seller: str, deadline: str, link: str, portal: str) -> Letter:
    """Set up your account for what drivers pay. `link` lives for minutes only, `portal` gives another at any time."""
    day = written_day(deadline, language)
    return _letter("invitation", language, name=name, seller=seller, deadline=day, link=link, portal=portal)


def reminder(language: str, *, name: str, seller: str, deadline: str, portal: str, due: Sequence[str]) -> Letter:
    """The account cannot take money yet; `due` are the partner's own words for what is missing."""
    tongue = TEXTS[spoken(language)]
    lacking = tongue["lacking"][1].format(due=_listed(due)) if due else ""
    day = written_day(deadline, language)
    return _letter("reminder", language, name=name, seller=seller, deadline=day, portal=portal, lacking=lacking)


def notice(
    language: str,
    *,
    name: str,
    day: str,
    sites: Sequence[str],
    old: str,
    payee: str,
    iban: str | None,
    terms: str | None,
    link: str,
    earlier: str | None = None,
) -> Letter:
    """Your sites move on `day`: from then on `payee` sends the invoices. `earlier`: the day that was announced before."""
    tongue = TEXTS[spoken(language)]
    replaces = "" if earlier is None else tongue["replaces"][1].format(earlier=written_day(earlier, language)) + "\n\n"
    return _letter(
        "notice",
        language,
        name=name,
        day=written_day(day, language),
        sites=_listed(sites),
        old=old,
        payee=payee,
        iban=printed_iban(iban) if iban else "-",
        terms=terms or "-",
        link=link,
        replaces=replaces,
    )


def notice_void(language: str, *, name: str, day: str, sites: Sequence[str], payee: str) -> Letter:
    """The move of `day` does not take place then."""
    return _letter("void", language, name=name, day=written_day(day, language), sites=_listed(sites), payee=payee)


def driver_notice(language: str, *, day: str, sites: Sequence[str], payee: str, earlier: str | None = None) -> Letter:
    """To a driver: the stations of these sites are moved on `day`."""
    tongue = TEXTS[spoken(language)]
    replaces = ""
    if earlier is not None:
        replaces = tongue["driver-replaces"][1].format(earlier=written_day(earlier, language)) + "\n\n"
    return _letter(
        "driver", language, day=written_day(day, language), sites=_listed(sites), payee=payee, replaces=replaces
    )


def set_up_incomplete(
    language: str, *, name: str, payee: str, lacks: Sequence[Row], prices: Sequence[Mapping[str, Any]]
) -> Letter:
    """What the new system does not know as the old one does, one line each."""
    tongue = TEXTS[spoken(language)]
    none = tongue["none"][1]
    lines = [
        tongue["user"][1].format(
            token=masked(str(row["token"])),
            expected=f"{row['expected_group'] or none} / {row['expected_status']}",
            found=f"{row['found_group'] or none} / {row['found_status'] or none}",
        )
        for row in lacks
    ]
    lines += [
        tongue["price"][1].format(site=row["site"], tariff=row["tariff_id"], version=row["version"]) for row in prices
    ]
    return _letter("incomplete", language, name=name, payee=payee, lines="\n".join(lines))
