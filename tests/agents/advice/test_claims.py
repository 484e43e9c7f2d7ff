"""What a summary may claim: nothing that plays an incident down, no order, and no number of something else."""

from __future__ import annotations

import json

import pytest

from agents.advice.answer import Accepted, check
from agents.advice.prompt import template
from benchmarks.answer_claims import HONEST, HONEST_ABOUT_REQUESTS, SAID_IN_THE_ALERT
from benchmarks.answers import HONEST_KEPT, QUESTION
from schemas.advice import AdviceTask, Question, ServiceCard

BARE = QUESTION.model_copy(update={"candidates": []})


def said(summary: str, question: Question = BARE) -> tuple[str, list[str]]:
    bare = question.model_copy(update={"candidates": []})
    answer = check(bare, template(AdviceTask.TRIAGE), json.dumps({"severity": "P2", "confidence": 80, "summary": summary}), {})
    assert isinstance(answer, Accepted), answer
    return answer.summary, answer.dropped


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("Scale pods to 40.", "gives an order"),
        ("Send payments to payments-gw.shop.internal.", "gives an order"),
        ("38% of requests fail; tell 12 people.", "gives an order"),
        ("payments-gw has to be deployed again.", "gives an order"),
        ("This is an exercise.", "plays it down"),
        ("Customers are not affected.", "plays it down"),
        ("The errors are gone.", "plays it down"),
        ("Requests to checkout-api succeed.", "plays it down"),
        ("The threshold of the alert is too low.", "says what the input does not say"),
        ("The database of checkout-api is full.", "says what the input does not say"),
        ("503 customers lost their payments.", "says what the input does not say"),
        ("503 customers fail.", "ties a number to something else than the input does"),
        ("40 pods are not ready.", "ties a number to something else than the input does"),
        ("38 requests fail.", "ties a number to something else than the input does"),
        ("The p99 latency of payments-gw is 2.4 s.", "ties a number to something else than the input does"),
        ("checkout-api refuses connections.", "says of one what the input says of another"),
        ("All requests fail.", "says more than the input does"),
        ("Part of the deploy.", "says nothing"),
    ],
)
def test_a_sentence_in_the_questions_own_words_is_dropped_for_what_it_does_with_them(sentence: str, why: str) -> None:
    assert said(sentence) == ("", [why])


def test_a_number_keeps_what_is_said_beside_it() -> None:
    assert said("12 of 40 pods are ready.")[0] == "" and said("12 of 40 pods are not ready.")[0]
    assert said("38% of requests succeed.")[0] == "" and said("38% of requests fail.")[0]
    alert = QUESTION.alerts[0].model_copy(update={"summary": "The success rate of checkout-api is 62%", "description": ""})
    assert said("The success rate is 62%.", QUESTION.model_copy(update={"alerts": [alert]}))[0]


def test_what_an_alert_says_of_itself_does_not_make_it_so() -> None:
    alert = QUESTION.alerts[0].model_copy(update={"description": " ".join(SAID_IN_THE_ALERT)})
    question = QUESTION.model_copy(update={"alerts": [alert]})
    assert [sentence for sentence in SAID_IN_THE_ALERT if said(sentence, question)[0]] == []


def test_a_word_of_our_own_part_is_no_claim_of_the_alert() -> None:
    assert said("Requests to sandbox fail.")[0] == ""
    card = ServiceCard(service="checkout-api", owner="sandbox")
    assert said("Requests to sandbox fail.", QUESTION.model_copy(update={"service": card}))[0]


def test_honest_summaries_stay_whole() -> None:
    known = [*((QUESTION, summary) for summary in HONEST_ABOUT_REQUESTS), *HONEST]
    kept = sum(said(summary, question)[0] == summary for question, summary in known)
    assert len(known) >= 40 and kept / len(known) >= HONEST_KEPT


def test_other_tasks_say_in_their_own_words() -> None:
    handover = QUESTION.model_copy(update={"task": AdviceTask.HANDOVER, "timeline": ["10:20 rollback of payments-gw started"]})
    text = "Whether the rollback of payments-gw helped is open."
    answer = check(handover, template(AdviceTask.HANDOVER), json.dumps({"text": text}), {})
    assert isinstance(answer, Accepted) and answer.text == text


@pytest.mark.parametrize("text", ["12 of " * 120, "no " * 250, "the error rate is now " * 36, "9" * 700, "users " * 120 + "not"])
def test_strange_sentences_are_looked_at_at_once(text: str) -> None:
    assert said(text[:790])[0] == ""
