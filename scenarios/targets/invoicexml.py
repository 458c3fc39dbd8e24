"""Books in invoices as XML: UBL 2.1 and UN/CEFACT CII, those fields of EN 16931 that the evidence has columns for.

One file is one document. A file with a DOCTYPE is refused unread, so that no entity is ever expanded. Dates are days: they
become the first instant of the day in the zone that the target file names.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scenarios.targets.cells import ABSENT, Get, Rows, Shape, Unreadable
from scenarios.targets.model import Book, Column
from scenarios.targets.sources import Sources

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_CII = "urn:un:unece:uncefact:data:standard:"
NAMES: Mapping[str, str] = {
    "cac": f"{_UBL}CommonAggregateComponents-2",
    "cbc": f"{_UBL}CommonBasicComponents-2",
    "rsm": f"{_CII}CrossIndustryInvoice:100",
    "ram": f"{_CII}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_CII}UnqualifiedDataType:100",
}
"""The prefixes that a path may use."""
_ROOTS = {
    f"{{{_UBL}Invoice-2}}Invoice": "ubl",
    f"{{{_UBL}CreditNote-2}}CreditNote": "ubl",
    f"{{{NAMES['rsm']}}}CrossIndustryInvoice": "cii",
}
_PARTY = "cac:Party/cac:PartyIdentification/cbc:ID"
_TRADE = "rsm:SupplyChainTradeTransaction/ram:"
_SETTLED = f"{_TRADE}ApplicableHeaderTradeSettlement/ram:"
_SUMS = f"{_SETTLED}SpecifiedTradeSettlementHeaderMonetarySummation/ram:"
_DOCUMENT = "rsm:ExchangedDocument/ram:"

_HEAD: Mapping[str, Mapping[str, str]] = {
    "ubl": {
        "number": "cbc:ID",
        "kind": "cbc:InvoiceTypeCode|cbc:CreditNoteTypeCode",
        "seller": f"cac:AccountingSupplierParty/{_PARTY}",
        "customer": f"cac:AccountingCustomerParty/{_PARTY}",
        "contract_id": "cac:ContractDocumentReference/cbc:ID",
        "currency": "cbc:DocumentCurrencyCode",
        "net": "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount",
        "gross": "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount",
        "vat": "cac:TaxTotal/cbc:TaxAmount",
        "issued_at": "cbc:IssueDate",
        "due_at": "cbc:DueDate",
        "account": "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID",
        "reference": "cac:PaymentMeans/cbc:PaymentID",
        "period_start": "cac:InvoicePeriod/cbc:StartDate",
        "cancels": "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
    },
    "cii": {
        "number": f"{_DOCUMENT}ID",
        "kind": f"{_DOCUMENT}TypeCode",
        "seller": f"{_TRADE}ApplicableHeaderTradeAgreement/ram:SellerTradeParty/ram:ID",
        "customer": f"{_TRADE}ApplicableHeaderTradeAgreement/ram:BuyerTradeParty/ram:ID",
        "contract_id": f"{_TRADE}ApplicableHeaderTradeAgreement/ram:ContractReferencedDocument/ram:IssuerAssignedID",
        "currency": f"{_SETTLED}InvoiceCurrencyCode",
        "net": f"{_SUMS}TaxBasisTotalAmount",
        "gross": f"{_SUMS}GrandTotalAmount",
        "vat": f"{_SUMS}TaxTotalAmount",
        "issued_at": f"{_DOCUMENT}IssueDateTime/udt:DateTimeString",
        "due_at": f"{_SETTLED}SpecifiedTradePaymentTerms/ram:DueDateDateTime/udt:DateTimeString",
        "account": f"{_SETTLED}SpecifiedTradeSettlementPaymentMeans/ram:PayeePartyCreditorFinancialAccount/ram:IBANID",
        "reference": f"{_SETTLED}PaymentReference",
        "period_start": f"{_SETTLED}BillingSpecifiedPeriod/ram:StartDateTime/udt:DateTimeString",
        "cancels": f"{_SETTLED}InvoiceReferencedDocument/ram:IssuerAssignedID",
    },
}
_LINES: Mapping[str, str] = {
    "ubl": "cac:InvoiceLine|cac:CreditNoteLine",
    "cii": f"{_TRADE}IncludedSupplyChainTradeLineItem",
}
_LINE: Mapping[str, Mapping[str, str]] = {
    "ubl": {
        "position": "cbc:ID",
        "text": "cac:Item/cbc:Name",
        "bill": "cac:DocumentReference/cbc:ID",
        "quantity": "cbc:InvoicedQuantity|cbc:CreditedQuantity",
        "unit": "cbc:InvoicedQuantity/@unitCode|cbc:CreditedQuantity/@unitCode",
        "vat_percent": "cac:Item/cac:ClassifiedTaxCategory/cbc:Percent",
        "amount": "cbc:LineExtensionAmount",
        "start_day": "cac:InvoicePeriod/cbc:StartDate",
    },
    "cii": {
        "position": "ram:AssociatedDocumentLineDocument/ram:LineID",
        "text": "ram:SpecifiedTradeProduct/ram:Name",
        "bill": "ram:SpecifiedLineTradeAgreement/ram:AdditionalReferencedDocument/ram:IssuerAssignedID",
        "quantity": "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity",
        "unit": "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity/@unitCode",
        "vat_percent": "ram:SpecifiedLineTradeSettlement/ram:ApplicableTradeTax/ram:RateApplicablePercent",
        "amount": "ram:SpecifiedLineTradeSettlement/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount",
        "start_day": "ram:SpecifiedLineTradeSettlement/ram:BillingSpecifiedPeriod/ram:StartDateTime/udt:DateTimeString",
    },
}
_OPTIONAL = (
    "contract_id",
    "due_at",
    "account",
    "reference",
    "period_start",
    "cancels",
    "bill",
    "start_day",
    "vat_percent",
)
_NOT_SAID = ("kind",)
"""A type code tells neither what is sold nor why: a target file must say which kind each code is."""
TABLES = ("books_bills", "books_invoices", "books_invoice_lines")
"""The books that invoices may be read into."""


def read_invoices(book: Book, table: str, columns: tuple[str, ...], sources: Sources) -> Rows:
    """The rows of one table, of all files. Raises Unreadable with file and field."""
    if table not in TABLES:
        raise Unreadable(f"invoices hold none; allowed: {', '.join(name.removeprefix('books_') for name in TABLES)}")
    lines = table == "books_invoice_lines"
    fields = [name for name in ("number", *(_LINE if lines else _HEAD)["ubl"]) if name not in _NOT_SAID]
    defaults = {name: Column(source=name, optional=name in _OPTIONAL) for name in fields if name in columns}
    raw = [one for name, text in sources.texts(book) for one in _document(name, text, lines)]
    return Shape(book, table, columns, defaults).read(book.path or book.url, raw)


def _document(name: str, text: str, lines: bool) -> list[tuple[str, Get]]:
    """The rows of one file: the document itself, or its lines."""
    if "<!DOCTYPE" in text:
        raise Unreadable(f"{name} has a DOCTYPE, which an invoice has not")
    try:
        root = ET.fromstring(text.encode())
    except ET.ParseError as err:
        raise Unreadable(f"{name} is no XML ({err})") from None
    form = _ROOTS.get(root.tag)
    if form is None:
        raise Unreadable(f"{name} is no invoice; allowed: UBL Invoice or CreditNote, or CII CrossIndustryInvoice")
    currency = _find(root, _HEAD[form]["currency"])
    if not lines:
        return [(name, _look(name, root, _HEAD[form], {}))]
    shared = {"number": _find(root, _HEAD[form]["number"]), "currency": currency}
    parts = [part for path in _LINES[form].split("|") for part in root.findall(path, dict(NAMES))]
    return [(f"{name}, line {number}", _look(name, part, _LINE[form], shared)) for number, part in enumerate(parts, 1)]


def _look(name: str, node: ET.Element, paths: Mapping[str, str], shared: Mapping[str, Any]) -> Get:
    def get(source: str) -> Any:
        if source in shared:
            return shared[source]
        found = _find(node, paths.get(source, source))
        dated = source.endswith(("_at", "_start", "_day"))
        return _day(found) if dated and isinstance(found, str) else found

    return get


def _find(node: ET.Element, path: str) -> Any:
    """The text under a path, or that of the first of several that is there; `@name` at the end is an attribute."""
    for one in path.split("|"):
        way, _, attribute = one.partition("/@")
        try:
            found = node.find(way, dict(NAMES))
        except (SyntaxError, KeyError) as err:
            raise Unreadable(f"{one!r} is no path ({err}); allowed: names such as cac:Party/cbc:Name") from None
        if found is not None:
            return found.get(attribute, ABSENT) if attribute else (found.text or "").strip()
    return ABSENT


def _day(text: str) -> str:
    """A day as ISO; CII writes it without dashes."""
    try:
        return datetime.strptime(text, "%Y%m%d").date().isoformat() if text.isdecimal() and len(text) == 8 else text
    except ValueError:
        return text
