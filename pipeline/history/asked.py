"""What a language model said about an incident, as sentences. Its text is data: whoever prints it makes it printable."""

from __future__ import annotations

from schemas.advice import Advice
from schemas.effect import Receipt
from schemas.incident import AdviceStatus, Incident, IncidentAdvice, TimelineEntry

STATUS_WORDS = {
    AdviceStatus.PENDING: "asked, no answer yet",
    AdviceStatus.ADOPTED: "adopted",
    AdviceStatus.AMENDED: "adopted late, as an amendment",
    AdviceStatus.NOT_ADOPTED: "not adopted",
    AdviceStatus.MISSING: "no answer, the verdict is degraded",
}


OVERRULED = "overruled"


def set_aside(advice: IncidentAdvice) -> bool:
    """Whether a person's word stands in place of the answer."""
    return advice.reason.code == OVERRULED


def became(advice: IncidentAdvice) -> str:
    """What became of the answer, or of the question."""
    return "set aside" if set_aside(advice) else STATUS_WORDS[advice.status]


def rules_summary(incident: Incident) -> str:
    """The incident's summary without what a model added at its end."""
    advice = incident.advice
    return (
        incident.summary.removesuffix(f" {advice.model}: {advice.summary}") if advice is not None and advice.summary else incident.summary
    )


def answer_entry(receipt: Receipt) -> TimelineEntry:
    """An answer, or its lack, as an entry of the incident's timeline."""
    advice = receipt.advice
    if advice is None:
        return TimelineEntry(at=receipt.at, what=f"no model answered: {receipt.detail or 'no reason given'}", by="advise")
    said = f"{advice.severity.value}, {advice.confidence:.0%} sure" if advice.severity is not None else "its word"
    return TimelineEntry(at=receipt.at, what=f"a language model said {said}", by=f"{advice.provider}/{advice.model}")


def weighed(advice: IncidentAdvice) -> str:
    """Whether the newest answer was adopted, and why: `adopted (raises P3 to P2); it said P2, the rules say P3`."""
    said = f"; it said {advice.severity.value}, the rules say {advice.rule_severity.value}" if advice.severity else ""
    review = "; a person should review it" if advice.needs_review else ""
    return f"{became(advice)} ({advice.reason.text or advice.reason.code}){said}{review}"


def asked_line(receipt: Receipt) -> str:
    """One question's end: who answered what for how much, or who was tried and why none answered."""
    when = receipt.at.strftime("%H:%M:%S UTC")
    asked = [one for one in receipt.tried if one.outcome != "passed_over"]
    tried = ", ".join(f"{one.provider} {one.outcome}{f' ({one.detail})' if one.detail else ''} {one.took_ms} ms" for one in asked)
    if receipt.advice is None:
        return f"{when}, {receipt.status}: {receipt.detail or 'no reason given'}{f'; tried {tried}' if tried else ''}"
    return f"{when}, {answered(receipt.advice)}{f'; tried {tried}' if len(asked) > 1 else ''}"


def answered(advice: Advice) -> str:
    """`ollama/llama3.1:8b (triage@1): P2, 0.91 sure, $0.0000, 640+85 tokens in 812 ms: "summary"; ...`."""
    severity = f"{advice.severity.value}, {advice.confidence:.2f} sure, " if advice.severity else ""
    cost = (
        "our own cache"
        if advice.cached
        else f"{money(advice.cost_usd)}, {advice.tokens_in}+{advice.tokens_out} tokens in {advice.took_ms} ms"
    )
    more = [f'"{advice.summary}"'] if advice.summary else []
    if advice.runbooks:
        more.append(f"runbooks {', '.join(advice.runbooks)}")
    if advice.redacted:
        more.append("redacted " + ", ".join(f"{kind} {number}" for kind, number in advice.redacted.items()))
    if advice.dropped:
        more.append(f"dropped: {', '.join(advice.dropped)}")
    return f"{advice.provider}/{advice.model} ({advice.prompt}): {severity}{cost}{''.join(f'; {one}' for one in more)}"


def money(usd: float) -> str:
    return f"${usd:.4f}"
