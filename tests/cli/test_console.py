"""The board keeps the facts and says what is new; the screens show text and obey none of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from pipeline.cli.session import FORGETFUL
from pipeline.console.board import KEPT_INCIDENTS, Board
from pipeline.console.closing import closing
from pipeline.console.line import Line
from pipeline.console.live import Lane, Status, screen
from pipeline.console.plain import PlainLines
from pipeline.engine.processor import Record
from schemas.base import Message, Reason, Severity
from schemas.incident import AdviceStatus, Incident, IncidentAdvice, IncidentStatus, Notified
from schemas.usage import Usage

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def incident(revision: int = 1, **changes: Any) -> Incident:
    known: dict[str, Any] = {
        "incident_id": "i1",
        "revision": revision,
        "domain": "production",
        "status": IncidentStatus.OPEN,
        "severity": Severity.P2,
        "service": "payments",
        "title": "Payments fails",
        "summary": "38% errors",
        "confidence": 0.8,
        "provenance": "rules",
        "alerts": [],
        "opened_at": AT,
        "updated_at": AT + timedelta(seconds=revision),
        "deadline": AT + timedelta(seconds=15),
    }
    return Incident.model_validate(known | changes)


def decision(offset: int, outcome: str, **changes: Any) -> dict[str, Any]:
    return {
        "alert_id": f"a{offset}",
        "fingerprint": "f",
        "source": "flux",
        "name": "Latency",
        "service": "search",
        "domain": "production",
        "status": "firing",
        "severity": "P3",
        "outcome": outcome,
        "reason": {"code": "maintenance", "text": "disks are moved"},
        "received_at": AT,
        "decided_at": AT + timedelta(milliseconds=40),
        "deadline": AT + timedelta(seconds=15),
        "raw": {"topic": "flux.alerts.raw", "partition": 0, "offset": offset},
        "sequence": offset,
        "would_notify": ["on-call"],
    } | changes


def record(topic: str, value: bytes, offset: int = 0) -> Record:
    return Record(topic, 0, offset, 1_777_000_000_000, b"k", value)


def tell(board: Board, message: Message) -> list[str]:
    return [f"{line.kind}: {line.text}" for line in board.take(record("incidents.triaged", message.to_json()))]


def suppress(board: Board, offset: int, **changes: Any) -> list[Line]:
    from schemas.decision import Decision

    return board.take(record("decisions", Decision.model_validate(decision(offset, "suppressed", **changes)).to_json()))


def test_revisions_are_told_as_what_they_change() -> None:
    board = Board()
    told = Notified(receiver="on-call", at=AT, reason="fired")
    assert tell(board, incident()) == ["opened: P2 i1 Payments fails: 38% errors; no runbook"]
    assert tell(board, incident(2, notified=[told])) == ["told: on-call: fired, P2 Payments fails"]
    assert tell(board, incident(3, notified=[told], severity=Severity.P1)) == ["changed: P1 i1 was P2: Payments fails"]
    assert tell(board, incident(2)) == [], "an older revision changes nothing"
    ended = incident(4, notified=[told], severity=Severity.P1, status=IncidentStatus.RESOLVED, resolved_at=AT)
    assert tell(board, ended) == ["ended: P1 i1 Payments fails: resolved"]
    assert tell(board, incident(5, silence=Reason(code="transient", text="cleared by itself"), severity=Severity.P1))[0].startswith(
        "silenced:"
    )


def test_a_silence_that_comes_again_is_one_row_that_counts() -> None:
    board = Board()
    assert [line.text for line in suppress(board, 0)] == ["P3 Latency on search: disks are moved (would have told on-call)"]
    assert suppress(board, 1) == []
    assert [(one.what, one.times) for one in board.silenced] == [("Latency on search", 2)]


def test_the_account_counts_every_record_once() -> None:
    board = Board()
    for offset in range(3):
        board.take(record("alerts.raw", b"{}", offset))
    suppress(board, 0)
    suppress(board, 1)
    board.take(Record("dead_letters", 0, 0, 1, b"cron", b"{", [("topic", b"flux.alerts.raw"), ("partition", b"0"), ("offset", b"2")]))
    account = board.ledger.account()
    assert (account.accepted, account.suppressed, account.dead_lettered, account.unaccounted) == (3, 2, 1, ())
    assert next(closing(board)).startswith("Accepted 3 alert events of 3 records")


def test_the_board_is_bounded_and_forgets_what_ended_first() -> None:
    board = Board()
    tell(board, incident(incident_id="old but open"))
    for number in range(KEPT_INCIDENTS + 20):
        tell(board, incident(incident_id=f"e{number}", status=IncidentStatus.RESOLVED, updated_at=AT + timedelta(hours=1)))
    assert len(board.incidents) == KEPT_INCIDENTS
    assert "old but open" in board.incidents


def test_what_cannot_be_read_is_passed_over() -> None:
    board = Board()
    assert board.take(record("decisions", b"\xff")) == board.take(record("incidents.triaged", b"{}")) == []


@pytest.mark.parametrize("height", [12, 24, 50])
def test_the_screen_fits_its_terminal_and_no_text_acts_on_it(height: int) -> None:
    board = Board()
    for number in range(40):
        tell(
            board,
            incident(incident_id=f"i{number}", service="", title="[red]evil[/red]", summary="\x1b[2J\x1b]0;title\x07 gone\nsecond line"),
        )
        suppress(board, number, name=f"[bold]{number}\x1b[31m")
    console = Console(width=120, height=height, force_terminal=True, color_system="truecolor")
    lanes = [Lane("decide", "crash-looping", "exit 3, see decide.log", 5)]
    with console.capture() as capture:
        console.print(screen(board, Status("banner", "where", 61, lanes, [Line(AT, "story", "note")]), height))
    shown = capture.get()
    assert "\x1b[2J" not in shown and "\x1b]0" not in shown and "[red]evil[/red]" in shown
    assert shown.count("\n") <= max(height, 24), "taller than the terminal"
    assert "crash-looping" in shown and "1:01" in shown


def test_plain_lines_tell_each_thing_once(capsys: pytest.CaptureFixture[str]) -> None:
    board, lines = Board(), PlainLines()
    status = Status("", "", 0, [Lane("decide", "starting")], [Line(AT, "story", "it begins")])
    with lines:
        for _ in range(3):
            lines.show(board, status)
        lines.lines([Line(AT, "opened", "evil\x1b[2J\nline")])
    out = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1)[-1] for line in out] == ["story     it begins", "decide starting", "opened    evil\ufffd[2J line"]


def test_on_80_columns_the_address_the_warning_and_the_account_are_whole() -> None:
    where = (
        "embedded broker 127.0.0.1:34985   alerts: POST http://127.0.0.1:8080/api/v1/alerts/SOURCE   logs: /tmp/somewhere/clone/.flux/logs"
    )
    lanes = [Lane(name, "running") for name in ("intake", "decide", "act", "record", "api")]
    console = Console(width=80, height=30)
    with console.capture() as capture:
        console.print(screen(Board(), Status(FORGETFUL, where, 61, lanes, [Line(AT, "story", "the note")]), 30, 80))
    shown = capture.get()
    for part in (*where.split("   "), "gone when this ends", "fluxai run --broker", "the note", "+ open 0", "verdict p99", "api running"):
        assert part in shown, part
    assert shown.count("\n") <= 30


def advice(status: AdviceStatus, **more: Any) -> IncidentAdvice:
    known: dict[str, Any] = {
        "reason": Reason(code="raised", text="raises P3 to P2"),
        "rule_severity": Severity.P3,
        "severity": Severity.P2,
        "confidence": 0.91,
        "provider": "ollama",
        "model": "llama3.1:8b",
        "took_ms": 812,
    }
    return IncidentAdvice(status=status, **(known | more))


def test_what_a_model_changed_is_told_once_with_its_cost() -> None:
    board = Board()
    tell(board, incident(severity=Severity.P3, advice=advice(AdviceStatus.PENDING)))
    adopted = {"severity": Severity.P2, "advice": advice(AdviceStatus.ADOPTED, cost_usd=0.0002, summary="nobody can pay")}
    assert tell(board, incident(2, **adopted)) == [
        "advised: P3→P2 i1 Payments fails: ollama/llama3.1:8b in 0.8 s, 0.91 sure, $0.0002: nobody can pay"
    ]
    assert tell(board, incident(3, **adopted)) == [], "a later revision repeats it"
    again = advice(AdviceStatus.NOT_ADOPTED, confidence=0.4, cost_usd=0.0005, reason=Reason(code="unsure", text="not sure enough"))
    assert tell(board, incident(4, severity=Severity.P3, advice=again)) == [
        "advised: P3 i1 Payments fails: ollama/llama3.1:8b in 0.8 s, 0.40 sure, $0.0003; not adopted: not sure enough"
    ]
    assert board.advised.to_json() == {"advised": 1, "amended": 0, "not_adopted": 1, "degraded": 0, "advice_cost_usd": 0.0}


def test_a_verdict_without_its_model_and_an_answer_that_came_late_are_told_as_such() -> None:
    board = Board()
    missing = advice(AdviceStatus.MISSING, severity=None, provider="", reason=Reason(code="too_late", text="no model answered in time"))
    assert tell(board, incident(severity=Severity.P3, advice=missing))[1:] == [
        "degraded: P3 i1 Payments fails: no answer, the verdict of the rules stands: no model answered in time"
    ]
    late = incident(2, advice=advice(AdviceStatus.AMENDED, needs_review=True))
    assert tell(board, late) == [
        "late: P3→P2 i1 Payments fails: ollama/llama3.1:8b in 0.8 s, 0.91 sure, $0.0000; for review: raises P3 to P2"
    ]
    assert (board.advised.degraded, board.advised.amended) == (1, 1)
    assert any(line.startswith("Models: 0 verdicts advised, 1 amended late") for line in closing(board))


def test_a_call_costs_its_reserve_until_it_has_ended() -> None:
    board = Board()

    def used(kind: str, cost: float) -> float:
        usage = Usage.model_validate({"usage_id": "u1", "kind": kind, "provider": "claude", "cost_usd": cost, "at": AT})
        board.take(record("usage", usage.to_json()))
        return board.advised.cost_usd

    assert [used("reserve", 0.01), used("settle", 0.002)] == [0.01, 0.002]


def test_the_screen_has_a_place_for_models_only_where_one_is_asked() -> None:
    board = Board()
    tell(board, incident())

    def drawn() -> str:
        console = Console(width=160, height=30)
        with console.capture() as capture:
            console.print(screen(board, Status("banner", "where", models="models: ollama"), 30))
        return capture.get()

    assert "model " not in drawn().split("incident", 1)[1] and "models: ollama" in drawn()
    tell(board, incident(2, advice=advice(AdviceStatus.ADOPTED, cost_usd=0.0012)))
    assert "P3→P2 0.91 $0.0012 ollama" in drawn() and "advised 1, late 0" in drawn()


def test_news_is_in_the_order_of_time_and_a_worker_that_connects_again_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    at = [0.0]
    lines = PlainLines(now=lambda: at[0])
    status = Status("", "", 0, [Lane("advise", "running")], [Line(AT, "story", "it begins")])
    lines.lines([Line(AT + timedelta(seconds=1), "opened", "after it")])
    lines.show(Board(), status)
    for at[0] in (1.0, 2.0):
        status.lanes = [Lane("advise", "starting", "kafka: not connected")]
        lines.show(Board(), status)
    status.lanes = [Lane("advise", "running")]
    lines.show(Board(), status)
    told = [line.split(maxsplit=1)[-1] for line in capsys.readouterr().out.splitlines()]
    assert told == ["story     it begins", "opened    after it", "advise running"]
    for at[0] in (3.0, 7.0, 8.0):
        status.lanes = [Lane("advise", "starting", "kafka: not connected")]
        lines.show(Board(), status)
    assert capsys.readouterr().out.split() == ["lane", "advise", "waiting:", "kafka:", "not", "connected"]


def test_on_80_columns_name_severity_state_and_the_missing_model_are_seen_and_an_answer_ends_the_warning() -> None:
    board = Board()
    known: dict[str, Any] = {"severity": Severity.P2, "title": "ErrorRateHigh on payments"}
    missing = advice(AdviceStatus.MISSING, severity=None, provider="", reason=Reason(code="no_answer", text="nobody answers at 127.0.0.1"))
    tell(board, incident(**known, status=IncidentStatus.ACKNOWLEDGED, advice=missing))

    def drawn() -> str:
        console = Console(width=80, height=24)
        with console.capture() as capture:
            console.print(screen(board, Status("banner", "where", models="models: ollama"), 24, 80))
        return capture.get()

    shown = drawn()
    row = next(line for line in shown.splitlines() if line.startswith("P2"))
    assert "ErrorRateHigh on payment" in row and "acked" in row and "no answer: nob" in row, row
    assert "model: no answer for 1 verdict in the last minute: nobody answers" in shown
    tell(board, incident(2, **known, advice=advice(AdviceStatus.AMENDED)))
    assert "in the last minute" not in drawn()


def test_a_server_that_nobody_reached_was_not_called_and_what_was_not_adopted_is_in_the_last_line() -> None:
    board = Board()
    for outcome in ("answered", "unreachable"):
        usage = {"usage_id": outcome, "kind": "call", "provider": "ollama", "incident_id": "i1", "outcome": outcome, "at": AT}
        board.take(record("usage", Usage.model_validate(usage).to_json()))
    tell(board, incident(advice=advice(AdviceStatus.NOT_ADOPTED)))
    assert "Models: 0 verdicts advised, 0 amended late, 1 answer not adopted, 0 verdicts without an answer; 1 call, $0.0000." in closing(
        board
    )
    aside = advice(AdviceStatus.ADOPTED, reason=Reason(code="overruled", text="a person has said how urgent it is"))
    assert "; set aside: a person has said how urgent it is" in tell(board, incident(2, advice=aside))[-1]
