"""A snapshot is promoted only when it is better than what is in use, on labels that neither had learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from agents.learned import CLASSES, Classifier
from pipeline.learn.measure import Judged
from pipeline.learn.promote import Gate, Learners, RunbookLearner, SeverityLearner, mean_and_error, more_missed, worse_in
from schemas.base import Severity
from schemas.learning import Features, Label, Snapshot
from tests.learn.samples import START, TRUTH, label, labels, nonsense, runbook_label

OTHER_TEAM = {"DiskFilling": "P1", "CheckoutErrors": "P3", "QueueGrowing": "P1", "BackupLate": "P3", "ReplicaLags": "P4"}


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


# -- who may teach how much -------------------------------------------------------------------------------------------------------------

STRANGER = Features(name="CertExpiresSoon", service="edge", source="prometheus", source_severity="info")


def said(number: int, severity: str, *, by: str = "mallory", incident: str = "", name: str = "DiskFilling") -> Label:
    made = label(number, name, severity)
    return made.model_copy(update={"by": by, "incident_id": incident or made.incident_id})


def test_one_person_on_one_incident_teaches_one_word_however_often_it_is_said() -> None:
    learners, once = Learners(), Learners()
    assert run(learners, enumerate(said(number, "P1", incident="i-one") for number in range(60))) == []
    once.take(0, said(0, "P1", incident="i-one"))
    assert (learners.severity.count, learners.passed_over) == (1, {"repeated": 59})
    assert weights(learners) == weights(once)
    forced = Classifier.from_snapshot(learners.severity.candidate(learners.severity.verdict()))
    assert forced is not None and not forced.knows(STRANGER)


def test_a_word_that_was_taken_back_leaves_nothing_behind() -> None:
    """Also when it was taken back often: what is learned is what the newest words alone would have taught."""
    others = list(labels(30))
    minds = [said(100 + number, ("P1", "P4")[number % 2], incident="i-one") for number in range(10)]
    changed, plain = Learners(), Learners()
    run(changed, enumerate([*others, *minds]))
    run(plain, enumerate([*others, minds[-1]]))
    assert changed.severity.count == plain.severity.count == 31
    assert weights(changed) == weights(plain)
    assert [row.label.label_id for row in changed.severity.window] == [row.label.label_id for row in plain.severity.window]


def test_of_one_person_a_bounded_number_of_labels_a_day_counts() -> None:
    learners = Learners()
    day_one = [said(number, "P1").model_copy(update={"at": START}) for number in range(50)]
    run(learners, enumerate(day_one))
    assert (learners.severity.count, learners.passed_over) == (20, {"too_many": 30})
    learners.take(50, said(50, "P1").model_copy(update={"at": START + timedelta(days=1)}))
    learners.take(51, said(51, "P1", by="ada").model_copy(update={"at": START}))
    assert learners.severity.count == 22


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at: {"by": "mallory"}, "one person has 60 of 60"),
        (lambda at: {"incident_id": "i-one", "by": f"person {at}"}, "1 different of incident, 20 are needed; one incident has 60 of 60"),
        (lambda at: {"incident_id": f"i{at % 19}", "by": f"person {at}"}, "19 different of incident, 20 are needed"),
        (lambda at: {"name": f"Disk{'ABCD'[at % 4]}"}, "4 different of name of alerts, 5 are needed"),
        (lambda at: {"name": "Disk" if at % 5 else f"Name{at}"}, "one name of alerts has 48 of 60 labels"),
    ],
    ids=["person", "incident", "few incidents", "few names", "name"],
)
def test_nothing_is_promoted_that_says_something_of_one_corner_only(change: Callable[[int], dict[str, Any]], words: str) -> None:
    learners = Learners()
    for number, one in enumerate(labels(60)):
        changed = change(number)
        features = one.features.model_copy(update={"name": changed.pop("name", one.features.name)})
        update: dict[str, Any] = {"features": features, "severity": Severity.P1, "at": START + timedelta(days=number)}
        assert learners.take(number, one.model_copy(update=update | changed))[0] is None
    assert words in learners.severity.verdict().reason


def test_words_on_a_runbook_are_bounded_in_the_same_way() -> None:
    learners = Learners()
    one = runbook_label(0, "rb-disk", False)
    spam = [one.model_copy(update={"label_id": f"f{number}"}) for number in range(30)]
    assert run(learners, enumerate(spam)) == []
    assert learners.runbook.count == 1
    by_one = [runbook_label(50 + number, "rb-disk", False).model_copy(update={"by": "mallory"}) for number in range(30)]
    assert run(learners, enumerate(by_one, 50)) == []
    assert "one person has" in learners.runbook.verdict().reason
    again = one.model_copy(update={"label_id": "f-again", "right": True})
    before = learners.runbook.count
    learners.take(100, again)
    assert learners.runbook.count == before
    assert learners.runbook.classifier is None


# -- under-triage -----------------------------------------------------------------------------------------------------------------------


def verdicts(said_: str, truth_: str, count: int, sure: float = 0.7) -> list[Judged]:
    rest = (1 - sure) / 3
    return [Judged(said_, truth_, {name: sure if name == said_ else rest for name in CLASSES})] * count


def test_one_urgent_alert_more_that_is_missed_is_chance_and_several_are_not() -> None:
    """Eight alerts are called right that the snapshot in use called two levels too urgent; its price is urgent ones missed."""
    theirs = [*verdicts("P1", "P3", 8), *verdicts("P2", "P2", 12)]
    for price, words in ((0, ""), (1, ""), (2, "under-triage"), (5, "under-triage")):
        ours = [*verdicts("P3", "P3", 8), *verdicts("P3", "P2", price), *verdicts("P2", "P2", 12 - price)]
        found = worse_in(ours, theirs)
        assert words in found if words else found == "", price
    swapped = [*verdicts("P3", "P3", 8), *verdicts("P3", "P2", 5), *verdicts("P2", "P2", 7)]
    caught = [*verdicts("P1", "P3", 8), *verdicts("P2", "P2", 5), *verdicts("P3", "P2", 4), *verdicts("P2", "P2", 3)]
    assert not more_missed(swapped, caught)  # five lost and four won


def test_a_snapshot_that_calls_too_much_urgent_does_not_stay_for_ever() -> None:
    """It calls all P1, so that it misses none. Each day or two somebody calls P1 what nobody could have known: never to miss it is luck."""
    learners = Learners()
    everything = dict.fromkeys(TRUTH, "P1")
    urgent = run(learners, enumerate(in_production(one, everything) for one in labels(60)))[-1]
    now = [in_production(one) for one in labels(200, seed=2, first=60)]
    milder = [at for at, one in enumerate(now) if one.severity == Severity.P4]
    for at in milder[2::20]:
        now[at] = now[at].model_copy(update={"severity": Severity.P1})
    assert any(made.replaced == urgent.version for made in run(learners, enumerate(now, 60)))


def in_production(one: Label, truth: Mapping[str, str] = TRUTH) -> Label:
    update = {"environment": "prod", "source_severity": "warning"}
    severity = Severity(truth[one.features.name])
    return one.model_copy(update={"features": one.features.model_copy(update=update), "severity": severity, "rule_severity": Severity.P3})


def weights(learners: Learners) -> dict[str, Any]:
    content = learners.severity.candidate(learners.severity.verdict()).content
    found: dict[str, Any] = content["weights"]
    return found
