"""Public records of real meters, read in place where the data lie beside the checkout: each gets the expected verdict."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from sim.metering.facts import SessionFacts
from sim.metering.judge import Judge, Judgement, Value
from sim.metering.reasons import BILLABLE, VALID, VERDICTS
from tests.sim.wire.test_ocmf_vectors import VECTORS


@pytest.fixture(scope="module")
def judged() -> list[tuple[dict[str, Any], Judgement]]:
    if not VECTORS.exists():
        pytest.skip("the vectors of real meters are not beside this checkout")
    rows = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    return [(row, Judge(trusted=row["public_key"]).session((Value(row["payload"]),), SessionFacts())) for row in rows]


def test_every_record_of_a_real_meter_gets_the_expected_verdict(judged: list[tuple[dict[str, Any], Judgement]]) -> None:
    wrong = [row["name"] for row, one in judged if (one.signature == VALID) != (row["expected"] == VALID)]
    assert not wrong
    assert len(judged) == 90


def test_a_good_signature_is_not_yet_a_bill(judged: list[tuple[dict[str, Any], Judgement]]) -> None:
    count = Counter((row["expected"], one.verdict) for row, one in judged)
    assert all(verdict in VERDICTS for _, verdict in count)
    assert count["valid", BILLABLE] == 66
    assert count["invalid", BILLABLE] == 0
    assert count["valid", "not-billable"] == 15
    assert {verdict for expected, verdict in count if expected == "valid"} == {BILLABLE, "not-billable"}


def test_what_cannot_be_checked_is_not_called_wrong(judged: list[tuple[dict[str, Any], Judgement]]) -> None:
    found = {
        row["name"].split(":")[1]: (one.verdict, one.signature) for row, one in judged if row["expected"] == "invalid"
    }
    assert found["signature_16955306_ALL.xml#0"] == ("key-unknown", "unknown")
    assert found["log4j_test1.xml#0"] == ("key-unknown", "unknown")
    assert found["second_key_fail_ocmf.xml#1"] == ("key-unknown", "invalid")
    assert found["OCMFVerificationParserTest.ABL_TEST_INVALID_VERSION_DATA"][0] == "unsupported"


def test_leniency_is_told(judged: list[tuple[dict[str, Any], Judgement]]) -> None:
    told = {row["name"].split(":")[1]: [reason.text for reason in one.reasons] for row, one in judged}
    assert "number of the signature without its leading 00" in told["test.xml#1"]
    assert "signature as bare r and s" in told["OCMF-receipt-with_publickey_and_data.xml#0"]
    assert "spelling of the algorithm" in told["brainpoolP256r1.xml#0"]
