"""What the fakes of model servers say: an answer of the schema's shape, cut into tokens, with what else might have been said.

A severity follows keywords of the question, so that a test can ask for one; it is no judgement of anything.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

SEVERITIES = ("P1", "P2", "P3", "P4")
KEYWORDS = {
    "P1": ("outage", "revenue", "checkout", "breach", "unreachable"),
    "P2": ("degraded", "latency", "errors", "timeout"),
    "P3": ("retry", "disk", "single", "replica"),
    "P4": ("info", "resolved", "certificate", "staging", "maintenance"),
}
SENTENCE = "The service may be degraded and users may see errors."
SPREAD = (0.88, 0.08, 0.03, 0.01)
"""Probability of the label that is said, of its neighbour, and so on."""

Cut = Literal["whole", "split", "glued"]
"""How a label is cut into tokens: `P1`, or `P` and `1`, or `:"P1`."""


def severity(text: str) -> str:
    """By the first severity, most urgent first, of whose keywords one is in `text`; else P3."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return next((level for level, keys in KEYWORDS.items() if words & set(keys)), "P3")


def triage(request: Mapping[str, Any]) -> str:
    """A valid answer to a request of /api/chat: of the shape of its `format`, severity by the keywords of the last message."""
    text = str(request["messages"][-1]["content"]) if request.get("messages") else ""
    schema = request.get("format")
    return shaped(schema, severity(text)) if isinstance(schema, Mapping) else SENTENCE


def shaped(schema: Mapping[str, Any], level: str) -> str:
    """A JSON text that is valid by `schema`."""
    return json.dumps(_value(schema, level, schema.get("$defs", {})), separators=(",", ":"), ensure_ascii=False)


def _value(schema: Mapping[str, Any], level: str, known: Mapping[str, Any]) -> Any:
    if reference := schema.get("$ref"):
        return _value(known[str(reference).rpartition("/")[2]], level, known)
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        return _choice(choices, level)
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return _value(options[0], level, known)
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties: Mapping[str, Any] = schema.get("properties", {})
        if set(properties) == set(SEVERITIES):
            return dict(zip(properties, _hundred(list(properties), level), strict=True))
        return {name: _value(one, level, known) for name, one in properties.items()}
    if kind == "array":
        return _items(schema, level, known)
    if kind in ("integer", "number"):
        return min(max(80, schema.get("minimum", 0)), schema.get("maximum", 100))
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return SENTENCE[: schema.get("maxLength", len(SENTENCE))].rstrip()


def _choice(choices: Sequence[Any], level: str) -> Any:
    if level in choices:
        return level
    levels = [one for one in choices if one in SEVERITIES]
    return min(levels, key=lambda one: abs(SEVERITIES.index(one) - SEVERITIES.index(level))) if levels else choices[0]


def _items(schema: Mapping[str, Any], level: str, known: Mapping[str, Any]) -> list[Any]:
    count = min(max(schema.get("minItems", 0), 1), schema.get("maxItems", 1))
    items = schema.get("items", {"type": "string"})
    choices = items.get("enum")
    return list(choices[:count]) if choices else [_value(items, level, known) for _ in range(count)]


def _hundred(labels: Sequence[str], level: str) -> list[int]:
    shares = likelihoods(labels, level)
    return [round(shares[label] * 100) for label in labels]


def likelihoods(labels: Sequence[str], said: str) -> dict[str, float]:
    """Of each label, summing to 1, the one that is said first."""
    at = labels.index(said)
    order = sorted(labels, key=lambda label: abs(labels.index(label) - at))
    weights = dict(zip(order, SPREAD, strict=False))
    total = sum(weights.values())
    return {label: weights.get(label, 0.0) / total for label in labels}


def pieces(text: str, cut: Cut = "whole", count: int = 0) -> list[str]:
    """`text` as tokens. `count`: so many, where the text is long enough for it; the tokens up to the first label are left as they are."""
    found = re.findall(r"P[1-4]|\w{1,5}|[^\w\s]+|\s+", text)
    label = next((at for at, piece in enumerate(found) if piece in SEVERITIES), None)
    if label is not None and cut == "split":
        found[label : label + 1] = list(found[label])
        label += 1
    elif label is not None and cut == "glued" and label > 0:
        found[label - 1 : label + 1] = [found[label - 1] + found[label]]
        label -= 1
    if not count:
        return found
    head = found[: (label or 0) + 1]
    rest = text[len("".join(head)) :]
    wanted = min(max(count - len(head), 1), len(rest)) if rest else 0
    ends = [len(rest) * at // wanted for at in range(wanted + 1)] if wanted else []
    return head + [rest[one:two] for one, two in itertools.pairwise(ends)]


def logprobs(tokens: Sequence[str], request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of each token, with the alternatives that were asked for: at a label the other labels, beside words that the schema rules out."""
    top = int(request.get("top_logprobs") or 0)
    at, choices = _decision(tokens, request)
    return [_logprob(token, choices if index == at else {token: 0.9, "The": 0.05}, top) for index, token in enumerate(tokens)]


def _logprob(token: str, choices: Mapping[str, float], top: int) -> dict[str, Any]:
    def entry(text: str) -> dict[str, Any]:
        return {"token": text, "logprob": math.log(max(choices[text], 1e-9)), "bytes": list(text.encode())}

    best = sorted(choices, key=lambda text: -choices[text])[:top]
    return entry(token) | ({"top_logprobs": [entry(text) for text in best]} if top else {})


def _decision(tokens: Sequence[str], request: Mapping[str, Any]) -> tuple[int, dict[str, float]]:
    """The token that decides the first property's value, and the probability of each text in its place; -1 where there is none."""
    schema = request.get("format")
    properties: Mapping[str, Any] = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    first: Mapping[str, Any] = next(iter(properties.values()), {})
    labels: list[str] = [label for label in first.get("enum", []) if isinstance(label, str)]
    begin = re.match(r'\s*\{\s*"[^"]*"\s*:\s*"', "".join(tokens))
    said = next((label for label in labels if begin and "".join(tokens).startswith(label, begin.end())), None)
    if begin is None or said is None or len(labels) < 2:
        return -1, {}
    common = next((at for at, chars in enumerate(zip(*labels, strict=False)) if len(set(chars)) > 1), 0)
    start = 0
    for at, token in enumerate(tokens):
        inside = begin.end() + common - start
        if 0 <= inside < len(token):
            after = token[inside + len(said) - common :]
            shares = likelihoods(labels, said)
            others = {token[:inside] + label[common:] + after: 0.7 * share for label, share in shares.items()}
            return at, {**others, "The": 0.2, "{": 0.1}
        start += len(token)
    return -1, {}
