"""`fluxai tail`: the records of a topic, as they come."""

from __future__ import annotations

import base64
import json as jsonlib
from typing import Any

import typer

from pipeline.cli.common import BROKER, JSON, load_settings, print_json, safe


def tail(
    topic: str = typer.Argument(..., help="For instance incidents.triaged, decisions, dead_letters."),
    from_start: bool = typer.Option(False, "--from-start", help="Begin with the oldest record."),
    number: int | None = typer.Option(None, "-n", "--number", min=1, help="Stop after this many records."),
    stop_at_end: bool = typer.Option(False, "--no-follow", help="Stop at the end of what is there."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Follow a topic, reading committed records only. Ctrl-C ends it.

    \b
    Example:
      fluxai tail incidents.triaged --json | jq .value.title
      fluxai tail decisions --from-start --no-follow
    """
    from pipeline.cli.kafka import Reader, short_name

    settings = load_settings(brokers=broker)
    seen = 0
    with Reader(settings) as reader:
        reader.start([short_name(settings, topic)], from_start=from_start)
        while not (stop_at_end and reader.caught_up):
            for message in reader.poll(0.2):
                record = as_dict(message)
                if json:
                    print_json(record)
                else:
                    print(pretty(record), flush=True)
                seen += 1
                if number is not None and seen >= number:
                    return


def as_dict(message: Any) -> dict[str, Any]:
    """A record as JSON can say it: a value that is no JSON as `value_base64`."""
    data = message.value()
    record: dict[str, Any] = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": (message.key() or b"").decode("utf-8", "replace"),
        "headers": {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers() or []},
    }
    try:
        return record | {"value": None if data is None else jsonlib.loads(data)}
    except ValueError:
        return record | {"value": None, "value_base64": base64.b64encode(data).decode()}


def pretty(record: dict[str, Any]) -> str:
    from schemas.base import from_ms

    clock = from_ms(record["timestamp"]).strftime("%H:%M:%S.%f")[:-3]
    value = record.get("value_base64") or jsonlib.dumps(record["value"], ensure_ascii=False)
    headers = " ".join(f"{name}={text.splitlines()[0] if text else ''}" for name, text in record["headers"].items())
    return safe(f"{clock}  {record['partition']}/{record['offset']}  {record['key']}  {headers + '  ' if headers else ''}{value}")
