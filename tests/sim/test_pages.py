"""Pages escape what they show, refuse holes, and come from texts or files alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.pages import Markup, render


def test_everything_is_escaped_but_what_is_markup_already() -> None:
    assert render("<p>{{ a }}{{ b }}</p>", a="<i>&", b=Markup("<b>x</b>")) == "<p>&lt;i&gt;&amp;<b>x</b></p>"


def test_a_name_that_the_data_lack_is_an_error_and_no_hole() -> None:
    with pytest.raises(Exception, match="missing"):
        render("{{ missing }}")


def test_a_file_may_include_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "part.html").write_text("<i>{{ name }}</i>")
    (tmp_path / "page.html").write_text("{% include 'part.html' %}!")
    assert render(tmp_path / "page.html", name="<x>") == "<i>&lt;x&gt;</i>!"


def test_filters_are_functions_of_the_caller() -> None:
    assert render("{{ 250 | money }}", filters={"money": lambda cents: f"{cents / 100:.2f} EUR"}) == "2.50 EUR"


def test_two_pages_with_filters_of_the_same_name_do_not_mix() -> None:
    shown = [render("{{ 1 | f }}", filters={"f": lambda n, add=add: n + add}) for add in (1, 2)]
    assert shown == ["2", "3"]
