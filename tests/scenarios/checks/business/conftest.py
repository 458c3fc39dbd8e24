"""An honest upgrade in rows: two owners, one of whom was put off by a week, two drivers, invoices, payouts and mails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.clock import DAY, HOUR, parse_iso

Row = dict[str, Any]
ZONE = "Europe/Oslo"
OLD_IBAN, NEW_IBAN = "NO9386011117947", "NO7530001234567"
PORTAL = "https://portal.example"
FIRST, SECOND = "2024-04-09", "2024-04-16"
"""Owner `city` moves on the first day; `port` was announced for it too, and moves on the second."""
WORDS = {"nb": "{day}. april 2024", "de": "{day}. April 2024", "en": "{day} April 2024"}
TO = {"city": "post@city.example", "port": "post@port.example"}
LANGUAGE = {"city": "nb", "port": "de"}
MOVED = {"city": FIRST, "port": SECOND}


def when(text: str) -> int:
    """The instant of a local time in Norway in spring 2024, e.g. `04-09 10:00`."""
    offset = "+01:00" if text < "03-31" else "+02:00"
    return parse_iso(f"2024-{text.replace(' ', 'T')}:00{offset}")


def spoken(day: str, language: str) -> str:
    """A day of April 2024 in words."""
    return WORDS[language].format(day=int(day[-2:]))


def plan() -> Row:
    """The plan row `upgrade`."""

    def owner(name: str) -> Row:
        old = {"contract": f"old-{name}", "seller": "oldco", "customer": name, "period": "month"}
        new = {"contract": f"new-{name}", "seller": "newco", "customer": name, "period": "quarter"}
        return {
            "owner": name,
            "zone": ZONE,
            "language": LANGUAGE[name],
            "email": TO[name],
            "officials": [{"email": f"chair@{name}.example"}],
            "sites": [f"site-{name}"],
            "contract_old": old,
            "contract_new": new,
        }

    def wave(number: int, name: str, *announced: tuple[str, int]) -> Row:
        day = announced[-1][0]
        return {
            "wave": number,
            "sites": [f"site-{name}"],
            "owners": [name],
            "announced": [{"day": one, "decided_at": at} for one, at in announced],
            "begins_at": when(f"{day[5:]} 07:00"),
            "ends_at": when(f"{day[5:]} 19:00"),
        }

    terms = [{"value": "2023-1"}, {"value": "2024-2", "from": "2024-04-01"}]
    decided = when("03-20 12:00")
    return {
        "least_days": 3,
        "most_days": 7,
        "old_seller": "oldco",
        "new_seller": "newco",
        "portal": PORTAL,
        "sellers": [
            {"seller": "oldco", "name": "Gamle AS", "zone": ZONE, "accounts": [{"value": OLD_IBAN}], "terms": terms},
            {"seller": "newco", "name": "Nye AS", "zone": ZONE, "accounts": [{"value": NEW_IBAN}], "terms": terms},
        ],
        "owners": [owner("city"), owner("port")],
        "waves": [
            wave(1, "city", (FIRST, decided)),
            wave(2, "port", (FIRST, decided), (SECOND, when("04-05 12:00"))),
        ],
        "drivers": [
            {"customer": "ann", "email": "ann@drivers.example", "language": "en", "sites": ["site-city"]},
            {"customer": "bo", "email": "bo@drivers.example", "language": "nb", "sites": ["site-port"]},
        ],
    }


class Upgraded:
    """Rows of an upgrade on top of a Day. Whatever is asked of a day may be asked of this."""

    when = staticmethod(when)

    def __init__(self, day: Any) -> None:
        self.day = day
        day.plan["upgrade"] = plan()
        day.row("meta", key="ended_at")["value"] = str(when("06-30 12:00"))
        for owner, on in MOVED.items():
            at = when(f"{on[5:]} 09:00")
            day.add("truth_migration", at=at, station=f"st-{owner}", site=f"site-{owner}", state="SWITCH_SENT")
        self.notice("city", 1, 1, FIRST, "04-03 10:00")
        self.notice("port", 2, 1, FIRST, "04-03 10:00")
        self.void("port", 2, 1, FIRST, "04-05 12:01")
        self.notice("port", 2, 2, SECOND, "04-10 10:00", earlier=FIRST)
        self.mail(
            "driver-notice", "ann@drivers.example", when("04-07 10:00"), "At site-city it is on 9 April 2024.", "en"
        )
        self.mail(
            "driver-notice", "bo@drivers.example", when("04-14 10:00"), "På site-port er det 16. april 2024.", "nb"
        )
        self.mail("onboarding-invitation", TO["city"], when("03-20 10:00"), f"Open {PORTAL}/onboarding/city", "nb")
        for owner, on in MOVED.items():
            self.invoice("legacy", f"OLD-{owner}", owner, "04-01 02:00", "2024-04-01", "2024-05-01")
            self.invoice("new", f"NEW-{owner}", owner, f"{on[5:]} 21:00", on, "2024-07-01")
            for backend, state in (("legacy", "exported"), ("new", "done")):
                day.add(
                    "books_prepaid", backend=backend, prepaid_id=f"p-{owner}", customer=owner, seller="oldco", net=500,
                    start_day=on, until_day="2024-05-01", invoice=f"OLD-{owner}", state=state,
                )  # fmt: skip
        self.pay("OLD-city", OLD_IBAN, "04-12 09:00", "legacy", "k-OLD-city")
        self.pay("NEW-city", NEW_IBAN, "04-20 09:00", "new", "k-NEW-city")
        self.pay("NEW-port", OLD_IBAN, "04-22 09:00", "new", "k-NEW-port")  # to the old account by mistake
        self.account("city", "03-25 09:00", True)
        self.account("port", "03-25 09:00", False)
        self.account("port", "05-02 09:00", True)
        self.moved("city", "transfer", "tr_1", 1000, "04-10 12:00", fee=50)
        self.moved("city", "transfer", "tr_2", 500, "04-11 12:00")
        self.moved("city", "reversal", "trr_1", 200, "04-12 12:00", fee=10)
        self.moved("city", "payout", "po_1", 1260, "04-19 00:00")
        self.moved("port", "transfer", "tr_3", 700, "04-17 12:00")
        self.moved("port", "payout", "po_2", 700, "05-03 00:00")
        self.moved("port", "transfer", "tr_4", 300, "06-25 12:00")  # not available yet at the end

    def __getattr__(self, name: str) -> Any:
        return getattr(self.day, name)

    def mail(self, kind: str, to: str, at: int, text: str, language: str, meta: Row | None = None) -> Row:
        """A mail that arrives half a minute after it was sent."""
        number = len(self.day.tables["partner_mails"]) + 1
        row: Row = self.day.add(
            "partner_mails", partner="mailbox", id=f"mail-{number}", at=at, to=to, subject="s", text=text,
            language=language, kind=kind, message_id=f"id-{number}", meta=meta or {}, state="delivered",
            delivered_at=at + 30_000,
        )  # fmt: skip
        return row

    def notice(self, owner: str, wave: int, n: int, about: str, at: str, **more: Any) -> Row:
        """An `upgrade-notice` that says everything, and of an earlier day that it replaces it."""
        language = LANGUAGE[owner]
        earlier = f" Before it was {spoken(more['earlier'], language)}." if "earlier" in more else ""
        text = (
            f"On {spoken(about, language)} site-{owner} moves. From then on pay Nye AS, not Gamle AS, at\n"
            f"NO75 3000 1234 567 by the terms 2024-2.{earlier} Set up: {PORTAL}/onboarding/{owner}\n"
        )
        meta = {"owner": owner, "notice": f"n/{wave}/{owner}/{n}", "wave": wave, "day": about}
        return self.mail("upgrade-notice", TO[owner], when(at), text, language, meta)

    def void(self, owner: str, wave: int, n: int, about: str, at: str) -> Row:
        """An `upgrade-notice-void`."""
        meta = {"owner": owner, "notice": f"n/{wave}/{owner}/{n}", "wave": wave, "day": about}
        text = f"Nothing happens at site-{owner} on {spoken(about, LANGUAGE[owner])}."
        return self.mail("upgrade-notice-void", TO[owner], when(at), text, LANGUAGE[owner], meta)

    def invoice(self, backend: str, number: str, owner: str, at: str, start: str, until: str, **more: Any) -> Row:
        """A subscription with its claim, of the seller of that back-end."""
        seller, account = ("oldco", OLD_IBAN) if backend == "legacy" else ("newco", NEW_IBAN)
        row = {"kind": "subscription", "seller": seller, "customer": owner, "contract_id": f"{backend}-{owner}"}
        row |= {"period_start": start, "period_until": until, "currency": "NOK", "basis": "net", "net": 800, "vat": 200}
        row |= {"gross": 1000, "issued_at": when(at), "account": account, "reference": number, "state": "issued"}
        row |= {"terms": "2024-2"}
        claim = {
            "claim_id": f"k-{number}",
            "kind": "subscription",
            "seller": seller,
            "customer": owner,
            "document": number,
        }
        claim |= {"currency": "NOK", "amount": 1000, "route": "bank", "paid": 0, "refunded": 0, "credited": 0}
        if row["kind"] == more.get("kind", "subscription"):
            self.day.add("books_claims", backend=backend, **claim, state="open", created_at=when(at))
        data = json.dumps({"number": number, "account": account})
        done: Row = self.day.add("books_invoices", backend=backend, number=number, **{**row, "data": data, **more})
        return done

    def pay(self, number: str, iban: str, at: str, reader: str, claim: str | None) -> None:
        """A payment of 1000 at the bank, and the line that a back-end read of it."""
        entry = f"e-{len(self.day.tables['partner_bank'])}"
        row = {"partner": "bank", "id": entry, "at": when(at), "iban": iban, "amount": 1000, "currency": "NOK"}
        self.day.add("partner_bank", **row, reference=f"invoice {number}", counterparty="owner")
        line = {
            "line_id": f"{iban}/{entry}",
            "iban": iban,
            "currency": "NOK",
            "amount": 1000,
            "reference": f"invoice {number}",
        }
        state = "matched" if claim else "unmatched"
        if claim:
            owed = self.day.row("books_claims", backend=reader, claim_id=claim)
            owed.update(paid=owed["paid"] + 1000, state="paid")
        self.day.add(
            "books_statement_lines", backend=reader, **line, state=state, claim_id=claim, read_at=when(at) + HOUR
        )

    def came_back(self, at: str, claim: str | None) -> Row:
        """The bank takes the last payment back; with `claim` a back-end has read it."""
        last = self.day.tables["partner_bank"][-1]
        entry = {**last, "id": f"r-{last['id']}", "at": when(at), "amount": -1000, "code": "MS03", "for_id": last["id"]}
        self.day.add("partner_bank", **entry)
        read = self.day.tables["books_statement_lines"][-1]
        line = {**read, "line_id": f"{last['iban']}/r-{last['id']}", "amount": -1000, "read_at": when(at) + HOUR}
        if claim:
            self.day.add("books_statement_lines", **{**line, "claim_id": claim})
            owed = self.day.row("books_claims", backend=read["backend"], claim_id=claim)
            owed.update(paid=owed["paid"] - 1000, state="open")
        return entry

    def account(self, owner: str, at: str, payouts: bool) -> None:
        """The state of an account from an instant on."""
        row = {"partner": "stripe", "at": when(at), "account": f"acct_{owner}", "owner": owner}
        self.day.add("partner_accounts", **row, charges_enabled=1, payouts_enabled=int(payouts))

    def moved(self, owner: str, kind: str, name: str, amount: int, at: str, fee: int = 0, **more: Any) -> None:
        """A movement of an account in both lists of the partner."""
        place = {"partner": "stripe", "account": f"acct_{owner}", "at": when(at)}
        state = {"transfer": "paid", "reversal": "done", "payout": "paid"}[kind]
        row = {"kind": kind, "id": name, "currency": "NOK", "amount": amount, "state": state, "data": {"fee": fee}}
        self.day.add("partner_payments", **place, **{**row, **more})
        sign, word = {"transfer": (1, "payment"), "reversal": (-1, "payment_refund"), "payout": (-1, "payout")}[kind]
        available = when(at) + (7 * DAY if sign > 0 else 0)
        self.day.add(
            "partner_balance", **place, id=f"txn-{name}", currency="nok", amount=sign * amount, fee=sign * fee,
            net=sign * (amount - fee), type=word, source=name, available_at=available,
        )  # fmt: skip


@pytest.fixture
def upgraded(day: Any) -> Upgraded:
    """The honest day with an upgrade in it."""
    return Upgraded(day)
