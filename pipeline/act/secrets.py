"""Secrets of receivers: named in the configuration, read once when the lane starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agents.notify.receivers import url_problem
from pipeline.settings import Problem, SettingsError

MAX_BYTES = 64 * 1024


def reveal(reference: str, environ: Mapping[str, str], *, whose: str) -> str:
    """The value behind `env:NAME` or `file:PATH`, without white space around it. Raises SettingsError; a retry does not help."""
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = environ.get(name, "").strip()
        if not value:
            raise SettingsError([Problem(name, f"is not set, and the receiver {whose} needs it", f"Set {name}, or use file:PATH")])
    else:
        value = _from_file(Path(name), whose)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise SettingsError([Problem(name, f"the secret of {whose} has control characters in it", "Give one line of text")])
    return value


def reveal_url(text: str, environ: Mapping[str, str], *, whose: str) -> str:
    """A URL that may be named like a secret. Raises SettingsError."""
    if not text.startswith(("env:", "file:")):
        return text
    url = reveal(text, environ, whose=whose)
    problem = url_problem(url)
    if problem is not None:
        what, _, fix = problem.partition(". ")
        raise SettingsError([Problem(text.partition(":")[2], f"the value for {whose} {what}", fix)])
    return url


def _from_file(path: Path, whose: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError([Problem(str(path), f"is too large to be the secret of {whose}", "Name the file with the secret")])
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise SettingsError([Problem(str(path), f"cannot be read ({reason}), and {whose} needs it", "Name a readable file")]) from None
    if not value:
        raise SettingsError([Problem(str(path), f"is empty, and the receiver {whose} needs it", "Put the secret into it")])
    return value
