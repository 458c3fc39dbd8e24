"""Where the records of a run go: a folder that appears whole or not at all.

A run is written beside its place into `<name>.<pid>.partial` and renamed when everything is in it. The same digest
replaces itself; whatever else lies there is somebody else's and is never touched. Nothing here may know what is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sim.errors import BadInput
from sim.evidence.verdict import CheckResult, overall

FORMAT = "chargerig-run/1"
DEFAULT_BASE = Path("reports") / "out"
MANIFEST = "manifest.json"
VERDICTS = "verdicts.json"


class RunFolder:
    """The folder of one run while it is being written; use as a context manager.

    Write into `path`, then call `publish(digest)`, which returns where the run lies. Leaving without it removes what
    was written. With `out` that is the folder itself, otherwise `<base>/<scenario>-seed<N>-<digest8>`.
    """

    def __init__(self, scenario: str, seed: int, out: Path | None = None, base: Path = DEFAULT_BASE) -> None:
        self._scenario = scenario
        self._seed = seed
        self._out = out
        self._base = base if out is None else out.absolute().parent
        stem = f"{scenario}-seed{seed}" if out is None else out.absolute().name
        self.path = self._base / f"{stem}.{os.getpid()}.partial"
        self._made: list[Path] = []

    def __enter__(self) -> RunFolder:
        if self._out is not None:
            _refuse_foreign(self._out, self._scenario, self._seed, None)
        try:
            self._made = [folder for folder in (self._base, *self._base.parents) if not folder.exists()]
            self._base.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.path, ignore_errors=True)  # ours: the name holds our own process id
            self.path.mkdir()
        except OSError as err:
            raise _unwritable(self._base, err) from None
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        for folder in self._made:  # those that nothing came to lie in
            with contextlib.suppress(OSError):
                folder.rmdir()

    def publish(self, digest: str) -> Path:
        """Put the whole folder in its place. Raises BadInput if something foreign lies there."""
        place = self._out or self._base / f"{self._scenario}-seed{self._seed}-{digest[:8]}"
        _refuse_foreign(place, self._scenario, self._seed, digest)
        old = self.path.with_suffix(".old")
        try:
            if place.is_dir():
                os.replace(place, old)
            os.replace(self.path, place)
        except BaseException as err:  # also a signal: what lay there before is not to be lost
            if old.is_dir() and not place.exists():
                os.replace(old, place)
            if isinstance(err, OSError):
                raise _unwritable(place, err) from None
            raise
        shutil.rmtree(old, ignore_errors=True)
        return place


def _refuse_foreign(place: Path, scenario: str, seed: int, digest: str | None) -> None:
    """Raise BadInput unless nothing, an empty folder or this very run lies there. Without digest: any of this seed."""
    if not os.path.lexists(place):
        return
    allowed = "a folder that does not exist, is empty, or holds this very run"
    if place.is_symlink() or not place.is_dir():
        raise BadInput(place, None, "is no folder", allowed)
    if not any(place.iterdir()):
        return
    manifest = read_manifest(place)
    if manifest is None:
        raise BadInput(place, None, "holds something that no run of chargerig has written", allowed)
    same = (manifest.get("scenario_name"), manifest.get("seed")) == (scenario, seed)
    if not same or (digest is not None and manifest.get("digest") != digest):
        held = f"{manifest.get('scenario_name')} seed {manifest.get('seed')} digest {str(manifest.get('digest'))[:8]}"
        raise BadInput(place, None, f"holds another run ({held})", allowed)


def _unwritable(place: Path, err: OSError) -> BadInput:
    file = next((one for one in (place, *place.parents) if os.path.isfile(one)), None)
    if file is not None:
        return BadInput(file, None, "is a file, so that no folder can be made in it", "the path of a folder")
    return BadInput(place, None, f"cannot be written ({err.strerror})", "a folder that this user may write to")


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a run folder, None if it is not one."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("format") == FORMAT else None


def open_run(folder: Path) -> dict[str, Any]:
    """The manifest of a finished run. Raises BadInput if the folder is none."""
    if not folder.is_dir():
        problem = "is a file" if folder.is_file() else "there is no such folder"
        raise BadInput(folder, None, problem, "the folder of a run")
    manifest = read_manifest(folder)
    if manifest is None:
        raise BadInput(folder, MANIFEST, "is missing or not of chargerig", f"the folder of a run, format {FORMAT}")
    for name in (VERDICTS, "evidence.sqlite"):
        if not (folder / name).is_file():
            raise BadInput(folder, name, "is missing", "the whole folder of a run")
    return manifest


def newest_run(base: Path = DEFAULT_BASE) -> Path:
    """The folder of the run that was written last. Raises BadInput if there is none."""
    folders = [one for one in base.iterdir() if read_manifest(one) is not None] if base.is_dir() else []
    if not folders:
        raise BadInput(base, None, "holds no run", "the folder of a run as an argument, or a run first")
    return max(folders, key=lambda one: ((one / MANIFEST).stat().st_mtime_ns, one.name))


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write manifest.json; `format` marks the folder as ours."""
    _write_json(folder / MANIFEST, {"format": FORMAT, **manifest})


def write_verdicts(folder: Path, results: Iterable[CheckResult], allow_unknown: Iterable[str] = ()) -> None:
    """Write verdicts.json: the verdict of the run, and of each check its items and findings with their evidence."""
    results, forgiven = list(results), sorted(allow_unknown)
    data = {
        "format": FORMAT,
        "verdict": overall(results, forgiven).value,
        "allow_unknown": forgiven,
        "checks": [msgspec.to_builtins(result) for result in results],
    }
    _write_json(folder / VERDICTS, data)


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
