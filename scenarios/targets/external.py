"""A back-end of somebody else: OCPP, HTTP and books, as a target file declares them.

It is operated by levers and judged by what it shows. What it does not show, and prices that nobody said how to ask for, are
Unverifiable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from scenarios.targets.books import reader
from scenarios.targets.file import PROVISIONS, headers, read_secret
from scenarios.targets.http import AsyncHttp, Http
from scenarios.targets.levers import Levers, send
from scenarios.targets.model import Foreign, ForeignTarget
from scenarios.targets.quotes import asked
from scenarios.targets.rebook import NO_QUOTES
from sim.backend import Books, Operation, Row, Unverifiable
from sim.errors import BadInput, need
from sim.machine import Answered, Outcome

_NO_QUOTES = Unverifiable(NO_QUOTES)
_PROVISION_S = 30.0


class ExternalBackEnd:
    """One back-end of a target file, under the name that a scenario gives it. Use it with `async with`.

    `people`: the token of each mobile. Raises BadInput for a secret that is nowhere.
    """

    def __init__(self, name: str, target: ForeignTarget, people: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.role = "" if target.single else name
        self._target = target
        self._file = target.file
        self.foreign: Foreign = target.roles[self.role]
        here = f"{self.role}." if self.role else ""
        api = self.foreign.api
        ocpp = self.foreign.ocpp
        self.password = None if ocpp is None else read_secret(ocpp.password, target.file, f"{here}ocpp")
        self._http = None if api is None else AsyncHttp(api.base_url, headers=headers(api, target.file, here))
        self._levers = Levers(self.foreign.levers, self._http, people or {})
        self._prices: Http | None = None
        if api is not None and self.foreign.quote is not None:
            self._prices = Http(api.base_url, headers=headers(api, target.file, here))

    async def __aenter__(self) -> ExternalBackEnd:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._prices is not None:
            self._prices.close()
        if self._http is not None:
            await self._http.close()

    def url(self, station: str) -> str:
        """Where a station dials. Raises BadInput if the file names no OCPP port."""
        ocpp = self.foreign.ocpp
        if ocpp is None:
            raise BadInput(self._file, "ocpp", "is missing", "a table [ocpp] with the url of the OCPP port")
        name = quote(station, safe="")
        return ocpp.url.replace("{station}", name) if "{station}" in ocpp.url else f"{ocpp.url.rstrip('/')}/{name}"

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """What a station offers."""
        return () if self.foreign.ocpp is None else self.foreign.ocpp.subprotocols

    async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
        """Ask it something by its lever; Refused("no-lever") if it has none."""
        return await self._levers.operate(operation, timeout_s)

    async def provision(self, rows: Mapping[str, Sequence[Row]]) -> dict[str, int]:
        """Tell it who and what there is, row by row, as far as the file says how; how many rows it took, by table.

        Raises BadInput with the row that it did not take: a run on half a provision would judge nothing.
        """
        told = {}
        for table in PROVISIONS:
            lever = self.foreign.provision.get(table)
            if lever is None or self._http is None:
                continue
            for number, row in enumerate(rows.get(table, ()), 1):
                outcome = await send(lever, {**row, "row": row}, self._http, _PROVISION_S, may_lack=True)
                problem = f"row {number} was not taken ({outcome})"
                need(isinstance(outcome, Answered), self._file, f"provision.{table}", problem, lever.expect_text)
            told[table] = len(rows.get(table, ()))
        return told

    def books(self) -> Books:
        """Every table of BOOKS, or why not. Blocks while it reads."""
        with reader(self._target, self.role) as books:
            return books.books()

    def statements(self) -> Books:
        """What the partners of this back-end say, or why not. Blocks while it reads."""
        with reader(self._target, self.role) as books:
            return books.statements()

    def quote(self, request: Row) -> Row | Unverifiable:
        """What something costs there, as the file says how to ask, or why that cannot be known. Blocks while it asks."""
        if self._prices is None or self.foreign.quote is None:
            return _NO_QUOTES
        return asked(self.foreign.quote, request, self._prices, self._file)
