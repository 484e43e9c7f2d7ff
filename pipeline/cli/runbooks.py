"""`fluxai runbooks`: what to do about an alert."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, commands, load_settings, print_json, print_table

app = commands("Import and list runbooks.")


@app.command("import")
def import_folder(
    folder: Path = typer.Argument(..., metavar="DIR", help="Folder (or file) of Markdown, YAML or JSON runbooks."),
    replace: bool = typer.Option(False, "--replace", help="Forget runbooks that the folder does not hold."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Import runbooks with their content. A wrong file changes nothing.

    Markdown needs no special form: the first heading is the title, numbered lists are the steps, bullets under "Symptoms" are patterns.
    Front matter may name id, title, services, alerts, patterns, steps and url.

    \b
    Example:
      fluxai runbooks import docs/runbooks --replace
    """
    from pipeline.cli.kafka import Outgoing, latest, send_all
    from pipeline.cli.runbook_files import read_folder
    from pipeline.yaml_lines import FileError

    settings = load_settings(brokers=broker)
    try:
        runbooks = read_folder(folder)
    except FileError as error:
        raise Refusal(Exit.USAGE, str(error)) from None
    records = [Outgoing(runbook.runbook_id.encode(), runbook.to_json()) for runbook in runbooks]
    kept = {runbook.runbook_id.encode() for runbook in runbooks}
    gone = [key for key in latest(settings, "runbooks") if key not in kept] if replace else []
    send_all(settings, "runbooks", [*records, *(Outgoing(key, None) for key in gone)])
    without = [runbook.runbook_id for runbook in runbooks if not runbook.steps]
    if json:
        print_json({"imported": len(runbooks), "forgotten": len(gone), "without_steps": without})
        return
    print(f"{len(runbooks)} runbooks imported" + (f", {len(gone)} forgotten." if gone else "."))
    if without:
        print(f"No steps were found in: {', '.join(without)}. Write them as a numbered list.")


@app.command("list")
def list_runbooks(broker: str | None = BROKER, json: bool = JSON) -> None:
    """List the runbooks that are known.

    \b
    Example:
      fluxai runbooks list --json | jq .title
    """
    from pipeline.cli.kafka import latest
    from schemas.runbook import Runbook

    runbooks = [Runbook.from_json(value) for _, value in sorted(latest(load_settings(brokers=broker), "runbooks").items())]
    if json:
        for runbook in runbooks:
            print_json(runbook.model_dump(mode="json"))
        return
    rows = [(one.runbook_id, one.title, len(one.steps), ", ".join(one.services), ", ".join(one.alert_names)) for one in runbooks]
    print_table(("id", "title", "steps", "services", "alerts"), rows)
