"""Letters name the day, the payee, the account in groups of four, the terms and the link, in each language."""

from __future__ import annotations

import string

import pytest

from scenarios.upgrade import letters
from scenarios.upgrade.letters import printed_iban, written_day
from scenarios.upgrade.parts import in_force, notice_account, notice_terms
from scenarios.upgrade.wording import MONTHS, TEXTS

IBAN = "NO8330001234567"


@pytest.mark.parametrize(
    ("language", "written"),
    [("nb", "9. april 2024"), ("de", "9. April 2024"), ("en", "9 April 2024"), ("fi", "9 April 2024")],
)
def test_days_are_written_as_people_of_the_language_do(language: str, written: str) -> None:
    assert written_day("2024-04-09", language) == written


def test_an_iban_is_printed_in_groups_of_four() -> None:
    assert printed_iban(IBAN) == "NO83 3000 1234 567"


def test_each_language_has_the_same_letters_with_the_same_gaps() -> None:
    def gaps(text: str) -> set[str]:
        return {str(name) for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for language, kinds in TEXTS.items():
        assert kinds.keys() == TEXTS["en"].keys() and len(MONTHS[language]) == 12
        for kind, (subject, text) in kinds.items():
            other_subject, other_text = TEXTS["en"][kind]
            assert (gaps(subject), gaps(text)) == (gaps(other_subject), gaps(other_text)), (language, kind)


@pytest.mark.parametrize("language", ["nb", "de", "en"])
def test_a_notice_says_all_that_its_reader_has_to_know(language: str) -> None:
    letter = letters.notice(
        language,
        name="Fjord Lading AS",
        day="2024-04-16",
        sites=["harbour", "school"],
        old="Gamle Lading AS",
        payee="Nye Lading AS",
        iban=IBAN,
        terms="2024-2",
        link="https://portal.example/onboarding/fjord",
        earlier="2024-04-09",
    )
    day, earlier = written_day("2024-04-16", language), written_day("2024-04-09", language)
    named = (day, earlier, "NO83 3000 1234 567", "2024-2", "Nye Lading AS", "Gamle Lading AS", "harbour, school")
    assert all(text in letter.text for text in (*named, "https://portal.example/onboarding/fjord", "Fjord Lading AS"))
    assert day in letter.subject and "\n\n\n" not in letter.text and letter.text.endswith("AS\n")


def test_what_is_in_force_on_a_day_is_the_last_that_has_begun() -> None:
    dated = [{"value": "a"}, {"value": "b", "from": "2024-04-01"}, {"value": "c", "from": "2024-05-01"}]
    assert [in_force(dated, day) for day in ("2024-03-31", "2024-04-01", "2024-06-01")] == ["a", "b", "c"]
    assert in_force([{"value": "b", "from": "2024-04-01"}], "2024-03-31") is None
    assert (in_force("2023-1", "2024-01-01"), in_force(None, "2024-01-01")) == ("2023-1", None)


def test_a_notice_names_the_new_account_and_the_terms_of_the_contract_before_those_of_the_seller() -> None:
    old, new = {"accounts": [{"value": "OLD"}]}, {"accounts": [{"value": "NEW"}], "terms": "S"}
    assert notice_account(old, new, "2024-04-16") == "NEW"
    assert notice_terms({"terms": "C"}, new, "2024-04-16") == "C"
    assert notice_terms({}, new, "2024-04-16") == notice_terms(None, new, "2024-04-16") == "S"
