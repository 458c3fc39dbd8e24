"""OCPP-J frames of 1.6 and 2.0.1: bytes to Call, Result or Error and back. The queue of own calls is `sim.wire.calls`.

Knows the frame, never the payload: a payload stays the bytes that arrived, and `sim.wire.schema` judges it. Whatever a
peer sends, `parse` raises BadFrame and nothing else. Sources: OCPP-J 1.6 §4, OCPP-J 1.6 errata (2025-04) §5, OCPP 2.0.1
Part 4 ed. 3 §4.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from sim.wire.calls import CallQueue, Pending

__all__ = [
    "CALL",
    "CALLERROR",
    "CALLRESULT",
    "ERROR_CODES",
    "ERROR_CODES_TWO",
    "MAX_ID",
    "NO_ID",
    "BadFrame",
    "Call",
    "CallQueue",
    "Error",
    "Frame",
    "Pending",
    "Result",
    "encode_call",
    "encode_error",
    "encode_error_two",
    "encode_result",
    "known_code",
    "known_code_two",
    "parse",
    "parse_two",
]

CALL = 2
CALLRESULT = 3
CALLERROR = 4
MAX_ID = 36
"""Characters in a message id (OCPP-J 1.6 §4.1.4)."""

ERROR_CODES = (
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
)
"""The codes of OCPP-J 1.6 §4.2.3 in the spelling of 1.6, odd as two of them are (J errata §5.1 and §5.2)."""

_OTHER_SPELLINGS = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
}
_TWO_SPELLINGS = {old: new for new, old in _OTHER_SPELLINGS.items()}

RPC_FRAMEWORK, TYPE_NOT_SUPPORTED = "RpcFrameworkError", "MessageTypeNotSupported"

ERROR_CODES_TWO = (
    *(_TWO_SPELLINGS.get(code, code) for code in ERROR_CODES),
    RPC_FRAMEWORK,
    TYPE_NOT_SUPPORTED,
)
"""The codes of OCPP 2.0.1 Part 4 §4.3, spelt as there."""

NO_ID = "-1"
"""Stands in a CALLERROR of 2.0.1 for the id that could not be read (Part 4 §4.2.3)."""
_MAX_DESCRIPTION = 255


class Call(Struct, frozen=True, gc=False):
    """A request. `payload` is the JSON object exactly as it stood in the frame."""

    id: str
    action: str
    payload: bytes


class Result(Struct, frozen=True, gc=False):
    """The answer to a Call. `payload` is the JSON object exactly as it stood in the frame."""

    id: str
    payload: bytes


class Error(Struct, frozen=True, gc=False):
    """The refusal of a Call. `code` is what the peer wrote; `known_code` folds it to a code of 1.6."""

    id: str
    code: str
    description: str = ""
    details: bytes = b"{}"


Frame = Call | Result | Error


class BadFrame(Exception):
    """A frame that is none.

    `id` is set when OCPP-J wants a CALLERROR with this id and `code`; None means ignore and log (1.6 has no answer for
    it). `settles` is the id of one of our own calls whose answer was unreadable: that call has failed, and nobody is
    answered. `read_id` is an id that could be read, and that 1.6 does not answer; `is_call` says whether the frame was
    one to be answered at all.
    """

    def __init__(
        self,
        id: str | None,
        code: str,
        why: str,
        settles: str | None = None,
        read_id: str | None = None,
        is_call: bool = True,
    ) -> None:
        super().__init__(why)
        self.id = id
        self.code = code
        self.why = why
        self.settles = settles
        self.read_id = read_id
        self.is_call = is_call


_Id = Annotated[str, Meta(max_length=MAX_ID)]
_Name = Annotated[str, Meta(min_length=1)]
_decode_call = msgspec.json.Decoder(tuple[Literal[2], _Id, _Name, Raw]).decode
_decode_result = msgspec.json.Decoder(tuple[Literal[3], _Id, Raw]).decode
_decode_elements = msgspec.json.Decoder(list[Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_number = msgspec.json.Decoder(int).decode
_encode_text = msgspec.json.Encoder().encode

_UNREADABLE = (ValueError, RecursionError)
"""What the decoders raise: theirs are ValueErrors, and deep nesting ends in a RecursionError."""


def parse(frame: bytes, strict: bool = False) -> Frame:
    """Read one text frame. Raises BadFrame, and only that.

    `strict` also refuses an object with the same key twice, anywhere in the frame (slow: for conformance runs).
    """
    if not strict:
        # The usual frames, in as few steps as possible. Whatever is odd about a frame leads to the slow way below.
        try:
            if frame.startswith(b"[2"):
                _, id, action, raw = _decode_call(frame)
                payload = bytes(raw)
                if payload.startswith(b"{") and (frame.isascii() or frame.decode()):
                    return Call(id, action, payload)
            elif frame.startswith(b"[3"):
                _, id, raw = _decode_result(frame)
                payload = bytes(raw)
                if payload.startswith(b"{") and (frame.isascii() or frame.decode()):
                    return Result(id, payload)
        except _UNREADABLE:
            pass
    return _parse_slowly(frame, strict)


def parse_two(frame: bytes) -> Frame:
    """Read one text frame of 2.0.1. Raises BadFrame, and only that, in the codes of 2.0.1.

    What 1.6 ignores is answered here: an unreadable frame under the id "-1", an unknown message type under its own.
    """
    try:
        return parse(frame)
    except BadFrame as bad:
        raise _as_two(bad) from None


def _as_two(bad: BadFrame) -> BadFrame:
    code = _TWO_SPELLINGS.get(bad.code, bad.code)
    if bad.id is not None or bad.settles is not None or not bad.is_call:
        return BadFrame(bad.id, code, bad.why, bad.settles)
    if bad.read_id is not None:
        return BadFrame(bad.read_id, TYPE_NOT_SUPPORTED, bad.why)
    return BadFrame(NO_ID, RPC_FRAMEWORK, bad.why)


def encode_call(id: str, action: str, payload: bytes) -> bytes:
    """The frame of a request; `payload` must be a JSON object."""
    return b"[2,%b,%b,%b]" % (_encode_text(id), _encode_text(action), payload)


def encode_result(id: str, payload: bytes) -> bytes:
    """The frame of an answer; `payload` must be a JSON object."""
    return b"[3,%b,%b]" % (_encode_text(id), payload)


def encode_error(id: str, code: str, description: str = "", details: bytes = b"{}") -> bytes:
    """The frame of a refusal. `code` must be one of ERROR_CODES; the description is cut to 255 characters."""
    if code not in ERROR_CODES:
        raise ValueError(f"{code!r} is no OCPP-J 1.6 error code")
    return _error_frame(id, code, description, details)


def encode_error_two(id: str, code: str, description: str = "", details: bytes = b"{}") -> bytes:
    """The same in 2.0.1; a code in the spelling of 1.6 is written as 2.0.1 has it."""
    code = _TWO_SPELLINGS.get(code, code)
    if code not in ERROR_CODES_TWO:
        raise ValueError(f"{code!r} is no error code of OCPP 2.0.1")
    return _error_frame(id, code, description, details)


def _error_frame(id: str, code: str, description: str, details: bytes) -> bytes:
    why = _encode_text(description[:_MAX_DESCRIPTION])
    return b"[4,%b,%b,%b,%b]" % (_encode_text(id), _encode_text(code), why, details)


def known_code(code: str) -> str:
    """The 1.6 spelling of a received code; a code that nobody knows counts as GenericError."""
    code = _OTHER_SPELLINGS.get(code, code)
    return code if code in ERROR_CODES else "GenericError"


def known_code_two(code: str) -> str:
    """The 2.0.1 spelling of a received code; a code that nobody knows counts as GenericError."""
    code = _TWO_SPELLINGS.get(code, code)
    return code if code in ERROR_CODES_TWO else "GenericError"


def _parse_slowly(frame: bytes, strict: bool) -> Frame:
    """Frames that are short, long, oddly spaced or wrong: find out what is readable, and say what is not."""
    try:
        frame.decode()  # the decoder skips over payloads without looking into their texts
        elements = [bytes(one) for one in _decode_elements(frame)]
    except _UNREADABLE:
        raise BadFrame(None, "GenericError", "the frame is no JSON array") from None
    kind = _whole_number(elements[0]) if elements else None
    id = _string(elements[1]) if len(elements) > 1 else None
    if kind not in (CALL, CALLRESULT, CALLERROR):
        known = id if kind is not None and id is not None and len(id) <= MAX_ID else None
        raise BadFrame(None, "GenericError", "the message type is none of 2, 3 and 4", read_id=known)
    if id is None:
        raise BadFrame(None, "GenericError", "the message has no readable id", is_call=kind == CALL)
    if kind == CALL:
        return _call(id, elements, frame, strict)
    if kind == CALLRESULT:
        return _result(id, elements, frame, strict)
    return _error(id, elements)


def _call(id: str, elements: list[bytes], frame: bytes, strict: bool) -> Call:
    if len(id) > MAX_ID:
        raise BadFrame(id, "FormationViolation", f"the message id has more than {MAX_ID} characters")
    if len(elements) != 4:
        raise BadFrame(id, "FormationViolation", f"a CALL has 4 elements, this one has {len(elements)}")
    action = _string(elements[2])
    if not action:
        raise BadFrame(id, "FormationViolation", "the action is no name")
    payload = _object(elements[3])
    if payload is None:
        raise BadFrame(id, "FormationViolation", "the payload is no JSON object")
    if strict:
        _refuse_double_keys(frame, id)
    return Call(id, action, payload)


def _result(id: str, elements: list[bytes], frame: bytes, strict: bool) -> Result:
    payload = _object(elements[2]) if len(elements) == 3 else None
    if payload is None:
        # An answer is never answered: a CALLERROR here fails certification. The call it belongs to has failed.
        raise BadFrame(None, "FormationViolation", "a CALLRESULT is [3, id, object]", settles=id)
    if strict:
        _refuse_double_keys(frame, None, settles=id)
    return Result(id, payload)


def _error(id: str, elements: list[bytes]) -> Error:
    """CALLERRORs are read leniently: stations send them short, and the call has failed in any case."""
    code = _string(elements[2]) if len(elements) > 2 else None
    description = _string(elements[3]) if len(elements) > 3 else None
    details = _object(elements[4]) if len(elements) > 4 else None
    return Error(id, code or "GenericError", description or "", details or b"{}")


def _object(raw: bytes) -> bytes | None:
    """The payload, None if it is no object. `null` is the other notation of an empty one (OCPP-J 1.6 §4.2.1)."""
    raw = raw.strip(b" \t\r\n")
    if raw == b"null":
        return b"{}"
    return raw if raw.startswith(b"{") else None


def _string(raw: bytes) -> str | None:
    try:
        return _decode_text(raw)
    except _UNREADABLE:
        return None


def _whole_number(raw: bytes) -> int | None:
    try:
        return _decode_number(raw) if raw.strip().isdigit() else None
    except _UNREADABLE:
        return None


def _refuse_double_keys(frame: bytes, id: str | None, settles: str | None = None) -> None:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in found}) != len(found):
            raise BadFrame(id, "FormationViolation", "an object names the same key twice", settles=settles)
        return dict(found)

    try:
        json.loads(frame, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        raise BadFrame(id, "FormationViolation", "the payload is no readable JSON", settles=settles) from None
