"""How sure a model was of a label, from the log-probabilities of the token that decided it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

START = re.compile(r'\s*\{\s*"[^"]*"\s*:\s*"?')
"""Of an answer, up to the value of its first property."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer, and what might have stood in its place."""

    text: str
    logprob: float
    alternatives: Mapping[str, float] = field(default_factory=dict)
    """Text to natural logarithm of its probability; the piece itself need not be among them."""


def probabilities(tokens: Iterable[Token], labels: Sequence[str]) -> dict[str, float]:
    """Of each label, summing to 1, at the token that decided between them; empty where that cannot be told.

    Servers report the model's own distribution, before the schema ruled tokens out [measured on llama-server]: what is no label's
    beginning is dropped and the rest taken to sum to 1. A label that is not among the alternatives gets 0.
    """
    before = ""
    common = _common(labels)
    if len(labels) < 2 or common in labels:
        return {}
    for token in tokens:
        value = _value(before + token.text)
        if value is not None and len(value) > len(common):
            return _shares(before, {**token.alternatives, token.text: token.logprob}, labels, common)
        before += token.text
    return {}


def _common(labels: Sequence[str]) -> str:
    """What all begin with."""
    first, last = min(labels, default=""), max(labels, default="")
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), min(len(first), len(last)))
    return first[:same]


def _value(text: str) -> str | None:
    """What stands of the first property's value, None while it has not begun."""
    start = START.match(text)
    return text[start.end() :] if start else None


def _shares(before: str, options: Mapping[str, float], labels: Sequence[str], common: str) -> dict[str, float]:
    weights = dict.fromkeys(labels, 0.0)
    for text, logprob in options.items():
        value = _value(before + text)
        if value is None or len(value) <= len(common) or math.isnan(logprob):
            continue
        meant = [label for label in labels if label.startswith(value) or re.match(re.escape(label) + r"(?!\w)", value)]
        if len(meant) == 1:
            weights[meant[0]] += math.exp(min(logprob, 0.0))
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items()} if total > 0 else {}
