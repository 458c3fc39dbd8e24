"""Single values of a JSON text change, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sim.wire.splice import splice

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


def test_only_the_value_changes_and_numbers_blanks_and_escapes_stay() -> None:
    before = '[2, "1","A", {"limit":21.40,"idTag" : "X\\u0041","other":"\\u00f8","idTags":["p",{"q":1},"X\\u0041"]} ]'

    def change(key: str, value: str, is_text: bool) -> str | None:
        return "new" if value == "XA" and is_text and key in ("idTag", "idTags") else None

    assert splice(before, change) == before.replace('"X\\u0041"', '"new"')


def test_items_of_a_list_have_the_key_of_the_list_also_behind_an_object() -> None:
    seen: list[tuple[str, str, bool]] = []
    splice('{"a":["x",{"b":1.50},"y"],"c":{"d":"z"},"e":-2e5}', lambda *told: seen.append(told))
    assert seen == [("a", "x", True), ("b", "1.50", False), ("a", "y", True), ("d", "z", True), ("e", "-2e5", False)]


@given(DOCUMENTS)
def test_any_document_keeps_its_shape_when_all_texts_change(document: Any) -> None:
    def upper(one: Any) -> Any:
        match one:
            case str():
                return f"<{one}>"
            case list():
                return [upper(item) for item in one]
            case dict():
                return {key: upper(value) for key, value in one.items()}
        return one

    for text in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=1)):
        assert json.loads(splice(text, lambda key, value, is_text: f"<{value}>" if is_text else None)) == upper(
            document
        )
        assert splice(text, lambda key, value, is_text: None) == text
