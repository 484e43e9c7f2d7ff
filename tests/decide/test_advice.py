"""What a model's advice changes, and what it never changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import pytest

from agents.advice.config import AdviceConfig
from pipeline.act.ledger import ALERT
from schemas.advice import Advice, AdviceRequest
from schemas.base import Severity, from_ms
from schemas.feedback import Feedback
from schemas.incident import AdviceStatus, Incident
from schemas.learning import Label
from schemas.topology import Service
from tests.scenarios.memory_backend import MemoryBackend

P1, P2, P3, P4 = Severity


def advice(severity: Severity | None = None, confidence: float = 0.9, **more: object) -> Advice:
    fields: dict[str, object] = {
        "provider": "ollama",
        "model": "m",
        "prompt": "triage@1",
        "summary": "Checkout runs out of disk.",
        "cost_usd": 0.001,
    }
    return Advice.model_validate({"severity": severity, "confidence": confidence, **fields, **more})


def backend(
    config: AdviceConfig | None = None, say: Callable[[AdviceRequest], Advice | str | None] = lambda request: None, after_ms: int = 800
) -> MemoryBackend:
    made = MemoryBackend(advice=config or AdviceConfig())
    made.model.say, made.model.after_ms = say, after_ms
    return made


def fire(made: MemoryBackend, name: str = "DiskFilling", severity: str = "P3", service: str = "checkout", **more: object) -> None:
    payload = {
        "name": name,
        "status": "firing",
        "service": service,
        "environment": "production",
        "source_severity": severity,
        "summary": f"{name} of {service}",
        **more,
    }
    made.send_raw(json.dumps(payload).encode(), "flux")


def wait(made: MemoryBackend, seconds: float) -> None:
    made.advance(made.runner.now + round(seconds * 1000))


def revisions(made: MemoryBackend) -> list[Incident]:
    assert made.runner.failures == []
    return made.incidents()


def test_revision_one_is_the_rules_and_the_answer_is_a_later_one() -> None:
    made = backend(say=lambda request: advice(P2))
    fire(made)
    wait(made, 10)
    first, last = revisions(made)[0], revisions(made)[-1]
    assert (first.revision, first.severity, first.provenance, first.degraded) == (1, P3, "rules", False)
    assert first.advice is not None and first.advice.status is AdviceStatus.PENDING
    assert (last.severity, last.provenance) == (P2, "ollama/m triage@1")
    assert last.summary == f"{first.summary} m: Checkout runs out of disk."
    assert last.advice is not None and last.advice.status is AdviceStatus.ADOPTED and last.advice.reason.code == "raised"
    assert last.advice.rule_severity is P3 and last.advice.cost_usd == pytest.approx(0.001)


@pytest.mark.parametrize("said", [P1, P2, P4])
def test_no_answer_changes_who_is_told_or_when(said: Severity) -> None:
    def told(made: MemoryBackend) -> list[tuple[int, str, str, Severity]]:
        fire(made)
        wait(made, 120)
        return [(at - made.start, one.receiver, one.transition.value, one.incident.severity) for at, one in made.told()]

    assert told(backend(say=lambda request: advice(said))) == told(MemoryBackend())


def test_a_page_that_goes_out_later_carries_the_summary_of_the_model_and_the_severity_of_the_rules() -> None:
    made = backend(say=lambda request: advice(P2))
    fire(made)
    wait(made, 60)
    ((_, page),) = made.told()
    assert page.incident.summary == f"{revisions(made)[0].summary} m: Checkout runs out of disk." and page.incident.severity is P3


@pytest.mark.parametrize("config", [AdviceConfig(), AdviceConfig(floors={P2: P4})])
def test_the_words_of_an_answer_that_plays_down_what_the_rules_say_reach_nobody(config: AdviceConfig) -> None:
    made = backend(config, say=lambda request: advice(P4, summary="Nothing is broken."))
    fire(made, severity="P2")
    wait(made, 60)
    texts = [one.summary for one in revisions(made)] + [one.incident.summary for _, one in made.told()]
    assert len(made.told()) == 1 and set(texts) == {revisions(made)[0].summary}
    assert all(one.advice is None or one.advice.summary == "" for one in revisions(made))


def test_a_p1_page_waits_for_no_model() -> None:
    made = backend(say=lambda request: advice(P1), after_ms=9_000)
    fire(made, severity="P1")
    assert [(at - made.start, one.incident.severity) for at, one in made.told()] == [(0, P1)]


def test_a_model_alone_makes_no_p1() -> None:
    made = backend(say=lambda request: advice(P1, 0.99))
    fire(made)
    wait(made, 5)
    last = revisions(made)[-1]
    assert last.severity is P2 and last.advice is not None
    assert last.advice.reason.code == "p1_not_confirmed" and last.advice.needs_review


def test_a_model_lowers_nothing_unless_a_person_gave_a_floor() -> None:
    made = backend(say=lambda request: advice(P4))
    fire(made, severity="P2")
    wait(made, 5)
    last = revisions(made)[-1]
    assert last.severity is P2 and last.advice is not None and last.advice.reason.code == "floor" and last.advice.needs_review
    made = backend(AdviceConfig(floors={P2: P3}), say=lambda request: advice(P4))
    fire(made, severity="P2")
    wait(made, 5)
    assert revisions(made)[-1].severity is P3
    made = backend(AdviceConfig(floors={P1: P4}), say=lambda request: advice(P4))
    fire(made, severity="P1")
    wait(made, 5)
    assert revisions(made)[-1].severity is P1


def test_an_unsure_answer_is_marked_for_review_and_not_used() -> None:
    made = backend(say=lambda request: advice(P2, 0.6))
    fire(made)
    wait(made, 5)
    last = revisions(made)[-1]
    assert last.severity is P3 and last.summary != "Checkout runs out of disk." and last.advice is not None
    assert last.advice.status is AdviceStatus.NOT_ADOPTED and last.advice.needs_review and last.advice.reason.code == "unsure"


def test_without_an_answer_the_degraded_verdict_is_published_before_the_deadline() -> None:
    made = backend()
    fire(made)
    wait(made, 14.9)
    last = revisions(made)[-1]
    assert last.degraded and last.severity is P3 and last.advice is not None
    assert last.advice.status is AdviceStatus.MISSING and last.advice.reason.code == "too_late"


def test_word_that_nobody_answers_is_published_at_once_with_its_reason() -> None:
    made = backend(say=lambda request: "ollama: nobody listens at 127.0.0.1:11434")
    fire(made)
    wait(made, 1)
    last = revisions(made)[-1]
    assert last.degraded and last.advice is not None and "nobody listens" in last.advice.reason.text
    before = len(revisions(made))
    wait(made, 20)
    assert all(one.degraded for one in revisions(made)[before:])


def test_a_late_answer_is_an_amendment_that_pages_nobody() -> None:
    made = backend(say=lambda request: advice(P2), after_ms=60_000)
    fire(made)
    wait(made, 59)
    told = len(made.told())
    wait(made, 60)
    last = revisions(made)[-1]
    assert last.advice is not None and last.advice.status is AdviceStatus.AMENDED and last.severity is P2 and not last.degraded
    assert len(made.told()) == told == 1


def test_an_incident_is_asked_about_once_while_it_stays_the_same() -> None:
    made = backend(say=lambda request: advice(P3))
    for _ in range(30):
        fire(made)
        wait(made, 5)
    assert len(made.model.asked) == 1


def test_an_incident_that_gets_worse_is_asked_about_again_and_not_too_often() -> None:
    made = backend(AdviceConfig(ask_again_s=60, asks_per_incident=3), say=lambda request: advice(request.question.rule_severity))
    for number in range(12):
        fire(made, name=f"Disk{number}")
        wait(made, 20)
    asked = made.model.asked
    assert len(asked) == 3
    assert all(after[0] - before[0] >= 60_000 for before, after in pairwise(asked))
    assert len({request.effect_id for _, request in asked}) == 3


def test_shadow_asks_and_shows_nothing() -> None:
    made = backend(AdviceConfig(mode="shadow"), say=lambda request: advice(P1))
    fire(made)
    wait(made, 60)
    assert len(made.model.asked) == 1
    assert all(one.advice is None and one.severity is P3 and one.provenance == "rules" for one in revisions(made))
    assert made.told()[0][1].incident.summary == revisions(made)[0].summary


def test_off_and_no_provider_ask_nothing() -> None:
    made = MemoryBackend()
    fire(made)
    wait(made, 60)
    assert made.model.asked == [] and all(one.advice is None and not one.degraded for one in revisions(made))


def test_the_pipelines_own_alert_about_its_budget_is_asked_of_nobody() -> None:
    made = backend(say=lambda request: advice(P2))
    fire(made, ALERT, "warning", "flux-ai")
    wait(made, 20)
    assert made.model.asked == [] and revisions(made) and not revisions(made)[-1].degraded
    fire(made, ALERT, "warning", "checkout")
    wait(made, 20)
    assert len(made.model.asked) == 1


def test_an_answer_to_an_older_question_or_about_a_finished_incident_changes_nothing() -> None:
    made = backend(say=lambda request: advice(P2), after_ms=40_000)
    fire(made)
    wait(made, 5)
    made.send_raw(
        json.dumps({"name": "DiskFilling", "status": "resolved", "service": "checkout", "environment": "production"}).encode(), "flux"
    )
    before = len(revisions(made))
    wait(made, 120)
    assert all(one.advice is None or one.advice.status is not AdviceStatus.AMENDED for one in revisions(made)[before:])


def test_a_runbook_that_is_no_candidate_is_not_taken() -> None:
    made = backend(say=lambda request: advice(P3, runbooks=["invented"]))
    fire(made)
    wait(made, 5)
    assert revisions(made)[-1].runbooks == []


def test_a_person_outranks_the_model_and_teaches() -> None:
    made = backend(say=lambda request: advice(P2, probabilities={"P2": 0.9, "P3": 0.1}))
    fire(made)
    wait(made, 5)
    incident = revisions(made)[-1]
    said = Feedback(
        feedback_id="f1",
        kind="severity",
        incident_id=incident.incident_id,
        domain=incident.domain,
        by="ann",
        at=from_ms(made.runner.now),
        severity=P4,
    )
    made.send("feedback", incident.domain, said.to_json())
    last = revisions(made)[-1]
    assert last.severity is P4 and last.advice is not None and last.advice.reason.code == "overruled"
    (record,) = made.runner.records("labels")
    label = Label.from_json(record.value or b"")
    assert (label.rule_severity, label.advised, label.severity, label.features.name) == (P3, P2, P4, "DiskFilling")
    assert label.model == "ollama/m triage@1" and label.advised_probabilities == {"P2": 0.9, "P3": 0.1}


def test_the_question_is_complete_and_bounded() -> None:
    made = backend()
    fire(made, labels={f"l{n}": "x" * 4000 for n in range(50)}, annotations={"description": "d" * 4000, "dashboard": "https://x"})
    ((_, request),) = made.model.asked
    (alert,) = request.question.alerts
    assert len(request.to_json()) < 40_000
    assert len(alert.labels) <= 30 and len(alert.description) == 600 and request.question.floor is P3
    assert request.deadline < revisions(made)[0].deadline


def test_an_incident_that_becomes_a_p1_is_asked_about_at_once_and_the_older_answer_is_not_taken() -> None:
    made = backend(
        say=lambda request: advice(request.question.rule_severity, summary=f"Said of a {request.question.rule_severity.value}."),
        after_ms=3_000,
    )
    fire(made, severity="P3")
    wait(made, 1)
    fire(made, severity="P1")
    wait(made, 2.5)
    assert [(at - made.start, request.question.rule_severity) for at, request in made.model.asked] == [(0, P3), (1_000, P1)]
    assert all(one.advice is None or one.advice.status is AdviceStatus.PENDING for one in revisions(made))
    wait(made, 5)
    assert revisions(made)[-1].summary.endswith("Said of a P1.")


def test_a_question_tells_the_words_of_the_opener_and_of_the_alert_of_the_moment_only() -> None:
    made = backend(AdviceConfig(ask_again_s=5), say=lambda request: advice(P3))
    fire(made, labels={"data": "confidential"}, summary="secret of the opener")
    wait(made, 10)
    fire(made, name="Other", labels={"data": "open"}, summary="of the other")
    wait(made, 10)
    fire(made, name="DiskFilling", labels={"instance": "2"}, summary="of one with the opener's name")
    fire(made, name="Third", summary="of the third")
    wait(made, 10)
    asked = [request.question.alerts for _, request in made.model.asked]
    assert len(asked) == 3
    assert all(alerts[0].labels["data"] == "confidential" and alerts[0].summary == "secret of the opener" for alerts in asked)
    told = {alert.name: alert.summary for alert in asked[-1]}
    assert told["Other"] == "" and "of one with the opener's name" not in told.values()


def test_a_person_is_heard_also_where_no_model_was_asked_yet() -> None:
    made = backend(AdviceConfig(severities=(P1, P2), floors={P2: P4}), say=lambda request: advice(P4))
    fire(made, severity="P4")
    wait(made, 1)
    incident = revisions(made)[-1]
    said = Feedback(
        feedback_id="f1",
        kind="severity",
        incident_id=incident.incident_id,
        domain=incident.domain,
        by="ann",
        at=from_ms(made.runner.now),
        severity=P2,
    )
    made.send("feedback", incident.domain, said.to_json())
    wait(made, 60)
    assert made.model.asked == [] and revisions(made)[-1].severity is P2 and revisions(made)[-1].advice is None


def test_a_label_says_what_the_rules_said_and_of_which_service_also_after_a_correction_and_a_rise() -> None:
    made = backend(say=lambda request: None)
    made.send("topology", "web", Service(name="web", depends_on=["db"]).to_json())
    fire(made, name="WebSlow", service="web")
    wait(made, 1)
    fire(made, name="DbDown", severity="P2", service="db")
    incident = revisions(made)[-1]
    for number, severity in enumerate((P4, P1)):
        said = Feedback(
            feedback_id=f"f{number}", kind="severity", incident_id=incident.incident_id, domain=incident.domain, by="ann",
            at=from_ms(made.runner.now), severity=severity,
        )  # fmt: skip
        made.send("feedback", incident.domain, said.to_json())
    labels = [Label.from_json(record.value or b"") for record in made.runner.records("labels")]
    assert [(one.rule_severity, one.severity, one.features.name, one.features.service) for one in labels] == [
        (P2, P4, "WebSlow", "web"),
        (P2, P1, "WebSlow", "web"),
    ]


def test_a_p1_whose_own_question_has_no_answer_is_degraded_though_an_answer_about_something_milder_came() -> None:
    made = backend(say=lambda request: advice(P3) if request.question.rule_severity is P3 else "nobody answers")
    fire(made, severity="P3")
    wait(made, 3)
    assert not revisions(made)[-1].degraded
    fire(made, severity="P1")
    wait(made, 3)
    last = revisions(made)[-1]
    assert last.severity is P1 and last.degraded and last.advice is not None and last.advice.status is AdviceStatus.MISSING
