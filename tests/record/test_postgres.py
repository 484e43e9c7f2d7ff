"""The embedded server: who owns it, what outlives it, and what it leaves alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pipeline.record import postgres_files
from pipeline.record.postgres import EmbeddedPostgres, answers, running_socket, running_url

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, time
from pathlib import Path
from pipeline.record.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
time.sleep(60)
"""


def say(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as session:
        cursor = session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_data_outlive_the_server(scratch: Path) -> None:
    with EmbeddedPostgres(scratch / "pg") as url:
        say(url, "CREATE TABLE kept AS SELECT 7 AS n")
    assert running_url(scratch / "pg") is None
    with EmbeddedPostgres(scratch / "pg") as url:
        assert say(url, "SELECT n FROM kept") == [(7,)]


def test_a_second_user_of_the_directory_shares_the_server_and_does_not_stop_it(scratch: Path) -> None:
    with EmbeddedPostgres(scratch / "pg") as url:
        with EmbeddedPostgres(scratch / "pg") as same:
            assert same == url == running_url(scratch / "pg")
        assert answers(url)


def test_a_server_whose_owner_was_killed_is_taken_over_and_stopped(scratch: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(scratch / "pg")], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        owner.kill()
    assert answers(url)
    with EmbeddedPostgres(scratch / "pg") as same:
        assert same == url
    assert not answers(url)


def test_a_killed_server_starts_again_with_its_data(scratch: Path) -> None:
    server = EmbeddedPostgres(scratch / "pg")
    url = server.start()
    say(url, "CREATE TABLE kept AS SELECT 7 AS n")
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    while answers(url):
        pass
    assert server.start() == url
    assert say(url, "SELECT n FROM kept") == [(7,)]
    server.stop()


def test_a_part_made_data_directory_is_made_anew(scratch: Path) -> None:
    (scratch / "pg" / "data" / "base").mkdir(parents=True)
    with EmbeddedPostgres(scratch / "pg") as url:
        assert say(url, "SELECT 1") == [(1,)]


def test_a_path_too_long_for_a_socket_works(scratch: Path) -> None:
    directory = scratch / ("long" * 25) / "pg"
    with EmbeddedPostgres(directory) as url:
        assert say(url, "SELECT 1") == [(1,)]
        socket = running_socket(directory / "data")
        assert socket is not None
        assert socket.exists()
    assert not socket.exists(), "nothing is left in the temporary folder"


@pytest.fixture
def private_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fluxai-home-") as name:
        home = Path(name)
        home.chmod(0o700)
        yield home


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_a_private_home_stays_private(private_home: Path, monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    programs = postgres_files.installed_programs()
    site = private_home / "site-packages"
    site.symlink_to(programs.parents[2])
    hidden = site / programs.relative_to(programs.parents[2])
    monkeypatch.setattr(postgres_files, "installed_programs", lambda: hidden)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with EmbeddedPostgres(private_home / ".flux" / "postgres") as url:
        assert say(url, "SELECT 1") == [(1,)]
        assert running_url(private_home / ".flux" / "postgres") == url
        assert "fluxai-postgres-" in url
    assert private_home.stat().st_mode & 0o777 == 0o700


def test_a_server_that_cannot_start_says_why(scratch: Path) -> None:
    server = EmbeddedPostgres(scratch / "pg")
    server.start()
    server.stop()
    (server.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(postgres_files.PostgresFailed, match="no_such_setting"):
        server.start()
