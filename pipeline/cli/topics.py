"""`fluxai topics`: the catalogue's topics on a broker."""

from __future__ import annotations

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, commands, load_settings, print_json, print_table

app = commands("List, create and check the topics.")
ANSWER_S = 10.0
PARTITIONS = typer.Option(
    None, "--partitions", min=1, max=1000, help="Partitions of the topics keyed by domain, where not the catalogue's."
)


@app.command("list")
def list_topics(partitions: int | None = PARTITIONS, json: bool = JSON) -> None:
    """List the topics of the catalogue: what they carry, key, partitions, retention. Needs no broker.

    \b
    Example:
      fluxai topics list
    """
    from pipeline.broker.topics import describe

    head = ("topic", "carries", "key", "partitions", "kept")
    rows = describe(load_settings().topic_prefix, partitions)
    if json:
        for row in rows:
            print_json(dict(zip(head, row, strict=True)))
    else:
        print_table(head, rows)


@app.command("apply")
def apply_topics(broker: str | None = BROKER, partitions: int | None = PARTITIONS, json: bool = JSON) -> None:
    """Create the topics that are missing; those that exist are left as they are.

    \b
    Example:
      fluxai topics apply --broker kafka:9092
    """
    from pipeline.broker.topics import BrokersUnavailable, apply

    settings = load_settings(brokers=broker)
    try:
        created = apply(settings.brokers, settings.topic_prefix, client=settings.kafka_client(), partitions=partitions, timeout=ANSWER_S)
    except BrokersUnavailable as error:
        raise Refusal(
            Exit.CONNECTION, f"{error} ({settings.brokers}).", "Set FLUX_KAFKA_BROKERS or --broker, or run: fluxai kafka up"
        ) from None
    if json:
        print_json({"created": created})
    elif created:
        print("\n".join(f"created {name}" for name in created))
    else:
        print("All topics are there.")


@app.command("check")
def check_topics(broker: str | None = BROKER, partitions: int | None = PARTITIONS, json: bool = JSON) -> None:
    """Find missing topics, wrong partition counts and missing compaction. Exit code 1 when something is wrong.

    \b
    Example:
      fluxai topics check && fluxai worker decide
    """
    from pipeline.broker.topics import BrokersUnavailable, check

    settings = load_settings(brokers=broker)
    try:
        problems = check(settings.brokers, settings.topic_prefix, client=settings.kafka_client(), partitions=partitions, timeout=ANSWER_S)
    except BrokersUnavailable as error:
        raise Refusal(
            Exit.CONNECTION, f"{error} ({settings.brokers}).", "Set FLUX_KAFKA_BROKERS or --broker, or run: fluxai kafka up"
        ) from None
    for problem in problems:
        if json:
            print_json({"topic": problem.topic, "what": problem.what, "fix": problem.fix})
        else:
            print(problem)
    if problems:
        raise typer.Exit(Exit.NO)
    if not json:
        print("All topics are as they should be.")


@app.command("access")
def access(
    principal: str = typer.Option("User:flux-{lane}", "--principal", help="Who each lane logs in as; {lane} is replaced."),
    broker: str | None = BROKER,
) -> None:
    """Print the access rights that each lane needs, and no more, as kafka-acls.sh commands. Needs no broker.

    \b
    Example:
      fluxai topics access --principal 'User:CN={lane}' > acls.sh
    """
    from pipeline.broker.acl import commands as acl_commands

    settings = load_settings(brokers=broker)
    print("\n".join(acl_commands(settings.brokers, settings.topic_prefix, principal)))
