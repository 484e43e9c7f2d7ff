"""`fluxai advice routes`: which provider is asked about what, and which rule would fire for an alert."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agents.advice.config import PROVIDERS
from pipeline.cli.advice_question import note
from pipeline.cli.common import BROKER, JSON, Exit, Refusal, commands, load_settings, me, print_json, print_table, read_config, safe
from pipeline.cli.silences import matcher
from pipeline.models import SETTINGS_OF

if TYPE_CHECKING:
    from pipeline.routing import DryRun
    from pipeline.settings import Settings
    from schemas.routing import RoutingRule

HELP = """List the rules in force, of the file and of the topic, in their order; the first that fits decides.

\b
Example:
  fluxai advice routes
  fluxai advice routes --test payload.json
  fluxai advice routes add night --provider ollama --severity P3 --severity P4 --reason "cheap at night"
"""
app = commands(HELP, no_args_is_help=False, invoke_without_command=True)


@app.callback()
def routes(
    context: typer.Context,
    test: Path | None = typer.Option(None, "--test", metavar="FILE", help="Which rule would fire for this payload's alert? Asks no model."),
    index: int = typer.Option(0, "--index", min=0, help="Which alert of the payload, from 0."),
    source: str | None = typer.Option(None, "--source", help="Name of the source, as its `source` header would say."),
    task: str = typer.Option("triage", "--task", help="triage, runbooks, anomaly, handover or noise_rule."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """The list, or a dry run."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(brokers=broker)
    if test is not None:
        show_dry_run(settings, test, index, source, task, json)
        return
    rules = known(settings)
    if json:
        for rule in rules:
            print_json(rule.model_dump(mode="json"))
        if not rules:
            print_json([])
        return
    print_table(
        ("order", "id", "task", "severities", "matchers", "providers", "owner", "reason"),
        [
            (
                rule.order,
                rule.rule_id,
                rule.task.value if rule.task else "any",
                " ".join(one.value for one in rule.severities) or "any",
                " ".join(f"{one.name}{one.op}{one.value}" for one in rule.matchers) or "any",
                (", ".join(rule.providers) or "nobody") + (" (local only)" if rule.local_only else ""),
                rule.owner or "file",
                rule.reason,
            )
            for rule in rules
        ],
    )
    print(f"Where no rule fits: {defaults()}.")


@app.command("add")
def add(
    rule_id: str = typer.Argument(..., metavar="ID", help="Its name; a rule of that name is replaced."),
    provider: list[str] = typer.Option([], "--provider", "-p", help="Asked in this order; none given asks nobody."),
    task: str | None = typer.Option(None, "--task", help="triage, runbooks, anomaly, handover or noise_rule; default any."),
    severity: list[str] = typer.Option([], "--severity", help="Of the rules' verdict; default any."),
    matchers: list[str] = typer.Option([], "--match", "-m", help="service=checkout, team=~'pay.*'; all must hold."),
    order: int = typer.Option(100, "--order", min=0, max=10_000, help="Lower is looked at first."),
    local_only: bool = typer.Option(False, "--local-only", help="Pass over providers outside this network."),
    reason: str = typer.Option(..., "--reason", "-r", help="Why; people read it beside each answer."),
    owner: str | None = typer.Option(None, "--owner", help="Who answers for it; default you."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Add or replace a rule. Workers follow within a second or two.

    \b
    Example:
      fluxai advice routes add payments --match service=payments --provider ollama --local-only --reason "card data stays here"
    """
    from pydantic import ValidationError

    from schemas.routing import RoutingRule

    settings = load_settings(brokers=broker)
    for name in provider:
        if name not in PROVIDERS:
            raise Refusal(Exit.USAGE, f"There is no provider {name!r}.", f"Known: {', '.join(PROVIDERS)}.")
    try:
        rule = RoutingRule.model_validate(
            {
                "rule_id": rule_id,
                "order": order,
                "task": task,
                "severities": severity,
                "matchers": [matcher(text) for text in matchers],
                "providers": provider,
                "local_only": local_only,
                "reason": reason,
                "owner": owner or me(),
            }
        )
    except ValidationError as error:
        raise Refusal(Exit.USAGE, "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_url=False)) + ".") from None
    publish(settings, rule.rule_id, rule)
    for name in rule.providers:
        if name not in settings.providers:
            note(f"{name} is not set up here ({SETTINGS_OF[name]} is not set); workers without it pass it over")
    if json:
        print_json(rule.model_dump(mode="json"))
    else:
        print(f"{rule.rule_id} asks {', '.join(rule.providers) or 'nobody'}. To see what it does: fluxai advice routes --test FILE")


@app.command("remove")
def remove(rule_id: str = typer.Argument(..., metavar="ID"), broker: str | None = BROKER, json: bool = JSON) -> None:
    """Remove a rule from the topic. Exit code 1 when there is none of that id there.

    \b
    Example:
      fluxai advice routes remove night
    """
    settings = load_settings(brokers=broker)
    if rule_id not in written(settings):
        in_file = any(rule.rule_id == rule_id for rule in read_config(settings).advice.routes)
        fix = "It is in the configuration file: change it there." if in_file else "See: fluxai advice routes"
        raise Refusal(Exit.NO, f"No rule {rule_id} is on the topic.", fix)
    publish(settings, rule_id, None)
    if json:
        print_json({"removed": rule_id})
    else:
        print(f"{rule_id} is gone.")


def defaults() -> str:
    from agents.advice.config import CHAINS

    chains: dict[tuple[str, ...], list[str]] = {}
    for task, chain in CHAINS.items():
        chains.setdefault(chain, []).append(task.value)
    return "; ".join(f"{', '.join(tasks)}: {' then '.join(chain)}" for chain, tasks in chains.items())


def known(settings: Settings) -> list[RoutingRule]:
    """Those of the file and of the topic; where Kafka is away those of the file, and stderr says so."""
    from pipeline.cli.advice_question import what_is_known

    return what_is_known(settings).rules


def written(settings: Settings) -> dict[str, RoutingRule]:
    from pipeline.cli.kafka import latest
    from schemas.routing import RoutingRule

    return {key.decode(): RoutingRule.from_json(value) for key, value in latest(settings, "routing").items() if value}


def publish(settings: Settings, rule_id: str, rule: RoutingRule | None) -> None:
    from pipeline.cli.kafka import Outgoing, send_all

    send_all(settings, "routing", [Outgoing(rule_id.encode(), None if rule is None else rule.to_json())])


def show_dry_run(settings: Settings, file: Path, index: int, source: str | None, task: str, json: bool) -> None:
    from pipeline.cli.advice_question import question_from_file
    from pipeline.routing import dry_run

    asked, reference = question_from_file(settings, file, index, source, task)
    found = dry_run(reference.rules, asked.request.question, reference.available, reference.forbidden)
    if json:
        print_json(as_json(found))
        return
    print(told(found))
    for one in found.fits:
        mark = "fires" if one.decides else "no   " if one.why_not else "later"
        limit = f" ({one.limits})" if one.limits and not one.decides else ""
        print(safe(f"  {mark}  {one.rule.order:>5} {one.rule.rule_id}: {one.why_not or one.rule.reason}{limit}"))
    for name, why in found.route.passed_over.items():
        print(safe(f"  {name} is passed over: {why}"))
    if asked.but:
        print(safe(f"Yet the decide lane would not ask: {asked.but}."))


def told(found: DryRun) -> str:
    from agents.advice.route import DEFAULT

    route = found.route
    whom = " then ".join(route.providers) or "nobody"
    if route.rule_id == DEFAULT:
        return safe(f"No rule fits, so the default asks {whom} ({route.reason}).")
    return safe(f"Rule {route.rule_id} ({route.reason}) asks {whom}.")


def as_json(found: DryRun) -> dict[str, object]:
    route = found.route
    return {
        "rule": route.rule_id,
        "reason": route.reason,
        "providers": list(route.providers),
        "passed_over": dict(route.passed_over),
        "looked_at": [
            {"rule": one.rule.rule_id, "order": one.rule.order, "fits": one.fits, "why_not": one.why_not, "limits": one.limits}
            for one in found.fits
        ],
    }
