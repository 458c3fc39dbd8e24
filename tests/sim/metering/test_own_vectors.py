"""Records of the project's own signer: every curve, encoding, version and shape of key; the same bytes for ever.

The file holds what was made once. If a test here fails after a change of the signer, records that users keep would not be
reproducible any more: then the change is wrong, or the file has to be made anew on purpose (see `made`).
"""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sim.metering.facts import SessionFacts
from sim.metering.judge import Judge, Value
from sim.metering.tampers.scene import Scene
from sim.wire import keys, ocmf

FILE = Path(__file__).parents[2] / "golden" / "ocmf" / "own.jsonl"
CURVES = list(keys.ALGORITHMS)


def made() -> list[dict[str, str]]:
    """What the file holds: json.dumps of each on a line."""
    rows = []
    for curve in CURVES:
        scene = Scene(1, curve)
        for encoding in ("hex", "base64"):
            text = scene.whole_record(encoding=encoding)
            rows.append({"name": f"{curve} {encoding}", "record": text, "key": scene.public(), "expected": "valid"})
            rows.append(
                {
                    "name": f"{curve} {encoding} forged",
                    "record": ocmf.tamper(text),
                    "key": scene.public(),
                    "expected": "invalid",
                }
            )
    scene = Scene(1)
    loss = ocmf.CableLoss(Decimal("3.5"), "mOhm", "Cable", 2)
    readings = [scene.begin(loss=Decimal("0.000")), scene.end(loss=Decimal("0.031"))]
    for version, text in {
        "1.0": scene.whole_record(),
        "1.1": scene.whole_record(tariff_text="001;EUR;0;35;5;30"),
        "1.2": scene.record(readings, 12, cable_loss=loss),
        "1.3": scene.record(readings, 12, cable_loss=loss, controller_firmware="4.2.1", tariff_text="0,49 EUR/kWh"),
    }.items():
        rows.append({"name": f"version {version}", "record": text, "key": scene.public(), "expected": "valid"})
    return rows


ROWS = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def test_the_signer_makes_the_same_bytes_for_ever() -> None:
    assert made() == ROWS


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_each_of_them_gets_its_verdict(row: dict[str, str]) -> None:
    judgement = Judge(trusted=row["key"]).session((Value(row["record"]),), SessionFacts())
    assert judgement.signature == row["expected"]
    assert judgement.billable == (row["expected"] == "valid")


@pytest.mark.parametrize("curve", CURVES)
def test_every_shape_of_the_key_serves(curve: str) -> None:
    scene = Scene(2, curve)
    text, spki = scene.whole_record(), bytes.fromhex(scene.public())
    point = keys.point_of(keys.public_key(scene.public()))
    shapes = [scene.public().upper(), base64.b64encode(spki).decode(), point.hex(), point[1:].hex()]
    shapes += [base64.b64encode(point).decode(), f"oca:base16:asn1:{scene.public()}"]
    for shape in shapes:
        judgement = Judge(trusted=shape).session((Value(text),), SessionFacts())
        assert (judgement.signature, judgement.verdict) == ("valid", "billable"), shape


@pytest.mark.parametrize("version", ["0.1", "0.4", "0.5", "1.0", "1.3", "1.4"])
def test_all_versions_of_the_format_are_read(version: str) -> None:
    scene = Scene(3)
    old = {"IS": "VERIFIED", "VI": "ABL", "VV": "1.4p3"} if version == "0.1" else {}

    def aged(payload: str) -> str:
        fields: dict[str, Any] = json.loads(payload) | old | {"FV": version}
        for name in ("IL", "GS") if old else ():
            fields.pop(name)
        return json.dumps(fields)

    text = scene.resealed(scene.whole_record(), aged)
    judgement = Judge(trusted=scene.public()).session((Value(text),), SessionFacts())
    assert (judgement.signature, judgement.verdict) == ("valid", "billable")


@pytest.mark.parametrize("version", ["0.0", "2.0", "1.5", ""])
def test_a_version_that_nobody_knows_is_unsupported(version: str) -> None:
    scene = Scene(3)
    text = scene.resealed(scene.whole_record(), lambda payload: payload.replace('"FV":"1.0"', f'"FV":"{version}"'))
    judgement = Judge(trusted=scene.public()).session((Value(text),), SessionFacts())
    assert (judgement.signature, judgement.verdict) == ("valid", "unsupported")


def test_loss_compensation_takes_precedence_over_the_plain_register() -> None:
    scene = Scene(4)
    rows = [
        scene.begin(),
        replace(scene.begin(), register="01-00:98.08.00*FF", value=Decimal("10.000")),
        scene.end(),
        replace(scene.end(), register="01-00:98.08.00*FF", value=Decimal("19.100")),
    ]
    judgement = Judge(trusted=scene.public()).session((Value(scene.record(rows, 3)),), SessionFacts())
    assert str(judgement.energy_kwh) == "9.100"


def test_what_the_writer_refuses() -> None:
    scene = Scene(5)
    for wrong in ({"tariff_text": "x" * 251}, {"controller_firmware": "x" * 26}, {"encoding": "base32"}):
        with pytest.raises(ValueError):
            scene.whole_record(**wrong)
    with pytest.raises(ValueError):
        scene.whole_record(cable_loss=ocmf.CableLoss(Decimal(1), "mOhm", "x" * 21))
