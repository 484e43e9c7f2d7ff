"""Messages as the decide lane writes them, with as little said as a test needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.advice import Advice, Tried
from schemas.alert import RawCoordinates
from schemas.base import AlertStatus, Reason, Severity
from schemas.decision import Decision, Outcome, StageRecord
from schemas.effect import Receipt
from schemas.feedback import Feedback
from schemas.incident import Incident, IncidentAlert, IncidentStatus, Notified, TimelineEntry
from schemas.learning import Features, Label
from schemas.usage import Usage

NOW = datetime.now(UTC).replace(microsecond=0)


def decision(n: int, outcome: Outcome = Outcome.NOTIFIED, code: str = "paged", text: str = "paged at once", **more: Any) -> Decision:
    """The decision about the alert in raw record `n` of partition 0."""
    received = NOW + timedelta(milliseconds=n)
    fields: dict[str, Any] = {
        "alert_id": f"a0-{n}-0",
        "fingerprint": f"f{n % 7}",
        "source": "alertmanager",
        "name": "HighErrorRate",
        "service": "checkout",
        "environment": "production",
        "domain": "production",
        "status": AlertStatus.FIRING,
        "severity": Severity.P2,
        "outcome": outcome,
        "reason": Reason(code=code, text=text, facts={"hold_s": 30}),
        "incident_id": "i1",
        "summary": "checkout answers with errors",
        "stages": [StageRecord(name="score", reason="rules", facts={"severity": "P2", "tier": 1})],
        "received_at": received,
        "decided_at": received + timedelta(milliseconds=40),
        "deadline": received + timedelta(seconds=15),
        "raw": RawCoordinates(topic="flux.alerts.raw", partition=0, offset=n),
        "sequence": n,
    }
    return Decision(**{**fields, **more})


def incident(incident_id: str = "i1", revision: int = 1, told: bool = True, **more: Any) -> Incident:
    fields: dict[str, Any] = {
        "incident_id": incident_id,
        "revision": revision,
        "domain": "production",
        "status": IncidentStatus.OPEN,
        "severity": Severity.P2,
        "service": "checkout",
        "environment": "production",
        "title": "HighErrorRate on checkout",
        "summary": "checkout answers with errors",
        "confidence": 0.9,
        "provenance": "rules",
        "alerts": [
            IncidentAlert(
                fingerprint="f1", name="HighErrorRate", service="checkout", severity=Severity.P2, status="firing", first_at=NOW, last_at=NOW
            )
        ],
        "alert_count": 1,
        "opened_at": NOW,
        "updated_at": NOW + timedelta(seconds=revision),
        "deadline": NOW + timedelta(seconds=15),
        "notified": [Notified(receiver="slack", at=NOW + timedelta(seconds=31), reason="fired")] if told else [],
        "timeline": [TimelineEntry(at=NOW, what="opened by HighErrorRate (P2)")],
    }
    return Incident(**{**fields, **more})


def receipt(n: int, incident_id: str = "i1", **more: Any) -> Receipt:
    fields: dict[str, Any] = {
        "effect_id": f"e{n}",
        "attempt": 1,
        "receiver": "slack",
        "incident_id": incident_id,
        "domain": "production",
        "status": "done",
        "at": NOW + timedelta(seconds=31 + n),
        "took_ms": 120,
    }
    return Receipt(**{**fields, **more})


def answer(n: int, incident_id: str = "i1", **more: Any) -> Receipt:
    """What a model said about an incident."""
    said = Advice(
        severity=Severity.P2,
        confidence=0.91,
        summary="checkout fails since the deploy",
        provider="ollama",
        model="llama3.1:8b",
        prompt="triage@1",
        tokens_in=640,
        tokens_out=85,
        took_ms=812,
        redacted={"ip": 2},
    )
    fields = {"effect": "advice", "advice": said, "receiver": "", "tried": [Tried(provider="ollama", outcome="answered", took_ms=812)]}
    return receipt(n, incident_id, **{**fields, **more})


def usage(usage_id: str, kind: str = "settle", cost: float = 0.0, **more: Any) -> Usage:
    fields: dict[str, Any] = {"provider": "claude", "model": "claude-haiku-5-5", "task": "triage", "outcome": "answered", "at": NOW}
    return Usage(usage_id=usage_id, kind=kind, cost_usd=cost, **{**fields, **more})


def label(n: int) -> Label:
    return Label(
        label_id=f"fb{n}",
        kind="severity",
        incident_id="i1",
        domain="production",
        features=Features(name="HighErrorRate"),
        rule_severity=Severity.P3,
        severity=Severity.P2,
        by="ann",
        at=NOW,
    )


def feedback(n: int, incident_id: str = "i1") -> Feedback:
    return Feedback(feedback_id=f"fb{n}", kind="acknowledge", incident_id=incident_id, domain="production", by="ann", at=NOW)


def dead_letter_headers(offset: int, partition: int = 0, topic: str = "alerts.raw") -> list[tuple[str, bytes]]:
    return [
        ("source", b"grafana"),
        ("stage", b"intake"),
        ("reason", b"not_json"),
        ("error", b"expected value at line 1 column 1"),
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
        ("timestamp", b"1795534019212"),
    ]
