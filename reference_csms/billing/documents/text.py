"""A document as plain text: the whole of a notice, and for money a short letter around the attached PDF."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from reference_csms.billing.documents.model import DocumentData
from reference_csms.billing.documents.sums import checked
from reference_csms.billing.documents.view import view
from reference_csms.billing.documents.words import load_words
from sim.backend import Row

WIDTH = 76
"""Most characters in a line; links are never broken."""


def render_subject(data: DocumentData, templates: Path | None = None) -> str:
    """The subject of the e-mail, in one line. Raises as `render_text`."""
    words = load_words(data.language, templates)
    shown = view(checked(data), words)
    return " ".join(words.text("text.subject", title=shown["heading"], number=data.number).split())


def render_text(data: DocumentData, templates: Path | None = None) -> str:
    """The body of the e-mail, from the same words and values as the PDF; `templates` may hold other words.

    Raises BadInput for texts that cannot be used, ValueError for data that contradict themselves.
    """
    words = load_words(data.language, templates)
    shown = view(checked(data), words)
    parts = _notice(shown["notice"]) if shown["notice"] else _money(shown, words.text("text.attached"))
    return "\n\n".join([*parts, *_foot(shown)]) + "\n"


def _notice(notice: Row) -> Iterator[str]:
    yield _wrapped(notice["greeting"])
    for text in notice["opening"]:
        yield _listed(text) if isinstance(text, list) else _wrapped(text)
    if notice["facts"]:
        yield _facts(notice["facts"])
    onboarding = notice["onboarding"]
    if onboarding is not None:
        yield _wrapped(onboarding["text"])
        yield str(onboarding["link"])
        yield _wrapped(onboarding["later"])
    if notice["checks"]:
        yield "\n".join([_wrapped(notice["checks_text"]), _listed(notice["checks"])])
    yield from (_wrapped(text) for text in (*notice["last"], *notice["closing"]))


def _money(shown: Row, attached: str) -> Iterator[str]:
    yield f"{shown['heading']} {shown['number']}"
    yield from (_wrapped(text) for text in shown["intro"])
    if shown["sums"] is not None:
        yield _facts([shown["sums"]["total"]])
    payment = shown["payment"]
    if payment is not None:
        yield _wrapped(payment["text"])
        if payment["rows"]:
            yield _facts(payment["rows"])
    yield _wrapped(attached)


def _listed(entries: list[str]) -> str:
    return "\n".join(_wrapped(entry, "- ", "  ") for entry in entries)


def _foot(shown: Row) -> Iterator[str]:
    contact = [f"{row['label']} {row['value']}" for column in shown["contact"][:2] for row in column]
    yield "\n".join([shown["seller"]["name"], *shown["seller"]["lines"], *contact])


def _facts(rows: list[Row]) -> str:
    width = max(len(row["label"]) for row in rows) + 2
    return "\n".join(_wrapped(row["value"], f"{row['label'] + ':':<{width}}", " " * width) for row in rows)


def _wrapped(text: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
