"""Writes deliveries to standard output: what `make run` shows."""

from __future__ import annotations

import asyncio
import sys
from typing import TextIO

from agents.notify.console import as_json, line
from agents.notify.receivers import ConsoleReceiver
from pipeline.act.receivers.base import Failed, Sent
from pipeline.act.threads import beside, seen
from schemas.effect import Delivery


class Console:
    """Each delivery is one line. Whoever does not read the pipe holds up this receiver only."""

    def __init__(self, config: ConsoleReceiver, out: TextIO | None = None) -> None:
        self._render = as_json if config.style == "json" else line
        self._out = out
        self._free = asyncio.Semaphore(1)
        self._stuck: asyncio.Task[None] | None = None

    async def send(self, delivery: Delivery) -> Sent:
        text = self._render(delivery) + "\n"
        async with self._free:
            if self._stuck is not None and not self._stuck.done():
                raise Failed("the terminal does not take what is written")
            self._stuck = seen(asyncio.create_task(beside(lambda: self._write(text), "console")))
            try:
                await asyncio.shield(self._stuck)
            except (OSError, ValueError) as error:
                raise Failed(f"the terminal is gone: {error}") from error
        return Sent("written")

    def _write(self, text: str) -> None:
        out = self._out or sys.stdout
        encoding = out.encoding or "utf-8"
        out.write(text.encode(encoding, "backslashreplace").decode(encoding))
        out.flush()

    async def close(self) -> None:
        """Nothing is held."""
