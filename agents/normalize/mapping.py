"""Generic webhook: where a user says the fields of a payload lie.

my-monitor:
  name: check.title
  status: state
  severity: check.prio
  service: tags.service
  status_words: {broken: firing, fine: resolved}
  severity_words: {"1": P1, "2": P2}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agents.normalize.dig import Obj, at, first, first_value, pairs, text
from agents.normalize.items import Bad, Event, Item, RejectReason
from agents.normalize.words import ranked, status_or_firing
from schemas.base import AlertStatus, Severity

T = TypeVar("T")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Paths = Annotated[list[str], BeforeValidator(_as_list)]
"""Dotted paths (`data.items.0.name`), one or several; the first that is not empty counts."""


class FieldMapping(BaseModel):
    """Where the fields of one source's payloads lie. Unknown keys are refused, so that a typing error is found at start."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Paths = Field(min_length=1)
    each: str = Field(
        default="", description="Path of the list of alerts, where one payload holds several; the other paths start at its elements."
    )
    status: Paths = []
    severity: Paths = []
    service: Paths = []
    environment: Paths = []
    started_at: Paths = []
    ended_at: Paths = []
    summary: Paths = []
    url: Paths = []
    key: Paths = Field(default=[], description="The source's own id of the alert, the same when it fires and when it ends.")
    labels: dict[str, str] = Field(default={}, description="Label name to path.")
    label_objects: Paths = Field(default=[], description="Paths of objects or tag lists whose entries all become labels.")
    annotations: dict[str, str] = {}
    status_words: dict[str, AlertStatus] = Field(
        default={}, description="Words of the source to `firing` or `resolved`; upper and lower case are alike."
    )
    severity_words: dict[str, Severity] = Field(default={}, description="Words of the source to P1..P4.")
    default_status: AlertStatus = AlertStatus.FIRING
    default_severity: Severity | None = None


def read_mapped(payload: Any, source: str, mapping: FieldMapping) -> list[Item]:
    """One item for each alert that the mapping finds in the payload, in order."""
    elements = at(payload, mapping.each) if mapping.each else payload
    if isinstance(elements, list):
        return [_element(element, source, mapping) for element in elements]
    if not isinstance(elements, dict):
        return [Bad(RejectReason.NOT_AN_ALERT, f"nothing at `{mapping.each}`" if mapping.each else "not a JSON object")]
    return [_element(elements, source, mapping)]


def _element(element: Any, source: str, mapping: FieldMapping) -> Item:
    if not isinstance(element, dict):
        reason = RejectReason.NULL_ELEMENT if element is None else RejectReason.NOT_AN_ALERT
        return Bad(reason, "an element is not a JSON object")
    name = first(element, *mapping.name)
    if not name:
        return Bad(RejectReason.MISSING_NAME, f"no name at {', '.join(mapping.name)}")
    key = [text(at(element, path)) for path in mapping.key]
    word = first(element, *mapping.severity)
    return Event(
        source=source,
        name=name,
        status=_status(element, mapping),
        service=first(element, *mapping.service),
        environment=first(element, *mapping.environment),
        severity=word,
        level=_folded(mapping.severity_words).get(word.casefold()) or ranked(word) or mapping.default_severity,
        started_at=first_value(element, *mapping.started_at),
        ended_at=first_value(element, *mapping.ended_at),
        summary=first(element, *mapping.summary),
        labels=_labels(element, mapping),
        annotations={label: at(element, path) for label, path in mapping.annotations.items()},
        url=first(element, *mapping.url),
        key=key if any(key) else None,
        origin=element,
    )


def _status(element: Obj, mapping: FieldMapping) -> AlertStatus:
    words = [text(at(element, path)) for path in mapping.status]
    known = _folded(mapping.status_words)
    for word in words:
        if word.casefold() in known:
            return known[word.casefold()]
    return status_or_firing(*words) if any(words) else mapping.default_status


def _folded(words: Mapping[str, T]) -> dict[str, T]:
    return {word.casefold(): meaning for word, meaning in words.items()}


def _labels(element: Obj, mapping: FieldMapping) -> Obj:
    labels: Obj = {}
    for path in mapping.label_objects:
        labels.update(pairs(at(element, path)))
    labels.update({label: at(element, path) for label, path in mapping.labels.items()})
    return labels
