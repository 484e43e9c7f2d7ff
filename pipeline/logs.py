"""Log lines: to stderr, JSON unless a person is looking. Secrets have no business in a log; keys that name one are masked."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog

from pipeline.settings import LogFormat, Settings

SECRET_WORDS = ("password", "secret", "token", "api_key", "apikey", "authorization", "routing_key")

AS_DICTS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Tracebacks without the values of variables: a secret may be among them."""

SELDOM_S = 30.0
REMEMBERED = 1000


class Seldom(logging.Filter):
    """Lets what a library says through once in `SELDOM_S`: a client whose brokers are away says the same a hundred times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        what = (record.name, str(record.msg))
        if now < self._next.get(what, 0.0):
            return False
        if len(self._next) >= REMEMBERED:  # a library that puts its numbers into the text
            self._next.clear()
        self._next[what] = now + SELDOM_S
        return True


def set_up(settings: Settings, **bound: Any) -> None:
    """Configure structlog and the standard library's logging for this process; `bound` is on every line."""
    as_json = settings.log_format is LogFormat.JSON or (settings.log_format is LogFormat.AUTO and not sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
        AS_DICTS if as_json else structlog.processors.UnicodeDecoder(),
    ]
    person: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    render: Any = structlog.processors.JSONRenderer() if as_json else person
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared))
    handler.addFilter(Seldom())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if any(word in key.lower() for word in SECRET_WORDS):
            event[key] = "***"
    return event
