"""Language models over HTTP: which are set up, what is spent, and the rules that choose among them, with a dry run."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError

from agents.advice.config import unknown
from agents.advice.route import unusable
from pipeline.api.answers import Name, Text
from pipeline.api.body import read_body
from pipeline.api.parts import Parts
from pipeline.api.publish import Coordinates
from pipeline.asking import NotAsked, asked
from pipeline.history.base import HistoryUnavailable
from pipeline.routing import DryRun, dry_run
from pipeline.spending import budget_now
from schemas.advice import AdviceTask
from schemas.base import Matcher, Severity, from_ms
from schemas.routing import RoutingRule

RuleId = Annotated[str, Path(min_length=1, max_length=100)]
TEST_BYTES = 1_048_576


class Provider(BaseModel):
    name: str
    set_up: bool
    setting: str = Field(description="Environment variable that sets it up")
    url: str = Field(description="Without user and password")
    model: str
    local: bool = Field(description="What is sent to it stays in this network")
    paid: bool
    slots: int
    allowed: bool = Field(description="Local-only mode lets it be asked")


class Providers(BaseModel):
    mode: str
    providers: list[Provider]
    budget: dict[str, int | float] | None = Field(default=None, description="Of paid providers; absent where history does not answer")


class NewRule(BaseModel):
    """`providers` are asked in turn until one answers; an empty list asks nobody."""

    order: int = Field(default=100, ge=0, le=10_000, description="Lower is looked at first")
    task: AdviceTask | None = None
    severities: list[Severity] = []
    matchers: list[Matcher] = Field(default=[], max_length=50)
    providers: list[Name] = Field(max_length=5)
    local_only: bool = False
    reason: Annotated[Text, Field(min_length=1)]
    owner: Name


class Rules(BaseModel):
    rules: list[RoutingRule] = Field(description="Those of the file and of the topic, in the order in which they are looked at")


class Looked(BaseModel):
    rule_id: str
    order: int
    fits: bool
    why_not: str
    limits: str = Field(description="Why it keeps the question in this network; empty where it does not")


class Tested(BaseModel):
    """`rule_id` is `default` where no rule fits. `but`: why the decide lane would not ask about this alert at all."""

    rule_id: str
    reason: str
    providers: list[str]
    passed_over: dict[str, str]
    looked_at: list[Looked]
    alert: str
    severity: Severity
    but: str = ""


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/api/v1", tags=["advice"])

    @router.get("/providers", response_model=Providers)
    async def providers() -> Providers:
        """Which providers are set up and may be asked. No server is asked anything: `fluxai providers --test` does that."""
        desk = parts.advice
        budget = None
        moment = from_ms(parts.now())
        try:
            _, found = await parts.archive.ask(lambda history: budget_now(history, desk.settings, desk.config.advice, moment))
            budget = found.to_json()
        except HistoryUnavailable:
            pass  # what is set up is worth telling without it
        facts = [Provider.model_validate(asdict(one)) for one in desk.facts()]
        return Providers(mode=desk.config.advice.mode, providers=facts, budget=budget)

    @router.get("/advice/routes", response_model=Rules)
    async def listed() -> Rules:
        return Rules(rules=await rules_of(parts))

    @router.post("/advice/routes/test", response_model=Tested)
    async def test(
        request: Request,
        source: Annotated[str, Query(max_length=100, description="Name of the source, as in the path that alerts are posted to")] = "",
        index: Annotated[int, Query(ge=0, le=100_000, description="Which alert of the body")] = 0,
        task: AdviceTask = AdviceTask.TRIAGE,
    ) -> Tested:
        """Which rule would fire for this payload's alert? Nothing is written, and no model is asked."""
        body = await read_body(request.stream().__aiter__(), parts.budget, gzip=False, limit=TEST_BYTES)
        parts.budget.give(len(body.data))
        if not body.whole:
            raise HTTPException(413, "the body is too large for a test")
        return await asyncio.to_thread(tested, parts, body.data, source, index, task)

    @router.get("/advice/routes/{rule_id}", response_model=RoutingRule)
    async def one(rule_id: RuleId) -> RoutingRule:
        return next((rule for rule in await rules_of(parts) if rule.rule_id == rule_id), None) or missing(rule_id)

    @router.put("/advice/routes/{rule_id}", response_model=RoutingRule)
    async def put(rule_id: RuleId, asked: NewRule) -> RoutingRule:
        """Add or replace a rule of the topic. 200 when Kafka has it; workers follow within a second or two."""
        rule = made(rule_id, asked)
        await parts.publisher.send("routing", rule_id.encode(), rule.to_json())
        return rule

    @router.delete("/advice/routes/{rule_id}", status_code=204)
    async def delete(rule_id: RuleId) -> Response:
        """A rule of the file with that id is in force again."""
        written = await asyncio.to_thread(parts.advice.written)
        if rule_id not in written:
            missing(rule_id)
        await parts.publisher.send("routing", rule_id.encode(), None)
        return Response(status_code=204)

    return router


async def rules_of(parts: Parts) -> list[RoutingRule]:
    return (await asyncio.to_thread(parts.advice.known)).rules


def missing(rule_id: str) -> Any:
    raise HTTPException(404, f"no rule {rule_id!r} on the topic or in the file")


def made(rule_id: str, asked: NewRule) -> RoutingRule:
    """Raises HTTPException 422, with the fix."""
    if wrong := unknown(asked.providers):
        raise HTTPException(422, wrong)
    if broken := unusable(asked.matchers):
        raise HTTPException(422, broken)
    try:
        return RoutingRule.model_validate({"rule_id": rule_id, **asked.model_dump()})
    except ValidationError as error:
        raise HTTPException(422, "; ".join(each["msg"] for each in error.errors())) from error


def tested(parts: Parts, body: bytes, source: str, index: int, task: AdviceTask) -> Tested:
    """Raises HTTPException 422 for what is no alert, and HistoryUnavailable when Kafka does not answer."""
    now = parts.now()
    found = parts.normalize(body, source, Coordinates("test", 0, 0, now))
    if index >= len(found.alerts):
        whys = "; ".join(f"{one.reason.value}: {one.error}" for one in found.rejects[:3])
        raise HTTPException(422, f"the body holds {len(found.alerts)} alerts, there is no number {index}" + (f" ({whys})" if whys else ""))
    known = parts.advice.known()
    alert = found.alerts[index]
    try:
        made = asked(alert, known.config, now, known.tables)
    except NotAsked as error:
        raise HTTPException(422, f"nothing is asked about {alert.name} ({alert.status.value}): {error}") from error
    question = made.request.question.model_copy(update={"task": task})
    return answer(dry_run(known.rules, question, known.available, known.forbidden), alert.name, question.rule_severity, made.but)


def answer(run: DryRun, alert: str, severity: Severity, but: str) -> Tested:
    route = run.route
    return Tested(
        rule_id=route.rule_id,
        reason=route.reason,
        providers=list(route.providers),
        passed_over=dict(route.passed_over),
        looked_at=[
            Looked(rule_id=one.rule.rule_id, order=one.rule.order, fits=one.fits, why_not=one.why_not, limits=one.limits)
            for one in run.fits
        ],
        alert=alert,
        severity=severity,
        but=but,
    )
