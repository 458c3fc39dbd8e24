"""OBIS codes of registers: which of them count imported energy, and which of those are compensated for losses.

Read in all spellings of the field (`1-0:1.8.0`, `01-00:01.08.00*FF`, `1-b:1.8.e`, `0100010800FF`). Sources: OCMF 1.4.1,
table of registers; reference ocmf §1.4.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_TEXT = re.compile(
    r"(?:([0-9A-F]{1,2})-([0-9A-Fb]{1,2}):)?([0-9A-F]{1,2})\.([0-9A-F]{1,2})\.([0-9A-Fe]{1,2})(?:[.*&]([0-9A-F]{1,3}))?",
    re.ASCII,
)
_DIGITS = re.compile(r"([0-9A-F]{2})" * 6, re.ASCII)
_ENERGY = ("8", "17", "11")
"""D of a register that accumulates; 17 (hex 11) is the signed value of meters of the EDL family."""
_IMPORT = ("1", "98", "9E", "B0", "B1", "B2", "B3")
_EXPORT = ("2", "C0", "C1", "C2", "C3")
_COMPENSATED = ("98", "B1", "B3", "C1", "C3")
_TRANSACTION = ("B2", "B3", "C2", "C3")
_SESSION_MEMORY = ("198",)


class Register(Struct, frozen=True):
    """What a code says: `name` is the same for all spellings; `compensated` registers take precedence over others."""

    name: str
    imports: bool
    exports: bool
    compensated: bool
    of_transaction: bool


@lru_cache(maxsize=4096)
def register(code: str) -> Register | None:
    """The register of a code, None if it is none of energy."""
    found = _TEXT.fullmatch(code) or _DIGITS.fullmatch(code)
    if found is None:
        return None
    a, _, c, d, e, f = ((part or "").lstrip("0") for part in found.groups())
    if a not in ("1", "") or d not in _ENERGY:
        return None
    f = "" if f in ("FF", "255") else f
    newer_compensated = f in ("C8", "200")
    return Register(
        name=f"{c}.{d}.{e if e != 'e' else ''}*{f}",
        imports=c in _IMPORT,
        exports=c in _EXPORT,
        compensated=c in _COMPENSATED or newer_compensated,
        of_transaction=c in _TRANSACTION or f in _SESSION_MEMORY,
    )
