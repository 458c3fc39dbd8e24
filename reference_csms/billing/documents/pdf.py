"""PDF from a document's data: the one door to typst, which is imported when the first page is set.

PDF/A-3a and PDF/UA-1, fonts from the typst wheel, date from the data: the same data give the same bytes. Templates get
ready texts as data and never as markup. They read nothing outside of their folder and load no packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from reference_csms.billing.documents.evidence import attached
from reference_csms.billing.documents.model import DocumentData
from reference_csms.billing.documents.sums import checked
from reference_csms.billing.documents.view import View, view
from reference_csms.billing.documents.words import TEMPLATES, load_words
from sim.errors import BadInput

LAYOUT = "layout.typ"
TEMPLATE_OF = {"bill": "invoice.typ", "invoice": "invoice.typ", "credit-note": "invoice.typ", "notice": "notice.typ"}
"""The template of each kind. A folder of the user may hold `KIND.typ` too, which then comes first."""

_STANDARDS = ["a-3a", "ua-1"]
_PLACE = re.compile(r"┌─ (.+?):(\d+):(\d+)")
_NO_GLYPH = re.compile(r'the (?:text|PDF contains the codepoint) `"(.*?)"`(?: could not be displayed)?')
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")
_LONG = re.compile(r"\S{28}(?=\S{8})")
_REPLACEMENT = "\ufffd"


def render_pdf(data: DocumentData, templates: Path | None = None) -> bytes:
    """The document as PDF, with its data and its signed records attached as files.

    `templates` is a folder whose `.typ` and `.toml` files come before the packaged ones. Characters that no font has are
    shown as U+FFFD; the attached data keep them. Raises BadInput for a template or text that cannot be used, ValueError
    for data that contradict themselves.
    """
    standards = {"pdf_standards": _STANDARDS, "timestamp": int(_midnight(data).timestamp())}
    pdf: bytes = _render(checked(data), templates, format="pdf", **standards)
    return pdf


def render_pages(data: DocumentData, templates: Path | None = None, ppi: int = 110) -> list[bytes]:
    """The pages as PNG pictures, to look at one's own templates. Raises as `render_pdf`."""
    pages = _render(checked(data), templates, format="png", ppi=float(ppi))
    return [pages] if isinstance(pages, bytes) else list(pages)


def _midnight(data: DocumentData) -> datetime:
    return datetime(data.issued.year, data.issued.month, data.issued.day, tzinfo=UTC)


def _render(data: DocumentData, templates: Path | None, **options: Any) -> Any:
    import typst

    own = _own_files(templates)
    main, sources = _sources(data.kind, own)
    shown = _for_page(view(data, load_words(data.language, templates)))
    shown["files"] = [
        {
            "name": name,
            "type": media,
            "content": content.decode(),
            "relationship": "source" if media.endswith("json") else "supplement",
        }
        for name, media, content in attached(data)
    ]
    compiler = _compiler(templates if templates is not None else TEMPLATES)
    dark: set[str] = set()
    while True:
        text = msgspec.json.encode(_without(shown, frozenset(dark))).decode()
        try:
            return compiler.compile({"main": main, **sources}, sys_inputs={"view": text}, **options)
        except typst.TypstError as err:
            missing = set(_missing(err.diagnostic)) - dark
            if not missing:
                raise _blamed(err, own, templates) from err
            dark |= missing


def _own_files(templates: Path | None) -> dict[str, bytes]:
    """The templates of a user's folder by name."""
    if templates is None:
        return {}
    if not templates.is_dir():
        raise BadInput(templates, None, "is no folder", "a folder with .typ and .toml files")
    own = {path.name: path.read_bytes() for path in sorted(templates.glob("*.typ"))}
    for name, source in own.items():
        for number, line in enumerate(source.decode("utf-8", "replace").splitlines(), start=1):
            if re.search(r'"@\w', line):
                raise BadInput(
                    templates / name, f"line {number}", "asks for a package", "files of the same folder only"
                )
    return own


def _sources(kind: str, own: dict[str, bytes]) -> tuple[bytes, dict[str, bytes]]:
    """The file to begin with, and all files by name, those of the user first."""
    name = f"{kind}.typ" if f"{kind}.typ" in own else TEMPLATE_OF[kind]
    sources = {path.name: path.read_bytes() for path in sorted(TEMPLATES.glob("*.typ"))} | own
    return f'#include "{name}"'.encode(), sources


@lru_cache(maxsize=4)
def _compiler(root: Path) -> Any:
    """One compiler for a folder: it keeps what it has parsed, which makes a page cost milliseconds."""
    import typst

    fonts: Any = [root / "fonts"] if (root / "fonts").is_dir() else []
    return typst.Compiler(root=str(root.resolve()), font_paths=fonts, ignore_system_fonts=True)


def _for_page(shown: View) -> View:
    """Long words may break, so that no name runs out of its column; codes and links stay whole."""

    def soft(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: soft(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [soft(one, key) for one in value]
        return _LONG.sub("\\g<0>\u200b", value) if isinstance(value, str) and key not in _WHOLE else value

    result: View = soft(shown)
    return result


_WHOLE = ("code", "link", "fingerprint", "page")


def _without(shown: Any, dark: frozenset[str]) -> Any:
    """The view with the characters that no font has replaced; attached files stay as they are."""
    if not dark:
        return shown
    table = {ord(char): _REPLACEMENT for char in sorted(dark)}

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: one if name == "content" else replaced(one) for name, one in value.items()}
        if isinstance(value, list):
            return [replaced(one) for one in value]
        return value.translate(table) if isinstance(value, str) else value

    return replaced(shown)


def _missing(diagnostic: str) -> Iterator[str]:
    """The characters that typst could not show."""
    for found in _NO_GLYPH.findall(diagnostic):
        yield from _ESCAPED.sub(lambda code: chr(int(code[1], 16)), found)


def _blamed(err: Any, own: dict[str, bytes], templates: Path | None) -> Exception:
    """Whose mistake it is: a folder of the user that holds templates, or ours."""
    if not own or templates is None:
        return err if isinstance(err, Exception) else RuntimeError(str(err))
    places = [(Path(file).name, int(line)) for file, line, _ in _PLACE.findall("\n".join([err.diagnostic, *err.trace]))]
    name, line = next((place for place in places if place[0] in own), places[0] if places else ("", 0))
    hints = "; ".join(err.hints) or None
    return BadInput(templates / name, f"line {line}" if line else None, err.message, hints)
