"""Any server that speaks OpenAI's chat completions (vLLM, SGLang, LM Studio, llama-server), by the client of OpenAI (3.x).

Always streams: servers notice only between tokens that nobody waits any more.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pipeline.act.providers import labels, sdk
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.check import Check
from pipeline.act.providers.prices import FREE, Price, input_tokens, price
from pipeline.act.providers.real_calls import allowed

TOP_LOGPROBS = 20
"""The most that the protocol takes."""
DECISIVE = 64
"""The first property's value stands among so many first tokens."""
CHARACTERS_PER_TOKEN = 64
"""Of an answer, at most: what streams on beyond it is cut off."""
OPTIONAL = frozenset({"logprobs", "top_logprobs", "temperature", "stream_options", "priority"})
"""What some servers and models do not take, and an answer is worth having without."""


class OpenAICompatible:
    """`url` ends in `/v1` with most servers; `model` empty takes the first that the server lists. `local`: nothing sent leaves this
    network (`network.is_local`); else calls count as paid, at `cost`, or by the table of prices. `extra` goes into each request's body
    (`{"chat_template_kwargs": {"enable_thinking": False}}`). `priorities` sends the severity as `priority`, for vLLM that was started
    with `--scheduling-policy priority`."""

    name = "openai"

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        slots: int = 8,
        local: bool,
        cost: Price | None = None,
        priorities: bool = False,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        import openai

        sdk.quiet("openai")
        self.url = url
        self.local = local
        self.slots = slots
        self.paid = not local
        self._model = model
        self._cost = cost
        self._priorities = priorities
        self._extra = dict(extra or {})
        self._without: set[str] = set()
        self._openai = openai
        self._client = openai.AsyncOpenAI(
            api_key=key or "none",  # the client wants one, and would take the environment's
            base_url=url,
            max_retries=0,
            http_client=sdk.http_client(url, slots),
        )

    @property
    def model(self) -> str:
        return self._model

    @property
    def _price(self) -> Price:
        if self._cost is not None:
            return self._cost
        return price(self._model) if self.paid else FREE

    async def ask(self, ask: Ask) -> Answer:
        allowed(self.url)
        if ask.warm and self.paid:
            return Answer("", self.name, self._model)
        began = time.monotonic()
        try:
            async with asyncio.timeout(ask.timeout_s):
                heard = await self._heard(ask, began + ask.timeout_s)
            return self._answer(ask, heard, began)
        except TimeoutError:
            raise ProviderError(Failure.TIMEOUT, f"{sdk.host(self.url)} did not answer within {ask.timeout_s:.1f} s") from None
        except Exception as error:
            raise sdk.translated(error, self._openai, self.url) from None

    def worst_cost(self, ask: Ask) -> float:
        """USD; 0 for a server of this network."""
        return 0.0 if ask.warm else self._price.worst(ask, ask.max_tokens)

    async def check(self, timeout_s: float = 5.0) -> Check:
        """Asks for the list of models. Raises ProviderError."""
        allowed(self.url)
        try:
            async with asyncio.timeout(timeout_s):
                listed = await self._listed(timeout_s)
        except TimeoutError:
            raise ProviderError(Failure.TIMEOUT, f"{sdk.host(self.url)} did not answer within {timeout_s:.1f} s") from None
        except Exception as error:
            raise sdk.translated(error, self._openai, self.url) from None
        self._model = self._model or listed[0]
        if self._model not in listed:
            shown = ", ".join(listed[:5])
            raise ProviderError(Failure.NO_MODEL, f"{sdk.host(self.url)} has no {self._model}. It has {shown}", asked=False)
        return Check(self._model, f"lists {len(listed)} model{'s' * (len(listed) > 1)}")

    async def close(self) -> None:
        await self._client.close()

    async def _listed(self, left_s: float) -> list[str]:
        page = await self._client.with_options(timeout=sdk.timeout(left_s)).models.list()
        listed = [entry.id for entry in getattr(page, "data", None) or [] if isinstance(getattr(entry, "id", None), str)]
        if not listed:
            raise ProviderError(Failure.NO_MODEL, f"{sdk.host(self.url)} lists no model. Load one there", asked=False)
        return listed

    async def _heard(self, ask: Ask, deadline: float) -> Heard:
        self._model = self._model or (await self._listed(deadline - time.monotonic()))[0]
        while True:
            body = self._body(ask)
            left = max(deadline - time.monotonic(), 0.01)
            try:
                stream = await self._client.with_options(timeout=sdk.timeout(left)).chat.completions.create(**body)
            except self._openai.BadRequestError as error:
                blamed = sdk.blamed(error, OPTIONAL & {*body, *body["extra_body"]})
                if not blamed:
                    raise
                self._without |= blamed
                continue
            async with stream, aclosing(stream.__aiter__()) as chunks:
                return await heard_from(chunks, CHARACTERS_PER_TOKEN * ask.max_tokens)

    def _body(self, ask: Ask) -> dict[str, Any]:
        limit = "max_tokens" if self.local else "max_completion_tokens"
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}],
            limit: 1 if ask.warm else ask.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if ask.schema:
            schema = {"name": re.sub(r"\W", "_", ask.task) or "answer", "strict": True, "schema": strict(ask.schema, bounded=self.local)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if ask.labels and not ask.warm:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        extra = {**self._extra, "priority": int(ask.severity.value[1:])} if self._priorities else dict(self._extra)
        kept = {name: value for name, value in body.items() if name not in self._without}
        if "logprobs" not in kept:
            kept.pop("top_logprobs", None)
        return {**kept, "extra_body": {name: value for name, value in extra.items() if name not in self._without}}

    def _answer(self, ask: Ask, heard: Heard, began: float) -> Answer:
        who = sdk.host(self.url)
        if heard.finish == "content_filter" or heard.refused:
            raise ProviderError(Failure.REFUSED, f"{who} refuses to answer this")
        if heard.finish == "length" and not ask.warm:
            raise ProviderError(Failure.BROKEN, f"the answer of {who} was longer than its limit of {ask.max_tokens} tokens")
        if not heard.finish:
            raise ProviderError(Failure.BROKEN, f"the answer of {who} broke off")
        if not heard.text and not ask.warm:
            raise ProviderError(Failure.BROKEN, f"{who} answered without any text")
        usage = heard.usage
        fresh = int(getattr(usage, "prompt_tokens", None) or (input_tokens(ask) if self.paid else 0))
        out = int(getattr(usage, "completion_tokens", None) or heard.pieces)
        cached = min(int(getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None) or 0), fresh)
        return Answer(
            text=heard.text,
            provider=self.name,
            model=self._model,
            tokens_in=fresh,
            tokens_out=out,
            tokens_cached=cached,
            cost_usd=self._price.cost(fresh - cached, out, read=cached),
            took_s=time.monotonic() - began,
            first_token_s=heard.first_at - began if heard.first_at else None,
            probabilities=labels.probabilities(heard.tokens, ask.labels),
        )


@dataclass(slots=True)
class Heard:
    """What a stream said, put together."""

    text: str = ""
    finish: str = ""
    """Why it ended; empty where it just stopped."""
    refused: bool = False
    pieces: int = 0
    first_at: float = 0.0
    """Of the monotonic clock."""
    usage: Any = None
    tokens: list[labels.Token] = field(default_factory=list)


async def heard_from(chunks: Any, longest: int) -> Heard:
    """Reads a stream to its end. Raises ProviderError for one of more than `longest` characters."""
    heard = Heard()
    async for chunk in chunks:
        heard.usage = getattr(chunk, "usage", None) or heard.usage
        for choice in getattr(chunk, "choices", None) or []:
            delta = choice.delta
            heard.refused = heard.refused or bool(getattr(delta, "refusal", None))
            if delta is not None and delta.content:
                heard.first_at = heard.first_at or time.monotonic()
                heard.pieces += 1
                heard.text += delta.content
            for token in (getattr(choice.logprobs, "content", None) or [])[: DECISIVE - len(heard.tokens)]:
                top = {option.token: option.logprob for option in token.top_logprobs or []}
                heard.tokens.append(labels.Token(token.token, token.logprob, top))
            heard.finish = choice.finish_reason or heard.finish
        if len(heard.text) > longest:
            raise ProviderError(Failure.BROKEN, f"the answer does not end: over {longest} characters")
    return heard


def strict(schema: Mapping[str, Any], *, bounded: bool) -> dict[str, Any]:
    """As `strict` wants it: no further properties anywhere, all of them required. Bounds of lengths only where `bounded`: servers of
    one's own need them against answers that never end, OpenAI itself refuses them."""
    out: dict[str, Any] = {}
    for name, value in schema.items():
        if not bounded and name in ("minLength", "maxLength", "uniqueItems"):
            continue
        if name in ("properties", "$defs") and isinstance(value, Mapping):
            out[name] = {key: strict(part, bounded=bounded) for key, part in value.items()}
        elif isinstance(value, Mapping):
            out[name] = strict(value, bounded=bounded)
        elif name in ("anyOf", "oneOf", "allOf") and isinstance(value, list | tuple):
            out[name] = [strict(part, bounded=bounded) for part in value]
        else:
            out[name] = value
    if out.get("type") == "object":
        out |= {"additionalProperties": False, "required": list(out.get("properties", {}))}
    return out
