"""Pingdom (state change webhook, and the older one) and Uptime Kuma: checks that are up or down."""

from __future__ import annotations

from agents.normalize.dig import Obj, first, first_value, obj, only, pairs, text
from agents.normalize.items import FIRING, RESOLVED, Event, Ignored, Item, Source
from agents.normalize.words import P1, level_of, status_or_firing


def _is_pingdom(payload: Obj) -> bool:
    return ("check_id" in payload and ("current_state" in payload or "check_type" in payload)) or (
        "incidentid" in payload and "check" in payload
    )


def _pingdom(payload: Obj, now_ms: int) -> list[Item]:
    state = first(payload, "current_state", "description", "action")
    word = first(payload, "importance_level")
    params = obj(payload.get("check_params"))
    check = first(payload, "check_id", "check")
    name = first(payload, "check_name", "checkname") or first(params, "hostname") or f"check {check}"
    return [
        Event(
            source="pingdom",
            name=name,
            status=RESOLVED if state.upper() in ("UP", "SUCCESS") else status_or_firing(state),
            service=first(params, "hostname", "full_url", "url") or first(payload, "host") or name,
            severity=word,
            level=level_of(word),
            started_at=first_value(payload, "state_changed_timestamp", "state_changed_utc_time"),
            ended_at=first_value(payload, "state_changed_timestamp", "state_changed_utc_time"),
            summary=first(payload, "custom_message", "long_description", "description"),
            labels={
                **{tag: value or "true" for tag, value in pairs(payload.get("tags")).items()},
                "check_type": first(payload, "check_type"),
            },
            annotations=only(
                {
                    "description": first(payload, "long_description", "description"),
                    "url": first(params, "full_url"),
                    "probe": first(payload, "first_probe.location"),
                }
            ),
            url=first(params, "full_url"),
            key=["check", check],
            origin=payload,
        )
    ]


def _is_kuma(payload: Obj) -> bool:
    return "heartbeat" in payload and "monitor" in payload


def _kuma(payload: Obj, now_ms: int) -> list[Item]:
    beat, monitor = obj(payload.get("heartbeat")), obj(payload.get("monitor"))
    if not beat and not monitor:
        return [Ignored("an Uptime Kuma message that is about no monitor (a test)")]
    state = first(beat, "status")
    if state in ("2", "3"):
        return [Ignored("an Uptime Kuma monitor that is " + ("pending" if state == "2" else "in maintenance"))]
    tags = (
        {first(tag, "name"): tag.get("value") for tag in monitor.get("tags") or [] if isinstance(tag, dict)}
        if isinstance(monitor.get("tags"), list)
        else {}
    )
    return [
        Event(
            source="uptime_kuma",
            name=first(monitor, "name", "friendly_name") or first(payload, "msg"),
            status=RESOLVED if state == "1" else FIRING,
            service=first(tags, "service", "app") or first(monitor, "hostname") or first(monitor, "name"),
            environment=first(tags, "environment", "env"),
            severity="UP" if state == "1" else "DOWN" if beat else "",
            level=P1 if state == "0" else None,
            started_at=first_value(beat, "time"),
            ended_at=first_value(beat, "time"),
            summary=first(payload, "msg") or first(beat, "msg"),
            labels={key: text(value) or "true" for key, value in tags.items() if key} | {"type": first(monitor, "type")},
            annotations=only({"message": first(beat, "msg"), "target": first(monitor, "url", "hostname")}),
            url=first(monitor, "url"),
            key=["monitor", first(monitor, "id") or first(beat, "monitorID") or first(monitor, "name")],
            origin=payload,
        )
    ]


PINGDOM = Source("pingdom", _is_pingdom, _pingdom, aliases=("solarwinds_pingdom",))
UPTIME_KUMA = Source("uptime_kuma", _is_kuma, _kuma, aliases=("uptimekuma", "kuma"))
