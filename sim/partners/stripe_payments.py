"""Card payments of the Stripe fake: payment intents, refunds, disputes.

At every moment captured - refunded <= authorised, and nothing is taken for an account that is not enabled. A hold that
nobody captures within seven days ends by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sim.backend import Row
from sim.clock import DAY, MINUTE, Instant
from sim.machine import Answered, Outcome, Refused
from sim.partners.party import Agenda, Ids, dict_of, flag_of, text_of, whole_of
from sim.partners.stripe_accounts import Accounts
from sim.partners.stripe_api import (
    Call,
    Object,
    StripeError,
    invalid,
    listing,
    page_of,
    query_of,
    refused,
    seconds,
    snapshot,
)
from sim.partners.stripe_events import Events
from sim.partners.stripe_money import Money
from sim.partners.stripe_wallet import CARDS, Wallet

HOLD = 7 * DAY
SEARCH_LAG = MINUTE
"""How far the search is behind; Stripe promises less than a minute in quiet times and up to an hour in an outage."""
_DISPUTE_FEE = 2000


class Payments(Wallet):
    """All payments. `fees` is (basis points, fixed minor units) that Stripe keeps of a captured charge."""

    def __init__(
        self,
        ids: Ids,
        agenda: Agenda,
        accounts: Accounts,
        money: Money,
        events: Events,
        note: Callable[..., Row],
        fees: tuple[int, int],
    ) -> None:
        super().__init__(ids)
        self._agenda = agenda
        self._accounts = accounts
        self._money = money
        self._events = events
        self._note = note
        self._fees = fees
        self._intents: dict[str, Object] = {}
        self._charges: dict[str, Object] = {}
        self._refunds: dict[str, Object] = {}
        self._disputes: dict[str, Object] = {}
        self._auths: dict[str, Row] = {}

    # -- payment intents --------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Object:
        """`payment_intents.create`, confirmed at once with `confirm=true`."""
        params = call.params
        amount, currency = whole_of(params, "amount"), text_of(params, "currency").lower()
        transfer_data, behalf = dict_of(params, "transfer_data"), params.get("on_behalf_of")
        fee = whole_of(params, "application_fee_amount", 0, 0)
        capture = params.get("capture_method", "automatic")
        if capture not in ("automatic", "manual"):
            raise invalid("Invalid capture_method.", "capture_method")
        if fee > amount:
            raise invalid("The application fee cannot exceed the amount.", "application_fee_amount")
        if "amount" in transfer_data and (fee or whole_of(transfer_data, "amount") > amount):
            raise invalid("A transfer of at most the amount goes without an application fee.", "transfer_data[amount]")
        if fee and not transfer_data and not call.account:
            raise invalid("An application fee needs a connected account.", "application_fee_amount")
        if transfer_data:
            self._money.check_transfers(
                self._accounts.find(Call(transfer_data, "", None, call.now), "destination"), call.now
            )
        intent: Object = {
            "amount": amount, "amount_capturable": 0, "amount_received": 0, "currency": currency, "status":
            "requires_payment_method", "capture_method": capture, "customer": params.get("customer"), "payment_method":
            params.get("payment_method"), "on_behalf_of": behalf, "transfer_data": transfer_data or None,
            "application_fee_amount": fee or None, "metadata": dict_of(params, "metadata"), "latest_charge": None,
            "description": params.get("description"), "last_payment_error": None, "next_action": None,
            "canceled_at": None, "cancellation_reason": None, "transfer_group": params.get("transfer_group"),
        }  # fmt: skip
        self._check_enabled(intent, call)
        if intent["customer"] is not None:
            self._find(self._customers, "customer", call, "customer")
        if intent["payment_method"] is not None:
            self._method(str(intent["payment_method"]))
            intent["status"] = "requires_confirmation"
        confirm, off_session = flag_of(params, "confirm"), flag_of(params, "off_session")
        if confirm and intent["payment_method"] is None:
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.", "payment_method"
            )
        self._keep(self._intents, "pi", "payment_intent", call, 24, **intent)
        intent = self._intents[next(reversed(self._intents))]
        self._events.emit("payment_intent.created", intent, call.account, call.now, call.key)
        return self._confirm(intent, off_session, call) if confirm else snapshot(intent)

    def confirm(self, call: Call) -> Object:
        """`payment_intents.confirm`, also with another `payment_method`."""
        intent = self._intent(call)
        if intent["status"] not in ("requires_confirmation", "requires_payment_method"):
            raise self._unexpected(intent, "confirm")
        method = call.params.get("payment_method", intent["payment_method"])
        if method is None:
            raise invalid(
                "You cannot confirm this PaymentIntent because it's missing a payment method.", "payment_method"
            )
        self._method(str(method))
        self._check_enabled(intent, call)
        intent["payment_method"] = method
        return self._confirm(intent, flag_of(call.params, "off_session"), call)

    def capture(self, call: Call) -> Object:
        """`payment_intents.capture` of the whole hold or of `amount_to_capture`; the rest is released."""
        intent = self._intent(call)
        if intent["status"] != "requires_capture":
            raise self._unexpected(intent, "capture")
        amount = whole_of(call.params, "amount_to_capture", intent["amount_capturable"])
        fee = whole_of(call.params, "application_fee_amount", intent["application_fee_amount"] or 0, 0)
        if amount > intent["amount_capturable"]:
            message = "The amount to capture is greater than the amount that can be captured."
            raise refused(message, "amount_too_large", param="amount_to_capture")
        if fee > amount:
            raise invalid("The application fee cannot exceed the amount.", "application_fee_amount")
        self._check_enabled(intent, call)
        intent["application_fee_amount"] = fee or None
        self._take(intent, amount, call)
        return snapshot(intent)

    def cancel(self, call: Call) -> Object:
        """`payment_intents.cancel`: releases the hold."""
        intent = self._intent(call)
        if intent["status"] in ("succeeded", "canceled"):
            raise self._unexpected(intent, "cancel")
        self._release(intent, str(call.params.get("cancellation_reason") or "requested_by_customer"), "void", call)
        return snapshot(intent)

    def retrieve(self, call: Call) -> Object:
        """`payment_intents.retrieve`."""
        return snapshot(self._intent(call))

    def list(self, call: Call) -> Object:
        """`payment_intents.list`, newest first, of one `customer` if that is given; pages as in `page_of`."""
        customer = call.params.get("customer")
        mine = [one for one in self._intents.values() if self._owner[one["id"]] == call.account]
        found = [one for one in mine[::-1] if customer in (None, one["customer"])]
        return page_of(found, call.params, "/v1/payment_intents")

    def search(self, call: Call) -> Object:
        """`payment_intents.search`: `query` of one or more `metadata['name']:'value'` joined by AND, newest first.

        It lags: what was created less than SEARCH_LAG ago is not found yet, so nothing found proves nothing
        (docs.stripe.com/search, data freshness). For what must be known now there is `list`.
        """
        wanted = query_of(text_of(call.params, "query"))
        limit = whole_of(call.params, "limit", 10)
        indexed = seconds(call.now - SEARCH_LAG)
        found = [
            one
            for one in reversed(self._intents.values())
            if self._owner[one["id"]] == call.account
            and one["created"] <= indexed
            and all(one["metadata"].get(name) == value for name, value in wanted)
        ]
        page = listing(found[:limit], "/v1/payment_intents/search")
        return {**page, "object": "search_result", "has_more": len(found) > limit, "next_page": None}

    def retrieve_charge(self, call: Call) -> Object:
        """`charges.retrieve`."""
        return snapshot(self._find(self._charges, "charge", call))

    def authenticate(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """The customer passes 3-D Secure of `payment_intent`, or fails with `ok` false."""
        intent = self._intents.get(str(args.get("payment_intent")))
        if intent is None or intent["status"] != "requires_action":
            return Refused("nothing-to-authenticate")
        call = Call({}, self._owner[intent["id"]], None, now)
        intent["next_action"] = None
        if args.get("ok", True):
            self._authorize(intent, call)
        else:
            self._fail(intent, "authentication_failed", "payment_intent_authentication_failure", call)
        return Answered({"status": intent["status"]})

    # -- refunds and disputes ---------------------------------------------------------------------------------------

    def refund(self, call: Call) -> Object:
        """`refunds.create` of a `payment_intent` or `charge`: `amount`, `reverse_transfer`, `refund_application_fee`."""
        charge = self._charge_of(call)
        left = charge["amount_captured"] - charge["amount_refunded"]
        if not charge["captured"] or charge["disputed"]:
            why = "charge_disputed" if charge["disputed"] else "charge_not_captured"
            raise refused("This charge cannot be refunded.", why)
        if left == 0:
            raise refused(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
        amount = whole_of(call.params, "amount", left)
        if amount > left:
            raise refused(f"Refund amount is greater than unrefunded amount on charge ({left}).", "amount_too_large")
        reverse, back = flag_of(call.params, "reverse_transfer"), flag_of(call.params, "refund_application_fee")
        before, charge["amount_refunded"] = charge["amount_refunded"], charge["amount_refunded"] + amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
        kept = {"amount": amount, "currency": charge["currency"], "charge": charge["id"], "status": "succeeded"}
        kept |= {"payment_intent": charge["payment_intent"], "reason": call.params.get("reason")}
        refund = self._keep(self._refunds, "re", "refund", call, 24, metadata=dict_of(call.params, "metadata"), **kept)
        self._money.post(call.account, -amount, charge["currency"], "refund", refund["id"], call.now)
        if reverse and charge["transfer"]:
            transfer = self._money.transfers[charge["transfer"]]

            def part(whole: int) -> int:  # of the refunds so far, so that parts add up to the whole
                total = charge["amount_captured"]
                return whole * charge["amount_refunded"] // total - whole * before // total

            fee = part(transfer["application_fee_amount"]) if back else 0
            self._money.reverse(transfer["id"], part(transfer["amount"]), call, fee)
        self._note("refund", refund["id"], call, call.account, charge["currency"], amount, "succeeded", charge["id"])
        self._events.emit("refund.created", refund, call.account, call.now, call.key)
        self._events.emit("charge.refunded", charge, call.account, call.now, call.key)
        return refund

    def retrieve_refund(self, call: Call) -> Object:
        """`refunds.retrieve`."""
        return snapshot(self._find(self._refunds, "refund", call))

    def list_refunds(self, call: Call) -> Object:
        """`refunds.list`, newest first, of one `payment_intent` if that is given."""
        wanted = call.params.get("payment_intent")
        mine = [one for one in self._refunds.values() if self._owner[one["id"]] == call.account]
        return listing([one for one in mine[::-1] if wanted in (None, one["payment_intent"])], "/v1/refunds")

    def retrieve_dispute(self, call: Call) -> Object:
        """`disputes.retrieve`."""
        return snapshot(self._find(self._disputes, "dispute", call))

    def dispute(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """The cardholder disputes what is left of the charge of `payment_intent`, or of the latest one of theirs."""
        charge = self._disputable(args)
        if charge is None:
            return Refused("nothing-to-dispute")
        left = charge["amount_captured"] - charge["amount_refunded"]
        account = self._owner[charge["id"]]
        call = Call({}, account, None, now)
        charge["disputed"] = True
        kept = {"amount": left, "currency": charge["currency"], "charge": charge["id"], "status": "needs_response"}
        kept |= {"payment_intent": charge["payment_intent"], "reason": str(args.get("reason", "fraudulent"))}
        dispute = self._keep(self._disputes, "dp", "dispute", call, 24, **kept)
        self._money.post(account, -left, charge["currency"], "adjustment", dispute["id"], now, _DISPUTE_FEE)
        self._auths[dispute["id"]] = self._note(
            "dispute", dispute["id"], call, account, charge["currency"], left, "needs_response", charge["id"],
            fee=_DISPUTE_FEE,
        )  # fmt: skip
        self._events.emit("charge.dispute.created", dispute, account, now)
        self._events.emit("charge.dispute.funds_withdrawn", dispute, account, now)
        return Answered({"dispute": dispute["id"]})

    def _disputable(self, args: Mapping[str, Any]) -> Object | None:
        customer = args.get("customer")
        if customer is None:
            intents = [one for one in (self._intents.get(str(args.get("payment_intent"))),) if one is not None]
        else:
            mine = [name for name, one in self._customers.items() if one["metadata"].get("customer") == customer]
            intents = [one for one in reversed(self._intents.values()) if one["customer"] in mine]
        charges = [one for intent in intents if (one := self._charges.get(str(intent["latest_charge"]))) is not None]
        fits = (one for one in charges if one["amount_captured"] > one["amount_refunded"] and not one["disputed"])
        return next(fits, None)

    def close_dispute(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        """The bank decides on `dispute`: `won` gives the money back, not the fee."""
        dispute = self._disputes.get(str(args.get("dispute")))
        if dispute is None or dispute["status"] != "needs_response":
            return Refused("no-open-dispute")
        account, won = self._owner[dispute["id"]], bool(args.get("won"))
        dispute["status"] = self._auths[dispute["id"]]["state"] = "won" if won else "lost"
        if won:
            self._money.post(account, dispute["amount"], dispute["currency"], "adjustment", dispute["id"], now)
            self._events.emit("charge.dispute.funds_reinstated", dispute, account, now)
        self._events.emit("charge.dispute.closed", dispute, account, now)
        return Answered({"status": dispute["status"]})

    # -- inside -----------------------------------------------------------------------------------------------------

    def _check_enabled(self, intent: Object, call: Call) -> None:
        destination = (intent["transfer_data"] or {}).get("destination")
        for name in (call.account, intent["on_behalf_of"], destination):
            if name:
                account = self._accounts.find(Call({"id": name}, "", None, call.now))
                if not self._accounts.charges_enabled(account, call.now):
                    code = "insufficient_capabilities_for_transfer" if name == destination else "account_invalid"
                    raise refused(f"The account {name} cannot take charges: card_payments is not active.", code)

    def _confirm(self, intent: Object, off_session: bool, call: Call) -> Object:
        number, _ = self._method(str(intent["payment_method"]))
        outcome = CARDS[number]
        if outcome == "requires_action" and not off_session:
            intent["status"], intent["next_action"] = "requires_action", {"type": "use_stripe_sdk"}
            self._events.emit("payment_intent.requires_action", intent, call.account, call.now, call.key)
        elif outcome == "ok":
            self._authorize(intent, call)
        else:
            code = "authentication_required" if outcome == "requires_action" else "card_declined"
            decline = code if outcome == "requires_action" else outcome
            raise self._fail(intent, decline, "expired_card" if outcome == "expired_card" else code, call)
        return snapshot(intent)

    def _fail(self, intent: Object, decline: str, code: str, call: Call) -> StripeError:
        intent["status"] = "requires_payment_method"
        message = "Your card was declined."
        intent["last_payment_error"] = {"type": "card_error", "code": code, "decline_code": decline, "message": message}
        self._note("auth", self._ids.new("ch"), call, self._beneficiary(intent, call), intent["currency"],
                   intent["amount"], f"declined:{decline}", intent["id"], about=intent)  # fmt: skip
        self._events.emit("payment_intent.payment_failed", intent, call.account, call.now, call.key)
        return StripeError(402, "card_error", message, code, decline_code=decline, payment_intent=snapshot(intent))

    def _authorize(self, intent: Object, call: Call) -> None:
        charge = {
            "amount": intent["amount"], "amount_captured": 0, "amount_refunded": 0, "captured": False, "refunded": False,
            "disputed": False, "currency": intent["currency"], "payment_intent": intent["id"], "paid": True, "transfer":
            None, "status": "succeeded", "metadata": intent["metadata"], "on_behalf_of": intent["on_behalf_of"],
        }  # fmt: skip
        shown = self._keep(self._charges, "ch", "charge", call, 24, **charge)
        intent["latest_charge"], intent["last_payment_error"] = shown["id"], None
        self._auths[shown["id"]] = self._note(
            "auth", shown["id"], call, self._beneficiary(intent, call), intent["currency"], intent["amount"], "held",
            intent["id"], about=intent,
        )  # fmt: skip
        if intent["capture_method"] == "automatic":
            self._take(intent, intent["amount"], call)
            return
        intent["status"], intent["amount_capturable"] = "requires_capture", intent["amount"]
        self._agenda.add(call.now + HOLD, self._expire, intent, call.account)
        self._events.emit("payment_intent.amount_capturable_updated", intent, call.account, call.now, call.key)

    def _take(self, intent: Object, amount: int, call: Call) -> None:
        charge, currency = self._charges[intent["latest_charge"]], intent["currency"]
        charge["captured"], charge["amount_captured"] = True, amount
        intent["status"], intent["amount_capturable"], intent["amount_received"] = "succeeded", 0, amount
        points, fixed = self._fees
        fee, application_fee = (amount * points + 5000) // 10_000 + fixed, intent["application_fee_amount"] or 0
        direct = application_fee if call.account else 0
        delay = self._money.delay(call.account)
        self._money.post(call.account, amount, currency, "charge", charge["id"], call.now, fee + direct, delay)
        if direct:
            self._money.post("", direct, currency, "application_fee", charge["id"], call.now)
        self._auths[charge["id"]]["state"] = "captured"
        self._note("capture", self._ids.new("cap"), call, self._beneficiary(intent, call), currency, amount, "succeeded",
                   charge["id"], about=intent, fee=fee)  # fmt: skip
        if intent["transfer_data"]:
            share = whole_of(intent["transfer_data"], "amount", amount)
            to = intent["transfer_data"]["destination"]
            done = self._money.transfer(to, min(share, amount), currency, charge["id"], call, application_fee)
            charge["transfer"] = done["id"]
        self._events.emit("charge.succeeded", charge, call.account, call.now, call.key)
        self._events.emit("payment_intent.succeeded", intent, call.account, call.now, call.key)

    def _expire(self, intent: Object, account: str, now: Instant) -> None:
        if intent["status"] == "requires_capture":
            self._release(intent, "automatic", "expire", Call({}, account, None, now))

    def _release(self, intent: Object, reason: str, kind: str, call: Call) -> None:
        charge = self._charges.get(str(intent["latest_charge"]))
        if charge is not None:
            self._auths[charge["id"]]["state"] = "expired" if kind == "expire" else "released"
            self._note("void", self._ids.new("void"), call, self._beneficiary(intent, call), intent["currency"],
                       intent["amount_capturable"], kind, charge["id"], about=intent)  # fmt: skip
        intent["status"], intent["amount_capturable"] = "canceled", 0
        intent["canceled_at"], intent["cancellation_reason"] = seconds(call.now), reason
        self._events.emit("payment_intent.canceled", intent, call.account, call.now, call.key)

    def _beneficiary(self, intent: Object, call: Call) -> str:
        return str(call.account or (intent["transfer_data"] or {}).get("destination") or intent["on_behalf_of"] or "")

    def _unexpected(self, intent: Object, verb: str) -> StripeError:
        message = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
        return refused(message, "payment_intent_unexpected_state", payment_intent=snapshot(intent))

    def _intent(self, call: Call) -> Object:
        return self._find(self._intents, "payment_intent", call)

    def _charge_of(self, call: Call) -> Object:
        if call.params.get("payment_intent") is None:
            return self._find(self._charges, "charge", call, "charge")
        intent = self._find(self._intents, "payment_intent", call, "payment_intent")
        charge = self._charges.get(str(intent["latest_charge"]))
        if charge is None:
            message = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            raise refused(message, "payment_intent_unexpected_state")
        return charge
