"""Which side calls which action, in OCPP 1.6, 2.0.1 and 2.1. Sources: OCPP 1.6 §4 and 5, security paper, 2.0.1 Part 2."""

from __future__ import annotations

BOTH = frozenset({"DataTransfer"})
UP = (
    "Authorize", "BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat",
    "MeterValues", "StartTransaction", "StatusNotification", "StopTransaction", "LogStatusNotification",
    "SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification", "ClearedChargingLimit",
    "Get15118EVCertificate", "GetCertificateStatus", "NotifyChargingLimit", "NotifyCustomerInformation",
    "NotifyDisplayMessages", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule", "NotifyEvent",
    "NotifyMonitoringReport", "NotifyReport", "PublishFirmwareStatusNotification", "ReportChargingProfiles",
    "ReservationStatusUpdate", "TransactionEvent", "BatterySwap", "GetCertificateChainStatus", "NotifyDERAlarm",
    "NotifyDERStartStop", "NotifyPriorityCharging", "NotifySettlement", "NotifyWebPaymentStarted",
    "OpenPeriodicEventStream", "ClosePeriodicEventStream", "NotifyPeriodicEventStream", "PullDynamicScheduleUpdate",
    "ReportDERControl", "VatNumberValidation",
)  # fmt: skip
"""What stations call; everything else that is known is called by back-ends."""

REMOTE_START = ("RemoteStartTransaction", "RequestStartTransaction")
REMOTE_STOP = ("RemoteStopTransaction", "RequestStopTransaction")
TRIGGERS = ("TriggerMessage", "ExtendedTriggerMessage")
TRANSACTION = ("StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent")
ONLY_16 = ("StartTransaction", "StopTransaction", "RemoteStartTransaction", "RemoteStopTransaction")


def caller(action: str, known: frozenset[str]) -> str:
    """`up` or `down`, the way on which this action is called; "" if both sides may call it, or nobody knows it."""
    if action in BOTH or action not in known:
        return ""
    return "up" if action in UP else "down"
