"""A snapshot is promoted only when it is better than what is in use, on labels that neither had learned."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from agents.learned import Classifier
from pipeline.learn.promote import Gate, Learners, RunbookLearner, SeverityLearner, mean_and_error
from schemas.learning import Label, Snapshot
from tests.learn.samples import labels, nonsense, runbook_label

OTHER_TEAM = {"DiskFilling": "P1", "CheckoutErrors": "P3", "QueueGrowing": "P1", "BackupLate": "P3"}


def run(learners: Learners, stream: Iterable[tuple[int, Label]]) -> list[Snapshot]:
    return [made for offset, label in stream if (made := learners.take(offset, label)[0]) is not None]


def test_the_first_is_promoted_when_it_beats_the_rules() -> None:
    learners = Learners()
    (made, *_) = run(learners, enumerate(labels(60)))
    assert (made.name, made.version, made.labels, made.replaced, made.by) == ("severity", 30, 30, None, "flux")
    assert made.metrics["log_loss"] < made.metrics["opponent_log_loss"]
    assert made.metrics["under_triage"] <= made.metrics["opponent_under_triage"]
    assert Classifier.from_snapshot(made) is not None


def test_nothing_is_promoted_on_few_labels() -> None:
    assert run(Learners(), enumerate(labels(29))) == []


def test_nothing_is_promoted_that_was_learned_from_nonsense() -> None:
    assert run(Learners(), enumerate(nonsense(300))) == []


def test_a_candidate_that_is_no_better_than_the_rules_is_not_promoted() -> None:
    """The rules are always right here."""
    agreed = [one.model_copy(update={"severity": one.rule_severity}) for one in labels(200)]
    for made in run(Learners(), enumerate(agreed)):
        assert made.metrics["cost"] <= made.metrics["opponent_cost"] == 0


def test_a_good_snapshot_is_not_replaced_by_a_worse_one() -> None:
    """What is in use knows this team; a candidate that began with another team's labels is worse for long."""
    best = run(Learners(), enumerate(labels(300)))[-1]
    learners = Learners(SeverityLearner(best.model_copy(update={"version": 150})))
    mixed = [*labels(150, truth=OTHER_TEAM), *labels(60, seed=3, first=150)]
    assert run(learners, enumerate(mixed)) == []
    verdict = learners.severity.verdict()
    assert not verdict.better
    assert "log-loss" in verdict.reason and verdict.candidate["log_loss"] > verdict.opponent["log_loss"]


def test_when_people_change_their_minds_a_new_snapshot_follows() -> None:
    learners = Learners()
    before = run(learners, enumerate(labels(100)))
    after = run(learners, enumerate(labels(200, seed=2, truth=OTHER_TEAM, first=100), 100))
    assert before and after
    assert after[0].replaced == before[-1].version
    assert [one.version for one in (*before, *after)] == sorted({one.version for one in (*before, *after)})


def test_what_is_in_use_is_judged_only_on_labels_that_it_had_not_learned() -> None:
    learners = Learners()
    first = run(learners, enumerate(labels(30)))[0]
    assert learners.severity.unseen() == []
    run(learners, enumerate(labels(20, first=30, seed=4), 30))
    assert [row.offset for row in learners.severity.unseen()] == list(range(30, 50))
    assert first.version == 30
    assert "20 labels" in learners.severity.verdict().reason


@pytest.mark.parametrize("cut", [31, 60, 75, 119])
def test_a_restart_comes_to_the_same_snapshots(cut: int) -> None:
    stream = list(enumerate([*labels(80), *labels(80, seed=2, truth=OTHER_TEAM, first=80)]))
    whole = run(Learners(), stream)
    assert len(whole) >= 3
    before = run(Learners(), stream[:cut])
    again = Learners()
    again.use({one.name: one for one in before})
    assert before + run(again, stream) == whole


def test_a_second_learner_that_is_late_makes_nothing_older_than_what_is_in_use() -> None:
    stream = list(enumerate(labels(80)))
    made = run(Learners(), stream)
    late = Learners()
    late.use({"severity": made[-1]})
    assert run(late, stream) == []


def test_the_same_label_again_teaches_nothing() -> None:
    once, twice = Learners(), Learners()
    for offset, one in enumerate(labels(40)):
        once.take(offset, one)
        twice.take(2 * offset, one)
        assert twice.take(2 * offset + 1, one) == (None, None)
    assert once.severity.count == twice.severity.count == 40
    assert once.severity.window[-1].stated == twice.severity.window[-1].stated


def test_a_label_that_says_nothing_is_refused_and_not_learned() -> None:
    learners = Learners()
    for bad in (next(labels(1)).model_copy(update={"severity": None}), runbook_label(1, "rb", True).model_copy(update={"right": None})):
        with pytest.raises(ValueError):
            learners.take(0, bad)
    assert learners.severity.count == learners.runbook.count == 0


def test_a_snapshot_of_another_release_does_not_stand_in_the_way() -> None:
    """Its features mean something else now: decide does not use it, so the candidate has to beat the rules."""
    strange = run(Learners(), enumerate(labels(30)))[0].model_copy(update={"content": {"features": 99, "weights": {}}})
    learners = Learners(SeverityLearner(strange))
    assert learners.severity.classifier is None
    assert run(learners, enumerate(labels(60)))[0].replaced == 30


def test_a_snapshot_that_a_person_forced_is_what_the_next_has_to_beat() -> None:
    learners = Learners()
    run(learners, enumerate(labels(50)))
    forced = learners.severity.candidate(learners.severity.verdict(), by="ada")
    learners.use({"severity": forced})
    assert (learners.severity.in_use, forced.version, forced.by) == (forced, 50, "ada")
    assert learners.severity.unseen() == []


def test_runbooks_have_a_snapshot_of_their_own() -> None:
    learners = Learners()
    stream = [runbook_label(n, "rb-disk", n % 10 == 0) for n in range(40)] + [runbook_label(50 + n, "rb-net", True) for n in range(20)]
    made = run(learners, enumerate(stream))
    assert {one.name for one in made} == {"runbook"}
    assert made[0].version >= 10
    classifier = Classifier.from_snapshot(None, made[-1])
    features = stream[0].features
    assert classifier is not None
    assert classifier.runbook_wrong(features, "rb-disk") > 0.6 > 0.4 > classifier.runbook_wrong(features, "rb-net")
    again = Learners()
    again.use({"runbook": made[-1]})
    assert run(again, enumerate(stream)) == []


def test_doubts_that_do_not_come_true_are_not_promoted() -> None:
    """Wrong and right by turns: doubting this runbook more or less than all others gains nothing."""
    learners = Learners(runbook=RunbookLearner(gate=Gate(every=5, window=200, least=10)))
    made = run(learners, enumerate(runbook_label(n, f"rb-{n}", n % 4 != 0) for n in range(100)))
    assert made == []


def test_a_gain_has_to_be_more_than_chance() -> None:
    assert mean_and_error([1.0, 1.0, 1.0]) == (1.0, 0.0)
    gain, error = mean_and_error([5.0, -4.0, 0.5, -0.5, 1.0])
    assert 0 < gain < error
    assert mean_and_error([1.0])[1] == float("inf")
