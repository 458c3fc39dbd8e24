"""The documents of a run: which ones, whether they are what was booked, and how the command line draws them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pypdf import PdfReader
from typer.testing import CliRunner, Result

from scenarios.cli import app
from scenarios.cli_documents import draw_documents
from scenarios.cli_doors import Doors
from sim.errors import BadInput
from sim.evidence.schema import all_tables
from sim.evidence.store import save_tables
from sim.evidence.verdict import CheckResult, Verdict

DIGEST = "0123456789abcdef" * 4
SELLERS = {
    "old": {"seller": "old", "name": "Gamle Lading AS", "country": "NO", "vat_id": "NO910000001MVA"},
    "group": {"seller": "group", "name": "Lading Group AB", "country": "SE", "vat_id": "SE559012345601"},
}
PLAN = {
    "owners": [
        {"owner": "fjord", "name": "Fjord AS", "country": "NO"},
        {"owner": "linden", "name": "Linden GmbH", "country": "DE"},
    ],
    "upgrade": {
        "sellers": [{**one, "address": "Street 1, 0150 Oslo", "zone": "Europe/Oslo"} for one in SELLERS.values()],
        "owners": [{"owner": "fjord", "name": "Fjord AS", "address": "Strandkaien 14, 5013 Bergen", "language": "nb"}],
        "old_seller": "old",
        "new_seller": "group",
    },
}
SAMPLE = [
    "documents/cancellation-new-X-1.pdf",
    "documents/credit-new-C-1.pdf",
    "documents/drivers-new-D-1.pdf",
    "documents/drivers-new-D-3.pdf",
    "documents/letter-notice-1-fjord-2.pdf",
    "documents/subscription-legacy-S-1.pdf",
    "documents/subscription-new-S-2.pdf",
]


OF_MONEY = [name for name in SAMPLE if "letter" not in name]


def data_of(kind: str, number: str, language: str, cancels: str | None, lines: int) -> str:
    amount = -1000 if cancels else 1000
    line = {
        "kind": "item", "text": "Site, billing and reports", "quantity": "1", "unit": "x 30 days", "vat_percent": "25",
        "amount": amount, "start": "2024-04-01", "until": "2024-05-01", "bill": None, "session_id": None,
    }  # fmt: skip
    net, vat = lines * amount, lines * amount // 4
    data = {
        "number": number, "kind": kind, "cancels": cancels, "due": None, "period": None, "terms": None,
        "issued": {"utc": "2024-04-09T14:30:00.000Z", "local": "2024-04-09 16:30:00 CEST"},
        "seller": {"id": "group", "address": "Street 1, 0150 Oslo", **SELLERS["group"]},
        "customer": {"id": "fjord", "name": "Fjord AS", "address": "", "email": "a@b.example", "language": language},
        "contract": None, "account": "SE8044466735145048402082", "reference": number, "language": language,
        "currency": "NOK", "basis": "net", "lines": [line] * lines, "net": net, "vat": vat, "gross": net + vat,
        "vat_table": [{"percent": "25", "net": net, "vat": vat, "gross": net + vat}],
    }  # fmt: skip
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def row(table: str, **values: Any) -> tuple[Any, ...]:
    return tuple(values.get(column) for column in all_tables()[table])


def books() -> dict[str, list[tuple[Any, ...]]]:
    """Two subscriptions, a credit, a cancellation, invoices to drivers in two languages, two notices to one owner."""
    invoices, journal = [], []
    wanted = [
        ("legacy", "subscription", "S-1", "nb", None, 60),
        ("new", "subscription", "S-2", "de", None, 1),
        ("new", "drivers", "D-1", "nb", None, 1),
        ("new", "drivers", "D-2", "nb", None, 1),
        ("new", "drivers", "D-3", "en", None, 1),
        ("new", "credit", "C-1", "nb", "D-1", 1),
        ("new", "cancellation", "X-1", "de", "S-2", 1),
    ]
    for seq, (backend, kind, number, language, cancels, lines) in enumerate(wanted, start=1):
        data = data_of(kind, number, language, cancels, lines)
        digest = hashlib.sha256(data.encode()).hexdigest()
        invoices.append(
            row(
                "books_invoices", backend=backend, kind=kind, number=number, seller="group", customer="fjord",
                language=language, cancels=cancels, journal_seq=seq, data=data, data_hash=digest,
            )
        )  # fmt: skip
        journal.append(row("books_journal", backend=backend, seq=seq, kind=kind, ref=f"{number} sha256:{digest}"))
    mails = [
        row(
            "partner_mails", kind=kind, message_id=number, at=1712217600243 + at, to=f"{owner}@x.example", language="nb",
            subject=f"Flyttes {at}", text="Hei,\n\nvi flytter.\n\nHilsen\nLading\n",
            meta=json.dumps({"owner": owner, "day": "2024-04-09", "payee": "group"} if owner else {
                "customer": "C1", "day": "2024-04-09"}),
        )
        for at, (kind, number, owner) in enumerate(
            [
                ("upgrade-notice", "notice/1/fjord/1", "fjord"),
                ("upgrade-notice", "notice/1/fjord/2", "fjord"),
                ("onboarding-invitation", "invitation/fjord", "fjord"),
                ("driver-notice", "driver-notice/1/C1/1", ""),
            ]
        )
    ]  # fmt: skip
    return {
        "books_invoices": invoices,
        "books_journal": journal,
        "partner_mails": mails,
        "plan": [(key, json.dumps(value)) for key, value in PLAN.items()],
        "meta": [("digest", DIGEST)],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_tables(tmp_path / "evidence.sqlite", books()).close()
    return tmp_path


def change(folder: Path, sql: str, *values: Any) -> None:
    connection = sqlite3.connect(folder / "evidence.sqlite")
    with connection:
        connection.execute(sql, values)
    connection.close()


def names(folder: Path) -> list[str]:
    return sorted(one.relative_to(folder).as_posix() for one in (folder / "documents").glob("*"))


def test_a_sample_shows_every_kind_and_all_shows_all(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    drawn = draw_documents(folder, "sample", tell=lambda done, total, seconds: told.append((done, total)))
    assert sorted(drawn.files) == names(folder) == SAMPLE and drawn.left_out == ()
    assert told == [(done, 7) for done in range(1, 8)]
    assert drawn.timing().startswith("7 in ") and drawn.timing().endswith(" ms each")
    everything = draw_documents(folder, "all")
    assert set(everything.files) - set(SAMPLE) == {
        "documents/drivers-new-D-2.pdf",
        "documents/letter-driver-notice-1-C1-1.pdf",
        "documents/letter-notice-1-fjord-1.pdf",
    }
    assert names(folder) == sorted(everything.files)


def test_they_are_pdfs_of_as_many_pages_as_they_need(folder: Path) -> None:
    draw_documents(folder, "sample")
    pages = {}
    for name in SAMPLE:
        pdf = (folder / name).read_bytes()
        assert pdf.startswith(b"%PDF-")
        pages[name] = len(PdfReader(BytesIO(pdf)).pages)
    assert pages.pop("documents/subscription-legacy-S-1.pdf") > 2
    assert set(pages.values()) == {1}


def test_none_draws_none_and_takes_away_what_was_drawn_before(folder: Path) -> None:
    draw_documents(folder, "sample")
    (folder / "documents" / "mine.txt").write_text("not ours")
    assert draw_documents(folder, "none").files == ()
    assert names(folder) == ["documents/mine.txt"]
    (folder / "documents" / "mine.txt").unlink()
    draw_documents(folder, "none")
    assert not (folder / "documents").exists()


def test_a_run_without_invoices_has_no_documents(tmp_path: Path) -> None:
    save_tables(tmp_path / "evidence.sqlite", {"meta": [("digest", DIGEST)]}).close()
    for wanted in ("sample", "all"):
        assert draw_documents(tmp_path, wanted).files == ()  # type: ignore[arg-type]
    assert not (tmp_path / "documents").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE books_invoices SET data = replace(data, '1250', '1251') WHERE number = 'S-2'",
        "UPDATE books_invoices SET data_hash = 'aa' WHERE number = 'S-2'",
        "UPDATE books_journal SET ref = 'S-2 sha256:aa' WHERE ref LIKE 'S-2 %'",
        "UPDATE books_journal SET ref = replace(ref, 'S-2', 'S-3') WHERE ref LIKE 'S-2 %'",
        "DELETE FROM books_journal WHERE ref LIKE 'S-2 %'",
    ],
)
def test_what_is_not_as_the_journal_holds_it_is_never_drawn(folder: Path, sql: str) -> None:
    """D01: the hash of the data stands in the journal."""
    change(folder, sql)
    with pytest.raises(BadInput, match=r"evidence\.sqlite, books_invoices, S-2: its data have the sha256"):
        draw_documents(folder, "sample")
    assert "documents/subscription-new-S-2.pdf" not in names(folder)


@pytest.mark.parametrize("data", [None, "{}", "[]", '"text"', '{"language":"sv"}', "no json"])
def test_what_a_back_end_writes_in_a_form_of_its_own_is_left_out_and_counted(folder: Path, data: str | None) -> None:
    digest = hashlib.sha256((data or "").encode()).hexdigest()
    change(folder, "UPDATE books_invoices SET data = ?, data_hash = ? WHERE number = 'D-3'", data, digest)
    change(folder, "UPDATE books_journal SET ref = ? WHERE ref LIKE 'D-3 %'", f"D-3 sha256:{digest}")
    drawn = draw_documents(folder, "sample")
    assert sorted(drawn.files) == [name for name in SAMPLE if "D-3" not in name]
    assert len(drawn.left_out) == 1 and drawn.left_out[0].startswith("drivers D-3: ")


def test_a_back_end_that_shows_no_journal_has_no_documents(folder: Path) -> None:
    change(folder, "DELETE FROM books_journal WHERE backend = 'new'")
    drawn = draw_documents(folder, "sample")
    assert [name for name in drawn.files if "letter" not in name] == ["documents/subscription-legacy-S-1.pdf"]
    assert len(drawn.left_out) == 5


def test_a_number_that_was_given_twice_has_two_documents(folder: Path) -> None:
    change(folder, "INSERT INTO books_invoices SELECT * FROM books_invoices WHERE number = 'S-2'")
    draw_documents(folder, "sample")
    assert {f"documents/subscription-new-S-2{copy}.pdf" for copy in ("", "-2")} <= set(names(folder))


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """The command line over a day that is played and judged already."""
    monkeypatch.chdir(tmp_path)
    plays: list[int] = []

    def judge(scenario: Any, seed: int, **named: Any) -> tuple[Any, list[CheckResult]]:
        plays.append(seed)
        tables = books()
        del tables["plan"], tables["partner_mails"]  # no upgrade, whose report wants much more of the evidence
        if seed == 13:
            tables["books_journal"] = tables["books_journal"][:1]
            tables["books_journal"].append(row("books_journal", backend="new", seq=2, ref="S-2 sha256:aa"))
        save_tables(named["folder"] / "evidence.sqlite", tables).close()
        (named["folder"] / "wire.jsonl.zst").write_bytes(b"")
        evidence = SimpleNamespace(close=lambda: None)
        return SimpleNamespace(evidence=evidence, frames=1, facts={}), [
            CheckResult("INV-02", Verdict.PASS, "holds", 1, (), "")
        ]

    def call(*args: str) -> Result:
        doors = Doors(judge=judge, resolve=lambda spec: spec)
        return CliRunner().invoke(app, [*args], obj=doors)

    call.plays = plays  # type: ignore[attr-defined]
    yield call


def test_a_run_has_a_sample_by_default_and_lists_it_in_its_report(chargerig: Any, tmp_path: Path) -> None:
    result = chargerig("run", "first-day", "--out", "one", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["runs"][0]
    assert names(tmp_path / "one") == OF_MONEY
    assert told["counts"]["documents"] == 6 and told["counts"]["documents that could not be drawn"] == 0
    assert told["timings"]["documents"].startswith("6 in ")
    assert "documents: 6 of 6" in result.stderr
    page = (tmp_path / "one" / "report.html").read_text("utf-8")
    assert all(f'href="{name}"' in page for name in OF_MONEY)
    assert "Invoices to owners: 2</summary>" in page and "Invoices to drivers: 2</summary>" in page


def test_a_run_may_have_no_documents_and_report_draws_them_later(chargerig: Any, tmp_path: Path) -> None:
    assert chargerig("run", "first-day", "--out", "one", "--documents", "none").exit_code == 0
    assert not (tmp_path / "one" / "documents").exists()
    page = tmp_path / "one" / "report.html"
    assert "Documents that customers got" not in page.read_text("utf-8")
    told = json.loads(chargerig("report", "one", "--documents", "all", "--json").stdout)
    assert sorted(told["documents"]) == names(tmp_path / "one") and len(told["documents"]) == 7
    assert told["documents_left_out"] == []
    assert "Documents that customers got" in page.read_text("utf-8")
    chargerig("report", "one")
    assert len(names(tmp_path / "one")) == 7  # as they are


def test_documents_that_are_not_as_booked_are_told_and_the_run_is_kept(chargerig: Any, tmp_path: Path) -> None:
    result = chargerig("run", "first-day", "--out", "one", "--seed", "13")
    assert result.exit_code == 2
    assert "books_invoices, S-2: its data have the sha256" in result.stderr and "the run lies in one" in result.stderr
    assert (tmp_path / "one" / "verdicts.json").is_file() and (tmp_path / "one" / "report.html").is_file()


def test_own_templates_are_used_and_a_bad_one_is_told_before_anything_runs(chargerig: Any, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    result = chargerig("run", "first-day", "--out", "one", "--templates", "mine")
    assert (result.exit_code, chargerig.plays) == (2, []) and "holds no template" in result.stderr
    (mine / "nb.toml").write_text('[title]\ninvoice = "Regningen"\n', "utf-8")
    assert chargerig("run", "first-day", "--out", "one", "--templates", "mine").exit_code == 0
    reader = PdfReader(tmp_path / "one" / "documents" / "drivers-new-D-1.pdf")
    assert "Regningen D-1" in reader.pages[0].extract_text()
    (mine / "notice.typ").write_text('#import "layout.typ": *\n#show: letter\n#view.nothing\n', "utf-8")
    for command in (("run", "first-day", "--out", "two"), ("report", "one", "--documents", "sample")):
        result = chargerig(*command, "--templates", "mine")
        assert result.exit_code == 2 and "notice.typ, line 3: " in result.stderr, result.output
    assert len(chargerig.plays) == 1 and not (tmp_path / "two").exists()


def test_a_word_that_there_is_not_is_one_sentence(chargerig: Any) -> None:
    result = chargerig("run", "first-day", "--documents", "some")
    assert result.exit_code == 2 and "--documents: there is no choice 'some'" in result.stderr
    assert "all, none, sample" in result.stderr and chargerig.plays == []


@pytest.mark.slow
def test_an_upgrade_has_all_documents_of_its_money(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    args = ["run", "upgrade-day", "--sites", "campus-4,campus-5", "--no-repeat", "--out", "one", "--documents", "all"]
    result = CliRunner().invoke(app, [*args, "--json"])
    counts = json.loads(result.stdout)["runs"][0]["counts"]
    assert counts["documents that could not be drawn"] == 0
    connection = sqlite3.connect(tmp_path / "one" / "evidence.sqlite")
    written = [
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in ("books_invoices", "books_bills", "partner_mails WHERE kind LIKE '%notice%'")
    ]
    connection.close()
    assert min(written) > 0 and counts["documents"] == sum(written) == len(names(tmp_path / "one"))
    for name in names(tmp_path / "one")[::20]:
        assert PdfReader(tmp_path / "one" / name).pages
