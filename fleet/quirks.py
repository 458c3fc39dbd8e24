"""What real stations do beside the standard, as named behaviours with the public threads that report them.

A quirk is a switch that a station's parts ask for; it never holds behaviour itself, and its name never names a vendor.
"""

from __future__ import annotations

from msgspec import Struct


class Quirk(Struct, frozen=True):
    """One behaviour: its neutral name, what the station does, where it was seen, and the versions that can have it."""

    name: str
    what: str
    sources: tuple[str, ...]
    versions: tuple[str, ...] = ("1.6",)


QUIRK_SHOWN = "quirk"
"""The event by which a rig tells that a quirk showed for the first time."""
RESEND_STOP_AFTER_BOOT = "resend-stop-after-boot"
EAGER_STATUS = "eager-status"
END_VALUES_AFTER_STOP = "end-values-after-stop"

QUIRKS: dict[str, Quirk] = {
    quirk.name: quirk
    for quirk in (
        Quirk(
            RESEND_STOP_AFTER_BOOT,
            "sends the StopTransaction of the last transaction once more after a reboot, confirmed or not",
            ("EVerest/libocpp#907",),
        ),
        Quirk(
            EAGER_STATUS,
            "sends a StatusNotification of connector 0 before its BootNotification, once per power-up",
            ("steve-community/steve#136", "EVerest/libocpp#478"),
        ),
        Quirk(
            END_VALUES_AFTER_STOP,
            "sends the Transaction.End sample in a MeterValues after the StopTransaction, with the ended id",
            ("lbbrhzn/ocpp#2075", "evcc-io/evcc#14673"),
        ),
    )
}
