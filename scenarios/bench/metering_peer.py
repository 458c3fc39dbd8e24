"""The other reader of OCMF that ours is measured against: the package pyocmf, used as its own documents say.

It parses, verifies and applies its rules of billing; nothing here may make it slower than its users have it.
"""

from __future__ import annotations

from collections.abc import Callable

from sim.errors import BadInput


def peer(public_key: str) -> tuple[Callable[[str], bool], str]:
    """Tells of one record whether pyocmf would bill it; and its version. Raises BadInput where it is not installed."""
    try:
        import pyocmf
    except ImportError:
        raise BadInput("the installation", None, "lacks the package pyocmf", "pip install 'chargerig[bench]'") from None

    key = pyocmf.PublicKey.from_string(public_key)

    def judged(text: str) -> bool:
        record = pyocmf.OCMF.from_string(text)
        return record.verify_signature(key) and not record.check_eichrecht(errors_only=True)

    return judged, str(pyocmf.__version__)
