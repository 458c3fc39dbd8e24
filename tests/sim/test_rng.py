"""Named random streams and ids: the same for the same names, in every process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sim import rng

ROOT = Path(__file__).resolve().parents[2]
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1f"), max_size=12)


def test_streams_of_the_same_name_are_equal() -> None:
    one, two = rng.stream(1, "station", "CA-305"), rng.stream(1, "station", "CA-305")
    assert [one.random() for _ in range(5)] == [two.random() for _ in range(5)]


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, min_size=1, max_size=4))
def test_different_names_give_different_streams(one: list[str], two: list[str]) -> None:
    assert (rng.derive("salt", *one) == rng.derive("salt", *two)) == (one == two)


def test_another_seed_gives_another_stream() -> None:
    assert rng.stream(1, "a").random() != rng.stream(2, "a").random()


def test_one_more_draw_in_one_stream_moves_no_other() -> None:
    before = rng.stream(1, "b").random()
    rng.stream(1, "a").random()
    assert rng.stream(1, "b").random() == before


def test_message_ids_look_like_uuids_and_do_not_repeat() -> None:
    ids = [rng.message_id("salt", owner, n) for owner in ("A", "B") for n in range(500)]
    assert len(dict.fromkeys(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one) for one in ids)


def test_a_second_run_with_another_salt_repeats_no_id() -> None:
    assert rng.message_id("run 1", "A", 1) != rng.message_id("run 2", "A", 1)


def test_nothing_depends_on_the_hash_seed_of_the_process() -> None:
    code = (
        "from sim import rng; print(rng.derive(1, 'a').hex(), rng.stream(1, 'a').random(), rng.message_id(1, 'a', 1))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert outputs[0] == outputs[1] != b""
