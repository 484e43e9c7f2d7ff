"""Intake: raw payloads to alert events, changes and dead letters. Stateless but for its input positions."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from agents.normalize import Normalized, NormalizeRules, normalize
from pipeline.decide.alerts import dead_letter
from pipeline.engine.processor import Context, Record
from schemas.alert import Alert, RawCoordinates
from schemas.base import AlertStatus, Severity, from_ms

Seen = Callable[[str, Normalized], None]
DEADLINE_MS = 15_000


class IntakeProcessor:
    """`seen(source, normalized)` hears of each raw record, for metrics."""

    name = "intake"
    inputs = ("alerts.raw",)
    changelog = "intake.state"

    def __init__(self, rules: NormalizeRules, topic: str, seen: Seen | None = None) -> None:
        """`topic` is the full name of the raw topic, as consumers know it."""
        self.rules = rules
        self.topic = topic
        self.seen = seen

    def process(self, record: Record, context: Context) -> None:
        hint = source_header(record)
        found = normalize(
            record.value,
            source_hint=hint,
            topic=self.topic,
            partition=record.partition,
            offset=record.offset,
            received_ms=record.timestamp,
            rules=self.rules,
        )
        for alert in found.alerts:
            context.emit("alerts", alert.domain.encode(), alert.to_json())
        for change in found.changes:
            context.emit("changes", change.domain.encode(), change.to_json())
        for reject in found.rejects:
            dead_letter(context, record, stage=self.name, reason=reject.reason.value, error=reject.error, index=reject.index)
        if found.rejects:
            self.tell_unreadable(record, hint or "unknown", found, context)
        if self.seen is not None:
            self.seen(hint or "unknown", found)

    def fire(self, name: str, key: str, due: int, context: Context) -> None:
        raise ValueError(f"intake has no timer {name!r}")

    def failed(self, record: Record, error: BaseException, context: Context) -> None:
        dead_letter(context, record, stage=self.name, reason="normalize_failed", error=f"{type(error).__name__}: {error}")
        self.tell_unreadable(record, source_header(record) or "unknown", Normalized(alerts=[], changes=[], ignored=[], rejects=[]), context)

    def tell_unreadable(self, record: Record, source: str, found: Normalized, context: Context) -> None:
        """People see broken producers: one grouped incident a source."""
        source = source[:60]
        why = found.rejects[0].reason.value if found.rejects else "normalize_failed"
        domain = found.alerts[0].domain if found.alerts else (self.rules.default_environment or "default")
        notice = Alert(
            kind="notice",
            alert_id=f"n{record.partition}-{record.offset}",
            fingerprint=blake2b(f"unreadable|{source}|{domain}".encode(), digest_size=16).hexdigest(),
            source=source,
            name=f"unreadable alerts from {source}",
            domain=domain,
            status=AlertStatus.FIRING,
            severity=Severity.P3,
            summary=f"{source} sends what cannot be read ({why}); the bytes are kept in dead_letters, see fluxai dead-letters list",
            received_at=from_ms(record.timestamp),
            deadline=from_ms(record.timestamp + DEADLINE_MS),
            raw=RawCoordinates(topic=self.topic, partition=record.partition, offset=record.offset, index=-1),
        )
        context.emit("alerts", domain.encode(), notice.to_json())


def source_header(record: Record) -> str | None:
    for name, value in record.headers:
        if name == "source":
            return value.decode("utf-8", "replace").strip().lower() or None
    return None
