"""A PostgreSQL server of the tests' own, from Debian's package.

It runs in a folder that is thrown away, and listens on a socket in that folder and on no port.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from pwd import getpwnam

import pytest


def _server_programs() -> Path:
    """Return the folder of the newest `initdb` and `postgres` on this machine."""
    found = [
        path.parent
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if (path.parent / "postgres").is_file()
    ]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    pytest.fail("PostgreSQL is not installed: apt-get install postgresql", pytrace=False)


def _server_user() -> str | None:
    """Return whom to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.fail("PostgreSQL does not run as root, and there is no user postgres or nobody")


class PostgresServer:
    """A server; enter it to start it. `folder` has the socket to connect to."""

    def __enter__(self) -> PostgresServer:
        programs, self._user = _server_programs(), _server_user()
        # Not pytest's own folder: the path of a socket must be short, and the user must get there.
        self.folder = Path(tempfile.mkdtemp(prefix="hookflash-pg-"))
        try:
            if self._user is not None:
                shutil.chown(self.folder, self._user)
            data = self.folder / "data"
            initdb = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
            made = subprocess.run(
                [*initdb, "--no-sync", "-E", "UTF8", "--locale=C"],
                user=self._user,
                cwd=self.folder,
                capture_output=True,
                text=True,
            )
            assert made.returncode == 0, made.stderr
            self._control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
            self._control += ["-l", str(self.folder / "log")]
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off -c max_connections=50"
        assert self._run("-o", options, "start") == 0, (self.folder / "log").read_text()

    def stop(self) -> None:
        """End the server at once, as a crash does. One that does not run is not an error."""
        self._run("-m", "immediate", "stop")

    def _run(self, *arguments: str) -> int:
        return subprocess.run(
            [*self._control, *arguments],
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode
