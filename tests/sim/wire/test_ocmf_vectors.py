"""Records of real meters, read in place where the checkout has the data folder beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim.wire import ocmf

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "data" / "ocmf" / "vectors.jsonl"


def vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        pytest.skip("the vectors of real meters are not beside this checkout")
    rows = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["format"] == "OCMF"]


def test_records_of_real_meters_get_the_right_verdict_on_every_supported_curve() -> None:
    judged = {"valid": 0, "invalid": 0}
    for vector in vectors():
        record = ocmf.parse(vector["payload"])
        if record.algorithm not in ocmf.ALGORITHMS:
            assert ocmf.explain(record, vector["public_key"]) == "unknown-algorithm", vector["name"]
            continue
        judged[vector["expected"]] += 1
        assert ocmf.verify(record, vector["public_key"]) == (vector["expected"] == "valid"), vector["name"]
    assert judged["valid"] >= 60 and judged["invalid"] >= 3


def test_one_other_digit_spoils_every_valid_record_of_real_meters() -> None:
    spoiled = 0
    for vector in vectors():
        if ocmf.verify(ocmf.parse(vector["payload"]), vector["public_key"]):
            assert not ocmf.verify(ocmf.parse(ocmf.tamper(vector["payload"])), vector["public_key"]), vector["name"]
            spoiled += 1
    assert spoiled >= 60
