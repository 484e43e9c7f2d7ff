"""Correlate: join the open incident that best explains an alert, or open a new one.

First form: service, topology distance and time. Each incident keeps the services that explain all its members; relatedness falls with
the mean number of hops to the best of them and with the time since the last member (figures from a study on ITBench, see NoiseRules).
"""

from __future__ import annotations

import math

from agents.case import Case, End, Turn
from agents.held import remember
from agents.incidents import (
    close,
    delivered,
    is_open,
    join,
    load,
    look,
    mark_p1,
    member_cleared,
    open_incident,
    page,
    page_higher,
    page_others,
    place,
    raise_to,
    reopen,
    tell,
    update_page,
)
from agents.reasons import Why
from agents.rows import CAUSES, CLOSED_MARK, AlertRow, IncidentRow
from agents.triage import incident_runbooks, summarize, title_of
from schemas.base import Severity, to_ms
from schemas.decision import Outcome
from schemas.effect import Transition


def settle(case: Case, turn: Turn, row: AlertRow) -> End:
    """Give a firing alert its incident and ask for its page; the last stage."""
    alert_key = case.key
    incident = load(turn, row.incident_id) if row.incident_id else None
    if incident is not None and is_open(incident) and row.member:
        return escalate(case, turn, row, incident)
    if incident is not None and may_reopen(turn, incident, row):
        reopen(turn, incident, row, alert_key)
        case.incident = incident
        return asked(case, turn, incident, f"{row.name} is back within {turn.world.rules.reopen_window_s:.0f} s")
    found = best(turn, row)
    if found is not None and (incident := load(turn, found[0])) is not None:
        _, score, cause = found
        case.incident = incident
        case.add("correlate", "joined", incident=incident.incident_id, score=round(score, 3), cause=cause)
        return joined(case, turn, row, incident)
    return asked(case, turn, opened(case, turn, row), "new")


def opened(case: Case, turn: Turn, row: AlertRow) -> IncidentRow:
    incident = open_incident(
        turn, row, case.key, title=title_of(row), summary=summarize(case, row), confidence=case.confidence,
        deadline=to_ms(case.alert.deadline), labels=case.alert.labels,
    )  # fmt: skip
    incident.runbooks = incident_runbooks(case, turn, row)
    incident.source, incident.source_severity = case.alert.source, case.alert.source_severity
    incident.provenance = "learned" if any(name == "score" and reason == "learned" for name, reason, _ in case.stages) else "rules"
    case.incident = incident
    case.add("correlate", "opened", incident=incident.incident_id)
    case.add("runbooks", "linked" if incident.runbooks else "no_runbook", runbooks=[[one[0], one[2]] for one in incident.runbooks])
    return incident


def asked(case: Case, turn: Turn, incident: IncidentRow, what: str) -> End:
    """The page of a new or reopened incident: now, or after the transient hold."""
    if page(turn, incident):
        if not incident.receivers:
            return nobody(incident)
        return End(
            Outcome.NOTIFIED,
            Why.PAGED,
            f"{incident.severity} pages {', '.join(incident.receivers)}",
            {"receivers": incident.receivers, "what": what},
        )
    seconds = turn.world.rules.transient_hold_s
    return End(
        Outcome.OPEN,
        Why.HOLD,
        f"{incident.severity} waits {seconds:g} s in case it is a transient",
        {"until": incident.hold_until, "what": what},
    )


def nobody(incident: IncidentRow) -> End:
    text = f"no route has a receiver for {incident.severity} of {incident.service or incident.title}"
    incident.silence_code, incident.silence_text = Why.NO_RECEIVER.value, text
    return End(Outcome.SUPPRESSED, Why.NO_RECEIVER, text)


def escalate(case: Case, turn: Turn, row: AlertRow, incident: IncidentRow) -> End:
    """A member rose in severity."""
    from_severity = incident.severity
    case.incident = incident
    if row.severity == Severity.P1:
        mark_p1(turn, incident, row, case.key)
    if Severity(row.severity).outranks(Severity(incident.severity)):
        raise_to(turn, incident, row)
    return told_or_grouped(case, turn, incident, f"{row.name} rose to {row.severity}", from_severity)


def joined(case: Case, turn: Turn, row: AlertRow, incident: IncidentRow) -> End:
    before = incident.severity
    join(turn, incident, row, case.key)
    return told_or_grouped(case, turn, incident, f"{row.name} joined", before)


def told_or_grouped(case: Case, turn: Turn, incident: IncidentRow, what: str, before: str) -> End:
    facts = {"incident": incident.incident_id, "was": before, "severity": incident.severity}
    if page_higher(turn, incident):
        if not incident.receivers:
            return nobody(incident)
        why = Why.ESCALATION if incident.severity != before else Why.PAGED
        return End(Outcome.NOTIFIED, why, f"{what}: {incident.severity} pages {', '.join(incident.receivers)}", facts)
    if case.severity is Severity.P1 and incident.paged_severity:
        remember(case, turn)  # it may have to page by itself
        update_page(turn, incident)
        others = page_others(turn, incident, own_receivers(case, turn))
        if others:
            return End(Outcome.NOTIFIED, Why.PAGED, f"{what}: P1 pages {', '.join(others)}, who did not know the incident", facts)
    if not incident.paged_severity:
        return End(Outcome.OPEN, Why.HOLD, f"{what}: its incident waits in case it is a transient", facts | {"until": incident.hold_until})
    return End(Outcome.GROUPED, Why.JOINED, f"{what}: incident {incident.incident_id} was told", facts)


def own_receivers(case: Case, turn: Turn) -> tuple[str, ...]:
    """Who is paged for the alert itself, whatever incident it belongs to."""
    alert = case.alert
    return turn.world.whom(
        severity=case.severity, service=alert.service, environment=alert.environment, owner=case.owner, labels=alert.labels, now=turn.now
    )


def join_parent(case: Case, turn: Turn, row: AlertRow, incident: IncidentRow) -> None:
    """A P1 child: into the parent's incident, whose page is updated; by itself when that page does not arrive."""
    join(turn, incident, row, case.key)
    remember(case, turn)
    if not page_higher(turn, incident):
        update_page(turn, incident)
    if not delivered(incident):
        turn.at(turn.now + round(turn.world.rules.parent_page_grace_s * 1000), "child_page", f"{incident.incident_id}|{case.key}")


def tell_ended(case: Case, turn: Turn, row: AlertRow) -> End:
    """Its resolve came first: one message that says both."""
    incident = opened(case, turn, row)
    tell(turn, incident, Transition.FIRED_AND_RESOLVED)
    member_cleared(turn, incident, row, case.key)
    close(turn, incident, by="source")
    return End(Outcome.NOTIFIED, Why.PAGED, "fired and already resolved: told once, as both")


def may_reopen(turn: Turn, incident: IncidentRow, row: AlertRow) -> bool:
    """Not one that a person closed while it burned: its other alerts would be thought known."""
    if turn.state.get(CLOSED_MARK + incident.incident_id.encode()) is not None:
        return False
    return incident.status == "resolved" and turn.now - incident.resolved_at <= turn.world.rules.reopen_window_s * 1000


def best(turn: Turn, row: AlertRow) -> tuple[str, float, str] | None:
    """The open incident that explains the alert best: (its id, relatedness in [0, 1], common cause)."""
    rules, found = turn.world.rules, None
    here = place(row)
    seen: set[str] = set()
    for service, hops in turn.world.graph.upstream(here, rules.join_hops).items():
        refs = CAUSES.get(turn.state, f"{row.domain}|{service}")
        for incident_id in refs.ids if refs else ():
            if incident_id in seen:
                continue
            incident = look(turn, incident_id)
            if incident is None or not is_open(incident):
                continue
            score = relatedness(turn, incident, here, service, hops)
            if score >= rules.join_threshold and (found is None or score > found[1]):
                found = (incident_id, score, service)
            if incident.service == here:
                seen.add(incident_id)
    return found


def relatedness(turn: Turn, incident: IncidentRow, here: str, cause: str, hops: int) -> float:
    rules = turn.world.rules
    age = max(0, turn.now - incident.last_join_at) / 1000
    if here in (incident.service, f"~{incident.title}") or incident.causes.get(here) == 0:
        return max(0.0, 1.0 - age / rules.join_same_service_s) if rules.join_same_service_s else 0.0
    mean = (incident.causes.get(cause, 0) + hops) / (incident.total + 1)
    return math.exp(-rules.join_hop_decay * mean) * math.exp(-age / rules.join_decay_s)
