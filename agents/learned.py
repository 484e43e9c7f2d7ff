"""What people's corrections taught, read only: how urgent an alert probably is, and how probably a runbook is the wrong one.

The weights come from a snapshot; `pipeline/learn` makes snapshots and uses the same functions here to look at an alert, so that a trainer
and a decision can never see different things. Plain Python: the same snapshot and features give the same figures everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from math import exp, sqrt
from typing import Any

from schemas.base import Severity
from schemas.learning import Features, Snapshot

CLASSES = tuple(severity.value for severity in Severity)
FEATURES_VERSION = 1
"""Of `vector` and `places`. Change it with them: a snapshot of another version is not used, and the trainer makes a new one."""
WORDS = 12
"""Words of a name that are looked at."""
PLAIN = re.compile(r"[\x21-\x7e]{1,40}")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
DOUBT_PRIOR = 0.25
"""How often the first of the proposed runbooks is wrong before anybody said so: a quarter of real texts, as measured on 711."""
DOUBT_WEIGHT = 2.0
"""How many labels a wider place counts for in a narrower one."""
SPECIFIC = ("n:", "ns:")
"""Kinds of features that tell one alert from others; what all alerts share says nothing about this one."""
SUPPORT = "labels"
"""In a row of weights: how many labels had this feature."""
KNOWN_FROM = 3
"""So many labels of an alert's name, or name and service, make it known."""
WEIGHT, COUNT, ROWS, NAME = 1e3, 1e9, 20_000, 100
"""Bounds of a snapshot: of a weight, a count, the rows of a table, and the characters of a row's name."""


def vector(features: Features) -> dict[str, float]:
    """Sparse features of an alert: name of a feature to its value, in a fixed order. Names are at most 50 bytes.

    Groups with several members (words of a name) are scaled to length 1, so that a long name has no larger steps than a short one.
    """
    found = {"": 1.0}
    words = words_of(features.name)
    share = 1 / sqrt(len(words)) if words else 0.0
    for word in words:
        found["w:" + word] = share
    name, service, environment = features.name, features.service, features.environment
    source, word = features.source, features.source_severity.lower()
    for kind, value in (("n", name), ("s", service), ("e", environment), ("o", source), ("v", word)):
        if value:
            found[f"{kind}:{short(value)}"] = 1.0
    facing = "faces customers" if features.customer_facing else "inside"
    found[f"t:{features.tier}"] = 1.0
    found[f"c:{facing}"] = 1.0
    found[f"tc:{features.tier} {facing}"] = 1.0
    for kind, one, other in (("ns", name, service), ("ne", name, environment), ("nv", name, word), ("ov", source, word)):
        if one and other:
            found[f"{kind}:{crossed(one, other)}"] = 1.0
    return found


def places(features: Features, runbook_id: str) -> tuple[str, str, str]:
    """Where a person's word on a runbook is counted, from wide to narrow: of the runbook, for this name, for this name and service."""
    book = short(runbook_id)
    return (
        f"r:{book}",
        f"rn:{crossed(runbook_id, features.name)}",
        f"rns:{crossed(runbook_id, features.name, features.service)}",
    )


def doubt(counts: Mapping[str, tuple[float, float]], features: Features, runbook_id: str) -> float:
    """Probability that a runbook is wrong for an alert: (wrong, right) counts of each place, drawn towards the wider place."""
    belief = DOUBT_PRIOR
    for place in places(features, runbook_id):
        wrong, right = counts.get(place, (0.0, 0.0))
        belief = (wrong + DOUBT_WEIGHT * belief) / (wrong + right + DOUBT_WEIGHT)
    return belief


class Classifier:
    """Probabilities from snapshots. Without I/O, state or randomness; about 20 µs a question."""

    def __init__(
        self, weights: Mapping[str, tuple[float, ...]], counts: Mapping[str, tuple[float, float]], known: frozenset[str] = frozenset()
    ) -> None:
        """`known`: specific features that enough labels had."""
        self._weights = weights
        self._counts = counts
        self._known = known

    @classmethod
    def from_snapshot(cls, severity: Snapshot | None, runbook: Snapshot | None = None) -> Classifier | None:
        """None where there is neither. Raises ValueError when a snapshot is none of this version of the features; a retry does not help."""
        if severity is None and runbook is None:
            return None
        content = severity.content if severity is not None else None
        return cls(
            read_weights(content) if content is not None else {},
            read_counts(runbook.content) if runbook is not None else {},
            read_known(content) if content is not None else frozenset(),
        )

    def probabilities(self, features: Features) -> dict[str, float]:
        """P1-P4 to probability, which sum to 1; empty where nothing was learned about severities."""
        if not self._weights:
            return {}
        return softmax(self._weights, vector(features))

    def knows(self, features: Features) -> bool:
        """Whether people spoke about alerts of this name often enough. If not, `probabilities` are of alerts in general."""
        return not self._known.isdisjoint(vector(features))

    def runbook_wrong(self, features: Features, runbook_id: str) -> float:
        """Probability that people would call this runbook wrong for this alert; `DOUBT_PRIOR` where nothing was said."""
        return doubt(self._counts, features, runbook_id)


def softmax(weights: Mapping[str, tuple[float, ...]], found: Mapping[str, float]) -> dict[str, float]:
    sums = [0.0] * len(CLASSES)
    for feature, value in found.items():
        row = weights.get(feature)
        if row is not None:
            for at, weight in enumerate(row):
                sums[at] += value * weight
    top = max(sums)
    raised = [exp(one - top) for one in sums]
    total = sum(raised)
    return {name: one / total for name, one in zip(CLASSES, raised, strict=True)}


def likeliest(probabilities: Mapping[str, float]) -> Severity:
    """The most probable severity; of equals the most urgent. Raises ValueError for no probabilities."""
    return Severity(max(sorted(probabilities), key=lambda name: probabilities[name]))


def read_weights(content: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Weights of a severity snapshot: feature to a weight for each of `CLASSES`. Raises ValueError."""
    return {
        feature: tuple(number(row.get(name, 0.0), -WEIGHT, WEIGHT) for name in CLASSES)
        for feature, row in mapping(content, "weights").items()
        if row
    }


def read_known(content: Mapping[str, Any]) -> frozenset[str]:
    """Specific features of a severity snapshot that enough labels had; none where it does not tell. Raises ValueError."""
    support = {feature: number(row.get(SUPPORT, 0), 0, COUNT) for feature, row in mapping(content, "weights").items()}
    return frozenset(feature for feature, labels in support.items() if labels >= KNOWN_FROM and feature.startswith(SPECIFIC))


def read_counts(content: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Counts of a runbook snapshot: place to (wrong, right). Raises ValueError."""
    return {
        place: (number(row.get("wrong", 0.0), 0, COUNT), number(row.get("right", 0.0), 0, COUNT))
        for place, row in mapping(content, "weights").items()
    }


def mapping(content: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    if content.get("features") != FEATURES_VERSION:
        raise ValueError(f"not learned from features of version {FEATURES_VERSION}, which this release looks at")
    found = content.get(name)
    if not isinstance(found, dict) or not all(isinstance(row, dict) for row in found.values()):
        raise ValueError(f"{name!r} is no table of tables")
    if len(found) > ROWS or not all(isinstance(key, str) and len(key) <= NAME for key in found):
        raise ValueError(f"{name!r} has more than {ROWS} rows, or a row with a name of more than {NAME} characters")
    return found


def number(value: object, low: float, high: float) -> float:
    """Raises ValueError for everything that is no number between the bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"a number from {low:g} to {high:g} is needed")
    return float(value)


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Different words of a name in lower case, in their order: `KubePodCrashLooping` and `kube_pod-crash looping` have the same."""
    return tuple(dict.fromkeys(short(word.lower()) for word in WORD.findall(name[:400])))[:WORDS]


@lru_cache(maxsize=8192)
def short(value: str) -> str:
    """The value itself, or a digest of it where it is long or not plain: a feature's name has a bound."""
    return value if PLAIN.fullmatch(value) else "#" + blake2b(value.encode(errors="replace"), digest_size=10).hexdigest()


@lru_cache(maxsize=8192)
def crossed(*values: str) -> str:
    return blake2b("\x1f".join(values).encode(errors="replace"), digest_size=8).hexdigest()
