"""Google Cloud Monitoring: incident notifications v1.0 to v1.2 (webhook and Pub/Sub, whose envelope is undone before)."""

from __future__ import annotations

from agents.normalize.alert_words import service_in, severity_in
from agents.normalize.dig import Obj, at, first, first_value, last_segment, obj, pairs
from agents.normalize.items import Event, Item, Source
from agents.normalize.words import level_of, status_or_firing

NAME = "gcp_monitoring"


def recognizes(payload: Obj) -> bool:
    incident = payload.get("incident")
    return (
        isinstance(incident, dict)
        and "incident_id" in incident
        and ("policy_name" in incident or "condition_name" in incident or "resource_id" in incident)
    )


def read(payload: Obj, now_ms: int) -> list[Item]:
    incident = obj(payload["incident"])
    resource, metric = pairs(at(incident, "resource.labels")), pairs(at(incident, "metric.labels"))
    user = {**pairs(at(incident, "metadata.user_labels")), **pairs(incident.get("policy_user_labels"))}
    system = pairs(at(incident, "metadata.system_labels"))
    word = first(incident, "severity") or severity_in(user) or severity_in(system)
    policy, condition = first(incident, "policy_name"), first(incident, "condition_name", "condition.displayName")
    named = first(incident, "resource_display_name") or last_segment(first(incident, "resource_name")) or first(incident, "resource_id")
    documented = at(incident, "documentation")
    described = first(documented, "content", "subject") if isinstance(documented, dict) else first(incident, "documentation")
    return [
        Event(
            source=NAME,
            name=condition or last_segment(policy) or first(incident, "summary"),
            status=status_or_firing(first(incident, "state")),
            service=first({**user, **resource}, "service", "service_name", "app")
            or named
            or service_in(resource)
            or first(incident, "scoping_project_id"),
            environment=first({**system, **user}, "environment", "env"),
            severity=word,
            level=level_of(word),
            started_at=first_value(incident, "started_at"),
            ended_at=first_value(incident, "ended_at"),
            summary=first(incident, "summary", "documentation.subject") or described,
            labels={
                **resource,
                **metric,
                **user,
                "policy": policy,
                "project": first(incident, "scoping_project_id"),
                "resource_type": first(incident, "resource.type"),
            },
            annotations={
                "documentation": described,
                "observed_value": incident.get("observed_value"),
                "threshold_value": incident.get("threshold_value"),
                "metric": first(incident, "metric.displayName", "metric.type"),
            },
            url=first(incident, "url"),
            key=["incident", first(incident, "incident_id"), policy, condition],
            origin=payload,
        )
    ]


SOURCE = Source(
    NAME, recognizes, read, aliases=("gcp", "gcpmonitoring", "google_cloud_monitoring", "google_cloud", "stackdriver", "cloud_monitoring")
)
