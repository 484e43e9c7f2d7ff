"""`fluxai run`: everything on this machine, with a story that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli.common import Exit, Refusal, load_settings, print_json, read_config

if TYPE_CHECKING:
    from pipeline.settings import Settings


def run(
    broker: str | None = typer.Option(
        None, "--broker", help="HOST:PORT of your Kafka; without it an embedded broker is used, which keeps nothing."
    ),
    seconds: float | None = typer.Option(
        None, "--for", min=1, help="Stop by itself so many seconds after all is up; the last line is one JSON object."
    ),
    story: bool | None = typer.Option(
        None, "--story/--no-story", help="Tell the built-in story. Default: yes, but not to your broker with your FLUX_CONFIG."
    ),
    json: bool = typer.Option(False, "--json", help="Print nothing but one JSON object at the end."),
) -> None:
    """Run broker, PostgreSQL, all workers and a story that shows what they do. Ctrl-C ends it.

    \b
    Example:
      fluxai run --for 60
      fluxai run --broker localhost:9092 --no-story
    """
    from pipeline.broker.topics import BrokersUnavailable
    from pipeline.cli.running import running
    from pipeline.cli.session import Session
    from pipeline.models import models_line
    from pipeline.record.postgres_files import PostgresFailed
    from pipeline.standalone import Standalone, TopicsWrong

    settings, told = prepared(load_settings(follow_run=False, brokers=broker), broker, story)
    config = read_config(settings)  # a wrong file is refused before anything starts
    quiet = (lambda _: None) if json else print
    here = Standalone(settings, embedded=broker is None, beside=running(settings.state_dir) is not None, say=quiet)
    session = Session(here, told=told, seconds=seconds, quiet=json, models=models_line(settings, config.advice))
    try:
        code = session.run()
    except BrokersUnavailable as error:
        raise Refusal(
            Exit.CONNECTION, f"{error} ({settings.brokers}).", "Check --broker, or leave it out for the embedded broker."
        ) from None
    except TopicsWrong as error:
        raise Refusal(Exit.USAGE, f"The topics on {settings.brokers} are not as they must be:\n{error}") from None
    except BrokenPipeError:
        raise
    except (PostgresFailed, OSError) as error:
        raise Refusal(Exit.FATAL, f"It did not start: {error}.", "For every check: fluxai doctor") from None
    if seconds is not None or json:
        print_json(session.board.ledger.account().to_json() | (session.board.advised.to_json() if settings.providers else {}))
    raise typer.Exit(code)


def prepared(settings: Settings, broker: str | None, story: bool | None) -> tuple[Settings, bool]:
    """Settings for this run, and whether the story is told.

    The story pages people in the configuration it runs under, so real receivers on a real broker hear it only when asked to.
    """
    from pipeline.settings import Settings
    from pipeline.story.script import FOLDER

    told = story if story is not None else broker is None or settings.config_file is None
    if told and settings.config_file is None:
        settings = Settings.model_validate(settings.model_dump(exclude_unset=True) | {"config_file": FOLDER / "config.yaml"})
    return settings, told
