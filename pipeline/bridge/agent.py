"""Agents that acknowledge a message after its handler, or after its dead letter is written."""

from __future__ import annotations

import asyncio
import logging
import os
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import faust

from pipeline.bridge.transport import Transport, UnsafeAppError
from schemas.topics import full_name

T = TypeVar("T")
Handler = Callable[[T, Any], Awaitable[None]]
"""Gets the decoded message and Faust's event (`event.key`, `event.message.offset`, ...); after a crash, maybe once more."""

EXIT_STATUS = 3
"""Of a process that could not write a dead letter. A supervisor starts it again, and the message comes again."""

ERROR_LIMIT = 2000
TRACEBACK_LIMIT = 4000
"""Characters kept in headers; of a traceback its end, which names the error. Room is scarce when the original is near 1 MiB."""

log = logging.getLogger(__name__)


class Bridge:
    """Installs the transport in `app`, before its agents are declared.

    A message whose decoder or handler raises is written to the dead-letter topic as it came; if that fails within
    `dead_letter_timeout` seconds the process ends with EXIT_STATUS and nothing is acknowledged.
    """

    def __init__(self, app: faust.App, *, prefix: str = "flux.", dead_letters: str = "", dead_letter_timeout: float = 30.0) -> None:
        if app._transport is not None:
            raise UnsafeAppError("create the Bridge right after the faust.App: its transport is already in use")
        self.app = app
        self.prefix = prefix
        self.dead_letters = dead_letters or full_name(prefix, "dead_letters")
        self.dead_letter_timeout = dead_letter_timeout
        self._bridged: set[str] = set()
        # Faust asks for the transport once its configuration is final; a driver can only be named for all of a process otherwise.
        setattr(app, "_new_transport", lambda: Transport(app.conf.broker_consumer, app, self._bridged))  # noqa: B010

    def agent(self, topic: str, decode: Callable[[bytes], T], *, concurrency: int = 1) -> Callable[[Handler[T]], Handler[T]]:
        """Read a topic of the catalogue (its short name) with the decorated handler; one agent a topic.

        `decode` makes a message of the bytes, for example `Incident.from_json`; a null value reaches it as b"". With a
        concurrency above 1 messages of one key may overtake each other; nothing is lost by it.
        """
        name = full_name(self.prefix, topic)
        if name in self._bridged:
            raise UnsafeAppError(f"{topic} already has an agent; a second one needs an application (consumer group) of its own")
        self._bridged.add(name)
        source = self.app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

        def register(handler: Handler[T]) -> Handler[T]:
            async def consume(stream: Any) -> None:
                manual = stream.noack()
                async for event in manual.events():
                    await self._handle(event, decode, handler)
                    await manual.ack(event)

            self.app.agent(source, name=f"bridge.{topic}", concurrency=concurrency)(consume)
            return handler

        return register

    async def _handle(self, event: Any, decode: Callable[[bytes], T], handler: Handler[T]) -> None:
        """Returns when the message is handled or set aside; a cancellation (rebalance, stop) leaves it unacknowledged."""
        try:
            message = decode(event.message.value or b"")
        except Exception as error:  # whatever a decoder raises, the original bytes are kept
            await self._set_aside(event.message, "undecodable", error)
            return
        try:
            await handler(message, event)
        except Exception as error:  # whatever a handler raises, the message is kept and the stream goes on
            await self._set_aside(event.message, "handler_failed", error)

    async def _set_aside(self, message: Any, reason: str, error: Exception) -> None:
        facts = {
            "stage": f"consumer.{self.app.conf.id}",
            "reason": reason,
            "error": f"{type(error).__name__}: {error}"[:ERROR_LIMIT],
            "traceback": "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:],
            "topic": message.topic,
            "partition": str(message.partition),
            "offset": str(message.offset),
            "timestamp": str(round(message.timestamp * 1000)),
        }
        headers = [(name, value) for name, value in message.headers or () if name not in facts]
        headers += [(name, text.encode()) for name, text in facts.items()]
        log.error("%s: %s offset %s goes to %s", reason, message.tp, message.offset, self.dead_letters, exc_info=error)
        try:
            sent = self.app.producer.send_and_wait(self.dead_letters, self.app.conf.id.encode(), message.value, None, None, headers)
            await asyncio.wait_for(sent, self.dead_letter_timeout)
        except Exception as refused:  # the message is in nobody's hands now, so it must come again
            self._end(refused)

    def _end(self, error: Exception) -> NoReturn:
        """End at once: an orderly stop of Faust can hang, and would have nothing to save."""
        log.critical("the dead letter cannot be written to %s, so this process ends: %r", self.dead_letters, error)
        logging.shutdown()
        os._exit(EXIT_STATUS)
