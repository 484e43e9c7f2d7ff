"""A fake of Ollama over real sockets: its API, its slots and queue, its loading and reloading, and its ways to fail.

    async with FakeOllama(slots=4) as fake:
        fake.fault = Fault.HANG
        ... fake.url, fake.counts.in_flight_max ...

    with process(slots=8) as fake:                     # a process of its own
        fake.stats()["in_flight_max"]

    python -m benchmarks.fake_ollama --slots 8         # prints {"url": ...}; POST /fault, GET /stats; ends with Ctrl-C

The suite of tests/act/providers/test_contract.py runs against it and against a real Ollama. Its speed is made up: the default step times
are an estimate for an 8B model on one large GPU, measured nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from benchmarks import fake_words
from benchmarks.fake_engine import Counts, Engine, Full, curve
from benchmarks.fake_http import Exchange, Line, converse
from benchmarks.fake_reply import PREFILL_S, STEP_S, Fault, Reply, Shape, now

__all__ = ["FakeOllama", "Fault", "Remote", "Shape", "curve", "process"]

RELOADS = ("num_ctx", "num_batch", "num_gpu", "use_mmap", "num_thread")
BUSY = "server busy, please try again.  maximum pending requests exceeded"
DRIP_S = 0.2
"""Between two bytes."""
KEPT = 2_000
"""Requests that `asked` remembers."""


class FakeOllama:
    """Made and used in one event loop. `answer(request)` gives the text of an answer from the JSON of a request."""

    def __init__(
        self, shape: Shape | None = None, *, answer: Callable[[Mapping[str, Any]], str] = fake_words.triage, port: int = 0, **fields: Any
    ) -> None:
        self.shape = dataclasses.replace(shape or Shape(), **fields)
        self.answer = answer
        self.counts = Counts()
        self.asked: deque[dict[str, Any]] = deque(maxlen=KEPT)
        """Bodies of the newest requests of /api/chat."""
        self._fault = Fault.NONE
        self._port = port
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._engine = Engine(
            self.shape.slots, self.shape.step_s, self.shape.prefill_s, self.shape.load_s, self.shape.max_queue, self.counts
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        """Takes effect at once; an answer that is on its way ends as it began."""
        self._fault = fault
        if fault is Fault.DEAD:
            self._deaf()
        elif self._listening is None:
            self._listen()

    async def __aenter__(self) -> Self:
        self._engine.start()
        self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._deaf()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.stop()

    # -- connections --------------------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=1024)
        self._listening.setblocking(False)
        self._port = self._listening.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(self._listening))

    def _deaf(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening.fileno())
            self._listening.close()
        self._accepting = self._listening = None
        for line in list(self._lines):
            line.reset()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listening)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does so only where the socket knows its protocol
            reader, writer = await asyncio.open_connection(sock=sock, limit=2**20)
            task = asyncio.create_task(self._converse(Line(reader, writer)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _converse(self, line: Line) -> None:
        self._lines.add(line)
        self.counts.connections = len(self._lines)
        self.counts.connections_max = max(self.counts.connections_max, self.counts.connections)
        try:
            await converse(line, self._serve)
        finally:
            self._lines.discard(line)
            self.counts.connections = len(self._lines)

    # -- requests -----------------------------------------------------------------------------------------------------------------------

    async def _serve(self, exchange: Exchange) -> None:
        routes: dict[tuple[str, str], Callable[[Exchange], Awaitable[None]]] = {
            ("GET", "/stats"): self._stats,
            ("POST", "/fault"): self._set_fault,
            ("GET", "/"): lambda it: it.answer(200, b"Ollama is running", "text/plain; charset=utf-8"),
            ("GET", "/api/version"): lambda it: it.answer(200, {"version": self.shape.version}),
            ("GET", "/api/tags"): lambda it: it.answer(200, {"models": [_model(name) for name in self.shape.models]}),
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): self._ask,
            ("POST", "/api/generate"): self._ask,
        }
        serve = routes.get((exchange.method, exchange.path))
        if exchange.path.startswith("/api/") and await self._spoilt(exchange):
            return
        await (serve(exchange) if serve else exchange.answer(404, b"404 page not found", "text/plain"))

    async def _spoilt(self, exchange: Exchange) -> bool:
        """Whether the fault already was the whole answer."""
        fault = self._fault
        if fault is Fault.HANG:
            await self._hang(exchange)
        elif fault is Fault.RESET:
            exchange.line.reset()
        elif fault is Fault.BUSY:
            self.counts.refused += 1
            await exchange.answer(503, {"error": BUSY})
        elif fault is Fault.GARBAGE:
            await exchange.answer(200, b"<html><body>It works!</body></html>\n" * 3, "application/x-ndjson")
        elif fault is Fault.DRIP:
            line = json.dumps({"model": "m", "created_at": now(), "message": {"role": "assistant", "content": "a" * 200}, "done": False})
            await exchange.begin()
            async with exchange.watched(lambda: None) as gone:
                for byte in line.encode():
                    if gone.done():
                        break
                    await exchange.chunk(bytes([byte]))
                    await asyncio.sleep(DRIP_S)
            exchange.line.reset()
        else:
            return False
        return True

    async def _hang(self, exchange: Exchange) -> None:
        async with exchange.watched(lambda: None) as gone:
            await gone
        exchange.line.reset()

    async def _stats(self, exchange: Exchange) -> None:
        await exchange.answer(200, self.stats())

    def stats(self) -> dict[str, Any]:
        return dataclasses.asdict(self.counts) | {"fault": self._fault, "loaded": self._engine.loaded is not None}

    async def _set_fault(self, exchange: Exchange) -> None:
        """`{"fault": NAME, "seconds": S}`; after `seconds`, where given, all is well again. Takes effect just after the answer."""
        try:
            asked = json.loads(exchange.body)
            fault = Fault(asked["fault"])
            seconds = float(asked["seconds"]) if "seconds" in asked else None
        except (ValueError, KeyError, TypeError) as error:
            await exchange.answer(400, {"error": f"{error}: one of {', '.join(Fault)}"})
            return
        await exchange.answer(200, {"fault": fault})
        loop = asyncio.get_running_loop()
        loop.call_later(0.01, setattr, self, "fault", fault)
        if seconds is not None:
            loop.call_later(0.01 + seconds, setattr, self, "fault", Fault.NONE)

    async def _ps(self, exchange: Exchange) -> None:
        loaded = self._engine.loaded
        models = []
        if isinstance(loaded, tuple):
            context = dict(loaded[1]).get("num_ctx") or 4096
            models = [_model(loaded[0]) | {"expires_at": "2319-03-06T00:00:00Z", "size_vram": 0, "context_length": context}]
        await exchange.answer(200, {"models": models})

    async def _show(self, exchange: Exchange) -> None:
        name = _full(str(_json(exchange.body).get("model", "")))
        if name not in map(_full, self.shape.models):
            await exchange.answer(404, {"error": f"model '{name}' not found"})
            return
        info = {"general.architecture": "llama", "llama.context_length": 131072}
        await exchange.answer(200, {"details": _model(name)["details"], "model_info": info, "capabilities": ["completion"]})

    # -- /api/chat and /api/generate ----------------------------------------------------------------------------------------------------

    async def _ask(self, exchange: Exchange) -> None:
        body = _json(exchange.body)
        name = str(body.get("model", ""))
        if not body:
            await exchange.answer(400, {"error": "unexpected EOF"})
        elif _full(name) not in map(_full, self.shape.models):
            await exchange.answer(404, {"error": f"model '{name}' not found"})
        elif not 0 <= int(body.get("top_logprobs") or 0) <= 20:
            await exchange.answer(400, {"error": "top_logprobs must be between 0 and 20"})
        else:
            counts = self.counts
            counts.requests += 1
            counts.in_flight += 1
            counts.in_flight_max = max(counts.in_flight_max, counts.in_flight)
            self.asked.append(body)
            try:
                await self._chat(exchange, body)
            finally:
                counts.in_flight -= 1

    async def _chat(self, exchange: Exchange, body: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        options = body.get("options") or {}
        entered = asyncio.create_task(self._engine.enter((_full(body["model"]), tuple((key, options.get(key)) for key in RELOADS))))
        try:
            async with exchange.watched(lambda: None) as gone:
                await asyncio.wait([entered, gone], return_when=asyncio.FIRST_COMPLETED)
            if not entered.done():
                self.counts.cancelled += 1
                exchange.line.reset()
                return
            entered.result()
        except Full:
            await exchange.answer(503, {"error": BUSY})
            return
        finally:
            entered.cancel()
        try:
            reply = Reply(body, exchange, self.shape, self.answer, self._fault)
            reply.load_s, reply.arrived = loop.time() - arrived, arrived
            await reply.send(self._engine, self.counts)
        finally:
            self._engine.leave(unload=body.get("keep_alive") in (0, "0", "0s"))


def _model(name: str) -> dict[str, Any]:
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "8B",
        "quantization_level": "fake",
    }
    return {
        "name": _full(name),
        "model": _full(name),
        "modified_at": "2026-01-01T00:00:00Z",
        "size": 0,
        "digest": "0" * 64,
        "details": details,
    }


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


class Remote:
    """A fake that runs in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/stats", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def set_fault(self, fault: Fault, seconds: float | None = None) -> None:
        """Blocks for a few ms. After DEAD nobody can be told to wake up: give `seconds`."""
        order = json.dumps({"fault": fault} | ({"seconds": seconds} if seconds is not None else {})).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/fault", order), timeout=5) as answer:
            answer.read()
        time.sleep(0.02)


@contextmanager
def process(*options: str) -> Iterator[Remote]:
    """A fake in a process of its own, with the options of the command line; it ends with the block, and with this process."""
    command = [sys.executable, "-m", "benchmarks.fake_ollama", "--with-parent", *options]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            raise RuntimeError(f"the fake Ollama did not start: {' '.join(command)}")
        yield Remote(json.loads(line)["url"])
    finally:
        child.terminate()
        child.communicate()


def _options(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fake_ollama", description="A fake of Ollama; its speed is made up.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--model", default="llama3.1:8b", help="names that it has, with commas")
    steps = ",".join(f"{busy}:{seconds * 1000:g}" for busy, seconds in STEP_S.items())
    parser.add_argument("--step-ms", default=steps, help=f"step time by busy slots; default {steps}")
    parser.add_argument("--prefill-ms", type=float, default=PREFILL_S * 1000, help="of an unread prompt token")
    parser.add_argument("--load-s", type=float, default=0.0)
    parser.add_argument("--max-queue", type=int, default=512)
    parser.add_argument("--answer-tokens", type=int, default=0)
    parser.add_argument("--chunk-tokens", type=int, default=1)
    parser.add_argument("--cut", choices=("whole", "split", "glued"), default="whole", help="how a label is cut into tokens")
    parser.add_argument("--fault", choices=list(Fault), default=Fault.NONE)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    return parser.parse_args(given)


async def _serve(options: argparse.Namespace) -> None:
    points = {int(busy): float(ms) / 1000 for busy, _, ms in (point.partition(":") for point in options.step_ms.split(","))}
    shape = Shape(
        slots=options.slots,
        models=tuple(options.model.split(",")),
        step_s=curve(points),
        prefill_s=options.prefill_ms / 1000,
        load_s=options.load_s,
        max_queue=options.max_queue,
        answer_tokens=options.answer_tokens,
        chunk_tokens=options.chunk_tokens,
        cut=options.cut,
    )
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if options.with_parent:
        loop.add_reader(sys.stdin.fileno(), over.set)
    async with FakeOllama(shape, port=options.port) as fake:
        fake.fault = Fault(options.fault)
        print(json.dumps({"url": fake.url, "slots": shape.slots, "models": shape.models}), flush=True)
        await over.wait()


def main(given: list[str] | None = None) -> None:
    asyncio.run(_serve(_options(given)))


if __name__ == "__main__":
    main()
