"""One transactional producer and what its errors mean.

Three classes, seen on a real broker: *retriable* (a time-out of commit, abort or send-offsets, CONCURRENT_TRANSACTIONS: the same call
again), *abortable* (an old generation, a moved coordinator, a lost sequence: abort and process the input again) and *exit* (fenced, an
invalid state: only a new process helps).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from pipeline.engine.errors import AbortNeeded, FatalEngineError, Stopped
from pipeline.engine.settings import EngineSettings
from pipeline.engine.watchdog import Stopwatch

LOG = structlog.get_logger("engine")
PATIENCE = 2.0
"""Aborting and initialising get this many times the budget: giving up on them costs the process."""
PAUSE_SECONDS = 0.05
REFUSALS = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD, KafkaError.RECORD_LIST_TOO_LARGE}
"""What a broker says of a record that it will not take at any time."""


class Transactions:
    """Begin, produce, send offsets, commit or abort. Not thread-safe; never poll the input with a transaction open."""

    def __init__(
        self,
        settings: EngineSettings,
        processor: str,
        on_error: Callable[[object], None],
        stopping: Callable[[], bool],
        watch: Stopwatch | None = None,
    ) -> None:
        self._producer = Producer(settings.producer(processor, on_error) | {"on_delivery": self._delivered})
        self._wait = settings.call_seconds
        self._budget = settings.budget_seconds
        self._stopping = stopping
        self._watch = watch or Stopwatch()
        self.committing = False
        """Whether the commit has been asked for: from then on its outcome is unknown until it is told."""
        self.refused: str | None = None
        """Why the broker will never take a record of the transaction in hand; None while it has said nothing like that."""

    def open(self) -> None:
        """Fence whoever had this transactional id before, and end the transaction it left."""
        try:
            self._call("init_transactions", self._producer.init_transactions, self._wait, budget=self._budget * PATIENCE)
        except AbortNeeded as error:
            raise FatalEngineError(f"init_transactions: {error}") from error

    def on_embedded_broker(self) -> bool:
        """Whether the cluster is librdkafka's mock, which says so in its id."""
        return str(self._producer.list_topics(timeout=self._wait).cluster_id).startswith("mockCluster")

    def begin(self) -> None:
        self.committing = False
        self.refused = None
        self._call("begin_transaction", self._producer.begin_transaction)

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        timestamp: int = 0,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> None:
        """Queue a record; when the queue is full, wait until some of it has gone (back-pressure)."""
        while True:
            try:
                if headers:
                    self._producer.produce(topic, value, key, partition, timestamp=timestamp, headers=list(headers))
                else:
                    self._producer.produce(topic, value, key, partition, timestamp=timestamp)
                return
            except BufferError:
                self._producer.poll(0.01)
            except KafkaException as error:
                problem = error.args[0]
                if problem.fatal():
                    raise FatalEngineError(f"produce: {problem.str()}") from error
                raise AbortNeeded(f"produce: {problem.str()}") from error

    def send_offsets(self, offsets: list[TopicPartition], group: object) -> None:
        """Always called, also when only timers fired: it is what tells a worker that was presumed dead that it is."""
        self._call("send_offsets", self._producer.send_offsets_to_transaction, offsets, group, self._wait)

    def commit(self) -> None:
        self.committing = True
        self._call("commit_transaction", self._producer.commit_transaction, self._wait)

    def abort(self) -> None:
        try:
            self._call("abort_transaction", self._producer.abort_transaction, self._wait, budget=self._budget * PATIENCE)
        except AbortNeeded:
            # Seen with a lost sequence number: a second abort clears it.
            self._call("abort_transaction", self._producer.abort_transaction, self._wait, budget=self._budget * PATIENCE)

    def flush(self) -> None:
        self._producer.flush(self._wait)

    def close(self) -> None:
        self._producer.close()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and error.code() in REFUSALS:
            self.refused = f"{message.topic()}: {error.str()}"

    def _call(self, name: str, function: Callable[..., object], *arguments: object, budget: float | None = None) -> None:
        ends = time.monotonic() + (self._budget if budget is None else budget)
        while True:
            self._watch.begin(name)
            try:
                function(*arguments)
                return
            except KafkaException as error:
                self._classify(name, error.args[0], error, time.monotonic() < ends)
            finally:
                self._watch.end()
            if self._stopping():
                raise Stopped(name)
            time.sleep(PAUSE_SECONDS)

    def _classify(self, call: str, problem: KafkaError, cause: KafkaException, time_left: bool) -> None:
        """Returns when the call may be made again, raises what has to be done otherwise."""
        text = f"{call}: {problem.name()}: {problem.str()}"
        LOG.warning("transaction call failed", call=call, code=problem.name(), text=problem.str(), fatal=problem.fatal())
        if problem.fatal():
            raise FatalEngineError(text) from cause
        if problem.txn_requires_abort():
            raise AbortNeeded(text) from cause
        if problem.retriable() and time_left:
            return
        if problem.code() == KafkaError._STATE and call == "commit_transaction":
            raise AbortNeeded(text) from cause
        raise FatalEngineError(text) from cause
