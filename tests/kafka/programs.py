"""Programs from Debian packages that tests run for real."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def program(name: str, package: str) -> str:
    """Path of a program. Skips the test, saying why, when it is missing; on CI nothing may be missing."""
    path = shutil.which(name)
    if path is None:
        if "CI" in os.environ:
            pytest.fail(f"{name} is missing: .ci/packages.txt should bring the Debian package {package}")
        pytest.skip(f"no {name}: apt-get install {package}")
    return path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], log: Path, environ: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its output in `log` and `environ` added to the environment; ended, by force if it must be, when the block is left."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent, env={**os.environ, **(environ or {})})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def eventually(look: Callable[[], Found | None], within_s: float, what: str, every_s: float = 0.1) -> Found:
    """What `look` returns once it is not None. Fails with `what` when that takes too long."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        found = look()
        if found is not None:
            return found
        time.sleep(every_s)
    pytest.fail(f"not within {within_s:g} s: {what}")
