"""A trace of real traffic: the lines of `sim.evidence.wire`, with a head that says what it is and a foot that counts.

Written while the traffic passes and never read back; nothing is kept in memory but counts. With pseudonyms no original
token reaches the file.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sim.errors import BadInput
from sim.evidence.pseudonyms import Pseudonyms
from sim.evidence.wire import WireFile

PROXY = "proxy"
"""Who closes a connection that neither side closed."""
_UNVERIFIABLE = (
    "persons are replaced by pseudonyms; a signed record whose identification was replaced cannot be verified any more, "
    "and the foot counts them"
)


class Recording:
    """One trace while it is written; times are instants in ms, `backend` names the far side in every line."""

    def __init__(self, file: WireFile, backend: str, names: Pseudonyms | None = None) -> None:
        self._file = file
        self._backend = backend
        self._names = names
        self._number = self._flushed = 0
        self._identities: dict[int, str] = {}
        self.broken: BadInput | None = None
        """Why the file cannot be written any more. Traffic goes on without it; whoever records must end and say so."""
        self.counts = {"connections": 0, "refused": 0, "frames_up": 0, "frames_down": 0, "lost": 0}

    def begin(self, at: int, about: Mapping[str, Any]) -> None:
        """The head: what is recorded and how."""
        head: dict[str, Any] = {"form": "chargerig trace", **about, "pseudonymised": self._names is not None}
        if self._names is not None:
            head["note"] = _UNVERIFIABLE
        self._line(at, "", 0, "head", json.dumps(head))

    def opened(self, at: int, station: str, link: int, subprotocol: str, facts: Mapping[str, Any]) -> None:
        """A handshake succeeded. `facts`: path, offered and authorization; `subprotocol` is what was chosen."""
        self.counts["connections"] += 1
        self._identities[link] = station
        known = dict(facts)
        if self._names is not None:
            known["path"] = self._names.path(known["path"])
            if known.get("authorization"):
                known["authorization"] = self._names.authorization(known["authorization"], station)
        self._line(at, station, link, "asked", json.dumps(known))
        self._line(at, station, link, "open", subprotocol)

    def refused(self, at: int, station: str, link: int, by: str, reason: str) -> None:
        """A handshake failed."""
        self.counts["refused"] += 1
        self._line(at, station, link, "refused", self._safe(f"{by}: {reason}"))

    def frame(self, sent_at: int, delivered_at: int | None, station: str, link: int, way: str, frame: str) -> None:
        """A frame went on to the other side, or was lost (`delivered_at` None)."""
        self.counts[f"frames_{way}"] += 1
        self.counts["lost"] += delivered_at is None
        written = frame if self._names is None else self._names.frame(frame)
        self._line(sent_at, station, link, way, written, delivered_at)

    def closed(self, at: int, link: int, by: str, reason: str) -> None:
        """A connection ended."""
        self._line(at, self._identities.pop(link, ""), link, "close", self._safe(f"{by}: {reason}"))

    def flush(self) -> None:
        """All lines so far outlive this process."""
        if self._flushed < self._number:
            self._flushed = self._number
            self._try(self._file.flush)

    def discard(self) -> None:
        """Nothing will be recorded; no file is left."""
        self._file.discard()

    def finish(self, at: int, more: Mapping[str, Any]) -> dict[str, Any]:
        """The foot; the file is complete. Returns what it counts. Raises BadInput if the file could not be written."""
        foot: dict[str, Any] = {**self.counts, **more}
        if self._names is not None:
            foot |= {
                "pseudonyms": self._names.count,
                "signed_records_changed": self._names.signed,
                "left_out": self._names.left_out,
            }
        self._line(at, "", 0, "foot", json.dumps(foot))
        self._try(self._file.close)
        if self.broken is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            raise self.broken
        return foot

    def _safe(self, text: str) -> str:
        return text if self._names is None else self._names.text(text)

    def _line(
        self, at: int, station: str, link: int, what: str, text: str, delivered: int | str | None = "at once"
    ) -> None:
        self._number += 1
        d = at if isinstance(delivered, str) else delivered
        entry = (self._number, at, d, station, self._backend, link, what, text.encode("utf-8", "replace"))
        self._try(lambda: self._file.write([entry]))

    def _try(self, act: Callable[[], None]) -> None:
        if self.broken is None:
            try:
                act()
            except OSError as err:
                problem = f"cannot be written any more ({err.strerror}); line {self._number} is not in it"
                self.broken = BadInput("the trace", None, problem, "enough room on the disk")
