"""Whatever an operation brings, it is settled exactly once and never raises: what raises here stops the process."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from reference_csms import assemble
from reference_csms.operations import Operations
from reference_csms.provision import WHATS
from sim.backend import Operation, Row, Setup
from sim.clock import Instant
from sim.machine import Refused, Settle
from tests.reference_csms.conftest import provision

ODD: tuple[Any, ...] = (
    None, 1, -1, 1.5, "x", "", [], {}, [1], [[]], {"a": {}}, True, 10**30, "\x00", "\ud800", float("nan"), {"from": 1},
)  # fmt: skip
NAMES = (
    "station",
    "action",
    "payload",
    "mobile",
    "connector",
    "what",
    "quarantine_id",
    "actor",
    "reason",
    "session_id",
    "terms",
)


def somewhere(value: Any, draw: Random) -> Any:
    """The same with something odd in one place."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        name = draw.choice(list(value))
        return {**value, name: somewhere(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.8:
        at = draw.randrange(len(value))
        return [*value[:at], somewhere(value[at], draw), *value[at + 1 :]]
    return draw.choice(ODD)


def operations(seed: int, kinds: list[str], count: int) -> list[Operation]:
    draw = Random(seed)
    sheet: dict[str, list[Row]] = {**provision(), "open-transactions": [{"transaction_id": 1, "issuer": "x"}]}
    made: list[Operation] = []
    for _ in range(count):
        args: dict[str, Any] = {name: draw.choice((*ODD, *["CS-1"] * 8)) for name in NAMES}
        kind = draw.choice((*kinds, *["import"] * len(kinds)))
        if kind == "import":
            what = draw.choice((*WHATS, "open-transactions"))
            args = {"what": what, "rows": somewhere(sheet[what], draw)}
        elif draw.random() < 0.5:
            args["action"] = draw.choice(("Reset", "RemoteStartTransaction"))
        made.append(Operation(kind, args))
    return made


@pytest.mark.parametrize("store", ["memory", "sqlite://"])
def test_an_operation_of_any_shape_is_settled_once_and_raises_nothing(store: str) -> None:
    options = {"keep_all": True, "store": store}
    backend = assemble(Setup(name="x", seed=0, provision=provision(), options=options))
    refused = 0
    for number, operation in enumerate(operations(5, list(backend._operations._kinds), 1_500)):
        settled: list[Settle] = []
        backend.operate(operation, f"c{number}", Instant(0))
        backend.flush(Instant(0), lambda effect, settled=settled: settled.append(effect))  # type: ignore[misc]
        assert [one.call_id for one in settled if isinstance(one, Settle)] == [f"c{number}"]
        refused += isinstance(settled[0].outcome, Refused)
    assert 500 < refused < 1_500


def test_without_the_look_at_shapes_such_an_operation_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reference_csms.operations.well_shaped", lambda kind, args: None)
    backend = assemble(Setup(name="x", seed=0, provision=provision(), options={"store": "memory"}))
    assert isinstance(backend._operations, Operations)
    with pytest.raises((TypeError, AttributeError)):
        backend.operate(Operation("import", {"what": "open-transactions", "rows": [1]}), "c", Instant(0))
