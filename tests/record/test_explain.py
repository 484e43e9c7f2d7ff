"""Why was I (not) paged: the sentence for each kind of outcome, and its place on a terminal."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from pipeline.history.base import DeadLetter
from pipeline.history.explain import Explanation, explain, explain_dead_letter, explain_decision
from pipeline.history.render import render_explanation
from schemas.advice import Tried
from schemas.base import AlertStatus, Reason, Severity, from_ms
from schemas.decision import Decision, Outcome
from schemas.effect import Receipt
from schemas.incident import AdviceStatus, Incident, IncidentAdvice, IncidentStatus
from tests.record.samples import NOW, answer, dead_letter_headers, decision, incident, receipt

TOLD_AT = (NOW + timedelta(seconds=31)).strftime("%Y-%m-%d %H:%M:%S UTC")
CLEARED = Reason(code="transient", text="cleared after 4.0 s, within the hold of 30 s")


def shown(explanation: Explanation) -> str:
    screen = io.StringIO()
    Console(file=screen, width=160, force_terminal=False).print(render_explanation(explanation))
    return screen.getvalue()


def test_a_page_says_who_was_told_and_when() -> None:
    it = explain_decision(decision(1), incident(), [receipt(0)], "PostgreSQL")
    assert it.answer == f"Told to slack at {TOLD_AT} (fired). Reason: paged at once."
    assert it.verdict.took_ms == 40
    assert it.arrived.raw == "flux.alerts.raw/0/1/0"
    text = shown(it)
    for part in (
        "P2 after 40 ms",
        "HighErrorRate firing on checkout, production",
        "hold_s 30",
        "score",
        f"slack at {TOLD_AT}: fired",
        "read from PostgreSQL",
    ):
        assert part in text


def test_a_silence_says_why_and_who_would_have_been_told() -> None:
    silenced = decision(
        1, Outcome.SUPPRESSED, "silence", "silence s1 of ann: upgrade", incident_id=None, would_notify=["slack", "pagerduty"]
    )
    it = explain_decision(silenced, None, [], "PostgreSQL")
    assert it.answer == "Nobody was told: silence s1 of ann: upgrade. It would have gone to slack, pagerduty as P2."
    assert "slack, pagerduty" in shown(it)


def test_a_repeat_names_its_incident_and_who_knows_of_it() -> None:
    it = explain_decision(decision(1, Outcome.GROUPED, "repeat", "nothing new within 5 min"), incident(), [], "PostgreSQL")
    assert it.answer == f"It belongs to incident i1: nothing new within 5 min. Told to slack at {TOLD_AT} (fired)."


@pytest.mark.parametrize(
    ("found", "ending"),
    [
        pytest.param(None, "no revision of its incident has been read yet", id="unknown"),
        pytest.param(incident(), f"it was told to slack at {TOLD_AT} (fired)", id="told"),
        pytest.param(incident(told=False, silence=CLEARED), f"it was withdrawn, nobody was told: {CLEARED.text}", id="withdrawn"),
        pytest.param(
            incident(told=False, status=IncidentStatus.RESOLVED, resolved_at=NOW + timedelta(seconds=31)),
            f"it ended at {TOLD_AT} and nobody was told",
            id="ended",
        ),
        pytest.param(incident(told=False), "it still waits", id="waiting"),
    ],
)
def test_a_held_page_says_how_the_wait_ended(found: Incident | None, ending: str) -> None:
    it = explain_decision(decision(1, Outcome.OPEN, "hold", "held for 30 s"), found, [], "PostgreSQL")
    assert it.ending == ending
    assert it.answer == f"Its page had to wait: held for 30 s. {ending[0].upper()}{ending[1:]}."


def test_a_page_that_nobody_has_received_says_what_went_wrong() -> None:
    attempts = [receipt(0, status="failed", detail="HTTP 503", attempt=2)]
    it = explain_decision(decision(1), incident(told=False), attempts, "PostgreSQL")
    assert it.answer.startswith(f"Nobody has received it yet: attempt 2 to slack failed at {TOLD_AT}, HTTP 503.")
    assert "HTTP 503" in shown(it)


def test_a_resolve_says_what_it_ended() -> None:
    it = explain_decision(
        decision(1, Outcome.RESOLVED, "resolve_told", "i1 is over: slack", status=AlertStatus.RESOLVED), incident(), [], "x"
    )
    assert it.answer == "It ended the alert: i1 is over: slack."


def test_a_late_verdict_is_called_late() -> None:
    late = decision(1, decided_at=NOW + timedelta(seconds=20))
    assert "LATE" in shown(explain_decision(late, None, [], "x"))


@pytest.mark.parametrize(
    ("stage", "why"), [("act", "a message to pager"), ("decide", "told all the same"), ("consumer.mine", "consumer.mine")]
)
def test_a_dead_letter_that_is_no_raw_payload_is_not_offered_to_be_sent_again(stage: str, why: str) -> None:
    letter = DeadLetter.from_headers(0, 1, NOW, None, b"{}", {"stage": stage, "reason": "gave_up", "receiver": "pager"})
    it = explain_dead_letter(letter, "Kafka topics")
    assert it.redrive == ""
    assert why in it.answer
    assert "redrive" not in shown(it)


def test_a_dead_letter_says_why_where_its_bytes_are_and_how_to_put_them_back() -> None:
    headers = {name: value.decode() for name, value in dead_letter_headers(9)}
    letter = DeadLetter.from_headers(2, 17, from_ms(1_795_534_019_212), b"grafana", b"\xff{\x1b[31mred [bold]", headers)
    it = explain_dead_letter(letter, "Kafka topics")
    assert it.answer.startswith("It was set aside by intake: not_json (expected value at line 1 column 1).")
    assert (it.read_at, it.kept_at, it.size) == ("alerts.raw/0/9", "dead_letters/2/17", 17)
    assert it.redrive == "fluxai dead-letters redrive d2-17"
    text = shown(it)
    assert "\x1b" not in text, "a terminal must not obey what an alert says"
    assert "[31mred [bold]" in text, "and nothing of it is taken for markup"
    assert "source=grafana" in text


def test_control_characters_of_an_alert_do_not_reach_the_terminal() -> None:
    it = explain_decision(decision(1, name="\x1b]0;owned\x07", summary="[red]x[/red]"), None, [], "x")
    text = shown(it)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]x[/red]" in text


def test_an_explanation_says_what_a_model_said_whether_it_was_adopted_and_what_it_cost() -> None:
    advice = IncidentAdvice(
        status=AdviceStatus.NOT_ADOPTED,
        reason=Reason(code="advice_floor", text="it would be less urgent than the rules allow"),
        severity=Severity.P4,
        rule_severity=Severity.P2,
        needs_review=True,
    )
    failed = answer(1, advice=None, status="failed", detail="no answer", tried=[Tried(provider="ollama", outcome="timeout", took_ms=9000)])
    it = explain_decision(decision(1), incident(advice=advice), [], "x", [failed, answer(2)])
    text = " ".join(shown(it).split())
    assert "not adopted (it would be less urgent than the rules allow); it said P4, the rules say P2; a person should review it" in text
    assert "failed: no answer; tried ollama timeout 9000 ms" in text
    assert 'ollama/llama3.1:8b (triage@1): P2, 0.91 sure, $0.0000, 640+85 tokens in 812 ms; "checkout fails since the deploy"' in text
    assert "redacted ip 2" in text


def test_an_incident_is_explained_by_its_id_also_when_no_decision_names_it() -> None:
    class Archive:
        source = "a dictionary"

        def decision(self, alert_id: str) -> None:
            return None

        def incident(self, incident_id: str) -> Incident | None:
            return incident() if incident_id == "i1" else None

        def deliveries(self, incident_id: str) -> list[Receipt]:
            return [receipt(0)]

        def advice_of(self, incident_id: str) -> list[Receipt]:
            return [answer(1)]

        def decisions_of(self, incident_id: str, limit: int) -> list[Decision]:
            return []

    (it,) = explain(Archive(), "i1")  # type: ignore[arg-type]  # what an incident needs of a history
    assert it.answer == f"It is open. Told to slack at {TOLD_AT} (fired)."
    text = shown(it)
    assert "read from a dictionary" in text and "ollama/llama3.1:8b (triage@1): P2" in text and incident().summary in text
    assert explain(Archive(), "i2") == []  # type: ignore[arg-type]
