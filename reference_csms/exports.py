"""What this back-end shows of itself before and after a move: users, prices, a customer's invoices. Plain rows.

Look-ups only, in the order of their keys; nothing here may change a row.
"""

from __future__ import annotations

from reference_csms.billing.rows import INVOICES, Invoice
from reference_csms.catalogue import Catalogue
from reference_csms.payments.rows import CLAIMS
from reference_csms.records import SITES, TOKENS
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant


def users(store: Store) -> list[Row]:
    """Everybody who may charge: token, status, group, customer, and the sites (None: everywhere)."""
    return [
        {
            "token": token.token,
            "status": token.status,
            "group": token.grp,
            "customer": token.customer,
            "sites": None if token.sites is None else list(token.sites),
        }
        for token in sorted(store.rows(TOKENS), key=lambda token: token.key)
    ]


def prices(store: Store, catalogue: Catalogue, now: Instant) -> list[Row]:
    """For each site the tariff and the version in force now; None for a site without a price (B11)."""
    found = []
    for site in sorted(row.site for row in store.rows(SITES)):
        tariff_id = catalogue.tariff_id_for(site)
        tariff = catalogue.tariff_version(tariff_id, now)
        found.append({"site": site, "tariff_id": tariff_id, "version": tariff.version if tariff else None})
    return found


def invoices(store: Store, customer: str) -> list[Row]:
    """The documents of one customer in the order of issue, as whoever pays them sees them.

    `open` is what is still to be paid, minor units, `paid` what was and is not given back; 0 for a document that asks
    for no money.
    """
    mine = [invoice for invoice in store.rows(INVOICES) if invoice.customer == customer]
    return [_shown(store, invoice) for invoice in sorted(mine, key=lambda one: (one.issued_at, one.number))]


def _shown(store: Store, invoice: Invoice) -> Row:
    claim = store.get(CLAIMS, invoice.claim_id) if invoice.claim_id else None
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "seller": invoice.seller,
        "customer": invoice.customer,
        "currency": invoice.currency,
        "gross": invoice.gross,
        "issued_at": invoice.issued_at,
        "due_at": invoice.due_at,
        "account": invoice.account,
        "reference": invoice.reference,
        "state": invoice.state,
        "open": max(0, claim.owed) if claim else 0,
        "claim": claim.claim_id if claim else None,
        "paid": claim.paid - claim.refunded if claim else 0,
    }
