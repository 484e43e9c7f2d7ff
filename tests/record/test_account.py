"""The account adds up, and says what it cannot account for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations

import pytest

from pipeline.engine.processor import Record
from pipeline.history.account import Account, Ledger, account
from pipeline.history.base import DeadLetter, Place
from pipeline.history.topic_account import TopicAccount
from schemas.alert import Alert
from schemas.base import Reason
from schemas.decision import Decision, Outcome
from schemas.incident import Incident, IncidentStatus
from tests.record.conftest import eventually, putter
from tests.record.samples import NOW, dead_letter_headers, decision, incident

SILENCE = Reason(code="transient", text="cleared in time")
TOLD = incident("i1")
QUIET = incident("i1", told=False)
WITHDRAWN = incident("i1", told=False, silence=SILENCE)
ENDED = incident("i1", told=False, status=IncidentStatus.RESOLVED)


def letter(offset: int, value: bytes = b"{", topic: str = "alerts.raw") -> DeadLetter:
    return DeadLetter.from_record(
        Record("dead_letters", 0, offset, 1_795_534_019_212, None, value, dead_letter_headers(offset, topic=topic))
    )


@pytest.mark.parametrize(
    ("outcome", "code", "incidents", "where"),
    [
        (Outcome.NOTIFIED, "paged", [], "notified"),
        (Outcome.GROUPED, "repeat", [], "grouped"),
        (Outcome.SUPPRESSED, "silence", [], "suppressed"),
        (Outcome.OPEN, "hold", [TOLD], "notified"),
        (Outcome.OPEN, "hold", [WITHDRAWN], "suppressed"),
        (Outcome.OPEN, "hold", [ENDED], "suppressed"),
        (Outcome.OPEN, "hold", [QUIET], "open"),
        (Outcome.OPEN, "hold", [], "open"),
        (Outcome.RESOLVED, "resolve_told", [TOLD], "notified"),
        (Outcome.RESOLVED, "resolve_member", [QUIET], "grouped"),
        (Outcome.RESOLVED, "resolve_repeat", [], "grouped"),
        (Outcome.RESOLVED, "resolve_flapping", [TOLD], "grouped"),
        (Outcome.RESOLVED, "resolve_withdrawn", [WITHDRAWN], "suppressed"),
        (Outcome.RESOLVED, "resolve_unknown", [], "suppressed"),
    ],
)
def test_each_decision_is_counted_in_one_place(outcome: Outcome, code: str, incidents: list[Incident], where: str) -> None:
    found = account([decision(1, outcome, code)], incidents, [])
    assert found.accepted == 1
    assert getattr(found, where) == 1


def test_the_latest_revision_decides_whatever_the_order() -> None:
    revisions = [incident("i1", 1, told=False), incident("i1", 2, told=False, silence=SILENCE), incident("i1", 3)]
    for order in permutations(revisions):
        assert account([decision(1, Outcome.OPEN, "hold")], order, []).notified == 1


def test_the_closing_line_has_the_promised_fields_and_adds_up() -> None:
    decisions = [decision(0), decision(1, Outcome.GROUPED), decision(2, Outcome.SUPPRESSED), decision(3, Outcome.OPEN, incident_id="i9")]
    line = account(decisions, [TOLD], [letter(4)], [(0, n) for n in range(5)]).to_json()
    assert list(line) == [
        "accepted", "notified", "grouped", "suppressed", "dead_lettered", "open", "incidents", "verdict_p99_ms", "deadline_misses",
    ]  # fmt: skip
    assert line["accepted"] == 5 == sum(line[name] for name in ("notified", "grouped", "suppressed", "dead_lettered", "open"))
    assert (line["incidents"], line["verdict_p99_ms"], line["deadline_misses"]) == (1, 40, 0)


def test_raw_records_without_a_decision_or_a_dead_letter_are_named() -> None:
    several = [decision(1, raw=decision(1).raw.model_copy(update={"index": n})) for n in range(3)]
    found = account([decision(0), *several], [], [letter(2)], [(0, n) for n in range(5)], set_aside=[(0, 3)])
    assert found.raw_records == 5
    assert found.unaccounted == (Place("alerts.raw", 0, 4),)


@pytest.mark.parametrize("raw_first", [True, False])
def test_it_does_not_matter_which_topic_is_read_first(raw_first: bool) -> None:
    ledger = Ledger()
    if raw_first:
        ledger.raw(0, 7)
    ledger.decision(decision(7))
    if not raw_first:
        ledger.raw(0, 7)
    ledger.decision(decision(7))  # a second alert of the same payload
    assert ledger.account().unaccounted == ()


def test_an_event_that_failed_open_is_counted_once() -> None:
    readable = alert_of(decision(1))
    found = account([decision(1)], [], [letter(1, readable, "alerts"), letter(2, b"not an alert", "alerts"), letter(3, b"{}", "receipts")])
    assert (found.accepted, found.notified, found.dead_lettered) == (2, 1, 1)


def alert_of(it: Decision) -> bytes:
    fields = it.model_dump(
        mode="json", include={"alert_id", "fingerprint", "source", "name", "domain", "status", "received_at", "deadline", "raw"}
    )
    return Alert.model_validate(fields).to_json()


def test_the_slowest_percent_sets_the_latency_and_late_ones_are_counted() -> None:
    decisions = [decision(n) for n in range(98)] + [decision(n, decided_at=NOW + timedelta(seconds=16)) for n in (0, 1)]
    found = account(decisions, [], [])
    assert found.verdict_p99_ms == 15_999
    assert found.deadline_misses == 2
    assert account([], [], []) == Account()


def until(following: TopicAccount, enough: Callable[[Account], bool]) -> None:
    def took_in_enough() -> bool:
        following.update()
        return enough(following.account())

    eventually(took_in_enough)


def test_the_account_follows_the_topics(embedded_topics: str, prefix: str) -> None:
    put = putter(embedded_topics, prefix)
    put("alerts.raw", b"{}", b"{}", b"confirm", b"{}")
    put("decisions", decision(0).to_json(), decision(1, Outcome.OPEN, "hold").to_json(), b"not a decision")
    following = TopicAccount({"bootstrap.servers": embedded_topics}, prefix, holds_no_alert=lambda record: record.value == b"confirm")
    try:
        until(following, lambda _: following.caught_up)
        first = following.account()
        put("incidents.triaged", TOLD.to_json())
        put("dead_letters", b"{", headers=dead_letter_headers(3))
        until(following, lambda it: it.dead_lettered == 1 and it.incidents == 1)
        last = following.account()
    finally:
        following.close()
    assert (first.accepted, first.open, first.unaccounted) == (2, 1, (Place("alerts.raw", 0, 3),))
    assert (last.accepted, last.notified, last.open, last.incidents, last.unaccounted) == (3, 2, 0, 1, ())


def test_the_account_of_a_run_leaves_out_what_was_there_before(embedded_topics: str, prefix: str) -> None:
    put = putter(embedded_topics, prefix)
    put("decisions", decision(0).to_json())
    following = TopicAccount({"bootstrap.servers": embedded_topics}, prefix, from_now=True)
    try:
        put("decisions", decision(1).to_json())
        eventually(lambda: len(following.update()) == 1)
        assert following.account().accepted == 1
    finally:
        following.close()
