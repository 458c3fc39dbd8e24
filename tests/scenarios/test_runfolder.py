"""The folder of a run: whole or not at all, the same digest replaces itself, a foreign one is never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenarios.runfolder import RunFolder, open_run, read_manifest, write_manifest, write_verdicts
from sim.errors import BadInput
from sim.evidence.verdict import CheckResult, Finding, Verdict

DIGEST = "0123456789abcdef" * 4


def write(folder: RunFolder, text: str = "hello", digest: str = DIGEST, seed: int = 1) -> Path:
    """Fill a run folder and publish it."""
    (folder.path / "note.txt").write_text(text)
    write_manifest(folder.path, {"scenario_name": "tiny", "seed": seed, "digest": digest})
    return folder.publish(digest)


def test_a_run_lies_under_its_scenario_seed_and_digest(tmp_path: Path) -> None:
    with RunFolder("tiny", 1, base=tmp_path) as folder:
        assert folder.path.name.endswith(".partial")
        place = write(folder)
    assert place == tmp_path / "tiny-seed1-01234567"
    assert (place / "note.txt").read_text() == "hello"
    assert [entry.name for entry in tmp_path.iterdir()] == [place.name]


def test_the_same_digest_replaces_itself(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with RunFolder("tiny", 1, base=tmp_path) as folder:
            place = write(folder, text)
    assert (place / "note.txt").read_text() == "second"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RunFolder("tiny", 1, base=tmp_path) as folder:
        (folder.path / "half.txt").write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_older_run(tmp_path: Path) -> None:
    with RunFolder("tiny", 1, base=tmp_path) as folder:
        place = write(folder)
    with pytest.raises(ZeroDivisionError), RunFolder("tiny", 1, base=tmp_path):
        raise ZeroDivisionError
    assert (place / "note.txt").read_text() == "hello"


@pytest.mark.parametrize("kind", ["files", "file", "link", "other-json"])
def test_a_foreign_folder_is_refused_before_the_run_and_never_touched(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "mine"
    if kind == "file":
        place.write_text("precious")
    elif kind == "link":
        (tmp_path / "real").mkdir()
        place.symlink_to(tmp_path / "real")
    else:
        place.mkdir()
        (place / "manifest.json").write_text('{"format": "other"}' if kind == "other-json" else "precious")
    before = sorted(entry.name for entry in tmp_path.rglob("*"))
    with (
        pytest.raises(BadInput, match=r"mine: .*allowed: a folder that does not exist, is empty"),
        RunFolder("tiny", 1, place),
    ):
        pytest.fail("the run has begun")
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == before


def test_an_empty_folder_or_a_new_one_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "deep" / "new"):
        with RunFolder("tiny", 1, place) as folder:
            assert write(folder) == place
        assert (place / "note.txt").is_file()


def test_another_run_in_the_named_folder_is_foreign_too(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    with RunFolder("tiny", 1, place) as folder:
        write(folder)
    with pytest.raises(BadInput, match=r"another run \(tiny seed 1 digest 01234567\)"), RunFolder("tiny", 2, place):
        pytest.fail("the run has begun")
    with pytest.raises(BadInput, match="another run"), RunFolder("tiny", 1, place) as folder:
        write(folder, "changed", digest="f" * 64)
    assert (place / "note.txt").read_text() == "hello"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="file: is a file, so that"), RunFolder("tiny", 1, tmp_path / "file" / "run"):
        pytest.fail("the run has begun")
    with pytest.raises(BadInput, match="cannot be written"), RunFolder("tiny", 1, tmp_path / ("x" * 300) / "run"):
        pytest.fail("the run has begun")


def test_only_a_whole_run_can_be_opened(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        open_run(tmp_path / "gone")
    with pytest.raises(BadInput, match=r"manifest\.json: is missing"):
        open_run(tmp_path)
    write_manifest(tmp_path, {"seed": 1})
    with pytest.raises(BadInput, match=r"verdicts\.json: is missing"):
        open_run(tmp_path)
    write_verdicts(tmp_path, [])
    with pytest.raises(BadInput, match=r"evidence\.sqlite: is missing"):
        open_run(tmp_path)
    (tmp_path / "evidence.sqlite").write_bytes(b"")
    assert open_run(tmp_path)["seed"] == 1
    assert read_manifest(tmp_path / "gone") is None


def test_verdicts_hold_items_findings_and_what_was_forgiven(tmp_path: Path) -> None:
    finding = Finding("INV-02", "session", "s1", "billed twice")
    results = [
        CheckResult("INV-01", Verdict.UNKNOWN, "a", 0, reason="no books"),
        CheckResult("INV-02", Verdict.FAIL, "b", 7, (finding,)),
    ]
    write_verdicts(tmp_path, results, ["INV-01"])
    data = json.loads((tmp_path / "verdicts.json").read_text())
    assert (data["verdict"], data["allow_unknown"]) == ("FAIL", ["INV-01"])
    assert data["checks"][1]["items"] == 7
    assert data["checks"][1]["findings"][0]["subject"] == "s1"


def test_a_run_that_comes_to_nothing_leaves_no_folder_at_all(tmp_path: Path) -> None:
    """Not even the empty parents that it made; those that were there stay."""
    (tmp_path / "mine").mkdir()
    with RunFolder("day", 1, base=tmp_path / "mine" / "reports" / "out"):
        pass
    assert list(tmp_path.rglob("*")) == [tmp_path / "mine"]
