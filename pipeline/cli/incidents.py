"""`fluxai incidents`, `explain` and `ack`: what people work on, and why they were told or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, ago, load_settings, me, now, print_json, print_table

if TYPE_CHECKING:
    from pipeline.history.base import History
    from pipeline.settings import Settings


def incidents(
    open_only: bool = typer.Option(False, "--open", help="Only those that have not ended."),
    number: int = typer.Option(50, "-n", "--number", min=1, max=10_000, help="The newest so many."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """List incidents, from PostgreSQL or, when it is away, from the topics.

    \b
    Example:
      fluxai incidents --open --json | jq -r .incident_id
    """
    with history(load_settings(brokers=broker)) as source:
        found = source.incidents(open_only, number)
    if json:
        for one in found:
            print_json(one.model_dump(mode="json"))
        return
    rows = []
    for one in found:
        told = ", ".join(dict.fromkeys(each.receiver for each in one.notified)) or (one.silence.code if one.silence else "nobody yet")
        runbook = one.runbooks[0].title if one.runbooks else "no runbook"
        rows.append(
            (
                one.severity.value if one.paged_as is one.severity else f"{one.severity.value} (paged {one.paged_as.value})",
                one.status.value,
                one.incident_id,
                one.service,
                one.alert_count,
                ago(one.opened_at),
                told,
                runbook,
                one.title,
            )
        )
    print_table(("", "status", "incident", "service", "alerts", "age", "told", "runbook", "title"), rows)


def explain(
    subject: str = typer.Argument(
        ..., metavar="ID", help="Of an alert, an incident or a dead letter (d0-17), or a place (alerts.raw/0/17)."
    ),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Why was somebody told about an alert, or not: every stage's facts. Exit code 1 when it is not known.

    \b
    Example:
      fluxai explain alerts.raw/2/118
    """
    from pipeline.history.explain import explain as explain_subject

    settings = load_settings(brokers=broker)
    with history(settings) as source:
        found = explain_subject(source, subject, settings.topic_prefix)
    if not found:
        hint = "Incidents: fluxai incidents. Alerts: fluxai tail decisions. A record that was just sent may take a second."
        raise Refusal(Exit.NO, f"Nothing is known of {subject!r} (looked in {source.source}).", hint)
    if json:
        for one in found:
            print_json(one.model_dump(mode="json"))
        return
    from rich.console import Console

    from pipeline.history.render import render_explanation

    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as drawn:
        for one in found:
            console.print(render_explanation(one))
    for line in drawn.get().splitlines():
        print(line.rstrip())


def ack(
    incident_id: str = typer.Argument(..., metavar="INCIDENT"),
    by: str | None = typer.Option(None, "--by", help="Who; default you."),
    comment: str = typer.Option("", "--comment", "-m", help="What you know so far."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Acknowledge an incident: no more reminders, no escalation. Exit code 1 when it is not known or has ended.

    \b
    Example:
      fluxai ack inc-9f31c2 -m "looking at the database"
    """
    import uuid

    from pipeline.cli.kafka import Outgoing, send_all
    from pipeline.history.base import ENDED
    from schemas.feedback import Feedback

    settings = load_settings(brokers=broker)
    with history(settings) as source:
        incident = source.incident(incident_id)
    if incident is None or incident.status in ENDED:
        raise Refusal(Exit.NO, f"No incident {incident_id} is open.", "See: fluxai incidents --open")
    feedback = Feedback(
        feedback_id=f"f-{uuid.uuid4().hex}",
        kind="acknowledge",
        incident_id=incident_id,
        domain=incident.domain,
        by=by or me(),
        at=now(),
        comment=comment,
    )
    send_all(settings, "feedback", [Outgoing(incident.domain.encode(), feedback.to_json())])
    if json:
        print_json(feedback.model_dump(mode="json"))
    else:
        print(f"{incident_id} acknowledged by {feedback.by}.")


@contextmanager
def history(settings: Settings) -> Iterator[History]:
    """The history that answers. Says on stderr when it is not PostgreSQL; refuses when nothing answers."""
    from pipeline.history.base import HistoryUnavailable
    from pipeline.history.choose import choose_history, history_cluster
    from pipeline.settings import reveal

    kafka = settings.kafka_client() | {"log_level": "0"}
    try:
        choice = choose_history(kafka, settings.topic_prefix, reveal(settings.postgres_url) or None, history_cluster(settings))
        if choice.instead and settings.postgres_url is not None:
            print(f"PostgreSQL is away, reading the topics: {choice.instead}", file=sys.stderr)
        yield choice.history
    except HistoryUnavailable as error:
        raise Refusal(Exit.CONNECTION, f"{error}", "To check every connection: fluxai doctor") from None
