"""An owner as a Machine: reads its mails, goes through onboarding as fate has it, mends its set-up, pays its invoices.

It knows what mails and pages tell it, and what invoices the back-ends show it. Every deed is noted as a row of
`truth_upgrade`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scenarios.migration.asking import Wait
from scenarios.upgrade.desk import NEW, OLD
from scenarios.upgrade.onboarding import Onboarding
from scenarios.upgrade.parts import in_force
from scenarios.upgrade.plan import NEVER, OwnerPlan, UpgradePlan
from scenarios.upgrade.stories import Stories, Story
from sim.backend import Row
from sim.clock import DAY, HOUR, MINUTE, Instant, to_datetime, zone
from sim.machine import Answered, Refused

POLL = 3 * DAY
"""How often an owner looks for invoices: every third day, one owner some minutes after the other."""
APART = 7 * MINUTE
READ_AFTER = 2 * HOUR
"""After so long a mail is read, but for the invitation."""
MEND_AFTER = DAY
SUBSCRIPTION, ISSUED = "subscription", "issued"
"""What is paid of all documents that a back-end shows."""
TAKEN_BACK = "MS03"
"""What the bank says of a payment that it takes back: no reason given, as most do (ISO 20022)."""


def owner_name(owner: str) -> str:
    """The name of an owner's Machine."""
    return f"owner:{owner}"


class OwnerMachine(Stories):
    """Machine `owner:<owner>`. It begins by itself at `begins_at`. Command `mail`: the mailbox delivered one."""

    def __init__(self, plan: OwnerPlan, upgrade: UpgradePlan, *, begins_at: Instant) -> None:
        super().__init__(owner_name(plan.owner))
        self._plan = plan
        self._upgrade = upgrade
        self._onboarding = Onboarding(self, plan, upgrade.portal)
        self._invited = False
        self._pile: list[str] = []
        self._slips = plan.pays_old_account
        self._comes_back = plan.payment_returned > 0
        self._paid: dict[str, int] = {}
        place = [owner.owner for owner in upgrade.owners].index(plan.owner)
        self.begin(self._look_for_invoices(), begins_at + place * APART)

    def heard(self, name: str, args: Mapping[str, Any], call_id: str | None) -> None:
        """`mail`; the scanner of the house may open links too, which is the mailbox's affair."""
        if name == "mail":
            self._mail(dict(args))
        else:
            super().heard(name, args, call_id)

    def _mail(self, mail: Row) -> None:
        if mail["kind"] == "onboarding-invitation":
            if not self._invited and NEVER not in self._plan.fates:
                self._invited = True
                self.begin(
                    self._onboarding.story(str(mail["meta"]["link"]), str(mail["id"]), Instant(mail["delivered_at"]))
                )
            return
        self.begin(self._read(mail), self.now + READ_AFTER)
        if mail["kind"] == "set-up-incomplete":
            self.begin(self._mend(mail), self.now + MEND_AFTER)

    def _read(self, mail: Row) -> Story:
        yield from self.insist("mailbox", "read", id=mail["id"])

    # -- the set-up -----------------------------------------------------------------------------------------------------

    def _mend(self, mail: Row) -> Story:
        """Hand over what the mail names and this owner knows of."""
        named = {str(row["token"]).upper() for row in mail["meta"]["lacks"]}
        rows = [dict(row) for row in self._plan.lacks if str(row["token"]).upper() in named]
        if not rows:
            return
        taken = yield from self.insist(NEW, "import", what="tokens", rows=rows)
        tokens = [row["token"] for row in rows]
        if isinstance(taken, Refused):
            yield self.note("refused", self._plan.owner, what="tokens", code=taken.code, description=taken.description)
        else:
            yield self.note("set-up-mended", self._plan.owner, tokens=tokens)

    # -- invoices -------------------------------------------------------------------------------------------------------

    def _look_for_invoices(self) -> Story:
        while True:
            for backend in (OLD, NEW):
                outcome = yield from self.ask(backend, "export", what="invoices", customer=self._plan.owner)
                if isinstance(outcome, Answered):
                    for invoice in outcome.payload["rows"]:
                        self._take(dict(invoice))
            yield Wait(POLL)

    def _take(self, invoice: Row) -> None:
        """Lay an open invoice on the pile, once."""
        number = str(invoice["number"])
        if (
            number in self._pile
            or invoice["kind"] != SUBSCRIPTION
            or invoice["state"] != ISSUED
            or invoice["open"] <= 0
        ):
            return
        self._pile.append(number)
        slip = self._slips and invoice["seller"] == self._upgrade.new_seller
        self._slips = self._slips and not slip
        self.begin(self._pay(invoice, slip), max(self.now, invoice["issued_at"] + self._plan.pays_after))

    def _pay(self, invoice: Row, slip: bool) -> Story:
        """One transfer under one end-to-end id; with `slip` to the account that was right before."""
        times = self._paid[invoice["number"]] = self._paid.get(invoice["number"], 0) + 1
        again = f"/{times}" if times > 1 else ""
        right, day = str(invoice["account"]), to_datetime(self.now, zone(self._plan.zone)).date().isoformat()
        old = in_force(self._upgrade.seller(self._upgrade.old_seller).get("accounts"), day)
        for iban in [old, right] if slip and old else [right]:
            transfer = {
                "iban": iban,
                "amount": invoice["open"],
                "currency": invoice["currency"],
                "reference": invoice["reference"],
                "counterparty": self._plan.name,
                "end_to_end": f"{self._plan.owner}/{invoice['number']}{again}",
            }
            outcome = yield from self.insist("bank", "credit", **transfer)
            paid = isinstance(outcome, Answered)
            data = {"number": invoice["number"], "seller": invoice["seller"], **transfer, "due_at": invoice["due_at"]}
            reason = outcome.code if isinstance(outcome, Refused) else None
            yield self.note("invoice-paid" if paid else "payment-refused", self._plan.owner, **data, reason=reason)
            if isinstance(outcome, Answered):
                if self._comes_back:
                    self._comes_back = False
                    yield from self._take_back(str(invoice["number"]), str(outcome.payload["entry"]))
                return

    def _take_back(self, number: str, entry: str) -> Story:
        """The bank takes the payment back, and it is seen at the next look for invoices: then it is paid again."""
        yield Wait(self._plan.payment_returned)
        back = yield from self.insist("bank", "return", entry=entry, code=TAKEN_BACK)
        kind = "payment-came-back" if isinstance(back, Answered) else "payment-not-taken-back"
        yield self.note(kind, self._plan.owner, number=number, entry=entry, code=TAKEN_BACK)
        self._pile.remove(number)
