"""Faust's Kafka transport, mended for topics that a transactional producer writes: committed records only, commits past the markers.

Only the topics in `Transport.bridged` are committed our way; other topics of the application are left to Faust. Its own way needs
consecutive offsets and acknowledges what it skips in a rebalance, which is why nothing of it is used for ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ack_lock
from mode.utils.futures import notify

from pipeline.bridge.progress import Progress


class UnsafeAppError(RuntimeError):
    """The application is set up so that messages could be lost. Says what to change; a retry does not help."""


class _NoReadOffset(dict[Any, Any]):
    """Faust drops what lies below the offset it read last, and nobody would acknowledge that. So here it never knows one."""

    def __getitem__(self, partition: Any) -> None:
        return None


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the Kafka client."""

    consumer: Consumer

    def _create_worker_consumer(self, transport: Any) -> Any:
        client = super()._create_worker_consumer(transport)
        if not hasattr(client, "_isolation_level"):
            raise UnsafeAppError("this aiokafka keeps its isolation level elsewhere, so aborted records would be read; use the locked one")
        client._isolation_level = "read_committed"  # applied when it starts; Faust has no setting for it
        return client

    async def _fetch_records(self, consumer: Any, active_partitions: Any, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(consumer, active_partitions, *args, **kwargs)
        # No await from here to the end: the records just given out and the new positions are noted as one.
        assignment = consumer._subscription.subscription.assignment
        ours = [partition for partition in assignment.tps if self.consumer.is_bridged(partition.topic)] if assignment is not None else []
        states = {ensure_TP(partition): assignment.state_value(partition) for partition in ours}
        self.consumer.progress.fetched(
            {ensure_TP(tp): [record.offset for record in some] for tp, some in records.items() if self.consumer.is_bridged(tp.topic)},
            {tp: state.position for tp, state in states.items() if state.has_valid_position},
        )
        return records

    async def seek_to_committed(self) -> Any:
        return await self.call_thread(self._seek_to_committed)

    async def _seek_to_committed(self) -> dict[Any, Any]:
        """Each partition is sought and forgotten without an await between; without a commit it goes back to the oldest in flight."""
        consumer, committed = self._ensure_consumer(), {}
        for partition in consumer.assignment():
            committed.update(await consumer.seek_to_committed(partition))
            oldest = self.consumer.progress.oldest(ensure_TP(partition))
            if not committed[partition] and oldest is not None:
                consumer.seek(partition, oldest)
            self.consumer.progress.forget([ensure_TP(partition)])
        return committed


class Consumer(driver.Consumer):
    """The main thread's side: acknowledges and says what to commit."""

    def __init__(self, transport: Transport, *args: Any, **kwargs: Any) -> None:
        self.progress: Progress[Any] = Progress()
        self._bridged = transport.bridged
        super().__init__(transport, *args, **kwargs)
        if self.in_transaction:
            raise UnsafeAppError("processing_guarantee='exactly_once' writes outputs outside its transactions; leave it at 'at_least_once'")
        self._read_offset = _NoReadOffset()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def is_bridged(self, topic: str) -> bool:
        return topic in self._bridged

    def ack(self, message: Any) -> bool:
        if not self.is_bridged(message.topic):
            return bool(super().ack(message))
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
        self._unacked_messages.discard(message)
        if message.tracked:  # given to the agent; Faust also acknowledges what it skips in a rebalance, and that is not handled
            self.progress.handled(message.tp, message.offset)
            self._n_acked += 1
        notify(self._waiting_for_ack)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[Any]:
        yield from super()._filter_tps_with_pending_acks(topics)
        yield from (tp for tp in self.progress.partitions() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: Any) -> int | None:
        return self.progress.committable(tp) if self.is_bridged(tp.topic) else super()._new_offset(tp)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await super().on_partitions_revoked(revoked)  # stops the flow
        await self.commit({tp for tp in self.progress.partitions() if tp in revoked})
        self.progress.forget(revoked)


class Transport(driver.Transport):
    """Faust's Kafka transport for an application that reads our topics. `bridged`: full names of the topics that are committed our way."""

    Consumer = Consumer

    def __init__(self, url: Any, app: Any, bridged: set[str]) -> None:
        super().__init__(url, app)
        self.bridged = bridged
