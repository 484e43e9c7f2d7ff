"""`fluxai`: all commands. `python -m pipeline.cli.main` is the same."""

from __future__ import annotations

import importlib.util

from pipeline.cli import (
    advice,
    dead_letters,
    doctor,
    incidents,
    learning,
    local_kafka,
    providers,
    run,
    runbooks,
    send,
    silences,
    tail,
    topics,
    topology,
    worker,
)
from pipeline.cli.common import EXIT_CODES, commands

app = commands(
    f"""Alerts in, triaged incidents out: an alert pipeline on Kafka.

    \b
    Example:
      fluxai run              everything on this machine, with a story that shows it
      fluxai doctor           what is wrong here, and the fix
      fluxai explain ID       why was I (not) told

    {EXIT_CODES}
    """,
    add_completion=True,
)
app.command("run")(run.run)
app.command("worker")(worker.worker)
app.add_typer(topics.app, name="topics")
app.command("send")(send.send)
app.command("tail")(tail.tail)
if importlib.util.find_spec("pipeline.cli.normalize"):
    from pipeline.cli.normalize import normalize

    app.command("normalize")(normalize)
app.command("explain")(incidents.explain)
app.command("incidents")(incidents.incidents)
app.command("ack")(incidents.ack)
app.command("feedback")(learning.feedback)
app.add_typer(advice.app, name="advice")
app.command("providers")(providers.providers)
app.add_typer(silences.app, name="silence")
app.add_typer(runbooks.app, name="runbooks")
app.add_typer(topology.app, name="topology")
app.add_typer(dead_letters.app, name="dead-letters")
app.command("doctor")(doctor.doctor)
app.add_typer(local_kafka.app, name="kafka")

if __name__ == "__main__":
    app(prog_name="fluxai")
