"""Splunk: saved-search webhook, ITSI notable events, Observability Cloud (SignalFx) detectors, and On-Call (VictorOps) in and out."""

from __future__ import annotations

from agents.normalize.alert_words import environment_in, service_in, severity_in
from agents.normalize.dig import Obj, first, first_value, last_segment, obj, only, pairs, plain_keys, scalars
from agents.normalize.items import FIRING, RESOLVED, Event, Ignored, Item, Source
from agents.normalize.words import P1, P2, P3, P4, level_of, status_of, status_or_firing
from schemas.base import Severity

NAME = "splunk"
_SCALE: dict[str, Severity] = {"6": P1, "5": P1, "4": P2, "3": P3, "2": P4, "1": P4}
_ITSI: dict[str, Severity] = {"6": P1, "5": P2, "4": P3, "3": P4, "2": P4, "1": P4}
_VICTOROPS = frozenset({"CRITICAL", "WARNING", "INFO", "ACKNOWLEDGEMENT", "RECOVERY", "CUSTOM"})


def recognizes(payload: Obj) -> bool:
    if "search_name" in payload and ("sid" in payload or "result" in payload or "results_link" in payload):
        return True
    if "message_type" in payload and ("entity_id" in payload or "entity_display_name" in payload or "state_message" in payload):
        return True
    if "detectorUrl" in payload or ("detector" in payload and ("incidentId" in payload or "sf_schema" in payload)):
        return True
    if "ALERT.entity_id" in payload or "STATE.INCIDENT_NAME" in payload or "INCIDENT.INCIDENT_ID" in payload:
        return True
    return "itsi_group_id" in payload or "itsi_service_name" in payload or "itsi_service_ids" in payload or "episode_id" in payload


def read(payload: Obj, now_ms: int) -> list[Item]:
    if "search_name" in payload and "itsi_group_id" not in payload:
        return [_search(payload)]
    if "message_type" in payload:
        return [_oncall(payload)]
    if "detector" in payload or "detectorUrl" in payload:
        return [_detector(payload)]
    if any(key.startswith(("ALERT.", "STATE.", "INCIDENT.")) for key in payload):
        return [_oncall({key.partition(".")[2].lower(): value for key, value in payload.items()})]
    return [_itsi(payload)]


def _search(payload: Obj) -> Item:
    result = obj(payload.get("result"))
    word = severity_in(result) or severity_in(payload)
    host = first(result, "host", "hostname", "dest", "src")
    service = service_in(result) or host or first(payload, "app")
    return Event(
        source=NAME,
        name=first(payload, "search_name") or first(result, "title", "alert_name", "name"),
        status=status_of(first(result, "status", "state", "alert_status")) or FIRING,
        service=service,
        environment=environment_in(result),
        severity=word,
        level=_SCALE.get(word) or level_of(word),
        started_at=first_value(payload, "trigger_time") or first_value(result, "_time", "time", "timestamp"),
        summary=first(result, "message", "description", "summary", "_raw") or first(payload, "search_name"),
        labels=only(
            {"host": host, "app": first(payload, "app"), "sourcetype": first(result, "sourcetype"), "index": first(result, "index")}
        ),
        annotations={**scalars(result), "owner": payload.get("owner"), "sid": payload.get("sid")},
        url=first(payload, "results_link"),
        key=["search", first(payload, "app"), first(payload, "search_name"), host, service],
        origin=payload,
    )


def _oncall(payload: Obj) -> Item:
    kind = first(payload, "message_type", "current_alert_phase", "alert_type")
    entity = first(payload, "entity_id", "incident_name")
    title = first(payload, "entity_display_name") or entity
    if not entity and not title:
        return Ignored("a VictorOps message without an entity")
    return Event(
        source="victorops",
        name=title,
        status=RESOLVED if kind.upper() in ("RECOVERY", "OK", "RESOLVED") else FIRING,
        service=service_in(payload) or last_segment(entity),
        environment=environment_in(payload),
        severity=kind if kind.upper() in _VICTOROPS else first(payload, "severity") or kind,
        level=level_of(kind) if kind.upper() in ("CRITICAL", "WARNING", "INFO") else level_of(first(payload, "severity")),
        started_at=first_value(payload, "state_start_time", "timestamp", "alert_time"),
        summary=first(payload, "state_message") or title,
        labels=only({"host": first(payload, "host_name", "hostname", "host"), "monitoring_tool": first(payload, "monitoring_tool")}),
        annotations=scalars(payload),
        url=first(payload, "alert_url", "incident_url"),
        key=["entity", entity or title],
        origin=payload,
    )


def _detector(payload: Obj) -> Item:
    dimensions = pairs(payload.get("dimensions"))
    word = first(payload, "severity", "ruleSeverity")
    return Event(
        source="signalfx",
        name=first(payload, "rule", "detector", "messageTitle"),
        status=status_or_firing(first(payload, "statusExtended"), first(payload, "status")),
        service=first(dimensions, "service", "sf_service", "service.name") or service_in(dimensions),
        environment=first(dimensions, "environment", "sf_environment", "deployment.environment"),
        severity=word,
        started_at=first_value(payload, "timestamp", "eventTimestamp"),
        summary=first(payload, "messageTitle", "description", "messageBody"),
        labels=dimensions,
        annotations=only(
            {
                "detector": first(payload, "detector"),
                "description": first(payload, "description"),
                "runbook_url": first(payload, "runbookUrl"),
                "tip": first(payload, "tip"),
            }
        ),
        url=first(payload, "detectorUrl"),
        key=["incident", first(payload, "incidentId") or first(payload, "detectorId"), first(payload, "rule")],
        origin=payload,
    )


def _itsi(payload: Obj) -> Item:
    body = {**obj(payload.get("result")), **payload}
    plain = plain_keys(body)
    word = first(plain, "severitylabel", "severity", "alertlevel", "itsigroupseverity")
    status = first(plain, "statuslabel", "itsigroupstatus", "status")
    ended = status.lower() in ("resolved", "closed", "5", "4") or word.lower() in ("normal", "2")
    service = first(plain, "servicename", "itsiservicename", "entitytitle", "entityname", "itsigroupassignee", "host")
    return Event(
        source="splunk_itsi",
        name=first(plain, "itsigrouptitle", "title", "eventtitle", "searchname", "name"),
        status=RESOLVED if ended else FIRING,
        service=service,
        severity=word,
        level=None if word.lower() in ("normal", "2") else _ITSI.get(word) or level_of(word),
        started_at=first_value(plain, "itsifirsteventtime", "starttime", "eventtime", "time", "modtime", "itsigroupmodtime"),
        summary=first(plain, "itsigroupdescription", "description", "title"),
        annotations=scalars(body),
        url=first(plain, "drilldownuri", "resultslink"),
        key=["episode", first(plain, "itsigroupid", "episodeid", "eventid") or first(plain, "title"), ""],
        origin=payload,
    )


SOURCE = Source(
    NAME,
    recognizes,
    read,
    aliases=("splunk_itsi", "itsi", "victorops", "splunk_oncall", "splunk_on_call", "signalfx", "splunk_observability"),
)
