"""The preflight: what the new back-end does not know as the old one does is found, told, mended, and looked at again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import Announced
from sim.clock import DAY, parse_iso
from sim.machine import Command

AFTER = "2024-04-20T00:00:00Z"
DRIVERS = [
    {"customer": f"cust-own-{n}", "email": f"d{n}@driver.example", "language": "nb", "sites": [f"site-{n}"]}
    for n in (1, 2)
]


def user(n: int, group: str | None = "staff", **more: Any) -> dict[str, Any]:
    return {"token": f"TOK-own-{n}", "status": "Accepted", "group": group, "customer": f"cust-own-{n}", **more}


def played(town: Any, owner: Any, plan: Any, *later: Announced, parts: DeskParts | None = None, **more: Any) -> Any:
    """Two owners; the new back-end does not know the group of the first one's user."""
    owners = [owner(1, lacks=(user(1),)), owner(2)]
    given = {"new_users": [user(1, None), user(2)], **more}
    return town(plan(owners, *later, drivers=DRIVERS), parts, **given)


def test_a_group_that_the_new_back_end_was_not_told_is_found_told_and_mended_before_the_notice(
    town: Any, owner: Any, plan: Any
) -> None:
    play = played(town, owner, plan).until(AFTER)
    (mail,) = play.mails("set-up-incomplete")
    lack = {"token": "TOK-own-1", "expected_group": "staff", "found_group": None}
    assert mail["to"] == "post@fjord1.example" and mail["meta"]["owner"] == "own-1"
    assert [{name: row[name] for name in lack} for row in mail["meta"]["lacks"]] == [lack]
    assert "••••wn-1" in mail["text"] and "TOK-own-1" not in mail["text"] and "staff" in mail["text"]
    checks = [(row["owner"], [one["token"] for one in row["data"]["lacks"]]) for row in play.notes("preflight")]
    assert [one for one in checks if one[0] == "own-2"] == [("own-2", [])]
    own = [tokens for name, tokens in checks if name == "own-1"]
    assert own[0] == ["TOK-own-1"] and own[-1] == [] and len(own) <= 3
    (mended,) = play.notes("set-up-mended")
    assert mended["data"] == {"tokens": ["TOK-own-1"]} and mended["at"] >= mail["delivered_at"] + DAY
    assert play.notes("preflight")[-1]["at"] < play.notes("notice")[0]["at"]
    rows = {row["token"]: row["group"] for row in play.ask("new", Command("export", {"what": "users"}))["rows"]}
    assert rows == {"TOK-own-1": "staff", "TOK-own-2": "staff"}


def test_what_nobody_mends_is_looked_at_daily_and_told_again_every_third_day_until_the_wave(
    town: Any, owner: Any, plan: Any
) -> None:
    play = played(town, owner, plan, new_users=[user(2, "guests")]).until(AFTER)
    looks = [row["at"] for row in play.notes("preflight", "own-2")]
    assert len(looks) == 17 and all(DAY - 1000 <= b - a <= DAY + 1000 for a, b in pairwise(looks))
    mails = [mail for mail in play.mails("set-up-incomplete") if mail["meta"]["owner"] == "own-2"]
    assert len(mails) == 6 and looks[-1] < parse_iso("2024-04-16T05:00:00Z")
    assert [row["found_group"] for row in mails[0]["meta"]["lacks"]] == ["guests"]


def test_a_user_who_is_missing_or_has_another_status_is_found(town: Any, owner: Any, plan: Any) -> None:
    play = played(town, owner, plan, new_users=[user(2, status="Blocked")]).until("2024-03-31T00:00:00Z")
    found = {row["owner"]: row["data"]["lacks"] for row in play.notes("preflight")}
    shown = {name: [(row["found_group"], row["found_status"]) for row in rows] for name, rows in found.items()}
    assert shown == {"own-1": [(None, None)], "own-2": [("staff", "Blocked")]}


def test_a_price_that_is_another_one_is_found_for_the_sites_of_its_owner(
    town: Any, owner: Any, plan: Any, tariff: Any
) -> None:
    play = played(town, owner, plan, new_tariffs=[{**tariff, "version": 2}]).until("2024-03-31T00:00:00Z")
    found = {row["owner"]: row["data"]["prices"] for row in play.notes("preflight")}
    price = {"tariff_id": "ac", "version": 1}
    assert found == {"own-1": [{"site": "site-1", **price}], "own-2": [{"site": "site-2", **price}]}
    assert any("site-2" in mail["text"] for mail in play.mails("set-up-incomplete"))


def test_a_wave_that_is_put_off_is_looked_at_again(town: Any, owner: Any, plan: Any) -> None:
    later = Announced("2024-05-07", parse_iso("2024-04-10T08:00:00Z"))
    play = played(town, owner, plan, later).until("2024-05-10T00:00:00Z")
    days = sorted({row["at"] // DAY for row in play.notes("preflight", "own-2")})
    assert days == [parse_iso(f"{day}T00:00:00Z") // DAY for day in ("2024-03-30", "2024-04-20")]


def test_without_the_preflight_nobody_would_ever_know(town: Any, owner: Any, plan: Any) -> None:
    """What the decision `ask_preflight` is for."""
    play = played(town, owner, plan, parts=DeskParts(ask_preflight=lambda wave: False)).until(AFTER)
    assert play.notes("preflight") == [] == play.mails("set-up-incomplete") == play.notes("set-up-mended")


def test_a_user_concerns_the_sites_of_the_token_then_those_of_the_customer_else_everybody(
    town: Any, owner: Any, plan: Any
) -> None:
    limited, unknown = user(3, sites=["site-2"]), user(4)
    more = [limited, unknown]
    play = played(town, owner, plan, new_users=[user(1), user(2)], old_users=[user(1), user(2), *more])
    found = {row["owner"]: row["data"]["lacks"] for row in play.until("2024-03-31T00:00:00Z").notes("preflight")}
    named = {name: [row["token"] for row in rows] for name, rows in found.items()}
    assert named == {"own-1": ["TOK-own-4"], "own-2": ["TOK-own-3", "TOK-own-4"]}
