"""`chargerig serve`: the reference CSMS on real sockets, with its API, from start to a clean stop.

Whatever was acknowledged is in the database when this process ends, however it ends; nothing here may answer a station
by itself.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from reference_csms import assemble
from reference_csms.storage.open import close_store, shown_url
from reference_csms.web.app import make_app
from reference_csms.web.tokens import ApiToken
from scenarios.sockets.front import FrontTask, TlsFiles
from scenarios.sockets.logs import Log
from scenarios.sockets.sheet import SITE, default_sheet
from scenarios.sockets.signals import hearing
from scenarios.sockets.workers import Workers, reserved
from sim.backend import Operation, Row, Setup
from sim.errors import BadInput, raised
from sim.evidence.wire import WireRecorder
from sim.machine import Answered, Refused
from sim.runtimes.aio import Clock
from sim.runtimes.aio_backend import BackEndHost
from sim.runtimes.aio_http import Http, serve_http
from sim.runtimes.aio_shed import ShedLimits
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.websocket_fast import listen_fast
from sim.runtimes.websocket_server import listen

NAME = "csms"
_OPTIONS = {"store": "--db", "store_full": "--full-sync"}  # of the back-end, as users call them
_TOLD_S = 1.0  # so long /health/ready still tells why, so that who looks every second knows
_IMPORT_TIMEOUT_S = 60.0


class ServeWish(Struct, frozen=True, kw_only=True):
    """What a user wants of a server. `port` and `api_port` 0: any that is free; `for_s` None: until it is stopped.

    `sheet` are rows by kind for the instruction sheet. `store` is as the option of the reference CSMS, or None for one in
    memory. `least` is the lowest security profile. `workers`: with more than one so many processes hold the sockets and this
    one the books; they read `tls_files` themselves.
    """

    host: str = "127.0.0.1"
    port: int = 9000
    api_port: int = 9001
    store: str | None = None
    store_full: bool = False
    sheet: dict[str, list[Row]] = {}
    accept_unknown: bool = False
    least: int = 0
    tls: ssl.SSLContext | None = None
    tokens: tuple[ApiToken, ...] = ()
    limits: Limits = Limits()
    shed: ShedLimits = ShedLimits()
    compression: bool = True
    fast: bool = False
    workers: int = 1
    tls_files: TlsFiles | None = None
    heartbeat_s: int = 300
    wire: Path | None = None
    for_s: float | None = None


class Served(Struct, frozen=True):
    """How it went: the sentence of a failure, or None, and what was served."""

    failure: str | None
    handshakes: dict[int, int]
    calls: int
    groups: int
    shed: int = 0


class Where(Struct, frozen=True):
    """The addresses of a server that runs."""

    ocpp: str
    api: str


class _Alone:
    """This process holds its sockets itself."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.port: int = server.sockets[0].getsockname()[1]

    @classmethod
    async def open(cls, wish: ServeWish, keeper: Keeper, host: BackEndHost, log: Log) -> _Alone:
        """Take stations from now on. Raises OSError."""
        place = (wish.host, wish.port, keeper, host.judge, host.count_handshake, wish.tls)
        return cls(await (listen_fast(*place) if wish.fast else listen(*place, wish.compression)))

    def no_more(self) -> None:
        """Take in nobody any more."""
        self._server.close()

    async def end(self) -> None:
        """Nothing is left to end."""
        self._server.close()


class _Workers:
    """Other processes hold the sockets, all at one port."""

    def __init__(self, workers: Workers, kept: socket.socket, port: int) -> None:
        self._workers = workers
        self._kept = kept
        self.port = port

    @classmethod
    async def open(cls, wish: ServeWish, keeper: Keeper, host: BackEndHost, log: Log) -> _Workers:
        """Take stations from now on. Raises OSError."""
        kept, port = reserved(wish.host, wish.port)
        task = FrontTask(
            host=wish.host, port=port, limits=wish.limits, compression=wish.compression, tls=wish.tls_files
        )
        workers = Workers(task, keeper, host.judge, host.count_handshake, log)
        await workers.start(wish.workers)
        return cls(workers, kept, port)

    def no_more(self) -> None:
        """Take in nobody any more."""
        self._workers.no_more()

    async def end(self) -> None:
        """End the processes."""
        await self._workers.end()
        self._kept.close()


async def serve(wish: ServeWish, log: Log, ready: Callable[[Where], None], stop: asyncio.Event | None = None) -> Served:
    """Serve until a signal, `stop`, or the end of the time. Raises BadInput for what cannot be had.

    `ready` hears the addresses once stations can come.
    """
    clock = Clock()
    options = {"store": wish.store or "memory", "store_kept": True, "store_full": wish.store_full, "keep_all": True}
    options |= {"security": wish.least, "heartbeat_interval": wish.heartbeat_s}
    options |= {"bill_pause": 0}  # one bill in each turn of the loop: whoever is connected has their turn in between
    options |= {"first_contact": SITE} if wish.accept_unknown else {}
    setup = Setup(name=NAME, seed=0, provision={}, options=options)
    try:
        backend = assemble(setup)
    except BadInput as bad:
        option = _OPTIONS.get(bad.place)
        raise BadInput(option, None, bad.problem, bad.allowed) if option else bad from None
    except Exception as err:  # whatever a database driver raises
        allowed = "sqlite:///FILE in an existing folder, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        why = raised(err).partition(" (Background on this error")[0]
        raise BadInput("--db", None, f"the database cannot be opened: {why}", allowed) from None
    wire = WireRecorder(wish.wire, policy="whole") if wish.wire is not None else None
    host = BackEndHost(backend, clock, wire, limits=wish.shed)
    await _provision(host, wish.sheet)
    keeper = Keeper(wish.limits)
    try:
        door = await (_Workers if wish.workers > 1 else _Alone).open(wish, keeper, host, log)
    except OSError as err:
        raise _not_had("--port", wish.host, wish.port, err) from None
    try:
        http = await serve_http(make_app(host, wish.tokens), wish.host, wish.api_port, wish.tls)
    except OSError as err:
        await door.end()
        raise _not_had("--api-port", wish.host, wish.api_port, err) from None
    secure = "s" if wish.tls is not None else ""
    shown = f"[{wish.host}]" if ":" in wish.host else wish.host
    where = Where(f"ws{secure}://{shown}:{door.port}/ocpp/{{id}}", f"http{secure}://{shown}:{http.port}")
    log("serving", ocpp=where.ocpp, api=where.api, database=shown_url(wish.store or "memory"))
    ready(where)
    why = await _until_over(host, wish.for_s, stop)
    log("stopping", why=why, connections=len(keeper))
    door.no_more()
    await _close(host, keeper, http)
    await door.end()
    if wire is not None:
        wire.close()
    close_store(setup)
    counters = host.counters
    served = Served(
        failure=host.failed.result() if host.failed.done() else None,
        handshakes=dict(counters.handshakes),
        calls=sum(counters.calls.values()),
        groups=counters.groups,
        shed=counters.shed,
    )
    log("stopped", calls=served.calls, groups=served.groups, shed=served.shed, failure=served.failure or "none")
    return served


def _not_had(option: str, host: str, port: int, err: OSError) -> BadInput:
    """Whose fault it is that nobody can listen there: the port's, or the address itself is not this machine's."""
    if err.errno in (errno.EADDRINUSE, errno.EACCES):
        return BadInput(option, None, f"{host}:{port} cannot be had: {os.strerror(err.errno)}", "a free port")
    return BadInput("--host", None, f"{host!r} is no address to listen at", "an address of this machine, or 0.0.0.0")


async def _close(host: BackEndHost, keeper: Keeper, http: Http) -> None:
    await host.stop(keeper, "the server is going down")
    if host.failed.done():
        await asyncio.sleep(_TOLD_S)
    await http.stop()


async def _provision(host: BackEndHost, sheet: dict[str, list[Row]]) -> None:
    """Give the sheet to the back-end; the default one stays beside it, so that unannounced stations have a place."""
    for rows_by_kind in (default_sheet(), sheet):
        for kind, rows in rows_by_kind.items():
            outcome = await host.operate(Operation("import", {"what": kind, "rows": rows}), _IMPORT_TIMEOUT_S)
            if isinstance(outcome, Refused):
                raise BadInput("--stations", kind, outcome.description, "rows as the instruction sheet has them")
            if not isinstance(outcome, Answered):
                raise BadInput("--db", None, f"rows could not be written: {outcome.reason}", "a database that works")


async def _until_over(host: BackEndHost, for_s: float | None, stop: asyncio.Event | None) -> str:
    """Wait for the end, and say why it came."""
    told = stop or asyncio.Event()
    signals: list[str] = []

    def heard(number: signal.Signals) -> None:
        signals.append(number.name)
        told.set()

    waiting = asyncio.ensure_future(told.wait())
    try:
        with hearing(heard):
            done, _ = await asyncio.wait([waiting, host.failed], timeout=for_s, return_when="FIRST_COMPLETED")
        if not done:
            return "its time is over"
    finally:
        waiting.cancel()
    if host.failed.done():
        return str(host.failed.result())
    return signals[0] if signals else "it was asked to"
