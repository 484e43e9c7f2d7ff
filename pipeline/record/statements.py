"""The SQL of this room: one statement a file in `queries/`, found by its name."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import LiteralString


@cache
def sql(name: str) -> LiteralString:
    """The statement of `queries/<name>.sql`. Raises FileNotFoundError for a name that is not there."""
    text: LiteralString = resources.files("pipeline.record").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    return text
