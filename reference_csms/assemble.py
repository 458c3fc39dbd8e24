"""The composition root: a back-end from its parts. Parts are replaced here and nowhere else."""

from __future__ import annotations

from typing import Any

from reference_csms.backend import ReferenceCsms
from reference_csms.parts import PARTS, Parts
from sim.backend import Setup


def assemble(setup: Setup, **parts: Any) -> ReferenceCsms:
    """The reference back-end for a Setup, with some parts replaced by name (see `PARTS`).

    Raises TypeError for a part that does not exist, and BadInput for an instruction sheet that is wrong.
    """
    unknown = sorted(set(parts) - set(PARTS))
    if unknown:
        raise TypeError(f"unknown part {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    return ReferenceCsms(setup, Parts(**parts))
