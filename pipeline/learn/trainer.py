"""Models that learn from people, one label at a time: severities with river's softmax regression, runbooks by counting.

The order of the labels is all that matters: no seed, no clock, no hash order. The same labels in the same order give the same weights.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from agents.learned import CLASSES, FEATURES_VERSION, SPECIFIC, SUPPORT, doubt, places, vector
from schemas.base import Severity
from schemas.learning import Features

STEP = 0.2
"""AdaGrad's first step. Of 0.1, 0.2, 0.3 and 0.5 the two lowest do best on the development data, within noise of each other; the larger of
them follows a person sooner."""
MAX_FEATURES = 4_000
"""At most 200 bytes each as JSON, so that a snapshot fits into a record of 1 MiB."""
KEPT = 0.9
"""What stays of `MAX_FEATURES` when they are exceeded, so that dropping is rare."""


class SeverityTrainer:
    """Online softmax regression over `agents.learned.vector`. Makes river load: some 80 MB and a second."""

    def __init__(self, limit: int = MAX_FEATURES) -> None:
        from river import linear_model, optim

        self._model: Any = linear_model.SoftmaxRegression(optim.AdaGrad(STEP))
        self._limit = limit
        self._support: Counter[str] = Counter()
        for name in CLASSES:  # all classes from the start and in this order: river would add them as they come
            self._model.weights[name]

    def probabilities(self, features: Features) -> dict[str, float]:
        found = self._model.predict_proba_one(vector(features))
        return {name: found[name] for name in CLASSES}

    def learn(self, features: Features, severity: Severity) -> None:
        found = vector(features)
        self._model.learn_one(found, severity.value)
        self._support.update(feature for feature in found if feature.startswith(SPECIFIC))
        if len(self._model.weights[CLASSES[0]]) > self._limit:
            self._drop()

    def content(self) -> dict[str, Any]:
        """What a snapshot carries: gives `agents.learned.Classifier` the same probabilities."""
        weights, support = self._model.weights, self._support
        rows: dict[str, dict[str, float]] = {feature: {name: weights[name][feature] for name in CLASSES} for feature in weights[CLASSES[0]]}
        for feature in rows.keys() & support.keys():
            rows[feature][SUPPORT] = support[feature]
        return {"features": FEATURES_VERSION, "weights": rows}

    def _drop(self) -> None:
        """Forget the features that say least, with what the optimizer remembers of them."""
        weights = self._model.weights
        ordered = sorted(weights[CLASSES[0]], key=lambda feature: (-max(abs(weights[name][feature]) for name in CLASSES), feature))
        for feature in ordered[int(self._limit * KEPT) :]:
            self._support.pop(feature, None)
            for name in CLASSES:
                del weights[name][feature]
                self._model.optimizers[name].g2.pop(feature, None)


class RunbookTrainer:
    """How often people called a runbook wrong or right for an alert, counted in wide and narrow places."""

    def __init__(self, limit: int = MAX_FEATURES) -> None:
        self._counts: defaultdict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
        self._limit = limit

    def wrong(self, features: Features, runbook_id: str) -> float:
        return doubt(self._counts, features, runbook_id)

    def learn(self, features: Features, runbook_id: str, right: bool) -> None:
        for place in places(features, runbook_id):
            wrongs, rights = self._counts.pop(place, (0.0, 0.0))
            self._counts[place] = (wrongs, rights + 1) if right else (wrongs + 1, rights)  # the newest last
        while len(self._counts) > self._limit:
            del self._counts[next(iter(self._counts))]

    def content(self) -> dict[str, Any]:
        return {
            "features": FEATURES_VERSION,
            "weights": {place: {"wrong": wrongs, "right": rights} for place, (wrongs, rights) in self._counts.items()},
        }
