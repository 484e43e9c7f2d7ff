"""Where partitions end and begin, asked live and only believed when all of it was answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipeline.engine.settings import EngineSettings

LATEST = -1
Input = tuple[str, int]
"""Full topic name and partition."""


class Ends:
    """A consumer that reads nothing. It counts open transactions in: whatever may yet commit lies below the end it tells."""

    def __init__(self, settings: EngineSettings, processor: str, on_error: Callable[[object], None]) -> None:
        self._config = settings.ends_consumer(processor, on_error)
        self._consumer = Consumer(self._config)
        self._wait = settings.call_seconds

    def watermarks(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset and end of one partition. Raises KafkaException while its leader is away; a retry helps then."""
        try:
            marks = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=self._wait)
        except KafkaException:
            self._begin_anew()
            raise
        if marks is None or marks[0] < 0 or marks[1] < 0:
            raise KafkaException(f"no watermarks of {topic}[{partition}]: {marks}")
        return int(marks[0]), int(marks[1])

    def _begin_anew(self) -> None:
        # A client that reads nothing does not ask again who leads a partition: after the loss of a broker it went on asking
        # the dead one, or said from memory that the partition is unknown, for as long as it lived. A new one asks.
        self._consumer.close()
        self._consumer = Consumer(self._config)

    def latest(self, inputs: Sequence[Input]) -> dict[Input, int]:
        """The ends of many partitions in one call to each broker. Those that were not answered are left out. Raises KafkaException."""
        asked = [TopicPartition(topic, partition, LATEST) for topic, partition in inputs]
        try:
            answered = self._consumer.offsets_for_times(asked, timeout=self._wait)
        except KafkaException:
            self._begin_anew()
            raise
        return {(each.topic, each.partition): each.offset for each in answered if each.error is None and each.offset >= 0}

    def close(self) -> None:
        self._consumer.close()
