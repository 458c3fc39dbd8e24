"""Verdicts on a document with signed values, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from sim.metering import reasons as words
from sim.metering.documents import Sheet, read_document
from sim.metering.facts import SessionFacts
from sim.metering.history import History
from sim.metering.judge import Checked, Judge, Judgement
from sim.metering.reasons import Kind, Reason
from sim.metering.registry import Registry
from sim.metering.rules import page_of
from sim.wire.ocmf_parse import Malformed

_HEAVY = Kind.HOLD
_MOST_SHOWN = 40


class Judged(Struct, frozen=True):
    """The sessions of a document with their verdicts, and the verdict of all of them: the heaviest."""

    sessions: tuple[tuple[Sheet, Judgement], ...]
    verdict: str
    signature: str
    reasons: tuple[Reason, ...]

    def told(self) -> dict[str, Any]:
        """For machines."""
        single = self.sessions[0][1] if len(self.sessions) == 1 else None
        return {
            "verdict": self.verdict,
            "signature": self.signature,
            "billable": self.verdict == words.BILLABLE,
            "reasons": [reason.text for reason in self.reasons if reason.kind >= _HEAVY],
            "remarks": [reason.text for reason in self.reasons if reason.kind < _HEAVY],
            "findings": _findings(self.reasons),
            "energy_kwh": None if single is None or single.energy_kwh is None else f"{single.energy_kwh:f}",
            "time_billable": single.time_billable if single else None,
            "sessions": [_session(sheet, judgement) for sheet, judgement in self.sessions],
        }

    def lines(self) -> list[str]:
        """For people."""
        shown = [f"{self.verdict} (signature {self.signature})"]
        for sheet, judgement in self.sessions[:_MOST_SHOWN]:
            energy = "" if judgement.energy_kwh is None else f", {judgement.energy_kwh:f} kWh"
            time = ", time billable too" if judgement.time_billable else ""
            if len(self.sessions) > 1 or energy:
                shown.append(f"{sheet.facts.session or 'session'}: {judgement.verdict}{energy}{time}")
            shown += [f"  {reason.kind.name.lower()}: {reason.text}" for reason in judgement.reasons]
        if not self.sessions:
            shown += [f"  {reason.kind.name.lower()}: {reason.text}" for reason in self.reasons]
        if len(self.sessions) > _MOST_SHOWN:
            shown.append(f"and {len(self.sessions) - _MOST_SHOWN} more sessions; --json shows all")
        return shown


def verify(text: str, key: str, registry: Registry | None, known: SessionFacts, strict: bool) -> Judged:
    """Judge a document. What cannot be read is a verdict too: malformed."""
    try:
        sheets = read_document(text)
    except Malformed as err:
        reason = Reason(Kind.MAL, "unreadable", str(err))
        return Judged((), words.MALFORMED, words.UNKNOWN, (reason,))
    judge = Judge(registry, History(), key, strict)
    judged = [(sheet, judge.session(sheet.values, _with(sheet.facts, known))) for sheet in _in_order(sheets)]
    every = tuple(dict.fromkeys(reason for _, one in judged for reason in one.reasons))
    states = [one.signature for _, one in judged]
    signature = words.VALID if set(states) == {words.VALID} else words.UNKNOWN
    return Judged(
        tuple(judged), words.verdict_of(every), words.INVALID if words.INVALID in states else signature, every
    )


def _with(facts: SessionFacts, known: SessionFacts) -> SessionFacts:
    """What the document says, and what the user says above it."""
    plain = asdict(SessionFacts())
    return replace(facts, **{name: value for name, value in asdict(known).items() if value != plain[name]})


def _in_order(sheets: Sequence[Sheet]) -> list[Sheet]:
    """By the pages of their first records, since files are sorted in many ways."""
    judge = Judge()
    pages = []
    for sheet in sheets:
        first = judge.session(sheet.values[:1], SessionFacts()).records if len(sheets) > 1 else ()
        record = first[0].record if first else None
        pages.append(page_of(record) or 0 if record is not None else 0)
    return [sheet for _, sheet in sorted(zip(pages, sheets, strict=True), key=lambda pair: pair[0])]


def _session(sheet: Sheet, judgement: Judgement) -> dict[str, Any]:
    return {
        "session": sheet.facts.session,
        "verdict": judgement.verdict,
        "signature": judgement.signature,
        "billable": judgement.billable,
        "energy_kwh": None if judgement.energy_kwh is None else f"{judgement.energy_kwh:f}",
        "time_billable": judgement.time_billable,
        "reasons": [reason.text for reason in judgement.reasons if reason.kind >= _HEAVY],
        "records": [_record(one) for one in judgement.records],
    }


def _record(one: Checked) -> dict[str, Any]:
    record = one.record
    about: dict[str, Any] = {"where": one.value.where, "signature": one.signature, "findings": _findings(one.reasons)}
    if record is not None:
        about |= {
            "format": record.format,
            "algorithm": record.algorithm,
            "meter": record.meter_id,
            "gateway": record.station_id,
            "page": record.pagination,
            "id": record.id_tag,
            "sha256": one.digest,
            "readings": [
                {"mark": r.mark, "value": f"{r.value:f}", "unit": r.unit, "register": r.register, "clock": r.status}
                for r in record.readings
            ],
        }
    return about


def _findings(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    return [{"kind": one.kind.name, "code": one.code, "text": one.text} for one in reasons]
