"""What the words of sources mean: urgency levels and firing or resolved. One table each."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from agents.normalize.dig import text
from schemas.base import AlertStatus, Severity

P1, P2, P3, P4 = Severity.P1, Severity.P2, Severity.P3, Severity.P4

_LEVELS: dict[Severity, str] = {
    P1: "critical crit disaster fatal emergency emerg panic blocker catastrophic page urgent highest immediate severe extreme veryhigh "
    "p0 p1 s0 s1 sev0 sev1 severity0 severity1 priority1 prio1 red down outage",
    P2: "error err high major important serious significant alert alarm p2 s2 sev2 severity2 priority2 prio2 failure failed orange",
    P3: "warning warn average medium moderate minor normal attention caution unstable degraded yellow p3 s3 sev3 severity3 priority3 prio3 "
    "trouble elevated partial",
    P4: "info information informational informative low lowest debug notice trivial verbose notclassified none nothing planning trace "
    "p4 p5 s4 s5 sev4 sev5 severity4 severity5 priority4 priority5 prio4 prio5 verylow negligible blue",
}
LEVEL_OF: dict[str, Severity] = {word: level for level, words in _LEVELS.items() for word in words.split()}

_FIRING = (
    "firing fired fire active activated activate alerting alert alarm alarming triggered trigger triggers triggering open "
    "opened opening new created create problem problems down critical crit warning warn error failed failing fail failure "
    "failures unhealthy bad degraded outage offline unreachable start started starts raised raise acknowledged acknowledge "
    "acknowledgement ack inprogress investigating identified monitoring assigned escalated escalate pending nodata missing "
    "high unresolved unresolve regression reopened reopen retriggered renotify renotified ongoing breached breach violated "
    "violation anomalous abnormal disaster major minor fatal trouble timeout occurred begin began insufficientdata unknown "
    "unavailable notok exceeded threat incident unacknowledged reassigned suspended late expired updated update added "
    "continued worse"
)
_RESOLVED = (
    "resolved resolve resolves resolving resolution ok okay recovered recovery recover recovering closed close closing clear "
    "cleared clears up normal inactive healthy good success succeeded successful passed passing pass deactivated deactivate "
    "fixed ended end ends finished stopped restored restore online available operational green cancelled canceled cancel "
    "deleted delete solved done backtonormal completed complete notalerting unfiring"
)
STATUS_OF: dict[str, AlertStatus] = {
    **dict.fromkeys(_FIRING.split(), AlertStatus.FIRING),
    **dict.fromkeys(_RESOLVED.split(), AlertStatus.RESOLVED),
}

_WORDS = re.compile(r"[A-Za-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ARROW = re.compile(r"->|=>|→|⇒|\bto\b", re.IGNORECASE)
_NOT = frozenset({"not", "no", "non", "un"})


def level_of(word: Any) -> Severity | None:
    """Urgency that a source's severity word suggests by itself; None for no word, an all-clear word or one that nobody listed."""
    return _level(text(word)) if word else None


@lru_cache(maxsize=2048)
def _level(word: str) -> Severity | None:
    squeezed = "".join(_WORDS.findall(word.lower()))
    if squeezed in LEVEL_OF:
        return LEVEL_OF[squeezed]
    if squeezed in STATUS_OF and STATUS_OF[squeezed] is AlertStatus.RESOLVED:
        return None
    found = [LEVEL_OF[part] for part in _WORDS.findall(_CAMEL.sub(" ", word).lower()) if part in LEVEL_OF]
    return min(found) if found and len(word) <= 40 else None


def ranked(word: Any) -> Severity | None:
    """As `level_of`, and numbers on a scale where 1 is the most urgent (priorities): 1 to 5 or more are P1 to P4."""
    found = level_of(word)
    if found is None and (digits := text(word).strip()).isdigit() and digits.isascii() and len(digits) < 3:
        return (P1, P1, P2, P3, P4)[min(int(digits), 4)]
    return found


def status_of(word: Any) -> AlertStatus | None:
    """Firing or resolved, as a status word says; None where it says neither. `DOWN -> UP` and `incident.resolved` are read by their end."""
    if word is True or word is False or not word:
        return None
    return _status(text(word))


@lru_cache(maxsize=2048)
def _status(word: str) -> AlertStatus | None:
    if len(word) > 80:
        return None
    end = _ARROW.split(word)[-1]
    squeezed = "".join(_WORDS.findall(end.lower()))
    if squeezed in STATUS_OF:
        return STATUS_OF[squeezed]
    parts = _WORDS.findall(_CAMEL.sub(" ", end).lower())
    for position in range(len(parts) - 1, -1, -1):
        found = STATUS_OF.get(parts[position])
        if found is not None:
            if position and parts[position - 1] in _NOT and found is AlertStatus.RESOLVED:
                return AlertStatus.FIRING
            return found
    return None


def status_or_firing(*words: Any) -> AlertStatus:
    """Status of the first word that says one. Where none does it is firing: unsure means tell someone."""
    for word in words:
        found = status_of(word)
        if found is not None:
            return found
    return AlertStatus.FIRING
