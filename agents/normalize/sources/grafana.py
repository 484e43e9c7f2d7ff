"""Grafana: unified alerting webhook, legacy alerting webhook, OnCall outgoing webhook, and alert rule definitions."""

from __future__ import annotations

from agents.normalize.alert_words import severity_in
from agents.normalize.dig import Obj, dicts, first, first_value, obj, pairs, text
from agents.normalize.items import RESOLVED, Event, Ignored, Item, Source
from agents.normalize.sources import alertmanager
from agents.normalize.words import status_or_firing

NAME = "grafana"
_OWN = ("dashboardURL", "panelURL", "silenceURL", "valueString", "orgId")


def recognizes(payload: Obj) -> bool:
    if "ruleName" in payload and ("state" in payload or "ruleUrl" in payload or "evalMatches" in payload):
        return True
    alerts = payload.get("alerts")
    if isinstance(alerts, list):
        return ("orgId" in payload or any(key in alert for alert in dicts(alerts)[:2] for key in _OWN)) and any(
            "labels" in alert for alert in dicts(alerts)
        )
    return ("alert_group" in payload and ("alert_payload" in payload or "event" in payload)) or _is_rule(payload)


def _is_rule(payload: Obj) -> bool:
    return "title" in payload and "condition" in payload and ("execErrState" in payload or "noDataState" in payload)


def read(payload: Obj, now_ms: int) -> list[Item]:
    if "ruleName" in payload:
        return [_legacy(payload)]
    if "alert_group" in payload:
        return [_oncall(payload)]
    if _is_rule(payload):
        return [_rule(payload)]
    found = alertmanager.read(payload, now_ms)
    for item in found:
        if isinstance(item, Event):
            item.source = NAME
            origin = obj(item.origin)
            item.url = first(origin, "generatorURL", "panelURL", "dashboardURL") or item.url
    return found


def _legacy(payload: Obj) -> Item:
    state = first(payload, "state")
    if state.lower() in ("paused", "pending"):
        return Ignored(f"a Grafana rule that is {state}")
    tags = pairs(payload.get("tags"))
    rule = [text(payload.get(key)) for key in ("orgId", "dashboardId", "panelId", "ruleId")]
    measured = {first(match, "metric") or "value": match.get("value") for match in dicts(payload.get("evalMatches"))}
    return Event(
        source=NAME,
        name=payload.get("ruleName"),
        status=status_or_firing(state.replace("_", "")),
        severity=severity_in(tags),
        summary=first(payload, "message", "title"),
        labels=tags,
        annotations={"title": payload.get("title"), "message": payload.get("message"), "image": payload.get("imageUrl"), **measured},
        url=payload.get("ruleUrl"),
        key=["rule", *rule, payload["ruleName"]],
        origin=payload,
    )


def _oncall(payload: Obj) -> Item:
    group = obj(payload.get("alert_group"))
    event = obj(payload.get("event"))
    inner = obj(payload.get("alert_payload"))
    labels = pairs(inner.get("commonLabels") or inner.get("labels") or group.get("labels"))
    return Event(
        source="grafana_oncall",
        name=first(group, "title") or first(labels, "alertname") or first(inner, "title", "message"),
        status=RESOLVED if first(event, "type") in ("resolve", "resolved") else status_or_firing(group.get("state")),
        service=first(labels, "service", "job", "instance") or first(payload, "integration.name"),
        severity=severity_in(labels) or severity_in(inner),
        started_at=first_value(group, "created_at"),
        ended_at=first_value(group, "resolved_at"),
        summary=first(inner, "message", "commonAnnotations.summary", "title"),
        labels=labels,
        url=first(group, "permalinks.web"),
        key=["group", text(group.get("id"))],
        origin=payload,
    )


def _rule(payload: Obj) -> Item:
    labels = pairs(payload.get("labels"))
    annotations = pairs(payload.get("annotations"))
    return Event(
        source=NAME,
        name=payload.get("title"),
        severity=severity_in(labels),
        summary=first(annotations, "summary", "description"),
        labels=labels,
        annotations=annotations,
        key=["definition", first(payload, "uid", "folderUID"), first(payload, "ruleGroup"), text(payload.get("title"))],
        origin=payload,
        flags=("rule_definition",),
    )


SOURCE = Source(NAME, recognizes, read, aliases=("grafana_unified", "grafana_legacy", "grafana_oncall", "grafana_cloud"))
