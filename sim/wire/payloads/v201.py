"""OCPP 2.0.1 payloads as structs, requests by action name, answers by action name + "Result".

Written by `python -m sim.wire.generate` from the JSON schemas. Do not edit: change the generator. Tolerant on purpose
(unknown fields are dropped, enumerations are texts); `sim.wire.schema.judge` is the strict one. Encoding order is
field order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

APN_APN_AUTHENTICATION = frozenset(
    (
        "AUTO",
        "CHAP",
        "NONE",
        "PAP",
    )
)
AUTHORIZE_RESULT_CERTIFICATE_STATUS = frozenset(
    (
        "Accepted",
        "CertChainError",
        "CertificateExpired",
        "CertificateRevoked",
        "ContractCancelled",
        "NoCertificateAvailable",
        "SignatureError",
    )
)
BOOT_NOTIFICATION_REASON = frozenset(
    (
        "ApplicationReset",
        "FirmwareUpdate",
        "LocalReset",
        "PowerUp",
        "RemoteReset",
        "ScheduledReset",
        "Triggered",
        "Unknown",
        "Watchdog",
    )
)
BOOT_NOTIFICATION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Pending",
        "Rejected",
    )
)
CHANGE_AVAILABILITY_OPERATIONAL_STATUS = frozenset(
    (
        "Inoperative",
        "Operative",
    )
)
CHANGE_AVAILABILITY_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
        "Scheduled",
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
        "ChargingStationExternalConstraints",
        "ChargingStationMaxProfile",
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
COST_COST_KIND = frozenset(
    (
        "CarbonDioxideEmission",
        "RelativePricePercentage",
        "RenewableGenerationPercentage",
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
EVENT_DATA_EVENT_NOTIFICATION_TYPE = frozenset(
    (
        "CustomMonitor",
        "HardWiredMonitor",
        "HardWiredNotification",
        "PreconfiguredMonitor",
    )
)
EVENT_DATA_TRIGGER = frozenset(
    (
        "Alerting",
        "Delta",
        "Periodic",
    )
)
FIRMWARE_STATUS_NOTIFICATION_STATUS = frozenset(
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
GET_BASE_REPORT_REPORT_BASE = frozenset(
    (
        "ConfigurationInventory",
        "FullInventory",
        "SummaryInventory",
    )
)
GET_BASE_REPORT_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "EmptyResultSet",
        "NotSupported",
        "Rejected",
    )
)
GET_VARIABLE_DATA_ATTRIBUTE_TYPE = frozenset(
    (
        "Actual",
        "MaxSet",
        "MinSet",
        "Target",
    )
)
GET_VARIABLE_RESULT_ATTRIBUTE_STATUS = frozenset(
    (
        "Accepted",
        "NotSupportedAttributeType",
        "Rejected",
        "UnknownComponent",
        "UnknownVariable",
    )
)
GET_VARIABLE_RESULT_ATTRIBUTE_TYPE = frozenset(
    (
        "Actual",
        "MaxSet",
        "MinSet",
        "Target",
    )
)
ID_TOKEN_INFO_STATUS = frozenset(
    (
        "Accepted",
        "Blocked",
        "ConcurrentTx",
        "Expired",
        "Invalid",
        "NoCredit",
        "NotAllowedTypeEVSE",
        "NotAtThisLocation",
        "NotAtThisTime",
        "Unknown",
    )
)
ID_TOKEN_TYPE = frozenset(
    (
        "Central",
        "ISO14443",
        "ISO15693",
        "KeyCode",
        "Local",
        "MacAddress",
        "NoAuthorization",
        "eMAID",
    )
)
LOG_STATUS_NOTIFICATION_STATUS = frozenset(
    (
        "AcceptedCanceled",
        "BadMessage",
        "Idle",
        "NotSupportedOperation",
        "PermissionDenied",
        "UploadFailure",
        "Uploaded",
        "Uploading",
    )
)
MESSAGE_CONTENT_FORMAT = frozenset(
    (
        "ASCII",
        "HTML",
        "URI",
        "UTF8",
    )
)
NETWORK_CONNECTION_PROFILE_OCPP_INTERFACE = frozenset(
    (
        "Wired0",
        "Wired1",
        "Wired2",
        "Wired3",
        "Wireless0",
        "Wireless1",
        "Wireless2",
        "Wireless3",
    )
)
NETWORK_CONNECTION_PROFILE_OCPP_TRANSPORT = frozenset(
    (
        "JSON",
        "SOAP",
    )
)
NETWORK_CONNECTION_PROFILE_OCPP_VERSION = frozenset(
    (
        "OCPP12",
        "OCPP15",
        "OCPP16",
        "OCPP20",
    )
)
OCSPREQUEST_DATA_HASH_ALGORITHM = frozenset(
    (
        "SHA256",
        "SHA384",
        "SHA512",
    )
)
REQUEST_START_TRANSACTION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
REQUEST_STOP_TRANSACTION_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
    )
)
RESET_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Rejected",
        "Scheduled",
    )
)
RESET_TYPE = frozenset(
    (
        "Immediate",
        "OnIdle",
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
        "Energy.Active.Net",
        "Energy.Apparent.Export",
        "Energy.Apparent.Import",
        "Energy.Apparent.Net",
        "Energy.Reactive.Export.Interval",
        "Energy.Reactive.Export.Register",
        "Energy.Reactive.Import.Interval",
        "Energy.Reactive.Import.Register",
        "Energy.Reactive.Net",
        "Frequency",
        "Power.Active.Export",
        "Power.Active.Import",
        "Power.Factor",
        "Power.Offered",
        "Power.Reactive.Export",
        "Power.Reactive.Import",
        "SoC",
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
SET_NETWORK_PROFILE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "Failed",
        "Rejected",
    )
)
SET_VARIABLE_DATA_ATTRIBUTE_TYPE = frozenset(
    (
        "Actual",
        "MaxSet",
        "MinSet",
        "Target",
    )
)
SET_VARIABLE_RESULT_ATTRIBUTE_STATUS = frozenset(
    (
        "Accepted",
        "NotSupportedAttributeType",
        "RebootRequired",
        "Rejected",
        "UnknownComponent",
        "UnknownVariable",
    )
)
SET_VARIABLE_RESULT_ATTRIBUTE_TYPE = frozenset(
    (
        "Actual",
        "MaxSet",
        "MinSet",
        "Target",
    )
)
STATUS_NOTIFICATION_CONNECTOR_STATUS = frozenset(
    (
        "Available",
        "Faulted",
        "Occupied",
        "Reserved",
        "Unavailable",
    )
)
TRANSACTION_CHARGING_STATE = frozenset(
    (
        "Charging",
        "EVConnected",
        "Idle",
        "SuspendedEV",
        "SuspendedEVSE",
    )
)
TRANSACTION_EVENT_EVENT_TYPE = frozenset(
    (
        "Ended",
        "Started",
        "Updated",
    )
)
TRANSACTION_EVENT_TRIGGER_REASON = frozenset(
    (
        "AbnormalCondition",
        "Authorized",
        "CablePluggedIn",
        "ChargingRateChanged",
        "ChargingStateChanged",
        "Deauthorized",
        "EVCommunicationLost",
        "EVConnectTimeout",
        "EVDeparted",
        "EVDetected",
        "EnergyLimitReached",
        "MeterValueClock",
        "MeterValuePeriodic",
        "RemoteStart",
        "RemoteStop",
        "ResetCommand",
        "SignedDataReceived",
        "StopAuthorized",
        "TimeLimitReached",
        "Trigger",
        "UnlockCommand",
    )
)
TRANSACTION_STOPPED_REASON = frozenset(
    (
        "DeAuthorized",
        "EVDisconnected",
        "EmergencyStop",
        "EnergyLimitReached",
        "GroundFault",
        "ImmediateReset",
        "Local",
        "LocalOutOfCredit",
        "MasterPass",
        "Other",
        "OvercurrentFault",
        "PowerLoss",
        "PowerQuality",
        "Reboot",
        "Remote",
        "SOCLimitReached",
        "StoppedByEV",
        "TimeLimitReached",
        "Timeout",
    )
)
TRIGGER_MESSAGE_REQUESTED_MESSAGE = frozenset(
    (
        "BootNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "PublishFirmwareStatusNotification",
        "SignChargingStationCertificate",
        "SignCombinedCertificate",
        "SignV2GCertificate",
        "StatusNotification",
        "TransactionEvent",
    )
)
TRIGGER_MESSAGE_RESULT_STATUS = frozenset(
    (
        "Accepted",
        "NotImplemented",
        "Rejected",
    )
)
VARIABLE_ATTRIBUTE_MUTABILITY = frozenset(
    (
        "ReadOnly",
        "ReadWrite",
        "WriteOnly",
    )
)
VARIABLE_ATTRIBUTE_TYPE = frozenset(
    (
        "Actual",
        "MaxSet",
        "MinSet",
        "Target",
    )
)
VARIABLE_CHARACTERISTICS_DATA_TYPE = frozenset(
    (
        "MemberList",
        "OptionList",
        "SequenceList",
        "boolean",
        "dateTime",
        "decimal",
        "integer",
        "string",
    )
)
VPN_TYPE = frozenset(
    (
        "IKEv2",
        "IPSec",
        "L2TP",
        "PPTP",
    )
)


class APN(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    apn: str
    apn_user_name: str | None = None
    apn_password: str | None = None
    sim_pin: int | None = None
    preferred_network: str | None = None
    use_only_preferred_network: bool | None = None
    apn_authentication: str


class AdditionalInfo(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    additional_id_token: str
    type: str


class IdToken(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    additional_info: list[AdditionalInfo] | None = None
    id_token: str
    type: str


class OCSPRequestData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    responder_url: str = msgspec.field(name="responderURL")


class Authorize(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_token: IdToken
    certificate: str | None = None
    iso15118_certificate_hash_data: list[OCSPRequestData] | None = None


class MessageContent(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    format: str
    language: str | None = None
    content: str


class IdTokenInfo(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    cache_expiry_date_time: str | None = None
    charging_priority: int | None = None
    language1: str | None = None
    evse_id: list[int] | None = None
    group_id_token: IdToken | None = None
    language2: str | None = None
    personal_message: MessageContent | None = None


class AuthorizeResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id_token_info: IdTokenInfo
    certificate_status: str | None = None


class Modem(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    iccid: str | None = None
    imsi: str | None = None


class ChargingStation(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    serial_number: str | None = None
    model: str
    modem: Modem | None = None
    vendor_name: str
    firmware_version: str | None = None


class BootNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    charging_station: ChargingStation
    reason: str


class StatusInfo(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    reason_code: str
    additional_info: str | None = None


class BootNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    current_time: str
    interval: int
    status: str
    status_info: StatusInfo | None = None


class EVSE(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id: int
    connector_id: int | None = None


class ChangeAvailability(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    evse: EVSE | None = None
    operational_status: str


class ChangeAvailabilityResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


class ChargingSchedulePeriod(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    start_period: int
    limit: int | float
    number_phases: int | None = None
    phase_to_use: int | None = None


class RelativeTimeInterval(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    start: int
    duration: int | None = None


class Cost(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    cost_kind: str
    amount: int
    amount_multiplier: int | None = None


class ConsumptionCost(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    start_value: int | float
    cost: list[Cost]


class SalesTariffEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    relative_time_interval: RelativeTimeInterval
    e_price_level: int | None = None
    consumption_cost: list[ConsumptionCost] | None = None


class SalesTariff(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id: int
    sales_tariff_description: str | None = None
    num_eprice_levels: int | None = msgspec.field(name="numEPriceLevels", default=None)
    sales_tariff_entry: list[SalesTariffEntry]


class ChargingSchedule(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id: int
    start_schedule: str | None = None
    duration: int | None = None
    charging_rate_unit: str
    charging_schedule_period: list[ChargingSchedulePeriod]
    min_charging_rate: int | float | None = None
    sales_tariff: SalesTariff | None = None


class ChargingProfile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    id: int
    stack_level: int
    charging_profile_purpose: str
    charging_profile_kind: str
    recurrency_kind: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    charging_schedule: list[ChargingSchedule]
    transaction_id: str | None = None


class ClearCache(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class ClearCacheResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


class Component(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    evse: EVSE | None = None
    name: str
    instance: str | None = None


class DataTransfer(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    message_id: str | None = None
    data: Any | None = None
    vendor_id: str


class DataTransferResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None
    data: Any | None = None


class Variable(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    name: str
    instance: str | None = None


class EventData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    event_id: int
    timestamp: str
    trigger: str
    cause: int | None = None
    actual_value: str
    tech_code: str | None = None
    tech_info: str | None = None
    cleared: bool | None = None
    transaction_id: str | None = None
    component: Component
    variable_monitoring_id: int | None = None
    event_notification_type: str
    variable: Variable


class FirmwareStatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    request_id: int | None = None


class FirmwareStatusNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class GetBaseReport(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    request_id: int
    report_base: str


class GetBaseReportResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


class GetVariableData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    attribute_type: str | None = None
    component: Component
    variable: Variable


class GetVariableResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    attribute_status_info: StatusInfo | None = None
    attribute_status: str
    attribute_type: str | None = None
    attribute_value: str | None = None
    component: Component
    variable: Variable


class GetVariables(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    get_variable_data: list[GetVariableData]


class GetVariablesResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    get_variable_result: list[GetVariableResult]


class Heartbeat(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class HeartbeatResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    current_time: str


class LogStatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    request_id: int | None = None


class LogStatusNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class SignedMeterValue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    signed_meter_data: str
    signing_method: str
    encoding_method: str
    public_key: str


class UnitOfMeasure(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    unit: str | None = None
    multiplier: int | None = None


class SampledValue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    value: int | float
    context: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None
    signed_meter_value: SignedMeterValue | None = None
    unit_of_measure: UnitOfMeasure | None = None


class MeterValue(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    sampled_value: list[SampledValue]
    timestamp: str


class MeterValues(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    evse_id: int
    meter_value: list[MeterValue]


class MeterValuesResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class VPN(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    server: str
    user: str
    group: str | None = None
    password: str
    key: str
    type: str


class NetworkConnectionProfile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    apn: APN | None = None
    ocpp_version: str
    ocpp_transport: str
    ocpp_csms_url: str
    message_timeout: int
    security_profile: int
    ocpp_interface: str
    vpn: VPN | None = None


class NotifyEvent(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    generated_at: str
    tbc: bool | None = None
    seq_no: int
    event_data: list[EventData]


class NotifyEventResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class VariableAttribute(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    type: str | None = None
    value: str | None = None
    mutability: str | None = None
    persistent: bool | None = None
    constant: bool | None = None


class VariableCharacteristics(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    unit: str | None = None
    data_type: str
    min_limit: int | float | None = None
    max_limit: int | float | None = None
    values_list: str | None = None
    supports_monitoring: bool


class ReportData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    component: Component
    variable: Variable
    variable_attribute: list[VariableAttribute]
    variable_characteristics: VariableCharacteristics | None = None


class NotifyReport(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    request_id: int
    generated_at: str
    report_data: list[ReportData] | None = None
    tbc: bool | None = None
    seq_no: int


class NotifyReportResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class RequestStartTransaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    evse_id: int | None = None
    group_id_token: IdToken | None = None
    id_token: IdToken
    remote_start_id: int
    charging_profile: ChargingProfile | None = None


class RequestStartTransactionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None
    transaction_id: str | None = None


class RequestStopTransaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    transaction_id: str


class RequestStopTransactionResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


class Reset(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    type: str
    evse_id: int | None = None


class ResetResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


class SecurityEventNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    type: str
    timestamp: str
    tech_info: str | None = None


class SecurityEventNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class SetNetworkProfile(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    configuration_slot: int
    connection_data: NetworkConnectionProfile


class SetNetworkProfileResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


class SetVariableData(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    attribute_type: str | None = None
    attribute_value: str
    component: Component
    variable: Variable


class SetVariableResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    attribute_type: str | None = None
    attribute_status: str
    attribute_status_info: StatusInfo | None = None
    component: Component
    variable: Variable


class SetVariables(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    set_variable_data: list[SetVariableData]


class SetVariablesResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    set_variable_result: list[SetVariableResult]


class StatusNotification(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    timestamp: str
    connector_status: str
    evse_id: int
    connector_id: int


class StatusNotificationResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    pass


class Transaction(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    transaction_id: str
    charging_state: str | None = None
    time_spent_charging: int | None = None
    stopped_reason: str | None = None
    remote_start_id: int | None = None


class TransactionEvent(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    event_type: str
    meter_value: list[MeterValue] | None = None
    timestamp: str
    trigger_reason: str
    seq_no: int
    offline: bool | None = None
    number_of_phases_used: int | None = None
    cable_max_current: int | None = None
    reservation_id: int | None = None
    transaction_info: Transaction
    evse: EVSE | None = None
    id_token: IdToken | None = None


class TransactionEventResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    total_cost: int | float | None = None
    charging_priority: int | None = None
    id_token_info: IdTokenInfo | None = None
    updated_personal_message: MessageContent | None = None


class TriggerMessage(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    evse: EVSE | None = None
    requested_message: str


class TriggerMessageResult(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    status: str
    status_info: StatusInfo | None = None


REQUESTS: dict[str, type[Struct]] = {
    "Authorize": Authorize,
    "BootNotification": BootNotification,
    "ChangeAvailability": ChangeAvailability,
    "ClearCache": ClearCache,
    "DataTransfer": DataTransfer,
    "FirmwareStatusNotification": FirmwareStatusNotification,
    "GetBaseReport": GetBaseReport,
    "GetVariables": GetVariables,
    "Heartbeat": Heartbeat,
    "LogStatusNotification": LogStatusNotification,
    "MeterValues": MeterValues,
    "NotifyEvent": NotifyEvent,
    "NotifyReport": NotifyReport,
    "RequestStartTransaction": RequestStartTransaction,
    "RequestStopTransaction": RequestStopTransaction,
    "Reset": Reset,
    "SecurityEventNotification": SecurityEventNotification,
    "SetNetworkProfile": SetNetworkProfile,
    "SetVariables": SetVariables,
    "StatusNotification": StatusNotification,
    "TransactionEvent": TransactionEvent,
    "TriggerMessage": TriggerMessage,
}

RESPONSES: dict[str, type[Struct]] = {
    "Authorize": AuthorizeResult,
    "BootNotification": BootNotificationResult,
    "ChangeAvailability": ChangeAvailabilityResult,
    "ClearCache": ClearCacheResult,
    "DataTransfer": DataTransferResult,
    "FirmwareStatusNotification": FirmwareStatusNotificationResult,
    "GetBaseReport": GetBaseReportResult,
    "GetVariables": GetVariablesResult,
    "Heartbeat": HeartbeatResult,
    "LogStatusNotification": LogStatusNotificationResult,
    "MeterValues": MeterValuesResult,
    "NotifyEvent": NotifyEventResult,
    "NotifyReport": NotifyReportResult,
    "RequestStartTransaction": RequestStartTransactionResult,
    "RequestStopTransaction": RequestStopTransactionResult,
    "Reset": ResetResult,
    "SecurityEventNotification": SecurityEventNotificationResult,
    "SetNetworkProfile": SetNetworkProfileResult,
    "SetVariables": SetVariablesResult,
    "StatusNotification": StatusNotificationResult,
    "TransactionEvent": TransactionEventResult,
    "TriggerMessage": TriggerMessageResult,
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
