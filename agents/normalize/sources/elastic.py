"""Elastic: Kibana rule actions (the connector's variables, nested or flat), security detections, Watcher; ElastAlert and OpenSearch
monitors."""

from __future__ import annotations

import re

from agents.normalize.alert_words import environment_in, service_in, severity_in
from agents.normalize.dig import Obj, at, dicts, first, first_value, obj, only, plain_keys, text
from agents.normalize.items import FIRING, RESOLVED, Event, Item, Source
from agents.normalize.words import level_of, ranked, status_of
from schemas.base import AlertStatus

NAME = "elastic"
_UUID = re.compile(r"[0-9a-fA-F-]{32,}")


def recognizes(payload: Obj) -> bool:
    if any(
        key in payload
        for key in (
            "watch_id",
            "kibanaBaseUrl",
            "kibana_base_url",
            "alertInstanceId",
            "alertActionGroup",
            "kibana.alert.rule.name",
            "actionGroup",
            "alert_action_group",
        )
    ):
        return True
    rule = payload.get("rule")
    if (
        isinstance(rule, dict)
        and ("name" in rule or "id" in rule)
        and ("context" in payload or isinstance(payload.get("alert"), dict) or "spaceId" in rule)
    ):
        return True
    if isinstance(payload.get("signal"), dict) and "rule" in payload["signal"]:
        return True
    kibana = payload.get("kibana")
    if isinstance(kibana, dict) and "alert" in kibana:
        return True
    ctx = payload.get("ctx")
    if isinstance(ctx, dict) and ("watch_id" in ctx or "monitor" in ctx or "trigger" in ctx):
        return True
    plain = plain_keys(payload)
    return (
        ("ruleid" in plain or "rulename" in plain)
        and ("alertid" in plain or "spaceid" in plain or "ruleurl" in plain or "ruletype" in plain)
        and "device_id" not in payload
    )


def read(payload: Obj, now_ms: int) -> list[Item]:
    ctx = obj(payload.get("ctx"))
    if "monitor" in ctx:
        return [_opensearch(payload, ctx)]
    if "watch_id" in payload or ctx:
        return [_watch(payload, ctx or payload)]
    return [_rule(payload)]


def _rule(payload: Obj) -> Item:
    plain = plain_keys(payload)
    alert, rule = (
        obj(payload.get("alert")) or obj(at(payload, "kibana.alert")),
        obj(payload.get("rule")) or obj(at(payload, "signal.rule")) or obj(at(payload, "kibana.alert.rule")),
    )
    context = obj(payload.get("context"))
    word = _word(payload, alert, rule, context)
    name = (
        first(rule, "name")
        or first(plain, "rulename", "alertname", "kibanaalertrulename", "name", "title")
        or first(context, "title", "rule.name")
    )
    instance = (
        first(alert, "id")
        or first(plain, "alertinstanceid", "alertuuid")
        or ("" if "alertname" in plain and "rulename" not in plain else first(plain, "alertid"))
    )
    rule_id = first(rule, "id", "uuid") or first(plain, "ruleid", "kibanaalertruleuuid", "alertid") or name
    return Event(
        source=NAME,
        name=name or first(plain, "message", "reason"),
        status=_group_status(_group(alert, plain)),
        service=service_in(plain)
        or service_in(context)
        or first(context, "group")
        or service_in(obj(payload.get("host")))
        or (instance if instance != rule_id and not _UUID.fullmatch(instance) else ""),
        environment=environment_in(plain) or environment_in(context),
        severity=word,
        level=level_of(word) if not word.isdigit() else None,
        started_at=first_value(context, "timestamp", "date")
        or first_value(alert, "start")
        or first_value(plain, "date", "timestamp", "starttime", "kibanaalertstart"),
        summary=first(context, "message", "reason", "conditions")
        or first(plain, "message", "reason", "contextmessage", "contextreason", "description"),
        labels=only(
            {
                "rule_type": first(rule, "type") or first(plain, "ruletype"),
                "space": first(rule, "spaceId") or first(plain, "spaceid"),
                "alert_instance": instance,
            }
        ),
        annotations=only(
            {
                "value": first(context, "value"),
                "conditions": first(context, "conditions"),
                "message": first(context, "message", "reason"),
                "tags": first_value(rule, "tags"),
            }
        ),
        url=first(rule, "url")
        or first(plain, "ruleurl", "alertdetailsurl", "viewinappurl", "url")
        or first(context, "alertDetailsUrl", "viewInAppUrl", "link"),
        key=["rule", rule_id, instance],
        origin=payload,
    )


def _group(alert: Obj, plain: Obj) -> str:
    return first(alert, "actionGroup", "actionGroupName", "actionSubgroup") or first(
        plain, "alertactiongroup", "actiongroup", "alertactiongroupname", "actiongroupname", "alertstate", "status", "alertstatus"
    )


def _word(payload: Obj, alert: Obj, rule: Obj, context: Obj) -> str:
    return (
        severity_in(payload)
        or first(rule, "params.severity")
        or severity_in(rule)
        or severity_in(context)
        or first(payload, "kibana.alert.severity")
        or first(alert, "severity")
    )


def _group_status(group: str) -> AlertStatus:
    """Kibana's action group `recovered` ends an alert; every other group (`threshold met`, `query matched`) is a firing one."""
    folded = group.lower()
    return RESOLVED if "recovered" in folded or folded in ("ok", "resolved", "closed", "inactive", "untracked") else FIRING


def _watch(payload: Obj, ctx: Obj) -> Item:
    meta = obj(ctx.get("metadata")) or obj(payload.get("metadata"))
    watch = first(ctx, "watch_id") or first(payload, "watch_id")
    word = severity_in(meta) or severity_in(payload)
    return Event(
        source=NAME,
        name=first(meta, "name", "title") or first(payload, "title", "name", "subject") or watch,
        status=status_of(first(payload, "status", "state", "ctx.status")) or FIRING,
        service=service_in(meta) or service_in(payload),
        environment=environment_in(meta),
        severity=word,
        started_at=first_value(ctx, "trigger.triggered_time", "execution_time", "trigger.scheduled_time")
        or first_value(payload, "trigger_event.triggered_time", "timestamp"),
        summary=first(payload, "message", "text", "body") or first(meta, "description"),
        labels={key: value for key, value in meta.items() if text(value)},
        annotations=only({"hits": first(ctx, "payload.hits.total", "payload.hits.total.value")}),
        key=["watch", watch or first(meta, "name")],
        origin=payload,
    )


def _opensearch(payload: Obj, ctx: Obj) -> Item:
    monitor, trigger = obj(ctx.get("monitor")), obj(ctx.get("trigger"))
    word = first(trigger, "severity")
    alert = obj(ctx.get("alert")) or next(iter(dicts(ctx.get("newAlerts"))), {})
    return Event(
        source="opensearch",
        name=first(trigger, "name") or first(monitor, "name"),
        status=status_of(first(alert, "state")) or status_of(first(payload, "status")) or FIRING,
        service=service_in(payload) or first(monitor, "name"),
        severity=word,
        level=ranked(word),
        started_at=first_value(ctx, "periodStart"),
        summary=first(ctx, "error") or first(payload, "message"),
        key=["trigger", first(monitor, "id", "_id", "name"), first(trigger, "id", "name")],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read, aliases=("elasticsearch", "kibana", "watcher", "elastic_watcher", "opensearch"))
