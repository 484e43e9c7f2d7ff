"""Where the `fluxai run` of this folder is: a small file, so that other commands find its broker and database by themselves."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "run.json"


@dataclass(frozen=True, slots=True)
class Running:
    """`pid` owns the file; when it is gone the file says nothing."""

    pid: int
    brokers: str
    postgres_url: str
    cluster_id: str | None
    topic_prefix: str
    api_url: str


def running(state_dir: Path) -> Running | None:
    """The run of this folder, if one is going on."""
    try:
        found = Running(**json.loads((state_dir / FILE).read_text()))
        os.kill(found.pid, 0)
    except PermissionError:
        return found
    except (OSError, ValueError, TypeError):
        return None
    return found


@contextlib.contextmanager
def announced(state_dir: Path, run: Running) -> Iterator[None]:
    """While the block runs, other commands find this run. A second run beside it leaves the first one's file alone."""
    if running(state_dir) is not None:
        yield
        return
    file = state_dir / FILE
    scratch = file.with_suffix(".new")
    scratch.touch(mode=0o600)  # the database's URL may hold a password
    scratch.write_text(json.dumps(asdict(run)))
    scratch.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
