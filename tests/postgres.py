"""A PostgreSQL of the tests' own: made, started and stopped here, or the one that CHARGERIG_TEST_POSTGRES names.

Its files lie in a new folder for temporary files, it listens at a socket in there and at no port. It may lose everything
when the machine dies (fsync off), never when a process does. Ends only the process that it started itself.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

VARIABLE = "CHARGERIG_TEST_POSTGRES"
PASSWORD = "only-for-tests"
_USERS = ("postgres", "nobody")  # initdb refuses root
_UP_S = 60.0
_KNOWS_ICU = 15
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "20",
}


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest one that there is."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: -int(one.parent.name))
    return next((one for one in folders if (one / "initdb").exists() and (one / "postgres").exists()), None)


def missing(own: bool) -> str | None:
    """Why there is no PostgreSQL for tests, or None. `own`: it must be one that we may stop."""
    if programs() is not None or (os.environ.get(VARIABLE) and not own):
        return None
    reason = "no initdb in PATH or /usr/lib/postgresql (Debian: apt-get install postgresql)"
    return reason if own else f"{reason}, no {VARIABLE}"


class Cluster:
    """A database on a server, with a schema for each test that asks for one."""

    def __init__(self, own: bool = False) -> None:
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._name = f"chargerig_test_{os.getpid()}"
        self.folder: Path | None = None
        self._server = os.environ.get(VARIABLE, "") if not own else ""
        if not self._server:
            self._make()
        self.run(
            self._server,
            f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)",
            f"CREATE DATABASE {self._name} ENCODING 'UTF8' TEMPLATE template0",
        )
        self.url = _url(sa.make_url(self._server).set(database=self._name))

    def _make(self) -> None:
        self.folder = folder = Path(tempfile.mkdtemp(prefix="chargerig-pg-"))
        self._as: dict[str, Any] = {"cwd": folder, "env": {**os.environ, "HOME": str(folder), "LC_ALL": "C"}}
        if os.geteuid() == 0:
            user = next(one for name in _USERS for one in pwd.getpwall() if one.pw_name == name)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        command = [self._program("initdb"), "-D", "data", "-U", "tester", "--pwfile", "password", "-A", "scram-sha-256"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        version = subprocess.run([self._program("initdb"), "--version"], capture_output=True, text=True).stdout
        if int(version.split()[2].partition(".")[0]) >= _KNOWS_ICU:
            command += ["--locale-provider=icu", "--icu-locale=en"]  # an order that is not Python's
        made = subprocess.run(command, capture_output=True, text=True, **self._as)
        assert made.returncode == 0, made.stderr
        self._server = f"postgresql+psycopg://tester:{PASSWORD}@/postgres?host={folder}"
        self.start()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        assert self.folder is not None
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [self._program("postgres"), "-D", "data", "-k", str(self.folder), *settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as)
        until = time.monotonic() + _UP_S
        while True:
            try:
                self._connect(self._server).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise AssertionError((self.folder / "log").read_text("utf-8", "replace")[-800:]) from None
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server at once; SIGINT ends what is under way, SIGQUIT is as a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        """End it for good."""
        if self.folder is None:
            self.run(self._server, f"DROP DATABASE {self._name} WITH (FORCE)")
            return
        self.stop()
        shutil.rmtree(self.folder)

    def schema(self) -> str:
        """The URL of a new empty schema, which is cheaper than a database."""
        name = f"s{next(self._numbers)}"
        self.run(self.url, f"CREATE SCHEMA {name}")
        return _url(sa.make_url(self.url).update_query_dict({"options": f"-csearch_path={name}"}))

    def drop(self, url: str) -> None:
        """Remove a schema of ours and all that is in it."""
        name = str(sa.make_url(url).query["options"]).rpartition("=")[2]
        self.run(self.url, "SET client_min_messages = warning", f"DROP SCHEMA {name} CASCADE")

    def run(self, url: str, *statements: str) -> list[tuple[Any, ...]]:
        """Statements from outside, each by itself; the rows of the last one."""
        with self._connect(url) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def cut(self, url: str) -> None:
        """End every connection to that database but our own."""
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
        self.run(url, f"SELECT pg_terminate_backend(pid) {others}")

    def _program(self, name: str) -> str:
        folder = programs()
        assert folder is not None
        return str(folder / name)

    def _connect(self, url: str) -> psycopg.Connection[Any]:
        parsed = sa.make_url(url)
        return psycopg.connect(
            **parsed.translate_connect_args(username="user", database="dbname"), **parsed.query, autocommit=True
        )


def _url(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)
