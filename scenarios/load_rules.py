"""What the values of a scenario must mean together: names that exist, times that are possible, shares that add up.

Pure. Each rule raises BadInput with the key path; none may repair anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from scenarios import catalogue, load_money, load_upgrade, load_waves
from scenarios.faults import rules as faults
from scenarios.model import LARGEST, Scenario, Tariff, duration_text, hhmm
from sim.clock import DAY, MINUTE
from sim.errors import BadInput, need, unknown

YEARS = (1970, 2100)
SLOWEST_MS = 60_000
LEAST_APP_SHARE = 0.25
"""At least a quarter of the visits start from an app: a rule of the house, kept by the population of the day, too."""
LONGEST = 31 * DAY
MOST_DAYS = 30
LONGEST_REST = 100 * DAY


_WHERE = {
    "check": "`chargerig list checks`",
    "profile": "`chargerig list profiles`",
    "check in checks.all_of named": "checks.all_of",
}


def judge(scenario: Scenario, file: str) -> None:
    """Raise BadInput for the first rule that the scenario breaks."""
    for rule in (
        _names,
        _day,
        _currencies,
        _tariffs,
        _owners,
        _move,
        _sites,
        _shares,
        load_waves.movable,
        _numbers,
        faults.judge,
        _checks,
    ):
        rule(scenario, file)
    load_upgrade.judge(scenario, file)


def _known(name: str, known: Iterable[str], file: str, place: str, what: str) -> None:
    names = list(known)
    if name not in names:  # the nearest names are worked out for the complaint alone
        raise BadInput(file, place, *unknown(what, name, names, _WHERE.get(what, "")))


def _names(scenario: Scenario, file: str) -> None:
    slug = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", scenario.name)
    need(bool(slug), file, "name", f"{scenario.name!r} cannot name a folder", "lower-case letters, digits and hyphens")
    need(bool(scenario.claims), file, "claims", "nothing is claimed", "at least one sentence")
    sessions = scenario.sessions.file
    packaged = catalogue.session_files()
    found = sessions in packaged or Path(sessions).is_file()
    need(
        found, file, "sessions.file", f"there is no session file {sessions!r}", [*packaged, "or the path of a CSV file"]
    )
    for field in scenario.sessions.columns:
        _known(field, catalogue.session_columns(), file, f"sessions.columns.{field}", "field of a session")


def _day(scenario: Scenario, file: str) -> None:
    day = scenario.day
    first, last = YEARS
    years = f"a date from {first}-01-01 to {last}-12-31"
    need(first <= day.date.year <= last, file, "day.date", f"{day.date} is too far away", years)
    need(1 <= day.days <= MOST_DAYS, file, "day.days", f"{day.days} is out of range", f"from 1 to {MOST_DAYS}")
    fits = day.days * DAY + MINUTE <= day.horizon <= LONGEST
    what = "the day" if day.days == 1 else f"{day.days} days"
    allowed = f"more than {day.days * 24}h, up to 31d"
    need(fits, file, "day.horizon", f"{duration_text(day.horizon)} does not cover {what}", allowed)
    fits = MINUTE <= day.settle <= LONGEST_REST
    need(fits, file, "day.settle", "nothing could come to rest in it", "from 1m to 100d")


def _currencies(scenario: Scenario, file: str) -> None:
    owners = [(f"owners.{name}.currency", owner.currency) for name, owner in scenario.owners.items()]
    tariffs = [(f"tariff[{number}].currency", tariff.currency) for number, tariff in enumerate(scenario.tariff)]
    for place, currency in owners + tariffs:
        load_money.judge_currency(currency, file, place)


def _tariffs(scenario: Scenario, file: str) -> None:
    for number, tariff in enumerate(scenario.tariff):
        place = f"tariff[{number}]"
        need(tariff.prices_include_vat, file, f"{place}.prices_include_vat", "net prices are not rated yet", "true")
        need(tariff.version >= 1, file, f"{place}.version", f"{tariff.version} is no version", "1 or more")
        need(tariff.minimum_wh >= 0, file, f"{place}.minimum_wh", "is negative", "0 or more")
        need(tariff.idle_grace_s >= 0, file, f"{place}.idle_grace_s", "is negative", "0 or more")
        _bands(tariff, file, f"{place}.energy")
        for group, percent in tariff.group_discounts.items():
            _known(group, scenario.groups, file, f"{place}.group_discounts", "group")
            need(percent.value <= 100, file, f"{place}.group_discounts.{group}", f"{percent} % is too much", "0 to 100")
    _versions(scenario, file)


def _versions(scenario: Scenario, file: str) -> None:
    """Of each tariff one version is in force at any time of the day, and a later one has a higher number."""
    last: dict[str, Tariff] = {}
    for number, tariff in enumerate(scenario.tariff):
        place, before = f"tariff[{number}]", last.get(tariff.tariff_id)
        if before is None:
            problem = f"{tariff.tariff_id} has no price when the day begins"
            allowed = "no valid_from, or one before the day, for the first version of a tariff"
            need(tariff.begins <= scenario.day.start, file, f"{place}.valid_from", problem, allowed)
        else:
            problem = f"version {tariff.version} of {tariff.tariff_id} comes after version {before.version}"
            need(tariff.version > before.version, file, f"{place}.version", problem, "a higher one than the one before")
            problem = f"{tariff.tariff_id} {tariff.version} is not valid later than {before.version}"
            need(
                tariff.begins > before.begins, file, f"{place}.valid_from", problem, "a later instant for each version"
            )
            for name in ("currency", "vat_percent"):
                problem = f"{getattr(tariff, name)} is not that of version {before.version}"
                same = getattr(tariff, name) == getattr(before, name)
                need(same, file, f"{place}.{name}", problem, getattr(before, name))
            problem = f"the prices of {tariff.tariff_id} {tariff.version} change at other times of the day than before"
            same = [(b.from_, b.to) for b in tariff.energy] == [(b.from_, b.to) for b in before.energy]
            bands = ", ".join(f"{hhmm(b.from_)}-{hhmm(b.to)}" for b in before.energy)
            allowed = f"the bands of version {before.version} ({bands}), at any prices"
            need(same, file, f"{place}.energy", problem, allowed)
        last[tariff.tariff_id] = tariff


def _bands(tariff: Tariff, file: str, place: str) -> None:
    """The bands cover each minute of the local day exactly once."""
    covered: Counter[int] = Counter()
    for band in tariff.energy:
        end = band.to if band.to > band.from_ else band.to + DAY
        need(
            band.from_ % MINUTE == 0 and band.to % MINUTE == 0, file, place, "a price changes between minutes", "HH:MM"
        )
        covered.update(minute % DAY for minute in range(band.from_, end, MINUTE))
    for minute in range(0, DAY, MINUTE):
        count = covered[minute]
        problem = f"{hhmm(minute)} has {'no price' if not count else f'{count} prices'}"
        need(count == 1, file, place, problem, "bands that cover the day exactly once; the end is exclusive")


def _owners(scenario: Scenario, file: str) -> None:
    tariffs = {tariff.tariff_id: tariff for tariff in scenario.tariff}
    for name, owner in scenario.owners.items():
        _known(owner.tariff, tariffs, file, f"owners.{name}.tariff", "tariff")
        _fits(owner.currency, owner.vat_percent, tariffs[owner.tariff], file, f"owners.{name}")
    for number, name in enumerate(scenario.default_owners):
        _known(name, scenario.owners, file, f"default_owners[{number}]", "owner")
    need(bool(scenario.default_backends), file, "default_backends", "the list is empty", ("legacy", "new"))


def _fits(currency: str, vat_percent: str, tariff: Tariff, file: str, place: str) -> None:
    need(
        tariff.currency == currency,
        file,
        f"{place}.currency",
        f"{currency} is not the currency of {tariff.tariff_id}",
        tariff.currency,
    )
    same = tariff.vat_percent.value == type(tariff.vat_percent)(vat_percent).value
    need(same, file, f"{place}.vat_percent", f"{vat_percent} is not that of {tariff.tariff_id}", tariff.vat_percent)


def _sites(scenario: Scenario, file: str) -> None:
    tariffs = {tariff.tariff_id: tariff for tariff in scenario.tariff}
    for name, site in scenario.sites.items():
        place = f"sites.{name}"
        _known(site.owner, scenario.owners, file, f"{place}.owner", "owner")
        if site.tariff:
            owner = scenario.owners[site.owner]
            _known(site.tariff, tariffs, file, f"{place}.tariff", "tariff")
            _fits(owner.currency, owner.vat_percent, tariffs[site.tariff], file, f"owners.{site.owner}")
        if site.profile:
            _known(site.profile, catalogue.profiles(), file, f"{place}.profile", "profile")
        moves = scenario.move is not None and scenario.move.site == name
        moves = moves or any(name in wave.sites for wave in scenario.wave)
        need(
            moves or site.backend != "move",
            file,
            f"{place}.backend",
            "only the site named by move.site, or by a wave, can move",
            "'legacy', 'new', or 'move' for that site",
        )


def _shares(scenario: Scenario, file: str) -> None:
    profiles = scenario.fleet.profiles
    for name in profiles:
        _known(name, catalogue.profiles(), file, f"fleet.profiles.{name}", "profile")
    _sums(profiles, file, "fleet.profiles")
    for name, part in scenario.groups.items():
        need(0 <= part <= 1, file, f"groups.{name}", f"{part} is no share", "a number from 0 to 1")
    total = sum(scenario.groups.values())
    need(
        total <= 1 + 1e-9, file, "groups", f"the shares add up to {total:g}", "at most 1; the rest belongs to no group"
    )
    share = scenario.app.share
    problem = f"{share} is no share, or too small: at least a quarter of the visits must start from an app"
    need(LEAST_APP_SHARE <= share <= 1, file, "app.share", problem, f"a number from {LEAST_APP_SHARE} to 1")


def _sums(shares: Mapping[str, float], file: str, place: str) -> None:
    for name, share in shares.items():
        need(0 <= share <= 1, file, f"{place}.{name}", f"{share} is no share", "a number from 0 to 1")
    total = sum(shares.values())
    need(abs(total - 1) < 1e-9, file, place, f"the shares add up to {total:g}", "exactly 1")


def _move(scenario: Scenario, file: str) -> None:
    move = scenario.move
    need(move is None or not scenario.wave, file, "wave", "there is a [move] as well", "either [move] or [[wave]]")
    if scenario.wave:
        load_waves.judge(scenario, file)
    elif move is None:
        moving = [name for name, site in scenario.sites.items() if site.backend == "move"]
        need(not moving, file, "move", f"{moving[:1]} is to move and nothing says how", "a table [move]")
    if move is None:
        return
    if move.site != LARGEST:
        _known(move.site, [*scenario.sites, LARGEST], file, "move.site", "site")
        at_new = scenario.sites[move.site].backend == "new"
        need(
            not at_new, file, "move.site", f"{move.site} is at the new back-end already", "a site at 'legacy' or 'move'"
        )
    need(
        move.deadline > move.start,
        file,
        "move.deadline",
        f"{hhmm(move.deadline)} is not after {hhmm(move.start)}",
        "a time of the same day after move.start",
    )
    for name, least in (("pace", 1), ("drain_timeout", 0), ("stuck_after", 1), ("probation", 0)):
        length = getattr(move, name)
        need(length >= least, file, f"move.{name}", "has no length", "a duration such as 10m")
        need(length <= LONGEST, file, f"move.{name}", "is longer than any day", "a duration of up to 31d")


def _numbers(scenario: Scenario, file: str) -> None:
    for name, least in (("heartbeat_s", 1), ("sample_s", 1), ("aligned_s", 0), ("connectors", 1), ("power_w", 1)):
        value = getattr(scenario.fleet, name)
        need(value >= least, file, f"fleet.{name}", f"{value} is too small", f"{least} or more")
    low, high = scenario.network.latency_ms
    fits = 0 <= low <= high <= SLOWEST_MS
    allowed = f"[low, high] with 0 <= low <= high <= {SLOWEST_MS}"
    need(fits, file, "network.latency_ms", f"{low} to {high} is no range that a network could have", allowed)
    for name in scenario.budgets.__struct_fields__:
        need(getattr(scenario.budgets, name) >= 0, file, f"budgets.{name}", "is negative", "0 or more")


def _checks(scenario: Scenario, file: str) -> None:
    known = catalogue.checks()
    need(
        bool(scenario.checks.all_of),
        file,
        "checks.all_of",
        "nothing is checked",
        "names of checks, see `chargerig list checks`",
    )
    for number, name in enumerate(scenario.checks.all_of):
        _known(name, known, file, f"checks.all_of[{number}]", "check")
    for number, claim in enumerate(scenario.claims):
        for name in claim.checks:
            _known(name, scenario.checks.all_of, file, f"claims[{number}].checks", "check in checks.all_of named")
