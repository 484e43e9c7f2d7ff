"""Ask a model again what was asked about labelled incidents, with another version of the prompt. Nothing is published."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.cli.common import Exit, Refusal
from pipeline.settings import Settings
from schemas.advice import AdviceRequest, AdviceTask
from schemas.base import Severity
from schemas.learning import Label, Snapshot


def ask_again(
    settings: Settings, task: AdviceTask, version: int, labels: Sequence[Label], provider: str | None, within: float
) -> dict[str, tuple[Severity, Mapping[str, float]]]:
    """Incident to (severity, probabilities). One question after the other. Refuses where nobody can be asked, or no question is kept."""
    from pipeline.cli.advice_ask import ask, nobody_named
    from pipeline.cli.advice_off import who_may_be_asked
    from pipeline.cli.advice_question import what_is_known

    nobody_named(settings, provider)
    settings = who_may_be_asked(settings, provider, False, "Unset AI_MODE to ask it")
    if not labels:
        raise Refusal(Exit.NO, "No labelled incident has an answer by the prompt in use.", "Labels come from: fluxai feedback")
    known = what_is_known(settings, scripted=provider == "scripted")
    in_use = Snapshot(name=f"prompt/{task.value}", version=version, content={}, at=labels[-1].at)
    known = replace(known, snapshots={**known.snapshots, in_use.name: in_use})
    questions = asked_before(settings, task, {label.incident_id for label in labels})
    if not questions:
        raise Refusal(Exit.NO, "No question about a labelled incident is kept on effects.advice.", "Compare without --ask.")
    print(f"Asking {len(questions)} questions again, one after the other.", file=sys.stderr)
    answers: dict[str, tuple[Severity, Mapping[str, float]]] = {}
    for incident_id, request in questions.items():
        advice = ask(settings, known, request, provider, within).receipt.advice
        if advice is not None and advice.severity is not None:
            answers[incident_id] = (advice.severity, advice.probabilities)
    print(f"{len(answers)} answers can be used.", file=sys.stderr)
    return answers


def asked_before(settings: Settings, task: AdviceTask, incidents: set[str]) -> dict[str, AdviceRequest]:
    """The newest question about each of these incidents that Kafka still has."""
    from pydantic import ValidationError

    from pipeline.cli.kafka import Reader

    found: dict[str, AdviceRequest] = {}
    with Reader(settings) as reader:
        reader.start(["effects.advice"])
        for message in reader.to_the_end():
            if (message.key() or b"").decode(errors="replace") not in incidents:
                continue
            try:
                request = AdviceRequest.from_json(message.value() or b"")
            except ValidationError:
                continue  # the advise worker reports it
            if request.question.task is task:
                found[request.incident_id] = request
    return found
