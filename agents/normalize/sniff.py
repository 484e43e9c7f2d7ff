"""Which format a payload is of: envelopes are opened, then the sources are asked in this order, then it is read as far as possible."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from agents.normalize.dig import Obj, obj, plain_key, text
from agents.normalize.envelopes import opened, wrapped
from agents.normalize.generic import read_generic
from agents.normalize.items import Bad, Event, Ignored, Item, RejectReason, Source
from agents.normalize.sources import (
    alertmanager,
    azure,
    cloudwatch,
    datadog,
    deploy_notices,
    deploys,
    desks,
    dynatrace,
    elastic,
    flux,
    gcp,
    grafana,
    graylog,
    infrastructure,
    nagios,
    newrelic,
    observability,
    opsgenie,
    pagerduty,
    sentry,
    splunk,
    trackers,
    uptime,
    uptime_services,
    zabbix,
)

UNKNOWN = "unknown"

ORDER: tuple[Source, ...] = (
    flux.SOURCE,
    grafana.SOURCE,
    alertmanager.SOURCE,
    cloudwatch.SOURCE,
    gcp.SOURCE,
    azure.SOURCE,
    newrelic.SOURCE,
    pagerduty.SOURCE,
    sentry.SOURCE,
    opsgenie.SOURCE,
    uptime.UPTIME_KUMA,
    uptime.PINGDOM,
    splunk.SOURCE,
    graylog.SOURCE,
    dynatrace.SOURCE,
    nagios.CHECKMK,
    nagios.LIBRENMS,
    zabbix.SOURCE,
    datadog.SOURCE,
    elastic.SOURCE,
    nagios.NAGIOS,
    deploys.GITHUB,
    deploys.GITLAB,
    deploys.ARGOCD,
    deploys.KUBERNETES,
    deploy_notices.DEPLOYS,
    *(shape.source() for part in (uptime_services, infrastructure, observability, trackers, desks) for shape in part.SHAPES),
)
"""Formats with the surest marks first; those that are told by their choice of words last."""

_BY_NAME: dict[str, Source] = {plain_key(name): source for source in ORDER for name in (source.name, *source.aliases)}
_SLUG = re.compile(r"[^a-z0-9]+")
_NEST = 4
_LISTS = ("alerts", "events", "incidents", "alarms", "problems", "items", "notifications", "messages", "records", "results")
_TITLES = frozenset(("title", "name", "alertname", "alert_name", "summary", "subject"))


def named(hint: str | None) -> Source | None:
    """The format that a `source` header names."""
    return _BY_NAME.get(plain_key(hint)) if hint else None


def slug(hint: str | None) -> str:
    """A source's name as we write it: `My Monitor` -> `my_monitor`; `unknown` for none."""
    return _SLUG.sub("_", hint.lower()).strip("_")[:64] or UNKNOWN if hint else UNKNOWN


def read(payload: Any, hint: str | None, now_ms: int) -> list[Item]:
    """Items of any decoded JSON value, in the order of the payload."""
    if isinstance(payload, list):
        return _read_list(payload, hint, now_ms)
    if not isinstance(payload, dict):
        return [Bad(RejectReason.NOT_AN_ALERT, "a JSON scalar is not an alert")]
    if hint is not None:
        source = named(hint)
        if source is not None and source.recognizes(payload):
            return _named(source.read(payload, now_ms))
    return _recognized(payload, hint, now_ms, _NEST) or _unknown(payload, hint, now_ms)


def _read_list(elements: list[Any], hint: str | None, now_ms: int) -> list[Item]:
    if not elements:
        return [Ignored("an empty list")]
    posted = named(hint) is alertmanager.SOURCE or alertmanager.many(elements)
    found: list[Item] = []
    for element in elements:
        if element is None:
            found.append(Bad(RejectReason.NULL_ELEMENT, "the element is null"))
        elif not isinstance(element, dict):
            found.append(Bad(RejectReason.NOT_AN_ALERT, "the element is not an object"))
        elif (
            posted and "alerts" not in element and ("labels" in element or "annotations" in element or "startsAt" in element or not element)
        ):
            found.append(alertmanager.element(element, now_ms))
        else:
            found.extend(read(element, hint, now_ms))
    return found


def _recognized(payload: Obj, hint: str | None, now_ms: int, depth: int) -> list[Item] | None:
    """Items of a payload, or of what it wraps, where a known format lies there; None where none does."""
    inner = opened(payload)
    if isinstance(inner, Ignored):
        return [inner]
    if inner is not None and depth:
        found = _inside(inner.payload, inner.source or hint, now_ms, depth)
        if found is not None:
            return found
    for source in ORDER:
        if source.recognizes(payload):
            return _named(source.read(payload, now_ms))
    if depth:
        for value in wrapped(payload):
            found = _known(value, hint, now_ms, depth - 1)
            if found is not None:
                return found
    return None


def _named(items: list[Item]) -> list[Item]:
    """An event of a known source that has no title where the source puts it (a template of the user's own): any title will do."""
    for item in items:
        if isinstance(item, Event) and not text(item.name).strip():
            found = read_generic(obj(item.origin), item.source)
            item.name = found.name if isinstance(found, Event) else f"{item.source} alert"
    return items


def _known(value: Any, hint: str | None, now_ms: int, depth: int) -> list[Item] | None:
    if isinstance(value, dict):
        return _recognized(value, hint, now_ms, depth)
    found: list[Item] = []
    for element in value if isinstance(value, list) else ():
        inner = _recognized(element, hint, now_ms, depth) if isinstance(element, dict) else None
        if inner is None:
            return None
        found.extend(inner)
    return found or None


def _inside(value: Any, hint: str | None, now_ms: int, depth: int) -> list[Item] | None:
    """Items of what an envelope holds: nothing else is in it, so it is read even when nobody recognizes it."""
    if isinstance(value, list):
        return _flat(
            _inside(element, hint, now_ms, depth - 1) or [Bad(RejectReason.NOT_AN_ALERT, "the element is not an object")]
            for element in value
        )
    if not isinstance(value, dict):
        return None
    return _recognized(value, hint, now_ms, depth - 1) or _unknown(value, hint, now_ms)


def _flat(parts: Iterable[list[Item]]) -> list[Item]:
    return [item for part in parts for item in part]


def _unknown(payload: Obj, hint: str | None, now_ms: int) -> list[Item]:
    """Read by common names: each of a list of alerts, what a `payload` wraps, or the object itself."""
    source = named(hint)
    if source is flux.SOURCE:
        return [flux.element(payload)]
    elements = next(
        (payload[key] for key in _LISTS if isinstance(payload.get(key), list) and any(isinstance(part, dict) for part in payload[key])),
        None,
    )
    if elements is not None and not (payload.keys() & _TITLES):
        return _read_list(elements, hint, now_ms)
    name = source.name if source else slug(hint)
    found = read_generic(payload, name)
    inner = [value for value in wrapped(payload) if isinstance(value, dict)]
    if inner and "payload" in payload and payload["payload"] is inner[0]:
        deeper = read_generic(inner[0], name)
        if isinstance(deeper, Event):
            return [deeper]
    return [found]
