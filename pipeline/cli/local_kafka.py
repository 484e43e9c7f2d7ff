"""`fluxai kafka`: a real Apache Kafka on this machine, through Maven."""

from __future__ import annotations

import typer

from pipeline.cli.common import JSON, Exit, Refusal, commands, print_json

app = commands("A real local Apache Kafka, for trying things out. Needs Java 17 and Maven.")


@app.command("up")
def up(nodes: int = typer.Option(1, "--nodes", help="1 or 3."), json: bool = JSON) -> None:
    """Start it, or say where it is when it runs; prints its bootstrap servers.

    \b
    Example:
      export FLUX_KAFKA_BROKERS=$(fluxai kafka up)
    """
    from pipeline.broker import local
    from pipeline.broker.jars import LocalKafkaError

    if nodes not in (1, 3):
        raise Refusal(Exit.USAGE, f"A local Kafka has 1 or 3 nodes, not {nodes}.", "Use --nodes 1 or --nodes 3.")
    try:
        cluster = local.up(nodes)
    except LocalKafkaError as error:
        raise Refusal(Exit.FATAL, f"{error}.") from None
    except OSError as error:
        raise Refusal(Exit.FATAL, f"It did not start: {error}.", "Set FLUX_STATE_DIR to a folder that can be written.") from None
    if json:
        print_json({"brokers": cluster.bootstrap, "nodes": len(cluster.nodes), "folder": str(cluster.directory)})
    else:
        print(cluster.bootstrap)


@app.command("down")
def down(nodes: int | None = typer.Option(None, "--nodes", hidden=True)) -> None:
    """Stop it; its data stay. Exit code 1 when none runs.

    \b
    Example:
      fluxai kafka down
    """
    from pipeline.broker import local

    if not local.down():
        raise Refusal(Exit.NO, "No local Kafka runs.", "Start one with: fluxai kafka up")
    print("Stopped.")
