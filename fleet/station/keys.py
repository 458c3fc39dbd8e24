"""The configuration keys of a station: which exist, who may write them, what they may hold, and what they hold now.

Values travel and are kept as texts, as OCPP 1.6 §9 has them; what they mean is parsed once per change. Key names
compare case-insensitively. Nothing here sends anything; whoever must react to a change asks to be told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

MEASURANDS = (
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "Current.Import",
    "Voltage",
    "Power.Offered",
)
"""What the meters of these stations can tell, in the order in which `Metering.values` reads them."""

MAX_VALUE = 500
"""Characters in a configuration value (OCPP 1.6 §5.3)."""

ACCEPTED, REJECTED, REBOOT_REQUIRED, NOT_SUPPORTED = "Accepted", "Rejected", "RebootRequired", "NotSupported"

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_ROTATION = re.compile(r"\d+\.(NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)")


def _integer(low: int, high: int) -> Callable[[str], Any]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\+?\d{1,9}", text):
            raise ValueError("no whole number")
        if not low <= int(text) <= high:
            raise ValueError(f"not between {low} and {high}")
        return int(text)

    return parse


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("neither true nor false")
    return text.lower() == "true"


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",")) if text.strip() else ()


def _measurands(text: str) -> tuple[str, ...]:
    items = _items(text)
    for item in items:
        if item not in MEASURANDS:
            raise ValueError("names a measurand that the meter does not have")
    if len(set(items)) != len(items):
        raise ValueError("names a measurand twice")
    return items


def _rotations(text: str) -> tuple[str, ...]:
    items = _items(text)
    if any(_ROTATION.fullmatch(item) is None for item in items):
        raise ValueError("no list like 1.RST")
    return items


def _times(text: str) -> tuple[int, ...]:
    """Minutes of the UTC day, ascending."""
    items = _items(text)
    if any(_CLOCK.fullmatch(item) is None for item in items):
        raise ValueError("no list of times like 04:00,20:00")
    return tuple(sorted({int(item[:2]) * 60 + int(item[3:]) for item in items}))


def _url(text: str) -> str:
    if not re.fullmatch(r"wss?://[^\s/?#]+[^\s?#]*", text):
        raise ValueError("no ws:// or wss:// address")
    return text


def _slots(text: str) -> tuple[int, ...]:
    items = _items(text)
    if not items or any(item not in ("1", "2") for item in items) or len(set(items)) != len(items):
        raise ValueError("no list of the slots 1 and 2")
    return tuple(int(item) for item in items)


SECONDS = _integer(0, 31_536_000)
FEATURES = "Core,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"
"""The feature profiles that these stations implement (OCPP 1.6 §9.1.24)."""


class Key(Struct, frozen=True):
    """One key: its default text, how a text is read (ValueError if it may not stand here), and who may write it."""

    name: str
    default: str
    parse: Callable[[str], Any]
    writable: bool = True
    at_reboot: bool = False


def _table(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


STANDARD = _table(
    Key("AllowOfflineTxForUnknownId", "false", _boolean),
    Key("AuthorizationCacheEnabled", "true", _boolean),
    Key("AuthorizeRemoteTxRequests", "false", _boolean),
    Key("ChargeProfileMaxStackLevel", "8", _integer(0, 1000), writable=False),
    Key("ChargingScheduleAllowedChargingRateUnit", "Current,Power", _items, writable=False),
    Key("ChargingScheduleMaxPeriods", "24", _integer(1, 1000), writable=False),
    Key("ClockAlignedDataInterval", "0", SECONDS),
    Key("ConnectionTimeOut", "180", SECONDS),
    Key("ConnectorPhaseRotation", "0.Unknown", _rotations),
    Key("GetConfigurationMaxKeys", "50", _integer(1, 1000), writable=False),
    Key("HeartbeatInterval", "300", SECONDS),
    Key("LocalAuthListEnabled", "true", _boolean),
    Key("LocalAuthListMaxLength", "1000", _integer(0, 100_000), writable=False),
    Key("LocalAuthorizeOffline", "true", _boolean),
    Key("LocalPreAuthorize", "false", _boolean),
    Key("MaxChargingProfilesInstalled", "20", _integer(1, 1000), writable=False),
    Key("MeterValuesAlignedData", "Energy.Active.Import.Register", _measurands),
    Key("MeterValuesSampledData", ",".join(MEASURANDS[:4]), _measurands),
    Key("MeterValueSampleInterval", "60", SECONDS),
    Key("MinimumStatusDuration", "0", SECONDS),
    Key("ReserveConnectorZeroSupported", "false", _boolean, writable=False),
    Key("ResetRetries", "1", _integer(0, 100)),
    Key("SampledDataSignReadings", "true", _boolean, writable=False),
    Key("SendLocalListMaxLength", "1000", _integer(0, 100_000), writable=False),
    Key("StopTransactionOnEVSideDisconnect", "true", _boolean),
    Key("StopTransactionOnInvalidId", "true", _boolean),
    Key("StopTxnAlignedData", "", _measurands),
    Key("StopTxnSampledData", "", _measurands),
    Key("SupportedFeatureProfiles", FEATURES, _items, writable=False),
    Key("TariffChangeTimes", "", _times),
    Key("TransactionMessageAttempts", "3", _integer(1, 1000)),
    Key("TransactionMessageRetryInterval", "60", SECONDS),
    Key("UnlockConnectorOnEVSideDisconnect", "true", _boolean),
    Key("WebSocketPingInterval", "60", SECONDS),
)
"""Keys of every profile. TariffChangeTimes is a vendor key: UTC times at which a tariff-change reading is signed."""


_ONLY_ONE = ("NumberOfConnectors", "SupportedFeatureProfiles", "StopTxnAlignedData", "StopTxnSampledData")
TWO = {
    **{name: key for name, key in STANDARD.items() if name not in _ONLY_ONE},
    **_table(
        Key("TxStartPoint", "PowerPathClosed", _items, writable=False),
        Key("TxStopPoint", "EVConnected,Authorized", _items, writable=False),
        Key("StopTxnAlignedData", "", _measurands, writable=False),
        Key("StopTxnSampledData", "", _measurands, writable=False),
    ),
}
"""The settings of a station of 2.0.1, named as their keys in 1.6 (`sim.wire.variables` says where each one lies). It starts
and stops as 1.6 does, and Ended carries the signed readings and no other samples."""


def route_keys(route: str, url_key: str, url: str, attempts: int, at_once: bool = False) -> dict[str, Key]:
    """The vendor keys through which a station of this migration route learns another back-end."""
    if route == "vendor_key":
        return _table(Key(url_key, url, _url, at_reboot=not at_once))
    if route == "network_profile":
        return _table(
            Key("NetworkConnectionProfile1", url, _url),
            Key("NetworkConnectionProfile2", "", _url),
            Key("NetworkConfigurationPriority", "1", _slots, at_reboot=True),
            Key("NetworkProfileConnectionAttempts", str(attempts), _integer(1, 1000)),
        )
    return {}


def fixed_keys(connectors: int, meter_keys: Mapping[int, str]) -> dict[str, Key]:
    """What the hardware decides: the number of connectors, and the public key of each meter (OCA note §3.2)."""
    keys = [Key("NumberOfConnectors", str(connectors), _integer(1, 100), writable=False)]
    keys += [Key(f"MeterPublicKey{number}", text, str, writable=False) for number, text in meter_keys.items()]
    return _table(*keys)


class Configuration(dict[str, Any]):
    """The present values by key, as what they mean: int, bool, tuple or str.

    Changes are accepted, refused and remembered as OCPP 1.6 §5.3 says.
    """

    def __init__(self, keys: Mapping[str, Key], presets: Mapping[str, str], saved: Mapping[str, str]) -> None:
        """`presets` are the profile's own defaults, `saved` what was changed since; both win over the table's
        default.
        """
        self._keys = keys
        self._folded = _folded(tuple(keys))
        self._texts: dict[str, str] = {}
        super().__init__()
        for name, key in self._keys.items():
            self._set(name, saved.get(name, presets.get(name, key.default)))

    def seconds(self, name: str) -> int:
        """The value of a key in seconds, as milliseconds."""
        value: int = self[name] * 1000
        return value

    def text(self, name: str) -> str:
        """The value of a key as it travels."""
        return self._texts[name]

    def entry(self, name: str) -> tuple[str, bool, str] | None:
        """Canonical name, read-only, text of a key as it was asked for; None if there is no such key."""
        found = self._folded.get(name.lower())
        return None if found is None else (found, not self._keys[found].writable, self._texts[found])

    def names(self) -> tuple[str, ...]:
        """All keys, in order."""
        return tuple(sorted(self._keys))

    def change(self, name: str, text: str) -> tuple[str, str]:
        """Write a key as ChangeConfiguration asks. Returns its canonical name (empty if refused) and the status."""
        found = self._folded.get(name.lower())
        if found is None:
            return "", NOT_SUPPORTED
        key = self._keys[found]
        if not key.writable or len(text) > MAX_VALUE:
            return "", REJECTED
        try:
            key.parse(text)
        except ValueError:
            return "", REJECTED
        self._set(found, text)
        return found, REBOOT_REQUIRED if key.at_reboot else ACCEPTED

    def _set(self, name: str, text: str) -> None:
        self._texts[name] = text
        self[name] = self._keys[name].parse(text) if text or self._keys[name].parse is not _url else ""


@lru_cache(maxsize=64)
def _folded(names: tuple[str, ...]) -> dict[str, str]:
    """Names by how they are asked for: one table for all stations of a kind."""
    return {name.lower(): name for name in names}
