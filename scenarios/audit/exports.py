"""Reads the exports of an audit: a folder with files of known names, or an `audit.toml` that says where things are.

Everything is read before anything is judged; what cannot be read is one sentence with file, place and what is allowed.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from reference_csms.pricing.model import Charge, Period, Tariff
from reference_csms.pricing.policies import POLICIES
from scenarios.audit.model import Bill, Exports, Invoice, InvoiceLine, Session
from scenarios.audit.ocpi import bill_of, rows_of, session_of
from scenarios.rate_files import tariffs_of
from scenarios.targets.cells import Unreadable
from scenarios.targets.csvbook import read_csv
from scenarios.targets.model import Book
from scenarios.targets.sources import Sources
from sim.clock import SECOND, Instant, zone
from sim.errors import BadInput, unknown
from sim.metering.registry import Entry, Registry, read_registry

SETTINGS = "audit.toml"
TABLES: dict[str, tuple[str, ...]] = {
    "cdrs": (
        "cdr_id", "session_id", "station", "connector", "token", "started_at", "ended_at", "kwh", "charging_seconds",
        "idle_seconds", "tariff_id", "currency", "total_net", "total_gross", "group", "location", "signed",
    ),
    "sessions": ("session_id", "station", "connector", "started_at", "ended_at", "kwh"),
    "invoices": ("number", "total_net", "total_vat", "total_gross"),
    "invoice_lines": ("number", "cdr_id", "session_id", "total_net", "total_gross"),
    "records": ("session_id", "record", "context"),
}  # fmt: skip
"""The exports that may be CSV, and their columns; a map gives them other names (docs/audit.md)."""
_NEEDED = {
    "cdrs": ("started_at", "ended_at", "kwh"),
    "sessions": ("session_id", "started_at"),
    "invoices": ("number",),
    "invoice_lines": ("number",),
    "records": ("session_id", "record"),
}
_PATTERNS = {
    "cdrs": ("cdrs*.json", "cdrs*.csv"),
    "tariffs": ("tariffs*.json",),
    "sessions": ("sessions*.json", "sessions*.csv"),
    "invoices": ("invoices*.csv",),
    "invoice_lines": ("invoice_lines*.csv",),
    "records": ("records*.csv",),
    "keys": ("keys*.json", "keys*.toml", "keys*.txt"),
}


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """An `audit.toml`: a table for each export, as the books of a target file, and what the exports leave open."""

    cdrs: Book | None = None
    sessions: Book | None = None
    invoices: Book | None = None
    invoice_lines: Book | None = None
    records: Book | None = None
    tariffs: str = ""
    keys: str = ""
    zone: str = ""
    currency: str = ""
    policy: str = ""
    name: str = ""


def read_exports(path: Path) -> Exports:
    """All exports of a folder or of an audit.toml. Raises BadInput."""
    if path.is_dir():
        inside = path / SETTINGS
        folder, said = path, _settings(inside) if inside.is_file() else Settings()
    elif path.is_file() and path.suffix == ".toml":
        folder, said = path.parent, _settings(path)
    else:
        raise BadInput(
            path, None, "is neither a folder nor an audit.toml", "a folder of exports, or the TOML file for one"
        )
    reader = _Reader(folder, said)
    bills = reader.bills()
    if not bills:
        raise BadInput(folder, "cdrs", "hold no record", "at least one charge detail record")
    return Exports(
        name=said.name or folder.resolve().name,
        bills=tuple(reader.with_records(bills)),
        tariffs=reader.tariffs(),
        sessions=reader.sessions(),
        invoices=reader.invoices(),
        lines=reader.lines(),
        registry=reader.registry(),
        policy=said.policy,
        files=tuple(reader.files),
    )


def _settings(file: Path) -> Settings:
    try:
        read = tomllib.loads(file.read_text("utf-8"))
        said = msgspec.convert(read, Settings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise BadInput(file, None, f"cannot be read ({err})", "a TOML file in UTF-8") from None
    except msgspec.ValidationError as err:
        raise BadInput(file, None, f"is no audit file ({err})", Settings.__struct_fields__) from None
    if said.zone:
        try:
            zone(said.zone)
        except ValueError as err:
            raise BadInput(file, "zone", str(err), "an IANA name such as Europe/Oslo") from None
    if said.policy and said.policy not in POLICIES:
        problem, allowed = unknown("policy", said.policy, POLICIES)
        raise BadInput(file, "policy", problem, allowed)
    return said


class _Reader:
    """Reads the exports of one folder."""

    def __init__(self, folder: Path, said: Settings) -> None:
        self._folder = folder
        self._said = said
        self.files: list[str] = []

    def bills(self) -> list[Bill]:
        """The charge detail records."""
        found: list[Bill] = []
        for file in self._json("cdrs"):
            found += [
                bill_of(row, str(file), place, self._said.zone, self._said.currency)
                for place, row in rows_of(self._read(file), str(file), ("cdr", "cdrs"), ("charging_periods",))
            ]
        for row in self._csv("cdrs"):
            found.append(_bill(row, self._said))
        return found

    def with_records(self, bills: Sequence[Bill]) -> list[Bill]:
        """The records with the signed values of the export `records` added to them."""
        more: dict[str, list[tuple[str, str]]] = {}
        for row in self._csv("records"):
            more.setdefault(row["session_id"], []).append((row["record"] or "", row.get("context") or ""))
        return [
            msgspec.structs.replace(bill, signed=(*bill.signed, *more[bill.session_id]))
            if bill.session_id in more
            else bill
            for bill in bills
        ]

    def tariffs(self) -> dict[str, tuple[Tariff, ...]]:
        """All versions of each tariff, the oldest first."""
        found: dict[str, list[Tariff]] = {}
        for file in self._named("tariffs", self._said.tariffs):
            for one in tariffs_of(self._read(file), str(file)):
                found.setdefault(one.tariff.tariff_id, []).append(one.tariff)
        return {name: tuple(sorted(all_of, key=lambda one: one.valid_from or 0)) for name, all_of in found.items()}

    def sessions(self) -> tuple[Session, ...] | None:
        """The sessions, None if there is no export of them."""
        files = self._json("sessions")
        rows = self._csv("sessions")
        if not files and not self._has_csv("sessions"):
            return None
        found = [
            session_of(row, str(file), place)
            for file in files
            for place, row in rows_of(self._read(file), str(file), ("session", "sessions"), ("start_date_time",))
        ]
        for row in rows:
            end = row.get("ended_at")
            kwh = row.get("kwh")
            found.append(
                Session(
                    row["place"], row["session_id"] or "", row.get("station") or "", int(row.get("connector") or 0),
                    Instant(row["started_at"]), None if end is None else Instant(end), None if kwh is None else Decimal(kwh),
                )
            )  # fmt: skip
        return tuple(found)

    def invoices(self) -> tuple[Invoice, ...] | None:
        """The invoices, None if there is no export of them."""
        if not self._has_csv("invoices"):
            return None
        return tuple(
            Invoice(
                row["place"],
                row["number"] or "",
                *(_amount(row, name) for name in ("total_net", "total_vat", "total_gross")),
            )
            for row in self._csv("invoices")
        )

    def lines(self) -> tuple[InvoiceLine, ...] | None:
        """The lines of invoices, None if there is no export of them."""
        if not self._has_csv("invoice_lines"):
            return None
        return tuple(
            InvoiceLine(
                row["place"], row["number"] or "", row.get("cdr_id") or "", row.get("session_id") or "",
                _amount(row, "total_net"), _amount(row, "total_gross"),
            )
            for row in self._csv("invoice_lines")
        )  # fmt: skip

    def registry(self) -> Registry | None:
        """The key registry, None if there is none."""
        files = self._named("keys", self._said.keys)
        if not files:
            return None
        entries: list[Entry] = []
        for file in files:
            entries += read_registry(self._text(file), str(file)).entries
        return Registry(entries)

    def _read(self, file: Path) -> Any:
        try:
            return json.loads(self._text(file), parse_float=Decimal)
        except (ValueError, RecursionError) as err:
            raise BadInput(file, None, f"is no JSON ({err})", "a JSON file as OCPI writes it") from None

    def _text(self, file: Path) -> str:
        try:
            text = file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as err:
            raise BadInput(file, None, f"cannot be read ({err})", "a text file in UTF-8") from None
        if str(file) not in self.files:
            self.files.append(str(file))
        return text

    def _named(self, kind: str, pattern: str) -> list[Path]:
        """The files of a pattern of the settings, or of the names that are known."""
        if pattern:
            found = sorted(self._folder.glob(pattern))
            if not found:
                raise BadInput(self._folder, kind, f"there is no file {pattern}", "a file or a pattern with *")
            return found
        return sorted(file for one in _PATTERNS[kind] for file in self._folder.glob(one))

    def _json(self, kind: str) -> list[Path]:
        book: Book | None = getattr(self._said, kind)
        if book is not None:
            return self._named(kind, book.path) if book.kind == "ocpi" else []
        return [file for file in self._named(kind, "") if file.suffix == ".json"]

    def _has_csv(self, kind: str) -> bool:
        book: Book | None = getattr(self._said, kind)
        return book.kind == "csv" if book is not None else any(one.suffix == ".csv" for one in self._named(kind, ""))

    def _csv(self, kind: str) -> list[dict[str, Any]]:
        """The rows of a CSV export; a column that it has not is absent. Raises BadInput for one that is needed."""
        if not self._has_csv(kind):
            return []
        book: Book = getattr(self._said, kind) or Book(kind="csv", path=f"{kind}*.csv")
        if book.zone is None and self._said.zone:
            book = msgspec.structs.replace(book, zone=self._said.zone)
        columns = TABLES[kind]
        for name in book.columns:
            if name not in columns:
                problem, allowed = unknown("column", name, columns)
                raise BadInput(SETTINGS, f"{kind}.columns.{name}", problem, allowed)
        try:
            read = read_csv(book, f"audit_{kind}", columns, Sources(self._folder, None))
        except Unreadable as err:
            raise BadInput(None, None, str(err)) from None
        for name in _NEEDED[kind]:
            if name in read.gaps and read.rows:
                raise BadInput(
                    self._folder, f"{kind}, column {name}", read.gaps[name], f"a column {name}, or a map to one"
                )
        files = sorted(self._folder.glob(book.path))
        self.files += [str(file) for file in files if str(file) not in self.files]
        name = files[0].name if len(files) == 1 else book.path
        return [{**row, "place": f"{name}, row {n}"} for n, row in enumerate(read.rows, 1)]


def _amount(row: Mapping[str, Any], name: str) -> Decimal | None:
    value = row.get(name)
    return None if value is None else Decimal(value)


def _bill(row: Mapping[str, Any], said: Settings) -> Bill:
    """A record of a CSV export: one period, and what of it was charging and idle if that is told."""
    start, end = Instant(row["started_at"]), Instant(row["ended_at"])
    place = row["place"]
    if end < start:
        raise BadInput(place, "ended_at", "lies before started_at", "a later time")
    length = Decimal(end - start) / SECOND
    idle = Decimal(row.get("idle_seconds") or 0)
    told = row.get("charging_seconds")
    charging = length - idle if told is None else Decimal(told)
    currency = row.get("currency") or said.currency
    if not currency:
        raise BadInput(place, "currency", "is missing", "a column currency, or `currency` in audit.toml")
    kwh = Decimal(row["kwh"])
    period = Period(start=start, end=end, kwh=kwh, charging_s=max(charging, Decimal(0)), idle_s=idle)
    charge = Charge(
        start=start, end=end, periods=(period,), currency=currency, zone=said.zone or "UTC",
        group=row.get("group") or "", location=row.get("location") or "", evse=row.get("station") or "",
    )  # fmt: skip
    return Bill(
        place=place,
        cdr_id=row.get("cdr_id") or "",
        session_id=row.get("session_id") or "",
        station=row.get("station") or "",
        connector=int(row.get("connector") or 0),
        token=row.get("token") or "",
        charge=charge,
        kwh=kwh,
        periods_kwh=None,
        net=_amount(row, "total_net"),
        gross=_amount(row, "total_gross"),
        tariff_id=row.get("tariff_id") or "",
        signed=((row["signed"], ""),) if row.get("signed") else (),
        guessed=True,
    )
