"""What wraps a provider is one itself: it is called, costs and closes as the one inside."""

from __future__ import annotations

from typing import TypeVar

from pipeline.act.providers.base import Ask, Provider, worst_cost

SLOTS = 8
Layer = TypeVar("Layer")


class Wrapping:
    """Of a wrapper all but `ask`."""

    def __init__(self, inner: Provider) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def model(self) -> str:
        return self.inner.model

    @property
    def local(self) -> bool:
        return self.inner.local

    @property
    def paid(self) -> bool:
        return self.inner.paid

    def worst_cost(self, ask: Ask) -> float:
        return worst_cost(self.inner, ask)

    async def close(self) -> None:
        await self.inner.close()


def layer(stack: object, kind: type[Layer]) -> Layer | None:
    """The outermost `kind` of a stack, or None."""
    while stack is not None:
        if isinstance(stack, kind):
            return stack
        stack = getattr(stack, "inner", None) or getattr(stack, "_inner", None)
    return None


def takes_at_once(stack: object) -> int:
    """How many calls a provider is given at a time: its `slots`, or few."""
    return int(getattr(innermost(stack), "slots", SLOTS))


def innermost(stack: object) -> object:
    """The provider that all others are wrapped around."""
    while (inner := getattr(stack, "inner", None) or getattr(stack, "_inner", None)) is not None:
        stack = inner
    return stack
