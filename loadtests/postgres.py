"""A PostgreSQL server of our own, in a temporary folder, heard on a socket in it only.

For tests and torture. Owned by an unprivileged user, as PostgreSQL refuses root. Whoever needs a
database has one made, as a rule a copy of one that was migrated once.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import psycopg

ABSENT = "PostgreSQL is not installed here (Debian: apt-get install postgresql)"
OWNER = "whet"
UNPRIVILEGED = ("postgres", "nobody")
UNSYNCED = ("fsync=off", "full_page_writes=off", "autovacuum=off")
"""What is acknowledged outlives the server's processes, and no crash of the machine."""
QUICK = (*UNSYNCED, "synchronous_commit=off")
"""What a crash would cost is no matter to a test, and time is."""
RECOVERY_S = 60.0
SETTINGS = ("listen_addresses=", "max_connections=300", "shared_buffers=32MB", "lc_messages=C")


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the newest version; None without one."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


def runner() -> str | None:
    """Return whom to run the server as: somebody else where we are root."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


class Cluster:
    """One server with its databases."""

    def __init__(self, settings: Sequence[str] = QUICK) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="whet-postgres-"))
        self._settings = (*SETTINGS, f"unix_socket_directories={self.folder}", *settings)
        self._names = (f"test_{n}" for n in count())
        self._open: psycopg.Connection | None = None
        if (user := runner()) is not None:
            shutil.chown(self.folder, user)
        data = ("-D", str(self.folder / "data"))
        self._run("initdb", *data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        self.psql("postgres", f"CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB")

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in self._settings)
        log = str(self.folder / "log")
        data = str(self.folder / "data")
        self._run("pg_ctl", "start", "-w", "-s", "-D", data, "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` as if it was killed."""
        if self._open is not None:
            self._open.close()
            self._open = None
        self._run("pg_ctl", "stop", "-w", "-s", "-D", str(self.folder / "data"), "-m", mode)

    def remove(self) -> None:
        """Stop it for good and delete what it held."""
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def database(self, template: str | None = None, name: str | None = None) -> str:
        """Make a database of `OWNER`, empty or as the one of a URL; return its URL."""
        made = name or next(self._names)
        origin = _name_in(template) if template else "template0"
        as_files = "STRATEGY FILE_COPY" if self._superuser().info.server_version >= 150000 else ""
        self._superuser().execute(
            f"CREATE DATABASE {made} OWNER {OWNER} TEMPLATE {origin} {as_files}".encode()
        )
        return self.url(made)

    def drop(self, url: str) -> None:
        """Drop the database of a URL, whoever uses it."""
        self._superuser().execute(f"DROP DATABASE {_name_in(url)} WITH (FORCE)".encode())

    @property
    def pid(self) -> int:
        """The server's first process, whose children do the work."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def processes_of(self, url: str) -> list[int]:
        """Return the server's processes that serve a database, those at work first."""
        found = self._superuser().execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s"
            " AND backend_type = 'client backend' ORDER BY state = 'idle', backend_start DESC",
            [_name_in(url)],
        )
        return [int(pid) for (pid,) in found]

    def kill(self, process: int) -> None:
        """Kill a process of the server, and wait until it has recovered.

        It ends all of its processes then, the one of our own connection too: that it has noticed.
        """
        import psycopg

        ours, end = self._superuser(), time.monotonic() + RECOVERY_S
        os.kill(process, signal.SIGKILL)
        with suppress(psycopg.OperationalError), ours:
            while time.monotonic() < end:
                ours.execute("SELECT pg_sleep(0.01)")
        self._open = None
        while self._open is None:
            try:
                self._superuser()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)

    def url(self, database: str, user: str = OWNER) -> str:
        """Return the URL of a database for a user."""
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def psql(self, database: str, *statements: str) -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        import psycopg

        url = self.url(database, "postgres")
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _superuser(self) -> psycopg.Connection:
        """Return a connection that is kept: to make one takes longer than to copy a database."""
        import psycopg

        if self._open is None:
            self._open = psycopg.connect(self.url("postgres", "postgres"), autocommit=True)
        return self._open

    def _run(self, program: str, *arguments: str) -> None:
        folder = programs()
        assert folder is not None, ABSENT
        done = subprocess.run(
            [folder / program, *arguments],
            user=runner(),
            cwd=self.folder,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if program == "initdb" else subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == 0, f"{program}: {done.stdout!r}"


def _name_in(url: str) -> str:
    """Return the name of a database that `Cluster.url` named."""
    return url.rpartition("/")[2].partition("?")[0]
