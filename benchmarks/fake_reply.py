"""One answer of the fake Ollama: its lines, its figures, and the ways in which it can go wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from benchmarks import fake_words
from benchmarks.fake_engine import Counts, Engine, Steps, Work, curve, tokens_of
from benchmarks.fake_http import Exchange

STEP_S = {1: 0.0067, 8: 0.0107, 32: 0.0183}
PREFILL_S = 0.00014
NONSENSE = "As a pirate I say: arr, all is well! "
GONE = -1
"""In the place of a number of tokens: the client went away."""

Say = Callable[[Mapping[str, Any]], str]


class Fault(StrEnum):
    NONE = "none"
    DEAD = "dead"
    """Nobody listens, and open connections are reset."""
    HANG = "hang"
    """Connections are taken and requests never answered."""
    HANG_AFTER_FIRST = "hang_after_first"
    BUSY = "busy"
    """503 to everything."""
    DRIP = "drip"
    """A byte of the answer now and then."""
    ERROR_MID_STREAM = "error_mid_stream"
    TRUNCATED = "truncated"
    """The stream ends in good order, without `done`."""
    CUT = "cut"
    """The connection is reset in the middle of the answer."""
    GARBAGE = "garbage"
    """Lines that are no JSON."""
    NONSENSE = "nonsense"
    """A well-formed stream whose text ignores the schema."""
    RESET = "reset"
    """The connection is reset once the request is there."""


AFTER_FIRST = (Fault.HANG_AFTER_FIRST, Fault.ERROR_MID_STREAM, Fault.TRUNCATED, Fault.CUT)


@dataclass
class Shape:
    """What this server is like. Seconds."""

    slots: int = 1
    """OLLAMA_NUM_PARALLEL."""
    models: tuple[str, ...] = ("llama3.1:8b",)
    step_s: Steps = field(default_factory=lambda: curve(STEP_S))
    prefill_s: float = PREFILL_S
    """Of a prompt token that no slot remembers."""
    load_s: float = 0.0
    max_queue: int = 512
    """OLLAMA_MAX_QUEUE: counts only while the model loads."""
    answer_tokens: int = 0
    """Cut every answer into so many tokens, where its text is long enough; 0: as it comes."""
    chunk_tokens: int = 1
    """Tokens in a line of the stream. Ollama sends each by itself; more spares CPU where fake and client share few cores."""
    cut: fake_words.Cut = "whole"
    version: str = "0.24.0"


class Reply:
    """One answer of /api/chat, or of /api/generate, which says `response` where chat says `message`."""

    load_s = 0.0
    arrived = 0.0

    def __init__(self, body: dict[str, Any], exchange: Exchange, shape: Shape, say: Say, fault: Fault) -> None:
        self.body, self.exchange, self.shape = body, exchange, shape
        self.options: dict[str, Any] = body.get("options") or {}
        if "prompt" in body:
            body = {**body, "messages": [{"role": "user", "content": body["prompt"]}]}
        self.prompt = "\n".join(f"[{one.get('role')}] {one.get('content')}" for one in body.get("messages") or ())
        text = NONSENSE if fault is Fault.NONSENSE else say(body) if self.prompt else ""
        tokens = fake_words.pieces(text, shape.cut, shape.answer_tokens)
        most = int(self.options.get("num_predict") or -1)
        self.tokens = tokens if most < 0 else tokens[:most]
        self.reason = "stop" if len(self.tokens) == len(tokens) else "length"
        self.logprobs = fake_words.logprobs(self.tokens, body) if body.get("logprobs") else []
        self.streamed = bool(body.get("stream", True))
        self.spoil = fault if fault in AFTER_FIRST else None

    async def send(self, engine: Engine, counts: Counts) -> None:
        if not self.tokens:
            await self.exchange.answer(200, self._line("", done=True, done_reason="load"))
            return
        work = Work(self.prompt, len(self.tokens), self.streamed, self.shape.chunk_tokens)

        def gone() -> None:
            counts.cancelled += 1
            engine.cancel(work)
            work.out.put_nowait(GONE)

        engine.submit(work)
        try:
            async with self.exchange.watched(gone) as watch:
                await (self._stream(work, watch) if self.streamed else self._at_once(work))
        finally:
            engine.cancel(work)  # an answer that was cut short holds no slot
        if not watch.cancelled():  # it ended by itself: the client has gone
            self.exchange.line.reset()

    async def _stream(self, work: Work, watch: asyncio.Task[None]) -> None:
        sent = 0
        while sent < len(self.tokens):
            upto = await work.out.get()
            if upto == GONE:
                return
            if not sent:
                await self.exchange.begin()
            probable = {"logprobs": self.logprobs[sent:upto]} if self.logprobs else {}
            await self._put(self._line("".join(self.tokens[sent:upto])) | probable)
            sent = upto
            if self.spoil is not None:
                await self._spoil(watch)
                return
        await self._put(self._line("", done=True, done_reason=self.reason, **self._figures(work)))
        await self.exchange.end()

    async def _spoil(self, watch: asyncio.Task[None]) -> None:
        match self.spoil:
            case Fault.ERROR_MID_STREAM:
                await self._put({"error": "an error was encountered while running the model: unexpected EOF"})
                await self.exchange.end()
            case Fault.TRUNCATED:
                await self.exchange.end()
            case Fault.CUT:
                await asyncio.sleep(0.1)  # a reset overtakes what was sent just before it
                self.exchange.line.reset()
            case _:
                await watch

    async def _at_once(self, work: Work) -> None:
        while GONE < (upto := await work.out.get()) < len(self.tokens):
            pass
        if upto != GONE:
            line = self._line("".join(self.tokens), done=True, done_reason=self.reason, **self._figures(work))
            await self.exchange.answer(200, line | ({"logprobs": self.logprobs} if self.logprobs else {}))

    async def _put(self, line: Mapping[str, Any]) -> None:
        await self.exchange.chunk(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def _line(self, text: str, *, done: bool = False, **more: Any) -> dict[str, Any]:
        said: dict[str, Any] = (
            {"response": text} if self.exchange.path == "/api/generate" else {"message": {"role": "assistant", "content": text}}
        )
        return {"model": self.body["model"], "created_at": now(), **said, "done": done, **more}

    def _figures(self, work: Work) -> dict[str, int]:
        now = asyncio.get_running_loop().time()
        context = int(self.options.get("num_ctx") or 4096)
        seconds = {
            "total_duration": now - self.arrived,
            "load_duration": self.load_s,
            "prompt_eval_duration": work.read_at - work.seated_at,
            "eval_duration": max(now - work.read_at, 0),
        }
        counts = {"prompt_eval_count": min(tokens_of(self.prompt), context), "eval_count": len(self.tokens)}
        return counts | {key: max(int(value * 1e9), 1) for key, value in seconds.items()}


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
