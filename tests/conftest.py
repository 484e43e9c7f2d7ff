"""Brokers for tests: a real Apache Kafka (one node, started once), the embedded one, and a prefix of its own for each test.

`FLUX_TEST_KAFKA=HOST:PORT` uses a Kafka that runs already. Without Java or Maven the tests that need a real one skip and say so,
but never on CI.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.broker.embedded import EmbeddedBroker
from pipeline.broker.jars import missing_tools
from pipeline.broker.local import LocalKafka


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of a real Kafka of one node."""
    if given := os.environ.get("FLUX_TEST_KAFKA"):
        yield given
        return
    missing = missing_tools()
    if missing is not None and "CI" not in os.environ:
        pytest.skip(f"no real Kafka: {missing}")
    with tempfile.TemporaryDirectory(prefix="fluxai-kafka-", ignore_cleanup_errors=True) as directory:
        cluster = LocalKafka(Path(directory, "cluster"))
        try:
            yield cluster.start()
        finally:
            cluster.wipe()


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """Bootstrap address of an embedded broker that holds no topics yet: see `pipeline.broker.embedded.EmbeddedBroker.create_topics`."""
    broker = EmbeddedBroker()
    broker.start()
    EMBEDDED[broker.bootstrap] = broker
    yield broker.bootstrap
    del EMBEDDED[broker.bootstrap]
    broker.stop()


EMBEDDED: dict[str, EmbeddedBroker] = {}


@pytest.fixture
def embedded_topics(embedded: str, prefix: str) -> str:
    """The embedded broker with the catalogue's topics under `prefix`."""
    EMBEDDED[embedded].create_topics(prefix)
    return embedded


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test uses. Groups and transactional ids of the engine carry it too."""
    return f"t{uuid.uuid4().hex[:8]}."
