"""The documents: links lead somewhere, commands exist, files that they name are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer

from scenarios import catalogue
from scenarios.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "scenarios").rglob("*.md")])


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_resolve(path: Path) -> None:
    """Every link to a file leads to one, every link to a heading to one."""
    for link in re.findall(r"\]\(([^)\s]+)\)", _text(path)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{path.name}: {link}"
        if anchor:
            assert anchor in {_anchor(line.lstrip("#")) for line in _text(target).splitlines() if line.startswith("#")}


def test_readme_names_only_commands_that_exist() -> None:
    """`make` targets and `chargerig` commands of the README are real."""
    readme, makefile = _text(ROOT / "README.md"), _text(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`?\bmake ([a-z]+)\b", "\n".join(re.findall(r"`[^`]*`|```.*?```", readme, re.DOTALL))))
    assert named and named <= targets
    commands = set(
        re.findall(r"\bchargerig ([a-z]+)\b", "\n".join(re.findall(r"`[^`]*`|```.*?```", readme, re.DOTALL)))
    )
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert commands and commands <= known.keys()


def test_readme_names_only_scenarios_that_exist() -> None:
    """Scenarios in commands of the README are packaged."""
    names = set(re.findall(r"chargerig (?:run|show) ([a-z][a-z0-9-]*)(?![\w.-])", _text(ROOT / "README.md")))
    assert names <= set(catalogue.scenarios())


def test_readme_opens_with_what_a_newcomer_needs() -> None:
    """The first screen: what it proves, the one command, one picture; then a glossary and where things are."""
    readme = _text(ROOT / "README.md")
    first = "\n".join(readme.splitlines()[:40])
    assert "make demo" in first and "![" in first
    for heading in ("## The words", "## Where is what"):
        assert heading in readme


def test_every_room_of_the_readme_exists() -> None:
    """Paths in backquotes that look like files of the project are there."""
    for path in re.findall(r"`([\w./-]+/[\w./-]*)`", _text(ROOT / "README.md")):
        if path.startswith(("reports/out", ".venv")):
            continue
        assert (ROOT / path).exists(), path


def test_the_version_is_in_the_changelog() -> None:
    """What is released is written down."""
    version = tomllib.loads(_text(ROOT / "pyproject.toml"))["project"]["version"]
    assert f"## {version}" in _text(ROOT / "CHANGELOG.md")


def test_ci_runs_every_gate() -> None:
    """.ci/run calls the three gates of the Makefile."""
    script = _text(ROOT / ".ci" / "run")
    assert "for goal in test verify slow" in script and 'make "$goal"' in script
