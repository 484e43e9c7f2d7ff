"""What people say about an incident (that they take care of it, what was wrong or right), from the API or Slack, to the feedback topic.

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
from typing import Annotated, Any
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from pipeline.api.answers import Ack, Heard, Said, Where
from pipeline.api.body import read_body
from pipeline.api.parts import Parts
from pipeline.history.base import HistoryUnavailable
from schemas.base import from_ms
from schemas.feedback import Feedback, Kind
from schemas.incident import Incident

log = structlog.get_logger(__name__)

IncidentId = Annotated[str, Path(min_length=1, max_length=100)]
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
        return await say(parts, incident_id, Said(kind="acknowledge", by=ack.by, comment=ack.comment, domain=ack.domain))

    @router.post("/incidents/{incident_id}/feedback", status_code=202, response_model=Heard)
    async def feedback(incident_id: IncidentId, said: Said) -> Heard:
        """How urgent it was in truth, which runbook was wrong or right, that it was a false positive, ... 202 when Kafka has it."""
        return await say(parts, incident_id, said)

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


async def say(parts: Parts, incident_id: str, said: Said) -> Heard:
    """To the incident's domain. Raises HTTPException 404 for an incident that nobody knows, 422 for a runbook that it was not given."""
    if said.domain is not None:
        return await tell(parts, incident_id, said.domain, said)
    incident = await find(parts, incident_id)
    if incident is not None and said.kind == "runbook_wrong" and said.runbook_id not in [one.id for one in incident.runbooks]:
        given = ", ".join(one.id for one in incident.runbooks) or "none"
        raise HTTPException(422, f"{incident_id} was not given the runbook {said.runbook_id!r}; it was given: {given}")
    return await tell(parts, incident_id, incident.domain if incident is not None else None, said)


async def find(parts: Parts, incident_id: str) -> Incident | None:
    """The incident; None when the history does not answer in time. Raises HTTPException 404 when it does not know it."""
    try:
        async with asyncio.timeout(LOOK_UP_S):
            source, incident = await parts.archive.ask(lambda history: history.incident(incident_id))
    except (HistoryUnavailable, TimeoutError) as error:
        log.warning("history is away; feedback goes to all partitions", incident=incident_id, why=str(error) or "no answer in time")
        return None
    if incident is None:
        raise HTTPException(404, f"no incident {incident_id!r} in {source}")
    return incident


async def tell(parts: Parts, incident_id: str, domain: str | None, said: Said) -> Heard:
    now = parts.now()
    seed = f"{said.kind}|{incident_id}|{said.by}|{now}|{time.monotonic_ns()}"
    feedback = Feedback(
        feedback_id="f" + hashlib.blake2b(seed.encode(), digest_size=8).hexdigest(),
        kind=said.kind,
        incident_id=incident_id,
        domain=domain or "",
        by=visible(said.by)[:200] or "api",
        at=from_ms(now),
        severity=said.severity,
        runbook_id=said.runbook_id,
        comment=visible(said.comment)[:2000],
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
        found = button(action, f"slack:{by}"[:200])
        if found is not None:
            heard.append((await say(parts, *found)).feedback_id)
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
    "severity": "severity",
    "runbook_wrong": "runbook_wrong",
    "runbook_right": "runbook_right",
}


def button(action: Any, by: str) -> tuple[str, Said] | None:
    """(incident, what was said) of a pressed button: its `action_id` is the kind (with or without `flux_`), its `value` a JSON object with
    `incident_id` and `domain` (and `severity` or `runbook_id`), or the incident's id alone. None where it is no such button."""
    if not isinstance(action, dict) or not isinstance(action.get("value"), str):
        return None
    kind = KINDS.get(str(action.get("action_id", "")).removeprefix("flux_"))
    value: str = action["value"]
    if kind is None or not value:
        return None
    try:
        told = json.loads(value) if value.startswith("{") else {"incident_id": value}
        incident_id = str(told.get("incident_id") or "")[:100]
        said = Said.model_validate({"kind": kind, "by": by} | {name: told.get(name) for name in ("severity", "runbook_id", "domain")})
    except (ValueError, RecursionError, ValidationError):
        return None
    return (incident_id, said) if incident_id else None
