"""One contract for both histories: what PostgreSQL answers, the topics answer too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from pipeline.history.base import DeadLetter, History, HistoryUnavailable, Place
from pipeline.history.choose import choose_history
from pipeline.history.explain import explain
from pipeline.history.topics import TopicHistory
from pipeline.record.reader import PostgresHistory
from schemas.base import AlertStatus, Reason
from schemas.decision import Decision, Outcome
from schemas.incident import Incident, IncidentStatus
from tests.record.conftest import eventually, lane_settings, open_topics, putter, running
from tests.record.samples import NOW, answer, dead_letter_headers, decision, incident, receipt, usage

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}
WAITED = Reason(code="transient", text="cleared after 4.0 s, within the hold of 30 s")


USED = [
    usage("u0", cost=9.0, at=NOW - timedelta(days=40)),
    usage("u1", "reserve", 0.01),
    usage("u1", "settle", 0.002, tokens_in=700, tokens_out=80),
    usage("u2", "reserve", 0.01),
    usage("u3", "settle", 0.0, outcome="timeout"),
    usage("u5", "settle", 0.0, outcome="budget", asked=False),
    usage("u4", "call", provider="ollama", model="llama3.1:8b", cached=True, tokens_in=5),
]


@dataclass
class World:
    """What was put on the topics, and stored."""

    brokers: str
    prefix: str
    database: str
    decisions: list[Decision]
    incidents: list[Incident]


@pytest.fixture(scope="module")
def world(embedded: str, module_database: str) -> World:
    prefix = open_topics(embedded)
    decisions = [
        decision(0),
        decision(1, Outcome.GROUPED, "repeat", "it only repeats what i1 says"),
        decision(2, Outcome.SUPPRESSED, "silence", "silence s1 of ann: upgrade", incident_id=None, would_notify=["slack", "pagerduty"]),
        decision(3, Outcome.OPEN, "hold", "held for 30 s", incident_id="i2"),
        decision(4, Outcome.RESOLVED, "resolve_told", "i1 is over", status=AlertStatus.RESOLVED),
        *(decision(5, raw=decision(5).raw.model_copy(update={"index": n}), alert_id=f"a0-5-{n}", incident_id="i3") for n in range(3)),
    ]
    incidents = [
        incident("i1", 1, told=False),
        incident("i1", 2, status=IncidentStatus.RESOLVED, resolved_by="alertmanager"),
        incident("i2", 3, told=False, silence=WAITED, status=IncidentStatus.RESOLVED),
        incident("i3", 4, told=False),
    ]
    decisions = [one.model_copy(update={"raw": one.raw.model_copy(update={"topic": f"{prefix}alerts.raw"})}) for one in decisions]
    put = putter(embedded, prefix)
    put("decisions", *(one.to_json() for one in decisions))
    put("incidents.triaged", *(one.to_json() for one in incidents))
    put("receipts", receipt(2).to_json(), receipt(1, status="failed", detail="HTTP 503").to_json(), receipt(3, "i9").to_json())
    put("receipts", answer(5).to_json(), answer(4, status="failed", advice=None, detail="no answer within 15 s").to_json())
    put("usage", *(one.to_json() for one in USED))
    put("dead_letters", b"first", headers=dead_letter_headers(7))
    put("dead_letters", b"\xff{\x1b[31m", b"and one more of the same record", headers=dead_letter_headers(9))
    with running(lane_settings(embedded, prefix, module_database)) as heard:
        eventually(lambda: sum(heard.rows.values()) == len(decisions) + len(incidents) + 8 + len(USED))
    return World(embedded, prefix, module_database, decisions, incidents)


@pytest.fixture(params=["PostgreSQL", "Kafka topics"])
def history(request: pytest.FixtureRequest, world: World) -> History:
    if request.param == "PostgreSQL":
        return PostgresHistory(world.database, world.prefix)
    return TopicHistory({"bootstrap.servers": world.brokers}, world.prefix)


def test_it_names_its_source(history: History, request: pytest.FixtureRequest) -> None:
    assert history.source in request.node.name


def test_a_decision_is_found_by_its_alert(history: History, world: World) -> None:
    assert history.decision("a0-2-0") == world.decisions[2]
    assert history.decision("a0-99-0") is None


def test_the_decisions_of_a_raw_record_come_by_index(history: History, world: World) -> None:
    assert history.decisions_at(Place("alerts.raw", 0, 5)) == world.decisions[5:8]
    assert history.decisions_at(Place("alerts.raw", 1, 5)) == []


def test_the_decisions_of_an_incident_come_oldest_first_and_the_newest_when_limited(history: History, world: World) -> None:
    assert history.decisions_of("i1") == [world.decisions[n] for n in (0, 1, 4)]
    assert history.decisions_of("i1", limit=2) == [world.decisions[n] for n in (1, 4)]


def test_an_incident_is_its_latest_revision(history: History, world: World) -> None:
    assert history.incident("i1") == world.incidents[1]
    assert history.incident("i7") is None


def test_incidents_come_by_last_change(history: History) -> None:
    assert [one.incident_id for one in history.incidents()] == ["i3", "i2", "i1"]
    assert [one.incident_id for one in history.incidents(limit=1)] == ["i3"]
    assert [one.incident_id for one in history.incidents(open_only=True)] == ["i3"]


def test_deliveries_come_in_their_order(history: History) -> None:
    assert [(one.effect_id, one.status) for one in history.deliveries("i1")] == [("e1", "failed"), ("e2", "done")]


def test_answers_of_models_come_in_their_order_and_apart_from_deliveries(history: History) -> None:
    assert [(one.effect_id, one.status, one.advice is None) for one in history.advice_of("i1")] == [
        ("e4", "failed", True),
        ("e5", "done", False),
    ]
    assert history.advice_of("i3") == []


def test_a_call_costs_what_its_settle_says_and_its_reserve_until_then(history: History) -> None:
    spent = history.usage_since(NOW - timedelta(days=7))
    assert [(one.day, one.provider, one.calls, one.denied, one.cached, one.failed) for one in spent] == [
        (NOW.date(), "claude", 3, 1, 0, 1),
        (NOW.date(), "ollama", 1, 0, 1, 0),
    ]
    assert (round(spent[0].cost_usd, 6), round(spent[0].reserved_usd, 6), spent[0].tokens_in) == (0.012, 0.01, 700)


def test_a_dead_letter_is_found_by_its_place_and_by_its_source(history: History) -> None:
    letter = history.dead_letter(0, 1)
    assert letter is not None
    assert (letter.id, letter.value, letter.reason) == ("d0-1", b"\xff{\x1b[31m", "not_json")
    assert letter.source == Place("alerts.raw", 0, 9)
    assert letter.source_headers == {"source": "grafana"}
    assert [one.id for one in history.dead_letters_at(Place("alerts.raw", 0, 9))] == ["d0-1", "d0-2"]
    assert history.dead_letter(0, 77) is None
    assert history.dead_letter(5, 0) is None


def test_both_give_the_same_explanations(world: World) -> None:
    first, second = PostgresHistory(world.database, world.prefix), TopicHistory({"bootstrap.servers": world.brokers}, world.prefix)
    for subject in ("a0-0-0", "a0-1-0", "a0-2-0", "a0-3-0", "a0-4-0", "d0-1", f"{world.prefix}alerts.raw/0/5", "alerts.raw/0/9"):
        answers = [
            [one.model_dump(exclude={"read_from"}) for one in explain(history, subject, world.prefix)] for history in (first, second)
        ]
        assert answers[0], subject
        assert answers[0] == answers[1], subject


def test_the_topics_answer_where_postgres_is_away(world: World) -> None:
    kafka = {"bootstrap.servers": world.brokers}
    assert choose_history(kafka, world.prefix, world.database).history.source == "PostgreSQL"
    away = choose_history(kafka, world.prefix, "postgresql://postgres@127.0.0.1:1/none")
    assert away.history.source == "Kafka topics"
    assert "refused" in away.instead
    assert away.history.decision("a0-0-0") == world.decisions[0]


def test_without_both_it_says_so() -> None:
    history = choose_history(NOWHERE, "flux.", None, within_s=1).history
    with pytest.raises(HistoryUnavailable, match="Kafka"):
        history.decision("a0-0-0")


def test_another_cluster_is_left_out_when_one_is_named(world: World) -> None:
    assert PostgresHistory(world.database, world.prefix, cluster="other/flux.").incidents() == []


@pytest.mark.parametrize("missing", ["partition", "offset"])
def test_a_dead_letter_without_coordinates_reads_as_nowhere(missing: str) -> None:
    headers = {name: value.decode() for name, value in dead_letter_headers(3) if name != missing}
    letter = DeadLetter.from_headers(0, 0, decision(0).received_at, None, None, headers)
    assert getattr(letter.source, missing) == -1
