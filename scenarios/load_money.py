"""What money, currencies and the names of partners' calls may be in a scenario with an upgrade.

Pure. Each rule raises BadInput with the key path; none may repair anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from scenarios.model import Scenario
from scenarios.model_types import DecimalText
from scenarios.model_upgrade import PartnerFault, Upgrade
from sim.errors import need
from sim.partners.bank import Bank
from sim.partners.faults import REQUEST_FAULTS
from sim.partners.mailbox import Mailbox
from sim.partners.party import Party
from sim.partners.riverty import Riverty
from sim.partners.stripe import Stripe

TWO_DECIMALS = ("AUD", "BGN", "CAD", "CHF", "CZK", "DKK", "EUR", "GBP", "HUF", "NOK", "NZD", "PLN", "RON", "SEK", "USD")
"""Currencies (ISO 4217) whose minor unit is a hundredth. Bills are kept in hundredths, so no other can be billed."""
_PARTIES: Mapping[str, Callable[[object], Party]] = {
    "stripe": Stripe,
    "riverty": Riverty,
    "bank": Bank,
    "mailbox": Mailbox,
}


def judge_money(scenario: Scenario, upgrade: Upgrade, file: str) -> None:
    """Currencies that can be billed, amounts of whole minor units, and nothing said of a currency that nobody sells in."""
    judge_currency(upgrade.currency, file, "upgrade.currency")
    for number, item in enumerate(upgrade.items):
        _amount(item.net, file, f"upgrade.items[{number}].net")
    for name, seller in scenario.sellers.items():
        for currency in seller.ibans:
            judge_currency(currency, file, f"sellers.{name}.ibans.{currency}")
    sold = sorted({owner.currency for owner in scenario.owners.values()})
    for key in ("holds", "catch_up_per_day", "dispute_goodwill"):
        amounts: Mapping[str, DecimalText] = getattr(upgrade, key)
        for currency, amount in amounts.items():
            place = f"upgrade.{key}.{currency}"
            need(currency in sold, file, place, f"no owner sells in {currency!r}", ", ".join(sold))
            _amount(amount, file, place)
    for currency in sold:
        said = not upgrade.holds or currency in upgrade.holds
        need(said, file, "upgrade.holds", f"nothing is said of {currency}", f"an amount for each of {', '.join(sold)}")
    need(upgrade.disputes >= 0, file, "upgrade.disputes", f"{upgrade.disputes} is negative", "0 or more")
    fits = 0 <= upgrade.disputes_won <= upgrade.disputes
    need(fits, file, "upgrade.disputes_won", f"{upgrade.disputes_won} is no part", f"0 to {upgrade.disputes}")


def judge_pattern(fault: PartnerFault, file: str, place: str) -> None:
    """The pattern `api` of a fault: it hits a call that the partner takes, or an event that it sends."""
    party = _PARTIES[fault.partner](0)
    asked = fault.kind in REQUEST_FAULTS
    names = party.apis if asked else party.events
    what = "calls" if asked else "events"
    need(bool(names), file, f"{place}.kind", f"{fault.partner} sends no events", ", ".join(REQUEST_FAULTS))
    hit = any(fnmatchcase(name, fault.api) for name in names)
    need(hit, file, f"{place}.api", f"{fault.api!r} fits none of the {what} of {fault.partner}", ", ".join(names))


def judge_currency(currency: str, file: str, place: str) -> None:
    """A currency whose minor unit is a hundredth."""
    problem = f"{currency!r} is no currency that can be billed here"
    need(currency in TWO_DECIMALS, file, place, problem, f"one with two decimals: {', '.join(TWO_DECIMALS)}")


def _amount(amount: DecimalText, file: str, place: str) -> None:
    value = amount.value
    whole = value.is_finite() and value >= 0 and value * 100 == int(value * 100)
    need(whole, file, place, f"{amount!r} is no amount of money", 'at least 0 with two decimals, such as "119.00"')
