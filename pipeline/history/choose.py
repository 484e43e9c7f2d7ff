"""Which history answers: PostgreSQL, or the topics when it is away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.history.base import History, HistoryUnavailable
from pipeline.history.topics import TopicHistory
from pipeline.record.reader import PostgresHistory
from pipeline.record.settings import cluster_name
from pipeline.settings import Settings


@dataclass(frozen=True)
class Choice:
    """The history that answers, and in words why it is not the first choice (empty when it is)."""

    history: History
    instead: str = ""


def choose_history(
    kafka: Mapping[str, str], prefix: str, postgres_url: str | None, cluster: str | None = None, within_s: float = 15.0
) -> Choice:
    """PostgreSQL when it has a URL and answers within 5 s; the topics otherwise. `history.source` names it.

    The topics are not asked here: their first question raises HistoryUnavailable when Kafka is away too.
    """
    topics = TopicHistory(kafka, prefix, within_s)
    if postgres_url is None:
        return Choice(topics, "no FLUX_POSTGRES_URL is set")
    postgres = PostgresHistory(postgres_url, prefix, cluster)
    try:
        postgres.check()
    except HistoryUnavailable as error:
        return Choice(topics, str(error))
    return Choice(postgres)


def history_cluster(settings: Settings) -> str | None:
    """The cluster whose records are meant, where the settings name one; None means whatever was recorded."""
    return cluster_name(settings.cluster_id, settings.topic_prefix) if settings.cluster_id else None
