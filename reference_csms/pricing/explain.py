"""A price in words and as JSON: every line with its quantity before and after, price, taxes and rounding, and why.

Only tells what `engine.rate` found; nothing is calculated anew but sums of its lines.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec.structs import asdict

from reference_csms.pricing.model import (
    ENERGY,
    FLAT,
    IDLE,
    RESERVATION,
    RESERVATION_FLAT,
    TIME,
    Line,
    Policy,
    Rated,
    Tariff,
    Tax,
)
from reference_csms.pricing.rounding import tax_parts, unit_of
from sim.clock import iso

ZERO = Decimal(0)
_SIX = Decimal("0.000001")
_TWO = Decimal("0.01")
_COSTS = {
    "total_fixed_cost": (FLAT,),
    "total_energy_cost": (ENERGY,),
    "total_time_cost": (TIME,),
    "total_parking_cost": (IDLE,),
    "total_reservation_cost": (RESERVATION, RESERVATION_FLAT),
}
_WORDS = {
    FLAT: "fixed fee",
    ENERGY: "energy",
    TIME: "charging time",
    IDLE: "idle time",
    RESERVATION: "reservation",
    RESERVATION_FLAT: "reservation fee",
}
_WHY = {
    "grace": "the free idle time is taken off, once per charge",
    "seconds": "counted in whole seconds",
    "step": "only whole steps are billed",
}


def as_json(rated: Rated, policy: Policy) -> dict[str, Any]:
    """Everything about a price, with amounts in major units under the names of OCPI 2.2.1 and of 2.3.0."""
    dimensions = {line.dimension for line in rated.lines}
    return {
        "tariff": {"id": rated.tariff_id, "version": rated.tariff_version},
        "policy": policy_row(policy),
        "currency": rated.currency,
        "total_cost": _sides(rated.net, rated.gross),
        "total_cost_unrounded": _sides(rated.exact_net, rated.exact_gross),
        **{
            name: _sides(
                sum((line.exact_net for line in rated.lines if line.dimension in kinds), ZERO),
                sum((line.exact_gross for line in rated.lines if line.dimension in kinds), ZERO),
            )
            for name, kinds in _COSTS.items()
            if dimensions.intersection(kinds)
        },
        "measured": _amounts(rated, "quantity"),
        "billed": _amounts(rated, "billed"),
        "taxes": taxes_of(rated),
        "lines": [line_row(line, rated, policy) for line in rated.lines],
        "free": rated.free or None,
        "limited": rated.limited or None,
        "taxes_open": rated.taxes_open,
        "notes": list(notes_of(rated)),
    }


def policy_row(policy: Policy) -> dict[str, Any]:
    """A policy as it is stored with a price."""
    row = asdict(policy)
    del row["local"]
    return row


def notes_of(rated: Rated) -> tuple[str, ...]:
    """What a reader must know besides the lines."""
    notes = list(rated.notes)
    if rated.limited:
        notes.append(f"the {'least' if rated.limited == 'min' else 'highest'} price of the tariff counts")
    if rated.taxes_open:
        notes.append("the tariff says nothing of tax: net and gross are the same here")
    return tuple(notes)


def taxes_of(rated: Rated) -> list[dict[str, Any]]:
    """One row per tax. Together they are exactly gross - net: what rounding and limits moved is in the largest."""
    sums: dict[Tax, tuple[Decimal, Decimal]] = {}
    for line in rated.lines:
        for tax, amount in tax_parts(line.exact_net, line.taxes or ()):
            base, due = sums.get(tax, (ZERO, ZERO))
            sums[tax] = (base + line.exact_net, due + amount)
    due, exact = rated.gross - rated.net, rated.exact_gross - rated.exact_net
    scale = due / exact if exact and rated.limited else Decimal(1)
    unit = unit_of(rated.currency, None)
    parts = [
        (tax.name, tax.percent, (base * scale).quantize(unit), (amount * scale).quantize(unit))
        for tax, (base, amount) in sorted(sums.items(), key=lambda one: -one[1][1])
    ]
    rest = due - sum((part[3] for part in parts), ZERO)
    if parts:
        name, percent, net, amount = parts[0]
        parts[0] = (name, percent, net, amount + rest)
    rows = [
        {"name": name, "percentage": percent, "base": net, "amount": amount} for name, percent, net, amount in parts
    ]
    return rows or ([{"name": "", "percentage": None, "base": None, "amount": rest}] if rest else [])


def line_row(line: Line, rated: Rated, policy: Policy) -> dict[str, Any]:
    """One line."""
    return {
        "component": line.dimension,
        "tariff_id": line.tariff_id,
        "elements": list(line.elements),
        "periods": list(line.periods),
        "from": iso(line.start),
        "to": iso(line.end),
        "unit": line.unit,
        "quantity": _plain(line.quantity),
        "billed_quantity": _plain(line.billed),
        "step": line.step or None,
        "unit_price": line.price,
        "price_per": {"kWh": "kWh", "s": "h", "once": "charge"}[line.unit],
        "discount": line.discount or None,
        "discount_percent": line.discount_percent,
        "discount_off": line.off,
        "vat": [{"name": tax.name, "percentage": tax.percent} for tax in line.taxes or ()],
        "unrounded": _sides(line.exact_net, line.exact_gross),
        **_sides(line.net, line.gross),
        "why": why(line, rated, policy),
    }


def why(line: Line, rated: Rated, policy: Policy) -> str:
    """Why the line is what it is, as a sentence."""
    elements = " and ".join(str(one) for one in line.elements)
    said = [f"{_WORDS[line.dimension]} by element {elements} of tariff {line.tariff_id}"]
    said.append(f"the first that has it and held in period {_span(line.periods)}")
    if line.unit == "once":
        said.append("once per charge")
    if line.step:
        unit = "Wh" if line.dimension == ENERGY else "s"
        once = "of the whole charge" if policy.step_scope == "session" else "of this line"
        said.append(
            f"{_plain(line.quantity)} became {_plain(line.billed)} {line.unit} by steps of {line.step} {unit} {once}"
        )
    said += [_WHY[one] for one in line.why]
    if line.discount:
        off = [f"{line.discount_percent} %"] if line.discount_percent else []
        off += [f"{line.off} {rated.currency} each"] if line.off else []
        said.append(f"{' and '.join(off) or 'nothing'} off as {line.discount}")
    said.append(rounding_of(policy))
    return "; ".join(said)


def rounding_of(policy: Policy) -> str:
    """Where and how the policy rounds, in words."""
    if policy.money == "exact":
        return "not rounded"
    where = {"line": "this line is", "component": "the sum of its kind is", "invoice": "only the total is"}[policy.per]
    return f"{where} rounded {policy.money.replace('-', ' ')}"


def text_of(rated: Rated, tariff: Tariff, policy: Policy) -> list[str]:
    """The price for people: a line each, its reason below."""
    rows = [f"tariff {tariff.tariff_id} version {tariff.version}, policy {policy.name}: {policy_words(policy)}"]
    for line in rated.lines:
        unit = {"kWh": "kWh", "s": "s", "once": ""}[line.unit]
        per = {"kWh": "/kWh", "s": "/h", "once": ""}[line.unit]
        billed = f"{_plain(line.quantity)} -> {_plain(line.billed)} {unit}".rstrip()
        taxes = " + ".join(f"{tax.name} {tax.percent} %" for tax in line.taxes or ()) or "no tax"
        rows.append(
            f"{_WORDS[line.dimension]:<16}{billed:>26}  x {line.price}{per}, {taxes}: "
            f"net {_plain(line.net)}, gross {_plain(line.gross)}"
        )
        rows.append(f"    {why(line, rated, policy)}")
    if rated.free:
        rows.append(f"free: {rated.free}")
    rows += [f"note: {note}" for note in notes_of(rated)]
    rows += [
        f"tax: {row['name'] or 'by no rate'} {'' if row['percentage'] is None else row['percentage']} %: {row['amount']}"
        for row in taxes_of(rated)
    ]
    rows.append(f"total: net {rated.net}, gross {rated.gross} {rated.currency}")
    return rows


def policy_words(policy: Policy) -> str:
    """A policy in one line."""
    steps = {"up": "steps up", "down": "whole steps only", "none": "no steps"}[policy.steps]
    if policy.steps != "none":
        steps += " once per charge" if policy.step_scope == "session" else " line by line"
    unsplit = "priced as it began" if policy.unsplit == "start" else "split in proportion of time"
    return (
        f"{rounding_of(policy)}, {steps}, a period over a change {unsplit}, grace from the {policy.grace} of idle time"
    )


def _sides(net: Decimal, gross: Decimal) -> dict[str, Decimal]:
    net, gross = _plain(net), _plain(gross)
    return {"excl_vat": net, "incl_vat": gross, "before_taxes": net, "after_taxes": gross}


def _amounts(rated: Rated, field: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in rated.lines:
        if line.unit != "once":
            name = f"{line.dimension}_{'kwh' if line.unit == 'kWh' else 's'}"
            found[name] = found.get(name, ZERO) + getattr(line, field)
    return {name: _plain(value) for name, value in found.items()}


def _plain(amount: Decimal) -> Decimal:
    """At most six places, and no superfluous zeros beyond two."""
    places = -int(amount.as_tuple().exponent)
    if places <= 2:
        return amount
    short = amount.quantize(_SIX).normalize()
    return short if -int(short.as_tuple().exponent) > 2 else short.quantize(_TWO)


def _span(periods: tuple[int, ...]) -> str:
    if len(periods) > 3:
        return f"{periods[0]} to {periods[-1]} ({len(periods)} of them)"
    return ", ".join(str(one) for one in periods)
