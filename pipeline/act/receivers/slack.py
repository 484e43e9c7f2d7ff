"""Posts to a Slack incoming webhook, or to the Slack API as a bot."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from agents.notify.slack import message
from agents.notify.words import Outgoing
from pipeline.act.receivers.base import Failed, Rejected, Sent
from pipeline.act.receivers.http import Endpoint
from schemas.effect import Delivery

PASSING = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Errors of the Slack API that a retry may mend."""


class Slack:
    def __init__(self, endpoint: Endpoint, token: str, channel: str, public_url: str) -> None:
        self._endpoint = endpoint
        self._token = token
        self._channel = channel
        self._public_url = public_url

    async def send(self, delivery: Delivery) -> Sent:
        out = message(delivery, public_url=self._public_url, channel=self._channel)
        if not self._token:
            await self._endpoint.post(out)
            return Sent()
        headers = {**out.headers, "Authorization": f"Bearer {self._token}"}
        return self._api_answer(await self._endpoint.post(Outgoing(out.body, headers)))

    def _api_answer(self, body: bytes) -> Sent:
        """The API answers 200 whatever happened; `ok` tells."""
        try:
            answer: Any = from_json(body)
        except ValueError as error:
            raise Failed("answered 200 with what is no JSON") from error
        if isinstance(answer, dict) and answer.get("ok") is True:
            return Sent(external_id=str(answer.get("ts", ""))[:64])
        error_name = self._endpoint.safe(str(answer.get("error", "no reason"))) if isinstance(answer, dict) else "no reason"
        if error_name in PASSING:
            raise Failed(f"Slack says {error_name}")
        raise Rejected(f"Slack says {error_name}")

    async def close(self) -> None:
        await self._endpoint.close()
