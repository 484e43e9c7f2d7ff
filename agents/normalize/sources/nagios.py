"""Hosts and their services in states: Nagios and Icinga (macros as keys, and Icinga 2's event stream), Checkmk, and LibreNMS."""

from __future__ import annotations

import re

from agents.normalize.dig import Obj, first, first_value, only, plain_keys, scalars
from agents.normalize.items import FIRING, RESOLVED, Event, Ignored, Item, Source
from agents.normalize.words import P1, P2, P3, level_of, status_of
from schemas.base import AlertStatus, Severity

_NAGIOS = frozenset(
    [
        "servicestate",
        "hoststate",
        "servicedesc",
        "serviceoutput",
        "hostoutput",
        "servicedescription",
        "servicestatetype",
        "notificationtype",
        "hoststatetype",
    ]
)
_CHANGE = re.compile(r"\s+-\s+\S+(?:\s\S+)?\s+->\s+.*$")
_SERVICE_STATES = {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN"}
_HOST_STATES = {"0": "UP", "1": "DOWN", "2": "UNREACHABLE"}


def _stripped(payload: Obj) -> Obj:
    """Plain keys without the prefixes of environment variables (`NAGIOS_HOSTNAME`, `NOTIFY_HOSTNAME`)."""
    found: Obj = {}
    for key, value in plain_keys(payload).items():
        for prefix in ("nagios", "icinga", "notify"):
            if key.startswith(prefix) and len(key) > len(prefix):
                key = key.removeprefix(prefix)
        found.setdefault(key, value)
    return found


def _level(state: str) -> Severity | None:
    return {"DOWN": P1, "UNREACHABLE": P2, "UNREACH": P2, "CRIT": P1, "UNKNOWN": P3, "UNKN": P3}.get(state.upper()) or level_of(state)


def _ended(kind: str, state: str) -> AlertStatus:
    if "recovery" in kind.lower() or kind.lower() in ("flappingstop", "flappingend", "downtimeend"):
        return RESOLVED
    return status_of(state) or FIRING


def _is_nagios(payload: Obj) -> bool:
    if payload.get("type") in ("StateChange", "Notification", "CheckResult") and "host" in payload and "check_result" in payload:
        return True
    plain = _stripped(payload)
    host = "hostname" in plain or "host" in plain or "hostalias" in plain or "hostdisplayname" in plain
    return host and (sum(key in plain for key in _NAGIOS) >= 2 or ("servicedescription" in plain and "state" in plain))


def _nagios(payload: Obj, now_ms: int) -> list[Item]:
    plain = _stripped(payload)
    host = first(plain, "hostname", "host", "hostdisplayname", "hostalias")
    service = first(plain, "servicedesc", "servicedescription", "servicedisplayname", "servicename", "service")
    kind = first(plain, "notificationtype", "type")
    if kind.upper().startswith("DOWNTIME"):
        return [Ignored(f"Nagios: {kind}")]
    state = (first(plain, "servicestate") if service else first(plain, "hoststate")) or first(
        plain, "state", "servicestate", "hoststate", "status"
    )
    if state.replace(".0", "") in _SERVICE_STATES:
        state = (_SERVICE_STATES if service else _HOST_STATES).get(state.replace(".0", ""), "UNKNOWN")
    output = first(plain, "serviceoutput", "hostoutput", "output", "pluginoutput", "message", "longserviceoutput") or first(
        payload, "check_result.output"
    )
    when = first_value(
        plain, "lastservicestatechange", "lasthoststatechange", "longdatetime", "timet", "timestamp", "shortdatetime", "datetime", "date"
    )
    icinga = (
        any("icinga" in key.lower() for key in payload)
        or "check_result" in payload
        or "icinga" in first(plain, "monitoringtool", "source").lower()
    )
    return [
        Event(
            source="icinga" if icinga else "nagios",
            name=service or f"host {host}",
            status=_ended(kind, state),
            service=host,
            severity=state,
            level=_level(state),
            started_at=when,
            summary=output or f"{host} {service} {state}",
            labels=only(
                {
                    "host": host,
                    "check": service,
                    "hostgroup": first(plain, "hostgroupname"),
                    "address": first(plain, "hostaddress", "address"),
                }
            ),
            annotations=scalars(payload),
            url=first(plain, "servicenotesurl", "hostnotesurl", "serviceactionurl", "hostactionurl", "url"),
            key=["check", host, service],
            origin=payload,
        )
    ]


def _is_checkmk(payload: Obj) -> bool:
    if "check_mk" in str(payload.get("url", "")) or "omd_site" in payload or "OMD_SITE" in payload:
        return True
    return ("what" in payload and "notification_type" in payload and "host" in payload) or ("WHAT" in payload and "HOSTNAME" in payload)


def _checkmk(payload: Obj, now_ms: int) -> list[Item]:
    plain = _stripped(payload)
    host = first(plain, "host", "hostname", "alias", "hostalias")
    about_service = first(plain, "what").upper() == "SERVICE"
    service = first(plain, "servicedesc", "service", "servicedescription", "description") if about_service else ""
    kind = first(plain, "notificationtype")
    if kind.upper().startswith("DOWNTIME"):
        return [Ignored(f"Checkmk: {kind}")]
    state = first(plain, "servicestate" if about_service else "hoststate") or first(plain, "status", "state", "severity")
    word = first(plain, "severity") or state
    summary = first(plain, "summary")
    named = _CHANGE.sub("", summary)
    return [
        Event(
            source="checkmk",
            name=service or named or f"host {host}",
            status=_ended(kind, state or first(plain, "event")),
            service=host,
            severity=word,
            level=_level(word),
            started_at=first_value(
                plain, "lastservicestatechange", "lasthoststatechange", "shortdatetime", "longdatetime", "microtime", "date"
            ),
            summary=first(plain, "serviceoutput", "hostoutput", "output") or summary,
            labels=only(
                {
                    "host": host,
                    "check": service or (named if about_service else ""),
                    "site": first(plain, "site", "omdsite"),
                    "address": first(plain, "address", "hostaddress"),
                }
            ),
            annotations={**scalars(payload), "summary": summary},
            url=first(plain, "url", "serviceurl", "hosturl"),
            key=["check", first(plain, "site", "omdsite"), host, service or (named if about_service else "")],
            origin=payload,
        )
    ]


def _is_librenms(payload: Obj) -> bool:
    return ("sysName" in payload or "device_id" in payload) and (
        "rule_id" in payload or "rule" in payload or "alert_id" in payload or "sysDescr" in payload
    )


def _librenms(payload: Obj, now_ms: int) -> list[Item]:
    state, word = first(payload, "state"), first(payload, "severity")
    recovered = state == "0" or word.lower() in ("ok", "recovery") or " recovered from " in first(payload, "title")
    name = first(payload, "name", "rule_name") or first(payload, "title")
    return [
        Event(
            source="librenms",
            name=name,
            status=RESOLVED if recovered else FIRING,
            service=first(payload, "hostname", "sysName", "display", "ip"),
            severity=word,
            level=level_of(word),
            started_at=first_value(payload, "timestamp"),
            ended_at=first_value(payload, "timestamp"),
            summary=first(payload, "title", "msg"),
            labels=only(
                {
                    "host": first(payload, "hostname"),
                    "sys_name": first(payload, "sysName"),
                    "os": first(payload, "os"),
                    "location": first(payload, "location"),
                    "device_type": first(payload, "type"),
                }
            ),
            annotations=only(
                {
                    "message": first(payload, "msg"),
                    "faults": first_value(payload, "faults"),
                    "elapsed": first(payload, "elapsed"),
                    "notes": first(payload, "notes"),
                    "proc": first(payload, "proc"),
                }
            ),
            key=["rule", first(payload, "rule_id") or name, first(payload, "device_id") or first(payload, "hostname")],
            origin=payload,
        )
    ]


NAGIOS = Source("nagios", _is_nagios, _nagios, aliases=("icinga", "icinga2", "naemon", "op5", "nagios_xi"))
CHECKMK = Source("checkmk", _is_checkmk, _checkmk, aliases=("check_mk",))
LIBRENMS = Source("librenms", _is_librenms, _librenms, aliases=("libre_nms",))
