"""`fluxai worker`: one lane in this process, until SIGTERM."""

from __future__ import annotations

from enum import StrEnum

import typer

from pipeline.cli.common import BROKER, Exit, Refusal, load_settings


class Lane(StrEnum):
    INTAKE = "intake"
    DECIDE = "decide"
    ACT = "act"
    RECORD = "record"
    API = "api"
    ADVISE = "advise"
    LEARN = "learn"


def worker(
    lane: Lane = typer.Argument(..., help="What this process does."),
    slot: int | None = typer.Option(None, "--slot", min=0, help="Stable number among the lane's workers; default FLUX_SLOT."),
    broker: str | None = BROKER,
) -> None:
    """Run one worker with a stable identity. SIGTERM drains it and it leaves within 10 s.

    \b
    Example:
      FLUX_KAFKA_BROKERS=kafka:9092 fluxai worker decide --slot 1
    """
    import signal
    import threading

    import structlog

    from pipeline import logs
    from pipeline.supervisor import leave_with_parent
    from pipeline.workers import run_lane

    settings = load_settings(follow_run=False, slot=slot, brokers=broker)
    logs.set_up(settings, lane=lane.value, slot=settings.slot)
    log = structlog.get_logger()
    stop = threading.Event()
    leave_with_parent(stop.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log.info("worker starts", brokers=settings.brokers, topic_prefix=settings.topic_prefix)
    try:
        code = run_lane(lane.value, settings, stop)
    except Refusal:
        raise
    except Exception as error:
        refused = refusal_of(error)
        if refused is not None:
            raise refused from None
        log.exception("worker fails")
        code = Exit.FATAL
    log.info("worker leaves", code=int(code))
    raise typer.Exit(int(code))


def refusal_of(error: Exception) -> Refusal | None:
    """Wrong settings and files are for the person who wrote them: no traceback, and no restart."""
    from pipeline.settings import SettingsError
    from pipeline.yaml_lines import FileError

    return Refusal(Exit.USAGE, str(error)) if isinstance(error, SettingsError | FileError) else None
