"""What `fluxai providers --test` shows of a provider that answers its check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A provider's `check(timeout_s)` gives it, or raises ProviderError. A check asks the model nothing and costs nothing."""

    model: str
    """That will be asked."""
    says: str
    """One line for people: what the server told of itself."""
    warning: str = ""
    """What a person should see to: a model that is to be withdrawn, a setting that does not fit. Empty: nothing."""
