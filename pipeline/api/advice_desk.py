"""What is known of language models, read from the topics each time: people ask rarely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.broker.topics import BrokersUnavailable
from pipeline.config import Config
from pipeline.history.base import HistoryUnavailable
from pipeline.known import Known, Tables, known_from, read_tables
from pipeline.models import ProviderFacts, provider_facts
from pipeline.settings import Settings
from schemas.routing import RoutingRule


@dataclass(frozen=True)
class AdviceOnTopics:
    settings: Settings
    config: Config

    def facts(self) -> Sequence[ProviderFacts]:
        return provider_facts(self.settings, self.config.advice)

    def known(self) -> Known:
        return known_from(self.settings, self.config, self._tables())

    def written(self) -> Mapping[str, RoutingRule]:
        return {name: rule for name, rule in self._tables().table("routing").items() if isinstance(rule, RoutingRule)}

    def _tables(self) -> Tables:
        try:
            return read_tables(self.settings)
        except BrokersUnavailable as error:
            raise HistoryUnavailable(f"Kafka: {error}") from error
