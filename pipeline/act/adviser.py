"""From a request for advice to its receipt: who is asked, in what order, until when, and what of the answer holds.

There is always a receipt, with an answer or with why there is none. While a provider can still be in time the chain is followed; after that
a request that nobody was asked about waits on, behind all that can be in time, for an amendment. The same server is never asked twice.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from agents.advice.answer import Refused, check
from agents.advice.config import AdviceConfig
from agents.advice.prompt import Template, render, template
from agents.advice.route import NOT_SET_UP, choose
from pipeline.act.advice_observer import AdviceObserver, NoAdviceObserver
from pipeline.act.last_look import LastLook
from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.wrapping import takes_at_once
from pipeline.act.self_test import Keeper
from pipeline.act.station import Limits, Station
from schemas.advice import Advice, AdviceRequest, AdviceTask, Question, Tried
from schemas.base import Severity, from_ms
from schemas.effect import Receipt
from schemas.routing import RoutingRule

LOG = structlog.get_logger("advise")
CALL_ENDS_S, LINE_ENDS_S = 0.6, 0.3
"""Before the deadline: calls end first, so that whoever waits behind them knows what became of them; then the receipt has to travel."""
MOST_IN_HAND = 4096
"""Requests at once, each of some 20 kB: 80 MB. P1 may be a quarter more."""
SHOWN = 200
PASSED_OVER = "passed_over"

Probabilities = Mapping[str, float]
Calibrate = Callable[[str, str, Probabilities], Probabilities]
"""(`provider/model`, prompt id, probabilities) to those that experience has shown to be right."""
__all__ = ["AdviceObserver", "Adviser", "NoAdviceObserver"]


@dataclass(eq=False)
class Held:
    """A request in hand. Times by the adviser's clock, in seconds."""

    request: AdviceRequest
    deadline: float
    late_until: float
    tried: list[Tried] = field(default_factory=list)
    task: asyncio.Task[Advice | None] | None = None
    asking: bool = False
    superseded_by: int | None = None

    @property
    def order(self) -> tuple[int, int]:
        return (self.request.revision, self.request.attempt)

    def supersede(self, revision: int) -> None:
        """A call that is under way is not broken off: its slot would stay busy."""
        self.superseded_by = revision
        if not self.asking and self.task is not None:
            self.task.cancel()


class Adviser:
    """`stacks`: whole providers by name (`providers.build`). `slots`: how many calls each takes at once, where the provider itself does not
    know. `routes`: the rules as they are now, those of the configuration among them; unset means those alone. `active_version`: which
    version of a prompt is in use, None for the one that its file marks. `forbidden`: set up, and ruled out by local-only mode."""

    def __init__(
        self,
        stacks: Mapping[str, Provider],
        config: AdviceConfig,
        *,
        routes: Callable[[], Sequence[RoutingRule]] | None = None,
        active_version: Callable[[AdviceTask], int | None] = lambda task: None,
        calibrate: Calibrate = lambda model, prompt, probabilities: probabilities,
        observer: AdviceObserver | None = None,
        slots: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        most_in_hand: int = MOST_IN_HAND,
        forbidden: Collection[str] = (),
    ) -> None:
        self._config, self._active_version, self._calibrate = config, active_version, calibrate
        self._routes = routes or (lambda: config.routes)
        self._observer: AdviceObserver = observer or NoAdviceObserver()
        self._clock, self._wall, self._most_in_hand = clock, wall, most_in_hand
        self._forbidden = frozenset(forbidden)
        self._secret = os.urandom(32)
        self._last_look = LastLook(config.redact, os.urandom(32))
        self._stations = {
            name: Station(stack, (slots or {}).get(name) or takes_at_once(stack), self._observer, clock, most_waiting=most_in_hand)
            for name, stack in stacks.items()
        }
        self._newest: dict[tuple[str, AdviceTask], Held] = {}
        self._rendering = asyncio.Lock()
        self._in_hand = 0
        self._keepers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Warm servers of this network up and test them, in the background."""
        for station in self._stations.values():
            if station.stack.local and not station.stack.paid:
                station.keeper = Keeper(station.stack, station.admission, self._small_question, self._observer, clock=self._clock)
                task = asyncio.create_task(station.keeper.run(), name=f"keeper of {station.name}")
                task.add_done_callback(self._keeper_ended)
                self._keepers.add(task)

    async def close(self) -> None:
        """Requests in hand are the caller's to cancel first."""
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for station in self._stations.values():
            await station.close()

    def status(self) -> dict[str, dict[str, Any]]:
        """Of each provider, for health and for people: model, breaker state and why, slots and how many are taken, the self-test."""
        return {name: station.status() for name, station in self._stations.items()}

    async def advise(self, request: AdviceRequest) -> Receipt:
        """An answer, or why there is none. Raises nothing but cancellation."""
        began, now = self._clock(), self._wall()
        deadline, late_until = began + request.deadline.timestamp() - now, began + request.late_until.timestamp() - now
        held = Held(request, deadline, max(deadline, late_until))
        why, advice = "", None
        try:
            why = self._refused(held, now)
            if not why:
                advice = await self._worked(held)
        except asyncio.CancelledError:
            if held.superseded_by is None or _being_cancelled():
                raise
        except Exception as error:
            # Not its text, nor the frames' locals: either may hold a prompt.
            where = "".join(traceback.format_tb(error.__traceback__, -6))
            LOG.error("advice fails", effect_id=request.effect_id, error=type(error).__name__, where=where)
            why = f"unexpected {type(error).__name__}: a fault of ours, see the log of the advise worker"
        if advice is None and held.superseded_by is not None:
            why = f"superseded by revision {held.superseded_by}"
        return self._receipt(held, advice, why or _said(held.tried), self._clock() - began)

    def _refused(self, held: Held, now: float) -> str:
        """Why it is not looked at; empty when it is."""
        if held.late_until <= self._clock():
            return "too old: nobody can use an answer any more"
        most = self._most_in_hand * (5 if held.request.question.rule_severity is Severity.P1 else 4) // 4
        if self._in_hand >= most:
            return f"{self._in_hand} questions are in hand already"
        newest = self._newest.get((held.request.incident_id, held.request.question.task))
        if newest is not None and newest.order > held.order:
            held.superseded_by = newest.request.revision
            return "superseded"
        if newest is not None:
            newest.supersede(held.request.revision)
        return ""

    async def _worked(self, held: Held) -> Advice | None:
        key = (held.request.incident_id, held.request.question.task)
        self._newest[key] = held
        self._in_hand += 1
        held.task = asyncio.create_task(self._answer(held))
        try:
            return await held.task
        finally:
            self._in_hand -= 1
            if self._newest.get(key) is held:
                del self._newest[key]

    async def _answer(self, held: Held) -> Advice | None:
        question = held.request.question
        available = {name: station.stack.local for name, station in self._stations.items()}
        if self._config.local_only:
            available = {name: local for name, local in available.items() if local}
        route = choose(self._routes(), question, available=available, forbidden=self._forbidden)
        held.tried += [Tried(provider=name, outcome=PASSED_OVER, detail=why) for name, why in route.passed_over.items()]
        chosen = self._template(question.task)
        ask = await self._rendered(chosen, question)
        chain = [self._stations[name] for name in route.providers if name in self._stations]
        if not chain and not held.tried:
            held.tried.append(Tried(provider="none", outcome=PASSED_OVER, detail=route.reason))
        return await self._in_time(held, chain, chosen, ask) or await self._late(held, chain, chosen, ask)

    async def _in_time(self, held: Held, chain: Sequence[Station], chosen: Template, ask: Ask) -> Advice | None:
        """Ask each in turn while it can answer by the deadline."""
        for place, station in enumerate(chain):
            if held.superseded_by is not None:
                return None
            after = [one for one in chain[place + 1 :] if one.refusal(ask.severity, self._limits(held)) is None]
            limits = self._limits(held, after[0] if after else None)
            reason = station.refusal(ask.severity, limits) or station.too_slow(limits.answer_by)
            if reason is None and after:
                reason = station.too_late(ask.severity, limits.answer_by)
            if reason is not None:
                self._failed(held, station, ask, reason, 0.0)
            elif (advice := await self._try(held, station, limits, chosen, ask)) is not None:
                return advice
        return None

    async def _late(self, held: Held, chain: Sequence[Station], chosen: Template, ask: Ask) -> Advice | None:
        """Wait on for those that were only too busy or too slow to be asked in time."""
        if held.late_until <= held.deadline:
            return None
        not_asked = {one.provider for one in held.tried if one.outcome == Failure.BUSY}
        for station in chain:
            limits = Limits(held.deadline, held.deadline - CALL_ENDS_S, held.late_until, held.late_until)
            if station.name not in not_asked or not station.healthy or held.superseded_by is not None or self._clock() >= held.late_until:
                continue
            held.tried = [one for one in held.tried if one.provider != station.name]
            advice = await self._try(held, station, limits, chosen, ask)
            if advice is not None:
                return advice
        return None

    def _limits(self, held: Held, after: Station | None = None) -> Limits:
        ends = held.deadline - CALL_ENDS_S
        if after is None:
            late_until = held.late_until if held.late_until > held.deadline else ends
            return Limits(held.deadline, ends, held.deadline - LINE_ENDS_S, late_until)
        ends -= after.reserve_s(max(0.0, ends - self._clock()))
        return Limits(ends, ends, ends, last=False)

    async def _try(self, held: Held, station: Station, limits: Limits, chosen: Template, ask: Ask) -> Advice | None:
        began = self._clock()

        def begins() -> None:
            held.asking = True

        try:
            answer = await station.ask(ask, limits, begins)
        except ProviderError as error:
            self._failed(held, station, ask, error, self._clock() - began)
            return None
        finally:
            held.asking = False
        advice = self._checked(held.request.question, chosen, station, ask, answer)
        station.invalid_in_a_row = station.invalid_in_a_row + 1 if isinstance(advice, Refused) else 0
        if isinstance(advice, Refused):
            if station.cache is not None:
                station.cache.forget(ask)
            invalid = ProviderError(Failure.INVALID_ANSWER, f"{advice.code}: {advice.detail}")
            self._failed(held, station, ask, invalid, self._clock() - began)
            return None
        held.tried.append(Tried(provider=station.name, outcome="answered", took_ms=round(answer.took_s * 1000)))
        return advice

    def _failed(self, held: Held, station: Station, ask: Ask, error: ProviderError, seconds: float) -> None:
        station.failed += 1
        self._observer.failed(station.name, ask, error.failure, seconds)
        took_ms = round(seconds * 1000)
        held.tried.append(Tried(provider=station.name, outcome=error.failure.value, detail=error.what[:SHOWN], took_ms=took_ms))

    def _checked(self, question: Question, chosen: Template, station: Station, ask: Ask, answer: Answer) -> Advice | Refused:
        model = f"{station.name}/{answer.model}"
        probabilities = self._calibrate(model, chosen.id, answer.probabilities) if answer.probabilities else {}
        found = check(question, chosen, answer.text, probabilities)
        if not isinstance(found, Refused):
            found = self._last_look.at(found, ask.user, question.incident_id)
        if isinstance(found, Refused):
            return found
        return Advice(
            severity=found.severity,
            confidence=found.confidence,
            probabilities=found.probabilities,
            summary=found.summary or found.text,
            runbooks=found.runbooks,
            provider=station.name,
            model=answer.model,
            prompt=chosen.id,
            cached=answer.cached,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            tokens_cached=answer.tokens_cached,
            cost_usd=answer.cost_usd,
            waited_ms=round(answer.waited_s * 1000),
            took_ms=round(answer.took_s * 1000),
            redacted=dict(answer.redacted),
            dropped=found.dropped,
        )

    def _template(self, task: AdviceTask) -> Template:
        """A version that this build does not have (a newer worker promoted it) is passed over."""
        version = self._active_version(task)
        try:
            return template(task, version)
        except KeyError:
            LOG.warning("this version of a prompt is not known here; the marked one is used", task=task.value, version=version)
            return template(task)

    async def _rendered(self, chosen: Template, question: Question) -> Ask:
        """A storm is rendered one request at a time, so that calls begin meanwhile; a P1 does not wait for that."""
        if question.rule_severity is Severity.P1:
            return self._ask(chosen, question)
        async with self._rendering:
            await asyncio.sleep(0)
            return self._ask(chosen, question)

    def _ask(self, chosen: Template, question: Question) -> Ask:
        """`timeout_s` is set when the call begins."""
        rendered = render(chosen, question, secret=self._secret)
        return Ask(
            task=question.task.value,
            prompt=rendered.prompt_id,
            system=rendered.system,
            user=rendered.user,
            schema=rendered.schema,
            max_tokens=rendered.max_tokens,
            timeout_s=0.0,
            labels=rendered.labels,
            severity=question.rule_severity,
            incident_id=question.incident_id,
        )

    def _small_question(self) -> Ask:
        question = Question(task=AdviceTask.TRIAGE, title="A test of the model server, no incident", rule_severity=Severity.P4)
        return self._ask(self._template(AdviceTask.TRIAGE), question)

    def _receipt(self, held: Held, advice: Advice | None, why: str, seconds: float) -> Receipt:
        request = held.request
        return Receipt(
            effect_id=request.effect_id,
            effect="advice",
            attempt=request.attempt,
            receiver=advice.provider if advice is not None else "",
            incident_id=request.incident_id,
            domain=request.domain,
            status="done" if advice is not None else "failed",
            detail="" if advice is not None else why[:500],
            at=from_ms(round(self._wall() * 1000)),
            took_ms=round(seconds * 1000),
            advice=advice,
            tried=held.tried,
        )

    def _keeper_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            where = "".join(traceback.format_tb(error.__traceback__, -6))
            LOG.error("a server is not kept warm any more", task=task.get_name(), error=type(error).__name__, where=where)


def _being_cancelled() -> bool:
    """Whether it is our caller who cancels, and not a newer request."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _said(tried: Sequence[Tried]) -> str:
    """Why there is no answer, in plain words. Those who could be asked stand first; who was never set up is
    no news, unless nobody is."""
    asked = [one for one in tried if one.outcome != PASSED_OVER]
    passed_over = [one for one in tried if one.outcome == PASSED_OVER and one.detail != NOT_SET_UP]
    told = [*asked, *passed_over] or tried
    said = "; ".join(f"{one.provider}: {one.outcome.replace('_', ' ')}" + (f" ({one.detail})" if one.detail else "") for one in told)
    return said or "no provider may be asked about this"
