"""The people of the day and what they hold: token, mobile number, customer id, group, EV.

Names and numbers are invented from the seed, one random stream per person, so that one person more changes nobody else.
No two people may share a token, a mobile number or a customer id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from msgspec import Struct

from sim.rng import stream

FAST_FROM_W = 43_000
"""From this power on a connector is a fast one, where the EV's other socket counts."""
_AC_W = (3_680, 4_600, 6_600, 7_200, 7_400, 11_000, 22_000)
_AC_WEIGHTS = (2, 1, 5, 6, 4, 6, 1)
_FAST_W = (36_000, 43_000, 50_000, 75_000, 120_000)
_FAST_WEIGHTS = (2, 3, 6, 4, 2)


class Driver(Struct, frozen=True, kw_only=True):
    """One person. `contract`: holds a card and an account; guests have the app only and are their own customer.

    `app_percent` is how often they start from the app; `ac_w` and `fast_w` are what their EV draws at most.
    """

    driver: str
    token: str
    mobile: str
    customer: str
    group: str
    contract: bool
    status: str
    app_percent: int
    ac_w: int
    fast_w: int

    def draws(self, limit_w: int) -> int:
        """What the EV would draw at a connector of this power, W."""
        return min(limit_w, self.fast_w if limit_w >= FAST_FROM_W else self.ac_w)


class Registry:
    """Makes people, each once, and keeps what must be unique unique."""

    def __init__(self, seed: int, groups: Mapping[str, float]) -> None:
        self._seed = seed
        self._groups = dict(sorted(groups.items()))
        self._taken: dict[str, str] = {}
        self._people: list[Driver] = []

    def everybody(self) -> tuple[Driver, ...]:
        """All people made so far, in the order they were made."""
        return tuple(self._people)

    def contract(self, name: str, country: str, status: str = "Accepted") -> Driver:
        """A person with a card (RFID, 4 or 7 bytes as hex), an account and a group drawn by its share."""
        chance = stream(self._seed, "person", name)
        width = 8 if chance.random() < 0.4 else 14
        token = self._unique(name, lambda: f"{chance.getrandbits(width * 4):0{width}X}")
        return self._keep(
            driver=name,
            token=token,
            mobile=self._unique(name, lambda: mobile_number(country, chance)),
            customer=self._unique(name, lambda: f"C{chance.randrange(100_000, 1_000_000)}"),
            group=chance.choices(tuple(self._groups), tuple(self._groups.values()))[0],
            contract=True,
            status=status,
            app_percent=80 if chance.random() < 0.25 else 10,
            chance=chance,
        )

    def guest(self, name: str, country: str, group: str) -> Driver:
        """A person without a card: starts from the app under a token of their own, and is their own customer."""
        chance = stream(self._seed, "person", name)
        token = self._unique(name, lambda: f"GUEST-{chance.getrandbits(32):08X}")
        return self._keep(
            driver=name,
            token=token,
            mobile=self._unique(name, lambda: mobile_number(country, chance)),
            customer=token,
            group=group,
            contract=False,
            status="Accepted",
            app_percent=100,
            chance=chance,
        )

    def _keep(
        self,
        *,
        driver: str,
        token: str,
        mobile: str,
        customer: str,
        group: str,
        contract: bool,
        status: str,
        app_percent: int,
        chance: Random,
    ) -> Driver:
        person = Driver(
            driver=driver,
            token=token,
            mobile=mobile,
            customer=customer,
            group=group,
            contract=contract,
            status=status,
            app_percent=app_percent,
            ac_w=chance.choices(_AC_W, _AC_WEIGHTS)[0],
            fast_w=chance.choices(_FAST_W, _FAST_WEIGHTS)[0],
        )
        self._people.append(person)
        return person

    def _unique(self, owner: str, draw: Callable[[], str]) -> str:
        while True:
            value = draw()
            if value not in self._taken:
                self._taken[value] = owner
                return value


def mobile_number(country: str, chance: Random) -> str:
    """An invented mobile number in international form: +47 4... for Norway, +49 15... for everywhere else."""
    if country.upper() == "NO":
        return f"+474{chance.randrange(10**7):07d}"
    return f"+4915{chance.randrange(10**9):09d}"
