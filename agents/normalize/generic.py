"""Any JSON object: what can be read from it by the names that sources usually give to things."""

from __future__ import annotations

import re
from typing import Any

from agents.normalize.alert_words import ENVIRONMENT_KEYS, HOST_KEYS, SERVICE_KEYS, SEVERITY_KEYS
from agents.normalize.clean import is_secret
from agents.normalize.dig import Obj, head, items, obj, pairs, plain_key, plain_keys, text, words
from agents.normalize.items import FIRING, Event, Ignored, Item
from agents.normalize.words import LEVEL_OF, STATUS_OF, level_of, ranked, status_of
from schemas.base import AlertStatus

NAME_KEYS = words(
    "alertname alerttitle rulename monitorname checkname triggername conditionname problemtitle problemname alarmname ",
    "incidentname incidenttitle eventname eventtitle policyname title subject name problem alert alarm check rule monitor ",
    "shortdescription headline summary displayname message msg event text description reason error metric metricname details trigger",
)
STATUS_KEYS = words(
    "status state alertstate alertstatus newstate currentstate newstatus currentstatus incidentstatus eventstatus ",
    "checkstatus monitorstatus problemstate alertaction eventaction action transition notificationtype eventtype alerttype ",
    "event type event_type phase health condition severity",
)
TIME_KEYS = words(
    "startsat startedat starttime started start firedat firstseen firstseenat firstoccurrence triggeredat triggertime ",
    "triggered openedat openat opened raisedat occurredat occurred happenedat detectedat begin beginat activeat createdat ",
    "createdon created creationtime createtime eventtime eventtimestamp alerttime incidenttime timestamp atimestamp ts ",
    "datetime time date receivedat lastreceived updatedat timestampms epoch clock",
)
END_KEYS = (
    "endsat",
    "endedat",
    "endtime",
    "ended",
    "resolvedat",
    "resolvedtime",
    "closedat",
    "recoveredat",
    "recoverytime",
    "clearedat",
    "finishedat",
)
KEY_KEYS = words(
    "dedupkey dedupekey deduplicationkey dedupid fingerprint aggregationkey correlationid correlationkey incidentkey ",
    "alertkey alias alertid alertuid incidentid problemid issueid uniqueid uuid monitorid checkid ruleid id",
)
URL_KEYS = (
    "url",
    "link",
    "href",
    "alerturl",
    "incidenturl",
    "generatorurl",
    "dashboardurl",
    "permalink",
    "htmlurl",
    "weburl",
    "eventurl",
    "detailsurl",
)
SUMMARY_KEYS = words("summary message msg text description body details detail reason output longdescription content")
_NESTED = words(
    "alert alarm event incident issue problem monitor check trigger data body payload attributes context detail details rule ",
    "condition annotations labels tags metadata resource entity host service info customdetails properties fields message ",
    "notification result params",
)
_THINGS = frozenset(words("alert alarm incident event issue problem check monitor error notification test"))
_STRONG_STATUS = frozenset(STATUS_KEYS) - {"event", "type", "action", "condition", "severity", "phase"}
_BRACKETED = re.compile(
    r"^\s*\[?(?P<word>FIRING|RESOLVED|PROBLEM|RECOVERY|OK|CRITICAL|WARNING|ALERT|DOWN|UP|TRIGGERED|RECOVERED)(?::\d+)?\]?[\s:-]+",
    re.IGNORECASE,
)


def read_generic(payload: Obj, source: str) -> Item:
    """An event, or why there is nothing in the object to tell: it has neither a title, nor a severity, nor a status."""
    levels = _layers(payload)
    name = _find(levels, NAME_KEYS, _title_like)
    severity = _find(levels, SEVERITY_KEYS, _severity_like)
    status, sure = _status(levels)
    if not name and not severity and (status is not FIRING or not sure):  # "status: ok" alone is what a health check answers
        return Ignored("nothing that reads like an alert: no title, no severity and no status")
    if status is None:
        status = marked_status(name)
    host = _find(levels, HOST_KEYS)
    service = _find(levels, SERVICE_KEYS) or host
    labels = _labels(payload, levels)
    key = _key(levels, payload, name, service)
    return Event(
        source=source,
        name=name or f"{service} {severity}".strip() or "alert",
        status=FIRING if status is None else status,
        service=service,
        environment=_find(levels, ENVIRONMENT_KEYS),
        severity=severity,
        level=ranked(severity) if _ranks(levels) else level_of(severity),
        started_at=_find(levels, TIME_KEYS) or None,
        ended_at=_find(levels, END_KEYS) or None,
        summary=_find(levels, SUMMARY_KEYS) or name,
        labels=labels,
        annotations={
            key: value for key, value in payload.items() if key not in labels and value not in (None, "", [], {}) and not is_secret(key)
        },
        url=_find(levels, URL_KEYS),
        key=key,
        origin=payload,
        flags=() if status is not None else ("status_assumed",),
    )


def _layers(payload: Obj) -> list[Obj]:
    """The object and the objects in it that usually hold the rest, outermost first, with plain keys; two levels deep."""
    found = [plain_keys(payload)]
    for depth in range(2):
        for layer in list(found) if depth == 0 else found[1:]:
            for key in _NESTED:
                inner = layer.get(key)
                tags = (
                    inner
                    if isinstance(inner, dict)
                    else pairs(inner)
                    if key in ("tags", "labels", "fields") and isinstance(inner, list | str)
                    else next(iter(x for x in items(inner) if isinstance(x, dict)), None)
                )
                if isinstance(tags, dict) and tags and len(found) < 24:
                    plain = plain_keys(tags)
                    if plain not in found:
                        found.append(plain)
    return found


def _find(layers: list[Obj], keys: tuple[str, ...], fits: Any = None) -> str:
    for key in keys:
        for layer in layers:
            value = layer.get(key)
            if value is None or isinstance(value, bool):
                continue
            written = head(value)
            if written and (fits is None or fits(written)):
                return written
    return ""


def _title_like(written: str) -> bool:
    """Not a number, and more than a status or level with the kind of thing it is about (`incident.resolved`, `ALARM`)."""
    if written.replace(".", "").isdigit() or len(written) > 4096:
        return False
    words = re.findall(r"[a-z0-9]+", written.lower())
    return len(words) > 2 or not all(word in STATUS_OF or word in LEVEL_OF or word in _THINGS for word in words)


def _severity_like(written: str) -> bool:
    return len(written) <= 40


def _ranks(layers: list[Obj]) -> bool:
    return any("priority" in layer and "severity" not in layer for layer in layers)


def marked_status(name: str) -> AlertStatus | None:
    """What a mark in front of a title says: `[FIRING:1] x`, `RESOLVED - x`."""
    marked = _BRACKETED.match(name)
    return status_of(marked["word"]) if marked else None


def unmarked(name: str) -> str:
    return _BRACKETED.sub("", name) or name


def _status(layers: list[Obj]) -> tuple[AlertStatus | None, bool]:
    """What the first key that names a state says, and whether that key means a state (`status`) and not just anything (`type`, `action`).

    A boolean is a status only where its key says of what.
    """
    for key in STATUS_KEYS:
        for layer in layers:
            value = layer.get(key)
            if isinstance(value, str | dict):
                word = head(value)
                found = status_of(word)
                if found is not None and (key in _STRONG_STATUS or len(word) <= 40):
                    return found, key in _STRONG_STATUS
    for layer in layers:
        for key, meaning in (
            ("resolved", True),
            ("isresolved", True),
            ("recovered", True),
            ("firing", False),
            ("active", False),
            ("isactive", False),
            ("triggered", False),
            ("isopen", False),
            ("up", True),
            ("healthy", True),
            ("ok", True),
        ):
            value = layer.get(key)
            if isinstance(value, bool):
                return (AlertStatus.RESOLVED if value is meaning else AlertStatus.FIRING), True
    return None, False


def _labels(payload: Obj, layers: list[Obj]) -> dict[str, Any]:
    """Label objects and tag lists of the payload become labels; so do the plain facts that name a thing."""
    found: dict[str, Any] = {}
    for key, value in payload.items():
        if plain_key(key) in ("labels", "tags", "dimensions", "attributes"):
            found.update(
                {
                    name: item
                    for name, item in pairs(value).items()
                    if text(item) and len(text(item)) <= 1024 and len(name) <= 128 and not is_secret(name)
                }
            )
    host = _find(layers, HOST_KEYS[:8])
    if host and "host" not in found:
        found["host"] = host[:1024]
    return found


def _key(layers: list[Obj], payload: Obj, name: str, service: str) -> list[str]:
    """The source's own id where the payload has one, else name and place. An id alone may be the event's, so the name stays in the key."""
    own = next((text(layer[key]) for key in KEY_KEYS[:-1] for layer in layers if text(layer.get(key))), "")
    if own:
        return ["id", own]
    host = _find(layers, HOST_KEYS)
    marked = unmarked(name)
    labels = sorted(
        f"{key}={text(value)}"
        for key, value in pairs(obj(payload).get("labels")).items()
        if plain_key(key) not in SEVERITY_KEYS and text(value)
    )
    return ["named", marked, service, host, _find(layers, ENVIRONMENT_KEYS), *labels]
