"""How the engine fails."""

from __future__ import annotations


class FatalEngineError(RuntimeError):
    """This process cannot go on: it was fenced, a call failed for good, or `failed` raised. Exit 3; a supervisor starts it again."""


class AbortNeeded(Exception):
    """The transaction in hand must be aborted and its input processed again."""


class OutputRefused(ValueError):
    """The broker does not take a record that a step led to (too large for the topic, no key on a compacted one). A retry does not help."""


class Stopped(Exception):
    """The worker was asked to stop while a call to the broker was being retried."""
