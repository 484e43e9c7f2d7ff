"""A Kafka that is a list, a history that is a dictionary, and a client without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import httpx

from pipeline.api.app import create_app
from pipeline.api.parts import Parts
from pipeline.api.publish import Coordinates
from pipeline.config import Config
from pipeline.engine.processor import Headers
from pipeline.history.base import HistoryUnavailable
from pipeline.history.usage import Spent
from pipeline.known import Known, Tables, known_from
from pipeline.models import ProviderFacts, provider_facts
from pipeline.settings import Settings
from schemas.routing import RoutingRule
from schemas.silence import Silence

NOW = 1_764_000_000_000


class Sent(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class FakeKafka:
    """Acknowledges at once, or raises `trouble`; a silence that was sent can be read."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.trouble: Exception | None = None

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers = (), *, partition: int | None = None
    ) -> Coordinates:
        if self.trouble is not None:
            raise self.trouble
        self.sent.append(Sent(topic, key, value, dict(headers)))
        return Coordinates(f"flux.{topic}", partition or 0, len(self.sent) - 1, NOW)

    async def send_everywhere(self, topic: str, value: bytes) -> Coordinates:
        for number in range(3):
            await self.send(topic, None, value, partition=number)
        return Coordinates(f"flux.{topic}", 0, 0, NOW)

    def silences(self) -> Sequence[Silence]:
        latest = {one.key: one.value for one in self.sent if one.topic == "silences"}
        return [Silence.from_json(value) for value in latest.values() if value]


class FakeDesk:
    """Rules that were sent are in force; one provider is set up unless `settings` is changed."""

    def __init__(self, kafka: FakeKafka) -> None:
        self.kafka = kafka
        self.settings = Settings.model_validate({"ollama_url": "http://me:secret@127.0.0.1:11434"})
        self.config = Config()

    def facts(self) -> Sequence[ProviderFacts]:
        return provider_facts(self.settings, self.config.advice)

    def written(self) -> dict[str, RoutingRule]:
        latest = {(one.key or b"").decode(): one.value for one in self.kafka.sent if one.topic == "routing"}
        return {key: RoutingRule.from_json(value) for key, value in latest.items() if value}

    def known(self) -> Known:
        return known_from(self.settings, self.config, Tables({"routing": self.written()}))


class FakeHistory:
    source = "a dictionary"

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.answers: list[Any] = []
        self.spent: list[Spent] = []
        self.away = False

    def incident(self, incident_id: str) -> Any:
        if self.away:
            raise HistoryUnavailable("it is away")
        return self.known.get(incident_id)

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Any]:
        return [one for one in self.known.values() if not (open_only and one.status == "resolved")][:limit]

    def decisions_of(self, incident_id: str, limit: int = 1000) -> list[Any]:
        return []

    def deliveries(self, incident_id: str) -> list[Any]:
        return []

    def advice_of(self, incident_id: str) -> list[Any]:
        return self.answers

    def usage_since(self, moment: datetime) -> list[Spent]:
        if self.away:
            raise HistoryUnavailable("it is away")
        return self.spent

    def decision(self, alert_id: str) -> Any:
        return None


class Door:
    """Requests to the application over `parts`, as they stand at that moment."""

    def __init__(self, parts: Parts) -> None:
        self._app = create_app(parts)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **more)

        return asyncio.run(send())

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx.Response:
        return self.request("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)
