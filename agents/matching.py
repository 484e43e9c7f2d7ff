"""Whether an alert is meant by a list of matchers: for silences, rules and routes alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Protocol

import re2

from schemas.base import Matcher


class Compiled(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


class InvalidExpression(ValueError):
    """An expression that RE2 does not take. A retry does not help; the text says what is wrong with which expression."""


class Quiet(re2.Options):  # type: ignore[misc]  # the library has no types
    """RE2 writes to stderr by itself unless told not to; a megabyte bounds what one expression may cost."""

    def __init__(self) -> None:
        super().__init__()
        self.log_errors = False
        self.max_mem = 1 << 20


@lru_cache(maxsize=4096)
def compiled(expression: str) -> Compiled:
    """Raises InvalidExpression. Linear in the text that it is matched with, whatever the expression."""
    try:
        found: Compiled = re2.compile(expression, Quiet())
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise InvalidExpression(f"{expression!r} is not a valid RE2 expression: {text}") from error
    return found


def check(matchers: Iterable[Matcher]) -> None:
    """Raises InvalidExpression for the first matcher that could never be applied."""
    for matcher in matchers:
        if matcher.op in ("=~", "!~"):
            compiled(matcher.value)


def matches(matchers: Iterable[Matcher], *, labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
    """Whether all matchers hold; no matchers hold always. A name that is absent has the value "", as in Alertmanager.

    `fields` (service, environment, name, source, severity, owner, domain) come before labels of the same name when they are
    given and not empty. Raises InvalidExpression: use `check` when matchers come in.
    """
    return all(_holds(matcher, fields.get(matcher.name) or labels.get(matcher.name, "")) for matcher in matchers)


def _holds(matcher: Matcher, value: str) -> bool:
    match matcher.op:
        case "=":
            return value == matcher.value
        case "!=":
            return value != matcher.value
        case "=~":
            return compiled(matcher.value).fullmatch(value) is not None
        case _:
            return compiled(matcher.value).fullmatch(value) is None
