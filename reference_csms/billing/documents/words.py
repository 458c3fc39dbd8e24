"""How a language says things: its texts, and its way of writing money, numbers and dates.

Texts live in one TOML file per language beside the templates; a folder of the user may replace some of them. Numbers are
written from integers and Decimals only.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from reference_csms.billing.documents.model import LANGUAGES
from reference_csms.pricing.tariffs import minor_digits
from sim.errors import BadInput

TEMPLATES = Path(__file__).parents[1] / "templates"
"""The folder of the packaged templates and texts; a start for one's own."""

_FIELD = re.compile(r"\{(\w+)\}")
_HARD_SPACE = "\u00a0"


class Words:
    """The texts of one language by dotted key, `label.due`."""

    def __init__(self, language: str, texts: dict[str, str]) -> None:
        self.language = language
        self.texts = texts

    def text(self, key: str, **values: str) -> str:
        """The text of a key with its fields filled in. Raises KeyError for a key or field that does not exist."""
        return _FIELD.sub(lambda field: values[field[1]], self.texts[key])

    def named(self, table: str, key: str) -> str:
        """The text of a name from outside (a unit, a country), or the name itself where the language has none."""
        return self.texts.get(f"{table}.{key}", key)

    def money(self, amount: int, currency: str) -> str:
        """Minor units as `1 234,50 kr`."""
        return self._of_currency(self._grouped(Decimal(amount).scaleb(-minor_digits(currency))), amount < 0, currency)

    def price(self, price: Decimal, currency: str) -> str:
        """A unit price in major units with all its digits, at least those of the currency."""
        digits = max(minor_digits(currency), -_exponent(price))
        return self._of_currency(self._grouped(_fixed(price, digits)), price < 0, currency)

    def per_unit(self, price: Decimal, currency: str, unit: str) -> str:
        """A unit price with its unit; per minute where the quantity is in seconds, as in tariffs.

        A unit that is no word of the language but a text of the line stands with the quantity only.
        """
        unit = "min" if unit == "s" else unit
        shown = self.texts.get(f"unit.{unit}")
        return self.price(price, currency) + (f"/{shown}" if shown else "")

    def decimal(self, number: Decimal) -> str:
        """A number with the digits it has."""
        return self._sign(number < 0) + self._grouped(number)

    def percent(self, number: Decimal) -> str:
        """`25 %`; zeros behind the point are dropped."""
        shown = number.normalize() if number else Decimal(0)
        return self.text("format.percent", number=self.decimal(_fixed(shown, max(0, -_exponent(shown)))))

    def long_date(self, day: date) -> str:
        """`3. april 2024`."""
        return self._date("format.date", day)

    def short_date(self, day: date) -> str:
        """`03.04.2024`."""
        return self._date("format.short_date", day)

    def moment(self, moment: datetime) -> str:
        """Local date and time to the second, with the offset from UTC: in autumn an hour comes twice."""
        seconds = int((moment.utcoffset() or moment - moment).total_seconds())
        offset = f"{'-' if seconds < 0 else '+'}{abs(seconds) // 3600:02d}:{abs(seconds) // 60 % 60:02d}"
        return f"{self.short_date(moment.date())} {moment:%H:%M:%S} ({offset})"

    def stretch(self, begin: datetime, end: datetime) -> str:
        """From one moment to another; the day of the end only where it is another one."""
        same = begin.date() == end.date() and begin.utcoffset() == end.utcoffset()
        first = f"{self.short_date(begin.date())} {begin:%H:%M:%S}" if same else self.moment(begin)
        last = f"{end:%H:%M:%S}" if same else self.moment(end)
        return self.text("format.period", **{"from": first, "to": last})

    def _date(self, key: str, day: date) -> str:
        return self.text(
            key,
            day=str(day.day), month=self.texts[f"month.{day.month}"],
            dd=f"{day.day:02d}", mm=f"{day.month:02d}", yyyy=f"{day.year:04d}",
        )  # fmt: skip

    def _of_currency(self, shown: str, negative: bool, currency: str) -> str:
        key = f"currency.{currency}" if f"currency.{currency}" in self.texts else "currency.other"
        return self._sign(negative) + self.text(key, amount=shown, currency=currency).replace(" ", _HARD_SPACE)

    def _sign(self, negative: bool) -> str:
        return self.texts["format.minus"] if negative else ""

    def _grouped(self, number: Decimal) -> str:
        whole, _, rest = format(abs(number), "f").partition(".")
        group = self.texts["format.group"].replace(" ", _HARD_SPACE)
        whole = f"{int(whole):,}".replace(",", group)
        return f"{whole}{self.texts['format.decimal']}{rest}" if rest else whole


def load_words(language: str, templates: Path | None = None) -> Words:
    """The words of a language, with the changes of `LANGUAGE.toml` in the folder `templates` of the user.

    Raises BadInput for a language that there is not, a file that is no TOML, a key or a field that the packaged file does
    not know.
    """
    if language not in LANGUAGES:
        raise BadInput(None, "language", f"{language!r} is not one of ours", LANGUAGES)
    texts = _packaged(language)
    own = templates / f"{language}.toml" if templates is not None else None
    if own is not None and own.is_file():
        changes = _read(own)
        for key, text in changes.items():
            _judge(own, key, text, texts)
        texts = {**texts, **changes}
    return Words(language, texts)


def fields(text: str) -> frozenset[str]:
    """The fields that a text fills in."""
    return frozenset(_FIELD.findall(text))


OPEN_TABLES = ("currency", "country", "unit", "exemption", "check", "item", "product")
"""Tables in which a user may add keys of their own."""
_OPEN_FIELDS = {"currency": frozenset({"amount", "currency"}), "item": frozenset({"product", "place", "number"})}


def _judge(file: Path, key: str, text: str, packaged: dict[str, str]) -> None:
    table = key.partition(".")[0]
    if key not in packaged and table not in OPEN_TABLES:
        raise BadInput(file, key, "is no text of the documents", f"the keys of {TEMPLATES.name}/{file.name}")
    known = _OPEN_FIELDS.get(table) or _known_fields(key, packaged)
    unknown = sorted(fields(text) - known)
    if unknown:
        raise BadInput(file, key, f"has a field {{{unknown[0]}}} that nobody fills in", sorted(known) or "no field")


def _known_fields(key: str, packaged: dict[str, str]) -> frozenset[str]:
    if key in ("format.date", "format.short_date"):
        return frozenset({"day", "month", "dd", "mm", "yyyy"})
    return fields(packaged.get(key, ""))


@lru_cache(maxsize=len(LANGUAGES))
def _packaged(language: str) -> dict[str, str]:
    return _read(TEMPLATES / f"{language}.toml")


def _read(file: Path) -> dict[str, str]:
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except UnicodeDecodeError as err:
        raise BadInput(file, None, "is not written in UTF-8") from err
    except tomllib.TOMLDecodeError as err:
        raise BadInput(file, None, f"is no TOML: {err}") from err
    texts: dict[str, str] = {}
    for table, entries in tables.items():
        if not isinstance(entries, dict):
            raise BadInput(file, table, "stands outside of a table", "[table] above its texts")
        for key, text in entries.items():
            texts[f"{table}.{key}"] = _text(file, f"{table}.{key}", text)
    return texts


def _text(file: Path, key: str, text: Any) -> str:
    if not isinstance(text, str):
        raise BadInput(file, key, "is no text", 'a text in quotes, such as "Invoice"')
    return text


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{number} is no number that a document could show")
    return exponent


def _fixed(number: Decimal, digits: int) -> Decimal:
    """The same number written with that many digits behind the point, never fewer than it has."""
    return Decimal(f"{number:.{digits}f}")
