"""`fluxai silence`: what nobody wants to be told for a while, who says so and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import (
    BROKER,
    JSON,
    Exit,
    Refusal,
    ago,
    commands,
    duration,
    load_settings,
    me,
    moment,
    now,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from schemas.base import Matcher
    from schemas.silence import Silence

app = commands("Add, list and end silences and maintenance windows.")


@app.command("add")
def add(
    matchers: list[str] = typer.Argument(
        ..., metavar="MATCHER...", help="service=checkout, severity!=critical, instance=~'db-.*'; all must hold."
    ),
    reason: str = typer.Option(..., "--reason", "-r", help="Why; people read it when they ask why they were not told."),
    length: str = typer.Option("2h", "--for", "-d", help="How long: 90s, 30m, 2h, 1d."),
    starts: str | None = typer.Option(None, "--from", help="When it starts, as 2026-05-01T22:00:00Z; default now."),
    owner: str | None = typer.Option(None, "--owner", help="Who answers for it; default you."),
    maintenance: bool = typer.Option(False, "--maintenance", help="A maintenance window rather than a silence."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Add a silence; it prints its id.

    \b
    Example:
      fluxai silence add service=checkout --for 1h --reason "database move" --maintenance
    """
    import uuid

    from schemas.silence import Silence

    begin = moment(starts) if starts else now()
    silence = Silence(
        silence_id=f"s-{uuid.uuid4().hex[:12]}",
        kind="maintenance" if maintenance else "silence",
        matchers=[matcher(text) for text in matchers],
        owner=owner or me(),
        reason=reason,
        starts_at=begin,
        ends_at=begin + duration(length),
        created_at=now(),
    )
    publish(load_settings(brokers=broker), silence)
    if json:
        print_json(silence.model_dump(mode="json"))
    else:
        print(f"{silence.silence_id} holds until {silence.ends_at:%Y-%m-%d %H:%M:%S} UTC.")


@app.command("list")
def list_silences(
    everything: bool = typer.Option(False, "--all", help="Expired ones too."), broker: str | None = BROKER, json: bool = JSON
) -> None:
    """List silences that hold or will hold.

    \b
    Example:
      fluxai silence list --json
    """
    found = sorted(known(load_settings(brokers=broker)).values(), key=lambda silence: silence.ends_at)
    shown = [silence for silence in found if everything or silence.ends_at > now()]
    if json:
        for silence in shown:
            print_json(silence.model_dump(mode="json"))
        return
    rows = []
    for silence in shown:
        what = " ".join(f"{each.name}{each.op}{each.value}" for each in silence.matchers)
        state = "expired" if silence.ends_at <= now() else "active" if silence.starts_at <= now() else "pending"
        rows.append(
            (
                silence.silence_id,
                state,
                what,
                f"{silence.ends_at:%Y-%m-%d %H:%M:%S}Z",
                silence.owner,
                ago(silence.created_at),
                silence.reason,
            )
        )
    print_table(("id", "state", "matchers", "until", "owner", "age", "reason"), rows)


@app.command("expire")
def expire(silence_id: str = typer.Argument(..., metavar="ID"), broker: str | None = BROKER, json: bool = JSON) -> None:
    """End a silence now. Exit code 1 when there is none of that id, or it has ended already.

    \b
    Example:
      fluxai silence expire s-3f2a90c1d2e4
    """
    from datetime import timedelta

    settings = load_settings(brokers=broker)
    silence = known(settings).get(silence_id)
    if silence is None or silence.ends_at <= now():
        raise Refusal(Exit.NO, f"No silence {silence_id} holds or will hold.", "See: fluxai silence list --all")
    end = now()
    silence.starts_at = min(silence.starts_at, end - timedelta(milliseconds=1))
    silence.ends_at = end
    publish(settings, silence)
    if json:
        print_json(silence.model_dump(mode="json"))
    else:
        print(f"{silence_id} has ended.")


def matcher(text: str) -> Matcher:
    """`name=value`, `!=`, `=~`, `!~`. Refuses what is none, and expressions that RE2 does not take."""
    import re

    from agents.matching import InvalidExpression, check
    from schemas.base import Matcher

    found = re.fullmatch(r"\s*([^=!~\s]+)\s*(=~|!~|!=|=)\s*(.*)", text, re.DOTALL)
    if found is None:
        raise Refusal(Exit.USAGE, f"{text!r} is no matcher.", "Write it as service=checkout, severity!=critical, instance=~'db-.*'.")
    made = Matcher(name=found[1], op=found[2], value=found[3].strip("\"'"))
    try:
        check([made])
    except InvalidExpression as error:
        raise Refusal(Exit.USAGE, f"{error}.") from None
    return made


def known(settings: Settings) -> dict[str, Silence]:
    from pipeline.cli.kafka import latest
    from schemas.silence import Silence

    return {key.decode(): Silence.from_json(value) for key, value in latest(settings, "silences").items()}


def publish(settings: Settings, silence: Silence) -> None:
    from pipeline.cli.kafka import Outgoing, send_all

    send_all(settings, "silences", [Outgoing(silence.silence_id.encode(), silence.to_json())])
