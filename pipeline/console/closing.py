"""The closing account: every alert event in exactly one place, and what the slowest verdict took."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.console.board import Board
from pipeline.console.plural import many
from pipeline.history.base import ENDED


def closing(board: Board) -> Iterator[str]:
    """The account as lines of text."""
    account = board.ledger.account()
    events, records = many(account.accepted, "alert event"), many(account.raw_records, "record")
    yield f"Accepted {events} of {records}; {many(board.changes, 'change')}."
    for number, name, meaning in (
        (account.notified, "notified", "somebody was told, or is being told"),
        (account.grouped, "grouped", "they belong to an incident that was told"),
        (account.suppressed, "suppressed", "nobody was told, each with a reason"),
        (account.dead_lettered, "dead letters", "unreadable; the bytes are kept and people were told of them"),
        (account.open, "open", "their page waits: it may still clear by itself"),
    ):
        yield f"  {number:>6}  {name:<13} {meaning}"
    ended = sum(one.status in ENDED for one in board.incidents.values())
    yield f"{many(account.incidents, 'incident')}, {ended} of them ended."
    if board.reasons:
        yield "Reasons: " + ", ".join(f"{code} {number}" for code, number in board.reasons.most_common(12)) + "."
    models = board.advised
    if models.calls or models.degraded or models.advised or models.amended or models.not_adopted:
        yield (
            f"Models: {many(models.advised, 'verdict')} advised, {models.amended} amended late, "
            f"{many(models.not_adopted, 'answer')} not adopted, {many(models.degraded, 'verdict')} without an answer; "
            f"{many(models.calls, 'call')}, ${models.cost_usd:.4f}."
        )
    yield f"Verdict within {account.verdict_p99_ms} ms for 99 of 100; {account.deadline_misses} later than 15 s."
