"""Asks for tests of providers."""

from __future__ import annotations

from typing import Any

from pipeline.act.providers.base import Ask

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "severity": {"enum": ["P1", "P2", "P3", "P4"]},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
        "summary": {"type": "string", "maxLength": 160},
        "runbooks": {"type": "array", "items": {"enum": ["disk-full", "reboot"]}, "maxItems": 2},
    },
    "required": ["severity", "confidence", "summary", "runbooks"],
}
"""As a triage prompt has it, with keywords that not every server takes."""


def an_ask(**changed: Any) -> Ask:
    values: dict[str, Any] = {
        "task": "triage",
        "prompt": "triage@1",
        "system": "You triage alerts. " * 10,
        "user": "checkout is down, this looks like P2",
        "schema": SCHEMA,
        "max_tokens": 160,
        "timeout_s": 5.0,
        "labels": ("P1", "P2", "P3", "P4"),
    }
    return Ask(**values | changed)
