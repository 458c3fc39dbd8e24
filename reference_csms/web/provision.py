"""Routes that provision: rows of the instruction sheet, all of a request or none. Station passwords go in and never out."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from starlette.responses import Response

from reference_csms.web.operations import OperationQuery, settle
from reference_csms.web.routes import Asked, Handler, Imported, Route
from reference_csms.web.rows import ROWS, rows_of
from reference_csms.web.tokens import PROVISION
from sim.backend import Operation

_SAID = {
    "owners": "Provision owners: who sells, in which currency and time zone",
    "sites": "Provision sites",
    "tariffs": "Provision versions of tariffs",
    "stations": "Provision stations, their configuration and their password",
    "meters": "Provision the keys that meters sign with",
    "tokens": "Provision tokens: who may charge",
    "sellers": "Provision sellers of documents",
    "contracts": "Provision subscriptions",
    "driver-terms": "Provision how drivers pay",
    "accounts": "Provision connected accounts",
    "prepaid": "Take over days that were paid for in advance elsewhere",
    "open-transactions": "Take over transactions of a station from another back-end",
}


def routes() -> list[Route]:
    """One POST for every kind of row."""
    return [
        Route(
            method="POST",
            path=f"/{what}",
            family="provision",
            summary=_SAID[what],
            handler=_taking(what),
            scope=PROVISION,
            query=OperationQuery,
            body=_body(what, kind),
            answer=Imported,
            fails=(409, 504),
        )
        for what, kind in ROWS.items()
    ]


def _body(what: str, kind: Any) -> type[Struct]:
    name = f"{kind.__name__}s"
    return msgspec.defstruct(name, [("rows", rows_of(kind))], forbid_unknown_fields=True, kw_only=True)


def _taking(what: str) -> Handler:
    async def take(asked: Asked) -> Response:
        rows = msgspec.to_builtins(asked.body.rows)
        return await settle(asked, Operation("import", {"what": what, "rows": rows}))

    return take
