"""What every runtime reports, and to whom: the wire plane and the truth plane. Only the two contracts live here."""

from __future__ import annotations

from typing import Any, Protocol


class WireSink(Protocol):
    """What the runtime reports of the wire."""

    def frame(
        self, sent_at: int, delivered_at: int | None, station: str, backend: str, link: int, way: str, frame: bytes
    ) -> None:
        """One frame reached the other side, or was lost (`delivered_at` None)."""
        ...

    def link_opened(self, at: int, station: str, backend: str, link: int, subprotocol: str | None) -> None:
        """A handshake succeeded, with the subprotocol that was chosen."""
        ...

    def link_closed(self, at: int, link: int, closed_by: str, reason: str) -> None:
        """A connection ended for its back-end."""
        ...


class TruthSink(Protocol):
    """What the runtime reports of the world."""

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        """One row of a truth table."""
        ...
