"""Where a readable record is not as OCMF wants it: reported, and no reason not to bill by itself, save its version.

Source: OCMF 1.4.1 tables 6 to 9; reference ocmf §1.1 (versions), §1.3 (what the field sends).
"""

from __future__ import annotations

from collections.abc import Sequence

from sim.metering.reasons import Kind, Reason
from sim.wire.ocmf_parse import Record
from sim.wire.ocmf_write import ID_TYPES

VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5", "1.0", "1.1", "1.2", "1.3", "1.4")
_REFUSED_BY_THE_TOOL = ("1.4",)
_LEVELS = ("NONE", "HEARSAY", "TRUSTED", "VERIFIED", "CERTIFIED", "SECURE")
_ERROR_LEVELS = ("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN")
_CLOCKS = "UISR"
_OLD = ("0.1", "0.2", "0.3")


def deviations_of(record: Record) -> list[Reason]:
    """Every deviation of a record, those of reading it included; one that names a version we do not know is unsupported."""
    found = [Reason(Kind.DEV, "spelling", text) for text in record.deviations]
    if record.format != "OCMF":
        return found
    fields = record.fields
    version = fields.get("FV")
    shown = version if isinstance(version, str) else "" if version is None else str(version)
    if version is None:
        found.append(Reason(Kind.DEV, "version", "the record names no version (FV)"))
    elif shown not in VERSIONS:
        found.append(Reason(Kind.ALG, "version", f"version {shown[:8]} of the format is not known (FV)"))
    elif not isinstance(version, str):
        found.append(Reason(Kind.DEV, "version", "the version is no text (FV)"))
    if shown in _REFUSED_BY_THE_TOOL:
        found.append(Reason(Kind.NOTE, "reference-tool", f"the reference tool refuses version {shown}"))
    if not record.meter_id:
        found.append(Reason(Kind.DEV, "no-meter", "the record names no meter (MS)"))
    level = fields.get("IL")
    if level is not None and level not in _LEVELS and level not in _ERROR_LEVELS:
        found.append(Reason(Kind.DEV, "level", "the level of identification is not known (IL)"))
    if shown not in _OLD and fields.get("IS") is not None and not isinstance(fields["IS"], bool):
        found.append(Reason(Kind.DEV, "assignment", "whether a user is assigned is no truth value (IS)"))
    kind = fields.get("IT")
    if kind is not None and kind not in ID_TYPES:
        found.append(Reason(Kind.DEV, "kind-of-id", "the kind of identification is not known (IT)"))
    for name, most in (("TT", 250), ("CF", 25)):
        if isinstance(fields.get(name), str) and len(fields[name]) > most:
            found.append(Reason(Kind.DEV, "length", f"{name} has more than {most} characters"))
    if any(reading.status not in _CLOCKS for reading in record.readings):
        found.append(Reason(Kind.DEV, "clock-status", "a time has an unknown status"))
    found += _loss(fields.get("LC"))
    return found


def _loss(loss: object) -> Sequence[Reason]:
    if loss is None:
        return ()
    if not isinstance(loss, dict) or loss.get("LU") not in ("mOhm", "uOhm") or "LR" not in loss:
        return (Reason(Kind.DEV, "loss-object", "the loss compensation lacks its resistance or unit (LC)"),)
    return ()
