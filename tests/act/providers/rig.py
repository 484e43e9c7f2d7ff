"""What the contract suite needs of a provider and the server behind it. A new provider adds a maker to MAKERS in conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.act.providers.base import Failure, Provider


class Spoilt(StrEnum):
    """How a server fails."""

    DEAD = "nobody listens"
    HANGS = "takes the request and is silent"
    HANGS_AFTER_FIRST = "is silent after the first piece"
    BUSY = "says that it is too busy"
    DRIPS = "gives a byte now and then"
    ERROR_IN_STREAM = "says in the middle that it failed"
    TRUNCATED = "ends in good order before the end"
    CUT = "breaks the connection in the middle"
    GARBAGE = "talks another protocol"
    RESETS = "breaks the connection before an answer"


EXPECTED: Mapping[Spoilt, Failure] = {
    Spoilt.DEAD: Failure.UNREACHABLE,
    Spoilt.HANGS: Failure.TIMEOUT,
    Spoilt.HANGS_AFTER_FIRST: Failure.TIMEOUT,
    Spoilt.BUSY: Failure.OVERLOADED,
    Spoilt.DRIPS: Failure.TIMEOUT,
    Spoilt.ERROR_IN_STREAM: Failure.BROKEN,
    Spoilt.TRUNCATED: Failure.BROKEN,
    Spoilt.CUT: Failure.BROKEN,
    Spoilt.GARBAGE: Failure.BROKEN,
    Spoilt.RESETS: Failure.UNREACHABLE,
}


@dataclass
class Rig:
    """A provider and its server, both running."""

    provider: Provider
    spoil: Callable[[Spoilt], None] | None = None
    """Let all following requests fail so; None where the server is real."""
    connections: Callable[[], int] | None = None
    """How many the server holds open now."""
    most_connections: int = 0
    gives_probabilities: bool = True


@dataclass(frozen=True)
class Maker:
    open: Callable[[], AbstractAsyncContextManager[Rig]]
    """The context closes the provider too; a test may have closed it before."""
    spoils: frozenset[Spoilt] = field(default=frozenset(EXPECTED))
    """What its fake can do; empty where the server is real."""
