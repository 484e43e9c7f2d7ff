"""The engine of the fake Ollama: slots, one step at a time for all of them, a queue without bound, loading and reloading.

A step gives a token to each slot that generates and takes T(b) for b of them, plus the time of the prompt tokens that it reads, at most
BATCH. So N answers of n tokens with u unread prompt tokens, on S slots that never idle, take N/S * n * T(S) + N * u * prefill seconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

BATCH = 512
"""Prompt tokens in one step at most."""
CHARS = 4
"""Of a token of a prompt."""
REUSED = 0.1
"""A slot is chosen for what it remembers if that is more than this share of the prompt; else the one that rested longest."""

Steps = Callable[[int], float]


class Full(Exception):
    """Too many wait for the model to load."""


def curve(points: Mapping[int, float]) -> Steps:
    """Seconds of a step by how many slots generate: straight lines through `points`, the last one goes on."""
    given = sorted(points.items())

    def step(busy: int) -> float:
        if busy <= given[0][0] or len(given) == 1:
            return given[0][1]
        at = next((at for at in range(1, len(given)) if busy <= given[at][0]), len(given) - 1)
        (low, least), (high, most) = given[at - 1], given[at]
        return least + (most - least) * (busy - low) / (high - low)

    return step


@dataclass(eq=False)
class Work:
    """One request in the engine. `out` gets the number of tokens so far, each `every` tokens and at the end."""

    prompt: str
    tokens: int
    streamed: bool = True
    every: int = 1
    out: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    cancelled: bool = False
    unread: int = 0
    said: int = 0
    queued_at: float = 0.0
    seated_at: float = 0.0
    read_at: float = 0.0
    ended_at: float = 0.0


@dataclass(eq=False)
class Slot:
    work: Work | None = None
    remembers: str = ""
    rested_at: float = 0.0


@dataclass
class Counts:
    requests: int = 0
    in_flight: int = 0
    in_flight_max: int = 0
    """Requests at the server, waiting or running."""
    running: int = 0
    running_max: int = 0
    loads: int = 0
    reloads: int = 0
    refused: int = 0
    """Answered 503."""
    cancelled: int = 0
    """Whose client went away."""
    tokens_out: int = 0
    tokens_read: int = 0
    tokens_cached: int = 0
    connections: int = 0
    connections_max: int = 0
    late_ms_max: float = 0.0
    """How far the fake itself fell behind its own clock: large where this machine was too busy for its figures to mean anything."""


class Engine:
    def __init__(self, slots: int, step_s: Steps, prefill_s: float, load_s: float, max_queue: int, counts: Counts) -> None:
        self.slots = [Slot() for _ in range(slots)]
        self.step_s, self.prefill_s, self.load_s, self.max_queue, self.counts = step_s, prefill_s, load_s, max_queue, counts
        self.loaded: Hashable | None = None
        self._queue: deque[Work] = deque()
        self._more = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self._users = 0
        self._waiting = 0
        self._door = asyncio.Lock()
        self._load: asyncio.Task[None] | None = None
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        tasks = [task for task in (self._loop, self._load) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the model ----------------------------------------------------------------------------------------------------------------------

    async def enter(self, runner: Hashable) -> None:
        """Wait until the model is loaded as `runner` says; `leave` must follow. Raises Full."""
        if self.loaded != runner or self._door.locked():
            if self._waiting > self.max_queue:
                self.counts.refused += 1
                raise Full
            self._waiting += 1
            try:
                async with self._door:
                    await self._have(runner)
                    self._use()
            finally:
                self._waiting -= 1
        else:
            self._use()

    def leave(self, unload: bool = False) -> None:
        self._users -= 1
        if self._users == 0:
            self._free.set()
            self.loaded = None if unload else self.loaded

    def _use(self) -> None:
        self._users += 1
        self._free.clear()

    async def _have(self, runner: Hashable) -> None:
        if self._load is not None and not self._load.done():
            await asyncio.shield(self._load)  # of one whose client went away: a load goes on
        if self.loaded == runner:
            return
        await self._free.wait()
        self._load = asyncio.create_task(self._read_in(runner))
        await asyncio.shield(self._load)

    async def _read_in(self, runner: Hashable) -> None:
        self.counts.loads += 1
        self.counts.reloads += self.loaded is not None
        self.loaded = None
        for slot in self.slots:
            slot.remembers = ""
        await asyncio.sleep(self.load_s)
        self.loaded = runner

    # -- the work -----------------------------------------------------------------------------------------------------------------------

    def submit(self, work: Work) -> None:
        work.queued_at = asyncio.get_running_loop().time()
        self._queue.append(work)
        self._more.set()

    def cancel(self, work: Work) -> None:
        """Not wanted any more: out of the queue at once; out of a slot at the next step, but never while its prompt is being read."""
        work.cancelled = True
        if work in self._queue:
            self._queue.remove(work)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time()
        while True:
            self._seat(at)
            busy = [slot.work for slot in self.slots if slot.work is not None]
            self.counts.running = len(busy)
            self.counts.running_max = max(self.counts.running_max, len(busy))
            if not busy:
                self._more.clear()
                await self._more.wait()
                at = loop.time()
                continue
            read = self._read(busy)
            speak = [work for work in busy if work.unread == read.get(work, 0)]
            at += self.step_s(max(len(speak), 1)) + self.prefill_s * sum(read.values())
            await asyncio.sleep(max(at - loop.time(), 0))
            self.counts.late_ms_max = max(self.counts.late_ms_max, round((loop.time() - at) * 1000, 1))
            self._step(read, speak, at)

    def _seat(self, now: float) -> None:
        while self._queue and (free := [slot for slot in self.slots if slot.work is None]):
            work = self._queue.popleft()
            common = {id(slot): _common(slot.remembers, work.prompt) for slot in free}
            slot = max(free, key=lambda one: common[id(one)])
            if common[id(slot)] <= REUSED * len(work.prompt):
                slot = min(free, key=lambda one: one.rested_at)
            whole = tokens_of(work.prompt)
            cached = min(common[id(slot)] // CHARS, whole - 1)
            work.unread, work.seated_at = whole - cached, now
            self.counts.tokens_cached += cached
            self.counts.tokens_read += work.unread
            slot.work, slot.remembers = work, work.prompt

    def _read(self, busy: list[Work]) -> dict[Work, int]:
        left = BATCH
        read = {}
        for work in busy:
            if work.unread and left:
                read[work] = min(work.unread, left)
                left -= read[work]
        return read

    def _step(self, read: dict[Work, int], speak: list[Work], now: float) -> None:
        for work, count in read.items():
            work.unread -= count
            if not work.unread:
                work.read_at = now
        alone = len([slot for slot in self.slots if slot.work]) == 1
        for work in speak:
            work.said += 1
            self.counts.tokens_out += 1
            if work.said == work.tokens or work.said % work.every == 0:
                work.out.put_nowait(work.said)
        for slot in self.slots:
            work_here = slot.work
            if work_here is None or work_here.unread:
                continue
            given_up = work_here.cancelled and (work_here.streamed or alone)
            if work_here.said >= work_here.tokens or given_up:
                work_here.ended_at = slot.rested_at = now
                slot.work = None


def tokens_of(text: str) -> int:
    return max(-(-len(text) // CHARS), 1)


def _common(one: str, other: str) -> int:
    """Length of the longest common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
