"""`fluxai advice`: what language models are asked, what they answer, and what of it would be shown."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli import advice_routes, advice_usage
from pipeline.cli.advice_off import PAID, who_may_be_asked
from pipeline.cli.common import BROKER, JSON, Exit, Refusal, commands, load_settings, print_json, print_table, safe

if TYPE_CHECKING:
    from pipeline.cli.advice_ask import Outcome

app = commands("Language models: try one, see its prompts, routes and cost.")
app.add_typer(advice_routes.app, name="routes")
app.command("usage")(advice_usage.usage)

PROVIDER = typer.Option(
    None, "--provider", "-p", help="Ask this one only: ollama, openai, claude, or scripted (a built-in answer, no server)."
)
WITHIN = typer.Option(60.0, "--within", min=1, max=600, help="Seconds to wait; a server that must load its model first takes long.")
PROMPT = typer.Option(False, "--show-prompt", help="Print what was sent, as it left us.")
RAW = typer.Option(False, "--raw", help="Print the answer as it came.")


@app.command("try")
def try_one(
    file: Path = typer.Argument(..., metavar="FILE", help="A payload of any known source; - reads standard input."),
    provider: str | None = PROVIDER,
    task: str = typer.Option("triage", "--task", help="triage, runbooks, anomaly, handover or noise_rule."),
    index: int = typer.Option(0, "--index", min=0, help="Which alert of the payload, from 0."),
    source: str | None = typer.Option(None, "--source", help="Name of the source, as its `source` header would say."),
    show_prompt: bool = PROMPT,
    raw: bool = RAW,
    within: float = WITHIN,
    paid: bool = PAID,
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Ask a model about one alert as the pipeline would; nothing is published and nobody is told. Exit code 1 without a usable answer.

    \b
    Example:
      fluxai advice try payload.json
      fluxai advice try payload.json --provider scripted --show-prompt
    """
    from pipeline.cli.advice_ask import ask, nobody_named
    from pipeline.cli.advice_question import note, question_from_file

    settings = load_settings(brokers=broker)
    nobody_named(settings, provider)
    settings = who_may_be_asked(settings, provider, paid)
    asked, known = question_from_file(settings, file, index, source, task, scripted=provider == "scripted")
    if asked.but:
        note(f"the decide lane would not ask about it: {asked.but}")
    show(ask(settings, known, asked.request, provider, within), show_prompt, raw, json)


@app.command("prompts")
def prompts(
    task: str | None = typer.Argument(None, metavar="TASK", help="Print the static text of this task's prompt."),
    json: bool = JSON,
) -> None:
    """The prompt library: versions, models they were written for, limits, and what a call costs at most by provider.

    \b
    Example:
      fluxai advice prompts
      fluxai advice prompts triage
    """
    from agents.advice.prompt import template, templates
    from pipeline.cli.advice_question import task_of

    if task is not None:
        print(template(task_of(task)).system.strip())
        return
    settings = load_settings(follow_run=False)
    rows = [(one, estimates(one, settings.anthropic_model)) for one in templates()]
    if json:
        for one, dollars in rows:
            print_json(one.model_dump(mode="json", exclude={"prompt", "fields"}) | {"id": one.id, "usd_at_most": dollars})
        return
    print_table(
        ("prompt", "in use", "input", "answer", "claude usd", "written for", "about"),
        [
            (
                one.id,
                "yes" if one.current else "",
                one.max_input_tokens,
                one.max_tokens,
                f"{dollars['claude']:.5f}",
                ", ".join(f"{name} {model}" for name, model in one.recommended.items()),
                one.about,
            )
            for one, dollars in rows
        ],
    )
    print("Input and answer in tokens, at most; USD of one call at most. Servers of your own cost nothing here.")


def estimates(template: Any, claude_model: str) -> dict[str, float]:
    from pipeline.act.providers.prices import price

    return {"ollama": 0.0, "claude": round(price(claude_model).cost(template.max_input_tokens, template.max_tokens), 6)}


def about_an_incident(name: str, task: str, about: str) -> None:
    """A command that asks about an incident; `about` is its help."""

    def command(
        incident_id: str = typer.Argument(..., metavar="INCIDENT"),
        provider: str | None = PROVIDER,
        show_prompt: bool = PROMPT,
        raw: bool = RAW,
        within: float = WITHIN,
        paid: bool = PAID,
        broker: str | None = BROKER,
        json: bool = JSON,
    ) -> None:
        on_incident(task, incident_id, provider, (show_prompt, raw, json), within, (broker, paid))

    app.command(name, help=f"{about}\n\n\b\nExample:\n  fluxai advice {name} i9f31c2a07b55")(command)


about_an_incident("handover", "handover", "Sum an incident up for whoever takes over.")
about_an_incident("propose", "noise_rule", "Propose a rule against the noise of an incident, as text for you to judge; nothing is set.")


@app.command("anomaly")
def anomaly(
    file: Path = typer.Argument(..., metavar="FILE", help="A JSON object of facts (service, metric, value, expected, ...), or a payload."),
    provider: str | None = PROVIDER,
    show_prompt: bool = PROMPT,
    raw: bool = RAW,
    within: float = WITHIN,
    paid: bool = PAID,
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Say in a sentence or two what an anomaly is.

    \b
    Example:
      echo '{"service": "search-api", "metric": "latency_p95", "value": 840, "expected": 210}' | fluxai advice anomaly -
    """
    from pipeline.cli.advice_ask import ask, nobody_named
    from pipeline.cli.advice_incident import anomaly_request
    from pipeline.cli.advice_question import what_is_known

    settings = load_settings(brokers=broker)
    nobody_named(settings, provider)
    settings = who_may_be_asked(settings, provider, paid)
    known = what_is_known(settings, scripted=provider == "scripted")
    show(ask(settings, known, anomaly_request(file, known), provider, within), show_prompt, raw, json)


def on_incident(
    task: str, incident_id: str, provider: str | None, how: tuple[bool, bool, bool], within: float, whom: tuple[str | None, bool]
) -> None:
    """`how`: prompt, raw, JSON. `whom`: the broker, and whether also those that cost money with AI_MODE=off."""
    from pipeline.cli.advice_ask import ask, nobody_named
    from pipeline.cli.advice_incident import incident_request
    from pipeline.cli.advice_question import task_of, what_is_known
    from pipeline.cli.incidents import history

    broker, paid = whom
    settings = load_settings(brokers=broker)
    nobody_named(settings, provider)
    settings = who_may_be_asked(settings, provider, paid)
    with history(settings) as source:
        incident = source.incident(incident_id)
        decisions = source.decisions_of(incident_id, 200) if incident is not None else []
    if incident is None:
        raise Refusal(Exit.NO, f"No incident {incident_id} is known.", "See: fluxai incidents")
    known = what_is_known(settings, scripted=provider == "scripted")
    show(ask(settings, known, incident_request(task_of(task), incident, decisions, known), provider, within), *how)


def show(it: Outcome, show_prompt: bool, raw: bool, json: bool) -> None:
    """Print an outcome; exit code 1 without an answer that can be used."""
    from pipeline.cli.advice_ask import as_json
    from pipeline.cli.advice_show import lines

    if json:
        print_json(as_json(it))
    else:
        for name, text in lines(it, show_prompt=show_prompt, raw=raw):
            first, *more = text.splitlines() or [""]
            print(f"{name:<10}  {safe(first)}".rstrip())
            for line in more:
                print(f"{'':<10}  {safe(line)}".rstrip())
    if it.receipt.advice is None:
        raise typer.Exit(Exit.NO)


if importlib.util.find_spec("pipeline.cli.learning"):
    learning = importlib.import_module("pipeline.cli.learning")
    for name in ("compare", "calibrate"):
        if hasattr(learning, name):
            app.command(name)(getattr(learning, name))
