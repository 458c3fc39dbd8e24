"""Routes that operate: any call that a CSMS may start, and what operators and apps ask of the back-end.

Answered is 200 with the payload; Refused is 409 with its code (it certainly did not happen; 404 if it names something
unknown, 422 if it says that a row or payload is wrong); Unknown is 504: it may have happened.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.responses import Response

from reference_csms.web.actions import csms_actions, payload_place, payload_reference
from reference_csms.web.answers import Problem, answer, wrong
from reference_csms.web.asking import Moment, Text, Whole, converted, in_words
from reference_csms.web.hiding import hidden
from reference_csms.web.routes import Asked, Handler, Imported, Route
from reference_csms.web.rows import ROWS, Connector, Day, given, rows_of
from reference_csms.web.tokens import OPERATE, PROVISION
from sim.backend import Operation
from sim.machine import Answered, Refused

PATIENCE_S = 35.0
"""Longer than the back-end waits for a station (30 s), so that its own word comes first."""
_UNKNOWN = "unknown-"
_BAD_INPUT = "bad-input"
_UNAVAILABLE = "unavailable"
_PLACE = re.compile(r"[\w-]+, ([^:]+): ")
"""Where `sim.errors.BadInput` says the place in its sentence."""


class OperationQuery(Struct, forbid_unknown_fields=True):
    """How long to wait for the outcome."""

    timeout: Annotated[float, Meta(gt=0, le=300, description="seconds to wait for the outcome")] = PATIENCE_S


class _Body(Struct, kw_only=True, forbid_unknown_fields=True):
    """Arguments of an operation."""


class Nothing(_Body):
    """An operation without arguments."""


class AppStart(_Body):
    """An app user starts a charge."""

    mobile: Text
    connector: Connector


class AppStop(_Body):
    """An app user ends a charge."""

    mobile: Text
    connector: Connector


class Import(_Body):
    """Rows of one kind, as the POST of that kind takes them."""

    what: Literal[tuple(ROWS)]  # type: ignore[valid-type]
    rows: list[dict[str, Any]]


class Export(_Body):
    """What is to be exported; `station` for the first three, `customer` for invoices. Open transactions are given away."""

    what: Literal["station", "open-transactions", "left-overs", "users", "prices", "prepaid", "invoices"]
    station: Text | None = None
    customer: Text | None = None
    contract: Text | None = None


class ReleaseQuarantine(_Body):
    """A held row is judged again and billed."""

    quarantine_id: Text
    actor: Text
    reason: Text


class Terms(_Body):
    """What may be corrected of a session."""

    grp: Text | UnsetType | None = UNSET
    tariff_version: Annotated[int, Meta(ge=0, le=2**31 - 1)] | UnsetType = UNSET


class CorrectSession(_Body):
    """A billed session is credited and billed again by other terms."""

    session_id: Text
    actor: Text
    reason: Text
    terms: Terms


class RunBilling(_Body):
    """A run of invoices of one owner or seller, up to an instant, without one now."""

    kind: Literal["drivers", "subscription"]
    owner: Text | None = None
    seller: Text | None = None
    until: Moment | None = None


class EndContract(_Body):
    """A subscription ends; the day is exclusive."""

    contract: Text
    end: Day


class Refund(_Body):
    """Minor units go back to who paid a claim."""

    claim: Text
    amount: Whole


class CancelInvoice(_Body):
    """An invoice is cancelled by another document."""

    number: Text


class Webhook(_Body):
    """An event of a partner, exactly as it was signed."""

    partner: Text
    payload: Annotated[str, Meta(max_length=200_000)]
    signature: Annotated[str, Meta(max_length=2000)]


_AT_STATIONS: dict[str, tuple[type[Struct], str]] = {
    "accept-station": (Nothing, "Accept a station; one that waits is asked to boot"),
    "app-start": (AppStart, "Start a charge as an app user does"),
    "app-stop": (AppStop, "End a charge as an app user does"),
    "close-station": (Nothing, "Close an identity: hang up, and answer 404 from then on"),
    "hold-station": (Nothing, "Answer the next boot of a station with Pending"),
}
_OTHERS: dict[str, tuple[type[Struct], str]] = {
    "cancel-invoice": (CancelInvoice, "Cancel an invoice"),
    "correct-session": (CorrectSession, "Correct a billed session: a credit, and a new record in its place"),
    "end-contract": (EndContract, "End a subscription"),
    "export": (Export, "Export what another back-end or tool needs"),
    "refund": (Refund, "Give money back"),
    "release-quarantine": (ReleaseQuarantine, "Release a held row"),
    "run-billing": (RunBilling, "Order a run of invoices"),
    "webhook": (Webhook, "Take an event of a partner"),
}


def routes() -> list[Route]:
    """All operations: OCPP actions at a station by their own names, the house's with small letters."""
    common: dict[str, Any] = {
        "method": "POST",
        "family": "operations",
        "query": OperationQuery,
        "fails": (404, 409, 504),
    }
    found = [
        Route(
            path=f"/operations/{{station}}/{action}",
            summary=f"Call {action} at a station (OCPP {', '.join(versions)}) and read its answer",
            handler=_calling(action),
            scope=OPERATE,
            body=dict[str, Any],
            body_schema=payload_reference(action, versions, "request"),
            answer=payload_reference(action, versions, "response"),
            **common,
        )
        for action, versions in csms_actions().items()
    ]
    for kind, (body, said) in _AT_STATIONS.items():
        path = f"/operations/{{station}}/{kind}"
        found.append(Route(path=path, summary=said, handler=_asking(kind), scope=OPERATE, body=body, **common))
    for kind, (body, said) in _OTHERS.items():
        found.append(
            Route(path=f"/operations/{kind}", summary=said, handler=_asking(kind), scope=OPERATE, body=body, **common)
        )
    taking = "Import rows of one kind, all of them or none"
    found.append(
        Route(
            path="/operations/import",
            summary=taking,
            handler=_import,
            scope=PROVISION,
            body=Import,
            answer=Imported,
            **common,
        )
    )
    return found


async def settle(asked: Asked, operation: Operation) -> Response:
    """Ask the back-end, and tell its outcome."""
    outcome = await asked.desk.operate(operation, asked.query.timeout)
    if isinstance(outcome, Answered):
        return answer(hidden(msgspec.to_builtins(outcome.payload)))
    if isinstance(outcome, Refused):
        raise refused(outcome, operation.kind)
    raise Problem(504, f"{operation.kind}: {outcome.reason}; it may have happened.", "unknown")


def refused(outcome: Refused, kind: str) -> Problem:
    """What a refusal means in HTTP."""
    code, said = outcome.code, outcome.description
    if code == _BAD_INPUT:
        place = _PLACE.match(said)
        return Problem(422, f"{said.rstrip('.') or f'{kind} is wrong'}.", code, place[1] if place else None)
    sentence = f"{kind} was refused with {code}" + (f": {said.rstrip('.')}." if said else ".")
    if code.startswith(_UNKNOWN):
        return Problem(404, sentence, code)
    return Problem(503 if code == _UNAVAILABLE else 409, sentence, code)


def _calling(action: str) -> Handler:
    async def call(asked: Asked) -> Response:
        args = {"station": asked.path["station"], "action": action, "payload": asked.body}
        try:
            return await settle(asked, Operation("call", args))
        except Problem as problem:
            if problem.status == 422:
                field, schema = payload_place(action, problem.detail)
                raise wrong(f"body.{field}".rstrip("."), problem.detail.rstrip("."), in_words(schema)) from None
            raise

    return call


def _asking(kind: str) -> Handler:
    async def ask(asked: Asked) -> Response:
        args = {**asked.path, **given(asked.body)}
        if isinstance(args.get("terms"), Terms):
            terms = args["terms"]
            told = {name: getattr(terms, name) for name in terms.__struct_fields__}
            args["terms"] = {name: value for name, value in told.items() if value is not UNSET}
        return await settle(asked, Operation(kind, args))

    return ask


async def _import(asked: Asked) -> Response:
    what = asked.body.what
    rows = msgspec.to_builtins(converted(asked.body.rows, rows_of(ROWS[what]), f"body.rows of {what}"))
    return await settle(asked, Operation("import", {"what": what, "rows": rows}))
