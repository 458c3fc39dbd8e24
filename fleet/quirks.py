"""What real stations do beside the standard, as named behaviours with the public threads that report them.

The names stand in quirks.toml. A quirk is a switch that a station's parts, or its edge, ask for; it never holds behaviour
itself, and its name never names a vendor.
"""

from __future__ import annotations

import tomllib
from importlib import resources

import msgspec
from msgspec import Struct


class Quirk(Struct, frozen=True, forbid_unknown_fields=True):
    """One behaviour: its neutral name, what the station does, where it was seen, and the versions that can have it.

    `seen_as` are its numbers in the list of field reports. `misreports`: what such a station says of a session is not so,
    and a back-end does right to hold it.
    """

    name: str
    what: str
    sources: tuple[str, ...]
    versions: tuple[str, ...] = ("1.6",)
    seen_as: tuple[str, ...] = ()
    misreports: bool = False


MISREPORTED = "misreported"
"""Harm to a session of which its station does not say what is so."""
QUIRK_SHOWN = "quirk"
"""The event by which a rig tells that a quirk showed for the first time."""
RESEND_STOP_AFTER_BOOT = "resend-stop-after-boot"
EAGER_STATUS = "eager-status"
END_VALUES_AFTER_STOP = "end-values-after-stop"
BOOTS_ON_RECONNECT = "boots-on-reconnect"
SLOW_REGISTRATION = "slow-registration"
CLOCK_AT_2014 = "clock-at-2014-after-boot"
CLOCK_AT_1970 = "clock-at-1970-after-boot"
FORGETS_TRANSACTION = "forgets-transaction-at-power-loss"
NO_REDIAL_AFTER_POWER_LOSS = "no-redial-after-power-loss"


def _read() -> dict[str, Quirk]:
    text = (resources.files("fleet") / "quirks.toml").read_text("utf-8")
    rows = msgspec.convert(tomllib.loads(text)["quirk"], list[Quirk])
    return {quirk.name: quirk for quirk in rows}


QUIRKS: dict[str, Quirk] = _read()
"""Every quirk by its name."""
