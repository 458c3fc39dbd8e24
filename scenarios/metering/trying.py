"""`chargerig ocmf tamper`: the catalogue, a tampering with a text of the user, and what the judge says of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.errors import BadInput, unknown
from sim.metering.tampers.catalogue import TAMPERS, play, station_tampers, tampered
from sim.metering.tampers.scene import Scene
from sim.wire.ocmf_parse import Malformed

ALL = "all"


def listed() -> list[dict[str, Any]]:
    """Every tampering with its number, sentence and the verdict that is due."""
    return [
        {
            "number": one.number,
            "name": one.name,
            "sentence": one.sentence,
            "due": one.due,
            "ways": len(one.ways),
            "station": bool(one.on_record),
        }
        for one in TAMPERS.values()
    ]


def as_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The list for people; a star marks what a station can do in a scenario."""
    return [
        f"{row['number']:>3} {row['name']:<24}{'*' if row['station'] else ' '} {row['due']:<12} {row['sentence']}"
        for row in rows
    ]


def played(name: str, seed: int) -> list[dict[str, Any]]:
    """Play one tampering or all, in all their ways. Raises BadInput for a name that there is not."""
    if name != ALL and name not in TAMPERS:
        raise BadInput("command line", "NAME", *unknown("tampering", name, (ALL, *TAMPERS)))
    return [
        {
            "number": outcome.tamper.number,
            "name": outcome.tamper.name,
            "due": outcome.way.due,
            "given": outcome.judgement.letters,
            "right": outcome.right,
            "verdict": outcome.judgement.verdict,
            "signature": outcome.judgement.signature,
            "billable": outcome.judgement.billable,
            "time_billable": outcome.judgement.time_billable,
            "reasons": [reason.text for reason in outcome.judgement.reasons],
            "values": [value.text or str(value.inside) for value in outcome.case.values],
        }
        for tamper in (TAMPERS.values() if name == ALL else (TAMPERS[name],))
        for outcome in play(tamper, seed)
    ]


def told(outcomes: Sequence[dict[str, Any]]) -> list[str]:
    """The outcomes for people; of one tampering with what it made and why it is judged so."""
    names = dict.fromkeys(one["name"] for one in outcomes)
    shown = []
    for one in outcomes:
        mark = "ok " if one["right"] else "NOT"
        shown.append(f"{mark} {one['number']:>3} {one['name']:<24} due {one['due']:<7} given {one['given']:<7}")
        if len(names) == 1:
            shown += [f"      {text}" for text in (*one["values"], *one["reasons"])]
    right = len(names) - len({one["name"] for one in outcomes if not one["right"]})
    return [*shown, f"{right} of {len(names)} tamperings get the verdict that is due"]


def on_text(name: str, text: str, seed: int) -> str:
    """Tamper with a record of the user; what has to be signed again is signed with the key of the seed, which is nobody's.

    Raises BadInput for a name that cannot be done to one record, and for a record that has nothing to do it to.
    """
    known = station_tampers()
    if name not in known:
        raise BadInput("command line", "NAME", *unknown("tampering with one record", name, known))
    try:
        return tampered(name, text.strip("\n"), Scene(seed).key())
    except Malformed as err:
        raise BadInput("FILE", None, str(err), "one OCMF record") from None
    except ValueError as err:
        raise BadInput("FILE", None, str(err), "a record that has what is to be changed") from None
