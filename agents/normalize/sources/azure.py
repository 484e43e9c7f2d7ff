"""Azure Monitor: common alert schema (metric, log, activity log, service and resource health), metric alert v2, classic, activity log,
log search and smart detection schemas; autoscale notices are changes. Severities run from Sev0 (critical) to Sev4 (verbose)."""

from __future__ import annotations

from typing import Any

from agents.normalize.alert_words import severity_in
from agents.normalize.dig import Obj, at, dicts, first, first_value, head, items, last_segment, obj, pairs, text
from agents.normalize.items import Deed, Event, Item, Source
from agents.normalize.words import P1, P2, P3, P4, level_of, status_of, status_or_firing
from schemas.base import Severity

NAME = "azure_monitor"
_LEVELS: dict[str, Severity] = {"0": P1, "1": P2, "2": P3, "3": P4, "4": P4}


def recognizes(payload: Obj) -> bool:
    schema = payload.get("schemaId")
    if isinstance(schema, str) and (
        schema.lower().startswith(("azuremonitor", "microsoft.insights")) or isinstance(payload.get("data"), dict)
    ):
        return True
    context = payload.get("context")
    if isinstance(context, dict) and ("resourceId" in context or "subscriptionId" in context or "resourceName" in context):
        return True
    data = payload.get("data")
    return isinstance(data, dict) and (
        "essentials" in data or "SearchQuery" in data or "AlertRuleName" in data or "activityLog" in obj(data.get("context"))
    )


def level(word: str) -> Severity | None:
    return _LEVELS.get(word.strip().lower().removeprefix("sev").strip()) or level_of(word)


def read(payload: Obj, now_ms: int) -> list[Item]:
    data = obj(payload.get("data"))
    if "essentials" in data:
        return [_common(payload, data)]
    if "AlertRuleName" in data or "SearchQuery" in data or "SmartDetectorName" in data:
        return [_log_alert(payload, data)]
    context = obj(data.get("context")) or obj(payload.get("context"))
    if "activityLog" in context:
        return [_activity(payload, data, obj(context["activityLog"]))]
    if "operation" in payload and "scale" in first(payload, "operation").lower():
        return [_autoscale(payload, context)]
    return [_metric(payload, data or payload, context)]


def _dimensions(condition: Any) -> Obj:
    found: Obj = {}
    for criterion in dicts(obj(condition).get("allOf")):
        found.update({key: value for key, value in pairs(criterion.get("dimensions")).items() if not key.startswith("microsoft.")})
    return found


def _common(payload: Obj, data: Obj) -> Item:
    essentials, context = obj(data["essentials"]), obj(data.get("alertContext"))
    targets = [text(target) for target in items(essentials.get("alertTargetIDs"))]
    dimensions = _dimensions(context.get("condition"))
    word = first(essentials, "severity")
    custom = pairs(data.get("customProperties")) or pairs(context.get("properties"))
    title = first(context, "properties.title", "properties.defaultLanguageTitle")
    return Event(
        source=NAME,
        name=first(essentials, "alertRule") or title or last_segment(first(essentials, "originAlertId")) or "Azure alert",
        status=status_or_firing(first(essentials, "monitorCondition"), first(context, "status")),
        service=head(essentials.get("configurationItems"))
        or last_segment(targets[0] if targets else "")
        or first(context, "properties.service"),
        environment=first(custom, "environment", "env", "Environment"),
        severity=word,
        level=level(word),
        started_at=first_value(essentials, "firedDateTime") or first_value(context, "eventTimestamp"),
        ended_at=first_value(essentials, "resolvedDateTime"),
        summary=first(essentials, "description") or title,
        labels={
            **dimensions,
            "monitoring_service": first(essentials, "monitoringService"),
            "signal_type": first(essentials, "signalType"),
            "resource_group": first(essentials, "targetResourceGroup"),
            "resource_type": first(essentials, "targetResourceType"),
        },
        annotations={"title": title, "target": ", ".join(targets), **{key: value for key, value in custom.items() if text(value)}},
        url=first(essentials, "investigationLink") or first(context, "condition.allOf.0.linkToSearchResultsUI", "LinkToSearchResults"),
        key=[
            "common",
            first(essentials, "alertRule"),
            first(essentials, "monitoringService"),
            *sorted(target.lower() for target in targets),
            *(f"{key}={text(value)}" for key, value in sorted(dimensions.items())),
            first(context, "properties.trackingId") or first(context, "eventDataId") if not targets else "",
        ],
        origin=payload,
    )


def _metric(payload: Obj, data: Obj, context: Obj) -> Item:
    """Classic metric alerts, web tests, and version 2 of the metric schema."""
    dimensions = _dimensions(context.get("condition"))
    word = first(context, "severity") or severity_in(pairs(data.get("properties")))
    rule = first(context, "id")
    return Event(
        source=NAME,
        name=first(context, "name") or last_segment(rule) or first(context, "condition.metricName"),
        status=status_or_firing(first(data, "status"), first(payload, "status")),
        service=first(context, "resourceName") or last_segment(first(context, "resourceId")),
        severity=word,
        level=level(word),
        started_at=first_value(context, "timestamp"),
        summary=first(context, "description") or first(context, "condition.failureDetails"),
        labels={
            **dimensions,
            "resource_group": first(context, "resourceGroupName"),
            "resource_type": first(context, "resourceType"),
            "region": first(context, "resourceRegion"),
            "metric": first(context, "condition.metricName", "condition.allOf.0.metricName"),
        },
        annotations={
            "description": context.get("description"),
            **{f"property_{key}": value for key, value in pairs(data.get("properties")).items()},
        },
        url=first(context, "portalLink"),
        key=[
            "metric",
            rule.lower() or first(context, "name"),
            first(context, "resourceId").lower(),
            *(f"{key}={text(value)}" for key, value in sorted(dimensions.items())),
        ],
        origin=payload,
    )


def _activity(payload: Obj, data: Obj, record: Obj) -> Item:
    properties = obj(record.get("properties"))
    operation = first(record, "operationName")
    title = first(properties, "title", "defaultLanguageTitle")
    stage = first(properties, "stage", "currentHealthStatus") or first(record, "status")
    word = first(record, "level")
    return Event(
        source=NAME,
        name=title or operation or "Azure activity",
        status=status_of(stage) or status_or_firing(first(record, "status"))
        if first(record, "eventSource", "channels") != "Administrative"
        else status_or_firing(""),
        service=first(properties, "service") or last_segment(first(record, "resourceId")) or first(record, "resourceProviderName"),
        severity=word,
        level=level(word),
        started_at=first_value(properties, "impactStartTime") or first_value(record, "eventTimestamp", "submissionTimestamp"),
        summary=first(properties, "communication", "details", "cause") or first(record, "description") or title,
        labels={
            "resource_group": first(record, "resourceGroupName"),
            "operation": operation,
            "event_source": first(record, "eventSource"),
            "region": first(properties, "region"),
        },
        annotations={"caller": record.get("caller"), "status": record.get("status"), "sub_status": record.get("subStatus")},
        key=["activity", first(properties, "trackingId") or first(record, "correlationId", "eventDataId"), operation],
        origin=payload,
    )


def _log_alert(payload: Obj, data: Obj) -> Item:
    word = first(data, "Severity")
    rule = first(data, "AlertRuleName", "SmartDetectorName")
    targets = [text(target) for target in items(data.get("TargetResources"))] or [first(data, "ResourceId", "WorkspaceId", "ApplicationId")]
    return Event(
        source=NAME,
        name=rule,
        status=status_or_firing(first(data, "AlertState", "MonitorCondition")),
        service=last_segment(targets[0]) or first(data, "ApplicationName"),
        severity=word,
        level=level(word),
        started_at=first_value(data, "ImpactStartTime", "SearchIntervalStartTimeUtc", "StartTime"),
        summary=first(data, "Description", "SmartDetectionText"),
        annotations={"query": data.get("SearchQuery"), "results": data.get("ResultCount")},
        url=first(data, "LinkToSearchResults", "AlertUrl"),
        key=["log", rule, *targets],
        origin=payload,
    )


def _autoscale(payload: Obj, context: Obj) -> Item:
    return Deed(
        source=NAME,
        kind="config",
        title=first(context, "details") or f"autoscale: {first(payload, 'operation')}",
        service=first(context, "resourceName"),
        version=first(context, "newCapacity"),
        url=first(context, "portalLink"),
        happened_at=at(context, "timestamp"),
        key=[first(context, "id"), first(context, "timestamp")],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read, aliases=("azure", "azuremonitor", "microsoft_azure"))
