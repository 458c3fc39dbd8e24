"""The honest day of the checks with its business half in rows: invoices, claims, payments and two subscriptions.

One owner, `city`, with a site that moves on 12 June 2019. Drivers pay legacy through Riverty and new through Stripe. The
old company was paid for June in advance; 19 days of it are credited by the new one, which sells by the quarter. Each test
spoils one row and asks one check.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.clock import DAY, HOUR, MINUTE, Instant, parse_iso

Row = dict[str, Any]
ACCOUNT = "acct_city"
JULY = parse_iso("2019-07-01T03:00:00+02:00")
END = parse_iso("2019-07-10T12:00:00+02:00")
MOVED = parse_iso("2019-06-12T20:00:00+02:00")
ITEMS = [{"text": "Platform", "net": 20_000, "quantity": 1}]


class Upgrade:
    """Rows of money on top of a Day."""

    def __init__(self, day: Any) -> None:
        self.day = day
        day.row("meta", key="ended_at")["value"] = str(END)
        self._plan()
        self._drivers()
        self._subscriptions()

    # -- rows -------------------------------------------------------------------------------------------------------

    def entry(self, backend: str, kind: str, ref: str, at: int, *postings: tuple[str, int]) -> Row:
        """One journal entry; nobody here looks at its hash."""
        seq = len(self.day.rows("books_journal", backend=backend)) + 1
        rows = [[account, "EUR", amount] for account, amount in postings]
        return self.day.add("books_journal", backend=backend, seq=seq, at=at, kind=kind, ref=ref, postings=rows)

    def claim(self, backend: str, name: str, kind: str, document: str, amount: int, **more: Any) -> Row:
        """One claim, paid unless told otherwise."""
        route = "bank" if kind == "subscription" else "riverty" if backend == "legacy" else "stripe"
        row = {"kind": kind, "seller": "city", "customer": "c-AA01", "document": document, "currency": "EUR"}
        row |= {"amount": amount, "route": route, "account": ACCOUNT if route == "stripe" else None, "final": 1}
        row |= {"paid": amount, "refunded": 0, "credited": 0, "state": "paid", "created_at": JULY}
        return self.day.add("books_claims", backend=backend, claim_id=name, **{**row, **more})

    def paid(self, backend: str, name: str, at: int, account: str) -> None:
        """What it takes to pay a claim through its partner: attempt, capture, balance and journal."""
        claim = self.day.row("books_claims", backend=backend, claim_id=name)
        partner, amount = claim["route"], claim["amount"]
        key, merchant = f"{name}/charge/1", ACCOUNT if partner == "stripe" else "merchant"
        common = {"partner": partner, "key": key, "amount": amount, "currency": "EUR"}
        self.day.add(
            "books_payments", backend=backend, attempt_id=f"p-{name}", claim_id=name, purpose="charge", **common,
            account=claim["account"], state="done", created_at=at, asked_at=at, settled_at=at + MINUTE, tries=1,
        )  # fmt: skip
        moved = {**common, "account": merchant, "at": at + MINUTE}
        self.day.add("partner_payments", kind="auth", id=f"auth-{name}", state="captured", **moved)
        capture = {**moved, "for_id": f"auth-{name}", "state": "succeeded"}
        self.day.add("partner_payments", kind="capture", id=f"cap-{name}", **capture)
        self.balance(partner, merchant, amount, at + MINUTE, "payment", f"cap-{name}")
        clearing = f"clearing:stripe:{ACCOUNT}" if partner == "stripe" else "clearing:riverty"
        self.entry(
            backend, "payment", f"{claim['document']} {name}", at + MINUTE, (clearing, amount), (account, -amount)
        )

    def balance(self, partner: str, account: str, amount: int, at: int, kind: str, source: str) -> Row:
        """One balance transaction, in the small letters of the partner."""
        row = {"at": at, "account": account, "currency": "eur", "amount": amount, "fee": 0, "net": amount}
        number = len(self.day.tables["partner_balance"])
        return self.day.add("partner_balance", partner=partner, id=f"txn_{number}", **row, type=kind, source=source)

    def invoice(self, backend: str, number: str, kind: str, period: tuple[str, str], **more: Any) -> Row:
        """One document."""
        row = {"circle": number[:-7], "kind": kind, "seller": "city", "customer": "c-AA01", "currency": "EUR"}
        row |= {
            "period_start": period[0],
            "period_until": period[1],
            "issued_at": JULY,
            "state": "issued",
            "net": 0,
            "vat": 0,
            "gross": 0,
        }
        return self.day.add("books_invoices", backend=backend, number=number, **{**row, **more})

    def line(self, backend: str, number: str, kind: str, amount: int, **more: Any) -> Row:
        """The next line of a document."""
        position = len(self.day.rows("books_invoice_lines", backend=backend, number=number)) + 1
        row = {"position": position, "kind": kind, "amount": amount, "vat_percent": "19", "quantity": "1"}
        return self.day.add("books_invoice_lines", backend=backend, number=number, **{**row, **more})

    # -- the story --------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        old = {"contract": "sub-old", "seller": "old-co", "customer": "city", "currency": "EUR", "period": "month"}
        old |= {"start": "2019-01-01", "billed_until": "2019-06-01", "items": ITEMS}
        new = {"contract": "sub-new", "seller": "new-co", "customer": "city", "currency": "EUR", "period": "quarter"}
        new |= {"start": "2019-06-12", "items": ITEMS}
        wave = {"wave": 1, "owners": ["city"], "sites": ["alpha"], "announced": [{"day": "2019-06-12"}]}
        zone = "Europe/Berlin"
        self.day.plan["upgrade"] = {
            "deadline": "2019-06-11",
            "sellers": [{"seller": "old-co", "zone": zone}, {"seller": "new-co", "zone": zone}],
            "owners": [{"owner": "city", "zone": zone, "contract_old": old, "contract_new": new}],
            "waves": [wave],
        }
        told = {"account": ACCOUNT, "owner": "city", "charges_enabled": 1, "payouts_enabled": 1}
        self.day.add("partner_accounts", partner="stripe", at=MOVED - DAY, **told)

    def _drivers(self) -> None:
        direct = {"GUEST-7": "c-GUEST-7"}
        for bill in list(self.day.tables["books_bills"]):
            backend, number, gross = bill["backend"], bill["number"], bill["gross"]
            session = self.day.row("books_sessions", backend=backend, session_id=bill["session_id"])
            row = {"owner": "city", "customer": bill["customer"], "supplied_at": session["stopped_at"]}
            if bill["customer"] in direct.values():
                self.day.add("books_billables", backend=backend, number=number, state="direct", **row)
                name, at = f"k-{number}", bill["issued_at"]
                more = {"customer": bill["customer"], "session_id": bill["session_id"], "created_at": at}
                self.claim(backend, name, "session", number, gross, **more)
                self.paid(backend, name, at + HOUR, f"receivable:{bill['customer']}")
                self.payout(gross, at + 8 * DAY)
                continue
            count = len(self.day.rows("books_invoices", backend=backend, kind="drivers")) + 1
            invoice = f"CITY-{backend[0].upper()}D-{count:06d}"
            self.day.add("books_billables", backend=backend, number=number, state="invoiced", invoice=invoice, **row)
            name, at = f"k-{invoice}", Instant(JULY + count * MINUTE)
            totals = {key: bill[key] for key in ("gross", "net", "vat", "customer")}
            self.invoice(
                backend, invoice, "drivers", ("2019-06-01", "2019-07-01"), issued_at=at, claim_id=name, **totals
            )
            kwh = self.day.row("books_cdrs", backend=backend, cdr_id=bill["cdr_id"])["kwh"]
            over = {"bill": number, "session_id": bill["session_id"], "quantity": kwh, "unit": "kWh"}
            self.line(backend, invoice, "session", gross, **over)
            who = bill["customer"]
            self.entry(backend, "invoice", invoice, at, (f"invoiced:{who}", gross), (f"receivable:{who}", -gross))
            self.claim(backend, name, "drivers", invoice, gross, customer=who, created_at=at)
            self.paid(backend, name, at + HOUR, f"invoiced:{who}")

    def payout(self, amount: int, at: int) -> None:
        """A payout of the owner's account, as the partner made it and as it is booked."""
        row = {"account": ACCOUNT, "currency": "EUR", "amount": amount, "state": "paid", "at": at}
        self.day.add("partner_payments", partner="stripe", kind="payout", id="po_1", **row)
        self.balance("stripe", ACCOUNT, -amount, at, "payout", "po_1")
        self.day.add("books_movements", backend="new", movement_id="po_1", kind="payout", **{**row, "at": at + DAY})
        postings = (("bank:city", amount), (f"clearing:stripe:{ACCOUNT}", -amount))
        self.entry("new", "payout", f"po_1 {ACCOUNT}", at + DAY, *postings)

    def _subscriptions(self) -> None:
        items, vat = json.dumps(ITEMS), json.dumps([{"value": "19", "since": 0}])
        sold = {"customer": "city", "currency": "EUR", "items": items, "vat": vat}
        self.day.add(
            "books_contracts", backend="legacy", contract_id="sub-old", seller="old-co", period="month", **sold,
            start_day="2019-01-01", end_day="2019-06-12", billed_until="2019-07-01",
        )  # fmt: skip
        self.day.add(
            "books_contracts", backend="new", contract_id="sub-new", seller="new-co", period="quarter", **sold,
            start_day="2019-06-12", billed_until="2019-10-01",
        )  # fmt: skip
        june = parse_iso("2019-06-01T03:00:00+02:00")
        old = {"contract_id": "sub-old", "seller": "old-co", "customer": "city", "issued_at": june}
        span = ("2019-06-01", "2019-07-01")
        self.invoice(
            "legacy", "OLD-LS-000001", "subscription", span, net=20_000, vat=3_800, gross=23_800, claim_id="k-s1", **old
        )
        self.line("legacy", "OLD-LS-000001", "item", 20_000, text="Platform", start_day=span[0], until_day=span[1])
        sums = (("invoiced:city", 23_800), ("revenue:old-co", -20_000), ("vat:old-co:19", -3_800))
        self.entry("legacy", "invoice", "OLD-LS-000001", june, *sums)
        self.claim("legacy", "k-s1", "subscription", "OLD-LS-000001", 23_800, seller="old-co", customer="city")
        self.entry(
            "legacy", "receipt", "OLD-LS-000001 k-s1", june + DAY, ("bank:1", 23_800), ("invoiced:city", -23_800)
        )
        prepaid = {"prepaid_id": "v-1", "contract_id": "sub-old", "seller": "old-co", "customer": "city"}
        prepaid |= {"currency": "EUR", "net": 12_667, "start_day": "2019-06-12", "until_day": "2019-07-01"}
        prepaid |= {"invoice": "OLD-LS-000001"}
        self.day.add("books_prepaid", backend="legacy", state="exported", **prepaid)
        self.day.add("books_prepaid", backend="new", state="done", credited_on="NEW-NS-000001", **prepaid)
        back = (("revenue:old-co", 12_667), ("intercompany:old-co", -12_667))
        self.entry("legacy", "prepaid", "OLD-LS-000001 v-1", MOVED, *back)
        rest = ("2019-06-12", "2019-07-01")
        new = {"contract_id": "sub-new", "seller": "new-co", "customer": "city"}
        self.invoice("new", "NEW-NS-000001", "subscription", rest, net=0, vat=0, **new, issued_at=MOVED)
        self.line("new", "NEW-NS-000001", "item", 12_667, text="Platform", start_day=rest[0], until_day=rest[1])
        self.line("new", "NEW-NS-000001", "credit", -12_667, text="prepaid", start_day=rest[0], until_day=rest[1])
        credited = (("intercompany:old-co", 12_667), ("revenue:new-co", -12_667))
        self.entry("new", "invoice", "NEW-NS-000001", MOVED, *credited)
        quarter = ("2019-07-01", "2019-10-01")
        self.invoice(
            "new",
            "NEW-NS-000002",
            "subscription",
            quarter,
            net=60_000,
            vat=11_400,
            gross=71_400,
            claim_id="k-s2",
            **new,
        )
        for start, until in (("07", "08"), ("08", "09"), ("09", "10")):
            days = {"start_day": f"2019-{start}-01", "until_day": f"2019-{until}-01"}
            self.line("new", "NEW-NS-000002", "item", 20_000, text="Platform", **days)
        sums = (("invoiced:city", 71_400), ("revenue:new-co", -60_000), ("vat:new-co:19", -11_400))
        self.entry("new", "invoice", "NEW-NS-000002", JULY, *sums)
        owed = {"seller": "new-co", "customer": "city", "paid": 0, "state": "open"}
        self.claim("new", "k-s2", "subscription", "NEW-NS-000002", 71_400, **owed)


@pytest.fixture
def upgrade(day: Any) -> Upgrade:
    """The honest day with its business half."""
    return Upgrade(day)
