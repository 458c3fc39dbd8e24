"""What the waves of a scenario must mean: sites that exist and move once, inside one working day, with stations that can.

Pure. Each rule raises BadInput with the key path; none may repair anything.
"""

from __future__ import annotations

import datetime

from fleet.profile import load_profile
from scenarios import working_days
from scenarios.model import LARGEST, Scenario, Wave, duration_text, hhmm
from sim.clock import DAY
from sim.errors import BadInput, need, unknown

LONGEST = 31 * DAY


def judge(scenario: Scenario, file: str) -> None:
    """Raise BadInput for the first rule that a wave breaks."""
    moved: dict[str, int] = {}
    for number, wave in enumerate(scenario.wave):
        place = f"wave[{number}]"
        _times(wave, file, place)
        _within(scenario, wave, file, place)
        if not wave.sites:
            raise BadInput(file, f"{place}.sites", "nothing moves in it", "at least one site")
        for site in wave.sites:
            if site not in scenario.sites:
                raise BadInput(file, f"{place}.sites", *unknown("site", site, scenario.sites))
            if scenario.sites[site].backend == "new":
                problem = f"{site} is at the new back-end already"
                raise BadInput(file, f"{place}.sites", problem, "a site at 'legacy' or 'move'")
            if site in moved:
                raise BadInput(file, f"{place}.sites", f"{site} moves in wave[{moved[site]}] too", "each site once")
            moved[site] = number
            _working_day(scenario, wave, site, file, place)
    left = [name for name, site in scenario.sites.items() if site.backend == "move" and name not in moved]
    if left:
        raise BadInput(file, f"sites.{left[0]}.backend", "it is to move and no wave names it", "a site of a [[wave]]")


def _times(wave: Wave, file: str, place: str) -> None:
    if wave.deadline <= wave.start:
        problem = f"{hhmm(wave.deadline)} is not after {hhmm(wave.start)}"
        raise BadInput(file, f"{place}.deadline", problem, "a time of the same working day after its start")
    for name, least in (("pace", 1), ("drain_timeout", 0), ("stuck_after", 1), ("probation", 0)):
        length = getattr(wave, name)
        if not least <= length <= LONGEST:
            raise BadInput(file, f"{place}.{name}", f"{duration_text(length)} is no length for it", "1ms to 31d")


def _within(scenario: Scenario, wave: Wave, file: str, place: str) -> None:
    first = scenario.day.date
    last = first + datetime.timedelta(days=max(0, (int(scenario.day.horizon) - 1) // DAY))
    if not first <= wave.date <= last:
        raise BadInput(file, f"{place}.date", f"{wave.date} is not in the run", f"{first} to {last}")


def _working_day(scenario: Scenario, wave: Wave, site: str, file: str, place: str) -> None:
    """Weekends and public holidays of the site's own country are no working days (cloudcharge: one working day)."""
    owner = scenario.sites[site].owner
    if owner not in scenario.owners:
        raise BadInput(file, f"sites.{site}.owner", *unknown("owner", owner, scenario.owners))
    country = scenario.owners[owner].country
    if not working_days.known(country):
        problem = f"nothing is known of the holidays of {country!r}, where {site} is"
        raise BadInput(file, f"{place}.date", problem, "an owner in a country by its ISO 3166 code, such as NO or DE")
    why = working_days.why_not(wave.date, country)
    if why:
        problem = f"{wave.date} is {why} in {country}, where {site} is"
        raise BadInput(file, f"{place}.date", problem, "a working day")


def movable(scenario: Scenario, file: str) -> None:
    """A move is written in OCPP 1.6 so far: no station that speaks another version may have its turn."""
    moving = [scenario.move.site, scenario.move.otherwise] if scenario.move is not None else []
    moving += [site for wave in scenario.wave for site in wave.sites]
    anywhere = LARGEST in moving
    own = {name: site.profile for name, site in scenario.sites.items() if name in moving or anywhere}
    places = {f"sites.{name}.profile": profile for name, profile in own.items() if profile}
    if moving and (anywhere or "" in own.values()):
        places |= {f"fleet.profiles.{name}": name for name in scenario.fleet.profiles}
    for place, name in places.items():
        version = load_profile(name).version
        problem = f"{name} speaks OCPP {version}, and only stations of 1.6 can be moved so far"
        need(version == "1.6", file, place, problem, "a profile of 1.6 where a station may move")
