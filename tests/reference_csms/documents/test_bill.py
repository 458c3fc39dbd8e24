"""The bill of a session as a PDF: made from the canonical JSON that the journal hashes, so that the two agree."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from typing import Any

import pytest
from msgspec.structs import replace
from pypdf import PdfReader

from reference_csms.billing.documents.bill import bill_document
from reference_csms.billing.documents.model import LANGUAGES, canonical, fingerprint
from reference_csms.billing.documents.pdf import render_pdf
from reference_csms.billing.documents.sums import problems

RENDER = """
import sys, hashlib
from reference_csms.billing.documents.model import from_canonical
from reference_csms.billing.documents.pdf import render_pdf
print(hashlib.sha256(render_pdf(from_canonical(sys.stdin.buffer.read()))).hexdigest())
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_document_has_the_amounts_and_the_hash_of_the_books(samples: Any, bill: Any, language: Any) -> None:
    """D01, L02: energy, start and idle lines of 5.91 EUR."""
    data = bill_document(bill["data"], language)
    assert problems(data) == []
    assert (data.number, data.gross_total, data.net_total) == (bill["number"], bill["gross"], bill["net"])
    assert sum(line.amount for line in data.lines) == bill["gross"] and len(data.lines) == 3
    assert fingerprint(data) == bill["data_hash"]
    assert bill["data_hash"] in samples.text(render_pdf(data)).replace(" ", "")


def test_the_pdf_carries_the_canonical_json_and_the_exact_signed_records(bill: Any) -> None:
    """D04: the attached data hash to what the journal holds."""
    data = bill_document(bill["data"], "de")
    files = PdfReader(BytesIO(render_pdf(data))).attachments
    assert files["data.json"] == [bill["data"].encode()]
    assert data.lines[0].charging is not None and data.lines[0].charging.records
    (xml,) = files["signed-records.xml"]
    for record in data.lines[0].charging.records:
        assert f">{record.text}</signedData>".encode() in xml


def test_a_bill_is_not_issued_in_the_name_of_another_seller(samples: Any, bill: Any) -> None:
    with pytest.raises(ValueError, match="is of City Energy, not of"):
        bill_document(bill["data"], "en", replace(samples.seller))


def test_the_same_data_give_the_same_bytes_in_two_processes(bill: Any) -> None:
    encoded = canonical(bill_document(bill["data"], "nb"))
    runs = [
        subprocess.run([sys.executable, "-c", RENDER], input=encoded, capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] and len(runs[0]) > 60
