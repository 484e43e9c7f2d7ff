from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pipeline.broker.topics import apply
from schemas.topics import CATALOGUE
from tests.scenarios.broker_backend import BrokerBackend
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


@pytest.fixture(params=["memory", "embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def backend(request: pytest.FixtureRequest, prefix: str) -> Iterator[Backend]:
    if request.param == "memory":
        yield MemoryBackend(routes=ROUTES, backups=BACKUPS)
        return
    if request.param == "embedded":
        embedded = request.getfixturevalue("embedded_broker")
        embedded.create_topics(prefix, {topic.name: 1 for topic in CATALOGUE})
        bootstrap = embedded.bootstrap
    else:
        bootstrap = request.getfixturevalue("kafka")
        apply(bootstrap, prefix, partitions=1)
    broker = BrokerBackend(bootstrap, prefix, ROUTES, BACKUPS)
    yield broker
    broker.close()
