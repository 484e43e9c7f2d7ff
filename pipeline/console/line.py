"""One line of what is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened, for a log of plain lines.

    `kind`: opened, told, changed, advised, late, degraded, ended, silenced, dead, change, note, lane.
    """

    at: datetime
    kind: str
    text: str
