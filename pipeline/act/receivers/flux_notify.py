"""Posts to Flux Notify's REST API."""

from __future__ import annotations

from agents.notify.flux_notify import notification
from pipeline.act.receivers.base import Sent
from pipeline.act.receivers.http import Endpoint
from schemas.effect import Delivery


class FluxNotify:
    def __init__(self, endpoint: Endpoint, token: str, public_url: str) -> None:
        self._endpoint = endpoint
        self._token = token
        self._public_url = public_url

    async def send(self, delivery: Delivery) -> Sent:
        await self._endpoint.post(notification(delivery, token=self._token, public_url=self._public_url))
        return Sent()

    async def close(self) -> None:
        await self._endpoint.close()
