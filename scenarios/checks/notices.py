"""What owners and drivers were told of a wave: once, in time, and the truth (INV-25, M13).

A notice is judged by the words of its mail. What its writer says about it (`meta`) only tells which notice a mail takes
back. The day is the one on which a station was really sent over, not the one on anybody's desk.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from scenarios.checks.registry import Judge, check
from scenarios.checks.upgrade_plan import (
    PlannedOwner,
    PlannedUpgrade,
    PlannedWave,
    days_between,
    local_day,
    midnight,
    says_account,
    says_day,
    says_word,
    upgrade_of,
    written,
)
from sim.clock import DAY
from sim.evidence.reader import Evidence, line, note
from sim.evidence.upgrade_views import Mail
from sim.evidence.views import MoveState

NOTICE, VOID, DRIVER = "upgrade-notice", "upgrade-notice-void", "driver-notice"
TO_OWNERS = (NOTICE, VOID, "onboarding-invitation", "onboarding-reminder", "set-up-incomplete")
VOID_WITHIN = DAY
"""By when a notice is taken back after its day was given up, ms."""


@check(
    "INV-25",
    sentence="each owner of a wave got exactly one valid notice of it in due time before the actual day, and it is true",
    planes=("truth", "run", "plan"),
    needs=("partner_mails",),
)
def one_valid_notice(evidence: Evidence, judge: Judge) -> None:
    """Every owner of every wave: notices that were delivered and not taken back, against the day of the first switch."""
    upgrade = upgrade_of(evidence)
    if upgrade is None:
        return
    for wave in upgrade.waves:
        for name in wave.owners:
            judge.examined()
            _judge_owner(evidence, judge, upgrade, wave, upgrade.owners[name])


def _judge_owner(
    evidence: Evidence, judge: Judge, upgrade: PlannedUpgrade, wave: PlannedWave, owner: PlannedOwner
) -> None:
    actual = _actual_day(evidence, wave, owner)
    if actual is None:
        judge.unknown(f"no station of {owner.owner} in wave {wave.wave} was ever sent over")
        return
    mails = [one for one in _delivered(evidence, owner) if _meta(one).get("wave") in (None, wave.wave)]
    voids = [one for one in mails if one.kind == VOID]
    taken_back = {str(_meta(one).get("notice")): one for one in reversed(voids)}
    notices = [one for one in mails if one.kind == NOTICE]
    valid = [one for one in notices if not _voided(one, taken_back)]
    for one in notices:
        void = _voided(one, taken_back)
        problem = _wrong_void(wave, owner, one, void, upgrade.sites) if void is not None else ""
        if void is not None and problem:
            judge.fail("customer", owner.owner, f"wave {wave.wave}: {problem}", line(one), line(void))
    if len(valid) != 1:
        sentence = f"wave {wave.wave} took place on {actual}, and {len(valid)} notices of it are valid"
        judge.fail("customer", owner.owner, sentence, *map(line, notices), *map(line, voids), *_moves(evidence, owner))
        return
    sites = wrong_sites(valid[0].text or "", wave, owner.sites, upgrade.sites)
    problems = [_wrong_time(upgrade, owner, valid[0], actual), *_untrue(upgrade, owner, valid[0], actual), sites]
    for problem in filter(None, problems):
        judge.fail("customer", owner.owner, f"wave {wave.wave}: the notice {problem}", line(valid[0]))


def wrong_sites(text: str, wave: PlannedWave, mine: Sequence[str], everywhere: Sequence[str]) -> str:
    """How a text does not name those of these sites that move in a wave, all of them and no other; empty if it does."""
    due = [site for site in mine if site in wave.sites]
    named = [site for site in everywhere if says_word(text, site)]
    if named == [site for site in everywhere if site in due]:
        return ""
    return f"names {', '.join(named) or 'no site'}, and {', '.join(due)} is what moves"


def _delivered(evidence: Evidence, owner: PlannedOwner) -> list[Mail]:
    """What has reached an owner at any of their addresses, in order."""
    found = [one for one in evidence.read(Mail) if one.to in owner.addresses and one.state == "delivered"]
    return sorted(found, key=_arrival)


def _arrival(mail: Mail) -> int:
    return mail.at if mail.delivered_at is None else mail.delivered_at


def _meta(mail: Mail) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(mail.meta or "{}")
    return found


def _voided(notice: Mail, taken_back: dict[str, Mail]) -> Mail | None:
    """The first mail after this notice that takes it back."""
    void = taken_back.get(str(_meta(notice).get("notice")))
    return void if void is not None and _arrival(void) >= _arrival(notice) else None


def _moves(evidence: Evidence, owner: PlannedOwner) -> list[Any]:
    """The row of the first switch at a site of an owner, as evidence."""
    first = next(
        (one for one in evidence.read(MoveState) if one.state == "SWITCH_SENT" and one.site in owner.sites), None
    )
    return [line(first)] if first is not None else []


def _actual_day(evidence: Evidence, wave: PlannedWave, owner: PlannedOwner) -> str | None:
    """The day on which the first station of this owner's sites in this wave was sent over, by the owner's clocks."""
    sites = [site for site in owner.sites if site in wave.sites]
    sent = [one.at for one in evidence.read(MoveState) if one.state == "SWITCH_SENT" and one.site in sites]
    return local_day(min(sent), owner.zone) if sent else None


def _wrong_void(wave: PlannedWave, owner: PlannedOwner, notice: Mail, void: Mail, all_sites: Sequence[str]) -> str:
    """A notice is taken back because its day was given up after it was sent, soon, and by name."""
    for (day, _), (_, decided) in zip(wave.announced, wave.announced[1:], strict=False):
        if not says_day(notice.text or "", day, owner.language) or decided < notice.at:
            continue
        if not says_day(void.text or "", day, owner.language):
            return f"a notice is taken back, and the mail does not name {day}"
        sites = wrong_sites(void.text or "", wave, owner.sites, all_sites)
        if sites:
            return f"the mail that takes a notice back {sites}"
        late = _arrival(void) > min(decided + VOID_WITHIN, midnight(day, owner.zone))
        return f"the notice of {day} was taken back too late" if late else ""
    return "a notice was taken back whose day was never given up"


def _wrong_time(upgrade: PlannedUpgrade, owner: PlannedOwner, notice: Mail, actual: str) -> str:
    days = days_between(local_day(_arrival(notice), owner.zone), actual)
    if upgrade.least_days <= days <= upgrade.most_days:
        return ""
    return f"came {days} days before {actual}, and not between {upgrade.least_days} and {upgrade.most_days}"


def _untrue(upgrade: PlannedUpgrade, owner: PlannedOwner, notice: Mail, actual: str) -> list[str]:
    """What the text does not say, or says wrongly: day, payee, account, terms, link, and the language of it all."""
    text, new = notice.text or "", upgrade.new_seller
    payee = str(upgrade.sellers.get(new, {}).get("name") or new)
    iban, terms = upgrade.account(new, actual), upgrade.terms(owner, actual)
    link = f"{upgrade.portal}/onboarding/{owner.owner}"
    problems = []
    if notice.language != written(owner.language):
        problems.append(f"is written in {notice.language}, and the owner reads {written(owner.language)}")
    if not says_day(text, actual, owner.language):
        problems.append(f"does not name the day {actual} in the words of {written(owner.language)}")
    if not says_word(text, payee):
        problems.append(f"does not name the payee {payee}")
    if iban is not None and not says_account(text, iban):
        problems.append(f"does not name the account {iban}")
    if terms is not None and not says_word(text, terms):
        problems.append(f"does not name the terms {terms}")
    if not says_word(text, link):
        problems.append(f"does not hold the link {link}")
    return problems


@check(
    "M13",
    sentence="each owner and driver of a wave got what was announced to them once, and no mail has the old bank details",
    planes=("run", "plan"),
    needs=("partner_mails",),
)
def told_once(evidence: Evidence, judge: Judge) -> None:
    """Notices per customer, wave and announced day; the old account in any mail of the upgrade. Nobody opts out here."""
    upgrade = upgrade_of(evidence)
    if upgrade is None:
        return
    by_address: dict[str, list[Mail]] = {}
    for mail in sorted(evidence.read(Mail), key=_arrival):
        if mail.state == "delivered":
            by_address.setdefault(mail.to, []).append(mail)
    for wave in upgrade.waves:
        for name in wave.owners:
            owner = upgrade.owners[name]
            mine = [one for address in owner.addresses for one in by_address.get(address, ())]
            judge.examined()
            _once(judge, wave, name, owner.language, [one for one in mine if one.kind == NOTICE])
            _voided_once(judge, name, [one for one in mine if one.kind == VOID])
        for driver in upgrade.drivers:
            if any(site in wave.sites for site in driver["sites"]):
                told = [one for one in by_address.get(driver["email"], ()) if one.kind == DRIVER]
                judge.examined()
                _once(judge, wave, driver["customer"], driver["language"], told)
                for mail in (one for one in told if says_day(one.text or "", wave.day, driver["language"])):
                    problem = wrong_sites(mail.text or "", wave, driver["sites"], upgrade.sites)
                    if problem:
                        judge.fail(
                            "customer", driver["customer"], f"wave {wave.wave}: told a mail that {problem}", line(mail)
                        )
    for mail in evidence.read(Mail):
        if mail.kind in (*TO_OWNERS, DRIVER):
            for iban in upgrade.accounts(upgrade.old_seller):
                if says_account(f"{mail.subject or ''} {mail.text or ''}", iban):
                    judge.fail("customer", mail.to, f"a mail of the kind {mail.kind} names {iban}", line(mail))


def _once(judge: Judge, wave: PlannedWave, customer: str, language: str, mails: list[Mail]) -> None:
    """One mail for the day that holds, before it begins, and at most one for each day that did not hold."""
    days = [day for day, _ in wave.announced]
    about = {day: [one for one in mails if _about(one, day, days, language)] for day in days}
    for day, found in about.items():
        if len(found) > 1:
            sentence = f"wave {wave.wave}: {len(found)} mails of the kind {found[0].kind} about {day}"
            judge.fail("customer", customer, sentence, *map(line, found))
    if not about[wave.day]:
        sentence = f"wave {wave.wave}: nobody told this customer of {wave.day}"
        judge.fail("customer", customer, sentence, _of_plan(wave, customer), *map(line, mails))
    for one in about[wave.day]:
        if _arrival(one) >= wave.begins_at:
            judge.fail("customer", customer, f"wave {wave.wave}: told when it had begun already", line(one))


def _about(mail: Mail, day: str, days: list[str], language: str) -> bool:
    """Whether a mail is about this day: it may name an earlier one besides, which it replaces."""
    named = [one for one in days if says_day(mail.text or "", one, language)]
    return bool(named) and named[-1] == day


def _of_plan(wave: PlannedWave, customer: str) -> Any:
    return note("plan", "upgrade", wave=wave.wave, day=wave.day, customer=customer)


def _voided_once(judge: Judge, owner: str, voids: list[Mail]) -> None:
    seen: dict[str, Mail] = {}
    for one in voids:
        name = str(_meta(one).get("notice"))
        if name in seen:
            judge.fail("customer", owner, f"the notice {name} was taken back twice", line(seen[name]), line(one))
        seen.setdefault(name, one)
