"""PDFs of every kind in every language: they show the data, and the same data give the same bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reference_csms.billing.documents.model import LANGUAGES, Address, Customer, fingerprint
from reference_csms.billing.documents.pdf import render_pdf
from reference_csms.billing.documents.text import render_text
from reference_csms.billing.documents.words import load_words
from sim.errors import BadInput


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_shows_number_total_and_every_amount(samples: Any, language: str) -> None:
    words = load_words(language)
    for name in samples.names:
        data = samples.make(name, language)
        pdf = render_pdf(data)
        assert pdf == render_pdf(data)
        text = samples.text(pdf)
        assert data.number in text
        if data.kind != "notice":
            assert " ".join(words.money(data.gross_total, data.currency).split()) in text
        assert data.seller.account.iban in text.replace(" ", "")
        for line in data.lines:
            assert " ".join(words.money(line.amount, data.currency).split()) in text
        assert data.references.cancels in text
        assert data.number in render_text(data) or data.kind == "notice"


def test_300_lines_run_over_pages_with_head_and_page_numbers(samples: Any) -> None:
    pages = samples.pages(render_pdf(samples.driver_month("en", 300)))
    assert len(pages) > 10
    assert all(f"Page {number}/{len(pages)}" in page for number, page in enumerate(pages, start=1))
    assert sum(page.count("€43.08") for page in pages) == 300
    assert "Description" in pages[1]


def test_nasty_names_come_out_literally(samples: Any) -> None:
    name = r"#eval(1) $x$ *b* _i_ @ref \n <l> `c` = [y]"
    data = replace(samples.subscription("en"), customer=Customer(address=Address(name=name, lines=("李 \x07 🙂",))))
    text = samples.text(render_pdf(data))
    assert name in text and "\ufffd" in text


def test_a_broken_template_is_one_sentence_with_file_and_line(samples: Any, tmp_path: Path) -> None:
    (tmp_path / "invoice.typ").write_text('#import "layout.typ": *\n#show: letter\n#nothing-here\n', "utf-8")
    with pytest.raises(BadInput, match=r"invoice\.typ, line 3: unknown variable"):
        render_pdf(samples.subscription("en"), tmp_path)


def test_the_fingerprint_is_the_hash_of_the_source_of_a_bill(samples: Any) -> None:
    data = replace(samples.one_session("en"), source='{"a":1}')
    assert fingerprint(data) == hashlib.sha256(b'{"a":1}').hexdigest()
    assert fingerprint(data) in samples.text(render_pdf(data)).replace(" ", "")
