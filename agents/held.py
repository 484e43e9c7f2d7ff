"""What is kept of a firing alert's words, so that it can be judged again, or told by itself, without a new event."""

from __future__ import annotations

from agents.case import Case, Turn
from agents.rows import HELD, AlertRow, HeldRow, fingerprint_of
from schemas.alert import Alert, RawCoordinates
from schemas.base import AlertStatus, Severity, from_ms

LABELS = 50
FIGURES = 20
DEADLINE_MS = 15_000


def remember(case: Case, turn: Turn) -> None:
    alert = case.alert
    figures = {name: text for name, text in alert.annotations.items() if is_figure(text)}
    row = HeldRow(dict(list(alert.labels.items())[:LABELS]), alert.source_severity, dict(list(figures.items())[:FIGURES]))
    HELD.put(turn.state, case.key, row)


def is_figure(text: str) -> bool:
    """As `agents.noise.significance` reads one."""
    try:
        float(text.strip().rstrip("%"))
    except ValueError:
        return False
    return True


def recall(row: AlertRow, held: HeldRow, alert_key: str, now: int) -> Alert:
    """The alert as an event of now (epoch ms)."""
    return Alert(
        alert_id=f"release-{alert_key}",
        fingerprint=fingerprint_of(alert_key),
        source=row.source,
        name=row.name,
        service=row.service,
        environment=row.environment,
        domain=row.domain,
        status=AlertStatus.FIRING,
        source_severity=held.source_severity,
        severity=Severity(row.severity),
        summary=row.summary,
        labels=held.labels,
        annotations=held.figures,
        url=row.url,
        received_at=from_ms(now),
        deadline=from_ms(now + DEADLINE_MS),
        raw=RawCoordinates(topic="", partition=-1, offset=-1),
        kind="notice" if row.notice else "alert",
    )
