"""Posts the incident and its transition as JSON to any URL, signed when there is a key."""

from __future__ import annotations

import time
from collections.abc import Callable

from agents.notify.webhook import request
from pipeline.act.receivers.base import Sent
from pipeline.act.receivers.http import Endpoint
from schemas.effect import Delivery


class Webhook:
    def __init__(self, endpoint: Endpoint, key: str, public_url: str, clock: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._key = key.encode()
        self._public_url = public_url
        self._clock = clock

    async def send(self, delivery: Delivery) -> Sent:
        await self._endpoint.post(request(delivery, now=round(self._clock() * 1000), secret=self._key, public_url=self._public_url))
        return Sent()

    async def close(self) -> None:
        await self._endpoint.close()
