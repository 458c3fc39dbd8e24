"""Why signed values may not be billed, or what is odd about them: kinds, reasons, and the verdict they add up to.

Words only; the rules are elsewhere. A key that is unknown, a signature that is wrong, an algorithm that cannot be done and
a good record that may not be billed are different verdicts, and none is ever told as another (reference ocmf §0.15).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from msgspec import Struct

BILLABLE = "billable"
NOT_BILLABLE = "not-billable"
WRONG_SIGNATURE = "wrong-signature"
KEY_UNKNOWN = "key-unknown"
UNSUPPORTED = "unsupported"
MALFORMED = "malformed"
VERDICTS = (BILLABLE, NOT_BILLABLE, WRONG_SIGNATURE, KEY_UNKNOWN, UNSUPPORTED, MALFORMED)

VALID, INVALID, UNKNOWN = "valid", "invalid", "unknown"


class Kind(IntEnum):
    """What a reason comes to, the lightest first; the heaviest of all decides."""

    NOTE = 0
    """Worth knowing; nothing is wrong."""
    TIME = 1
    """Energy may be billed, time must not."""
    INFO = 2
    """A warning of clock, completeness or plausibility."""
    DEV = 3
    """Valid, but not as the format wants it."""
    HOLD = 4
    """Implausible: somebody has to look before it is billed."""
    NOBILL = 5
    """The signature is good, and it must not be billed."""
    SESS = 6
    """Each record is good, the session is not."""
    REPLAY = 7
    """The record came before."""
    SIG = 8
    """The signature is wrong."""
    KEY = 9
    """No key is registered that this could be checked with, or the record belongs to another one."""
    ALG = 10
    """An algorithm, a version or a format that cannot be done."""
    MAL = 11
    """It cannot be read."""


_VERDICTS = {
    Kind.MAL: MALFORMED,
    Kind.ALG: UNSUPPORTED,
    Kind.KEY: KEY_UNKNOWN,
    Kind.SIG: WRONG_SIGNATURE,
    Kind.REPLAY: NOT_BILLABLE,
    Kind.SESS: NOT_BILLABLE,
    Kind.NOBILL: NOT_BILLABLE,
    Kind.HOLD: NOT_BILLABLE,
}
_LETTERS = {Kind.NOTE: "OK", Kind.TIME: "OK", Kind.HOLD: "INFO"}


class Reason(Struct, frozen=True):
    """One thing that is to be said: `code` for machines, `text` for people. Neither repeats a meter's text at length."""

    kind: Kind
    code: str
    text: str


def heaviest(reasons: Iterable[Reason]) -> Kind:
    """The kind that decides; NOTE if there is nothing."""
    return max((reason.kind for reason in reasons), default=Kind.NOTE)


def verdict_of(reasons: Iterable[Reason]) -> str:
    """One of VERDICTS."""
    return _VERDICTS.get(heaviest(reasons), BILLABLE)


def letters_of(reasons: Iterable[Reason]) -> str:
    """The verdict in the words of the mutation catalogue: OK, DEV, INFO, NOBILL, SESS, REPLAY, SIG, KEY, ALG, MAL."""
    kind = heaviest(reasons)
    return _LETTERS.get(kind, kind.name)
