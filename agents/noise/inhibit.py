"""Parent and child: a service that depends on one with an open P1 is explained by it.

P2-P4 are suppressed and linked. A P1 child joins the parent's incident and updates its page; see `agents.incidents` for what happens
when that page was not delivered or the parent recovers.
"""

from __future__ import annotations

from agents.case import Case, End, Turn
from agents.incidents import is_open, load, look
from agents.reasons import Why
from agents.rows import OPEN_P1, IncidentRow
from schemas.base import Severity
from schemas.decision import Outcome


def inhibit(case: Case, turn: Turn) -> End | None:
    row = case.row
    if row is not None and row.member:
        return None  # already part of an incident; this is an escalation
    found = parent(case.alert.domain, case.alert.service, turn)
    if found is None:
        return None
    incident, service, hops = found
    if case.severity is Severity.P1:
        case.incident = load(turn, incident.incident_id)
        text = (
            f"{case.alert.service} depends on {service}, whose P1 incident {incident.incident_id} is open: it joins and updates that page"
        )
        return End(Outcome.GROUPED, Why.PARENT_P1, text, {"parent": incident.incident_id, "service": service, "hops": hops})
    text = f"{case.alert.service} depends on {service}, which has an open P1: {incident.title}"
    return End(
        Outcome.SUPPRESSED,
        Why.PARENT_OPEN,
        text,
        {"parent": incident.incident_id, "service": service, "hops": hops},
        by=incident.incident_id,
    )


def parent(domain: str, service: str, turn: Turn) -> tuple[IncidentRow, str, int] | None:
    """The nearest service upstream with an open P1: (incident as it is kept, that service, hops)."""
    if not service:
        return None
    for name, hops in turn.world.graph.upstream(service, turn.world.rules.join_hops).items():
        refs = OPEN_P1.get(turn.state, f"{domain}|{name}") if hops else None
        for incident_id in reversed(refs.ids if refs else []):
            incident = look(turn, incident_id)
            if incident is not None and is_open(incident) and incident.severity == Severity.P1:
                return incident, name, hops
    return None
