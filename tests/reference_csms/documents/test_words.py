"""The words of the documents: complete in every language, and written as that language writes money, numbers and dates."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_csms.billing.documents import words as words_module
from reference_csms.billing.documents.model import LANGUAGES
from reference_csms.billing.documents.words import OPEN_TABLES, TEMPLATES, fields, load_words
from sim.errors import BadInput

CODE = "\n".join(path.read_text("utf-8") for path in Path(words_module.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_fields(language: str) -> None:
    """A text that is missing in one language is found here and not by a customer."""
    english, own = load_words("en").texts, load_words(language).texts
    compared = {key for key in {*english, *own} if not key.startswith("currency.")}
    assert not [key for key in compared if key not in own or key not in english]
    for key in compared - {"format.date", "format.short_date"}:
        assert fields(own[key]) == fields(english[key]), key
        assert own[key], key
    assert "currency.other" in own


def test_every_text_that_the_code_asks_for_exists_and_none_lies_about_unused() -> None:
    """Keys are looked up by name; a renamed one would be a hole in a letter."""
    texts = load_words("en").texts
    for key in re.findall(r'(?:words\.text|self\.text|self\.texts)[\(\[]"([\w.-]+)"', CODE):
        assert key in texts, key
    looked_up_by_name = {"month", *OPEN_TABLES, "column", "title", "note", "evidence", "payment"}
    for key in texts:
        table, _, name = key.partition(".")
        assert table in looked_up_by_name or key in CODE or re.search(rf'"{name}"', CODE), key


@pytest.mark.parametrize(
    ("language", "currency", "amount", "shown"),
    [
        ("nb", "NOK", 123450, "1 234,50 kr"),
        ("nb", "EUR", -5, "\u22120,05 €"),
        ("de", "EUR", 123450, "1.234,50 €"),
        ("de", "NOK", 123456789, "1.234.567,89 NOK"),
        ("en", "EUR", 123450, "€1,234.50"),
        ("en", "NOK", -100, "\u2212NOK 1.00"),
        ("en", "JPY", 1234, "JPY 1,234"),
        ("en", "KWD", 1234, "KWD 1.234"),
        ("nb", "NOK", 0, "0,00 kr"),
    ],
)
def test_money_is_written_as_the_language_writes_it(language: str, currency: str, amount: int, shown: str) -> None:
    assert load_words(language).money(amount, currency) == shown.replace(" ", "\u00a0")


@given(amount=st.integers(-(10**15), 10**15), language=st.sampled_from(LANGUAGES))
def test_no_minor_unit_is_lost_between_amount_and_text(amount: int, language: str) -> None:
    """Whatever the marks of the language are, the digits are the amount."""
    shown = load_words(language).money(amount, "EUR")
    digits = int(re.sub(r"\D", "", shown))
    assert (-digits if shown.startswith("\u2212") else digits) == amount


def test_prices_keep_all_their_digits_and_show_at_least_the_minor_unit() -> None:
    german = load_words("de")
    assert german.price(Decimal("0.4"), "EUR") == "0,40\u00a0€"
    assert german.price(Decimal("0.4567"), "EUR") == "0,4567\u00a0€"
    assert german.price(Decimal("1E+3"), "EUR") == "1.000,00\u00a0€"
    assert [german.percent(Decimal(text)) for text in ("19", "8.10", "0", "100", "7.5")] == [
        "19 %", "8,1 %", "0 %", "100 %", "7,5 %",
    ]  # fmt: skip
    assert german.decimal(Decimal("-1234.500")) == "\u22121.234,500"


def test_dates_are_written_as_the_language_writes_them() -> None:
    day = date(2024, 4, 3)
    assert [load_words(language).long_date(day) for language in LANGUAGES] == [
        "3. april 2024", "3. April 2024", "3 April 2024",
    ]  # fmt: skip
    assert [load_words(language).short_date(day) for language in LANGUAGES] == [
        "03.04.2024",
        "03.04.2024",
        "2024-04-03",
    ]


def test_the_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    first, second = (datetime.fromisoformat(f"2026-10-25T02:30:00{offset}") for offset in ("+02:00", "+01:00"))
    english = load_words("en")
    assert english.moment(first) == "2026-10-25 02:30:00 (+02:00)"
    assert english.stretch(first, second) == "2026-10-25 02:30:00 (+02:00) to 2026-10-25 02:30:00 (+01:00)"
    assert english.stretch(first, first.replace(minute=31)) == "2026-10-25 02:30:00 to 02:31:00"


def test_a_user_may_change_some_texts_and_keeps_the_others(tmp_path: Path) -> None:
    (tmp_path / "de.toml").write_text('[title]\ninvoice = "Abrechnung"\n[unit]\nfortnight = "14 Tage"\n', "utf-8")
    own = load_words("de", tmp_path)
    assert own.text("title.invoice") == "Abrechnung" and own.named("unit", "fortnight") == "14 Tage"
    assert own.text("title.bill") == load_words("de").text("title.bill")
    assert load_words("nb", tmp_path).texts == load_words("nb").texts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[title\n", "is no TOML.*line 1"),
        ('[title]\ninvoise = "x"\n', "title.invoise: is no text of the documents"),
        ("[title]\ninvoice = 3\n", "title.invoice: is no text"),
        ('invoice = "x"\n', "invoice: stands outside of a table"),
        ('[payment]\ncard = "by {crad}"\n', r"payment.card: has a field \{crad\} .*allowed: ending"),
        ('[title]\ninvoice = "{number}"\n', r"title.invoice: has a field \{number\} .*allowed: no field"),
        ('[format]\ndate = "{d}"\n', r"format.date: has a field \{d\} .*allowed: day"),
    ],
)
def test_a_mistake_in_a_users_texts_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "en.toml").write_text(text, "utf-8")
    with pytest.raises(BadInput, match=rf"en\.toml.*{said}"):
        load_words("en", tmp_path)


def test_texts_in_another_encoding_and_other_languages_are_refused(tmp_path: Path) -> None:
    (tmp_path / "nb.toml").write_bytes('[title]\ninvoice = "Regning på"'.encode("latin-1"))
    with pytest.raises(BadInput, match="UTF-8"):
        load_words("nb", tmp_path)
    with pytest.raises(BadInput, match="allowed: nb, de, en"):
        load_words("fr")


def test_the_packaged_templates_hold_no_words() -> None:
    """No text in templates: between `[` and `]` stand values, blanks and punctuation only."""
    for path in TEMPLATES.glob("*.typ"):
        code = re.sub(r"//.*", "", path.read_text("utf-8"))
        for content in re.findall(r"\[([^\[\]\n]*)\]", code):
            assert not re.search(r"[A-Za-zÆØÅæøåÄÖÜäöü]{2,}", re.sub(r"#[\w.()-]+", "", content)), (
                f"{path.name}: {content}"
            )
