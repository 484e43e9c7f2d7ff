"""Whatever stands on the topic `models`: it is refused with ValueError, or it gives probabilities that are finite and sum to 1."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.calibrate import CLASSES, Calibration
from agents.learned import FEATURES_VERSION, Classifier
from schemas.learning import Features, Snapshot
from tests.learn.samples import START

HUGE = 10**400
NASTY: st.SearchStrategy[Any] = st.one_of(
    st.floats(-1e3, 1e3),
    st.floats(),
    st.integers(),
    st.sampled_from([HUGE, -HUGE, 1e308, -1e308, 5e-324, 1e3, -1e3, True, None, "1", [], {}, float("nan")]),
)
GOOD = st.floats(-1e3, 1e3)
NAMES = st.sampled_from(["", "n:DiskFilling", "ns:0", "w:disk", "s:db", "t:3", "r:rb", "n" * 101])
KEYS = st.sampled_from([*CLASSES, "labels", "wrong", "right", "P5"])
ROWS = st.one_of(NASTY, st.dictionaries(KEYS, st.one_of(GOOD, NASTY), max_size=6), st.dictionaries(KEYS, GOOD, max_size=6))
TABLES = st.one_of(NASTY, st.dictionaries(NAMES, ROWS, max_size=8), st.dictionaries(NAMES, st.dictionaries(KEYS, GOOD, max_size=6)))
FEATURES = st.one_of(
    st.just(Features(name="DiskFilling", service="db")), st.builds(Features, name=st.text(), service=st.text(), tier=st.integers())
)
ASKED = settings(max_examples=300, deadline=None)


def must_be_a_distribution(found: Mapping[str, float]) -> None:
    assert set(found) == set(CLASSES)
    assert all(isfinite(share) and 0 <= share <= 1 for share in found.values())
    assert sum(found.values()) == pytest.approx(1)


@ASKED
@given(TABLES, st.one_of(st.just(FEATURES_VERSION), NASTY), FEATURES)
@example({"": dict.fromkeys(CLASSES, HUGE)}, FEATURES_VERSION, Features(name="A"))
@example({"": dict.fromkeys(CLASSES, 1e308), "t:3": dict.fromkeys(CLASSES, 1e308)}, FEATURES_VERSION, Features(name="A"))
@example({"r:rb": {"wrong": -1.0, "right": -1.0}}, FEATURES_VERSION, Features(name="A"))
def test_a_classifier_is_refused_or_gives_probabilities(table: Any, version: Any, features: Features) -> None:
    made = Snapshot(name="severity", version=1, content={"features": version, "weights": table}, at=START)
    for severity, runbook in ((made, None), (None, made)):
        try:
            classifier = Classifier.from_snapshot(severity, runbook)
        except ValueError:
            continue
        assert classifier is not None
        if stated := classifier.probabilities(features):
            must_be_a_distribution(stated)
        assert isinstance(classifier.knows(features), bool)
        assert 0 <= classifier.runbook_wrong(features, "rb") <= 1


PAIRS = st.one_of(NASTY, st.lists(st.one_of(NASTY, st.lists(st.one_of(st.floats(0, 1), NASTY), max_size=3)), max_size=4))
TABLE = st.one_of(
    NASTY,
    st.fixed_dictionaries(dict.fromkeys(CLASSES, PAIRS)),
    st.fixed_dictionaries(dict.fromkeys(CLASSES, st.just([[0.2, 0.1], [0.2, 0.9]]))),
)
SINCE = st.one_of(st.integers(1, 9), NASTY)
STEPS = st.one_of(
    st.fixed_dictionaries({"since": SINCE, "temperature": st.one_of(st.floats(1e-3, 1e3), NASTY)}),
    st.fixed_dictionaries({"since": SINCE, "knots": TABLE}),
    NASTY,
)
STATED = st.dictionaries(st.sampled_from(CLASSES), st.one_of(st.floats(0, 1), st.floats()), min_size=1)


@ASKED
@given(st.one_of(st.lists(STEPS, min_size=1, max_size=4), NASTY), STATED)
@example([{"since": HUGE}], {"P1": 1.0})
@example([{"since": 1, "temperature": HUGE}], {"P1": 1.0})
@example([{"since": 1, "temperature": 5e-324}], {"P1": 1.0})
@example([{"since": 1.5, "temperature": 1e308}, {"since": 1, "temperature": 1e-308}], {"P1": 1.0})
@example([{"since": 1, "temperature": 2}], {"P1": float("nan"), "P2": float("inf"), "P3": -1.0})
def test_a_calibration_is_refused_or_gives_probabilities(steps: Any, stated: dict[str, float]) -> None:
    try:
        calibration = Calibration.from_content({"steps": steps})
    except ValueError:
        return
    if calibration.steps:
        must_be_a_distribution(calibration.apply(stated))


@pytest.mark.parametrize("steps", [[{"since": 1}] * 1_001, [{"since": 1, "knots": dict.fromkeys(CLASSES, [[0.5, 0.5]] * 100_001)}]])
def test_a_calibration_has_a_bounded_size(steps: Any) -> None:
    with pytest.raises(ValueError, match="at most"):
        Calibration.from_content({"steps": steps})
