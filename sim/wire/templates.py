"""Ready-made frames for what a fleet sends most: Heartbeat and MeterValues as byte templates.

A template gives exactly the bytes that the real encoder would give (a test holds it to that), several times faster. The
schema judges it once, when it is built, so its frames need no judging. Nothing else may write frames by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from sim.wire import ocppj, schema
from sim.wire.payloads import v16

_encode_text = msgspec.json.Encoder().encode
_PLAIN = re.compile(r"[-+.:0-9TZ ]*", re.ASCII)
_SOME_TIME = "2000-01-01T00:00:00.000Z"


def heartbeat(id: str) -> bytes:
    """The frame of a Heartbeat."""
    return b'[2,%b,"Heartbeat",{}]' % _encode_text(id)


@lru_cache(maxsize=1024)
def meter_values(samples: tuple[v16.SampledValue, ...]) -> MeterValuesTemplate:
    """The template for MeterValues that sample these; their own `value` is ignored."""
    return MeterValuesTemplate(samples)


class MeterValuesTemplate:
    """MeterValues with one meter value that samples the same things each time.

    Raises ValueError if the schema refuses such a message.
    """

    def __init__(self, samples: Sequence[v16.SampledValue]) -> None:
        self._count = len(samples)
        zeros = [msgspec.structs.replace(sample, value="0") for sample in samples]
        self._in_transaction = _pattern(zeros, 0)
        self._outside = _pattern(zeros, None)

    def frame(
        self, id: str, connector_id: int, transaction_id: int | None, timestamp: str, values: Sequence[str]
    ) -> bytes:
        """The frame with these values, one text per sample in their order; `timestamp` is RFC 3339.

        Raises ValueError for the wrong number of values, and for a text that is not of digits and their signs only.
        """
        if len(values) != self._count:
            raise ValueError(f"{len(values)} values for {self._count} samples")
        if _PLAIN.fullmatch(" ".join((timestamp, *values))) is None:
            raise ValueError("a value is no plain number, or the timestamp none of RFC 3339")
        rest = (timestamp.encode(), *[value.encode() for value in values])
        if transaction_id is None:
            return self._outside % (_encode_text(id), connector_id, *rest)
        return self._in_transaction % (_encode_text(id), connector_id, transaction_id, *rest)

    def bound(self, connector_id: int, transaction_id: int | None) -> bytes:
        """The same frame with only id, timestamp and values open: `bound(...) % (id, timestamp, *values)`, all bytes.

        For a meter that samples the same transaction again and again. Nothing is checked when it is filled: the caller
        vouches for an id without characters that JSON escapes, and for values of digits only.
        """
        frame = self._outside if transaction_id is None else self._in_transaction
        frame = frame.replace(b"[2,%b,", b'[2,"%b",', 1).replace(b"%d", b"%d" % connector_id, 1)
        return frame if transaction_id is None else frame.replace(b"%d", b"%d" % transaction_id, 1)


def _pattern(samples: list[v16.SampledValue], transaction_id: int | None) -> bytes:
    """The frame as the real encoder writes it, with `%` places for what changes."""
    meter_value = v16.MeterValue(timestamp=_SOME_TIME, sampled_value=samples)
    payload = v16.encode(v16.MeterValues(connector_id=0, transaction_id=transaction_id, meter_value=[meter_value]))
    breach = schema.judge("1.6", "MeterValues", "request", payload)
    if breach is not None:
        raise ValueError(f"no template for such MeterValues: {breach.path or 'the payload'} {breach.problem}")
    frame = ocppj.encode_call("", "MeterValues", payload).replace(b"%", b"%%")
    frame = frame.replace(b'[2,"",', b"[2,%b,", 1).replace(b'"connectorId":0,', b'"connectorId":%d,', 1)
    frame = frame.replace(b'"transactionId":0,', b'"transactionId":%d,', 1).replace(_SOME_TIME.encode(), b"%b", 1)
    return frame.replace(b'{"value":"0"', b'{"value":"%b"')
