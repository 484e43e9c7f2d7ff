"""The closing account: every alert event in exactly one place, and what the slowest verdict took."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.console.board import Board
from pipeline.history.base import ENDED


def closing(board: Board) -> Iterator[str]:
    """The account as lines of text."""
    account = board.ledger.account()
    yield f"Accepted {account.accepted} alert events of {account.raw_records} records; {board.changes} changes."
    for number, name, meaning in (
        (account.notified, "notified", "somebody was told, or is being told"),
        (account.grouped, "grouped", "they belong to an incident that was told"),
        (account.suppressed, "suppressed", "nobody was told, each with a reason"),
        (account.dead_lettered, "dead letters", "unreadable; the bytes are kept and people were told of them"),
        (account.open, "open", "their page waits: it may still clear by itself"),
    ):
        yield f"  {number:>6}  {name:<13} {meaning}"
    ended = sum(one.status in ENDED for one in board.incidents.values())
    yield f"{account.incidents} incidents, {ended} of them ended."
    if board.reasons:
        yield "Reasons: " + ", ".join(f"{code} {number}" for code, number in board.reasons.most_common(12)) + "."
    models = board.advised
    if models.calls or models.degraded or models.advised or models.amended:
        yield (
            f"Models: {models.advised} verdicts advised, {models.amended} amended late, {models.not_adopted} answers not adopted, "
            f"{models.degraded} verdicts without an answer in time; {models.calls} calls, ${models.cost_usd:.4f}."
        )
    yield f"Verdict within {account.verdict_p99_ms} ms for 99 of 100; {account.deadline_misses} later than 15 s."
