"""An audit finds each planted error and nothing else, and says nothing of what it was not given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scenarios.audit.exports import read_exports
from scenarios.audit.judge import CLAIMS, Audit
from scenarios.audit.judge import audit as judged
from scenarios.audit.planted import write_sample
from scenarios.cli import app
from sim.errors import BadInput
from sim.evidence.verdict import Verdict


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample export."""
    folder = tmp_path_factory.mktemp("audit") / "sample"
    write_sample(folder)
    return folder


@pytest.fixture(scope="module")
def result(sample: Path) -> Audit:
    """Its audit."""
    return judged(read_exports(sample))


@pytest.fixture
def copy(sample: Path, tmp_path: Path) -> Path:
    """A copy of the sample that may be changed."""
    for file in sample.iterdir():
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    return tmp_path


def rewrite(file: Path, change: Callable[[list[dict[str, Any]]], Any]) -> None:
    """Change the rows of an OCPI file."""
    data = json.loads(file.read_text("utf-8"))
    data["data"] = change(data["data"]) or data["data"]
    file.write_text(json.dumps(data), "utf-8")


def test_each_planted_error_is_found_by_its_claim_and_nothing_else_is(sample: Path, result: Audit) -> None:
    planted = {(one["check"], one["subject"]) for one in json.loads((sample / "planted.json").read_text("utf-8"))}
    found = {(finding.check, finding.subject) for one in result.results for finding in one.findings}
    assert found == planted
    assert {check for check, _ in planted} == set(CLAIMS)


def test_each_wrong_price_gets_the_reason_that_was_planted(sample: Path, result: Audit) -> None:
    planted = {
        one["subject"]: one["kind"] for one in json.loads((sample / "planted.json").read_text("utf-8")) if one["kind"]
    }
    assert {one.cdr_id: one.kind for one in result.prices if one.kind} == planted
    assert len(planted) == 7


def test_the_sample_has_the_same_bytes_every_time(sample: Path, tmp_path: Path) -> None:
    write_sample(tmp_path / "again")
    for file in sample.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_without_sessions_keys_and_invoices_nothing_is_said_of_them(copy: Path) -> None:
    for name in ("sessions.json", "keys.json", "invoices.csv", "invoice_lines.csv"):
        (copy / name).unlink()
    verdicts = {one.check: one for one in judged(read_exports(copy)).results}
    assert [verdicts[check].verdict for check in ("A03", "A09", "A10")] == [Verdict.UNKNOWN] * 3
    assert {one.subject for one in verdicts["A06"].findings} == {"CDR-009"}
    assert "keys that came along" in verdicts["A06"].reason
    assert {one.subject for one in verdicts["A07"].findings} == {"CDR-011", "CDR-014"}


def test_records_without_a_tariff_are_counted_and_not_called_right(copy: Path) -> None:
    (copy / "tariffs.json").unlink()
    prices = next(one for one in judged(read_exports(copy)).results if one.check == "A01")
    assert (prices.verdict, prices.items) == (Verdict.UNKNOWN, 0)
    assert "44 of 44 records have no tariff in the export" in prices.reason


def test_the_policy_that_explains_most_records_is_found_out(copy: Path) -> None:
    (copy / "audit.toml").write_text('zone = "Europe/Berlin"\n', "utf-8")
    found = judged(read_exports(copy))
    assert found.policy_chosen
    assert sum(1 for one in found.prices if one.kind) == 7


def test_a_record_that_a_credit_takes_back_is_billed_once(copy: Path) -> None:
    def credited(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        again = next(row for row in rows if row["id"] == "CDR-907")
        return [*rows, {**again, "id": "CDR-907-C", "credit": True}]

    rewrite(copy / "cdrs.json", credited)
    twice = next(one for one in judged(read_exports(copy)).results if one.check == "A02")
    assert twice.verdict is Verdict.PASS


def test_records_of_a_csv_file_with_other_names_are_audited(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text(
        "Beleg;Ladepunkt;Beginn;Ende;Menge;Standzeit;Tarif;Brutto\n"
        "1;A;02.03.2026 10:00;02.03.2026 12:00;10,5;3600;T;9,30\n"
        "2;A;02.03.2026 11:30;02.03.2026 12:30;10,5;0;T;6,30\n"
        "3;A;03.03.2026 11:30;03.03.2026 12:30;10,5;0;T;6,31\n",
        "utf-8",
    )
    (tmp_path / "tariffs.json").write_text(
        json.dumps(
            {
                "id": "T", "currency": "EUR", "tax_included": "YES",
                "elements": [{"price_components": [
                    {"type": "ENERGY", "price": 0.6, "step_size": 1, "taxes": [{"percentage": 19}]},
                    {"type": "PARKING_TIME", "price": 3, "step_size": 1, "taxes": [{"percentage": 19}]},
                ]}],
                "last_updated": "2026-01-01T00:00:00Z",
            }
        )
    )  # fmt: skip
    (tmp_path / "audit.toml").write_text(
        'zone = "Europe/Berlin"\ncurrency = "EUR"\ntariffs = "tariffs.json"\npolicy = "ocpi"\n'
        '[cdrs]\nkind = "csv"\npath = "export.csv"\ndelimiter = ";"\ndecimal = ","\n[cdrs.columns]\n'
        'cdr_id = {from = "Beleg"}\nstation = {from = "Ladepunkt"}\nkwh = {from = "Menge"}\n'
        'started_at = {from = "Beginn", format = "%d.%m.%Y %H:%M"}\nended_at = {from = "Ende", format = "%d.%m.%Y %H:%M"}\n'
        'idle_seconds = {from = "Standzeit"}\ntariff_id = {from = "Tarif"}\ntotal_gross = {from = "Brutto"}\n',
        "utf-8",
    )
    found = judged(read_exports(tmp_path / "audit.toml"))
    assert [(one.cdr_id, one.kind) for one in found.prices] == [("1", ""), ("2", ""), ("3", "unexplained")]
    overlaps = next(one for one in found.results if one.check == "A04")
    assert [one.subject for one in overlaps.findings] == ["A"]


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls `chargerig audit` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(app, ["audit", *args])


def test_the_command_writes_page_json_and_junit_and_ends_with_1(chargerig: Callable[..., Result], sample: Path) -> None:
    told = chargerig(str(sample), "--out", "out", "--json")
    assert told.exit_code == 1, told.output
    read = json.loads(told.stdout)
    assert (read["verdict"], read["flagged"], read["records"]) == ("FAIL", 7, 44)
    page = Path("out/audit.html").read_text("utf-8")
    assert "findings in" in page
    assert "CDR-022" in page
    assert "<failure" in Path("out/junit.xml").read_text("utf-8")
    assert json.loads(Path("out/audit.json").read_text("utf-8")) == read
    assert "is there already" in chargerig(str(sample), "--out", "out").stderr


def test_the_sample_comes_from_the_command_itself(chargerig: Callable[..., Result]) -> None:
    assert chargerig("--sample", "mine").exit_code == 0
    assert chargerig("mine").exit_code == 1
    assert chargerig("--sample", "mine").exit_code == 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("cdrs.json", "[", "cdrs.json: is no JSON"),
        ("cdrs.json", "[3]", "cdrs.json: holds no objects"),
        ("cdrs.json", "[]", "hold no record"),
        ("cdrs.json", '[{"id": "1", "currency": "EUR"}]', "start_date_time"),
        ("audit.toml", "zone = 3", "audit.toml: is no audit file"),
        ("audit.toml", 'zone = "Mars/Base"', "audit.toml, zone: 'Mars/Base' is no IANA time zone"),
        ("audit.toml", 'policy = "mine"', "audit.toml, policy: there is no policy 'mine'"),
        ("audit.toml", 'colour = "red"', "audit.toml: is no audit file"),
        ("audit.toml", 'tariffs = "none*.json"', "there is no file none*.json"),
        ("invoices.csv", "total_net\n1\n", "has no column 'number'"),
        ("invoices.csv", "number,total_net\n1,x\n", "'x' is no number"),
        ("keys.json", "{", "keys.json"),
        ("sessions.json", '[{"start_date_time": "2026-01-01T00:00:00Z"}]', "sessions.json, [0].id: is missing"),
    ],
)
def test_an_export_that_cannot_be_read_is_one_sentence(copy: Path, name: str, text: str, said: str) -> None:
    (copy / name).write_text(text, "utf-8")
    with pytest.raises(BadInput) as caught:
        read_exports(copy)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
