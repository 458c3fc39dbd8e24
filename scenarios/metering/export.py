"""The signed records of a run's bills as XML containers, one file per bill, for the transparency software.

Taken from the data of the bills as they were booked; a bill without signed records has no file. A new folder is written,
or nothing.
"""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

from sim.errors import BadInput, unknown
from sim.evidence.store import open_evidence
from sim.metering.container import in_one_session, write_container

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def export_bills(run: Path, out: Path, only: str = "") -> tuple[str, ...]:
    """Write the containers and give their file names. Raises BadInput for a folder that is no run or is there already."""
    evidence = run / "evidence.sqlite"
    if not evidence.is_file():
        raise BadInput(run, None, "holds no evidence.sqlite", "the folder of a run")
    if out.exists():
        raise BadInput(out, None, "is there already", "a folder that is not there yet")
    with closing(open_evidence(evidence)) as found:
        rows = found.rows("SELECT backend, number, data FROM books_bills ORDER BY backend, number")
    files = {}
    for row in rows:
        if only in ("", row["number"]):
            data = json.loads(row["data"] or "{}").get("verification") or {}
            texts = [record["text"] for record in data.get("records") or ()]
            container = write_container(in_one_session(texts, data.get("public_key") or "", 1))
            if container:
                files[_UNSAFE.sub("_", f"{row['backend']}-{row['number']}") + ".xml"] = container
    if only and not any(row["number"] == only for row in rows):
        raise BadInput(run, "--bill", *unknown("bill", only, [row["number"] for row in rows]))
    out.mkdir(parents=True)
    for name, text in files.items():
        (out / name).write_bytes(text.encode())
    return tuple(files)
