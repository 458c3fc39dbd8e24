"""The audit: each record explained to the cent or flagged with its reason, and what does not fit together named.

A claim is made only of what was exported: without sessions nothing is said of missing records, without keys nothing of
signatures. What could not be judged is UNKNOWN with the reason, and never counts as right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from reference_csms.pricing.engine import Unrated, rate
from reference_csms.pricing.model import Policy, Tariff
from reference_csms.pricing.policies import policy_named
from reference_csms.pricing.tariffs import minor_digits
from scenarios.audit import pairs, signatures, sums
from scenarios.audit.model import Bill, Exports
from scenarios.audit.reasons import UNEXPLAINED, Price, Why, best_policy, reason_of, versions_at
from scenarios.audit.verdicts import result
from sim.evidence.verdict import CheckResult, EvidenceLine, Finding

PRICE = "A01"
CLAIMS = {
    PRICE: "each record costs what its tariff gives",
    "A02": "each session is billed by one record",
    "A03": "each session that charged has a record, and each record a session",
    "A04": "no two charges at one connector overlap",
    "A05": "signed registers of a meter go on where they stopped",
    "A06": "each signature is valid, by the key registered for its meter",
    "A07": "the energy of a record is what was signed",
    "A08": "the parts of a record add up to its totals",
    "A09": "invoices add up, and their lines are what the records say",
    "A10": "each record is invoiced once",
}
"""What an audit claims, in the order of its report."""


class Explained(Struct, frozen=True):
    """What became of the price of one record. `why` is empty if it is right; prices in major units, as texts."""

    place: str
    cdr_id: str
    tariff_id: str
    said: str
    expected: str
    difference: str
    kind: str
    why: str
    lines: tuple[str, ...]


class Audit(Struct, frozen=True):
    """The result: claims with their verdicts, and every price."""

    name: str
    policy: str
    policy_chosen: bool
    bills: int
    results: tuple[CheckResult, ...]
    prices: tuple[Explained, ...]
    totals: tuple[tuple[str, str, str, str], ...]
    """Currency, what the records say in all, what they should come to, and the sum of absolute differences."""
    files: tuple[str, ...]
    notes: tuple[str, ...]


def audit(exports: Exports, policy: str = "") -> Audit:
    """Judge exports. `policy`: a name, or empty for that of the exports, or else the one that explains most records."""
    priced = [
        (bill, tariff) for bill in exports.bills if not bill.credit and (tariff := tariff_of(bill, exports)) is not None
    ]
    named = policy or exports.policy
    by, chosen = (policy_named(named), False) if named else (best_policy(priced)[0], True)
    explained = [
        _explained(bill, tariff, by, exports) for bill, tariff in priced if Price(bill.net, bill.gross) != (None, None)
    ]
    results = [_prices(exports, explained)]
    signed = signatures.judged(exports)
    results += [judge(check, CLAIMS[check], exports) for check, judge in _JUDGES.items()]
    results += [judge(check, CLAIMS[check], exports, signed) for check, judge in _SIGNED.items()]
    results.sort(key=lambda one: one.check)
    return Audit(
        name=exports.name,
        policy=by.name,
        policy_chosen=chosen,
        bills=len(exports.bills),
        results=tuple(results),
        prices=tuple(explained),
        totals=tuple(_totals(priced, explained)),
        files=exports.files,
        notes=tuple(dict.fromkeys(note for bill in exports.bills for note in bill.notes)),
    )


_JUDGES: dict[str, Callable[[str, str, Exports], CheckResult]] = {
    "A02": pairs.once,
    "A03": pairs.both_ways,
    "A04": pairs.apart,
    "A08": sums.of_records,
    "A09": sums.of_invoices,
    "A10": pairs.invoiced,
}
_SIGNED: dict[str, Callable[[str, str, Exports, Sequence[signatures.Signed]], CheckResult]] = {
    "A05": signatures.registers,
    "A06": signatures.signatures,
    "A07": signatures.energies,
}


def tariff_of(bill: Bill, exports: Exports) -> Tariff | None:
    """The tariff that holds for a record: the version of the export that was valid at its start, else the one inside it.

    If there is one tariff in all and the record names none, it is that one.
    """
    found = versions_at(exports.tariffs, bill.tariff_id, bill.charge.start)
    if found is not None:
        return found
    inside = [one for one in bill.tariffs if one.tariff_id == bill.tariff_id] or list(bill.tariffs)
    if inside:
        return inside[0]
    if not bill.tariff_id and len(exports.tariffs) == 1:
        return versions_at(exports.tariffs, next(iter(exports.tariffs)), bill.charge.start)
    return None


def _explained(bill: Bill, tariff: Tariff, policy: Policy, exports: Exports) -> Explained:
    said = Price(bill.net, bill.gross)
    side = "gross" if bill.gross is not None else "net"
    told = bill.gross if bill.gross is not None else bill.net
    try:
        rated = rate(tariff, bill.charge, policy)
    except Unrated as err:
        return Explained(
            bill.place, bill.name, tariff.tariff_id, f"{told} {bill.charge.currency}", "", "", UNEXPLAINED, str(err), ()
        )
    if bill.net is not None and (rated.taxes_open or (told == rated.gross and bill.net != rated.net)):
        side, told = "net", bill.net
    expected = rated.gross if side == "gross" else rated.net
    why = Why("", "")
    if not said.same(rated):
        others = [one for versions in exports.tariffs.values() for one in versions] + list(bill.tariffs)
        mine = [one for one in others if one.tariff_id == tariff.tariff_id]
        why = reason_of(bill, tariff, policy, [*mine, *(one for one in others if one not in mine)])
    lines = tuple(
        f"{line.dimension}: {line.billed.normalize():f} {line.unit} at {line.price.normalize():f}"
        for line in rated.lines
    )
    assert told is not None
    return Explained(
        bill.place,
        bill.name,
        tariff.tariff_id,
        f"{_plain(told, rated.currency)} {rated.currency}" + (" without tax" if side == "net" else ""),
        f"{_plain(expected, rated.currency)} {rated.currency}",
        _plain(told - expected, rated.currency),
        why.kind,
        why.sentence,
        lines,
    )


def _plain(amount: Decimal, currency: str) -> str:
    """With the decimals of the currency, or more if it has more."""
    digits = max(minor_digits(currency), -int(amount.normalize().as_tuple().exponent))
    return f"{amount:.{digits}f}"


def _prices(exports: Exports, explained: Sequence[Explained]) -> CheckResult:
    """The claim about prices; a record whose tariff is not there is not judged, which is told."""
    findings = tuple(
        Finding(
            PRICE,
            "bill",
            one.cdr_id,
            f"says {one.said} and should be {one.expected} ({one.difference}): {one.why}" if one.expected else one.why,
            (EvidenceLine("books", "cdrs", {"place": one.place, "reason": one.kind, "tariff": one.tariff_id}),),
        )
        for one in explained
        if one.kind
    )
    asked = [bill for bill in exports.bills if not bill.credit]
    missing = len(asked) - len(explained)
    reason = ""
    if missing:
        names = ", ".join(bill.name for bill in asked if _unpriced(bill, exports))
        reason = f"{missing} of {len(asked)} records have no tariff in the export, or name no cost: {names[:200]}"
    return result(PRICE, CLAIMS[PRICE], len(explained), findings, reason)


def _unpriced(bill: Bill, exports: Exports) -> bool:
    return tariff_of(bill, exports) is None or (bill.net is None and bill.gross is None)


def _totals(
    priced: Sequence[tuple[Bill, Tariff]], explained: Sequence[Explained]
) -> Iterator[tuple[str, str, str, str]]:
    currencies = dict.fromkeys(tariff.currency for _, tariff in priced)
    for currency in currencies:
        mine = [one for one in explained if one.expected.endswith(currency)]
        said = sum((Decimal(one.said.split()[0]) for one in mine), Decimal(0))
        expected = sum((Decimal(one.expected.split()[0]) for one in mine), Decimal(0))
        off = sum((abs(Decimal(one.difference)) for one in mine), Decimal(0))
        yield currency, _plain(said, currency), _plain(expected, currency), _plain(off, currency)
