"""The catalogue's topics on a broker: make them, check them, print what they are and who may touch them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, ConfigResource, NewTopic, ResourceType  # type: ignore[attr-defined]

from schemas.topics import CATALOGUE, COPARTITIONED, Topic

TIMEOUT = 30.0
APPLY = "run `fluxai topics apply`"
LOG_APPEND_TIME = "LogAppendTime"


class BrokersUnavailable(RuntimeError):
    """No broker answered in time, or it refused. A retry may help."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one topic and what to do about it, as sentences."""

    topic: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.what}; {self.fix}"


def apply(
    brokers: str,
    prefix: str,
    *,
    client: Mapping[str, str] | None = None,
    partitions: int | None = None,
    names: Iterable[str] | None = None,
    timeout: float = TIMEOUT,
) -> list[str]:
    """Create the topics that are missing and return their full names; those that exist are left as they are (see `check`).

    `partitions` replaces the catalogue's count for all topics keyed by domain; `names` (short) limits the work to some.
    The replication factor is 3, or the number of brokers when there are fewer. Raises BrokersUnavailable.
    """
    admin = _admin(brokers, client)
    metadata = _metadata(admin, timeout)
    copies = min(3, len(metadata.brokers))
    new = [
        NewTopic(prefix + topic.name, expected_partitions(topic, partitions), copies, config=settings(topic, copies))
        for topic in _chosen(names)
        if prefix + topic.name not in metadata.topics
    ]
    created = []
    if new:
        for name, future in admin.create_topics(new, operation_timeout=timeout, request_timeout=timeout).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise BrokersUnavailable(f"topic {name} was not created: {error.args[0].str()}") from error
            else:
                created.append(name)
        _wait_for_leaders(admin, [each.topic for each in new], timeout)
    return created


def check(
    brokers: str,
    prefix: str,
    *,
    client: Mapping[str, str] | None = None,
    partitions: int | None = None,
    names: Iterable[str] | None = None,
    timeout: float = TIMEOUT,
) -> list[Problem]:
    """What a worker would stumble over: missing topics, wrong or unequal partition counts, missing compaction, small limits.

    The settings of topics are not looked at on a broker that has no call for them (the embedded one). Raises BrokersUnavailable.
    """
    admin = _admin(brokers, client)
    metadata = _metadata(admin, timeout)
    chosen = _chosen(names)
    found = {topic.name: len(metadata.topics[prefix + topic.name].partitions) for topic in chosen if prefix + topic.name in metadata.topics}
    without_settings = metadata.controller_id < 0  # a mock without a controller answers no call about them
    configured = {} if without_settings else _settings_on_broker(admin, [prefix + name for name in found], timeout)
    problems = []
    for topic in chosen:
        full = prefix + topic.name
        if topic.name not in found:
            problems.append(Problem(full, "does not exist", APPLY))
            continue
        problems += _partition_problems(topic, full, found, partitions)
        if full in configured:
            problems += _setting_problems(topic, full, configured[full])
    return problems


def describe(prefix: str, partitions: int | None = None) -> list[tuple[str, str, str, int, str]]:
    """Rows for a table: topic, what it carries, key, partitions, how long it is kept."""
    return [
        (prefix + topic.name, topic.about, topic.key, expected_partitions(topic, partitions), retention_text(topic)) for topic in CATALOGUE
    ]


def settings(topic: Topic, copies: int) -> dict[str, str]:
    """The topic's settings on the broker.

    Times are the broker's wherever a task reads: `received_at` must not hang on a source's clock, nor a timer on a producer's.
    """
    chosen = {"max.message.bytes": str(topic.max_message_bytes), "min.insync.replicas": "2" if copies >= 3 else "1"}
    if topic.retention_ms is None:
        # Small segments and an early cleaner keep a restore short: only closed segments are compacted.
        return chosen | {"cleanup.policy": "compact", "segment.bytes": "67108864", "min.cleanable.dirty.ratio": "0.3"}
    return chosen | {
        "cleanup.policy": "delete",
        "retention.ms": str(topic.retention_ms),
        "message.timestamp.type": LOG_APPEND_TIME,
    }


def expected_partitions(topic: Topic, partitions: int | None) -> int:
    return partitions if partitions is not None and topic.partitions == COPARTITIONED else topic.partitions


def retention_text(topic: Topic) -> str:
    return "last value of each key" if topic.retention_ms is None else f"{topic.retention_ms // 86_400_000} days"


def _chosen(names: Iterable[str] | None) -> list[Topic]:
    wanted = None if names is None else set(names)
    return [topic for topic in CATALOGUE if wanted is None or topic.name in wanted]


def _admin(brokers: str, client: Mapping[str, str] | None) -> AdminClient:
    return AdminClient({"log_level": 0, **(client or {}), "bootstrap.servers": brokers})


def _metadata(admin: AdminClient, timeout: float) -> ClusterMetadata:
    try:
        return admin.list_topics(timeout=timeout)
    except KafkaException as error:
        raise BrokersUnavailable(f"no Kafka broker answered within {timeout:.0f} s: {error.args[0].str()}") from error


def _wait_for_leaders(admin: AdminClient, full_names: list[str], timeout: float) -> None:
    """Creation is acknowledged before the brokers know of it: wait until each partition has one that answers."""
    ends = time.monotonic() + timeout
    while True:
        topics = _metadata(admin, timeout).topics
        waiting = [name for name in full_names if name not in topics or any(part.leader < 0 for part in topics[name].partitions.values())]
        if not waiting:
            return
        if time.monotonic() > ends:
            raise BrokersUnavailable(f"created, but without a leader after {timeout:.0f} s: {', '.join(waiting)}")
        time.sleep(0.05)


def _settings_on_broker(admin: AdminClient, full_names: list[str], timeout: float) -> dict[str, dict[str, str]]:
    if not full_names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in full_names]
    found = {}
    for resource, future in admin.describe_configs(resources, request_timeout=timeout).items():
        try:
            found[resource.name] = {name: entry.value for name, entry in future.result().items()}
        except KafkaException as error:
            if error.args[0].code() not in (KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION):
                raise BrokersUnavailable(f"the settings of {resource.name} could not be read: {error.args[0].str()}") from error
    return found


def _partition_problems(topic: Topic, full: str, found: Mapping[str, int], partitions: int | None) -> list[Problem]:
    has, wanted = found[topic.name], expected_partitions(topic, partitions)
    if has == wanted:
        return []
    what = f"has {has} partitions, not {wanted}"
    if topic.partitions != COPARTITIONED:
        return [Problem(full, what, f"delete it and {APPLY}, then import its content again")]
    others = sorted({count for name, count in found.items() if name != topic.name and _by_domain(name)})
    if others != [has]:
        what += f" (a task reads the same partition of every topic keyed by domain: the counts must be equal, others have {others})"
    fix = f"while it is empty delete it and {APPLY}; a topic with data must not change its count, since keys would move"
    return [Problem(full, what, fix)]


def _by_domain(name: str) -> bool:
    return any(topic.name == name and topic.partitions == COPARTITIONED for topic in CATALOGUE)


def _setting_problems(topic: Topic, full: str, configured: Mapping[str, str]) -> list[Problem]:
    problems = []

    def alter(setting: str) -> str:
        return f"kafka-configs.sh --alter --entity-type topics --entity-name {full} --add-config {setting}"

    policy = configured.get("cleanup.policy", "")
    if topic.compacted and policy != "compact":
        problems.append(Problem(full, f"is not compacted (cleanup.policy={policy}): state would be lost", alter("cleanup.policy=compact")))
    if not topic.compacted and "compact" in policy:
        problems.append(Problem(full, f"is compacted (cleanup.policy={policy}): records would be lost", alter("cleanup.policy=delete")))
    limit = int(configured.get("max.message.bytes", topic.max_message_bytes))
    if limit < topic.max_message_bytes:
        setting = f"max.message.bytes={topic.max_message_bytes}"
        problems.append(Problem(full, f"takes messages of {limit} bytes, not {topic.max_message_bytes}", alter(setting)))
    if not topic.compacted and configured.get("message.timestamp.type", LOG_APPEND_TIME) != LOG_APPEND_TIME:
        setting = f"message.timestamp.type={LOG_APPEND_TIME}"
        problems.append(Problem(full, "carries the producers' times, not the broker's", alter(setting)))
    return problems
