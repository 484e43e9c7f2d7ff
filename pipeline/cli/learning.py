"""`fluxai feedback`, `fluxai advice compare` and `calibrate`: what people say was right, and what is learned from it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.common import BROKER, JSON, Exit, Refusal, load_settings, me, now, print_json

if TYPE_CHECKING:
    from pipeline.learn.compare import Comparison
    from pipeline.settings import Settings
    from schemas.advice import AdviceTask
    from schemas.learning import Label, Snapshot

PROMOTE = typer.Option(False, "--promote", help="Put it into use, where it is better.")
FORCE = typer.Option(False, "--force", help="Also where it is not better; needs --reason.")
REASON = typer.Option("", "--reason", help="Why, with --force; kept with the snapshot.")
LAST = typer.Option(200, "--last", min=1, max=100_000, help="Labels that are compared on, the newest.")
LABELS = typer.Option(None, "--labels", exists=True, dir_okay=False, help="A file of labels, one JSON object a line, instead of the topic.")


def feedback(
    incident_id: str = typer.Argument(..., metavar="INCIDENT"),
    severity: str | None = typer.Option(
        None, "--severity", "-s", help="What it was in truth: P1 to P4. Also worth saying when it was right."
    ),
    wrong: list[str] = typer.Option([], "--wrong-runbook", metavar="ID", help="A runbook that it was given and that does not fit."),
    right: list[str] = typer.Option([], "--right-runbook", metavar="ID", help="The runbook that fits, given or not."),
    by: str | None = typer.Option(None, "--by", help="Who; default you."),
    comment: str = typer.Option("", "--comment", "-m", help="Why."),
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Say how urgent an incident was, or which runbook was wrong or right: the machine learns from it. Exit code 1 when it is not known.

    \b
    Example:
      fluxai feedback i9f31c2a07b55 --severity P2 -m "one customer only"
      fluxai feedback i9f31c2a07b55 --wrong-runbook rb-disk --right-runbook rb-postgres
    """
    import uuid

    from pipeline.cli.incidents import history
    from pipeline.cli.kafka import Outgoing, latest, send_all
    from schemas.base import Severity
    from schemas.feedback import Feedback

    if severity is not None and severity.upper() not in list(Severity):
        raise Refusal(Exit.USAGE, f"{severity!r} is no severity.", "Use P1, P2, P3 or P4.")
    told: list[dict[str, Any]] = [{"kind": "severity", "severity": severity.upper()}] if severity is not None else []
    told += [{"kind": "runbook_wrong", "runbook_id": one} for one in wrong]
    told += [{"kind": "runbook_right", "runbook_id": one} for one in right]
    if not told or set(wrong) & set(right):
        what = "One runbook cannot be wrong and right." if told else "Nothing was said."
        raise Refusal(Exit.USAGE, what, "Give --severity P1..P4, --wrong-runbook ID or --right-runbook ID.")
    settings = load_settings(brokers=broker)
    with history(settings) as source:
        incident = source.incident(incident_id)
    if incident is None:
        raise Refusal(Exit.NO, f"No incident {incident_id} is known.", "See: fluxai incidents")
    given = [one.id for one in incident.runbooks]
    if strange := [one for one in wrong if one not in given]:
        raise Refusal(Exit.NO, f"{incident_id} was not given the runbook {strange[0]!r}.", f"It was given: {', '.join(given) or 'none'}.")
    if set(right) - set(given):
        known = {key.decode(errors="replace") for key in latest(settings, "runbooks")}
        if strange := [one for one in right if one not in known and one not in given]:
            raise Refusal(Exit.NO, f"No runbook {strange[0]!r} is known.", "See: fluxai runbooks list")
    common = {"incident_id": incident_id, "domain": incident.domain, "by": by or me(), "at": now(), "comment": comment}
    said = [Feedback.model_validate(common | one | {"feedback_id": f"f-{uuid.uuid4().hex}"}) for one in told]
    send_all(settings, "feedback", [Outgoing(incident.domain.encode(), one.to_json()) for one in said])
    for one in said:
        if json:
            print_json(one.model_dump(mode="json"))
        else:
            print(f"{incident_id}: {one.kind} {one.severity or one.runbook_id}, said {one.by}.")


def compare(
    last: int = LAST,
    prompt: str | None = typer.Option(None, "--prompt", help="Compare this version of a prompt with the one in use: triage@2, triage.v2."),
    ask: bool = typer.Option(False, "--ask", help="With --prompt: ask again the questions about labelled incidents, with that version."),
    provider: str | None = typer.Option(None, "--provider", "-p", help="With --ask: ask this one only."),
    within: float = typer.Option(60.0, "--within", min=1, max=600, help="With --ask: seconds for each question."),
    promote: bool = PROMOTE,
    force: bool = FORCE,
    reason: str = REASON,
    labels: Path | None = LABELS,
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """Is what could be learned from people better than what is in use? Exit code 1 when it is not.

    Compares the candidate classifier, the one in use, the rules alone and the language model on what people said. Labels are of incidents
    that a person looked at: rates are of those.

    \b
    Example:
      fluxai advice compare
      fluxai advice compare --prompt triage@2 --ask --promote
    """
    from pipeline.cli.learning_show import print_comparison

    check_options(promote, force, reason, labels, ask and prompt is None)
    settings = load_settings(brokers=broker)
    taught, in_use = read_labels(settings, labels), {} if labels is not None else snapshots(settings)
    if prompt is not None:
        found, made = compare_prompts(settings, taught, in_use, prompt, last, (ask, provider, within))
    else:
        found, made = compare_classifiers(taught, in_use, last)
    if json:
        print_json(found.to_json())
    else:
        print_comparison(found)
    if not promote:
        if not found.verdict.better:
            raise typer.Exit(Exit.NO)
        return
    if made is None or not (found.verdict.better or force):
        raise Refusal(Exit.NO, f"Not promoted: {found.verdict.reason}.", "To promote it all the same: --promote --force --reason WHY")
    put_into_use(settings, made, "" if found.verdict.better else reason)


def calibrate(
    promote: bool = PROMOTE,
    labels: Path | None = LABELS,
    broker: str | None = BROKER,
    json: bool = JSON,
) -> None:
    """How far the probabilities of language models can be believed, and a correction. Exit code 1 when nothing is better than now.

    Only models that give probabilities can be corrected (Ollama and OpenAI-compatible servers do; Claude does not).

    \b
    Example:
      fluxai advice calibrate --promote
    """
    from pipeline.cli.learning_show import print_fits
    from pipeline.learn.calibration import calibrations

    check_options(promote, False, "", labels, False)
    settings = load_settings(brokers=broker)
    taught, in_use = read_labels(settings, labels), {} if labels is not None else snapshots(settings)
    try:
        fits = calibrations(taught, in_use, me())
    except ValueError as error:
        raise Refusal(Exit.NO, f"A calibration in use cannot be read: {error}.", "It is not used by the advise worker either.") from None
    if json:
        for one in fits:
            print_json(one.to_json())
        if not fits:
            print_json([])
    else:
        print_fits(fits)
    better = [one.snapshot for one in fits if one.snapshot is not None]
    if promote:
        for made in better:
            put_into_use(settings, made, "")
    if not better:
        raise typer.Exit(Exit.NO)


def check_options(promote: bool, force: bool, reason: str, labels: Path | None, stray_ask: bool) -> None:
    if stray_ask:
        raise Refusal(Exit.USAGE, "--ask asks with a version of a prompt.", "Name it: --prompt triage@2 --ask")
    if force and not (promote and reason.strip()):
        raise Refusal(
            Exit.USAGE, "--force needs --promote and --reason.", 'Write: --promote --force --reason "why it is right all the same"'
        )
    if promote and labels is not None:
        raise Refusal(Exit.USAGE, "What is learned from a file has no place in the topic's order.", "Promote without --labels.")


def read_labels(settings: Settings, file: Path | None) -> list[tuple[int, Label]]:
    """(offset or line, label) in order. Lines of a file must be labels; on the topic what is none is passed over and said."""
    from pydantic import ValidationError

    from schemas.learning import Label

    found: list[tuple[int, Label]] = []
    if file is not None:
        for number, line in enumerate(file.read_bytes().splitlines(), 1):
            if line.strip():
                try:
                    found.append((number, Label.from_json(line)))
                except ValidationError as error:
                    item = error.errors(include_url=False, include_input=False)[0]
                    where = ".".join(map(str, item["loc"]))
                    raise Refusal(Exit.USAGE, f"{file}, line {number}: {where} {item['msg']}.", "Each line is a label (schemas).") from None
        return found
    from pipeline.cli.kafka import Reader

    unreadable = 0
    with Reader(settings) as reader:
        reader.start(["labels"])
        for message in reader.to_the_end():
            try:
                if value := message.value():
                    found.append((int(message.offset() or 0), Label.from_json(value)))
            except ValidationError:
                unreadable += 1
    if unreadable:
        print(f"{unreadable} records of the topic labels are no labels and are passed over.", file=sys.stderr)
    return found


def snapshots(settings: Settings) -> dict[str, Snapshot]:
    from pydantic import ValidationError

    from pipeline.cli.kafka import latest
    from schemas.learning import Snapshot

    found = {}
    for key, value in latest(settings, "models").items():
        try:
            found[key.decode(errors="replace")] = Snapshot.from_json(value)
        except ValidationError:
            print(f"{key.decode(errors='replace')} on the topic models is no snapshot and is passed over.", file=sys.stderr)
    return found


def compare_classifiers(taught: list[tuple[int, Label]], in_use: Mapping[str, Snapshot], last: int) -> tuple[Comparison, Snapshot | None]:
    from pipeline.learn.compare import classifiers, fold
    from pipeline.learn.words import WHY_NOT

    learners, unusable = fold(taught, in_use, last)
    if unusable:
        print(f"{unusable} labels say nothing and are passed over.", file=sys.stderr)
    for reason, count in sorted(learners.passed_over.items()):
        print(f"{count} labels do not count: {WHY_NOT[reason]}.", file=sys.stderr)
    learner = learners.severity
    found = classifiers(learner)
    return found, learner.candidate(found.verdict, me()) if learner.window else None


def compare_prompts(
    settings: Settings,
    taught: list[tuple[int, Label]],
    in_use: Mapping[str, Snapshot],
    name: str,
    last: int,
    how: tuple[bool, str | None, float],
) -> tuple[Comparison, Snapshot | None]:
    from agents.advice.prompt import template
    from pipeline.learn.compare import newest_of_each, prompts
    from schemas.advice import AdviceTask
    from schemas.learning import Snapshot

    task, version = prompt_named(name)
    now_used = in_use.get(f"prompt/{task.value}")
    current = f"{task.value}@{now_used.version}" if now_used is not None else template(task).id
    candidate = template(task, version).id
    if candidate == current:
        raise Refusal(Exit.USAGE, f"{candidate} is the version in use.", "Name another: fluxai advice prompts")
    if task is not AdviceTask.TRIAGE:
        raise Refusal(Exit.USAGE, f"No person's word is kept on {task.value}.", "Only versions of triage can be compared by labels.")
    rows = newest_of_each(taught, last)
    asks, provider, within = how
    answers = None
    if asks:
        from pipeline.cli.learning_ask import ask_again

        answers = ask_again(settings, task, version, [label for _, label in rows if label.model.endswith(f" {current}")], provider, within)
    found = prompts(rows, candidate, current, answers)
    made = Snapshot(
        name=f"prompt/{task.value}",
        version=version,
        labels=len(rows),
        content={"prompt": candidate},
        metrics=found.verdict.metrics(),
        replaced=int(current.rpartition("@")[2]),
        at=now(),
        by=me(),
    )
    return found, made


def prompt_named(name: str) -> tuple[AdviceTask, int]:
    """(task, version) of `triage@2`, `triage.v2` or `triage:2`. Refuses what the library does not have."""
    import re

    from agents.advice.prompt import template, templates
    from schemas.advice import AdviceTask

    found = re.fullmatch(r"([a-z_]+)(?:@|\.v|:)(\d{1,6})", name)
    try:
        if found is None:
            raise KeyError(name)
        task = AdviceTask(found[1])
        template(task, int(found[2]))
    except (KeyError, ValueError):
        raise Refusal(Exit.USAGE, f"There is no prompt {name!r}.", f"Known: {', '.join(one.id for one in templates())}.") from None
    return task, int(found[2])


def put_into_use(settings: Settings, made: Snapshot, forced: str) -> None:
    from pipeline.cli.kafka import Outgoing, send_all

    if forced:
        made = made.model_copy(update={"content": made.content | {"forced": forced[:500]}})
    send_all(settings, "models", [Outgoing(made.name.encode(), made.to_json())])
    print(f"{made.name} version {made.version} is in use{' (forced)' if forced else ''}.", file=sys.stderr)
