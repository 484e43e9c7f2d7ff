"""What people say about an incident, from the API or a button in Slack, to the feedback topic.

Feedback is keyed by the incident's domain, so that it meets the incident's own task. The domain comes from the history, or from the
caller; while the history is away the feedback goes to every partition, and the tasks that do not know the incident pass it over.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import JSONResponse

from pipeline.api.answers import Ack, Heard, Where
from pipeline.api.body import read_body
from pipeline.api.parts import Parts
from pipeline.history.base import HistoryUnavailable
from schemas.base import from_ms
from schemas.feedback import Feedback

log = structlog.get_logger(__name__)

IncidentId = Annotated[str, Path(min_length=1, max_length=100)]
Kind = Literal["acknowledge", "in_progress", "escalate", "resolve", "reopen", "false_positive"]
SIGNED_WITHIN_S = 300
"""Age at which a signed request is taken for a replay; Slack's own advice."""
SLACK_BODY_BYTES = 262_144
LOOK_UP_S = 2.0
"""Slack waits 3 s for its answer."""
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["incidents"])

    @router.post("/incidents/{incident_id}/ack", status_code=202, response_model=Heard)
    async def acknowledge(incident_id: IncidentId, ack: Ack | None = None) -> Heard:
        """Somebody takes care of it: escalation stops. 202 when Kafka has it."""
        ack = ack or Ack()
        domain = await domain_of(parts, incident_id, ack.domain)
        return await tell(parts, "acknowledge", incident_id, domain, by=ack.by, comment=ack.comment)

    @router.post("/slack/actions", include_in_schema=True, tags=["slack"])
    async def slack_actions(request: Request) -> Response:
        """Slack's interactivity request URL. Buttons with the action `acknowledge` (or another kind of feedback) are heard."""
        if not parts.slack_secret:
            raise HTTPException(404, "Slack is not set up: set SLACK_SIGNING_SECRET")
        body = await read_body(request.stream().__aiter__(), parts.budget, gzip=False, limit=SLACK_BODY_BYTES)
        parts.budget.give(len(body.data))
        if not body.whole or not signed(parts.slack_secret, request.headers, body.data, parts.now() // 1000):
            raise HTTPException(401, "the signature is missing, wrong or too old")
        return await heard_from_slack(parts, body.data)

    return router


async def domain_of(parts: Parts, incident_id: str, given: str | None) -> str | None:
    """The domain of an incident; None when the history does not answer in time. Raises HTTPException 404 when it does not know it."""
    if given is not None:
        return given
    try:
        async with asyncio.timeout(LOOK_UP_S):
            source, incident = await parts.archive.ask(lambda history: history.incident(incident_id))
    except (HistoryUnavailable, TimeoutError) as error:
        log.warning("history is away; feedback goes to all partitions", incident=incident_id, why=str(error) or "no answer in time")
        return None
    if incident is None:
        raise HTTPException(404, f"no incident {incident_id!r} in {source}")
    return incident.domain


async def tell(parts: Parts, kind: Kind, incident_id: str, domain: str | None, *, by: str, comment: str = "") -> Heard:
    now = parts.now()
    seed = f"{kind}|{incident_id}|{by}|{now}|{time.monotonic_ns()}"
    feedback = Feedback(
        feedback_id="f" + hashlib.blake2b(seed.encode(), digest_size=8).hexdigest(),
        kind=kind,
        incident_id=incident_id,
        domain=domain or "",
        by=visible(by)[:200] or "api",
        at=from_ms(now),
        comment=visible(comment)[:2000],
    )
    if domain is None:
        place = await parts.publisher.send_everywhere("feedback", feedback.to_json())
    else:
        place = await parts.publisher.send("feedback", domain.encode(), feedback.to_json())
    where = Where(topic=place.topic, partition=place.partition, offset=place.offset)
    return Heard(feedback_id=feedback.feedback_id, incident_id=incident_id, coordinates=where)


def visible(text: str) -> str:
    """Without control and direction characters: it will be shown in terminals and chats."""
    return UNSEEN.sub(" ", text).strip()


def signed(secret: str, headers: Mapping[str, str], body: bytes, now_s: int) -> bool:
    """Slack's signature, version 0: HMAC-SHA256 over `v0:TIMESTAMP:BODY`, not older (or newer) than five minutes."""
    stamp = headers.get("x-slack-request-timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now_s - int(stamp)) > SIGNED_WITHIN_S:
        return False
    expected = "v0=" + hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), headers.get("x-slack-signature", "").encode())


async def heard_from_slack(parts: Parts, body: bytes) -> Response:
    """Every button of the payload that is feedback. Others (a link's button) are answered and ignored."""
    payload = slack_payload(body)
    if payload is None:
        raise HTTPException(400, "the body has no payload that can be read")
    user = payload.get("user")
    user = user if isinstance(user, dict) else {}
    by = str(user.get("username") or user.get("name") or user.get("id") or "somebody in Slack")
    actions = payload.get("actions")
    heard = []
    for action in actions if isinstance(actions, list) else []:
        found = button(action)
        if found is not None:
            kind, incident_id, domain = found
            domain = await domain_of(parts, incident_id, domain)
            heard.append((await tell(parts, kind, incident_id, domain, by=f"slack:{by}")).feedback_id)
    return JSONResponse({"heard": heard})


def slack_payload(body: bytes) -> dict[str, Any] | None:
    try:
        fields = parse_qs(body.decode(), max_num_fields=20)
        payload = json.loads(fields["payload"][0])
    except (ValueError, KeyError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


KINDS: Mapping[str, Kind] = {
    "acknowledge": "acknowledge",
    "ack": "acknowledge",
    "in_progress": "in_progress",
    "resolve": "resolve",
    "false_positive": "false_positive",
    "escalate": "escalate",
}


def button(action: Any) -> tuple[Kind, str, str | None] | None:
    """(kind, incident, domain) of a pressed button: its `action_id` is the kind (with or without `flux_`), its `value` a JSON object with
    `incident_id` and `domain`, or the incident's id alone."""
    if not isinstance(action, dict) or not isinstance(action.get("value"), str):
        return None
    kind = KINDS.get(str(action.get("action_id", "")).removeprefix("flux_"))
    value: str = action["value"]
    if kind is None or not value:
        return None
    if not value.startswith("{"):
        return kind, value[:100], None
    try:
        told = json.loads(value)
        incident_id, domain = told["incident_id"], told.get("domain")
    except (ValueError, KeyError, RecursionError):
        return None
    return (kind, str(incident_id)[:100], None if domain is None else str(domain)[:300]) if incident_id else None
