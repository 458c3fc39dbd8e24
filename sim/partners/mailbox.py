"""The mail of everybody: takes what is sent, delivers or bounces it, lets scanners open links, keeps every mail.

Mail knows no idempotency: what is sent twice arrives twice, under whatever message id. What people do with a mail is told by
commands; nothing here reads a mail for its meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from sim.backend import Row
from sim.clock import MINUTE, SECOND, Instant
from sim.machine import Answered, Command, Outcome, Refused, Tell
from sim.partners.party import Endpoint, Notice, Party, Tables, Wrong, fail, text_of
from sim.partners.port import Request, Response
from sim.rng import stream

BOUNCED = "mail.bounced"
_LINK = re.compile(r"https?://[^\s<>\"')\]]+")


class Rule(Struct, frozen=True, kw_only=True):
    """What happens to mail for addresses like `to` (a pattern): it bounces, or a scanner opens its links.

    `scanned_after` ms after delivery the scanner opens each link, None for no scanner.
    """

    to: str
    bounces: bool = False
    scanned_after: int | None = 30 * SECOND


class Mailbox(Party):
    """API `mail.send` (to, subject, text, language, kind, message_id, attachments [{name, sha256}], meta).

    `rules`: the first that matches an address counts. `hosts` says which Machine opens a link: {prefix of the URL: name}.
    `readers` are told of each delivered mail by the command `mail`: {address: name of a Machine}. Commands: `inbox` (to),
    `read` (id). A bounce is reported to the endpoints as the event `mail.bounced`.
    """

    apis = ("mail.send",)
    events = (BOUNCED,)

    def __init__(
        self,
        seed: object,
        *,
        name: str = "mailbox",
        rules: Iterable[Rule] = (),
        hosts: Mapping[str, str] | None = None,
        readers: Mapping[str, str] | None = None,
        endpoints: Iterable[Endpoint] = (),
        takes: tuple[int, int] = (SECOND, 2 * MINUTE),
    ) -> None:
        super().__init__(name, seed, endpoints)
        self._rules = tuple(rules)
        self._hosts = dict(hosts or {})
        self._readers = dict(readers or {})
        self._takes = takes
        self._chance = stream(seed, "partner", name, "delivery")
        self._mails: dict[str, Row] = {}

    def execute(self, request: Request, now: Instant) -> Response:
        """`mail.send`; answers with the mailbox's own id of the mail."""
        if request.api != "mail.send":
            return super().execute(request, now)
        params = request.params
        try:
            to = text_of(params, "to")
            mail: Row = {
                "id": self.ids.new("mail", 16),
                "at": now,
                "to": to,
                "subject": text_of(params, "subject"),
                "text": text_of(params, "text"),
                "language": params.get("language"),
                "kind": params.get("kind"),
                "message_id": params.get("message_id"),
                "attachments": _attachments(params.get("attachments")),
                "meta": params.get("meta") or {},
                "state": "sent",
                "delivered_at": None,
                "scanned_at": None,
                "read_at": None,
            }
        except Wrong as err:
            return fail(400, "invalid_parameter", str(err), field=err.param)
        if to.count("@") != 1 or to.startswith("@") or to.endswith("@"):
            return fail(400, "invalid_address", f"{to} is no address.")
        self._mails[mail["id"]] = mail
        least, most = self._takes
        self.agenda.add(now + least + int(self._chance.random() * (most - least + 1)), self._deliver, mail)
        return Response(200, {"id": mail["id"]})

    def act(self, name: str, args: Mapping[str, Any], now: Instant) -> Outcome:
        """`inbox` answers with the delivered mails of an address, `read` marks one as read and answers with it."""
        if name == "inbox":
            mails = [
                dict(mail) for mail in self._mails.values() if mail["to"] == args.get("to") and mail["delivered_at"]
            ]
            return Answered({"mails": mails})
        if name != "read":
            return super().act(name, args, now)
        mail = self._mails.get(str(args.get("id")))
        if mail is None or mail["delivered_at"] is None:
            return Refused("no-such-mail", str(args.get("id")))
        mail["read_at"] = mail["read_at"] or now
        return Answered({**mail, "links": _LINK.findall(mail["text"])})

    def statement(self, now: Instant) -> Tables:
        """Every mail that was taken."""
        return {"partner_mails": [{"partner": self.name, **mail} for mail in self._mails.values()]}

    # -- inside -----------------------------------------------------------------------------------------------------

    def _deliver(self, mail: Row, now: Instant) -> None:
        rule = next((rule for rule in self._rules if fnmatchcase(mail["to"], rule.to)), None)
        if rule is not None and rule.bounces:
            mail["state"] = "bounced"
            self._report(mail, now)
            return
        mail["state"], mail["delivered_at"] = "delivered", now
        if rule is not None and rule.scanned_after is not None:
            self.agenda.add(now + rule.scanned_after, self._scan, mail)
        reader = self._readers.get(mail["to"])
        if reader is not None:
            self.tells.append(Tell(reader, Command("mail", {**mail, "links": _LINK.findall(mail["text"])})))

    def _scan(self, mail: Row, now: Instant) -> None:
        mail["scanned_at"] = now
        for url in _LINK.findall(mail["text"]):
            host = next((name for prefix, name in self._hosts.items() if url.startswith(prefix)), None)
            if host is not None:
                self.tells.append(Tell(host, Command("visit-link", {"url": url, "by": "mail-scanner"})))

    def _report(self, mail: Row, now: Instant) -> None:
        event_id = self.ids.new("event", 16)
        body = {"id": event_id, "type": BOUNCED, "at": now, "to": mail["to"], "mail": mail["id"]}
        payload = json.dumps({**body, "message_id": mail["message_id"]}, ensure_ascii=False)
        for endpoint in self.endpoints:
            self.notices.append(
                Notice(event_id=event_id, kind=BOUNCED, account=None, payload=payload, endpoint=endpoint)
            )


def _attachments(value: Any) -> list[dict[str, str]]:
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(one, Mapping) for one in value):
        raise Wrong("attachments", "Invalid array: attachments.")
    return [{"name": text_of(one, "name"), "sha256": text_of(one, "sha256")} for one in value]
