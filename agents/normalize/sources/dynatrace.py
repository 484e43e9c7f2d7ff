"""Dynatrace: problem notifications (default and usual custom templates), problems of API v2, and events of the newer platform."""

from __future__ import annotations

import re

from agents.normalize.alert_words import service_in
from agents.normalize.dig import Obj, dicts, first, first_value, head, obj, only, pairs, plain_keys, text
from agents.normalize.items import RESOLVED, Event, Ignored, Item, Source
from agents.normalize.words import P2, P3, level_of, status_or_firing
from schemas.base import Severity

NAME = "dynatrace"
_ON = re.compile(r"^.* on (?:[\w ]*?(?:host|service|application|process|monitor|database) )?", re.IGNORECASE)
_LEVELS: dict[str, Severity] = {
    "AVAILABILITY": P2,
    "ERROR": P2,
    "PERFORMANCE": P3,
    "SLOWDOWN": P3,
    "RESOURCE_CONTENTION": P3,
    "RESOURCE": P3,
    "CUSTOM_ALERT": P3,
    "CUSTOM": P3,
    "MONITORING_UNAVAILABLE": P2,
}


def recognizes(payload: Obj) -> bool:
    plain = plain_keys(payload)
    if "problemid" in plain and (
        "problemtitle" in plain or "state" in plain or "severitylevel" in plain or "impactlevel" in plain or "problemseverity" in plain
    ):
        return True
    return (
        "problemdetailsjson" in plain
        or ("severityLevel" in payload and "impactLevel" in payload)
        or ("event.id" in payload and "event.status" in payload)
    )


def read(payload: Obj, now_ms: int) -> list[Item]:
    plain = plain_keys(payload)
    details = obj(first_value(plain, "problemdetailsjsonv2", "problemdetailsjson")) or obj(plain.get("problemdetails"))
    state = first(plain, "state", "problemstatus", "status", "eventstatus") or first(details, "status")
    if first(plain, "problemid") == "999" and "test" in first(plain, "problemtitle").lower() and not state:
        return [Ignored("a test notification of Dynatrace")]
    word = first(plain, "problemseverity", "severitylevel", "severity", "eventcategory") or first(details, "severityLevel")
    ranked = next(iter(dicts(details.get("rankedEvents"))), {})
    impacted = first_value(plain, "impactedentities", "affectedentities") or details.get("affectedEntities")
    entity = (
        head(plain.get("impactedentitynames"))
        or _entity(impacted)
        or _ON.sub("", head(plain.get("impactedentity")))
        or first(ranked, "entityName")
        or first(details, "rootCauseEntity.name")
        or first(payload, "rootCauseEntity.name", "affected_entity_names")
        or head(payload.get("dt.entity.service"))
    )
    tags = pairs(first_value(plain, "tags", "entitytags"))
    problem = first(plain, "displayid", "problemid", "pid", "eventid", "displayid")
    return [
        Event(
            source=NAME,
            name=first(plain, "problemtitle", "title", "eventname") or first(details, "title"),
            status=RESOLVED if state.upper() in ("RESOLVED", "CLOSED", "MERGED") else status_or_firing(state),
            service=first(tags, "service", "app") or entity or service_in(tags),
            environment=first(tags, "environment", "env") or first(details, "managementZones.0.name") if tags else "",
            severity=word,
            level=_LEVELS.get(word.upper()) or level_of(word),
            started_at=first_value(plain, "starttime", "problemstarttime", "eventstart") or first_value(details, "startTime"),
            ended_at=first_value(plain, "endtime", "problemendtime", "eventend") or first_value(details, "endTime"),
            summary=first(plain, "problemdetailstext", "eventdescription", "problemdetails") or first(plain, "problemtitle"),
            labels=only(
                {
                    **{key: text(value) for key, value in tags.items()},
                    "impact": first(plain, "problemimpact", "impactlevel"),
                    "entity": entity,
                }
            ),
            annotations=only(
                {
                    "details": first(plain, "problemdetailstext"),
                    "impacted": head(plain.get("impactedentity")),
                    "management_zones": first(plain, "managementzones"),
                }
            ),
            url=first(plain, "problemurl", "url"),
            key=["problem", problem],
            origin=payload,
        )
    ]


def _entity(impacted: object) -> str:
    if isinstance(impacted, list) and impacted and isinstance(impacted[0], dict):
        return first(impacted[0], "name", "entityId.id", "entity", "id")
    return head(impacted)


SOURCE = Source(NAME, recognizes, read)
