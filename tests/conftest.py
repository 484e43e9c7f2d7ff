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

os.environ["FLUX_TEST_NO_MODEL_CALLS"] = "1"  # inherited by child processes: no test asks a model beyond this machine

EMBEDDED: dict[str, EmbeddedBroker] = {}
"""The embedded brokers that run, by bootstrap address: for fixtures that are given only the address."""


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
        cluster = LocalKafka(Path(directory, "cluster"), quick=True)
        try:
            yield cluster.start()
        finally:
            cluster.wipe()


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """An embedded broker that holds no topics yet."""
    broker = EmbeddedBroker()
    EMBEDDED[broker.start()] = broker
    yield broker
    del EMBEDDED[broker.bootstrap]
    broker.stop()


@pytest.fixture(scope="session")
def embedded(embedded_broker: EmbeddedBroker) -> str:
    """Bootstrap address of the embedded broker."""
    return embedded_broker.bootstrap


@pytest.fixture
def embedded_topics(embedded_broker: EmbeddedBroker, prefix: str) -> str:
    """Bootstrap address of the embedded broker, with the catalogue's topics under `prefix`."""
    embedded_broker.create_topics(prefix)
    return embedded_broker.bootstrap


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test uses. Groups and transactional ids of the engine carry it too."""
    return f"t{uuid.uuid4().hex[:8]}."
