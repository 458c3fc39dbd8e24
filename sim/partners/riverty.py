"""A fake of Riverty, the invoice partner: authorise, capture, refund, void, reminders, the merchant's settlement.

The order number is the business key: there are no idempotency keys, so asking twice for the same order gives the same order
and an invoice number is good for one capture (developer.riverty.com: checkout/authorize, orders/captures, refunds, voids).
Dunning dates and fees are not published, so they are parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field

from sim.backend import Row
from sim.clock import DAY, Instant
from sim.machine import Answered, Command, Outcome, Refused
from sim.partners.party import Party, Tables, Wrong, fail, text_of, whole_of
from sim.partners.port import Request, Response
from sim.rng import stream

AUTO_VOID = 30 * DAY
LONGEST_INVOICE_NUMBER = 20


class Terms(Struct, frozen=True, kw_only=True):
    """What the contract says, instants in ms after the capture or the due date.

    `reminders` after the due date, the last of them goes to collection; `fee` (basis points, fixed minor units) per
    capture; `pays` the share of a hundred who pay by themselves within `pays_within` of the capture, the others wait for
    the command `pay`; `rejects` the share of a hundred that the risk check refuses.
    """

    due: int = 14 * DAY
    reminders: tuple[int, ...] = (5 * DAY, 19 * DAY, 33 * DAY)
    fee: tuple[int, int] = (250, 0)
    rejects: int = 0
    rejected_mails: tuple[str, ...] = ()
    pays: int = 0
    pays_within: int = 20 * DAY
    settle_every: int = 7 * DAY
    auto_void: int = AUTO_VOID


class _Order(Struct):
    number: str
    row: Row
    amount: int
    currency: str
    outcome: str
    captured: int = 0
    voided: bool = False
    invoices: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        return 0 if self.voided or self.outcome != "Accepted" else self.amount - self.captured


class _Invoice(Struct):
    number: str
    order: _Order
    row: Row
    amount: int
    due_at: Instant
    refunds: list[dict[str, Any]] = field(default_factory=list)
    refunded: int = 0
    paid: int = 0
    reminders: int = 0


class Riverty(Party):
    """One merchant at Riverty. Settles to `iban` at the Machine `bank`, without an IBAN it keeps what it owes; `ibans` are
    accounts in other currencies.

    APIs: `checkout.authorize` (order_number, amount, currency, email), `captures.create` (order_number, invoice_number,
    amount), `refunds.create` (order_number, invoice_number, amount, credit_note_number), `voids.create` (order_number),
    `orders.retrieve` (order_number) with its captures and refunds; and `settlements.list`, which stands for the settlement
    reports: what was paid out in each, and the fees that were kept.
    Commands: `pay` (invoice_number, amount) by the customer, `change-bank` (iban) by the merchant.
    """

    def __init__(
        self,
        seed: object,
        *,
        name: str = "riverty",
        merchant: str = "",
        iban: str | None = None,
        ibans: Mapping[str, str] | None = None,
        bank: str = "bank",
        terms: Terms | None = None,
    ) -> None:
        super().__init__(name, seed)
        self._merchant = merchant
        self._iban = iban
        self._ibans = dict(ibans or {})
        self._bank = bank
        self._terms = terms or Terms()
        self._orders: dict[str, _Order] = {}
        self._invoices: dict[str, _Invoice] = {}
        self._rows: list[Row] = []
        self._balance: list[Row] = []
        self._owed: dict[str, int] = {}
        self._fees: dict[str, int] = {}
        self._credit_notes: dict[str, str] = {}
        self._settlements: list[tuple[Row, int]] = []
        self._settling = False
        routes: dict[str, Callable[[Mapping[str, Any], str | None, Instant], Response]] = {
            "checkout.authorize": self._authorize,
            "captures.create": self._capture,
            "refunds.create": self._refund,
            "voids.create": self._void,
            "orders.retrieve": self._retrieve,
            "settlements.list": self._list_settlements,
        }
        self._routes, self.apis = routes, tuple(routes)

    def execute(self, request: Request, now: Instant) -> Response:
        """One call; see the class."""
        route = self._routes.get(request.api)
        if route is None:
            return super().execute(request, now)
        try:
            return route(request.params, request.key, now)
        except Wrong as err:
            return fail(400, "invalid_parameter", str(err), field=err.param)

    def act(self, name: str, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Commands; see the class."""
        if name == "change-bank":
            self._iban = str(args["iban"])
            return Answered({})
        invoice = self._invoices.get(str(args.get("invoice_number")))
        if name != "pay" or invoice is None:
            return Refused("no-such-invoice" if name == "pay" else "unknown-command", str(args))
        paid = self._pay(invoice, args.get("amount"), now)
        return Answered({"paid": paid}) if paid else Refused("nothing-open")

    def statement(self, now: Instant) -> Tables:
        """Payments and what is owed to the merchant."""
        return {
            "partner_payments": [{"partner": self.name, **row} for row in self._rows],
            "partner_balance": [{"partner": self.name, **row} for row in self._balance],
        }

    # -- the API ----------------------------------------------------------------------------------------------------

    def _authorize(self, params: Mapping[str, Any], key: str | None, now: Instant) -> Response:
        number, amount = text_of(params, "order_number"), whole_of(params, "amount")
        currency = text_of(params, "currency").upper()
        known = self._orders.get(number)
        if known is None:
            mail, terms = str(params.get("email", "")), self._terms
            draw = stream(self.seed, "partner", self.name, "risk", number).random() * 100
            accepted = mail not in terms.rejected_mails and draw >= terms.rejects
            outcome = "Accepted" if accepted else "Rejected"
            row = self._note("auth", number, now, currency, amount, outcome.lower(), None, key, customer=mail)
            known = self._orders[number] = _Order(number, row, amount, currency, outcome)
            if accepted:
                self.agenda.add(now + terms.auto_void, self._void_unused, known)
        elif (known.amount, known.currency) != (amount, currency):
            return fail(409, "order_number_used", f"Order {number} is of another amount.")
        return Response(200, _shown(known))

    def _capture(self, params: Mapping[str, Any], key: str | None, now: Instant) -> Response:
        order, amount = self._order(params), whole_of(params, "amount")
        if order is None:
            return _no_order(params)
        number = str(params.get("invoice_number") or self.ids.new("R", 16).replace("_", ""))
        if len(number) > LONGEST_INVOICE_NUMBER:
            return fail(
                400, "invoice_number_too_long", f"An invoice number has at most {LONGEST_INVOICE_NUMBER} characters."
            )
        if number in self._invoices:
            return fail(409, "invoice_number_used", f"Invoice {number} was captured already.", order=self._of(number))
        if amount > order.left:
            return fail(
                400, "amount_exceeds_authorized", f"Only {order.left} of order {order.number} is left to capture."
            )
        order.captured += amount
        order.row["state"] = "captured" if order.left == 0 else "part-captured"
        order.invoices.append(number)
        row = self._note("capture", number, now, order.currency, amount, "open", order.number, key)
        due = Instant(now + self._terms.due)
        invoice = self._invoices[number] = _Invoice(number, order, row, amount, due)
        points, fixed = self._terms.fee
        self._post(amount, (amount * points + 5000) // 10_000 + fixed, order.currency, "capture", number, now)
        for after in self._terms.reminders:
            self.agenda.add(due + after, self._remind, invoice)
        chance = stream(self.seed, "partner", self.name, "pays", number)
        if chance.random() * 100 < self._terms.pays:
            self.agenda.add(now + int(chance.random() * self._terms.pays_within), self._pay, invoice, None)
        return Response(200, {**_shown(order), "invoice_number": number, "captured_amount": amount, "due_at": due})

    def _refund(self, params: Mapping[str, Any], key: str | None, now: Instant) -> Response:
        order, amount = self._order(params), whole_of(params, "amount")
        if order is None:
            return _no_order(params)
        invoice = self._invoices.get(text_of(params, "invoice_number"))
        if invoice is None or invoice.order is not order:
            return fail(404, "invoice_not_found", f"Order {order.number} has no invoice {params['invoice_number']}.")
        left, note = invoice.amount - invoice.refunded, str(params.get("credit_note_number") or "")
        if note in self._credit_notes:
            return fail(409, "credit_note_number_used", f"Credit note {note} was given already.")
        if amount > left:
            return fail(400, "amount_exceeds_captured", f"Only {left} of invoice {invoice.number} is left to refund.")
        invoice.refunded += amount
        name = self.ids.new("refund")
        note = note or name
        self._credit_notes[note] = name
        invoice.refunds.append({"refund_number": name, "credit_note_number": note, "amount": amount})
        self._note("refund", name, now, order.currency, amount, "done", invoice.number, key)
        self._post(-amount, 0, order.currency, "refund", name, now)
        self._close(invoice)
        shown = {"refund_number": name, "credit_note_number": note, "invoice_number": invoice.number}
        return Response(200, {**shown, "amount": amount})

    def _void(self, params: Mapping[str, Any], key: str | None, now: Instant) -> Response:
        order = self._order(params)
        if order is None:
            return _no_order(params)
        if order.left == 0:
            return fail(400, "nothing_to_void", f"Nothing of order {order.number} is authorised any more.")
        self._release(order, "voided", key, now)
        return Response(200, _shown(order))

    def _retrieve(self, params: Mapping[str, Any], key: str | None, now: Instant) -> Response:
        order = self._order(params)
        if order is None:
            return _no_order(params)
        invoices = [self._invoices[number] for number in order.invoices]
        captures = [
            {"invoice_number": one.number, "amount": one.amount, "refunded": one.refunded, "due_at": one.due_at}
            for one in invoices
        ]
        refunds = [{**refund, "invoice_number": one.number} for one in invoices for refund in one.refunds]
        return Response(200, {**_shown(order), "captures": captures, "refunds": refunds})

    def _list_settlements(self, params: Mapping[str, Any], key: str | None, now: Instant) -> Response:
        settlements = [
            {
                "settlement_number": row["id"],
                "created_at": row["at"],
                "currency": row["currency"],
                "amount": row["amount"],
                "fee": fee,
                "iban": row["data"]["iban"],
                "status": row["state"],
            }
            for row, fee in self._settlements
        ]
        return Response(200, {"settlements": settlements})

    # -- what time brings -------------------------------------------------------------------------------------------

    def _void_unused(self, order: _Order, now: Instant) -> None:
        if order.left:
            self._release(order, "auto-voided", None, now)

    def _release(self, order: _Order, state: str, key: str | None, now: Instant) -> None:
        name = self.ids.new("void")
        self._note("void", name, now, order.currency, order.left, state, order.number, key)
        order.voided, order.row["state"] = True, state if order.captured == 0 else "part-captured"

    def _remind(self, invoice: _Invoice, now: Instant) -> None:
        left = invoice.amount - invoice.refunded - invoice.paid
        if left > 0:
            invoice.reminders += 1
            last = invoice.reminders == len(self._terms.reminders)
            state = "collection" if last else f"reminder-{invoice.reminders}"
            invoice.row["state"] = state
            self._note(
                "reminder", self.ids.new("reminder"), now, invoice.order.currency, left, state, invoice.number, None
            )

    def _pay(self, invoice: _Invoice, amount: Any, now: Instant) -> int:
        left = invoice.amount - invoice.refunded - invoice.paid
        paid = min(left, amount) if isinstance(amount, int) and amount > 0 else left
        if paid > 0:
            invoice.paid += paid
            self._note(
                "payment", self.ids.new("payment"), now, invoice.order.currency, paid, "done", invoice.number, None
            )
            self._close(invoice)
        return max(paid, 0)

    def _close(self, invoice: _Invoice) -> None:
        if invoice.amount <= invoice.refunded + invoice.paid:
            invoice.row["state"] = "refunded" if invoice.refunded == invoice.amount else "paid"

    def _settle(self, now: Instant) -> None:
        self.agenda.add(now + self._terms.settle_every, self._settle)
        if self._iban is None:
            return
        for currency, amount in sorted(self.owed().items()):
            if amount > 0:
                name = self.ids.new("settlement", 16)
                iban = self._ibans.get(currency, self._iban)
                row = self._note("settlement", name, now, currency, amount, "in_transit", None, None, iban=iban)
                self._settlements.append((row, self._fees.pop(currency, 0)))
                self._post(-amount, 0, currency, "settlement", name, now)
                self._send(row, iban, now)

    def _send(self, row: Row, iban: str, now: Instant) -> None:
        credit = {"iban": iban, "amount": row["amount"], "currency": row["currency"], "reference": row["id"]}
        credit |= {"end_to_end": row["id"], "counterparty": "Riverty"}

        def heard(outcome: Outcome, at: Instant) -> None:
            if isinstance(outcome, Answered):
                row["state"] = "paid"
            elif isinstance(outcome, Refused):
                row["state"] = f"failed:{outcome.code}"
                self._post(row["amount"], 0, row["currency"], "settlement_failure", row["id"], at)
            else:
                self.agenda.add(at + DAY, self._send, row, iban)  # the bank knows what it has booked already

        self.ask(self._bank, Command("credit", credit), heard)

    def owed(self) -> dict[str, int]:
        """What Riverty owes the merchant, by currency."""
        return dict(self._owed)

    def _post(self, amount: int, fee: int, currency: str, kind: str, source: str, now: Instant) -> None:
        entry = {"id": self.ids.new("entry", 16), "at": now, "account": self._merchant, "currency": currency}
        entry |= {
            "amount": amount,
            "fee": fee,
            "net": amount - fee,
            "type": kind,
            "source": source,
            "available_at": now,
        }
        self._balance.append(entry)
        self._owed[currency] = self._owed.get(currency, 0) + amount - fee
        self._fees[currency] = self._fees.get(currency, 0) + fee
        if not self._settling:
            self._settling = True
            self.agenda.add(now + self._terms.settle_every, self._settle)

    def _note(
        self, kind: str, name: str, now: Instant, currency: str, amount: int, state: str, for_id: str | None,
        key: str | None, **data: Any,
    ) -> Row:  # fmt: skip
        row: Row = {
            "kind": kind, "id": name, "at": now, "account": self._merchant, "currency": currency, "amount": amount,
            "key": key, "reference": for_id or name, "state": state, "for_id": for_id, "data": data,
        }  # fmt: skip
        self._rows.append(row)
        return row

    def _order(self, params: Mapping[str, Any]) -> _Order | None:
        return self._orders.get(text_of(params, "order_number"))

    def _of(self, invoice: str) -> str:
        return self._invoices[invoice].order.number


def _no_order(params: Mapping[str, Any]) -> Response:
    return fail(404, "order_not_found", f"There is no order {params['order_number']}.")


def _shown(order: _Order) -> dict[str, Any]:
    return {
        "order_number": order.number,
        "outcome": order.outcome,
        "amount": order.amount,
        "currency": order.currency,
        "captured": order.captured,
        "remaining": order.left,
        "voided": order.voided,
        "invoices": list(order.invoices),
    }
