"""Prices before and after the move: alike at both back-ends, and what the plan says (INV-22).

The plan's prices are worked out by the oracle's reading of the tariff; a back-end's own is never asked for them.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from scenarios import oracle
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from scenarios.oracle import Terms
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import BookCdr, BookRated, GridPrice, Rerated

COMPONENTS = ("energy", "start", "idle")


@check(
    "INV-22",
    sentence="prices are equal at both back-ends over the whole grid, and each re-rates the other's sessions equally",
    planes=("quotes", "books", "plan"),
    needs=("quotes_grid", "quotes_rerated", "books_rated", "books_cdrs"),
)
def same_prices(evidence: Evidence, judge: Judge) -> None:
    """Every (site, group, time, component), and gross, net and VAT of every foreign charge detail record."""
    backends = evidence.backends()
    _grid(evidence, judge, backends)
    original = {(rated.backend, rated.cdr_id): rated for rated in evidence.read(BookRated) if rated.effective}
    again = {(one.backend, one.of_backend, one.cdr_id): one for one in evidence.read(Rerated)}
    for cdr in (one for one in evidence.read(BookCdr) if not one.credit):
        first = original.get((cdr.backend, cdr.cdr_id))
        for other in (name for name in backends if name != cdr.backend):
            judge.examined()
            second = again.get((other, cdr.backend, cdr.cdr_id))
            if second is None or second.gross is None:
                judge.fail("price", cdr.cdr_id, f"{other} did not rate this record of {cdr.backend}", line(cdr))
            elif first is not None and _amounts(first) != _amounts(second):
                sentence = f"{cdr.backend} rated it {_amounts(first)}, {other} rates it {_amounts(second)}"
                judge.fail("price", cdr.cdr_id, sentence, line(first), line(second))


def _grid(evidence: Evidence, judge: Judge, backends: list[str]) -> None:
    """Every combination of the plan's sites with the groups and times that anybody was asked about, at each."""
    plan = plan_of(evidence)
    quoted: dict[tuple[str, str, Any, str], dict[str, GridPrice]] = {}
    for row in evidence.read(GridPrice):
        place = quoted.setdefault((row.site, row.grp or "", row.at, row.component), {})
        if row.backend in place and _price(place[row.backend]) != _price(row):
            sentence = f"{row.backend} quotes two prices at once"
            judge.fail("price", row.site, sentence, line(place[row.backend]), line(row))
        place[row.backend] = row
    groups, moments = sorted({key[1] for key in quoted}), sorted({key[2] for key in quoted})
    asked: dict[tuple[str, str, Any, str], dict[str, GridPrice]] = {
        (site, group, at, component): {}
        for site in plan.tariff_of_site
        for group in groups
        for at in moments
        for component in COMPONENTS
    }
    for name in backends:
        if len(backends) > 1 and not any(name in rows for rows in quoted.values()):
            judge.examined()
            judge.fail("price", name, f"{name} quotes no price at all", note("quotes", "quotes_grid", backend=name))
    for key, rows in {**asked, **quoted}.items():
        judge.examined()
        _same(judge, plan, key, rows, backends)


def _same(
    judge: Judge, plan: Plan, key: tuple[str, str, Any, str], rows: dict[str, GridPrice], backends: list[str]
) -> None:
    site, group, at, component = key
    silent = [name for name in backends if name not in rows]
    due = _planned(plan, *key)
    if not silent and len({_price(row) for row in rows.values()}) == 1 and all(_is(row, due) for row in rows.values()):
        return
    said = [f"{name} asks {row.price} {row.currency} with {row.vat_percent} % VAT" for name, row in rows.items()]
    said += [f"{name} quotes nothing" for name in silent]
    if due is not None:
        said.append(f"the plan says {Decimal(due[0].numerator) / due[0].denominator} {due[1]} with {due[2]} % VAT")
    sentence = f"{component} at {site} for {group or 'everybody'} at {at}: {', '.join(said)}"
    shown = [line(row) for row in rows.values()] or [note("plan", "sites", site=site)]
    judge.fail("price", f"{site}/{group}/{at}/{component}", sentence, *shown)


def _planned(plan: Plan, site: str, group: str, at: Any, component: str) -> tuple[Fraction, str, Fraction] | None:
    """What the plan asks: price in major units, currency, VAT in percent; None for what the plan does not sell."""
    if site not in plan.tariff_of_site or component not in COMPONENTS:
        return None
    tariff = plan.tariff(site, int(at))
    if component == "energy":
        price = oracle.energy_price(Terms(tariff, plan.zone_of_site[site], group, False), int(at))
        price *= 1 - Fraction(tariff.get("group_discounts", {}).get(group, "0")) / 100
    else:
        price = Fraction(tariff.get("start_fee" if component == "start" else "idle_per_minute", "0"))
    return price, str(tariff["currency"]), Fraction(tariff["vat_percent"])


def _is(row: GridPrice, due: tuple[Fraction, str, Fraction] | None) -> bool:
    return (
        due is not None
        and row.price is not None
        and row.vat_percent is not None
        and ((Fraction(row.price), row.currency, Fraction(row.vat_percent)) == due)
    )


def _price(row: GridPrice) -> tuple[Decimal | None, str | None, Decimal | None]:
    vat = None if row.vat_percent is None else Decimal(row.vat_percent)
    return (None if row.price is None else Decimal(row.price), row.currency, vat)


def _amounts(row: BookRated | Rerated) -> str:
    return f"{row.currency} gross {row.gross} net {row.net} VAT {row.vat}"
