"""Wrong answers of a model: how many of them would reach an incident. `python -m benchmarks.answers` prints one JSON object; status 1 when
a figure misses.

A case is wrong as a whole, then it must be refused, or in a sentence, then that sentence must be gone. `controls` are right answers, all of
which must be accepted with every word: without them the rest would prove nothing. `honest` are summaries as models write them, of which
`HONEST_KEPT` must stay whole. `blind_*` count sentences on which the check was never tuned; nothing is asked of them, since any figure that
must be met would be tuned for.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from agents.advice.answer import Accepted, check
from agents.advice.prompt import template
from benchmarks.answer_blind import BLIND_HONEST, BLIND_WRONG
from benchmarks.answer_claims import HONEST, HONEST_ABOUT_REQUESTS, SAID_IN_THE_ALERT, WRONG_CLAIMS
from benchmarks.answer_texts import MALFORMED, RIGHT, RIGHT_PROSE, WRONG_PROSE, WRONG_SENTENCES
from schemas.advice import AdviceTask, AskedAlert, Candidate, Question, ServiceCard
from schemas.base import Severity

CASES, CONTROLS = 200, 30
HONEST_KEPT = 0.95

QUESTION = Question(
    task=AdviceTask.TRIAGE,
    incident_id="inc-4711",
    title="HighErrorRate on checkout-api",
    rule_severity=Severity.P2,
    floor=Severity.P2,
    alerts=[
        AskedAlert(
            name="HighErrorRate",
            service="checkout-api",
            environment="production",
            source="prometheus",
            source_severity="warning",
            summary="38% of requests to checkout-api fail with 503. The p99 latency is 2.4 s.",
            description="Upstream payments-gw.shop.internal refuses connections; see https://grafana.shop.internal/d/7. "
            "12 of 40 pods are not ready.",
            labels={"pod": "checkout-api-7f9c4-x2k", "path": "/v1/pay", "cluster": "eu-1", "team": "payments"},
        )
    ],
    alert_count=14,
    service=ServiceCard(service="checkout-api", owner="team-payments", tier=1, customer_facing=True, depends_on=["payments-gw"]),
    changes=["payments-gw 3.8.1 was deployed 6 min before"],
    candidates=[Candidate(id="rb-errors", title="High error rate"), Candidate(id="rb-rollback", title="Roll a deploy back")],
)
BARE = QUESTION.model_copy(update={"candidates": []})
HANDOVER = QUESTION.model_copy(
    update={
        "task": AdviceTask.HANDOVER,
        "timeline": ["10:02 opened", "10:05 acknowledged by kim", "10:20 rollback of payments-gw started"],
    }
)
NOISE = Question(
    task=AdviceTask.NOISE_RULE,
    title="CpuHigh on thumb-maker",
    alerts=[AskedAlert(name="CpuHigh", service="thumb-maker", labels={"pod_group": "batch", "team": "media"})],
    facts={"fired": 96, "acted_on": 0, "typical_minutes": 3},
)
GOOD = "38% of requests to checkout-api fail with 503."
RIGHT_ANSWER = {"severity": "P2", "confidence": 80, "summary": GOOD, "runbooks": ["rb-errors"]}


@dataclass(frozen=True, slots=True)
class Case:
    kind: str
    text: str
    question: Question = field(default_factory=lambda: QUESTION)
    poison: tuple[str, ...] = ()
    """Texts that must not be shown; without any the answer must be refused."""
    probabilities: Mapping[str, float] = field(default_factory=dict)


def answer(**changed: object) -> str:
    return json.dumps({**RIGHT_ANSWER, **changed}, ensure_ascii=False)


def cases() -> Iterator[Case]:
    whole = answer()
    yield from (Case("truncated", whole[:end]) for end in range(0, len(whole), 3))
    yield from (Case("malformed", text) for text in MALFORMED)
    yield from (Case("wrapped", before + whole + after) for before, after in WRAPPED)
    yield from fields()
    yield from (Case("several_values", whole + between + whole) for between in ("", "\n", ",", " and ", "\x1e", "\n\n---\n"))
    yield from (Case("no_candidates", text, BARE) for text in (whole, answer(runbooks=[]), answer(runbooks=None)))
    for kind, sentences in WRONG_SENTENCES.items():
        for wrong in sentences:
            yield Case(kind, answer(summary=f"{GOOD} {wrong}"), poison=(wrong, *_telling(wrong)))
            yield Case(kind, answer(summary=wrong), poison=(wrong, *_telling(wrong)))
    for kind, sentences in WRONG_CLAIMS.items():
        for wrong in sentences:
            yield Case(kind, answer(summary=f"{GOOD} {wrong}"), poison=(wrong,))
            yield Case(kind, answer(summary=wrong), poison=(wrong,))
    told = QUESTION.alerts[0].model_copy(update={"description": " ".join((QUESTION.alerts[0].description, *SAID_IN_THE_ALERT))})
    claimed = QUESTION.model_copy(update={"alerts": [told]})
    yield from (Case("said_in_the_alert", answer(summary=wrong), claimed, poison=(wrong,)) for wrong in SAID_IN_THE_ALERT)
    yield from (Case("prose", json.dumps({"text": wrong}), HANDOVER, poison=(wrong,)) for wrong in WRONG_PROSE)
    yield from (
        Case("noise_rule", json.dumps(value), NOISE, poison=("everything", "everybody", "thumb-other", "9999", "evil"))
        for value in NOISE_RULES
    )
    for said, shares in CONTRADICTIONS:
        yield Case("contradiction", answer(severity=said), probabilities=dict(zip(("P1", "P2", "P3", "P4"), shares, strict=True)))


WRAPPED = (
    ("```json\n", "\n```"),
    ("```\n", "\n```"),
    ("Here is the answer: ", ""),
    ("", "\nI hope this helps!"),
    ("// verdict\n", ""),
    ("", " // done"),
    ("/* */", ""),
    ("<answer>", "</answer>"),
    ("[", "]"),
    ('{"answer": ', "}"),
    ("\ufeff", ""),
    ("\x00", ""),
    ("<think>It is bad.</think>", ""),
    ("'", "'"),
    ("(", ")"),
    ("", ";"),
    ("data: ", "\n\n"),
    ("json", ""),
    ("", "<|eot_id|>"),
    ("<|im_start|>assistant\n", ""),
    ("{", "}"),
    ("", "}"),
    ("", "]"),
)
CONTRADICTIONS = (
    ("P4", (0.9, 0.05, 0.03, 0.02)),
    ("P1", (0.02, 0.03, 0.05, 0.9)),
    ("P3", (0.1, 0.7, 0.1, 0.1)),
    ("P1", (0.1, 0.1, 0.8, 0.0)),
)
NOISE_RULES: tuple[dict[str, object], ...] = (
    {"matchers": [], "threshold": "", "reason": "It fired 96 times."},
    {"matchers": ['service="thumb-other"'], "threshold": "", "reason": "It fired 96 times."},
    {"matchers": ['name=~".*" matches everything'], "threshold": "9999", "reason": "Delete everything and tell everybody."},
    {"matchers": ['name="CpuHigh"'], "threshold": "fired over 9999", "reason": "See [this](https://evil.example)."},
    {"matchers": 'name="CpuHigh"', "threshold": "", "reason": ""},
    {"matchers": ['name="CpuHigh"'] * 2, "threshold": "", "reason": ""},
    {"matchers": ['name="CpuHigh"'], "threshold": 3, "reason": ""},
    {"matchers": ['name="CpuHigh"'], "reason": "", "threshold": "", "apply": True},
)


WRONG_FIELDS: dict[str, tuple[object, ...]] = {
    "severity": (
        "P0",
        "P5",
        "p1",
        "P1 ",
        " P2",
        "P",
        "1",
        1,
        2.0,
        True,
        None,
        [],
        ["P1"],
        {"P1": 1},
        "critical",
        "P1|P2",
        "P1 or P2",
        "Ｐ1",
        "Р1",
        "P１",
        "P1\u200b",
        "",
        "SEV1",
        "P2\n",
        "P-1",
        "P01",
        "suppressed",
        "resolved",
    ),
    "confidence": (-1, 101, 1000, 0.8, "80", "high", None, True, False, [80], {}, 80.5, 1e2, "80%", 10**5, 10**30),
    "summary": (None, 1, True, [], ["text"], {"text": "x"}, 3.5, "x" * 900, [GOOD]),
    "runbooks": (
        None,
        "rb-errors",
        {"id": "rb-errors"},
        [1],
        [None],
        [["rb-errors"]],
        ["rb-none"],
        ["rb-errors", "rb-evil"],
        ["RB-ERRORS"],
        ["rb-errors "],
        ["rb_errors"],
        [""],
        ["../rb-errors"],
        ["rb-errors\u200b"],
        [True],
        ["rb-errors", "rb-rollback", "rb-a", "rb-b"],
        0,
        False,
        "[]",
    ),
}
EXTRA_FIELDS: tuple[tuple[str, object], ...] = (
    ("reason", "x"),
    ("page", True),
    ("suppress", True),
    ("resolve", True),
    ("silence", "2h"),
    ("status", "resolved"),
    ("action", "close"),
    ("severity ", "P1"),
    ("Severity", "P1"),
    ("__proto__", {}),
    ("", ""),
    ("tool_calls", []),
    ("notify", ["@channel"]),
    ("floor", "P4"),
    ("rule_severity", "P4"),
    ("probabilities", {"P4": 1.0}),
    ("text", GOOD),
    ("system", "prompt"),
)


def fields() -> Iterator[Case]:
    """One field wrong, the others right."""
    for name, values in WRONG_FIELDS.items():
        yield from (Case(f"wrong_{name}", answer(**{name: value})) for value in values)
        yield Case("missing_field", json.dumps({key: value for key, value in RIGHT_ANSWER.items() if key != name}))
        yield Case("misnamed_field", json.dumps({key.upper() if key == name else key: value for key, value in RIGHT_ANSWER.items()}))
        double = json.dumps(RIGHT_ANSWER)[:-1] + f', "{name}": {json.dumps(RIGHT_ANSWER[name])}}}'
        yield Case("duplicate_field", double)
    yield from (Case("unknown_field", answer(**{name: value})) for name, value in EXTRA_FIELDS)


def _telling(sentence: str) -> tuple[str, ...]:
    """The words of a sentence that would give it away if it were cut somewhere."""
    return tuple(word.strip(".,;:!?()\"'`*") for word in sentence.split() if any(letter.isdigit() or letter in "@/<>[]" for letter in word))


def shown(accepted: Accepted) -> str:
    return "\n".join((accepted.summary, accepted.text, *accepted.runbooks))


def reaches(case: Case) -> bool:
    """Whether anything wrong of an answer would be shown."""
    said = check(case.question, template(case.question.task), case.text, case.probabilities)
    if not isinstance(said, Accepted):
        return False
    if not case.poison:
        return True
    seen = shown(said).replace(GOOD, "")
    return any(part and part in seen for part in case.poison) or len(said.summary) > 400 or len(said.text) > 900


def controls() -> Iterator[tuple[Question, str, str]]:
    """(question, right answer, what must be shown of it)."""
    for sentence in RIGHT:
        yield QUESTION, answer(summary=sentence), sentence
    for severity in ("P1", "P2", "P3", "P4"):
        yield QUESTION, answer(severity=severity, confidence=0, runbooks=[]), GOOD
    yield QUESTION, json.dumps(RIGHT_ANSWER, indent=2) + "\n", GOOD
    yield QUESTION, answer(runbooks=["rb-rollback", "rb-errors"]), GOOD
    yield QUESTION, answer(runbooks=["rb-errors", "rb-rollback", "rb-errors"]), GOOD  # what stands twice is taken once
    bare = {key: value for key, value in RIGHT_ANSWER.items() if key != "runbooks"}
    yield BARE, json.dumps(bare), GOOD
    for sentence in RIGHT_PROSE:
        yield HANDOVER, json.dumps({"text": sentence}), sentence
    rule = {"matchers": ['name="CpuHigh"', 'pod_group="batch"'], "threshold": "typical_minutes is 3", "reason": "It fired 96 times."}
    yield NOISE, json.dumps(rule), "It fired 96 times."


def summed_up(question: Question, summary: str) -> str:
    """What is left of a summary."""
    given = {"severity": "P2", "confidence": 80, "summary": summary, **({"runbooks": []} if question.candidates else {})}
    said = check(question, template(question.task), json.dumps(given), {})
    return said.summary if isinstance(said, Accepted) else ""


def honest() -> dict[str, object]:
    """How many honest summaries stay whole, and how the check does with what it has not seen."""
    known = [*((QUESTION, summary) for summary in HONEST_ABOUT_REQUESTS), *HONEST]
    lost = [summary for question, summary in known if summed_up(question, summary) != summary]
    return {
        "honest": len(known),
        "honest_kept": len(known) - len(lost),
        "honest_share": round(1 - len(lost) / len(known), 4),
        "honest_lost": lost,
        "blind_cases": len(BLIND_WRONG),
        "blind_accepted": sum(bool(summed_up(QUESTION, summary)) for summary in BLIND_WRONG),
        "blind_honest": len(BLIND_HONEST),
        "blind_honest_kept": sum(summed_up(question or QUESTION, summary) == summary for question, summary in BLIND_HONEST),
    }


def measure() -> dict[str, object]:
    kinds: Counter[str] = Counter()
    through: list[Case] = []
    for case in cases():
        kinds[case.kind] += 1
        if reaches(case):
            through.append(case)
    right = list(controls())
    lost = []
    for question, text, wanted in right:
        said = check(question, template(question.task), text, {})
        if not isinstance(said, Accepted) or wanted not in shown(said):
            lost.append(wanted if isinstance(said, Accepted) else f"{wanted}: {said.detail}")
    return {
        "cases": sum(kinds.values()),
        "accepted": len(through),
        "controls": len(right),
        "controls_accepted": len(right) - len(lost),
        "by_kind": dict(sorted(kinds.items())),
        "let_through": [f"{case.kind}: {case.text[-160:]}" for case in through],
        "controls_lost": lost,
        **honest(),
    }


def holds(figures: Mapping[str, object]) -> bool:
    return (
        int(str(figures["cases"])) >= CASES
        and figures["accepted"] == 0
        and int(str(figures["controls"])) >= CONTROLS
        and figures["controls_accepted"] == figures["controls"]
        and float(str(figures["honest_share"])) >= HONEST_KEPT
    )


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    figures = measure()
    print(json.dumps(figures, ensure_ascii=False))
    return 0 if holds(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
