"""The documents of a run as PDF, drawn from its evidence after it was judged: no part of the digest, and no verdict.

What another back-end writes in a form of its own is counted and left out; what is not as it was booked raises.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from time import perf_counter

import msgspec
from msgspec import Struct

from reference_csms.billing.documents.pdf import render_pdf
from reports.run import DOCUMENTS, document_file
from scenarios.papers import Books, Wanted, papers
from sim.evidence.store import open_evidence

_FOREIGN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, msgspec.MsgspecError)
"""What reading data of another form raises."""

Tell = Callable[[int, int, float], None]


class Drawn(Struct, frozen=True):
    """What was drawn: file names below the run folder, why others were not, and how long it took in seconds."""

    files: tuple[str, ...]
    left_out: tuple[str, ...]
    seconds: float

    def timing(self) -> str:
        """`26 in 0.7 s, 27 ms each`."""
        each = f", {1000 * self.seconds / len(self.files):.0f} ms each" if self.files else ""
        return f"{len(self.files)} in {self.seconds:.1f} s{each}"


def draw_documents(folder: Path, wanted: Wanted, templates: Path | None = None, tell: Tell | None = None) -> Drawn:
    """Draw the documents of a run folder into its `documents/`, instead of those that lay there.

    `sample`: every invoice of a subscription, every credit and cancellation, an invoice to a driver of each seller and
    language, the last notice to each owner. `all`: every invoice, bill and notice. `tell(done, all, seconds)` hears of
    each. Raises BadInput for data that are not what the journal holds, and for a template that cannot be used.
    """
    begun = perf_counter()
    _clear(folder / DOCUMENTS)
    files: list[str] = []
    left_out: list[str] = []
    if wanted != "none":
        with closing(open_evidence(folder / "evidence.sqlite")) as evidence:
            found = list(papers(Books(evidence, templates), wanted))
            for done, paper in enumerate(found, start=1):
                try:
                    pdf = render_pdf(paper.make(), templates)
                except _FOREIGN as err:
                    left_out.append(f"{paper.kind} {paper.number}: {err}")
                else:
                    files.append(_write(folder, document_file(paper.kind, paper.backend, paper.number), pdf))
                if tell is not None:
                    tell(done, len(found), perf_counter() - begun)
    return Drawn(tuple(files), tuple(left_out), perf_counter() - begun)


def _clear(place: Path) -> None:
    for old in sorted(place.glob("*.pdf")):
        old.unlink()
    with suppress(OSError):  # it is not there, or holds what is not ours
        place.rmdir()


def _write(folder: Path, name: str, pdf: bytes) -> str:
    """Write it under this name, or a free one: a back-end that gives a number twice has two documents."""
    (folder / DOCUMENTS).mkdir(exist_ok=True)
    place, copy = folder / name, 1
    while place.exists():
        copy += 1
        place = (folder / name).with_stem(f"{Path(name).stem}-{copy}")
    place.write_bytes(pdf)
    return place.relative_to(folder).as_posix()
