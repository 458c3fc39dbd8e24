"""OCPP 1.6 payloads as structs, requests by action name, answers by action name + "Result".

Written by `python -m sim.wire.generate` from the JSON schemas. Do not edit: change the generator. Tolerant on purpose
(unknown fields are dropped, enumerations are texts); `sim.wire.schema.judge` is the strict one. Encoding order is
field order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

BOOT_NOTIFICATION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Pending",
        "Rejected",
    )
)
CANCEL_RESERVATION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
CERTIFICATE_HASH_DATA_HASH_ALGORITHM = frozenset(
    (
        "SHA256",
        "SHA384",
        "SHA512",
    )
)
CERTIFICATE_SIGNED_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
CHANGE_AVAILABILITY_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
        "Scheduled",
    )
)
CHANGE_AVAILABILITY_TYPE = frozenset(
    (
        "Inoperative",
        "Operative",
    )
)
CHANGE_CONFIGURATION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "NotSupported",
        "RebootRequired",
        "Rejected",
    )
)
CHARGING_PROFILE_CHARGING_PROFILE_KIND = frozenset(
    (
        "Absolute",
        "Recurring",
        "Relative",
    )
)
CHARGING_PROFILE_CHARGING_PROFILE_PURPOSE = frozenset(
    (
        "ChargePointMaxProfile",
        "TxDefaultProfile",
        "TxProfile",
    )
)
CHARGING_PROFILE_RECURRENCY_KIND = frozenset(
    (
        "Daily",
        "Weekly",
    )
)
CHARGING_SCHEDULE_CHARGING_RATE_UNIT = frozenset(
    (
        "A",
        "W",
    )
)
CLEAR_CACHE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
CLEAR_CHARGING_PROFILE_CHARGING_PROFILE_PURPOSE = frozenset(
    (
        "ChargePointMaxProfile",
        "TxDefaultProfile",
        "TxProfile",
    )
)
CLEAR_CHARGING_PROFILE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Unknown",
    )
)
DATA_TRANSFER_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
        "UnknownMessageId",
        "UnknownVendorId",
    )
)
DELETE_CERTIFICATE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Failed",
        "NotFound",
    )
)
DIAGNOSTICS_STATUS_NOTIFICATION_STATUS = frozenset(
    (
        "Idle",
        "UploadFailed",
        "Uploaded",
        "Uploading",
    )
)
EXTENDED_TRIGGER_MESSAGE_REQUESTED_MESSAGE = frozenset(
    (
        "BootNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SignChargePointCertificate",
        "StatusNotification",
    )
)
EXTENDED_TRIGGER_MESSAGE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "NotImplemented",
        "Rejected",
    )
)
FIRMWARE_STATUS_NOTIFICATION_STATUS = frozenset(
    (
        "DownloadFailed",
        "Downloaded",
        "Downloading",
        "Idle",
        "InstallationFailed",
        "Installed",
        "Installing",
    )
)
GET_COMPOSITE_SCHEDULE_CHARGING_RATE_UNIT = frozenset(
    (
        "A",
        "W",
    )
)
GET_COMPOSITE_SCHEDULE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
GET_INSTALLED_CERTIFICATE_IDS_CERTIFICATE_TYPE = frozenset(
    (
        "CentralSystemRootCertificate",
        "ManufacturerRootCertificate",
    )
)
GET_INSTALLED_CERTIFICATE_IDS_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "NotFound",
    )
)
GET_LOG_LOG_TYPE = frozenset(
    (
        "DiagnosticsLog",
        "SecurityLog",
    )
)
GET_LOG_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "AcceptedCanceled",
        "Rejected",
    )
)
ID_TAG_INFO_STATUS = frozenset(
    (
        "Accepted",
        "Blocked",
        "ConcurrentTx",
        "Expired",
        "Invalid",
    )
)
INSTALL_CERTIFICATE_CERTIFICATE_TYPE = frozenset(
    (
        "CentralSystemRootCertificate",
        "ManufacturerRootCertificate",
    )
)
INSTALL_CERTIFICATE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Failed",
        "Rejected",
    )
)
LOG_STATUS_NOTIFICATION_STATUS = frozenset(
    (
        "BadMessage",
        "Idle",
        "NotSupportedOperation",
        "PermissionDenied",
        "UploadFailure",
        "Uploaded",
        "Uploading",
    )
)
REMOTE_START_TRANSACTION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
REMOTE_STOP_TRANSACTION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
RESERVE_NOW_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Faulted",
        "Occupied",
        "Rejected",
        "Unavailable",
    )
)
RESET_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
RESET_TYPE = frozenset(
    (
        "Hard",
        "Soft",
    )
)
SAMPLED_VALUE_CONTEXT = frozenset(
    (
        "Interruption.Begin",
        "Interruption.End",
        "Other",
        "Sample.Clock",
        "Sample.Periodic",
        "Transaction.Begin",
        "Transaction.End",
        "Trigger",
    )
)
SAMPLED_VALUE_FORMAT = frozenset(
    (
        "Raw",
        "SignedData",
    )
)
SAMPLED_VALUE_LOCATION = frozenset(
    (
        "Body",
        "Cable",
        "EV",
        "Inlet",
        "Outlet",
    )
)
SAMPLED_VALUE_MEASURAND = frozenset(
    (
        "Current.Export",
        "Current.Import",
        "Current.Offered",
        "Energy.Active.Export.Interval",
        "Energy.Active.Export.Register",
        "Energy.Active.Import.Interval",
        "Energy.Active.Import.Register",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Import.Register",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Factor",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "RPM",
        "SoC",
        "Temperature",
        "Voltage",
    )
)
SAMPLED_VALUE_PHASE = frozenset(
    (
        "L1",
        "L1-L2",
        "L1-N",
        "L2",
        "L2-L3",
        "L2-N",
        "L3",
        "L3-L1",
        "L3-N",
        "N",
    )
)
SAMPLED_VALUE_UNIT = frozenset(
    (
        "A",
        "Celcius",
        "Celsius",
        "Fahrenheit",
        "Hertz",
        "K",
        "Percent",
        "V",
        "VA",
        "W",
        "Wh",
        "kVA",
        "kW",
        "kWh",
        "kvar",
        "kvarh",
        "var",
        "varh",
    )
)
SEND_LOCAL_LIST_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Failed",
        "NotSupported",
        "VersionMismatch",
    )
)
SEND_LOCAL_LIST_UPDATE_TYPE = frozenset(
    (
        "Differential",
        "Full",
    )
)
SET_CHARGING_PROFILE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "NotSupported",
        "Rejected",
    )
)
SIGNED_FIRMWARE_STATUS_NOTIFICATION_STATUS = frozenset(
    (
        "DownloadFailed",
        "DownloadPaused",
        "DownloadScheduled",
        "Downloaded",
        "Downloading",
        "Idle",
        "InstallRebooting",
        "InstallScheduled",
        "InstallVerificationFailed",
        "InstallationFailed",
        "Installed",
        "Installing",
        "InvalidSignature",
        "SignatureVerified",
    )
)
SIGNED_UPDATE_FIRMWARE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "AcceptedCanceled",
        "InvalidCertificate",
        "Rejected",
        "RevokedCertificate",
    )
)
SIGN_CERTIFICATE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
STATUS_NOTIFICATION_ERROR_CODE = frozenset(
    (
        "ConnectorLockFailure",
        "EVCommunicationError",
        "GroundFailure",
        "HighTemperature",
        "InternalError",
        "LocalListConflict",
        "NoError",
        "OtherError",
        "OverCurrentFailure",
        "OverVoltage",
        "PowerMeterFailure",
        "PowerSwitchFailure",
        "ReaderFailure",
        "ResetFailure",
        "UnderVoltage",
        "WeakSignal",
    )
)
STATUS_NOTIFICATION_STATUS = frozenset(
    (
        "Available",
        "Charging",
        "Faulted",
        "Finishing",
        "Preparing",
        "Reserved",
        "SuspendedEV",
        "SuspendedEVSE",
        "Unavailable",
    )
)
STOP_TRANSACTION_REASON = frozenset(
    (
        "DeAuthorized",
        "EVDisconnected",
        "EmergencyStop",
        "HardReset",
        "Local",
        "Other",
        "PowerLoss",
        "Reboot",
        "Remote",
        "SoftReset",
        "UnlockCommand",
    )
)
TRIGGER_MESSAGE_REQUESTED_MESSAGE = frozenset(
    (
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "MeterValues",
        "StatusNotification",
    )
)
TRIGGER_MESSAGE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "NotImplemented",
        "Rejected",
    )
)
UNLOCK_CONNECTOR_RESULT_STATUS = frozenset(
    (
        "NotSupported",
        "UnlockFailed",
        "Unlocked",
    )
)


class IdTagInfo(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    expiry_date: str | None = None
    parent_id_tag: str | None = None
    status: str


class AuthorizationData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_tag: str
    id_tag_info: IdTagInfo | None = None


class Authorize(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_tag: str


class AuthorizeResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_tag_info: IdTagInfo


class BootNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    charge_point_vendor: str
    charge_point_model: str
    charge_point_serial_number: str | None = None
    charge_box_serial_number: str | None = None
    firmware_version: str | None = None
    iccid: str | None = None
    imsi: str | None = None
    meter_type: str | None = None
    meter_serial_number: str | None = None


class BootNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    current_time: str
    interval: int


class CancelReservation(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    reservation_id: int


class CancelReservationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class CertificateHashData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str


class CertificateSigned(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    certificate_chain: str


class CertificateSignedResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class ChangeAvailability(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    type: str


class ChangeAvailabilityResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class ChangeConfiguration(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    key: str
    value: str


class ChangeConfigurationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class ChargingSchedulePeriod(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    start_period: int
    limit: int | float
    number_phases: int | None = None


class ChargingSchedule(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    duration: int | None = None
    start_schedule: str | None = None
    charging_rate_unit: str
    charging_schedule_period: list[ChargingSchedulePeriod]
    min_charging_rate: int | float | None = None


class ChargingProfile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    charging_profile_id: int
    transaction_id: int | None = None
    stack_level: int
    charging_profile_purpose: str
    charging_profile_kind: str
    recurrency_kind: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    charging_schedule: ChargingSchedule


class ClearCache(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class ClearCacheResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class ClearChargingProfile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id: int | None = None
    connector_id: int | None = None
    charging_profile_purpose: str | None = None
    stack_level: int | None = None


class ClearChargingProfileResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class DataTransfer(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    vendor_id: str
    message_id: str | None = None
    data: str | None = None


class DataTransferResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    data: str | None = None


class DeleteCertificate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    certificate_hash_data: CertificateHashData


class DeleteCertificateResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class DiagnosticsStatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class DiagnosticsStatusNotificationResult(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    pass


class ExtendedTriggerMessage(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    requested_message: str
    connector_id: int | None = None


class ExtendedTriggerMessageResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class Firmware(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    location: str
    retrieve_date_time: str
    install_date_time: str | None = None
    signing_certificate: str
    signature: str


class FirmwareStatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class FirmwareStatusNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class GetCompositeSchedule(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    duration: int
    charging_rate_unit: str | None = None


class GetCompositeScheduleResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    connector_id: int | None = None
    schedule_start: str | None = None
    charging_schedule: ChargingSchedule | None = None


class GetConfiguration(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    key: list[str] | None = None


class KeyValue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    key: str
    readonly: bool
    value: str | None = None


class GetConfigurationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    configuration_key: list[KeyValue] | None = None
    unknown_key: list[str] | None = None


class GetDiagnostics(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    location: str
    retries: int | None = None
    retry_interval: int | None = None
    start_time: str | None = None
    stop_time: str | None = None


class GetDiagnosticsResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    file_name: str | None = None


class GetInstalledCertificateIds(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    certificate_type: str


class GetInstalledCertificateIdsResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    certificate_hash_data: list[CertificateHashData] | None = None
    status: str


class GetLocalListVersion(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class GetLocalListVersionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    list_version: int


class LogParameters(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    remote_location: str
    oldest_timestamp: str | None = None
    latest_timestamp: str | None = None


class GetLog(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    log: LogParameters
    log_type: str
    request_id: int
    retries: int | None = None
    retry_interval: int | None = None


class GetLogResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    filename: str | None = None


class Heartbeat(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class HeartbeatResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    current_time: str


class InstallCertificate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    certificate_type: str
    certificate: str


class InstallCertificateResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class LogStatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    request_id: int | None = None


class LogStatusNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class SampledValue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    value: str
    context: str | None = None
    format: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None
    unit: str | None = None


class MeterValue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    timestamp: str
    sampled_value: list[SampledValue]


class MeterValues(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    transaction_id: int | None = None
    meter_value: list[MeterValue]


class MeterValuesResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class RemoteStartTransaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int | None = None
    id_tag: str
    charging_profile: ChargingProfile | None = None


class RemoteStartTransactionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class RemoteStopTransaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    transaction_id: int


class RemoteStopTransactionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class ReserveNow(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    expiry_date: str
    id_tag: str
    parent_id_tag: str | None = None
    reservation_id: int


class ReserveNowResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class Reset(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    type: str


class ResetResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class SecurityEventNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    type: str
    timestamp: str
    tech_info: str | None = None


class SecurityEventNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class SendLocalList(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    list_version: int
    local_authorization_list: list[AuthorizationData] | None = None
    update_type: str


class SendLocalListResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class SetChargingProfile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    cs_charging_profiles: ChargingProfile


class SetChargingProfileResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class SignCertificate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    csr: str


class SignCertificateResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class SignedFirmwareStatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    request_id: int | None = None


class SignedFirmwareStatusNotificationResult(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    pass


class SignedUpdateFirmware(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    retries: int | None = None
    retry_interval: int | None = None
    request_id: int
    firmware: Firmware


class SignedUpdateFirmwareResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class StartTransaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    id_tag: str
    meter_start: int
    reservation_id: int | None = None
    timestamp: str


class StartTransactionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_tag_info: IdTagInfo
    transaction_id: int


class StatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int
    error_code: str
    info: str | None = None
    status: str
    timestamp: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None


class StatusNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class StopTransaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_tag: str | None = None
    meter_stop: int
    timestamp: str
    transaction_id: int
    reason: str | None = None
    transaction_data: list[MeterValue] | None = None


class StopTransactionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_tag_info: IdTagInfo | None = None


class TriggerMessage(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    requested_message: str
    connector_id: int | None = None


class TriggerMessageResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class UnlockConnector(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    connector_id: int


class UnlockConnectorResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str


class UpdateFirmware(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    location: str
    retries: int | None = None
    retrieve_date: str
    retry_interval: int | None = None


class UpdateFirmwareResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


REQUESTS: dict[str, type[Struct]] = {
    "Authorize": Authorize,
    "BootNotification": BootNotification,
    "CancelReservation": CancelReservation,
    "CertificateSigned": CertificateSigned,
    "ChangeAvailability": ChangeAvailability,
    "ChangeConfiguration": ChangeConfiguration,
    "ClearCache": ClearCache,
    "ClearChargingProfile": ClearChargingProfile,
    "DataTransfer": DataTransfer,
    "DeleteCertificate": DeleteCertificate,
    "DiagnosticsStatusNotification": DiagnosticsStatusNotification,
    "ExtendedTriggerMessage": ExtendedTriggerMessage,
    "FirmwareStatusNotification": FirmwareStatusNotification,
    "GetCompositeSchedule": GetCompositeSchedule,
    "GetConfiguration": GetConfiguration,
    "GetDiagnostics": GetDiagnostics,
    "GetInstalledCertificateIds": GetInstalledCertificateIds,
    "GetLocalListVersion": GetLocalListVersion,
    "GetLog": GetLog,
    "Heartbeat": Heartbeat,
    "InstallCertificate": InstallCertificate,
    "LogStatusNotification": LogStatusNotification,
    "MeterValues": MeterValues,
    "RemoteStartTransaction": RemoteStartTransaction,
    "RemoteStopTransaction": RemoteStopTransaction,
    "ReserveNow": ReserveNow,
    "Reset": Reset,
    "SecurityEventNotification": SecurityEventNotification,
    "SendLocalList": SendLocalList,
    "SetChargingProfile": SetChargingProfile,
    "SignCertificate": SignCertificate,
    "SignedFirmwareStatusNotification": SignedFirmwareStatusNotification,
    "SignedUpdateFirmware": SignedUpdateFirmware,
    "StartTransaction": StartTransaction,
    "StatusNotification": StatusNotification,
    "StopTransaction": StopTransaction,
    "TriggerMessage": TriggerMessage,
    "UnlockConnector": UnlockConnector,
    "UpdateFirmware": UpdateFirmware,
}

RESPONSES: dict[str, type[Struct]] = {
    "Authorize": AuthorizeResult,
    "BootNotification": BootNotificationResult,
    "CancelReservation": CancelReservationResult,
    "CertificateSigned": CertificateSignedResult,
    "ChangeAvailability": ChangeAvailabilityResult,
    "ChangeConfiguration": ChangeConfigurationResult,
    "ClearCache": ClearCacheResult,
    "ClearChargingProfile": ClearChargingProfileResult,
    "DataTransfer": DataTransferResult,
    "DeleteCertificate": DeleteCertificateResult,
    "DiagnosticsStatusNotification": DiagnosticsStatusNotificationResult,
    "ExtendedTriggerMessage": ExtendedTriggerMessageResult,
    "FirmwareStatusNotification": FirmwareStatusNotificationResult,
    "GetCompositeSchedule": GetCompositeScheduleResult,
    "GetConfiguration": GetConfigurationResult,
    "GetDiagnostics": GetDiagnosticsResult,
    "GetInstalledCertificateIds": GetInstalledCertificateIdsResult,
    "GetLocalListVersion": GetLocalListVersionResult,
    "GetLog": GetLogResult,
    "Heartbeat": HeartbeatResult,
    "InstallCertificate": InstallCertificateResult,
    "LogStatusNotification": LogStatusNotificationResult,
    "MeterValues": MeterValuesResult,
    "RemoteStartTransaction": RemoteStartTransactionResult,
    "RemoteStopTransaction": RemoteStopTransactionResult,
    "ReserveNow": ReserveNowResult,
    "Reset": ResetResult,
    "SecurityEventNotification": SecurityEventNotificationResult,
    "SendLocalList": SendLocalListResult,
    "SetChargingProfile": SetChargingProfileResult,
    "SignCertificate": SignCertificateResult,
    "SignedFirmwareStatusNotification": SignedFirmwareStatusNotificationResult,
    "SignedUpdateFirmware": SignedUpdateFirmwareResult,
    "StartTransaction": StartTransactionResult,
    "StatusNotification": StatusNotificationResult,
    "StopTransaction": StopTransactionResult,
    "TriggerMessage": TriggerMessageResult,
    "UnlockConnector": UnlockConnectorResult,
    "UpdateFirmware": UpdateFirmwareResult,
}

_encoder = msgspec.json.Encoder()
_request_decoders: dict[str, msgspec.json.Decoder[Any]] = {}
_response_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def encode(obj: Struct) -> bytes:
    """The JSON bytes of a payload, without blanks, absent fields left out."""
    return _encoder.encode(obj)


def decode_request(action: str, raw: bytes) -> Any:
    """The request struct of this action. Raises msgspec.ValidationError on bad input, KeyError on an unknown action."""
    return _decode(_request_decoders, REQUESTS, action, raw)


def decode_response(action: str, raw: bytes) -> Any:
    """The answer struct of this action. Raises msgspec.ValidationError on bad input, KeyError on an unknown action."""
    return _decode(_response_decoders, RESPONSES, action, raw)


def _decode(
    cache: dict[str, msgspec.json.Decoder[Any]], types: dict[str, type[Struct]], action: str, raw: bytes
) -> Any:
    decoder = cache.get(action)
    if decoder is None:
        decoder = cache[action] = msgspec.json.Decoder(types[action])
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError):
        raise msgspec.ValidationError("the payload is no readable JSON") from None
