"""The embedded broker: librdkafka's mock cluster, which ships inside the confluent-kafka wheel.

No Java, no download, and it starts in milliseconds. It speaks Kafka's protocol on loopback ports,
so other processes and other clients can use it. What it does not do:

* It lives in the memory of the process that started it: when that ends, all is gone. Never make a claim of durability on it.
* It keeps about 5 MiB of a partition and drops the oldest records; it does not compact. A changelog that outgrows this
  loses rows, so it is for minutes of a demonstration and for tests, not for days.
* It accepts transactions, but shows their records before the commit and also after an abort; offsets sent to a transaction are
  forgotten. The engine is right on it because each task's positions are rows of its state.
* It answers no admin calls (create, describe, alter): topics are made by `create_topics` or by asking for their metadata.
* Consumer groups work, with one aiokafka member a group.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import confluent_kafka
from confluent_kafka import Producer

from schemas.topics import CATALOGUE, full_name

RD_KAFKA_PRODUCER = 0
ERROR_TEXT_BYTES = 512
NUDGE_S = 0.01


class EmbeddedBrokerError(RuntimeError):
    """The mock cluster refused. A retry does not help."""


class EmbeddedBroker:
    """A mock cluster of `brokers` nodes; `bootstrap` is what clients connect to once it is started."""

    def __init__(self, brokers: int = 1) -> None:
        self.bootstrap = ""
        self._brokers = brokers
        self._library: ctypes.CDLL | None = None
        self._client: ctypes.c_void_p | None = None
        self._cluster: ctypes.c_void_p | None = None
        self._keeper: Producer | None = None

    def start(self) -> str:
        """Start it and return its bootstrap addresses. Starting again is harmless."""
        if not self.bootstrap:
            self._library = librdkafka()
            if self._library is None:
                self._start_through_the_wheel()
            else:
                self._start_through_ctypes(self._library)
        return self.bootstrap

    def create_topics(self, prefix: str, partitions: Mapping[str, int] | None = None) -> None:
        """Create the catalogue's topics, or those of `partitions` (short names and their counts). One that is there already is left alone.

        Where librdkafka's own library cannot be reached, all topics get the mock's default of 4 partitions: fewer than
        the catalogue says, but co-partitioned.
        """
        wanted = partitions if partitions is not None else {topic.name: topic.partitions for topic in CATALOGUE}
        with self._awake():
            for name, count in wanted.items():
                self.create_topic(full_name(prefix, name), count)

    def create_topic(self, name: str, partitions: int) -> None:
        """Create one topic by its full name. Raises EmbeddedBrokerError when the broker has not been started."""
        if not self.bootstrap:
            raise EmbeddedBrokerError("the embedded broker has not been started")
        if self._library is None or self._cluster is None:
            client = Producer({"bootstrap.servers": self.bootstrap})
            client.list_topics(name, timeout=10)
            return
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code not in (0, confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS):
            raise EmbeddedBrokerError(f"the embedded broker did not create {name}: error {code}")

    def stop(self) -> None:
        """End it; all it held is gone. Stopping again is harmless."""
        if self._library is not None and self._cluster is not None:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._client)
        self._cluster = self._client = self._keeper = None
        self.bootstrap = ""

    @contextmanager
    def _awake(self) -> Iterator[None]:
        """Now and then the mock cluster misses a call, and finds it after its next second of sleep, or when somebody connects."""
        done = threading.Event()

        def nudge() -> None:
            host, _, port = self.bootstrap.partition(",")[0].rpartition(":")
            while not done.wait(NUDGE_S):
                with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                    continue

        thread = threading.Thread(target=nudge, name="nudge", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(2)

    def _start_through_ctypes(self, library: ctypes.CDLL) -> None:
        error = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
        conf = ctypes.c_void_p(library.rd_kafka_conf_new())
        # The client that carries the cluster connects to nothing, which librdkafka would warn about.
        library.rd_kafka_conf_set(conf, b"log_level", b"0", error, ERROR_TEXT_BYTES)
        client = library.rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, ERROR_TEXT_BYTES)
        if not client:
            raise EmbeddedBrokerError(f"librdkafka made no client: {error.value.decode(errors='replace')}")
        self._client = ctypes.c_void_p(client)
        cluster = library.rd_kafka_mock_cluster_new(self._client, self._brokers)
        if not cluster:
            raise EmbeddedBrokerError("librdkafka made no mock cluster")
        self._cluster = ctypes.c_void_p(cluster)
        # Without a controller an admin call waits out its time; with one it is told at once that it is not supported.
        library.rd_kafka_mock_set_controller_id(self._cluster, 1)
        # A static member that is told to wait for others would make each start 3 s slower.
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def _start_through_the_wheel(self) -> None:
        self._keeper = Producer({"bootstrap.servers": "embedded", "test.mock.num.brokers": self._brokers, "log_level": 0})
        brokers = self._keeper.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


@functools.cache
def librdkafka() -> ctypes.CDLL | None:
    """The library that confluent-kafka itself runs on, with the calls of `rdkafka_mock.h` declared; None when it is linked in elsewhere."""
    package = Path(confluent_kafka.__file__).parent
    found = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*.dylib")]
    name = str(found[0]) if found else ctypes.util.find_library("rdkafka")
    if name is None:
        return None
    library = ctypes.CDLL(name)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for call, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_set_controller_id", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
    ):
        function = getattr(library, call, None)
        if function is None:
            return None
        function.restype, function.argtypes = result, arguments
    return library
