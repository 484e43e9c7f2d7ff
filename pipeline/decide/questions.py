"""Questions to language models: when an incident opens or gets worse one is asked, and what comes back becomes its next revision.

The rules' verdict is published first and stands until an answer is in. A timer, not the act lane, sees to the deadline.
"""

from __future__ import annotations

from agents.advice.ask import about, description, effect_id, question, rose, worth
from agents.advice.rows import ADVICE, AdviceRow
from agents.advice.weigh import take
from agents.case import Turn
from agents.features import incident_features
from agents.incidents import is_open, load, note
from agents.rows import ALERTS, IncidentRow, alert_key
from pipeline.decide.messages import revise
from pipeline.engine.processor import Context
from schemas.advice import AdviceRequest
from schemas.base import from_ms
from schemas.effect import Receipt

FIRST_S = 15
RECEIPT_MS = 1_300
"""The receipt is due this long before the verdict's deadline: it has to be weighed and published."""
PUBLISH_MS = 1_000
"""Without a receipt the degraded verdict is published this long before the deadline."""
DUE, AGAIN = "advice", "advice_again"
OWN_ALERT = ("flux", "flux-ai", "AdviceBudgetExceeded")
"""Source, service and name of what `pipeline.act.ledger` says of a budget that is used up."""


def consider(turn: Turn, context: Context) -> None:
    """Ask about each incident whose next revision goes out with this turn, where that is worth it."""
    if turn.world.advice.mode == "off":
        return
    for incident_id in sorted(turn.publish):
        row = turn.touched[incident_id]
        if not is_open(row) or speaks_for_itself(turn, row):
            continue
        look_at(turn, context, row, ADVICE.get(turn.state, incident_id))


def look_at(turn: Turn, context: Context, row: IncidentRow, known: AdviceRow | None) -> bool:
    """Ask about one incident, or note when to look again; whether it was asked about."""
    match worth(turn, row, known, turn.world.advice):
        case "ask":
            ask(turn, context, row, known or AdviceRow())
            return True
        case "later" if known is not None and known.again_at <= turn.now:
            known.again_at = known.asked_at + round(turn.world.advice.ask_again_s * 1000)
            ADVICE.put(turn.state, row.incident_id, known)
            context.at(known.again_at, AGAIN, row.incident_id)
    return False


def ask(turn: Turn, context: Context, row: IncidentRow, known: AdviceRow) -> None:
    first = known.asks == 0
    known.answered = known.answered and not rose(known.about, about(turn, row))  # an answer about something milder is none to this
    known.asks += 1
    known.effect_id, known.waiting, known.asked_at, known.about = effect_id(row, known.asks), True, turn.now, about(turn, row)
    in_time = first and row.deadline - RECEIPT_MS > turn.now  # an incident that opens later than its alert came has a deadline of its own
    known.deadline = row.deadline if in_time else turn.now + FIRST_S * 1000
    known.late_until = known.deadline + round(turn.world.advice.late_within_s * 1000)
    if not known.answered:
        known.code = known.text = ""
    if turn.alert is not None and alert_key(turn.alert.fingerprint, turn.alert.domain) == row.opener:
        known.described = description(turn.alert)
    ADVICE.put(turn.state, row.incident_id, known)
    revise(row, turn)
    request = AdviceRequest(
        effect_id=known.effect_id,
        incident_id=row.incident_id,
        domain=row.domain,
        revision=row.revision,
        question=question(turn, row, config=turn.world.advice, described=known.described),
        asked_at=from_ms(turn.now),
        deadline=from_ms(known.deadline - RECEIPT_MS),
        late_until=from_ms(known.late_until),
    )
    context.emit("effects.advice", row.incident_id.encode(), request.to_json())
    context.at(max(turn.now, known.deadline - PUBLISH_MS), DUE, row.incident_id)


def receipt(turn: Turn, receipt: Receipt) -> None:
    """An answer, or word that there will be none."""
    known, row = ADVICE.get(turn.state, receipt.incident_id), load(turn, receipt.incident_id)
    if known is None or row is None or known.effect_id != receipt.effect_id or not known.waiting:
        return
    late = turn.now > known.deadline
    if receipt.status == "done" and receipt.advice is not None:
        world = turn.world
        learned = world.learned.probabilities(incident_features(turn, row)) if world.learned is not None else None
        take(known, receipt.advice, learned=learned, candidates=[one[0] for one in row.runbooks], late=late)
    else:
        known.waiting = False
        said_already = known.answered or bool(known.code)
        if not said_already:
            missing(known, "no_answer", receipt.detail or "no model answered")
    ADVICE.put(turn.state, row.incident_id, known)
    if known.answered or not said_already:
        publish(turn, row)


def timer(turn: Turn, context: Context, name: str, incident_id: str, due: int) -> None:
    known, row = ADVICE.get(turn.state, incident_id), load(turn, incident_id)
    if known is None or row is None or not is_open(row):
        return
    if name == AGAIN:
        known.again_at = 0
        ADVICE.put(turn.state, incident_id, known)
        if turn.world.advice.mode != "off" and look_at(turn, context, row, known):
            turn.publish.add(incident_id)
    elif known.waiting and not known.code and due >= known.deadline - PUBLISH_MS:
        missing(known, "too_late", "no model answered in time; an answer that still comes is an amendment")
        ADVICE.put(turn.state, incident_id, known)
        publish(turn, row)


def publish(turn: Turn, row: IncidentRow) -> None:
    """In shadow nobody sees a difference, so no revision goes out; nor of an incident that is over."""
    if turn.world.advice.mode == "active" and is_open(row):
        row.updated_at = turn.now
        turn.publish.add(row.incident_id)
        turn.advised.add(row.incident_id)


def missing(known: AdviceRow, code: str, text: str) -> None:
    """There is no answer to the newest question; an answer to an older one stays."""
    if not known.answered:
        known.code, known.text = code, text[:300]


def speaks_for_itself(turn: Turn, row: IncidentRow) -> bool:
    """An incident of the pipeline's own: unreadable input, or a budget that is used up. It says what to do."""
    opener = ALERTS.get(turn.state, row.members[0]) if row.members else None
    return opener is not None and (opener.notice or (opener.source, opener.service, opener.name) == OWN_ALERT)


def overrule(turn: Turn, row: IncidentRow, by: str) -> None:
    """A person has said how urgent it is: from now on no model is heard on that."""
    known = ADVICE.get(turn.state, row.incident_id) or AdviceRow()
    if known.overruled:
        return
    known.overruled = True
    ADVICE.put(turn.state, row.incident_id, known)
    if known.severity and known.severity != row.severity:
        note(row, turn.now, f"the model's {known.severity} is no longer shown", by)
