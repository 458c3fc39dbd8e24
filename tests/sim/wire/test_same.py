"""Equal bytes become one object, and stay what they are."""

from __future__ import annotations

from sim.wire.same import same


def test_equal_bytes_are_one_object() -> None:
    first, second = bytes([1, 2, 3]), bytes([1, 2, 3])
    assert first is not second
    assert same(first) is same(second) == second
