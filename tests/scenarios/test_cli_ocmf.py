"""`chargerig ocmf` and `chargerig bench ocmf`: exit codes, JSON, input that cannot be used, files that are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scenarios.bench.metering import bench_metering
from scenarios.cli import app
from scenarios.metering.export import export_bills
from sim.errors import BadInput
from sim.evidence.schema import all_tables
from sim.evidence.store import save_tables
from sim.metering.container import read_container
from sim.metering.tampers.scene import METER, STATION, Scene
from sim.wire import ocmf
from tests.sim.metering import makers
from tests.sim.metering.makers import K192

SCENE = Scene(21)
WHOLE, KEY = SCENE.whole_record(), SCENE.public()


def run(*args: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["ocmf", *args], input=given)


def told(*args: str, given: str | bytes | None = None) -> tuple[int, dict[str, Any]]:
    result = run(*args, "--json", given=given)
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "args", "code", "verdict", "signature"),
    [
        (WHOLE, ("--key", KEY), 0, "billable", "valid"),
        (WHOLE, (), 1, "key-unknown", "unknown"),
        (WHOLE, ("--key", "rubbish"), 1, "key-unknown", "unknown"),
        (WHOLE, ("--key", SCENE.public("X")), 1, "wrong-signature", "invalid"),
        (ocmf.tamper(WHOLE), ("--key", KEY), 1, "wrong-signature", "invalid"),
        (WHOLE, ("--key", KEY, "--id-tag", "SOMEBODY"), 1, "not-billable", "valid"),
        (WHOLE, ("--key", KEY, "--bills-time"), 1, "not-billable", "valid"),
        (SCENE.resealed(WHOLE, str, claim="RSA"), ("--key", KEY), 1, "unsupported", "unknown"),
        ("hello", ("--key", KEY), 2, "malformed", "unknown"),
        (WHOLE[:200], ("--key", KEY), 2, "malformed", "unknown"),
        ("", ("--key", KEY), 2, "malformed", "unknown"),
    ],
)
def test_verify_tells_the_verdict_by_exit_code_and_json(
    text: str, args: tuple[str, ...], code: int, verdict: str, signature: str
) -> None:
    exit_code, shown = told("verify", "-", *args, given=text)
    assert (exit_code, shown["verdict"], shown["signature"]) == (code, verdict, signature)
    assert shown["billable"] == (code == 0) == (shown["energy_kwh"] == "9.250") and bool(shown["reasons"]) == (
        code != 0
    )


def test_verify_tells_people_the_same() -> None:
    plain = run("verify", "-", "--key", KEY, given=WHOLE)
    assert (
        plain.exit_code == 0 and plain.stdout.startswith("billable (signature valid)") and "9.250 kWh" in plain.stdout
    )


def test_a_registry_a_key_file_and_a_binary_record_are_read_from_files(tmp_path: Path) -> None:
    record, registry, key = tmp_path / "r.txt", tmp_path / "meters.toml", tmp_path / "key.pem"
    record.write_text(WHOLE)
    registry.write_text(f'[[meters]]\nmeter = "{METER}"\nkey = "{KEY}"\ntime_billing = "absolute"\n')
    key.write_text(KEY)
    assert told("verify", str(record), "--registry", str(registry))[1]["time_billable"] is True
    assert told("verify", str(record), "--key", f"@{key}")[0] == 0
    assert told("verify", str(record), "--registry", str(registry), "--station", STATION, "--connector", "1")[0] == 0
    meter = makers.key_of(K192)
    code, shown = told("verify", "-", "--key", makers.bare_key(meter), given=makers.edl40(meter))
    assert (code, shown["signature"], shown["sessions"][0]["records"][0]["format"]) == (1, "valid", "EDL40")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("verify", "no-such-file"), "no-such-file"),
        (("verify", "-", "--registry", "no-such-registry"), "no-such-registry"),
        (("sign", "--curve", "ed25519"), "--curve"),
        (("sign", "--as", "pigeon"), "--as"),
        (("sign", "--begin", "soon"), "--begin"),
        (("sign", "--clock", "X"), "time status"),
        (("tamper", "value-editted"), "value-edited"),
        (("tamper", "replayed", "-"), "tampering with one record"),
        (("tamper", "value-edited", "-"), "FILE"),
        (("export", "no-such-run"), "no-such-run"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(args: tuple[str, ...], words: str) -> None:
    result = run(*args, given="rubbish")
    assert result.exit_code == 2
    assert words in result.stderr


def test_what_is_signed_verifies_and_the_same_options_give_the_same_bytes() -> None:
    for args in (("--curve", "secp192k1", "--as", "oca"), ("--curve", "brainpool384r1", "--encoding", "base64")):
        _, made = told("sign", "--seed", "5", *args)
        assert told("sign", "--seed", "5", *args)[1] == made
        assert told("verify", "-", "--key", made["public_key"], given=made["record"])[0] == 0
    payload = '{"PG":"T1","RD":[{"TM":"2026-03-02T09:00:00,000+0000 S","RV":1}]}'
    exact = run("sign", "--payload", "-", given=payload)
    assert ocmf.parse(exact.stdout).payload == payload


def test_tampering_is_listed_done_and_judged(tmp_path: Path) -> None:
    rows = told("tamper", "--list")[1]["tampers"]
    assert [row["number"] for row in rows] == list(range(1, 76))
    code, shown = told("tamper", "wiring-swapped")
    assert code == 0 and shown["tampers"][0]["given"] == "SIG"
    forged = run("tamper", "value-edited", "-", given=WHOLE).stdout
    assert forged == ocmf.tamper(WHOLE) + "\n"
    assert run("tamper", "unpaired").stdout.count("given SESS") == 3


def test_each_bill_of_a_run_becomes_a_container_that_verifies(tmp_path: Path) -> None:
    records = [{"text": text} for text in (SCENE.begin_record(), SCENE.end_record())]
    bills = [
        {
            "backend": "new",
            "number": "N/1",
            "data": json.dumps({"verification": {"records": records, "public_key": KEY}}),
        },
        {"backend": "new", "number": "N/2", "data": json.dumps({"verification": {"records": [], "public_key": KEY}})},
    ]
    save_tables(
        tmp_path / "evidence.sqlite",
        {"books_bills": [tuple(row.get(name) for name in all_tables()["books_bills"]) for row in bills]},
    )
    assert export_bills(tmp_path, tmp_path / "out") == ("new-N_1.xml",)
    text = (tmp_path / "out" / "new-N_1.xml").read_text("utf-8")
    assert [value.context for value in read_container(text)] == ["Transaction.Begin", "Transaction.End"]
    assert told("verify", "-", "--key", KEY, given=text)[0] == 0
    for out, only in ((tmp_path / "out", ""), (tmp_path / "other", "N/9")):
        with pytest.raises(BadInput):
            export_bills(tmp_path, out, only)
    assert not (tmp_path / "other").exists()


def test_the_bench_holds_both_against_honest_and_forged_records_and_tells_a_ratio() -> None:
    figures = bench_metering(60, 1)
    assert figures.ratio == pytest.approx(figures.ours / figures.pyocmf) and figures.ratio > 1
    assert figures.parse > figures.ours and figures.verify > figures.ours
    assert figures.pyocmf_version in figures.text()
