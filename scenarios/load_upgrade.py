"""What the business half of a scenario must mean: sellers, owners with company and onboarding, days, partners' faults.

Pure. Each rule raises BadInput with the key path; none may repair anything.
"""

from __future__ import annotations

import datetime

from scenarios import working_days
from scenarios.load_money import judge_money, judge_pattern
from scenarios.model import Owner, Scenario, Wave, duration_text, hhmm, local_instant
from scenarios.model_upgrade import PartnerFault, Upgrade
from sim.clock import DAY
from sim.errors import need
from sim.partners.faults import REQUEST_FAULTS, WEBHOOK_FAULTS
from sim.partners.iban import iban_problem

_LONGEST_PREFIX = 8
"""Characters: a whole number of an invoice has at most 18 then (`reference_csms.billing.terms`)."""
_RESUMED = ("interrupted", "clerk-then-board", "late")


def judge(scenario: Scenario, file: str) -> None:
    """Raise BadInput for the first rule that the business half breaks."""
    if scenario.upgrade is None:
        _nothing_of_it(scenario, file)
        return
    upgrade = scenario.upgrade
    need(bool(scenario.wave), file, "upgrade", "nothing moves in waves", "at least one [[wave]]")
    _sellers(scenario, upgrade, file)
    judge_money(scenario, upgrade, file)
    _days(scenario, upgrade, file)
    for name, owner in scenario.owners.items():
        _owner(scenario, upgrade, name, owner, file)
    for number, wave in enumerate(scenario.wave):
        _rescheduled(scenario, upgrade, wave, file, f"wave[{number}]")
    for number, fault in enumerate(scenario.partner_fault):
        _partner_fault(scenario, fault, file, f"partner_fault[{number}]")
    names = [fault.id for fault in scenario.partner_fault if fault.id]
    twice = next((name for name in names if names.count(name) > 1), "")
    need(not twice, file, "partner_fault", f"the id {twice!r} is there twice", "one fault for each id")
    https = upgrade.portal.startswith("https://")
    need(https, file, "upgrade.portal", f"{upgrade.portal!r} is no address of a page", "an address with https://")


def _nothing_of_it(scenario: Scenario, file: str) -> None:
    for place, there in (("sellers", scenario.sellers), ("partner_fault", scenario.partner_fault)):
        need(not there, file, place, "there is no table [upgrade] that it belongs to", "a table [upgrade]")
    for number, wave in enumerate(scenario.wave):
        place = f"wave[{number}].rescheduled"
        need(wave.rescheduled is None, file, place, "nobody is told of it", "a table [upgrade]")


def _sellers(scenario: Scenario, upgrade: Upgrade, file: str) -> None:
    for key in ("old_seller", "new_seller"):
        name = getattr(upgrade, key)
        known = name in scenario.sellers
        need(known, file, f"upgrade.{key}", f"there is no seller {name!r}", sorted(scenario.sellers) or "[sellers]")
    same = upgrade.old_seller == upgrade.new_seller
    need(not same, file, "upgrade.new_seller", f"{upgrade.new_seller!r} sells already", "another seller")
    prefixes: dict[str, str] = {}
    countries = sorted({owner.country for owner in scenario.owners.values()})
    for name, seller in scenario.sellers.items():
        place = f"sellers.{name}"
        need(name not in scenario.owners, file, place, "an owner has this name", "a name of its own")
        _iban(seller.iban, file, f"{place}.iban")
        for currency, iban in seller.ibans.items():
            _iban(iban, file, f"{place}.ibans.{currency}")
        fits = seller.prefix.isascii() and seller.prefix.isalnum() and len(seller.prefix) <= _LONGEST_PREFIX
        allowed = f"1 to {_LONGEST_PREFIX} letters and digits"
        need(fits, file, f"{place}.prefix", f"{seller.prefix!r} cannot begin a number", allowed)
        other = prefixes.setdefault(seller.prefix, name)
        need(other == name, file, f"{place}.prefix", f"{other} has it too", "a number circle of its own")
        for country in countries:
            known = country in seller.vat
            need(known, file, f"{place}.vat", f"nothing is said of owners in {country}", "a percentage by country")
    need(0 <= upgrade.contract_share <= 1, file, "upgrade.contract_share", "is no share", "a number from 0 to 1")
    need(0 <= upgrade.declined_share <= 1, file, "upgrade.declined_share", "is no share", "a number from 0 to 1")
    need(bool(upgrade.items), file, "upgrade.items", "nothing is sold", "at least one item")


def _days(scenario: Scenario, upgrade: Upgrade, file: str) -> None:
    least, most = upgrade.notice_between
    need(0 < least <= most <= 30, file, "upgrade.notice_between", f"{least} to {most} is no range", "such as [3, 7]")
    fits = least <= upgrade.notice_days <= most
    need(fits, file, "upgrade.notice_days", f"{upgrade.notice_days} is outside", f"{least} to {most}")
    first = scenario.day.date
    last = first + datetime.timedelta(days=int(scenario.day.horizon) // DAY)
    for key in ("invited", "deadline"):
        day = getattr(upgrade, key)
        need(first <= day <= last, file, f"upgrade.{key}", f"{day} is not in the run", f"{first} to {last}")
    need(upgrade.invited < upgrade.deadline, file, "upgrade.deadline", "is not after `invited`", "a later day")


def _owner(scenario: Scenario, upgrade: Upgrade, name: str, owner: Owner, file: str) -> None:
    company, onboarding, place = owner.company, owner.onboarding, f"owners.{name}"
    need(company is not None, file, f"{place}.company", "is missing, and there is an [upgrade]", "a table")
    need(onboarding is not None, file, f"{place}.onboarding", "is missing, and there is an [upgrade]", "a table")
    assert company is not None and onboarding is not None
    _iban(company.iban, file, f"{place}.company.iban")
    if company.wrong_iban:
        _iban(company.wrong_iban, file, f"{place}.company.wrong_iban")
        other = company.wrong_iban != company.iban
        need(other, file, f"{place}.company.wrong_iban", "is the right one", "somebody else's IBAN")
    mails = [(f"{place}.company.email", company.email)]
    mails += [(f"{place}.company.officials[{n}].email", one.email) for n, one in enumerate(company.officials)]
    for where, mail in mails:
        need(mail.count("@") == 1 and mail[0] != "@" != mail[-1], file, where, f"{mail!r} is no address", "name@host")
    need(onboarding.lacks >= 0, file, f"{place}.onboarding.lacks", f"{onboarding.lacks} is negative", "0 or more")
    back, place_back = onboarding.payment_returned, f"{place}.onboarding.payment_returned"
    need(back >= 0, file, place_back, "is negative", "a duration such as 3d, or none")
    parts = {official.part for official in company.officials}
    need("board" in parts, file, f"{place}.company.officials", "nobody is of the board", "at least one part = 'board'")
    for number, official in enumerate(company.officials):
        named = len(official.name.split()) >= 2
        where = f"{place}.company.officials[{number}].name"
        need(named, file, where, f"{official.name!r} is not a first and a last name", "such as 'Kari Holm'")
    fates = onboarding.fates
    need(bool(fates), file, f"{place}.onboarding.fates", "nothing happens", "at least one of them")
    alone = "never" not in fates or len(fates) == 1
    need(alone, file, f"{place}.onboarding.fates", "never goes with nothing else", "never alone")
    for fate, part in (("clerk-then-board", "clerk"), ("finance", "finance")):
        there = fate not in fates or part in parts
        need(there, file, f"{place}.company.officials", f"nobody is there for {fate}", f"one with part = '{part}'")
    wrong = "wrong-account" not in fates or bool(company.wrong_iban)
    need(wrong, file, f"{place}.company.wrong_iban", "is missing for wrong-account", "an IBAN")
    resumes = onboarding.resumes > 0 or not any(fate in fates for fate in _RESUMED)
    need(resumes, file, f"{place}.onboarding.resumes", f"{' and '.join(fates)} need it", "a duration such as 5d")
    done = upgrade.invited + datetime.timedelta(milliseconds=int(onboarding.starts + onboarding.resumes))
    late = "late" in fates
    fits = "never" in fates or late == (done > upgrade.deadline)
    problem = f"it would be done on {done} and the deadline is {upgrade.deadline}"
    allowed = "a time after the deadline" if late else "a time before the deadline, or the fate late"
    need(fits, file, f"{place}.onboarding.resumes", problem, allowed)


def _iban(text: str, file: str, place: str) -> None:
    problem = iban_problem(text)
    need(not problem, file, place, f"{text!r} is no IBAN ({problem})", "country, two check digits, account, no blanks")


def _rescheduled(scenario: Scenario, upgrade: Upgrade, wave: Wave, file: str, place: str) -> None:
    other = wave.rescheduled
    if other is None:
        return
    where = f"{place}.rescheduled"
    need(other.from_ != wave.date, file, f"{where}.from", "is the day of the wave itself", "another day")
    notice = datetime.timedelta(days=upgrade.notice_days)
    need(other.on < other.from_, file, f"{where}.on", f"{other.on} is too late", f"a day before {other.from_}")
    fits = other.on < wave.date - notice
    problem = f"{other.on} leaves no time for a notice {upgrade.notice_days} days before {wave.date}"
    need(fits, file, f"{where}.on", problem, f"a day before {wave.date - notice}")
    for site in wave.sites:
        country = scenario.owners[scenario.sites[site].owner].country
        why = working_days.why_not(other.from_, country)
        need(not why, file, f"{where}.from", f"{other.from_} is {why} in {country}", "a working day")


def _partner_fault(scenario: Scenario, fault: PartnerFault, file: str, place: str) -> None:
    kinds = REQUEST_FAULTS + WEBHOOK_FAULTS
    need(fault.kind in kinds, file, f"{place}.kind", f"there is no fault {fault.kind!r} of a partner", kinds)
    judge_pattern(fault, file, place)
    fits = fault.at.from_ <= fault.at.to
    span = f"{hhmm(fault.at.from_)} to {hhmm(fault.at.to)}"
    need(fits, file, f"{place}.at", f"{span} runs backwards", "from before to, on one day")
    need(fault.lasts > 0, file, f"{place}.lasts", "has no length", "a duration such as 1h")
    need(0 < fault.share <= 100, file, f"{place}.share", f"{fault.share} is no percentage", "1 to 100")
    need(fault.times is None or fault.times > 0, file, f"{place}.times", "hits nothing", "1 or more")
    day = scenario.day
    start = local_instant(fault.date or day.date, fault.at.from_, day.zone)
    latest = local_instant(fault.date or day.date, fault.at.to, day.zone) + int(fault.lasts)
    need(day.start <= start, file, f"{place}.date", f"{fault.date} is before the run", f"{day.date} or later")
    problem = f"{duration_text(fault.lasts)} from then on would not be over a day before the run ends"
    need(latest + DAY <= day.end, file, f"{place}.lasts", problem, "an earlier or shorter one")
