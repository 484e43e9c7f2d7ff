"""Files of payloads to plain objects: what `fluxai normalize --json` prints, a line each."""

from __future__ import annotations

from typing import Any

from agents.normalize import Normalized, NormalizeRules, decode, normalize
from agents.normalize.clean import PAYLOAD_BYTES
from agents.normalize.items import Bad
from schemas.alert import Alert

Line = dict[str, Any]


def lines(file_name: str, data: bytes, rules: NormalizeRules, source_hint: str | None = None, *, received_ms: int) -> list[Line]:
    """One object for each alert event, change, ignored message and dead letter of a file: one JSON document, or a document a line (JSONL).

    `file` in the objects is the base name. `received_ms`: what to take for the broker's time, epoch. Never raises; never empty.
    """
    name = file_name.replace("\\", "/").rpartition("/")[2] or file_name
    found: list[Line] = []
    for offset, document in enumerate(documents(data)):
        result = normalize(document, source_hint=source_hint, topic=name, partition=0, offset=offset, received_ms=received_ms, rules=rules)
        found.extend(_of(name, result))
    return found or [{"file": name, "ignored": "nothing in the file"}]


def documents(data: bytes) -> list[bytes]:
    """The file's one document; its lines, where it has several and each of the first two is a document of its own."""
    parts = [part for part in data.splitlines() if part.strip()]
    if len(parts) > 1 and len(data) <= 64 * PAYLOAD_BYTES:
        whole = decode(data)
        if isinstance(whole, Bad) and not isinstance(decode(parts[0]), Bad) and parts[0].strip()[:1] in (b"{", b"["):
            return parts
    return [data]


def _of(name: str, result: Normalized) -> list[Line]:
    found: list[Line] = [{"file": name, **_alert(alert)} for alert in result.alerts]
    found += [{"file": name, "change": change.model_dump(mode="json")} for change in result.changes]
    found += [{"file": name, "ignored": why} for why in result.ignored]
    for reject in result.rejects:
        where = "" if reject.index is None else f" (element {reject.index})"
        found.append({"file": name, "dead_letter": f"{reject.reason.value}: {reject.error}{where}"})
    return found


def _alert(alert: Alert) -> Line:
    return {
        "source": alert.source,
        "name": alert.name,
        "service": alert.service,
        "environment": alert.environment,
        "status": alert.status.value,
        "source_severity": alert.source_severity,
        "severity": alert.severity.value if alert.severity else None,
        "started_at": alert.started_at.isoformat() if alert.started_at else None,
        "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
        "fingerprint": alert.fingerprint,
        "summary": alert.summary,
        "labels": alert.labels,
        "annotations": alert.annotations,
    }
