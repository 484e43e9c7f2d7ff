from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.scenarios.memory_backend import MemoryBackend
from tests.scenarios.timeline import Backend, Timeline

ROUTES = {"db": ("storage",), "*": ("oncall",)}
BACKUPS = {"oncall": "boss"}


def scenario(write: Callable[[Timeline], None]) -> Callable[[Backend], None]:
    """A test that plays what `write` writes, on each backend."""

    def test(backend: Backend) -> None:
        timeline = Timeline()
        write(timeline)
        timeline.play(backend)

    test.__name__, test.__doc__ = write.__name__, write.__doc__
    return test


@pytest.fixture(params=["memory"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield MemoryBackend(routes=ROUTES, backups=BACKUPS)
