"""What charging costs at a foreign back-end, asked by the `[quote]` of its target file. Nothing is booked by it.

An answer that cannot be read is Unverifiable with its reason, and no price is ever made up.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from scenarios.targets.cells import ABSENT
from scenarios.targets.http import Http
from scenarios.targets.model import Quote
from scenarios.targets.sources import look
from sim.backend import Row, Unverifiable
from sim.clock import Instant, iso
from sim.errors import BadInput

NAMES = ("site", "group", "at", "at_ms")
"""What the path of a question may hold."""
COLUMNS = ("component", "price", "currency", "vat_percent")
GRID = "grid"


def asked(form: Quote, request: Row, http: Http, file: str) -> Row | Unverifiable:
    """The answer to a question of the kind `grid`, as `reference_csms` answers it: components with their prices."""
    if request.get("kind") != GRID:
        return Unverifiable(f"{file} declares how to ask for prices, not how to have records rated")
    at = Instant(int(request["at"]))
    given = {"site": request["site"], "group": request.get("grp") or "", "at": iso(at), "at_ms": int(at)}
    path = form.path.format(**{name: quote(str(value), safe="") for name, value in given.items()})
    try:
        answer = http.get(path)
        content = json.loads(answer.text, parse_float=Decimal)
    except BadInput as bad:
        return Unverifiable(str(bad))
    except ValueError as err:
        return Unverifiable(f"the answer to {path} is no JSON ({err})")
    rows = look(content)(form.rows) if form.rows else content
    if not isinstance(rows, list):
        return Unverifiable(f"the answer to {path} holds no list at {form.rows!r}")
    components = []
    for row in rows:
        component = _component(form, row, path)
        if isinstance(component, Unverifiable):
            return component
        components.append(component)
    return {"components": components}


def _component(form: Quote, row: Any, path: str) -> Row | Unverifiable:
    get, found = look(row), {}
    for column in COLUMNS:
        place = form.columns.get(column, column)
        value = get(place)
        if value is ABSENT or value is None:
            return Unverifiable(f"the answer to {path} has a row without {place!r}")
        found[column] = str(value)
    for column in ("price", "vat_percent"):
        try:
            number = Decimal(found[column])
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            return Unverifiable(f"the answer to {path} has {found[column]!r}, which is no number, as {column}")
        text = format(number, "f")
        found[column] = text.rstrip("0").rstrip(".") if "." in text else text
    return found
