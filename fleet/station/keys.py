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


_ATTEMPTS, _CONNECTORS = _integer(1, 1000), _integer(1, 100)


@lru_cache
def route_keys(route: str, url_key: str, url: str, attempts: int, at_once: bool = False) -> tuple[Key, ...]:
    """The vendor keys through which a station of this migration route learns another back-end."""
    if route == "vendor_key":
        return (Key(url_key, url, _url, at_reboot=not at_once),)
    if route == "network_profile":
        return (
            Key("NetworkConnectionProfile1", url, _url),
            Key("NetworkConnectionProfile2", "", _url),
            Key("NetworkConfigurationPriority", "1", _slots, at_reboot=True),
            Key("NetworkProfileConnectionAttempts", str(attempts), _ATTEMPTS),
        )
    return ()


@lru_cache
def connector_keys(connectors: int) -> tuple[Key, ...]:
    """What the hardware decides: the number of connectors."""
    return (Key("NumberOfConnectors", str(connectors), _CONNECTORS, writable=False),)


def meter_keys(public_keys: Mapping[int, str]) -> tuple[Key, ...]:
    """What the hardware decides and no two stations share: the public key of each meter (OCA note §3.2)."""
    return tuple(Key(f"MeterPublicKey{number}", text, str, writable=False) for number, text in public_keys.items())


def _meaning(key: Key, text: str) -> Any:
    return key.parse(text) if text or key.parse is not _url else ""


class KeyTable:
    """The keys that all stations of one kind have, with what they hold when nobody has changed them. Never changed.

    It is made once for a whole fleet: reading forty texts for each station took longer than the station's first dial.
    """

    def __init__(self, keys: tuple[Key, ...], presets: tuple[tuple[str, str], ...]) -> None:
        given = dict(presets)
        self.keys = {key.name: key for key in keys}
        self.folded = {name.lower(): name for name in self.keys}
        self.texts = {name: given.get(name, key.default) for name, key in self.keys.items()}
        self.values = {name: _meaning(key, self.texts[name]) for name, key in self.keys.items()}

    @classmethod
    @lru_cache
    def of(cls, keys: tuple[Key, ...], presets: tuple[tuple[str, str], ...]) -> KeyTable:
        """The one table of these keys; `presets` are a profile's own defaults, which win over those of the keys."""
        return cls(keys, presets)


class Configuration(dict[str, Any]):
    """The present values by key, as what they mean: int, bool, tuple or str.

    Changes are accepted, refused and remembered as OCPP 1.6 §5.3 says.
    """

    def __init__(self, table: KeyTable, own: tuple[Key, ...], saved: Mapping[str, str]) -> None:
        """`own` are the keys of this station alone; `saved` is what was changed since, and wins over every default."""
        super().__init__(table.values)
        self._table = table
        self._own = {key.name: key for key in own}
        self._texts: dict[str, str] = {}
        """What differs from the table."""
        for key in own:
            self._set(key, key.default)
        for name, text in saved.items():
            if name in self:
                self._set(self._key(name), text)

    def seconds(self, name: str) -> int:
        """The value of a key in seconds, as milliseconds."""
        value: int = self[name] * 1000
        return value

    def text(self, name: str) -> str:
        """The value of a key as it travels."""
        own = self._texts.get(name)
        return self._table.texts[name] if own is None else own

    def entry(self, name: str) -> tuple[str, bool, str] | None:
        """Canonical name, read-only, text of a key as it was asked for; None if there is no such key."""
        found = self._found(name)
        return None if found is None else (found, not self._key(found).writable, self.text(found))

    def names(self) -> tuple[str, ...]:
        """All keys, in order."""
        return tuple(sorted(self))

    def change(self, name: str, text: str) -> tuple[str, str]:
        """Write a key as ChangeConfiguration asks. Returns its canonical name (empty if refused) and the status."""
        found = self._found(name)
        if found is None:
            return "", NOT_SUPPORTED
        key = self._key(found)
        if not key.writable or len(text) > MAX_VALUE:
            return "", REJECTED
        try:
            key.parse(text)
        except ValueError:
            return "", REJECTED
        self._set(key, text)
        return found, REBOOT_REQUIRED if key.at_reboot else ACCEPTED

    def _found(self, name: str) -> str | None:
        folded = name.lower()
        return self._table.folded.get(folded) or next((own for own in self._own if own.lower() == folded), None)

    def _key(self, name: str) -> Key:
        return self._own.get(name) or self._table.keys[name]

    def _set(self, key: Key, text: str) -> None:
        self._texts[key.name] = text
        self[key.name] = _meaning(key, text)
