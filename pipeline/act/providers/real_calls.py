"""The switch that makes a real call in tests impossible by accident: every provider asks `allowed` before each call."""

from __future__ import annotations

import os

from pipeline.act.providers.base import Failure, ProviderError
from pipeline.act.providers.network import is_loopback

SWITCH = "FLUX_TEST_NO_MODEL_CALLS"
"""An environment variable, so that child processes inherit it."""


def allowed(url: str) -> None:
    """Raises ProviderError where the switch is on and `url` is not this machine. Nothing has been sent then."""
    if os.environ.get(SWITCH) and not is_loopback(url):
        raise ProviderError(Failure.NOT_ALLOWED, f"{SWITCH} is set: only servers on this machine are asked", asked=False)
