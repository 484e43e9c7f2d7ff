"""Datadog: webhooks (default template and the usual custom ones), monitors and events of its API.

Identity is the monitor and its group (`$ALERT_SCOPE`), else the cycle or aggregation key, else the title without its transition.
"""

from __future__ import annotations

import re

from agents.normalize.alert_words import service_in
from agents.normalize.dig import Obj, first, first_value, obj, pairs, plain_keys, text
from agents.normalize.items import Deed, Event, Item, Source
from agents.normalize.words import P4, ranked, status_of, status_or_firing
from schemas.base import Severity

NAME = "datadog"
_MARKS = frozenset(
    ["alerttransition", "alertcyclekey", "aggregkey", "alertscope", "alertquery", "alertmetric", "alerttitle", "eventtitle", "lastupdated"]
)
_TITLE = re.compile(
    r"^\s*(?:%%%\s*)?(?:\[(?P<priority>P[1-5])\]\s*)?\[(?P<word>[^\]\[]{2,40}?)(?: on (?P<scope>[^\]]*))?\]\s*(?P<rest>.+)$", re.DOTALL
)
_MONITORS = (
    "metric alert",
    "query alert",
    "service check",
    "event alert",
    "log alert",
    "composite",
    "synthetics alert",
    "slo alert",
    "trace-analytics alert",
    "process alert",
    "rum alert",
    "event-v2 alert",
    "audit alert",
)


def recognizes(payload: Obj) -> bool:
    plain = plain_keys(payload)
    found = sum(key in plain for key in _MARKS)
    if found >= 2 or (found and ("title" in plain or "monitorid" in plain or "alertid" in plain)):
        return True
    if text(payload.get("type")) in _MONITORS or (
        "monitor_id" in payload and ("query" in payload or "scopes" in payload or "tags" in payload)
    ):
        return True
    if "org" in plain and "eventtype" in plain and ("title" in plain or "eventtitle" in plain):
        return True
    return "alert_type" in payload and ("date_happened" in payload or "aggregation_key" in payload or "source_type_name" in payload)


def read(payload: Obj, now_ms: int) -> list[Item]:
    plain = plain_keys(payload)
    tags = {key: value for key, value in pairs(first_value(plain, "tags", "eventtags", "alerttags")).items() if value or key}
    title = first(plain, "alerttitle", "title", "eventtitle", "monitorname", "alertname", "name", "msgtitle")
    parsed = _TITLE.match(title)
    name = parsed["rest"] if parsed and status_of(parsed["word"]) else title
    kind = first(plain, "eventtype", "sourcetypename", "type")
    if "deploy" in kind.lower() or "deployment" in tags.get("event", ""):
        return [_deploy(plain, tags, name)]
    scope = _scope(plain) or (text(parsed["scope"]) if parsed and parsed["scope"] else "")
    scoped = pairs(scope)
    word, level = _severity(plain, parsed["priority"] if parsed else "")
    opened = obj(payload.get("options"))
    return [
        Event(
            source=NAME,
            name=name or first(plain, "textonlymsg", "eventmsg", "body", "message"),
            status=status_or_firing(
                first(plain, "alerttransition", "transition"),
                first(plain, "alertstatus", "overallstate", "status", "state"),
                parsed["word"] if parsed else "",
                first(plain, "alerttype"),
            ),
            service=first(plain, "service", "servicename")
            or service_in({**scoped, **tags})
            or first(plain, "hostname", "host")
            or scope.partition(":")[2],
            severity=word,
            level=level,
            started_at=first_value(
                plain, "alertcyclestart", "triggeredat", "date", "datehappened", "dateposix", "lastupdated", "timestamp", "created"
            ),
            summary=first(plain, "body", "eventmsg", "textonlymsg", "message", "text", "description"),
            labels={**{key: value for key, value in tags.items() if value}, **{key: value for key, value in scoped.items() if value}},
            annotations={
                "query": first(plain, "alertquery", "query"),
                "metric": first(plain, "alertmetric"),
                "scope": scope,
                "renotify": opened.get("renotify_interval"),
            },
            url=first(plain, "url", "link", "alerturl", "eventurl", "snapshot"),
            key=_key(plain, name, scope),
            origin=payload,
        )
    ]


def _scope(plain: Obj) -> str:
    value = first_value(plain, "alertscope", "scopes", "scope", "monitorgroups", "group")
    parts = [text(part) for part in value] if isinstance(value, list) else text(value).split(",")
    return ",".join(sorted(part.strip() for part in parts if part.strip()))


def _severity(plain: Obj, in_title: str) -> tuple[str, Severity | None]:
    for key in ("severity", "alertpriority", "priority", "monitorpriority"):
        word = first(plain, key)
        if word and not word.startswith(("$", "{")) and word.lower() not in ("normal", "none", "null"):
            return word, ranked(word)
    if in_title:
        return in_title, ranked(in_title)
    word = first(plain, "alerttype") or first(plain, "priority")
    return word, P4 if word == "success" else ranked(word)


def _key(plain: Obj, name: str, scope: str) -> list[str]:
    monitor = first(plain, "monitorid", "alertid")
    if monitor:
        return ["monitor", monitor, scope]
    cycle = first(plain, "alertcyclekey", "aggregkey", "aggregationkey")
    if cycle:
        return ["cycle", cycle]
    own = "overallstate" in plain or ("query" in plain and "alerttransition" not in plain)
    return ["monitor", first(plain, "id"), scope] if own and first(plain, "id") else ["title", name, scope]


def _deploy(plain: Obj, tags: Obj, name: str) -> Deed:
    return Deed(
        source=NAME,
        title=name or first(plain, "body", "text"),
        service=service_in(tags),
        environment=first(tags, "env", "environment"),
        version=first(tags, "version"),
        author=first(tags, "user", "author"),
        url=first(plain, "url", "link"),
        happened_at=first_value(plain, "datehappened", "date", "lastupdated"),
        key=[first(plain, "id")] if first(plain, "id") else None,
        origin=plain,
    )


SOURCE = Source(NAME, recognizes, read, aliases=("dd", "datadog_webhook"))
