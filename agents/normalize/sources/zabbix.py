"""Zabbix: the webhook media type with any of the usual parameter names (they follow the macros), and the real-time event export.

{EVENT.ID} in a recovery message is the problem's own, so it joins the two; a trigger id also joins later problems of the same trigger.
"""

from __future__ import annotations

import re

from agents.normalize.alert_words import severity_in
from agents.normalize.dig import Obj, dicts, first, first_value, only, pairs, plain_keys, scalars, text, words
from agents.normalize.items import FIRING, RESOLVED, Event, Item, Source
from agents.normalize.words import P1, P2, P3, P4, level_of, status_of
from schemas.base import AlertStatus, Severity

NAME = "zabbix"
_PREFIX = re.compile(
    r"^\s*(?P<word>problem|resolved|ok|recovery|updated problem|update|problem started|acknowledged)"
    r"(?P<more>\s+in\b[^:]*|\s+at\b[^:]*)?\s*:\s*",
    re.IGNORECASE,
)
_SCALE: dict[str, Severity] = {"5": P1, "4": P2, "3": P3, "2": P3, "1": P4, "0": P4}
_EVENT = ("eventid", "problemid", "eventrecoveryid")
_TRIGGER = words("triggerid triggername triggerstatus triggerseverity triggernseverity triggervalue")
_MORE = words(
    "triggerdescription triggerurl trigger eventvalue eventnseverity eventseverity eventname eventstatus hostname hosthost",
    "hostip hostconn zabbixurl eventdate eventtime eventupdatestatus eventsource alertsubject alertmessage eventtags",
    "eventopdata itemvalue itemname itemid itemkey",
)


def recognizes(payload: Obj) -> bool:
    if "p_eventid" in payload or ("eventid" in payload and "clock" in payload):
        return True
    plain = plain_keys(payload)
    if any("zabbix" in key for key in plain):
        return True
    strong = sum(key in plain for key in _EVENT) + sum(key in plain for key in _TRIGGER)
    return strong >= 2 or (strong == 1 and sum(key in plain for key in _MORE) >= 2) or (strong == 1 and "trigger" in plain)


def read(payload: Obj, now_ms: int) -> list[Item]:
    if "clock" in payload:
        return [_export(payload)]
    plain = plain_keys(payload)
    subject = first(plain, "alertsubject", "subject", "title")
    found = _PREFIX.match(subject)
    name = first(plain, "triggername", "eventname", "problemname", "alertname", "name", "trigger") or _PREFIX.sub("", subject)
    name = _PREFIX.sub("", name) or first(plain, "triggerdescription", "alertmessage", "message", "eventid")
    word = first(plain, "eventseverity", "triggerseverity", "severity", "eventnseverity", "triggernseverity", "nseverity") or severity_in(
        payload
    )
    tags = pairs(first_value(plain, "eventtagsjson", "eventtags", "tags", "triggertags"))
    date, clock = first(plain, "eventdate", "date"), first(plain, "eventtime", "time")
    started = (
        f"{date} {clock}"
        if date and clock
        else first_value(plain, "eventtimestamp", "timestamp", "starttime", "lastreceived", "eventclock") or date or None
    )
    trigger = first(plain, "triggerid")
    host = first(plain, "hostname", "hosthost", "host", "hostvisiblename", "hostdns", "hostip", "hostconn")
    return [
        Event(
            source=NAME,
            name=name,
            status=_status(plain, found["word"] if found else ""),
            service=first(tags, "service", "application", "app", "component") or first(plain, "service") or host,
            environment=first(tags, "environment", "env"),
            severity=word,
            level=_SCALE.get(word) or level_of(word),
            started_at=started,
            summary=first(plain, "alertmessage", "message", "eventopdata", "opdata", "description", "triggerdescription") or subject,
            labels={**tags, **only({"host": host, "hostgroup": first(plain, "triggerhostgroupname", "hostgroups", "hostgroup")})},
            annotations=scalars(payload),
            url=first(plain, "triggerurl", "zabbixurl", "eventurl", "url", "link"),
            key=["trigger", trigger, host]
            if trigger
            else ["event", first(plain, "eventid", "problemid", "id") or name, host if not first(plain, "eventid", "problemid") else ""],
            origin=payload,
        )
    ]


def _status(plain: Obj, prefix: str) -> AlertStatus:
    value = first(plain, "eventvalue", "triggervalue")
    if value in ("0", "1"):
        return FIRING if value == "1" else RESOLVED
    for key in ("triggerstatus", "eventstatus", "status", "state", "eventvalue", "triggervalue", "recoverystatus"):
        found = status_of(first(plain, key))
        if found is not None:
            return found
    if first(plain, "eventrecoveryid") and first(plain, "eventrecoveryid") != "{EVENT.RECOVERY.ID}":
        return RESOLVED
    return status_of(prefix) or FIRING


def _export(payload: Obj) -> Item:
    host = next(iter(dicts(payload.get("hosts"))), {})
    problem = first(payload, "p_eventid") or first(payload, "eventid")
    level = first(payload, "severity")
    tags = pairs(payload.get("tags"))
    return Event(
        source=NAME,
        name=first(payload, "name") or f"problem {problem}",
        status=RESOLVED if first(payload, "value") == "0" or "p_eventid" in payload else FIRING,
        service=first(tags, "service", "application") or first(host, "name", "host"),
        severity=level,
        level=_SCALE.get(level),
        started_at=payload.get("clock"),
        ended_at=payload.get("clock"),
        labels={**tags, **only({"host": first(host, "name", "host")})},
        annotations={"groups": ", ".join(map(text, payload["groups"])) if isinstance(payload.get("groups"), list) else ""},
        key=["event", problem, ""],
        origin=payload,
    )


SOURCE = Source(NAME, recognizes, read)
