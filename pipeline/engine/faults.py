"""Named points at which a test may have the process killed, as a power cut would.

`FLUX_FAULT="before_commit:0.05,after_commit:0.02"`: at each of these points the process ends itself with SIGKILL with that probability.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Mapping

BEFORE_SEND_OFFSETS = "before_send_offsets"
"""Outputs and changelog are on the broker, the offsets are not."""
BEFORE_COMMIT = "before_commit"
AFTER_COMMIT = "after_commit"
POINTS = (BEFORE_SEND_OFFSETS, BEFORE_COMMIT, AFTER_COMMIT)


class Faults:
    """Raises ValueError for a point that does not exist: a fault test that tests nothing would be worse than none."""

    def __init__(self, wanted: Mapping[str, float]) -> None:
        if unknown := set(wanted) - set(POINTS):
            raise ValueError(f"FLUX_FAULT names {sorted(unknown)}; there are {list(POINTS)}")
        self._wanted = dict(wanted)
        self._random = random.Random()

    @classmethod
    def from_environment(cls) -> Faults:
        wanted = {}
        for part in filter(None, os.environ.get("FLUX_FAULT", "").split(",")):
            point, _, probability = part.partition(":")
            wanted[point.strip()] = float(probability or 1)
        return cls(wanted)

    def reach(self, point: str, first: Callable[[], object] | None = None) -> None:
        """Perhaps die here, after calling `first`."""
        if self._wanted and self._random.random() < self._wanted.get(point, 0):
            if first is not None:
                first()
            os.kill(os.getpid(), signal.SIGKILL)
