"""Bad input of a user is one clear sentence with file, place, problem and what is allowed."""

from __future__ import annotations

from sim.errors import BadInput, unknown


def test_the_sentence_names_file_place_problem_and_what_is_allowed() -> None:
    error = BadInput("day.toml", "fleet.stations", "is -3", "a whole number from 1 on")
    assert str(error) == "day.toml, fleet.stations: is -3; allowed: a whole number from 1 on."
    assert (error.file, error.place) == ("day.toml", "fleet.stations")


def test_what_is_allowed_may_be_a_list() -> None:
    error = BadInput("day.toml", "checks", "names the unknown check x", ["INV-01", "INV-02"])
    assert str(error).endswith("; allowed: INV-01, INV-02.")


def test_what_is_not_known_is_left_out() -> None:
    assert str(BadInput(None, None, "nothing to run")) == "nothing to run."
    assert str(BadInput("a.csv", 12, "is no number")) == "a.csv, 12: is no number."


def test_it_is_one_line_whatever_the_parts_hold() -> None:
    assert "\n" not in str(BadInput("a\nb", "c", "first\nsecond", "x\ny"))


def test_an_unknown_name_comes_with_the_nearest_and_the_others_in_their_order() -> None:
    assert unknown("check", "inv-2", ["L01", "INV-02"]) == (
        "there is no check 'inv-2' (did you mean INV-02?)",
        "INV-02, L01",
    )
    assert unknown("site", "x", ["b", "a"], more="a path")[1] == "a, b, or a path"
    assert unknown("site", "x", [])[1] == "nothing, because there is no site at all"


def test_many_names_are_cut_where_a_list_shows_them_all() -> None:
    names = [f"n{number:02d}" for number in range(15)]
    problem, allowed = unknown("name", "n99", names, "`list names`")
    assert allowed == ", ".join(names[:12]) + " and 3 more, see `list names`"
    assert unknown("name", "n99", names)[1] == ", ".join(names)
    assert "did you mean" in problem
