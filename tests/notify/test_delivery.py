"""What one receiver is told, step by step."""

from __future__ import annotations

import pytest

from agents.notify.delivery import DeliveryRow, Step, effect_id, on_receipt, on_timer, tell
from agents.notify.merge import merged
from agents.notify.policy import DeliveryPolicy
from schemas.base import Severity, to_ms
from schemas.effect import Delivery, Transition
from schemas.incident import IncidentStatus
from tests.notify.build import NOW, an_incident, receipt_for

POLICY = DeliveryPolicy()
SECOND = 1_000


def say(row: DeliveryRow | None, word: Transition, revision: int, at: int = NOW, severity: Severity = Severity.P2) -> Step:
    status = IncidentStatus.RESOLVED if word is Transition.RESOLVED else IncidentStatus.OPEN
    incident = an_incident(revision=revision, severity=severity, status=status)
    return tell(row, receiver="slack", transition=word, incident=incident, now=at, policy=POLICY)


def answer(step: Step, status: str, at: int = NOW, **changes: object) -> Step:
    return on_receipt(step.row, receipt_for(asked(step), status, at=at, **changes), at, POLICY)


def asked(step: Step) -> Delivery:
    assert step.ask is not None
    return step.ask


def wake(step: Step) -> Step:
    assert step.timer is not None
    return on_timer(step.row, step.timer, step.timer, POLICY)


def test_a_confirmed_fire_is_recorded_and_leaves_an_idle_row() -> None:
    step = answer(say(None, Transition.FIRED, 1), "done", at=NOW + 300)
    assert step.row.idle and step.timer is None
    assert step.told is not None and step.told.reason == "fired" and to_ms(step.told.at) == NOW + 300


def test_a_retry_keeps_the_idempotency_key_and_waits_longer_each_time() -> None:
    step, waits, at = say(None, Transition.FIRED, 1), [], NOW
    key = asked(step).effect_id
    for attempt in range(1, 13):
        assert asked(step).effect_id == key and asked(step).attempt == attempt
        failed = answer(step, "failed", at=at)
        assert failed.ask is None and failed.timer is not None
        waits.append(failed.timer - at)
        at = failed.timer
        step = wake(failed)
    assert 1 * SECOND <= waits[0] <= 1.25 * SECOND
    assert waits[-1] <= 300 * SECOND and waits[-1] >= 200 * SECOND
    assert waits[3] > waits[1]


def test_retry_after_is_honoured_but_not_for_ever() -> None:
    step = say(None, Transition.FIRED, 1)
    assert answer(step, "failed", retry_after_ms=60_000).timer == NOW + 60_000
    assert answer(step, "failed", retry_after_ms=10**15).timer == NOW + 3_600_000


def test_an_overdue_receipt_asks_again_with_the_same_key() -> None:
    first = say(None, Transition.FIRED, 1)
    assert first.timer == NOW + 25_000
    again = wake(first)
    assert asked(again).effect_id == asked(first).effect_id and asked(again).attempt == 2


def test_a_resolve_replaces_an_unsent_fire_by_one_message_that_says_both() -> None:
    failed = answer(say(None, Transition.FIRED, 1), "failed")
    step = say(failed.row, Transition.RESOLVED, 2, NOW + 100)
    assert step.ask is None
    told = answer(wake(step), "done", NOW + 5_000)
    assert told.told is not None and told.told.reason == "fired_and_resolved" and told.row.idle


def test_a_resolve_behind_an_attempt_in_flight_waits_for_its_outcome() -> None:
    fire = say(None, Transition.FIRED, 1)
    waiting = say(fire.row, Transition.RESOLVED, 2)
    assert waiting.ask is None
    delivered = on_receipt(waiting.row, receipt_for(asked(fire), "done", at=NOW), NOW, POLICY)
    assert asked(delivered).transition is Transition.RESOLVED
    failed = on_receipt(waiting.row, receipt_for(asked(fire), "failed", at=NOW), NOW, POLICY)
    assert asked(wake(failed)).transition is Transition.FIRED_AND_RESOLVED


def test_a_resolve_of_what_was_never_told_is_not_told() -> None:
    step = say(None, Transition.RESOLVED, 2)
    assert step.ask is None and step.row.blank


def test_a_second_resolve_is_not_told_again() -> None:
    resolved = answer(say(answer(say(None, Transition.FIRED, 1), "done").row, Transition.RESOLVED, 2), "done")
    assert say(resolved.row, Transition.RESOLVED, 3).ask is None


def test_an_escalation_replaces_an_unsent_update_and_a_p1_does_not_wait_for_the_back_off() -> None:
    step = answer(say(None, Transition.FIRED, 1), "done")
    step = answer(say(step.row, Transition.UPDATED, 2), "failed")
    step = say(step.row, Transition.ESCALATED, 3, NOW + 10, Severity.P1)
    assert asked(step).transition is Transition.ESCALATED and asked(step).incident.revision == 3


def test_an_update_of_an_unsent_fire_is_told_as_a_fire_with_the_newest_content() -> None:
    failed = answer(say(None, Transition.FIRED, 1), "failed")
    step = wake(say(failed.row, Transition.UPDATED, 2))
    assert asked(step).transition is Transition.FIRED and asked(step).incident.revision == 2


def test_an_undelivered_p1_raises_one_alarm_after_90_seconds() -> None:
    step, at, alarms = say(None, Transition.FIRED, 1, severity=Severity.P1), NOW, []
    while at < NOW + 600_000:
        assert step.timer is not None
        at = step.timer
        step = on_timer(step.row, at, at, POLICY)
        if step.undeliverable:
            alarms.append(at - NOW)
        if step.ask is not None:
            step = answer(step, "failed", at)
    assert alarms == [90_000]


def test_a_rejected_p1_raises_the_alarm_at_once_and_is_not_tried_again() -> None:
    step = answer(say(None, Transition.FIRED, 1, severity=Severity.P1), "rejected", detail="401: bad token")
    assert step.undeliverable and step.rejected and step.row.idle and "401: bad token" in step.reason
    assert step.dropped is not None and step.dropped.transition is Transition.FIRED
    end = say(step.row, Transition.RESOLVED, 2)
    assert asked(end).transition is Transition.FIRED_AND_RESOLVED


def test_a_busy_receiver_is_asked_again_soon_and_it_counts_as_no_try() -> None:
    step = answer(say(None, Transition.FIRED, 1, severity=Severity.P1), "deferred")
    assert step.row.current is not None and step.row.current.tries == 0
    assert step.timer is not None and step.timer - NOW <= 2_000


def test_a_stale_failure_changes_nothing_and_a_late_success_counts() -> None:
    first = say(None, Transition.FIRED, 1)
    second = wake(first)
    late = receipt_for(asked(first), "failed", at=NOW)
    assert on_receipt(second.row, late, NOW, POLICY).row == second.row
    done = on_receipt(second.row, receipt_for(asked(first), "done", at=NOW), NOW, POLICY)
    assert done.row.idle and done.told is not None


def test_it_is_given_up_after_a_day_and_named() -> None:
    step, at = say(None, Transition.FIRED, 1), NOW
    while not step.gave_up:
        assert step.timer is not None and at < NOW + 25 * 3_600_000
        at = step.timer
        step = on_timer(step.row, at, at, POLICY)
        if step.ask is not None:
            step = answer(step, "failed", at)
    assert at - NOW >= 24 * 3_600_000 and step.row.idle and step.dropped is not None


def test_the_idempotency_key_depends_on_all_that_makes_a_message_another() -> None:
    keys = {effect_id(i, r, v, t) for i in ("a", "b") for r in ("x", "y") for v in (1, 2) for t in (Transition.FIRED, Transition.UPDATED)}
    assert len(keys) == 16


@pytest.mark.parametrize(
    ("unsent", "new", "over", "said"),
    [
        ("fired", "updated", False, "fired"),
        ("fired", "escalated", False, "fired"),
        ("fired", "resolved", True, "fired_and_resolved"),
        ("escalated", "updated", False, "escalated"),
        ("updated", "escalated", False, "escalated"),
        ("updated", "resolved", True, "resolved"),
        ("resolved", "updated", True, "resolved"),
        ("resolved", "fired", False, "fired"),
        ("fired_and_resolved", "updated", False, "fired"),
        ("fired_and_resolved", "updated", True, "fired_and_resolved"),
        ("flapping", "flapping_ended", False, "flapping_ended"),
    ],
)
def test_two_words_become_one(unsent: str, new: str, over: bool, said: str) -> None:
    assert merged(Transition(unsent), Transition(new), over=over) == said
