"""What a back-end knows of a session besides the signed values, and how far those agree with it.

Signed values win: messages are held against them and never the other way round. Tolerance for energy is zero, for clocks
it is what an unsynchronised one may be wrong. Source: reference ocmf §6 (8, 12, 14 to 16), §7 (53, 65, 69, 71, 75).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from sim.clock import HOUR, MINUTE, Instant
from sim.metering.reasons import Kind, Reason
from sim.metering.rules import Chosen
from sim.wire.ocmf_parse import Record

MOST_KWH = 1_900
"""No session charges more: what other verifiers flag (reference ocmf §6)."""
_POWER_W = 400_000
_SLACK_WH = 100
_RAW_SLACK_WH = 10
_CLOCK_SLACK = 15 * MINUTE


class SessionFacts(Struct, frozen=True, kw_only=True):
    """What is known of a session; empty texts, 0 and None mean that it is not.

    `session` names it for the memory of replays. Registers are those of unsigned messages in Wh, `displayed_kwh` and
    `billed_kwh` what the station showed and the bill says, `tariff_text` the text of the tariff that was billed,
    `bills_time` whether time costs money.
    """

    session: str = ""
    transaction: str = ""
    station: str = ""
    connector: int = 0
    id_tag: str = ""
    started: Instant | None = None
    stopped: Instant | None = None
    meter_start: int | None = None
    meter_stop: int | None = None
    power_w: int = 0
    tariff_text: str | None = None
    bills_time: bool = False
    displayed_kwh: Decimal | None = None
    billed_kwh: Decimal | None = None


def fact_reasons(
    records: Sequence[Record], chosen: Chosen | None, facts: SessionFacts, values: Sequence[Any]
) -> list[Reason]:
    """Where the records do not fit what is known of the session."""
    found: list[Reason] = []
    for record in records:
        _of_record(record, facts, found)
    for value in values:
        if facts.transaction and value.transaction and value.transaction != facts.transaction:
            found.append(Reason(Kind.SESS, "other-transaction", "a signed value came for another transaction"))
    if chosen is not None:
        _of_energy(chosen, facts, found)
    return found


def _of_record(record: Record, facts: SessionFacts, found: list[Reason]) -> None:
    if facts.id_tag and record.id_tag.upper() != facts.id_tag.upper():
        found.append(Reason(Kind.SESS, "other-person", "the signed identification is not the idTag of the session"))
    foreign = _foreign(record, facts)
    if foreign:
        found.append(Reason(Kind.KEY, "other-place", f"the record names the charging point {foreign}"))
    if facts.tariff_text is not None and record.fields.get("TT") not in (None, facts.tariff_text):
        found.append(Reason(Kind.NOBILL, "other-tariff", "the signed tariff text (TT) is not that of the bill"))
    for at in (record.readings[0].at, record.readings[-1].at):
        early = facts.started is not None and at < facts.started - _CLOCK_SLACK
        late = facts.stopped is not None and at > facts.stopped + _CLOCK_SLACK
        if (early or late) and all(reading.status in "SI" for reading in record.readings):
            found.append(Reason(Kind.SESS, "other-time", "a reading was not taken in the time of the session"))
            break


def _foreign(record: Record, facts: SessionFacts) -> str:
    """Another charging point than that of the session, where a record names one as the format wants it (EVSEID)."""
    point = record.fields.get("CI")
    named = record.format == "OCMF" and record.fields.get("CT") == "EVSEID" and isinstance(point, str) and "*" in point
    if not named or not facts.station or not facts.connector or point == f"{facts.station}*{facts.connector}":
        return ""
    return str(point)[:48]


def _of_energy(chosen: Chosen, facts: SessionFacts, found: list[Reason]) -> None:
    energy, first, last = chosen.energy, chosen.readings[0], chosen.readings[-1]
    for name, told in (("display", facts.displayed_kwh), ("bill", facts.billed_kwh)):
        if told is not None and told != energy:
            text = f"the {name} says {told:f} kWh, {energy:f} kWh are signed"
            found.append(Reason(Kind.NOBILL, f"other-{name}", text))
    if facts.meter_start is not None and facts.meter_stop is not None:
        raw = facts.meter_stop - facts.meter_start
        if abs(energy * 1000 - raw) > max(_RAW_SLACK_WH, abs(raw) // 100):
            text = f"the messages say {raw} Wh, {energy * 1000:f} Wh are signed; those are billed"
            found.append(Reason(Kind.INFO, "raw-values", text))
    if energy > MOST_KWH:
        found.append(Reason(Kind.HOLD, "implausible", f"{energy:f} kWh are more than a session charges"))
    elif first.status != "U" and last.status != "U" and last.at >= first.at:
        limit = Decimal(facts.power_w or _POWER_W) * 11 * (last.at - first.at) / (10 * HOUR) + _SLACK_WH
        if energy * 1000 > limit:
            text = f"{energy:f} kWh are more than {facts.power_w or _POWER_W} W deliver in that time"
            found.append(Reason(Kind.HOLD, "implausible", text))
