"""One look at a frame: a CALL in the usual writing is parsed, judged and decoded in a single step.

What it understands, `ocppj.parse` and `schema.judge` find right too, with the same id, action and values (a test holds it
to that). About everything else it says nothing, and those two have the word. It must never refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol, cast

import msgspec
from msgspec import Meta, defstruct

from sim.wire.ocppj import MAX_ID
from sim.wire.quick import quick_type
from sim.wire.schema import document, known_actions


class Glanced(Protocol):
    """A CALL. `request` has the fields of the struct of its action in `payloads.v16`, without being one."""

    id: str
    action: str
    request: Any


_Decode = Callable[[bytes], Glanced]


def _unknown(frame: bytes) -> Glanced:
    """Stands for the decoder of an action that was not asked for yet."""
    raise AssertionError("never called")


_decoders: dict[bytes, _Decode | None] = {}


def glance(frame: bytes) -> Glanced | None:
    """The CALL of OCPP 1.6 in this frame, None if there is anything unusual about it."""
    action = frame.split(b'"', 4)[3:4]  # behind the third quotation mark
    decode = _decoders.get(action[0], _unknown) if action else None
    if decode is _unknown:
        decode = _decoder(action[0])
    if decode is None:
        return None
    try:
        return decode(frame)
    except (ValueError, RecursionError):
        return None


def _decoder(action: bytes) -> _Decode | None:
    name = action.decode(errors="replace")
    if name not in known_actions("1.6"):
        return None
    kind = quick_type(document("1.6", name, "request"))
    decode: _Decode | None = None
    if kind is not None:
        texts = [("id", Annotated[str, Meta(max_length=MAX_ID)]), ("action", Literal[name])]
        elements = [("kind", Literal[2]), *texts, ("request", kind)]
        frame = defstruct("Glanced", elements, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False)
        decode = cast(_Decode, msgspec.json.Decoder(frame).decode)
    _decoders[action] = decode
    return decode
