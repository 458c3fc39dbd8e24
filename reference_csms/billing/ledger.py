"""The ledger: double entry, append only, each entry chained to the one before by sha256.

Nothing is ever changed here; what was wrong is put right by another entry of kind `correction`. Amounts are integer
minor units, debits positive and credits negative. The reader's half (`problems`) uses nothing of the writer's half
but the hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from reference_csms.pricing.rating import RatedCdr
from reference_csms.storage.port import Store, Table
from sim.backend import Row
from sim.clock import Instant

GENESIS = "0" * 64
BILL = "bill"
CORRECTION = "correction"
INVOICE = "invoice"
CANCELLATION = "cancellation"
CREDIT = "credit"
PREPAID = "prepaid"
PAYMENT = "payment"
REFUND = "refund"
PAYOUT = "payout"
DISPUTE = "dispute"
RECEIPT = "receipt"
FEE = "fee"
KINDS = (
    BILL,
    CORRECTION,
    INVOICE,
    CANCELLATION,
    CREDIT,
    PREPAID,
    PAYMENT,
    REFUND,
    PAYOUT,
    DISPUTE,
    RECEIPT,
    FEE,
)

_encode = msgspec.json.Encoder(order="sorted").encode


class Posting(Struct, frozen=True):
    """One side of an entry: debit positive, credit negative, in minor units of the currency."""

    account: str
    currency: str
    amount: int

    def as_row(self) -> list[str | int]:
        """`[account, currency, amount]` as in the books."""
        return [self.account, self.currency, self.amount]


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One entry; `seq` counts from 1 without gaps, `hash` covers everything else and thereby all entries before."""

    seq: int
    at: Instant
    kind: str
    ref: str
    postings: tuple[Posting, ...]
    prev_hash: str
    hash: str


JOURNAL = Table("journal", JournalEntry, "seq", append_only=True)

PostBill = Callable[[str, str, RatedCdr], tuple[Posting, ...]]
CheckPosting = Callable[[Sequence[Posting]], None]
ChainHash = Callable[[int, Instant, str, str, Sequence[Posting], str], str]


class Unbalanced(Exception):
    """An entry whose debits and credits differ in a currency. Our own mistake: it raises, and nothing is booked."""


def balanced(postings: Sequence[Posting]) -> None:
    """Raise Unbalanced unless the postings sum to zero in every currency."""
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.currency] = sums.get(posting.currency, 0) + posting.amount
    off = {currency: amount for currency, amount in sums.items() if amount}
    if off or not postings:
        raise Unbalanced(f"postings do not balance: {off or 'there are none'}")


def post_bill(seller: str, customer: str, rated: RatedCdr) -> tuple[Posting, ...]:
    """What a bill means for the ledger: the customer owes gross, the owner earned net and owes the state VAT."""
    return (
        Posting(f"receivable:{customer}", rated.currency, rated.gross),
        Posting(f"revenue:{seller}", rated.currency, -rated.net),
        Posting(f"vat:{seller}", rated.currency, -rated.vat),
    )


def chain_hash(seq: int, at: Instant, kind: str, ref: str, postings: Sequence[Posting], prev_hash: str) -> str:
    """sha256 in hex over the canonical JSON (sorted keys, no blanks) of an entry without its hash."""
    body = {
        "seq": seq,
        "at": at,
        "kind": kind,
        "ref": ref,
        "postings": [p.as_row() for p in postings],
        "prev_hash": prev_hash,
    }
    return hashlib.sha256(_encode(body)).hexdigest()


class Ledger:
    """The writer of a journal in a store. Its appends belong to the store's unit of work."""

    def __init__(self, store: Store, check: CheckPosting = balanced, chain: ChainHash = chain_hash) -> None:
        self._store = store
        self._check = check
        self._chain = chain

    def append(self, kind: str, ref: str, postings: Sequence[Posting], now: Instant) -> JournalEntry:
        """Book an entry. Raises Unbalanced, and ValueError for a kind that does not exist."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of journal entry")
        self._check(postings)
        seq = self._store.count(JOURNAL) + 1
        last = self._store.get(JOURNAL, seq - 1)
        prev_hash = last.hash if last else GENESIS
        entry = JournalEntry(
            seq=seq,
            at=now,
            kind=kind,
            ref=ref,
            postings=tuple(postings),
            prev_hash=prev_hash,
            hash=self._chain(seq, now, kind, ref, postings, prev_hash),
        )
        self._store.insert(JOURNAL, entry)
        return entry


def problems(entries: Iterable[JournalEntry]) -> Iterator[str]:
    """What is wrong with a journal in the order of its numbers, sentence by sentence; nothing if it is sound."""
    expected, previous = 1, GENESIS
    for entry in entries:
        if entry.seq != expected:
            yield f"entry {entry.seq} stands where {expected} is due"
        if entry.prev_hash != previous:
            yield f"entry {entry.seq} does not follow the entry before it"
        body = (entry.seq, entry.at, entry.kind, entry.ref, entry.postings, entry.prev_hash)
        if chain_hash(*body) != entry.hash:
            yield f"entry {entry.seq} was changed after it was booked"
        try:
            balanced(entry.postings)
        except Unbalanced as err:
            yield f"entry {entry.seq}: {err}"
        expected, previous = entry.seq + 1, entry.hash


def journal_row(entry: JournalEntry) -> Row:
    """The entry as it stands in the books."""
    return {
        "seq": entry.seq,
        "at": int(entry.at),
        "kind": entry.kind,
        "ref": entry.ref,
        "postings": _encode([posting.as_row() for posting in entry.postings]).decode(),
        "prev_hash": entry.prev_hash,
        "hash": entry.hash,
    }


def entry_from_row(row: Row) -> JournalEntry:
    """The entry of a row of the books, for a reader that only has rows."""
    postings = tuple(Posting(*one) for one in msgspec.json.decode(row["postings"]))
    values = {name: row[name] for name in ("seq", "at", "kind", "ref", "prev_hash", "hash")}
    return JournalEntry(**values, postings=postings)
