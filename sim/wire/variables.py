"""Where OCPP 2.0.1 keeps what 1.6 keeps in configuration keys: component, variable and instance of each setting.

A setting is named as its key in 1.6, so that whoever reads or wishes one needs no version. Facts of the standard only;
what a station has of these, and what it holds, is its own business. Source: OCPP 2.0.1 Part 2 appendix 3.
"""

from __future__ import annotations

from msgspec import Struct


class Address(Struct, frozen=True, order=True):
    """One variable of the device model; names compare without case (`folded`)."""

    component: str
    variable: str
    instance: str = ""

    @property
    def folded(self) -> tuple[str, str, str]:
        """What two spellings of the same address have in common."""
        return (self.component.lower(), self.variable.lower(), self.instance.lower())

    @property
    def text(self) -> str:
        """As people write it: `OCPPCommCtrlr.MessageAttempts[TransactionEvent]`."""
        return f"{self.component}.{self.variable}" + (f"[{self.instance}]" if self.instance else "")


ADDRESSES = {
    "AllowOfflineTxForUnknownId": Address("AuthCtrlr", "OfflineTxForUnknownIdEnabled"),
    "AuthorizationCacheEnabled": Address("AuthCacheCtrlr", "Enabled"),
    "AuthorizeRemoteTxRequests": Address("AuthCtrlr", "AuthorizeRemoteStart"),
    "ClockAlignedDataInterval": Address("AlignedDataCtrlr", "Interval"),
    "ConnectionTimeOut": Address("TxCtrlr", "EVConnectionTimeOut"),
    "HeartbeatInterval": Address("OCPPCommCtrlr", "HeartbeatInterval"),
    "LocalAuthorizeOffline": Address("AuthCtrlr", "LocalAuthorizeOffline"),
    "LocalPreAuthorize": Address("AuthCtrlr", "LocalPreAuthorize"),
    "MeterValuesAlignedData": Address("AlignedDataCtrlr", "Measurands"),
    "MeterValuesSampledData": Address("SampledDataCtrlr", "TxUpdatedMeasurands"),
    "MeterValueSampleInterval": Address("SampledDataCtrlr", "TxUpdatedInterval"),
    "NetworkConfigurationPriority": Address("OCPPCommCtrlr", "NetworkConfigurationPriority"),
    "NetworkProfileConnectionAttempts": Address("OCPPCommCtrlr", "NetworkProfileConnectionAttempts"),
    "ResetRetries": Address("OCPPCommCtrlr", "ResetRetries"),
    "SampledDataSignReadings": Address("SampledDataCtrlr", "SignReadings"),
    "StopTransactionOnEVSideDisconnect": Address("TxCtrlr", "StopTxOnEVSideDisconnect"),
    "StopTransactionOnInvalidId": Address("TxCtrlr", "StopTxOnInvalidId"),
    "StopTxnSampledData": Address("SampledDataCtrlr", "TxEndedMeasurands"),
    "TransactionMessageAttempts": Address("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent"),
    "TransactionMessageRetryInterval": Address("OCPPCommCtrlr", "MessageAttemptInterval", "TransactionEvent"),
    "WebSocketPingInterval": Address("OCPPCommCtrlr", "WebSocketPingInterval"),
    "TxStartPoint": Address("TxCtrlr", "TxStartPoint"),
    "TxStopPoint": Address("TxCtrlr", "TxStopPoint"),
    "TariffChangeTimes": Address("TariffCostCtrlr", "ChangeTimes"),
}
"""By setting. TariffChangeTimes is of no standard in either version (`reference_csms.configurator`)."""
_NAMES = {address.folded: name for name, address in ADDRESSES.items()}
COMPONENTS = frozenset(address.component.lower() for address in ADDRESSES.values())
"""The components that hold these, in small letters."""


def setting_at(component: str, variable: str, instance: str | None) -> str | None:
    """The setting at this address, None if there is none."""
    return _NAMES.get((component.lower(), variable.lower(), (instance or "").lower()))
