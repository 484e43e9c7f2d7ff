"""What a model answered, checked: accepted field by field, or refused whole. Nothing of an answer reaches anybody unchecked."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.advice.grounding import Ground, grounded, matcher
from agents.advice.prompt import SEVERITIES, AnswerField, Template
from schemas.advice import AdviceTask, Question
from schemas.base import Severity

LARGEST = 16_384
"""Characters of an answer that are read; the longest right one has under 2,000."""
DEEPEST = 32
SAYS_AT_MOST = 0.9
"""Numbers that models give for how sure they are come out too high, so nothing said in words counts for more than this."""
CONTRADICTS = 0.4
"""An answer is refused when another severity is more probable than the one in its text by this much."""
ROUNDING = 0.02


@dataclass(frozen=True, slots=True)
class Accepted:
    """What may be shown. `text` is the answer of tasks whose answer is prose; `summary` that of triage."""

    severity: Severity | None = None
    confidence: float = 0.0
    summary: str = ""
    runbooks: list[str] = field(default_factory=list)
    probabilities: dict[str, float] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """`detail` is for people and holds no part of the answer beyond names of fields."""

    code: str
    detail: str


class _Wrong(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.refused = Refused(code, detail)


def check(question: Question, template: Template, text: str, probabilities: Mapping[str, float]) -> Accepted | Refused:
    """The answer `text` to `question`, or why it is refused. `probabilities` of P1-P4, where the provider gives them (calibrated or not);
    wrong ones are ignored. Never raises."""
    try:
        return _checked(question, template, _parsed(text), probabilities)
    except _Wrong as wrong:
        return wrong.refused


def _parsed(text: str) -> dict[str, Any]:
    if not text.strip():
        raise _Wrong("empty", "the answer is empty")
    if len(text) > LARGEST:
        raise _Wrong("too_long", f"the answer has {len(text)} characters, over {LARGEST}")
    depth = deepest = 0
    for letter in text:  # brackets inside strings count as well: no right answer has many
        depth += (letter in "{[") - (letter in "}]")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise _Wrong("too_deep", f"the answer is nested {deepest} deep")
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_integer, parse_float=_finite)
    except _Wrong:
        raise
    except (ValueError, RecursionError) as error:
        raise _Wrong("not_json", f"the answer is not one JSON value: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise _Wrong("not_object", f"the answer is {type(value).__name__}, not an object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Wrong("duplicate_field", "a field stands twice in the answer")
    return found


def _no_constant(name: str) -> float:
    raise _Wrong("not_json", f"{name} is no JSON")


def _integer(digits: str) -> int:
    if len(digits) > 6:
        raise _Wrong("type", f"a number of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits) if len(digits) < 40 else math.inf
    if not math.isfinite(number):
        raise _Wrong("type", "a number that is not finite")
    return number


def _checked(question: Question, template: Template, answer: dict[str, Any], probabilities: Mapping[str, float]) -> Accepted:
    ids = [one.id for one in question.candidates]
    wanted = [one for one in template.fields if one.kind != "candidates" or ids]
    names = {one.name for one in wanted}
    if missing := sorted(names - set(answer)):
        raise _Wrong("missing_field", f"the answer has no {', '.join(missing)}")
    if len(answer) != len(names):
        raise _Wrong("unknown_field", f"the answer has {len(answer) - len(names)} fields that were not asked for")
    values = {one.name: _typed(one, answer[one.name], ids) for one in wanted}
    dropped: list[str] = []
    severity, shares, confidence = _verdict(template, values, probabilities, dropped)
    ground = Ground(question, template)
    texts: dict[str, Any] = {}
    for one in wanted:
        if one.kind == "text":
            texts[one.name] = _prose(ground, one, values[one.name], dropped)
        elif one.kind == "lines":
            texts[one.name] = _conditions(ground, values[one.name], dropped)
    prose = _as_text(template, texts)
    if not prose and template.task in PROSE:
        raise _Wrong("nothing_left", f"no sentence of the answer holds: {'; '.join(sorted(set(dropped)))}")
    return Accepted(
        severity=severity,
        confidence=confidence,
        summary=texts.get("summary", ""),
        runbooks=next((values[one.name] for one in wanted if one.kind == "candidates"), []),
        probabilities=shares,
        dropped=dropped,
        text=prose if template.task in PROSE else "",
    )


PROSE = frozenset((AdviceTask.ANOMALY, AdviceTask.HANDOVER, AdviceTask.NOISE_RULE))


def _typed(field: AnswerField, value: Any, ids: Collection[str]) -> Any:
    if field.kind == "severity":
        if type(value) is not str or value not in SEVERITIES:
            raise _Wrong("severity", f"{field.name} is not one of {', '.join(SEVERITIES)}")
    elif field.kind == "percent":
        if type(value) is not int or not 0 <= value <= 100:
            raise _Wrong("confidence", f"{field.name} is not a whole number from 0 to 100")
    elif field.kind == "text":
        _text(field, value)
    else:
        if type(value) is not list or len(value) > field.most or any(type(item) is not str for item in value):
            raise _Wrong("type", f"{field.name} is not a list of at most {field.most} texts")
        if field.kind == "candidates":
            value = list(dict.fromkeys(value))
        if len(set(value)) != len(value):
            raise _Wrong("duplicate_item", f"{field.name} names one thing twice")
        if field.kind == "candidates" and not set(value) <= set(ids):
            raise _Wrong("unknown_runbook", f"{field.name} names a runbook that is no candidate")
        for item in value:
            if field.kind == "lines":
                _text(field, item)
    return value


def _text(field: AnswerField, value: Any) -> None:
    if type(value) is not str:
        raise _Wrong("type", f"{field.name} is not text")
    if len(value) > 2 * field.limit:
        raise _Wrong("too_long", f"{field.name} has {len(value)} characters, its limit is {field.limit}")


def _prose(ground: Ground, field: AnswerField, value: str, dropped: list[str]) -> str:
    kept, why = grounded(ground, value, field.limit)
    dropped += why
    return kept


def _conditions(ground: Ground, lines: list[str], dropped: list[str]) -> list[str]:
    kept = []
    for line in lines:
        condition, why = matcher(ground, line)
        dropped += why
        kept += [condition] if condition else []
    return kept


def _as_text(template: Template, texts: Mapping[str, Any]) -> str:
    if template.task is not AdviceTask.NOISE_RULE:
        return str(texts.get("text", ""))
    parts = [("Matchers", ", ".join(texts["matchers"])), ("Threshold", texts["threshold"]), ("Reason", texts["reason"])]
    return "\n".join(f"{name}: {said}" for name, said in parts if said) if texts["matchers"] else ""


def _verdict(
    template: Template, values: Mapping[str, Any], probabilities: Mapping[str, float], dropped: list[str]
) -> tuple[Severity | None, dict[str, float], float]:
    said = next((values[one.name] for one in template.fields if one.kind == "severity"), None)
    if said is None:
        return None, {}, 0.0
    shares = _shares(probabilities)
    if probabilities and not shares:
        dropped.append("probabilities: not those of P1 to P4")
    if not shares:
        sure = next((values[one.name] for one in template.fields if one.kind == "percent"), 0)
        return Severity(said), {}, min(sure / 100, SAYS_AT_MOST)
    best = max(SEVERITIES, key=lambda name: shares[name])
    if shares[best] - shares[said] > CONTRADICTS:
        raise _Wrong("contradiction", f"the answer says {said} ({shares[said]:.2f}), its probabilities say {best} ({shares[best]:.2f})")
    return Severity(said), shares, shares[said]


def _shares(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Of each severity, summing to 1; empty where what is given is no such thing."""
    if not probabilities or not set(probabilities) <= set(SEVERITIES):
        return {}
    values = [probabilities.get(name, 0.0) for name in SEVERITIES]
    if any(isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1 for value in values):
        return {}
    whole = sum(values)
    if abs(whole - 1) > ROUNDING:
        return {}
    return {name: value / whole for name, value in zip(SEVERITIES, values, strict=True)}
