"""The classifier that decide reads, and the trainer that makes its weights: the same figures, whatever order a set has in this process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import timeit

import pytest

from agents.learned import CLASSES, DOUBT_PRIOR, FEATURES_VERSION, Classifier, likeliest, vector, words_of
from pipeline.learn.promote import Learners
from pipeline.learn.trainer import MAX_FEATURES, RunbookTrainer, SeverityTrainer
from pipeline.supervisor import project_path
from schemas.base import Severity
from schemas.learning import Features, Label, Snapshot
from schemas.topics import BY_NAME
from tests.learn.samples import START, labels, nonsense, runbook_label

DISK = Features(name="DiskFilling", service="db", environment="prod", source="prometheus", source_severity="warning")


def snapshot(name: str, content: dict[str, object]) -> Snapshot:
    return Snapshot(name=name, version=1, content=content, at=START)


def trained(count: int = 150, limit: int = MAX_FEATURES) -> SeverityTrainer:
    trainer = SeverityTrainer(limit)
    for one in labels(count):
        assert one.severity is not None
        trainer.learn(one.features, one.severity)
    return trainer


def exported(trainer: SeverityTrainer) -> Classifier:
    made = Classifier.from_snapshot(Snapshot.from_json(snapshot("severity", trainer.content()).to_json()))
    assert made is not None
    return made


def test_exported_weights_give_the_probabilities_of_river() -> None:
    trainer = trained()
    classifier = exported(trainer)
    strangers = [Features(name="NeverSeen"), Features(name=""), DISK, *(one.features for one in labels(50, seed=9))]
    for features in strangers:
        ours, theirs = classifier.probabilities(features), trainer.probabilities(features)
        assert sum(ours.values()) == pytest.approx(1)
        assert all(abs(ours[name] - theirs[name]) < 1e-9 for name in CLASSES)


def test_it_learns_what_people_say() -> None:
    classifier = exported(trained())
    said = {one: likeliest(classifier.probabilities(DISK.model_copy(update={"name": one}))) for one in ("CheckoutErrors", "DiskFilling")}
    assert said == {"CheckoutErrors": Severity.P1, "DiskFilling": Severity.P3}
    assert likeliest(classifier.probabilities(DISK.model_copy(update={"environment": "dev"}))) is Severity.P4
    assert likeliest({"P2": 0.4, "P1": 0.4, "P3": 0.2}) is Severity.P1


FOLD = """
import json
from pipeline.learn.promote import Learners
from tests.learn.samples import labels, runbook_label
learners, made = Learners(), []
for offset, label in enumerate([*labels(60), *(runbook_label(100 + n, "rb", n % 10 == 9) for n in range(30))]):
    found = learners.take(offset, label)[0]
    made += [found.to_json().decode()] if found is not None else []
print(json.dumps(made))
"""


def test_another_process_with_another_hash_seed_makes_the_same_snapshots_to_the_byte() -> None:
    learners, made = Learners(), []
    for offset, label in enumerate([*labels(60), *(runbook_label(100 + n, "rb", n % 10 == 9) for n in range(30))]):
        found = learners.take(offset, label)[0]
        made += [found.to_json().decode()] if found is not None else []
    assert {Snapshot.from_json(one).name for one in made} == {"severity", "runbook"}
    environ = {"PATH": os.environ["PATH"], **project_path({}), "PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", FOLD], env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == made


def test_what_a_model_said_changes_nothing_that_is_learned() -> None:
    """Also where its answers are on the labels: the trainer is given a person's word and features, and nothing else."""
    plain, advised = SeverityTrainer(), SeverityTrainer()
    for one in labels(40):
        assert one.severity is not None
        with_answer = one.model_copy(
            update={"advised": Severity.P1, "advised_probabilities": {"P1": 1.0}, "model": "m", "learned": {"P1": 1.0}}
        )
        plain.learn(one.features, one.severity)
        advised.learn(with_answer.features, with_answer.severity or Severity.P4)
    assert plain.content() == advised.content()


def test_an_answer_of_a_model_without_a_persons_word_is_no_label() -> None:
    (one,) = labels(1)
    answer = one.model_copy(update={"severity": None, "advised": Severity.P1, "advised_probabilities": {"P1": 1.0}})
    with pytest.raises(ValueError, match="says no severity"):
        Learners().take(0, answer)
    assert "by" in Label.model_json_schema()["required"]


def test_free_text_is_no_feature() -> None:
    assert set(Features.model_fields) == {"name", "service", "environment", "source", "source_severity", "tier", "customer_facing"}


def test_features_are_bounded_whatever_a_source_sends() -> None:
    evil = "Aa\U0001f600\u202eBb" * 5000
    found = vector(Features(name=evil, service=evil, environment=evil, source=evil, source_severity=evil, tier=-(10**9)))
    assert len(found) < 32
    assert max(len(name.encode()) for name in found) <= 50
    assert sum(value**2 for name, value in found.items() if name.startswith("w:")) == pytest.approx(1)
    assert vector(Features(name="\ud800"))  # half a letter: JSON may bring it


def test_words_are_those_a_person_would_read() -> None:
    assert words_of("KubePodCrashLooping") == ("kube", "pod", "crash", "looping")
    assert words_of("etcdHTTPSlow_5xx rate") == ("etcd", "http", "slow", "xx", "rate")


def test_the_weights_have_a_bound_and_the_least_are_forgotten() -> None:
    trainer = trained(200, limit=60)
    kept = trainer.content()["weights"]
    assert len(kept) <= 60
    assert likeliest(exported(trainer).probabilities(DISK.model_copy(update={"name": "CheckoutErrors"}))) is Severity.P1
    for name in CLASSES:
        assert len(trainer._model.optimizers[name].g2) <= 60


def test_the_largest_snapshot_fits_into_a_record() -> None:
    chance = random.Random(1)
    wide = {f"n:{number:044}": {name: -chance.random() / 3 for name in CLASSES} | {"labels": 99_999} for number in range(MAX_FEATURES)}
    made = snapshot("severity", {"features": FEATURES_VERSION, "weights": wide})
    assert len(made.to_json()) < BY_NAME["models"].max_message_bytes - 10_000


def test_a_question_costs_microseconds() -> None:
    classifier = exported(trained(60))
    assert min(timeit.repeat(lambda: classifier.probabilities(DISK), number=500, repeat=5)) / 500 < 100e-6


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"features": 0, "weights": {}},
        {"features": FEATURES_VERSION, "weights": []},
        {"features": FEATURES_VERSION, "weights": {"": 3}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": "much"}}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": float("inf")}}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": float("nan")}}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": 10**400}}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": 1e308}}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": True}}},
        {"features": FEATURES_VERSION, "weights": {"": {"P1": None}}},
        {"features": FEATURES_VERSION, "weights": {"n:a": {"P1": 1, "labels": 10**400}}},
        {"features": FEATURES_VERSION, "weights": {"n:a": {"P1": 1, "labels": -1}}},
        {"features": FEATURES_VERSION, "weights": {"n" * 101: {"P1": 1}}},
        {"features": FEATURES_VERSION, "weights": {str(at): {"P1": 1} for at in range(20_001)}},
        {"features": 10**5000, "weights": {}},
    ],
    ids=[
        "empty", "another version", "no table", "no rows", "a word", "infinite", "no number", "huge", "large", "true", "null",
        "huge support", "negative support", "long name", "many rows", "a version beyond text",
    ],
)  # fmt: skip
def test_a_snapshot_that_is_none_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Classifier.from_snapshot(snapshot("severity", content))


def test_without_snapshots_there_is_no_classifier_and_of_a_runbook_alone_no_severity() -> None:
    assert Classifier.from_snapshot(None) is None
    trainer = RunbookTrainer()
    trainer.learn(DISK, "rb-disk", False)
    classifier = Classifier.from_snapshot(None, snapshot("runbook", trainer.content()))
    assert classifier is not None
    assert classifier.probabilities(DISK) == {}
    assert classifier.runbook_wrong(DISK, "rb-disk") == trainer.wrong(DISK, "rb-disk") > DOUBT_PRIOR
    assert classifier.runbook_wrong(DISK, "rb-net") == DOUBT_PRIOR


def test_doubt_in_a_runbook_grows_most_where_people_were_and_less_beside_it() -> None:
    trainer = RunbookTrainer()
    for _ in range(3):
        trainer.learn(DISK, "rb", False)
    elsewhere, other = DISK.model_copy(update={"service": "web"}), DISK.model_copy(update={"name": "CpuHigh"})
    assert trainer.wrong(DISK, "rb") > trainer.wrong(elsewhere, "rb") > trainer.wrong(other, "rb") > DOUBT_PRIOR
    for _ in range(6):
        trainer.learn(elsewhere, "rb", True)
    assert trainer.wrong(elsewhere, "rb") < DOUBT_PRIOR < trainer.wrong(DISK, "rb")


def test_counts_of_runbooks_have_a_bound_and_the_oldest_go() -> None:
    trainer = RunbookTrainer(limit=9)
    for number in range(10):
        trainer.learn(DISK, f"rb-{number}", False)
    assert len(trainer.content()["weights"]) == 9
    assert trainer.wrong(DISK, "rb-0") == DOUBT_PRIOR < trainer.wrong(DISK, "rb-9")


def test_of_nonsense_nothing_sure_is_learned() -> None:
    trainer = SeverityTrainer()
    for one in nonsense(200):
        assert one.severity is not None
        trainer.learn(one.features, one.severity)
    assert max(trainer.probabilities(DISK).values()) < 0.9


def test_only_alerts_that_people_spoke_about_are_known() -> None:
    """What all alerts share, as the bias, says nothing about one that nobody ever labelled."""
    trainer = SeverityTrainer()
    for spoken in range(4):
        assert (exported(trainer).knows(DISK) if spoken else False) is (spoken >= 3)
        trainer.learn(DISK, Severity.P1)
    classifier = exported(trainer)
    assert classifier.knows(DISK.model_copy(update={"service": "another"}))
    stranger = DISK.model_copy(update={"name": "CertExpiresSoon"})
    assert classifier.probabilities(stranger)["P1"] > 0.5
    assert not classifier.knows(stranger)


def test_a_snapshot_that_does_not_tell_how_many_labels_it_had_knows_nothing() -> None:
    content = trained().content()
    assert exported(trained()).knows(DISK)
    weights = {feature: {name: row[name] for name in CLASSES} for feature, row in content["weights"].items()}
    old = Classifier.from_snapshot(snapshot("severity", content | {"weights": weights}))
    assert old is not None and old.probabilities(DISK) and not old.knows(DISK)
