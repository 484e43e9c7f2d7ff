"""`fluxai dead-letters`: what could not be read or decided, and back again."""

from __future__ import annotations

import base64
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, commands, load_settings, print_json, print_table, safe

if TYPE_CHECKING:
    from pipeline.history.base import DeadLetter
    from pipeline.settings import Settings

app = commands("List, show and send again what was set aside.")
ID = typer.Argument(..., metavar="ID...", help="As `list` shows them, for instance d0-17.")


@app.command("list")
def list_letters(
    number: int = typer.Option(50, "-n", "--number", min=1, help="The newest so many."),
    reason: str | None = typer.Option(None, "--reason", help="Only those of this reason."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """List dead letters, the newest last.

    \b
    Example:
      fluxai dead-letters list -n 10
    """
    letters = [letter for letter in newest(load_settings(brokers=broker), number) if reason in (None, letter.reason)]
    if json:
        for letter in letters:
            print_json(as_dict(letter))
        return
    rows = [
        (
            one.id,
            f"{one.recorded_at:%m-%d %H:%M:%S}",
            one.stage,
            one.reason,
            len(one.value or b""),
            one.source,
            one.error.splitlines()[0][:100] if one.error else "",
        )
        for one in letters
    ]
    print_table(("id", "set aside", "stage", "reason", "bytes", "from", "error"), rows)


@app.command("show")
def show(
    letter_id: str = typer.Argument(..., metavar="ID"),
    raw: bool = typer.Option(False, "--raw", help="Only the original bytes, to stdout."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Show one dead letter: why, from where, and its bytes.

    \b
    Example:
      fluxai dead-letters show d0-17 --raw > payload.json
    """
    letter = find(load_settings(brokers=broker), [letter_id])[0]
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
    elif json:
        print_json(as_dict(letter))
    else:
        for name, value in (
            ("id", letter.id),
            ("set aside", letter.recorded_at.isoformat()),
            ("stage", letter.stage),
            ("reason", letter.reason),
            ("from", letter.source),
        ):
            print(f"{name:>10}  {safe(value)}")
        for name, text in sorted(letter.source_headers.items()):
            print(f"{'header':>10}  {safe(name)}={safe(text)}")
        for line in letter.error.splitlines()[:40]:
            print(f"{'error':>10}  {safe(line)}")
        body = letter.value or b""
        print(f"{'bytes':>10}  {len(body)}\n{safe(body[:2000].decode('utf-8', 'replace'))}")


@app.command("redrive")
def redrive(letter_ids: list[str] = ID, broker: str | None = BROKER, json: bool = JSON) -> None:
    """Send what intake could not read again as it was: bytes, key and headers to alerts.raw. Others stay, and none is sent then.

    \b
    Example:
      fluxai dead-letters redrive d0-17 d3-2
    """
    from pipeline.cli.kafka import Outgoing, send_all

    settings = load_settings(brokers=broker)
    letters = find(settings, letter_ids)
    staying = [f"{letter.id} stays: {letter.stays}." for letter in letters if letter.stays]
    if staying:
        raise Refusal(Exit.NO, "\n".join(map(safe, staying)), "Nothing was sent.")
    headers = [[(name, text.encode()) for name, text in letter.source_headers.items()] for letter in letters]
    sent = send_all(settings, "alerts.raw", [Outgoing(letter.key, letter.value, own) for letter, own in zip(letters, headers, strict=True)])
    if json:
        print_json({"redriven": sent, "ids": [letter.id for letter in letters]})
    else:
        print(f"{sent} sent again.")


def newest(settings: Settings, number: int) -> list[DeadLetter]:
    from pipeline.cli.kafka import Reader

    letters: deque[DeadLetter] = deque()
    with Reader(settings) as reader:
        reader.start(["dead_letters"], newest=number)
        letters.extend(letter_of(message) for message in reader.to_the_end())
    return sorted(letters, key=lambda letter: letter.recorded_at)[-number:]


def find(settings: Settings, ids: list[str]) -> list[DeadLetter]:
    """The dead letters of these ids, in order. Refuses when one is not there."""
    from pipeline.cli.kafka import Reader
    from pipeline.history.base import dead_letter_id

    wrong = [text for text in ids if dead_letter_id(text) is None]
    if wrong:
        raise Refusal(Exit.USAGE, f"{', '.join(wrong)}: no id of a dead letter.", "They look like d0-17; see: fluxai dead-letters list")
    found: dict[str, DeadLetter] = {}
    with Reader(settings) as reader:
        reader.start(["dead_letters"])
        for message in reader.to_the_end():
            if f"d{message.partition()}-{message.offset()}" in ids:
                letter = letter_of(message)
                found[letter.id] = letter
    missing = [text for text in ids if text not in found]
    if missing:
        raise Refusal(Exit.NO, f"No dead letter {', '.join(missing)}.", "See: fluxai dead-letters list")
    return [found[text] for text in ids]


def letter_of(message: Any) -> DeadLetter:
    from pipeline.engine.processor import Record
    from pipeline.history.base import DeadLetter

    return DeadLetter.from_record(
        Record(
            "dead_letters",
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            message.headers() or [],
        )
    )


def as_dict(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "recorded_at": letter.recorded_at.isoformat(),
        "stage": letter.stage,
        "reason": letter.reason,
        "error": letter.error,
        "from": letter.source._asdict(),
        "headers": letter.source_headers,
        "value_base64": base64.b64encode(letter.value or b"").decode(),
    }
