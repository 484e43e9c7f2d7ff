"""Claude, by the client of its makers (anthropic 2.x).

It gives no log-probabilities: how sure it is stands in its answer, where the prompt asks for it. Warming is skipped: its cache lives
for 5 minutes and filling it costs money.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

from pipeline.act.providers import sdk
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.check import Check
from pipeline.act.providers.prices import price
from pipeline.act.providers.real_calls import allowed

URL = "https://api.anthropic.com"
BACKOFF_S = 0.5
ENOUGH_S = 1.0
"""With less time left a second attempt is not begun."""
THINKING_ROOM = 1024
"""Tokens for models whose thinking cannot be turned off: it counts as output, and would leave nothing for the answer."""

# Which models take what [makers' guides to thinking and effort, 2026-10; `check` asks the server and knows better].
THINKING_OFF = {
    "claude-haiku-5-5": "disabled",
    "claude-sonnet-5-5": "between_tools",
    "claude-sonnet-5": "disabled",
    "claude-opus-5": "disabled",
}
NEVER_THINKS_UNASKED = ("claude-haiku-4-", "claude-sonnet-4-", "claude-opus-4-")
WITHOUT_EFFORT = ("claude-haiku-4-", "claude-sonnet-4-5")
SAYS_NOTHING = {
    "refusal": (Failure.REFUSED, "it refuses to answer this"),
    "max_tokens": (Failure.BROKEN, "the answer was longer than its limit of tokens"),
    "model_context_window_exceeded": (Failure.REFUSED, "the question is too long"),
}


class Claude:
    """`url` is for gateways and tests; empty is the makers' own. `slots` bounds connections, not money. A second attempt is made only
    where the first cost nothing (429, 503, 529, no connection) and only where the ask's time has room for it."""

    name = "claude"
    local = False
    paid = True

    def __init__(self, key: str, model: str, *, url: str = "", slots: int = 16, max_retries: int = 1) -> None:
        import anthropic

        sdk.quiet("anthropic")
        self.model = model
        self.url = url or URL
        self.max_retries = max_retries
        self.slots = slots
        self._price = price(model)
        self._anthropic = anthropic
        self._client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=self.url,
            max_retries=0,
            http_client=sdk.http_client(self.url, slots),
            open_telemetry=False,  # with it a variable of the environment could put prompts into traces
        )
        base = re.sub(r"-\d{8}$", "", model)
        self._thinking = THINKING_OFF.get(base, "")
        self._effort = "" if base.startswith(WITHOUT_EFFORT) else "low"
        self._thinks = not self._thinking and not base.startswith(NEVER_THINKS_UNASKED)

    async def ask(self, ask: Ask) -> Answer:
        allowed(self.url)
        if ask.warm:
            return Answer("", self.name, self.model)
        began = time.monotonic()
        try:
            async with asyncio.timeout(ask.timeout_s):
                message = await self._attempts(ask, began + ask.timeout_s)
            return self._answer(message, time.monotonic() - began)
        except TimeoutError:
            raise ProviderError(Failure.TIMEOUT, f"{sdk.host(self.url)} did not answer within {ask.timeout_s:.1f} s") from None
        except Exception as error:
            raise sdk.translated(error, self._anthropic, self.url) from None

    def worst_cost(self, ask: Ask) -> float:
        """USD. A second attempt does not add to it: it is made only where the first cost nothing."""
        return 0.0 if ask.warm else self._price.worst(ask, self._max_tokens(ask))

    async def check(self, timeout_s: float = 5.0) -> Check:
        """What the makers say of the model: costs nothing, and teaches us how to turn its thinking off. Raises ProviderError."""
        allowed(self.url)
        try:
            async with asyncio.timeout(timeout_s):
                about = await self._client.with_options(timeout=sdk.timeout(timeout_s)).models.retrieve(self.model)
        except TimeoutError:
            raise ProviderError(Failure.TIMEOUT, f"{sdk.host(self.url)} did not answer within {timeout_s:.1f} s") from None
        except Exception as error:
            raise sdk.translated(error, self._anthropic, self.url) from None
        if not isinstance(about, self._anthropic.types.ModelInfo):
            raise ProviderError(Failure.BROKEN, f"{sdk.host(self.url)} gave no answer of its protocol")
        if about.lifecycle == "retired":
            raise ProviderError(Failure.NO_MODEL, f"{self.model} was withdrawn. Set another model", asked=False)
        self._learn(about.capabilities)
        context = f", {about.max_input_tokens} tokens of context" if about.max_input_tokens else ""
        return Check(self.model, f"{about.display_name}{context}", _warning(about))

    async def close(self) -> None:
        await self._client.close()

    async def _attempts(self, ask: Ask, deadline: float) -> Any:
        left = self.max_retries
        while True:
            try:
                return await self._once(ask, deadline)
            except ProviderError as error:
                wait = error.retry_after_s or BACKOFF_S
                again = left > 0 and not error.asked and error.failure in (Failure.OVERLOADED, Failure.UNREACHABLE)
                if not again or wait + ENOUGH_S > deadline - time.monotonic():
                    raise
                left -= 1
                await asyncio.sleep(wait)

    async def _once(self, ask: Ask, deadline: float) -> Any:
        left = max(deadline - time.monotonic(), 0.01)
        try:
            return await self._client.with_options(timeout=sdk.timeout(left), max_retries=0).messages.create(**self._body(ask))
        except Exception as error:
            if isinstance(error, self._anthropic.BadRequestError):
                self._forget(sdk.blamed(error, {"thinking", "effort"}))
            raise sdk.translated(error, self._anthropic, self.url) from None

    def _body(self, ask: Ask) -> dict[str, Any]:
        config: dict[str, Any] = {"effort": self._effort} if self._effort else {}
        if ask.schema:
            config["format"] = {"type": "json_schema", "schema": self._schema(ask)}
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": self._max_tokens(ask),
            "system": [{"type": "text", "text": ask.system, "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": ask.user}],
        }
        if config:
            body["output_config"] = config
        if self._thinking:
            body["thinking"] = {"type": self._thinking}
        return body

    def _schema(self, ask: Ask) -> dict[str, Any]:
        try:
            return self._anthropic.transform_schema(steady(ask.schema))
        except (ValueError, TypeError, AssertionError) as error:
            raise ProviderError(Failure.INTERNAL, f"the schema of {ask.prompt} is none that Claude takes", asked=False) from error

    def _max_tokens(self, ask: Ask) -> int:
        return ask.max_tokens + (THINKING_ROOM if self._thinks else 0)

    def _forget(self, blamed: set[str]) -> None:
        """Leaves out what the model does not take, from the next ask on: this one was reserved at the price of what it was."""
        if "thinking" in blamed and self._thinking:
            self._thinking, self._thinks = "", True
        if "effort" in blamed:
            self._effort = ""

    def _learn(self, capabilities: Any) -> None:
        if capabilities is None:
            return
        types = capabilities.thinking.types
        off = [kind for kind in ("disabled", "between_tools") if getattr(types, kind).supported]
        thinks = capabilities.thinking.supported
        self._thinking = off[0] if thinks and off else ""
        self._thinks = thinks and not off
        self._effort = "low" if capabilities.effort.supported else ""

    def _answer(self, message: Any, took_s: float) -> Answer:
        who = sdk.host(self.url)
        usage = getattr(message, "usage", None)
        if not isinstance(message, self._anthropic.types.Message) or usage is None:
            raise ProviderError(Failure.BROKEN, f"{who} gave no answer of its protocol")
        if message.stop_reason in SAYS_NOTHING:
            failure, why = SAYS_NOTHING[message.stop_reason]
            raise ProviderError(failure, f"{who} ended with {message.stop_reason}: {why}")
        text = "".join(block.text for block in message.content if block.type == "text")
        if not text:
            raise ProviderError(Failure.BROKEN, f"{who} answered without any text")
        written, read = usage.cache_creation_input_tokens or 0, usage.cache_read_input_tokens or 0
        return Answer(
            text=text,
            provider=self.name,
            model=self.model,
            tokens_in=usage.input_tokens + written + read,
            tokens_out=usage.output_tokens,
            tokens_cached=read,
            cost_usd=self._price.cost(usage.input_tokens, usage.output_tokens, written=written, read=read),
            took_s=took_s,
        )


def steady(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the choices of its lists: those differ from incident to incident (runbooks), and each new schema is compiled
    anew and empties the prompt cache [makers' guide to structured outputs]. What is chosen is checked by us."""

    def plain(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return [plain(item) for item in value] if isinstance(value, list | tuple) else value
        out = {key: plain(item) for key, item in value.items()}
        items = out.get("items")
        if out.get("type") == "array" and isinstance(items, dict) and "enum" in items:
            out = {key: item for key, item in out.items() if key not in ("maxItems", "minItems")}
            out["items"] = {"type": "string"}
        return out

    result: dict[str, Any] = plain(schema)
    return result


def _warning(about: Any) -> str:
    capabilities = about.capabilities
    if about.lifecycle == "deprecated":
        when = f" on {about.retires_at:%Y-%m-%d}" if about.retires_at else ""
        return f"{about.id} is deprecated and will be withdrawn{when}. Set another model"
    if capabilities is not None and not capabilities.structured_outputs.supported:
        return f"{about.id} gives no structured answers: expect invalid ones. Set another model"
    return ""
