"""New Relic: workflow issues, the legacy incident webhook, and the still older alert and deployment notices."""

from __future__ import annotations

from agents.normalize.alert_words import service_in
from agents.normalize.dig import Obj, at, dicts, first, first_value, head, obj, pairs, text
from agents.normalize.items import Deed, Event, Item, Source
from agents.normalize.words import status_of, status_or_firing

NAME = "newrelic"


def recognizes(payload: Obj) -> bool:
    if ("issueUrl" in payload or "issueId" in payload) and (
        "state" in payload or "priority" in payload or "title" in payload or "workflowName" in payload
    ):
        return True
    if "workflowName" in payload or "alertConditionNames" in payload or "alertPolicyNames" in payload or "accumulations" in payload:
        return True
    if "condition_name" in payload and ("policy_name" in payload or "incident_id" in payload or "current_state" in payload):
        return True
    inner = payload.get("alert")
    return (
        ("account_name" in payload and ("severity" in payload or "alert_url" in payload))
        or (isinstance(inner, dict) and "alert_url" in inner)
        or _deployment(payload)
    )


def _deployment(payload: Obj) -> bool:
    inner = payload.get("deployment")
    return isinstance(inner, dict) and ("application_name" in inner or "deployed_by" in inner)


def read(payload: Obj, now_ms: int) -> list[Item]:
    if _deployment(payload):
        return [_deploy(payload, obj(payload["deployment"]))]
    if "condition_name" in payload or "account_name" in payload:
        return [_legacy(payload, payload)]
    if isinstance(payload.get("alert"), dict) and "alert_url" in payload["alert"]:
        return [_legacy(payload, payload["alert"])]
    return [_issue(payload)]


def _issue(payload: Obj) -> Item:
    title = head(first_value(payload, "title", "annotations.title", "issueTitle"))
    conditions = first_value(payload, "alertConditionNames", "accumulations.conditionName", "conditionName", "condition_name")
    entity = head(
        first_value(
            payload,
            "impactedEntities",
            "entitiesData.names",
            "entitiesData.entities",
            "accumulations.tag.entityName",
            "entityName",
            "targets",
        )
    )
    tags = pairs(first_value(payload, "tags", "accumulations.tag"))
    return Event(
        source=NAME,
        name=head(conditions) or title or "New Relic issue",
        status=status_or_firing(first(payload, "state", "currentState", "status"), first(payload, "event", "trigger")),
        service=entity or service_in(tags),
        environment=head(first(tags, "environment", "env")),
        severity=head(first_value(payload, "priority", "severity")),
        started_at=first_value(payload, "createdAt", "activatedAt", "openedAt", "created_at", "timestamp"),
        ended_at=first_value(payload, "closedAt", "updatedAt"),
        summary=title or head(first_value(payload, "annotations.description", "description")),
        labels={
            "policy": head(first_value(payload, "alertPolicyNames", "accumulations.policyName")),
            "condition": head(conditions),
            "entity": entity,
        },
        annotations={
            "title": title,
            "workflow": payload.get("workflowName"),
            "runbook_url": head(first_value(payload, "accumulations.runbookUrl", "runbookUrl")),
            "description": head(first_value(payload, "annotations.description")),
        },
        url=first(payload, "issueUrl", "issuePageUrl", "violationChartUrl"),
        key=["issue", first(payload, "issueId", "id", "issue_id") or title],
        origin=payload,
    )


def _legacy(payload: Obj, body: Obj) -> Item:
    targets = dicts(body.get("targets"))
    target = next(iter(targets), {})
    labels = pairs(target.get("labels"))
    incident = first(body, "incident_id")
    name = first(body, "condition_name", "short_description", "message", "alert_policy_name", "policy_name")
    service = (
        first(target, "name", "product")
        or first(body, "application_name", "server.name", "targets")
        or head(body.get("servers"))
        or first(labels, "service")
    )
    return Event(
        source=NAME,
        name=name,
        status=status_or_firing(first(body, "current_state"), status_of(first(body, "event_type")), first(body, "message")),
        service=service,
        severity=first(body, "severity", "priority"),
        started_at=first_value(body, "timestamp", "created_at"),
        summary=first(body, "details", "long_description", "message", "condition_description"),
        labels={
            **{key: value for key, value in labels.items() if text(value)},
            "policy": first(body, "policy_name", "alert_policy_name"),
            "account": first(body, "account_name"),
        },
        annotations={
            "runbook_url": body.get("runbook_url"),
            "details": body.get("details"),
            "owner": body.get("owner"),
            "acknowledge_url": body.get("incident_acknowledge_url"),
        },
        url=first(body, "incident_url", "alert_url", "violation_chart_url"),
        key=["incident", incident, first(body, "condition_id")] if incident else ["alert", first(body, "alert_url") or name, service],
        origin=payload,
    )


def _deploy(payload: Obj, body: Obj) -> Item:
    return Deed(
        source=NAME,
        title=first(body, "description", "changelog") or "deployment",
        service=first(body, "application_name"),
        author=first(body, "deployed_by"),
        version=first(body, "revision"),
        url=first(body, "deployment_url"),
        happened_at=at(body, "created_at"),
        key=[first(body, "deployment_url", "revision"), first(body, "created_at")],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read, aliases=("new_relic", "newrelic_workflow", "newrelic_legacy"))
