"""Read our topics safely from a Faust application: `Bridge(app)`. Optional (extra `faust`); no lane of ours imports it."""

from __future__ import annotations

try:
    import faust  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "faust":
        raise
    raise ImportError("pipeline.bridge needs Faust, which is an optional extra: pip install 'fluxai[faust]'") from error

from pipeline.bridge.agent import Bridge
from pipeline.bridge.transport import UnsafeAppError

__all__ = ["Bridge", "UnsafeAppError"]
