"""Sentry: integration webhooks (issue alert, metric alert, issue, error), the legacy webhook plugin, and an event as such."""

from __future__ import annotations

import re

from agents.normalize.dig import Obj, dicts, first, first_value, head, obj, pairs, text
from agents.normalize.items import FIRING, RESOLVED, Event, Ignored, Item, Source
from agents.normalize.words import status_or_firing

NAME = "sentry"
_PROJECT = re.compile(r"/projects/[^/]+/([^/]+)/")


def recognizes(payload: Obj) -> bool:
    data = payload.get("data")
    if isinstance(data, dict) and "action" in payload:
        if any(key in data for key in ("metric_alert", "issue", "error", "comment")) or (
            "event" in data and ("triggered_rule" in data or "event_id" in obj(data["event"]))
        ):
            return True
        return "installation" in payload or "issue_alert" in data
    event = payload.get("event")
    if isinstance(event, dict) and (
        "project_slug" in payload or "culprit" in payload or "triggering_rules" in payload or "event_id" in event
    ):
        return True
    return "event_id" in payload and ("culprit" in payload or "platform" in payload or "exception" in payload or "sdk" in payload)


def read(payload: Obj, now_ms: int) -> list[Item]:
    data = obj(payload.get("data"))
    if isinstance(data.get("metric_alert"), dict):
        return [_metric(payload, data, data["metric_alert"])]
    if isinstance(data.get("issue"), dict) and "comment" not in data:
        return [_issue(payload, data["issue"])]
    found = obj(data.get("event")) or obj(data.get("error"))
    if found:
        return [_event(payload, found, data)]
    if "action" in payload and "data" in payload:
        return [Ignored(f"Sentry: {first(payload, 'action')} of an installation or comment")]
    return [_event(payload, obj(payload.get("event")) or payload, payload)]


def _event(payload: Obj, event: Obj, around: Obj) -> Item:
    issue = first(event, "issue_id", "groupID", "groupId") or (first(payload, "id") if event is not payload else "")
    if not issue:
        issue = first(event, "issue.id", "event_id", "id")
    tags = pairs(event.get("tags"))
    link = _PROJECT.search(first(event, "url", "issue_url"))
    project = (
        first(around, "project_slug", "project_name")
        or first(event, "project_slug", "project_name", "projectSlug")
        or (link[1] if link else "")
    )
    exception = next(iter(reversed(dicts(obj(event.get("exception")).get("values")))), {})
    failed = ": ".join(filter(None, (first(exception, "type"), first(exception, "value"))))
    message = first(around, "message") or first(event, "message", "logentry.formatted", "metadata.value")
    return Event(
        source=NAME,
        name=first(event, "title") or failed or message or first(event, "culprit"),
        status=status_or_firing(first(event, "status")),
        service=project or head(around.get("project")) or head(event.get("project")) or first(tags, "server_name", "service"),
        environment=first(event, "environment") or first(tags, "environment"),
        severity=first(around, "level") or first(event, "level") or first(tags, "level"),
        started_at=first_value(event, "datetime", "timestamp", "dateCreated", "received"),
        summary=message or failed or first(event, "title"),
        labels=tags,
        annotations={
            "culprit": first(event, "culprit") or first(around, "culprit"),
            "platform": event.get("platform"),
            "release": head(event.get("release")),
            "rule": first(around, "triggered_rule"),
            "message": message,
        },
        url=first(event, "web_url") or first(around, "url") or first(event, "issue_url", "url"),
        key=["issue", issue],
        origin=payload,
    )


def _issue(payload: Obj, issue: Obj) -> Item:
    action = first(payload, "action")
    status = first(issue, "status")
    metadata = obj(issue.get("metadata"))
    return Event(
        source=NAME,
        name=first(issue, "title") or first(metadata, "title", "value"),
        status=RESOLVED
        if action == "resolved" or (status in ("resolved", "resolvedInNextRelease", "ignored", "archived") and action != "unresolved")
        else FIRING,
        service=first(issue, "project.slug", "project.name", "project"),
        environment=first(issue, "environment"),
        severity=first(issue, "level"),
        started_at=first_value(issue, "firstSeen"),
        ended_at=first_value(payload, "data.issue.statusDetails.resolvedAt") or issue.get("lastSeen"),
        summary=first(metadata, "value") or first(issue, "title"),
        labels={"project": first(issue, "project.slug"), "platform": first(issue, "platform"), "category": first(issue, "issueCategory")},
        annotations={
            "culprit": issue.get("culprit"),
            "short_id": issue.get("shortId"),
            "count": text(issue.get("count")),
            "priority": issue.get("priority"),
        },
        url=first(issue, "web_url", "permalink", "url"),
        key=["issue", first(issue, "id", "shortId")],
        origin=payload,
    )


def _metric(payload: Obj, data: Obj, alert: Obj) -> Item:
    rule = obj(alert.get("alert_rule"))
    action = first(payload, "action")
    return Event(
        source=NAME,
        name=first(rule, "name") or first(alert, "title") or first(data, "description_title"),
        status=RESOLVED if action == "resolved" else status_or_firing(action),
        service=head(first_value(alert, "projects")) or head(rule.get("projects")),
        environment=head(rule.get("environment")),
        severity=action,
        started_at=first_value(alert, "date_started", "date_detected", "date_created"),
        ended_at=first_value(alert, "date_closed"),
        summary=first(data, "description_text", "description_title"),
        labels={"project": head(first_value(alert, "projects")), "dataset": first(rule, "dataset"), "aggregate": first(rule, "aggregate")},
        annotations={"query": rule.get("query"), "title": data.get("description_title")},
        url=first(data, "web_url"),
        key=["metric", first(rule, "id") or first(alert, "id"), first(alert, "organization_id")],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read, aliases=("sentry_io",))
