"""What one signed reading, one record and the records of one session must be, so that they may be billed.

Pure rules over records that were read and verified; keys, history and transport are elsewhere. Values are compared
register by register, in exact decimals, and never rounded: what is missing stays missing. Sources: OCMF 1.4.1; reference
ocmf §1.4 (time status), §6 (order of the checks), §7 (verdicts).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from sim.metering.obis import register
from sim.metering.reasons import Kind, Reason
from sim.wire.ocmf_parse import EVENT, Reading, Record

END_MARKS = frozenset("ELRAP")
"""TX codes that end a transaction (OCMF 1.4.1 table 14)."""
BAD_LEVELS = ("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN")
"""Levels of identification that report an error (IL)."""
SHIFT_TO_KWH = {"kWh": 0, "Wh": -3}
MAX_DIGITS = 15
PAGE = re.compile(r"T([1-9]\d*)", re.ASCII)
_ANY_PAGE = re.compile(r"([TF])(\d+)", re.ASCII)
_LETTERS = {"none": "", "duration": "SR", "absolute": "S"}
_PCDF = "PCDF"


class Chosen(Struct, frozen=True):
    """The readings that a session is billed by: one register, in kWh, in order."""

    readings: tuple[Reading, ...]

    @property
    def energy(self) -> Decimal:
        """Last less first, exactly."""
        return self.readings[-1].value - self.readings[0].value


def page_of(record: Record) -> int | None:
    """The page of a record of a transaction, None if it has none (PG `T12`; `T0` is no page)."""
    found = PAGE.fullmatch(record.pagination)
    return int(found[1]) if found and len(found[1]) <= 18 else None


def in_kwh(reading: Reading) -> Reading:
    """The same reading in kWh. Raises KeyError for a unit that is none of energy."""
    shift = SHIFT_TO_KWH[reading.unit]
    return reading if not shift else replace(reading, value=reading.value.scaleb(shift), unit="kWh")


def reading_fault(reading: Reading) -> str | None:
    """Why a reading may not be billed by itself, None if it may: state, flags, exception, unit, register, digits."""
    if reading.state != "G":
        return f"a reading has state {reading.state[:8] or '(none)'} instead of G"
    if "E" in reading.error_flags:
        return "a reading is marked as faulty in energy (EF)"
    if reading.mark == "X":
        return "a reading reports an exception (TX X)"
    if reading.unit not in SHIFT_TO_KWH:
        return f"a reading has the unit {reading.unit[:8] or '(none)'}"
    found = register(reading.register)
    if found is None or not found.imports:
        return f"register {reading.register[:24] or '(none)'} is no import register"
    return digits_fault(reading)


def digits_fault(reading: Reading) -> str | None:
    """A number that no meter shows is not rounded, it is not billed."""
    if len(reading.value.as_tuple().digits) > MAX_DIGITS or abs(reading.value.adjusted()) > MAX_DIGITS:
        return "a reading has more digits than any meter"
    return None


def time_billable(time_billing: str, readings: Sequence[Reading]) -> bool:
    """Whether the meter's certificate and its clock at these readings allow time to be billed (T10).

    `absolute` needs synchronised time (S) throughout. `duration` also takes relative time (R), and under an end in
    relative time a begin of any status: only its duration was measured, and lawfully. A time error (EF t) spoils it.
    Judged from the first S reading (suspended) on, since nothing before it is billed by time.
    """
    marks = [reading.mark for reading in readings]
    relevant = readings[marks.index("S") :] if "S" in marks else readings
    letters = _LETTERS[time_billing]
    if not letters or not relevant or any("t" in one.error_flags for one in relevant):
        return False
    if time_billing == "duration" and relevant[-1].status == "R":
        return all(one.status in letters for one in relevant[1:])
    return all(one.status in letters for one in relevant)


def record_reasons(record: Record) -> list[Reason]:
    """What is to be said of one record by itself: its identification, its readings, its pages."""
    found: list[Reason] = []
    if record.fields.get("IL") in BAD_LEVELS:
        found.append(Reason(Kind.NOBILL, "identification-error", f"the identification level is {record.fields['IL']}"))
    if EVENT in record.deviations and any(
        row.get("TX") == "X" for row in record.fields["RD"] if "RV" not in row and isinstance(row, dict)
    ):
        found.append(Reason(Kind.NOBILL, "exception", "an error event reports an exception (TX X)"))
    for reading in record.readings:
        _of_reading(record, reading, found)
    page = _ANY_PAGE.fullmatch(record.pagination)
    marked = any(reading.mark for reading in record.readings)
    if page is not None and page[1] == "F" and marked:
        found.append(Reason(Kind.SESS, "page-context", "a fiscal page (F) has readings of a transaction (TX)"))
    elif page is not None and page[1] == "T" and not marked and record.format == "OCMF":
        found.append(Reason(Kind.SESS, "page-context", "a page of a transaction (T) has no reading of one (TX)"))
    return found


def _of_reading(record: Record, reading: Reading, found: list[Reason]) -> None:
    outer = reading.mark == "B" or reading.mark in END_MARKS or not reading.mark
    if reading.state != "G":
        kind = Kind.NOBILL if outer else Kind.INFO
        found.append(Reason(kind, "state", f"a reading has state {reading.state[:8] or '(none)'} instead of G"))
    if "E" in reading.error_flags:
        found.append(Reason(Kind.NOBILL, "energy-error", "a reading is marked as faulty in energy (EF)"))
    if "t" in reading.error_flags:
        found.append(Reason(Kind.TIME, "time-error", "a reading is marked as faulty in time (EF)"))
    if reading.mark == "X":
        found.append(Reason(Kind.NOBILL, "exception", "a reading reports an exception (TX X)"))
    if reading.unit not in SHIFT_TO_KWH:
        found.append(Reason(Kind.NOTE, "other-unit", f"a reading in {reading.unit[:8] or '(no unit)'} is left out"))
    elif record.format != _PCDF and not _counts(reading):
        found.append(Reason(Kind.NOTE, "other-register", f"register {reading.register[:24] or '(none)'} is left out"))
    elif (fault := digits_fault(reading)) is not None:
        found.append(Reason(Kind.NOBILL, "digits", fault))
    if reading.loss is not None and (reading.loss < 0 or (reading.mark == "B" and reading.loss)):
        found.append(Reason(Kind.DEV, "loss", "the cumulated loss (CL) is negative, or not 0 at the begin"))


def _counts(reading: Reading) -> bool:
    found = register(reading.register)
    return found is not None and found.imports


def session_reasons(records: Sequence[Record], strict: bool = False) -> tuple[list[Reason], Chosen | None]:
    """What is to be said of records taken together, and the readings to bill by if there are any.

    `records` in order of their pages. `strict` takes two units of energy in one session as a fault, not as a deviation.
    """
    found: list[Reason] = []
    _pages(records, found)
    _serials(records, found)
    chosen = _choose(records, found)
    if chosen is not None:
        _values(chosen, found)
        units = {one.unit for record in records for one in record.readings if one.unit in SHIFT_TO_KWH and _counts(one)}
        if len(units) > 1:
            kind = Kind.SESS if strict else Kind.DEV
            found.append(Reason(kind, "units", "the readings are in kWh and Wh; they were converted exactly"))
    return found, chosen


def _pages(records: Sequence[Record], found: list[Reason]) -> None:
    pages = [page_of(record) for record in records]
    numbers = sorted(page for page in pages if page is not None)
    if len(numbers) < len(pages):
        found.append(Reason(Kind.SESS, "no-page", "a record has no page number of a transaction (PG)"))
    elif numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        found.append(Reason(Kind.SESS, "page-gap", f"pages {_short(numbers)} are not in sequence"))


def _short(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:6])
    return f"{shown}, …" if len(numbers) > 6 else shown


def _serials(records: Sequence[Record], found: list[Reason]) -> None:
    for name, values in (
        ("meter (MS)", {record.meter_id for record in records}),
        ("gateway (GS)", {record.station_id for record in records}),
        ("identification (ID)", {record.id_tag.upper() for record in records}),
    ):
        if len(values) > 1:
            found.append(Reason(Kind.SESS, "serials", f"the records name different values of {name}"))


def _choose(records: Sequence[Record], found: list[Reason]) -> Chosen | None:
    """The register to bill by: compensated before others; where several are whole they must agree."""
    groups: dict[str, list[Reading]] = {}
    begun, ended = False, False
    for record in records:
        for reading in record.readings:
            if reading.unit not in SHIFT_TO_KWH:
                continue
            known = register(reading.register)
            begun, ended = begun or reading.mark == "B", ended or reading.mark in END_MARKS
            if record.format == _PCDF:
                groups.setdefault(reading.register, []).append(in_kwh(reading))
            elif known is not None and known.imports:
                name = f"{known.name} compensated" if known.compensated else known.name
                groups.setdefault(name, []).append(in_kwh(reading))
    if not groups:
        found.append(Reason(Kind.NOBILL, "no-energy", "there is no reading of an import register"))
        return None
    if any(name.endswith("compensated") for name in groups):
        groups = {name: readings for name, readings in groups.items() if name.endswith("compensated")}
    whole = [readings for readings in groups.values() if _whole(readings)]
    if not whole:
        _incomplete(groups, begun, ended, found)
        return None
    chosen = Chosen(tuple(whole[0]))
    if any(Chosen(tuple(other)).energy != chosen.energy for other in whole[1:]):
        found.append(Reason(Kind.SESS, "registers-disagree", "the registers of the session tell different energies"))
    return chosen


def _whole(readings: Sequence[Reading]) -> bool:
    """One begin first, one end last, anything else in between."""
    marks = [reading.mark for reading in readings]
    ends = sum(mark in END_MARKS for mark in marks)
    return marks.count("B") == 1 and ends == 1 and marks[0] == "B" and marks[-1] in END_MARKS


def _incomplete(groups: dict[str, list[Reading]], begun: bool, ended: bool, found: list[Reason]) -> None:
    excepted = any(one.mark == "X" for rows in groups.values() for one in rows)
    if begun and not ended and excepted:
        return  # an exception stands for the end, and is a reason of its own
    if not begun or not ended:
        found.append(Reason(Kind.SESS, "record-missing", f"there is no signed {'begin' if not begun else 'end'}"))
    elif any(_several(rows) for rows in groups.values()):
        found.append(Reason(Kind.SESS, "pairing", "the readings are not one begin, others, one end"))
    else:
        found.append(Reason(Kind.SESS, "registers", "begin and end are of different registers"))


def _several(readings: Sequence[Reading]) -> bool:
    """Begins and ends in one register, so that it is their number or order that is wrong."""
    begins = sum(one.mark == "B" for one in readings)
    ends = sum(one.mark in END_MARKS for one in readings)
    return begins > 1 or ends > 1 or bool(begins and ends)


def _values(chosen: Chosen, found: list[Reason]) -> None:
    for before, after in pairwise(chosen.readings):
        if after.value < before.value:
            found.append(Reason(Kind.SESS, "register-falls", "the register falls"))
            break
    for before, after in pairwise(chosen.readings):
        if after.at < before.at:
            found.append(Reason(Kind.SESS, "time-falls", "the time of the readings falls"))
            break
    first, last = chosen.readings[0], chosen.readings[-1]
    if first.status == "R" and last.status != "R":
        found.append(Reason(Kind.SESS, "clock", "the begin is in relative time (R) and the end is not"))
    if last.mark == "P":
        found.append(Reason(Kind.NOTE, "power-failure", "the transaction was ended by a power failure (TX P)"))
    if any(one.status in "UI" for one in (first, last)) and last.status != "R":
        found.append(Reason(Kind.TIME, "clock-informative", "the clock was not synchronised: no billing by time"))
