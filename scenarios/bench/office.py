"""The barrier at the end of the measured day: all groups' CDRs become bills with one number circle and one journal.

Checks its own work by the books it leaves: no gap in the numbers, a whole chain, and the sum of the postings is the sum
of the rated CDRs. It never reads a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from reference_csms.billing.central import CentralBilling, Parcel
from reference_csms.billing.ledger import GENESIS, JournalEntry, problems
from reference_csms.records import Bill
from scenarios.bench import world
from scenarios.bench.world import BACKEND, SEED, BenchFailed
from sim.backend import Setup
from sim.clock import HOUR, Instant
from sim.evidence.store import write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder


class Billed(Struct, frozen=True):
    """What the central billing came to. `head` is the hash of the last journal entry, `gross` in minor units."""

    bills: int
    entries: int
    gross: int
    head: str
    evidence_bytes: int


def bill_all(parcels: Sequence[Parcel], hours: int, folder: Path | None = None) -> Billed:
    """Bill what the shards handed over, and write the books into `folder` if there is one. Raises BenchFailed."""
    office = CentralBilling(Setup(name=BACKEND, seed=SEED, provision=world.places()))
    barrier = Instant(world.START + hours * HOUR)
    office.take(parcels, barrier)
    ended = office.bill(barrier)
    bills, journal = office.bills(), office.journal()
    wrong = objections(parcels, bills, journal)
    if wrong:
        raise BenchFailed("the central billing is not sound; " + "; ".join(wrong))
    size = 0
    if folder is not None:
        file, wire = folder / world.EVIDENCE_FILE, WireRecorder(policy="off")
        books = {BACKEND: office.books(ended)}
        write_evidence(file, truth=TruthRecorder(), wire=wire, books=books, ended_at=int(ended)).close()
        size = file.stat().st_size
    head = journal[-1].hash if journal else GENESIS
    return Billed(len(bills), len(journal), sum(bill.gross for bill in bills), head, size)


def objections(parcels: Sequence[Parcel], bills: Sequence[Bill], journal: Sequence[JournalEntry]) -> list[str]:
    """What is wrong with these books, given what was handed over; nothing if they are sound."""
    rated = sum(parcel.rated.rated.gross for parcel in parcels)
    postings = [posting for entry in journal for posting in entry.postings]
    debits = sum(posting.amount for posting in postings if posting.amount > 0)
    credits = -sum(posting.amount for posting in postings if posting.amount < 0)
    expected = {
        "bills": (len(bills), len(parcels)),
        "sessions billed": (len({bill.session_id for bill in bills}), len(parcels)),
        "gross of the bills": (sum(bill.gross for bill in bills), rated),
        "debits": (debits, rated),
        "credits": (credits, rated),
    }
    wrong = [f"{what}: {got}, not {wanted}" for what, (got, wanted) in expected.items() if got != wanted]
    numbers = [bill.number for bill in sorted(bills, key=lambda bill: bill.journal_seq)]
    circle = [f"{world.OWNER.upper()}-{BACKEND}-{n:06d}" for n in range(1, len(bills) + 1)]
    off = [f"bill {got} stands where {due} is due" for got, due in zip(numbers, circle, strict=True) if got != due]
    return wrong + off[:1] + list(problems(journal))[:1]


def digest_of(groups: Sequence[str], head: str) -> str:
    """The digest of the whole: over the digests of the groups in their order and the head of the central journal."""
    return hashlib.sha256("\n".join([*groups, head]).encode()).hexdigest()
