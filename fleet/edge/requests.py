"""Quirks of a station that is asked something: it does not hear, refuses, agrees and does nothing, or answers in pieces.

Sources stand in quirks.toml. Nothing here knows a connection.
"""

from __future__ import annotations

from fleet.edge.words import Asked, Reply, asked, replies
from sim.clock import HOUR, SECOND

HANGS = 30 * SECOND
SULKS = 3 * HOUR
WIDTH = 32
RETRY_KEYS = "TransactionMessage"


@asked()
def hangs_on_calls(request: Asked) -> None:
    """Q28."""
    request.silent = request.acted = True
    request.hang = HANGS


@asked("TriggerMessage")
def deaf_to_triggers(request: Asked) -> None:
    """Q35."""
    request.silent = request.acted = True


@asked("GetConfiguration")
def deaf_to_feature_profiles(request: Asked) -> None:
    """Q54."""
    if "SupportedFeatureProfiles" in request.payload.get("key", ()):
        request.silent = request.acted = True


@asked("SetChargingProfile")
def ignores_max_profile(request: Asked) -> None:
    """Q20."""
    if request.payload["csChargingProfiles"]["chargingProfilePurpose"] == "ChargePointMaxProfile":
        request.reply, request.acted = {"status": "Accepted"}, True


@asked("SetChargingProfile")
def refuses_profiles_by_schema(request: Asked) -> None:
    """Q39."""
    request.code, request.acted = "PropertyConstraintViolation", True


@asked("TriggerMessage")
def refuses_trigger_of_values(request: Asked) -> None:
    """Q45."""
    if request.payload["requestedMessage"] == "MeterValues":
        request.reply, request.acted = {"status": "Rejected"}, True


@asked("TriggerMessage")
def refuses_triggers_after_reconnect(request: Asked) -> None:
    """Q49."""
    if request.memory.reconnected:
        request.reply, request.acted = {"status": "Rejected"}, True


@asked("RemoteStopTransaction")
def refuses_remote_stop(request: Asked) -> None:
    """Q27."""
    if request.now < request.memory.orphan_until:
        request.reply, request.acted = {"status": "Rejected"}, True


@asked("GetLocalListVersion")
def not_implemented(request: Asked) -> None:
    """Q47."""
    request.code, request.acted = "NotImplemented", True


@asked("ChangeConfiguration")
def reboots_on_retry_keys(request: Asked) -> None:
    """Q64."""
    if str(request.payload["key"]).startswith(RETRY_KEYS):
        request.reply, request.reboot, request.acted = {"status": "RebootRequired"}, True, True


@asked("GetConfiguration")
def reboots_on_measurands(request: Asked) -> None:
    """Q06."""
    if "MeterValuesSampledData" in request.payload.get("key", ()):
        request.reboot = request.acted = True


@asked()
def boots_again_when_called_early(request: Asked) -> None:
    """Q09."""
    if not request.memory.accepted and request.memory.hello:
        request.also.append(("BootNotification", request.memory.hello))
        request.acted = True


@replies("GetConfiguration")
def truncated_configuration(reply: Reply) -> None:
    """Q16."""
    reply.cut, reply.acted = 2, True


@replies("SetChargingProfile")
def truncated_profile_answer(reply: Reply) -> None:
    """Q26."""
    reply.cut, reply.acted = 2, True


@replies("GetConfiguration")
def truncated_values(reply: Reply) -> None:
    """Q34."""
    for row in reply.payload.get("configurationKey", ()):
        if len(row.get("value") or "") > WIDTH:
            row["value"], reply.acted = row["value"][:WIDTH], True
