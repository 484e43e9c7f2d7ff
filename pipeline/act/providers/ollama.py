"""Ollama by its native API, made so that nothing that we send reloads the model or holds a slot longer than it must.

Facts this is built on (Ollama 0.24 and llama-server, 2026): without streaming a dropped call goes on to hold its slot; a request whose
`num_ctx`, `num_batch`, `num_gpu`, `use_mmap` or `num_thread` differs from the last one's reloads the model for everybody; the `keep_alive`
of any request overwrites the server's; a loaded server queues without a bound and answers 503 only while it loads.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import httpx

from pipeline.act.providers import labels, real_calls
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.check import Check
from pipeline.act.providers.sdk import host, quiet

if TYPE_CHECKING:
    from ollama import AsyncClient, ChatResponse

NUM_CTX = 4096
"""Of each slot: 16 GiB of memory for 32 slots of an 8B model. Prompts are bounded to a part of it."""
KEEP_ALIVE = -1
"""For ever."""
ALTERNATIVES = 20
"""The most that the server tells of. They are the model's own, before the schema ruled any out, so labels need not be among the first."""
DECISIVE = 64
"""The first property's value stands among so many first tokens."""
MOST_BYTES = 8 * 2**20
"""Of an answer: 160 tokens with 20 alternatives each are half a MB."""
TIMEOUT = httpx.Timeout(connect=1.0, read=300.0, write=2.0, pool=0.2)
"""Seconds. `read` is that long because a server that loads a model is silent; the ask's own deadline is what binds."""


class Ollama:
    """A model on an Ollama server. `slots` is the server's OLLAMA_NUM_PARALLEL; two more connections are allowed, for probes."""

    name = "ollama"
    paid = False

    def __init__(self, url: str, model: str, *, slots: int, local: bool = True) -> None:
        from ollama import AsyncClient

        self.model, self.local, self.slots = model, local, slots
        self.url = url.rstrip("/")
        self.host = host(url)
        """For messages: the URL itself may hold a password."""
        quiet("httpx")
        limits = httpx.Limits(max_connections=slots + 2, max_keepalive_connections=slots + 2, keepalive_expiry=30.0)
        options: dict[str, Any] = {"timeout": TIMEOUT, "follow_redirects": False, "trust_env": False}
        self._client: AsyncClient = AsyncClient(self.url, transport=BoundedTransport(limits=limits, trust_env=False), **options)
        self._plain = httpx.AsyncClient(base_url=self.url, transport=BoundedTransport(trust_env=False), **options)

    async def ask(self, ask: Ask) -> Answer:
        """See Provider. NO_MODEL tells the command that fetches it; REFUSED also means that the prompt did not fit the context."""
        real_calls.allowed(self.url)
        answer = _Growing(ask)
        try:
            async with asyncio.timeout(ask.timeout_s):
                stream = cast("AsyncIterator[ChatResponse]", await self._client.chat(**self._request(ask)))
                async with aclosing(cast("AsyncGenerator[ChatResponse, None]", stream)):
                    async for chunk in stream:
                        answer.take(chunk)
        except Exception as error:
            raise self._failure(error, ask, answer.begun) from None
        return answer.whole(self.name, self.model)

    async def check(self, timeout_s: float = 5.0) -> Check:
        """Whether the server is there and has the model. Raises ProviderError, NO_MODEL with the names that it has."""
        real_calls.allowed(self.url)
        try:
            async with asyncio.timeout(timeout_s):
                version, models = await self.version(), await self.models()
                running = await self._client.ps()
        except Exception as error:
            raise self._failure(error, None, begun=False) from None
        if _full(self.model) not in models:
            has = ", ".join(models[:5]) or "no model at all"
            raise ProviderError(Failure.NO_MODEL, f"no model {self.model} at {self.host}, it has {has}: ollama pull {self.model}")
        loaded = next((one for one in running.models if _full(one.model or "") == _full(self.model)), None)
        context = getattr(loaded, "context_length", None) if loaded else None
        return Check(
            model=self.model,
            says=f"Ollama {version}, {len(models)} model{'s' if len(models) != 1 else ''}, {'loaded' if loaded else 'not loaded yet'}",
            warning=f"Loaded with a context of {context} instead of {NUM_CTX}: another program uses this model, and each change reloads it"
            if context not in (None, NUM_CTX)
            else "",
        )

    async def models(self) -> list[str]:
        """Full names (`llama3.1:8b`) of what the server has. Raises ProviderError."""
        real_calls.allowed(self.url)
        try:
            return [_full(one.model or "") for one in (await self._client.list()).models]
        except Exception as error:
            raise self._failure(error, None, begun=False) from None

    async def version(self) -> str:
        """Of the server. Raises ProviderError."""
        real_calls.allowed(self.url)
        try:
            told = (await self._plain.get("/api/version")).raise_for_status().json()
            return str(told["version"])
        except Exception as error:
            raise self._failure(error, None, begun=False) from None

    async def close(self) -> None:
        await self._client.close()  # type: ignore[no-untyped-call]  # the one method that its makers did not annotate
        await self._plain.aclose()

    def _request(self, ask: Ask) -> dict[str, Any]:
        """The same for all asks but for the words, the schema and `num_predict`, none of which reloads anything."""
        return {
            "model": self.model,
            "messages": [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}],
            "stream": True,
            "think": False,
            "format": dict(ask.schema) if ask.schema else None,
            "options": {"num_ctx": NUM_CTX, "num_predict": 1 if ask.warm else ask.max_tokens, "temperature": 0.0, "seed": 1},
            "keep_alive": KEEP_ALIVE,
            "logprobs": True if ask.labels else None,
            "top_logprobs": ALTERNATIVES if ask.labels else None,
        }

    def _failure(self, error: Exception, ask: Ask | None, begun: bool) -> ProviderError:
        """What `error` of any of the three families (client, httpx, Python) means. `begun`: a part of the answer had come."""
        from ollama import RequestError, ResponseError

        match error:
            case ProviderError():
                return error
            case TimeoutError() | httpx.ReadTimeout() | httpx.WriteTimeout():
                within = f" within {ask.timeout_s:.1f} s" if ask else ""
                return ProviderError(Failure.TIMEOUT, f"no whole answer{within} from {self.host}")
            case httpx.PoolTimeout():
                return ProviderError(
                    Failure.BUSY, f"all {self.slots + 2} connections are in use: more asked than slots ({self.slots})", asked=False
                )
            case (
                ConnectionRefusedError() | httpx.ConnectError() | httpx.ConnectTimeout() | httpx.UnsupportedProtocol() | httpx.InvalidURL()
            ):
                return ProviderError(
                    Failure.UNREACHABLE,
                    f"nobody answers at {self.host}: is Ollama running (ollama serve), is OLLAMA_URL right?",
                    asked=False,
                )
            case ConnectionError() | httpx.NetworkError() | httpx.RemoteProtocolError():
                if begun:
                    return ProviderError(Failure.BROKEN, f"the connection to {self.host} broke in the middle of the answer")
                return ProviderError(Failure.UNREACHABLE, f"the connection to {self.host} broke before an answer began")
            case ResponseError():
                return self._told(error.status_code, _words(error.error, ask))
            case httpx.HTTPStatusError():
                return self._told(error.response.status_code, "")
            case RequestError():
                return ProviderError(Failure.REFUSED, "the client takes this request for invalid", asked=False)
            case httpx.HTTPError() | ValueError() | TypeError() | AttributeError() | KeyError() | RecursionError():
                return ProviderError(Failure.BROKEN, f"what {self.host} says is not Ollama's protocol ({type(error).__name__})")
            case _:
                return ProviderError(Failure.INTERNAL, f"{type(error).__name__} in the call of {self.host}")

    def _told(self, status: int, words: str) -> ProviderError:
        """The server's own refusal; status -1 is an error line in the middle of a stream."""
        said = f": {words}" if words else ""
        if status == 404 and "model" in words:
            return ProviderError(Failure.NO_MODEL, f"no model {self.model} at {self.host}: ollama pull {self.model}")
        if status == 404:
            return ProviderError(Failure.BROKEN, f"{self.host} has no /api/chat: is OLLAMA_URL the address of an Ollama server?")
        if status in (429, 503):
            return ProviderError(Failure.OVERLOADED, f"{self.host} is loading the model or too busy ({status}){said}")
        if status in (401, 402, 403):
            return ProviderError(Failure.DENIED, f"{self.host} wants a sign-in ({status}){said}")
        if status in (502, 504):
            return ProviderError(Failure.UNREACHABLE, f"a proxy at {self.host} cannot reach Ollama ({status})")
        if 300 <= status < 500:
            return ProviderError(Failure.REFUSED, f"{self.host} turned the request down ({status}){said}")
        where = "in the middle of the answer" if status < 0 else f"({status})"
        return ProviderError(Failure.BROKEN, f"{self.host} failed {where}{said}")


class _Growing:
    """An answer as it comes in."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._since = time.monotonic()
        self._first: float | None = None
        self._text: list[str] = []
        self._tokens: list[labels.Token] = []
        self._end: ChatResponse | None = None
        self.begun = False

    def take(self, chunk: ChatResponse) -> None:
        self.begun = True
        if chunk.message.content:
            self._first = self._first or time.monotonic()
            self._text.append(chunk.message.content)
        if self._ask.labels and len(self._tokens) < DECISIVE:
            for token in itertools.islice(chunk.logprobs or (), DECISIVE):
                others = {other.token: other.logprob for other in token.top_logprobs or ()}
                self._tokens.append(labels.Token(token.token, token.logprob, others))
        if chunk.done:
            self._end = chunk

    def whole(self, provider: str, model: str) -> Answer:
        """Raises ProviderError where it is not."""
        now, end, ask = time.monotonic(), self._end, self._ask
        if end is None:  # llama.cpp gives up on 30 equal tokens in a row with no word of it
            raise ProviderError(Failure.BROKEN, "the answer stopped without its end")
        tokens_in, tokens_out = end.prompt_eval_count or 0, end.eval_count or 0
        if tokens_in + tokens_out >= NUM_CTX:
            raise ProviderError(
                Failure.REFUSED,
                f"prompt ({tokens_in} tokens) and answer ({tokens_out}) do not fit the context of {NUM_CTX}: something was cut",
            )
        if end.done_reason == "length" and not ask.warm:
            raise ProviderError(Failure.BROKEN, f"the answer was not at its end after {ask.max_tokens} tokens")
        return Answer(
            text="".join(self._text),
            provider=provider,
            model=model,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            took_s=now - self._since,
            first_token_s=self._first - self._since if self._first is not None else None,
            load_s=(end.load_duration or 0) / 1e9,
            probabilities=labels.probabilities(self._tokens, ask.labels) if ask.labels and not ask.warm else {},
        )


class _TooLong(httpx.HTTPError):
    """The answer has more bytes than any answer of ours."""


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner, self._left = inner, MOST_BYTES

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            self._left -= len(part)
            if self._left < 0:
                raise _TooLong(f"more than {MOST_BYTES} bytes")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


class BoundedTransport(httpx.AsyncHTTPTransport):
    """Ends an answer that is too long: the client reads whole lines and whole error pages into memory."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        response.stream = _BoundedStream(cast("httpx.AsyncByteStream", response.stream))
        return response


def _full(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _words(text: object, ask: Ask | None) -> str:
    """What the server said, in one short line; nothing of it where it quotes the prompt."""
    said = " ".join(str(text).split())[:160]
    prompt = " ".join((ask.system + " " + ask.user).split()) if ask else ""
    return "" if any(said[at : at + 20] in prompt for at in range(max(len(said) - 19, 0))) else said
