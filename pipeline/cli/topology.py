"""`fluxai topology`: which service depends on which, and who owns it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, commands, load_settings, print_json, print_table

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from schemas.topology import Service

app = commands("Import and list the service topology.")


@app.command("import")
def import_file(
    file: Path = typer.Argument(
        ..., metavar="FILE", help="YAML or JSON: a list of services, or a map of name to service, also under `services`."
    ),
    replace: bool = typer.Option(False, "--replace", help="Forget services that the file does not name."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Import services, their dependencies and owners. A wrong file changes nothing.

    \b
    Example:
      printf 'services:\\n  checkout: {depends_on: [payments], tier: 1, owner: shop}\\n' > topology.yaml
      fluxai topology import topology.yaml
    """
    from pipeline.cli.kafka import Outgoing, send_all
    from pipeline.yaml_lines import FileError

    settings = load_settings(brokers=broker)
    try:
        services = read_services(file)
    except FileError as error:
        raise Refusal(Exit.USAGE, str(error)) from None
    gone = sorted(set(known(settings)) - {service.name for service in services}) if replace else []
    changes = [Outgoing(service.name.encode(), service.to_json()) for service in services]
    send_all(settings, "topology", [*changes, *(Outgoing(name.encode(), None) for name in gone)])
    unknown = sorted({name for service in services for name in service.depends_on} - {service.name for service in services})
    if json:
        print_json({"imported": len(services), "forgotten": len(gone), "dependencies_not_in_file": unknown})
        return
    print(f"{len(services)} services imported" + (f", {len(gone)} forgotten." if gone else "."))
    if unknown:
        print(f"Dependencies that the file does not describe: {', '.join(unknown)}.")


@app.command("list")
def list_services(broker: str | None = BROKER, json: bool = JSON) -> None:
    """List the services that are known.

    \b
    Example:
      fluxai topology list
    """
    services = sorted(known(load_settings(brokers=broker)).values(), key=lambda service: service.name)
    if json:
        for service in services:
            print_json(service.model_dump(mode="json"))
        return
    rows = [
        (one.name, one.tier, "yes" if one.customer_facing else "", one.owner, one.environment, ", ".join(one.depends_on))
        for one in services
    ]
    print_table(("service", "tier", "customers", "owner", "environment", "depends on"), rows)


def read_services(file: Path) -> list[Service]:
    """Every service of a file. Raises FileError with file, line and fix for each fault; an unknown key is one."""
    from pydantic import ConfigDict

    from pipeline.yaml_lines import FileError, FileProblem, checked, read
    from schemas.topology import Service

    class Entry(Service):
        model_config = ConfigDict(extra="forbid", populate_by_name=True)

    document = read(file)
    value: Any = document.value
    at: tuple[str | int, ...] = ()
    if isinstance(value, dict) and isinstance(value.get("services"), dict | list):
        value, at = value["services"], ("services",)
    if isinstance(value, dict):
        entries = [
            (name, {"name": str(name), **(body if isinstance(body, dict) else {})} if isinstance(body, dict | None) else body)
            for name, body in value.items()
        ]
    elif isinstance(value, list):
        entries = list(enumerate(value))
    else:
        raise FileError([FileProblem(str(file), 1, "", "holds no services", "Write a list of services, or a map of name to service")])
    problems: list[FileProblem] = []
    services = []
    for key, body in entries:
        try:
            services.append(Service.model_validate(checked(document, Entry, body, (*at, key)).model_dump(by_alias=True)))
        except FileError as error:
            problems += error.problems
    if problems:
        raise FileError(problems)
    return services


def known(settings: Settings) -> dict[str, Service]:
    from pipeline.cli.kafka import latest
    from schemas.topology import Service

    return {key.decode(): Service.from_json(value) for key, value in latest(settings, "topology").items()}
