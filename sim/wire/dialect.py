"""One OCPP version as it is spoken on a link: its frames, its error codes and its payloads, behind one set of functions.

Whoever only passes words on (the line of own calls, a connection, the wire plane) asks the dialect of its link and stays
free of versions; whoever knows what a message means belongs to a version. Nothing here knows a meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from sim.wire import ocppj
from sim.wire.payloads import v16, v201
from sim.wire.schema import Violation, judge


class Dialect(Struct, frozen=True):
    """What it takes to speak one version.

    `parse` raises `ocppj.BadFrame`; `error` makes a CALLERROR (id, code, description); `known_code` folds a received code;
    `requests` are the structs that can be made and read here.
    """

    version: str
    subprotocol: str
    parse: Callable[[bytes], ocppj.Frame]
    error: Callable[[str, str, str], bytes]
    known_code: Callable[[str], str]
    encode: Callable[[Struct], bytes]
    decode_request: Callable[[str, bytes], Any]
    decode_response: Callable[[str, bytes], Any]
    requests: Mapping[str, type[Struct]]

    def judge_request(self, action: str, raw: bytes) -> Violation | None:
        """The first breach of the schema in a request, None if there is none."""
        return judge(self.version, action, "request", raw)

    def judge_response(self, action: str, raw: bytes) -> Violation | None:
        """The first breach of the schema in an answer, None if there is none."""
        return judge(self.version, action, "response", raw)

    def readable_response(self, action: str, raw: bytes) -> bool:
        """Whether an answer fits the schema and can be read: no number beyond 64 bits."""
        if self.judge_response(action, raw) is not None:
            return False
        try:
            self.decode_response(action, raw)
        except msgspec.MsgspecError:
            return False
        return True


V16 = Dialect(
    version="1.6",
    subprotocol="ocpp1.6",
    parse=ocppj.parse,
    error=ocppj.encode_error,
    known_code=ocppj.known_code,
    encode=v16.encode,
    decode_request=v16.decode_request,
    decode_response=v16.decode_response,
    requests=v16.REQUESTS,
)
V201 = Dialect(
    version="2.0.1",
    subprotocol="ocpp2.0.1",
    parse=ocppj.parse_two,
    error=ocppj.encode_error_two,
    known_code=ocppj.known_code_two,
    encode=v201.encode,
    decode_request=v201.decode_request,
    decode_response=v201.decode_response,
    requests=v201.REQUESTS,
)
DIALECTS = {dialect.version: dialect for dialect in (V16, V201)}
_BY_SUBPROTOCOL = {dialect.subprotocol: dialect for dialect in DIALECTS.values()}


def version_of(subprotocol: str | None) -> str:
    """The version that a negotiated subprotocol stands for; one that is unknown here counts as 1.6."""
    dialect = _BY_SUBPROTOCOL.get(subprotocol or "")
    return V16.version if dialect is None else dialect.version


def chosen(offered: Sequence[str]) -> Dialect | None:
    """The dialect of a handshake: the first offer that is spoken here, as the station prefers; None without one."""
    return next((_BY_SUBPROTOCOL[name] for name in offered if name in _BY_SUBPROTOCOL), None)
