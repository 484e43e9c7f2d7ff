"""Sends PagerDuty Events v2."""

from __future__ import annotations

from agents.notify.pagerduty import dedup_key, event
from pipeline.act.receivers.base import Sent
from pipeline.act.receivers.http import Endpoint
from schemas.effect import Delivery


class PagerDuty:
    def __init__(self, endpoint: Endpoint, routing_key: str, public_url: str) -> None:
        self._endpoint = endpoint
        self._routing_key = routing_key
        self._public_url = public_url

    async def send(self, delivery: Delivery) -> Sent:
        await self._endpoint.post(event(delivery, routing_key=self._routing_key, public_url=self._public_url))
        return Sent(external_id=dedup_key(delivery.incident))

    async def close(self) -> None:
        await self._endpoint.close()
