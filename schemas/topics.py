"""The topic catalogue: the one list of topics. The bootstrap command, the start-up check and the README table are made from it.

Names here are short; on the broker they carry the prefix of the setting `FLUX_TOPIC_PREFIX` (default `flux.`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from schemas.advice import AdviceRequest
from schemas.alert import Alert
from schemas.change import Change
from schemas.decision import Decision
from schemas.effect import Delivery, Receipt
from schemas.feedback import Feedback
from schemas.incident import Incident
from schemas.learning import Label, Snapshot
from schemas.routing import RoutingRule
from schemas.rule import Rule
from schemas.runbook import Runbook
from schemas.silence import Silence
from schemas.topology import Service
from schemas.usage import Usage

DAY = 24 * 3600 * 1000
COPARTITIONED = 6
"""Partitions of every topic that is keyed by domain: one task reads the same partition of each, so the counts must be equal."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention_ms` is None where the topic is compacted: then the last value of each key is kept for ever."""

    name: str
    about: str
    key: str
    value: type[BaseModel] | None
    partitions: int = COPARTITIONED
    retention_ms: int | None = 7 * DAY
    max_message_bytes: int = 1_048_576
    public: bool = True

    @property
    def compacted(self) -> bool:
        return self.retention_ms is None


CATALOGUE: tuple[Topic, ...] = (
    Topic("alerts.raw", "payloads as sources send them; the header `source` may name the format", "any", None),
    Topic("alerts", "normalized alert events", "domain", Alert),
    Topic("decisions", "one record for each alert event", "domain", Decision, retention_ms=90 * DAY),
    Topic("incidents.triaged", "incident revisions: what consumers read", "domain", Incident, retention_ms=90 * DAY),
    Topic("effects.delivery", "messages to receivers that the decide lane asked for", "incident", Delivery),
    Topic("effects.advice", "questions to language models that the decide lane asked for", "incident", AdviceRequest),
    Topic("receipts", "what became of each effect", "domain", Receipt),
    Topic("changes", "deploys and configuration changes", "domain", Change, retention_ms=30 * DAY),
    Topic("feedback", "acknowledgements and corrections by people", "domain", Feedback, retention_ms=90 * DAY),
    Topic("topology", "services, their dependencies and owners", "service", Service, partitions=1, retention_ms=None),
    Topic("runbooks", "runbooks with their content", "runbook id", Runbook, partitions=1, retention_ms=None),
    Topic("rules", "significance thresholds and owned suppressions", "rule id", Rule, partitions=1, retention_ms=None),
    Topic("silences", "silences and maintenance windows", "silence id", Silence, partitions=1, retention_ms=None),
    Topic("routing", "which provider is asked about what", "rule id", RoutingRule, partitions=1, retention_ms=None),
    Topic("labels", "what people corrected, to learn from", "label id", Label, partitions=1, retention_ms=None),
    Topic("models", "what was learned and is in use", "name", Snapshot, partitions=1, retention_ms=None),
    Topic("usage", "what models cost: reservations and calls, in one order", "provider", Usage, partitions=1, retention_ms=90 * DAY),
    Topic("intake.state", "input positions of the intake lane", "state key", None, retention_ms=None, public=False),
    Topic("decide.state", "changelog of the decide lane", "state key", None, retention_ms=None, public=False),
    Topic(
        "dead_letters",
        "original bytes of what could not be read or decided, with the reason in headers",
        "source",
        None,
        retention_ms=30 * DAY,
        max_message_bytes=2_097_152,
    ),
)

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in CATALOGUE}


def full_name(prefix: str, name: str) -> str:
    """The name on the broker. Raises KeyError for a topic that is not in the catalogue."""
    return prefix + BY_NAME[name].name
