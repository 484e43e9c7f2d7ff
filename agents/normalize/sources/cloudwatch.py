"""AWS CloudWatch alarms: plain, as EventBridge events and as invoked directly; and other EventBridge events. SNS envelopes are
undone before."""

from __future__ import annotations

from agents.normalize.alert_words import service_in, severity_in
from agents.normalize.dig import Obj, at, dicts, first, first_value, items, last_segment, obj, pairs, text
from agents.normalize.items import FIRING, RESOLVED, Deed, Event, Ignored, Item, Source
from agents.normalize.words import P1, P2, P3, P4, ranked, status_or_firing
from schemas.base import AlertStatus, Severity

NAME = "cloudwatch"
_DIMENSIONS = (
    "ServiceName",
    "FunctionName",
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "QueueName",
    "TableName",
    "ApiName",
    "LoadBalancer",
    "LoadBalancerName",
    "AutoScalingGroupName",
    "ClusterName",
    "InstanceId",
    "TopicName",
    "BucketName",
    "StreamName",
    "CacheClusterId",
    "StateMachineArn",
)


def recognizes(payload: Obj) -> bool:
    return "AlarmName" in payload or "alarmData" in payload or ("detail-type" in payload and "detail" in payload)


def read(payload: Obj, now_ms: int) -> list[Item]:
    if "AlarmName" in payload:
        return [_alarm(payload)]
    if "alarmData" in payload:
        return [_state_change(payload, obj(payload["alarmData"]), first(payload, "alarmArn"), first(payload, "accountId"))]
    detail = obj(payload["detail"])
    if first(payload, "detail-type").startswith("CloudWatch Alarm"):
        if "state" not in detail:
            return [Ignored(f"CloudWatch: {first(payload, 'detail-type')}")]
        return [_state_change(payload, detail, text(next(iter(items(payload.get("resources"))), "")), first(payload, "account"))]
    return [_eventbridge(payload, detail)]


def _service(dimensions: Obj) -> str:
    return first(dimensions, *_DIMENSIONS) or next((text(value) for value in dimensions.values() if text(value)), "")


def _alarm(payload: Obj) -> Item:
    trigger = obj(payload.get("Trigger"))
    dimensions = pairs(trigger.get("Dimensions") or payload.get("Dimensions"))
    metric_names = [first(part, "MetricStat.Metric.MetricName") for part in dicts(trigger.get("Metrics"))]
    if not dimensions:
        dimensions = next(
            (
                pairs(at(part, "MetricStat.Metric.Dimensions"))
                for part in dicts(trigger.get("Metrics"))
                if at(part, "MetricStat.Metric.Dimensions")
            ),
            {},
        )
    word = severity_in(payload)
    arn = first(payload, "AlarmArn")
    return Event(
        source=NAME,
        name=payload.get("AlarmName"),
        status=_status(first(payload, "NewStateValue", "StateValue", "state")),
        service=first(payload, "Application", "Service") or _service(dimensions),
        severity=word,
        level=ranked(word),
        started_at=first_value(payload, "StateChangeTime", "StateUpdatedTimestamp"),
        summary=first(payload, "AlarmDescription", "NewStateReason", "StateReason"),
        labels={
            **dimensions,
            "aws_namespace": first(trigger, "Namespace") or first(payload, "Namespace"),
            "region": first(payload, "Region"),
            "metric": first(trigger, "MetricName") or first(payload, "MetricName") or next(filter(None, metric_names), ""),
        },
        annotations={
            "description": payload.get("AlarmDescription"),
            "reason": first(payload, "NewStateReason", "StateReason"),
            "account": payload.get("AWSAccountId"),
            "previous_state": payload.get("OldStateValue"),
        },
        key=_key(arn, first(payload, "AWSAccountId"), first(payload, "Region"), first(payload, "AlarmName")),
        origin=payload,
    )


def _key(arn: str, account: str, region: str, name: str) -> list[str]:
    """The alarm's own name within its account: SNS, EventBridge and direct events of one alarm agree on it where all name the account."""
    parts = arn.split(":")
    if len(parts) >= 7:
        return [parts[4], ":".join(parts[6:])]
    return [account, name or region]


def _status(state: str) -> AlertStatus:
    return FIRING if state.upper() in ("ALARM", "INSUFFICIENT_DATA") else status_or_firing(state)


def _state_change(payload: Obj, detail: Obj, arn: str, account: str) -> Item:
    name = first(detail, "alarmName")
    metrics = dicts(at(detail, "configuration.metrics"))
    dimensions = next(
        (pairs(at(metric, "metricStat.metric.dimensions")) for metric in metrics if at(metric, "metricStat.metric.dimensions")), {}
    )
    return Event(
        source=NAME,
        name=name,
        status=_status(first(detail, "state.value")),
        service=_service(dimensions),
        severity=severity_in(detail),
        started_at=first_value(detail, "state.timestamp") or first_value(payload, "time"),
        summary=first(detail, "configuration.description", "state.reason"),
        labels={
            **dimensions,
            "region": first(payload, "region"),
            "aws_namespace": next((first(metric, "metricStat.metric.namespace") for metric in metrics), ""),
        },
        annotations={"description": at(detail, "configuration.description"), "reason": at(detail, "state.reason"), "account": account},
        key=_key(arn, account, first(payload, "region"), name),
        origin=payload,
    )


def _guard_level(detail: Obj) -> Severity | None:
    """GuardDuty's scale: 7 and more is high, 4 and more medium; 9 and more critical."""
    value = detail.get("severity")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return P1 if value >= 9 else P2 if value >= 7 else P3 if value >= 4 else P4
    return ranked(value)


def _eventbridge(payload: Obj, detail: Obj) -> Item:
    """Any other EventBridge event: deployments are changes; findings, health and failures are alerts."""
    kind, origin = first(payload, "detail-type"), first(payload, "source")
    source = "aws_" + origin.removeprefix("aws.").replace(".", "_") if origin.startswith("aws.") else "aws_eventbridge"
    state = first(detail, "state", "status", "lastStatus", "statusCode", "eventName", "state-value", "current-phase")
    resource = last_segment(text(next(iter(items(payload.get("resources"))), "")).replace(":", "/"))
    service = first(
        detail, "application", "pipeline", "project-name", "clusterArn", "service", "function-name", "instance-id", "SourceIdentifier"
    ) or service_in(detail)
    if origin in ("aws.codedeploy", "aws.codepipeline", "aws.cloudformation") or "deployment" in kind.lower():
        return Deed(
            source=source,
            title=f"{kind}: {state}".strip(": "),
            service=last_segment(service or resource),
            happened_at=payload.get("time"),
            version=first(detail, "deploymentId", "execution-id"),
            key=[first(payload, "id")],
            origin=payload,
        )
    if "scheduled" in kind.lower() and not detail:
        return Ignored("a scheduled EventBridge event")
    if first(detail, "group").startswith("service:"):
        service = first(detail, "group").removeprefix("service:")
    finding = next(iter(dicts(detail.get("findings"))), {})
    name = first(detail, "title", "eventTypeCode", "alarmName", "name") or first(finding, "Title") or kind
    word = severity_in(detail) or first(finding, "Severity.Label", "ProductFields.aws/securityhub/SeverityLabel")
    identity = first(detail, "id", "eventArn", "findingArn") or first(finding, "Id")
    return Event(
        source=source,
        name=name,
        status=RESOLVED if state.lower() in ("resolved", "ok", "closed", "archived") else FIRING,
        service=last_segment(service or resource) or first(detail, "resource.instanceDetails.instanceId") or origin.removeprefix("aws."),
        severity=word,
        level=_guard_level(detail) if source == "aws_guardduty" else ranked(word) if not word.isdigit() else None,
        started_at=first_value(detail, "startTime", "service.eventFirstSeen", "createdAt") or payload.get("time"),
        summary=first(detail, "description", "eventDescription.0.latestDescription", "message", "stoppedReason", "Message") or name,
        labels={"region": first(payload, "region"), "detail_type": kind, "resource": resource},
        annotations={"account": payload.get("account"), "state": state},
        key=[identity] if identity else [kind, name, resource or service],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read, aliases=("aws", "aws_cloudwatch", "amazon_cloudwatch", "eventbridge"))
