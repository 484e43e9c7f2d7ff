"""The closed set of reasons: why a person was told, or was not."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """Codes of `Reason.code`. Consumers may switch on them; codes are added, never renamed."""

    # told, or on the way of being told
    PAGED = "paged"
    ESCALATION = "escalation"
    HOLD = "hold"
    # part of what is already known
    REPEAT = "repeat"
    JOINED = "joined"
    PARENT_P1 = "parent_p1"
    FLAPPING_P1 = "flapping_p1"
    # nobody is told
    SILENCE = "silence"
    MAINTENANCE = "maintenance"
    NON_PRODUCTION = "non_production"
    INSIGNIFICANT = "insignificant"
    FALSE_P1 = "false_p1"
    FLAP = "flap"
    PARENT_OPEN = "parent_open"
    ALREADY_RESOLVED = "already_resolved"
    TRANSIENT = "transient"
    NO_RECEIVER = "no_receiver"
    # it ended
    RESOLVE_TOLD = "resolve_told"
    RESOLVE_MEMBER = "resolve_member"
    RESOLVE_REPEAT = "resolve_repeat"
    RESOLVE_WITHDRAWN = "resolve_withdrawn"
    RESOLVE_SUPPRESSED = "resolve_suppressed"
    RESOLVE_FLAPPING = "resolve_flapping"
    RESOLVE_UNKNOWN = "resolve_unknown"
    RESOLVE_LATE = "resolve_late"
    # something of ours broke
    STAGE_FAILED = "stage_failed"
