"""The named decisions of the operator's desk, each with its default. A planted bug is one of them replaced.

Pure functions of what was told. None of them may ask anybody or wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sim.backend import Row


def account_key(owner: str, round_: int, tries: int) -> str:
    """The idempotency key of `accounts.create`: the same for all tries, until a look-up showed that nothing was done."""
    return f"account/{owner}/{round_}"


def send_again(arrived: Sequence[Row]) -> bool:
    """Whether a mail whose sending ended in silence is sent once more, by what lies in the mailbox under its id."""
    return not arrived


def in_force(values: Any, day: str) -> str | None:
    """Of dated values [{value, from?}], or a plain text, the one in force on a day; None if there is none."""
    if not values or isinstance(values, str):
        return values or None
    begun = [row for row in values if str(row.get("from") or "") <= day]
    return str(max(begun, key=lambda row: str(row.get("from") or ""))["value"]) if begun else None


def notice_account(old: Mapping[str, Any], new: Mapping[str, Any], day: str) -> str | None:
    """The account that stands in a notice: the new seller's, in force on the day."""
    return in_force(new.get("accounts"), day)


def notice_terms(contract: Mapping[str, Any] | None, seller: Mapping[str, Any], day: str) -> str | None:
    """The version of the terms that hold on the day: the contract's own, else the new seller's."""
    return in_force((contract or {}).get("terms"), day) or in_force(seller.get("terms"), day)


def notify_again(before: str, day: str) -> bool:
    """Whether a wave that was put off is notified for its new day."""
    return True


def void_notice(before: str, day: str) -> bool:
    """Whether the notice of a day that does not hold any more is taken back."""
    return True


def ask_preflight(wave: int) -> bool:
    """Whether both back-ends are compared before a wave."""
    return True


def missing_users(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Users whom the new back-end does not know as the old one does: {token, expected_group, found_group, ...}."""
    known = {str(row["token"]).upper(): row for row in new}
    lacks = []
    for row in old:
        found = known.get(str(row["token"]).upper())
        if found is None or (found["status"], found["group"]) != (row["status"], row["group"]):
            lacks.append(
                {
                    "token": row["token"],
                    "expected_group": row["group"],
                    "found_group": found["group"] if found else None,
                    "expected_status": row["status"],
                    "found_status": found["status"] if found else None,
                }
            )
    return lacks


def missing_prices(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """Sites that have another price at the new back-end, or none."""
    known = {row["site"]: (row["tariff_id"], row["version"]) for row in new}
    return [dict(row) for row in old if known.get(row["site"]) != (row["tariff_id"], row["version"])]


def invite(owner: str) -> bool:
    """Whether an owner who has an account now is asked to set it up."""
    return True


def notice_sites(mine: Sequence[str], wave: Sequence[str]) -> list[str]:
    """The sites that a notice names: those of its owner that move in this wave."""
    return [site for site in mine if site in wave]


def goodwill_amount(gross: int, percent: int) -> int:
    """What a driver who complained gets back of a paid invoice, minor units."""
    return max(1, gross * percent // 100)


def mint_anew(last: str | None) -> bool:
    """Whether somebody who comes gets a link of their own: one works once, and for five minutes."""
    return True


def is_done(account: Mapping[str, Any]) -> bool:
    """Whether an owner is through: `details_submitted` says nothing about money."""
    return bool(account.get("charges_enabled"))


def move_prepaid(rows: Sequence[Row]) -> Sequence[Row]:
    """Days that were paid for and not delivered go to the new seller exactly as they were told."""
    return rows


def contract_end(day: str) -> str:
    """The first day that the old contract does not cover any more."""
    return day


def contract_start(day: str) -> str:
    """The first day of the new contract: that of the move."""
    return day


class DeskParts(Struct, frozen=True, kw_only=True):
    """The decisions of one desk."""

    account_key: Callable[[str, int, int], str] = account_key
    send_again: Callable[[Sequence[Row]], bool] = send_again
    notice_account: Callable[[Mapping[str, Any], Mapping[str, Any], str], str | None] = notice_account
    notice_terms: Callable[[Mapping[str, Any] | None, Mapping[str, Any], str], str | None] = notice_terms
    notify_again: Callable[[str, str], bool] = notify_again
    void_notice: Callable[[str, str], bool] = void_notice
    ask_preflight: Callable[[int], bool] = ask_preflight
    missing_users: Callable[[Sequence[Row], Sequence[Row]], list[Row]] = missing_users
    missing_prices: Callable[[Sequence[Row], Sequence[Row]], list[Row]] = missing_prices
    invite: Callable[[str], bool] = invite
    notice_sites: Callable[[Sequence[str], Sequence[str]], list[str]] = notice_sites
    goodwill_amount: Callable[[int, int], int] = goodwill_amount
    mint_anew: Callable[[str | None], bool] = mint_anew
    is_done: Callable[[Mapping[str, Any]], bool] = is_done
    move_prepaid: Callable[[Sequence[Row]], Sequence[Row]] = move_prepaid
    contract_end: Callable[[str], str] = contract_end
    contract_start: Callable[[str], str] = contract_start
