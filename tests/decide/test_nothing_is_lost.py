"""Whatever happens in whatever order: each event has one decision, nothing raises, and who should know in the end does."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.incidents import is_open
from agents.rows import ALERTS, INCIDENTS, AlertRow
from schemas.effect import Transition
from tests.scenarios.conftest import BACKUPS, ROUTES
from tests.scenarios.memory_backend import MemoryBackend
from tests.scenarios.shop import SERVICES

HOUR = 3_600_000
SERVICE = st.sampled_from([service.name for service in SERVICES] + ["", "unknown"])
NAMES = ("Down", "Slow", "Full")
ENDINGS = (Transition.RESOLVED, Transition.FIRED_AND_RESOLVED)


@dataclass(frozen=True)
class Event:
    after_ms: int
    name: str
    service: str
    severity: str
    resolved: bool


events = st.builds(
    Event,
    after_ms=st.sampled_from([0, 1, 1000, 10_000, 31_000, 200_000, 1_000_000]),
    name=st.sampled_from(NAMES),
    service=SERVICE,
    severity=st.sampled_from(["critical", "error", "warning", "info"]),
    resolved=st.booleans(),
)
people = st.tuples(
    st.sampled_from([0, 5_000, 100_000]), st.sampled_from(["acknowledge", "resolve", "reopen", "false_positive", "escalate"])
)
steps = st.lists(st.one_of(events, events, events, people), min_size=1, max_size=40)


class Bytes:
    """The rows of a processor, read as a stage would."""

    def __init__(self, backend: MemoryBackend) -> None:
        self.rows = backend.runner.rows("decide")

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        raise AssertionError("read only")

    def delete(self, key: bytes) -> None:
        raise AssertionError("read only")


def play(todo: list[Event | tuple[int, str]]) -> tuple[MemoryBackend, int]:
    backend = MemoryBackend(routes=ROUTES, backups=BACKUPS)
    for service in SERVICES:
        backend.tables.put("topology", service.name, service.to_json())
    sent = 0
    for number, step in enumerate(todo):
        if isinstance(step, Event):
            backend.advance(backend.runner.now + step.after_ms)
            payload = {
                "name": step.name, "status": "resolved" if step.resolved else "firing", "service": step.service,
                "environment": "production",
                "source_severity": step.severity, "labels": {"alertname": step.name, "service": step.service},
            }  # fmt: skip
            backend.send_raw(json.dumps(payload).encode(), "flux")
            sent += 1
            continue
        after, kind = step
        backend.advance(backend.runner.now + after)
        known = backend.incidents()
        if known:
            about = known[number % len(known)]
            said = {
                "feedback_id": f"f{number}",
                "kind": kind,
                "incident_id": about.incident_id,
                "domain": about.domain,
                "by": "ann",
                "at": "2026-01-01T00:00:00Z",
            }
            backend.send("feedback", about.domain, json.dumps(said).encode())
    return backend, sent


@given(steps)
@settings(max_examples=400, deadline=None)
def test_each_event_has_one_decision_and_who_should_know_does(todo: list[Event | tuple[int, str]]) -> None:
    backend, sent = play(todo)
    assert backend.runner.failures == []
    decided = backend.decisions()
    assert [one.sequence for one in decided] == list(range(1, sent + 1))
    assert len({(one.raw.offset, one.raw.index) for one in decided}) == sent
    backend.advance(backend.runner.now + HOUR)
    state = Bytes(backend)
    last_told = {}
    for _, one in backend.told():
        last_told[(one.incident.incident_id, one.receiver)] = one.transition
    for key, value in state.rows.items():
        if not key.startswith(ALERTS.prefix):
            continue
        row: AlertRow = ALERTS.decode(value)
        if not row.firing:
            continue
        incident = INCIDENTS.get(state, row.suppressed_by if row.suppressed else row.incident_id)
        assert incident is not None, f"{row} fires and no incident stands for it"
        if incident.resolved_by == "ann":
            continue  # a person said so; the next event of it is told again
        assert is_open(incident), f"{row} fires and {incident} is over"
        assert any(one == incident.incident_id for one, _ in last_told), f"{row} fires and nobody was told of {incident}"
    for (incident_id, receiver), transition in last_told.items():
        kept = INCIDENTS.get(state, incident_id)
        if kept is not None and not is_open(kept):
            assert transition in ENDINGS, f"{receiver} still believes that {kept} burns"
        elif kept is not None:
            assert transition not in ENDINGS, f"{receiver} believes that {kept} is over"


@given(steps)
@settings(max_examples=40, deadline=None)
def test_the_same_events_make_the_same_decisions(todo: list[Event | tuple[int, str]]) -> None:
    first, second = play(todo)[0], play(todo)[0]
    assert first.runner.records("decisions") == second.runner.records("decisions")
    assert first.runner.records("incidents.triaged") == second.runner.records("incidents.triaged")


@given(steps)
@settings(max_examples=200, deadline=None)
def test_members_and_counts_agree(todo: list[Event | tuple[int, str]]) -> None:
    """An open incident that no person closed or reopened counts exactly the alerts that fire for it."""
    backend, _ = play([step for step in todo if isinstance(step, Event)])
    state = Bytes(backend)
    rows = [ALERTS.decode(value) for key, value in state.rows.items() if key.startswith(ALERTS.prefix)]
    for key, value in state.rows.items():
        if key.startswith(INCIDENTS.prefix):
            incident = INCIDENTS.decode(value)
            firing = [
                row for row in rows if row.incident_id == incident.incident_id and row.firing and not (row.suppressed and not row.flapping)
            ]
            flapping = sum(row.flapping for row in rows if row.incident_id == incident.incident_id)
            if is_open(incident) and not flapping:
                assert incident.firing == len(firing), f"{incident}: {firing}"
