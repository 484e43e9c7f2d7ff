"""What of a question is told to a model: cleaned, with the text that speaks to a machine taken out, and bounded.

Two parts: `ours`, from the topology and the rules, and the rest, which somebody outside may have written. `cut` makes it smaller by steps,
the least important first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from agents.advice.untrusted import LOOK, clean, is_strong, sentences, suspicious
from schemas.advice import AskedAlert, Question

REMOVED = "[text that speaks to a machine was removed: {}]"
_URL = re.compile(r"\b(h)(tt)(ps?)(://)([^\s/?#\"'<>]{1,253})|\b(ftp|wss?|file|data|javascript|vbscript|mailto)(:)(?=[^\s:])", re.I)
_KEY = re.compile(r"[^\w.:/@ -]")
_NO_KEY = re.compile(r"[=:\s]")
"""A key with one of these is a text, and may be a secret that would no longer be found once `_KEY` has changed it."""
LONGEST_KEY = 60


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that is told. Lengths in characters."""

    alerts: int = 5
    name: int = 160
    text: int = 600
    labels: int = 24
    label: int = 160
    annotations: int = 8
    annotation: int = 300
    changes: int = 8
    history: int = 8
    timeline: int = 12
    line: int = 200
    candidates: int = 12
    book: int = 400
    neighbours: int = 10
    facts: int = 24


def _steps() -> tuple[Caps, ...]:
    steps = [Caps()]
    for smaller in (
        {"timeline": 6, "annotation": 160},
        {"history": 3, "annotations": 4},
        {"book": 160, "label": 100},
        {"labels": 12, "timeline": 3},
        {"alerts": 3, "annotations": 2},
        {"book": 80, "changes": 3},
        {"text": 300, "alerts": 2},
        {"book": 0, "candidates": 8, "neighbours": 4},
        {"labels": 8, "history": 1, "timeline": 1, "line": 120},
        {"alerts": 1, "annotations": 0, "facts": 12, "label": 60},
        {"text": 160, "changes": 1, "candidates": 5, "name": 100},
        {"labels": 4, "history": 0, "timeline": 0, "facts": 6},
        {"labels": 0, "changes": 0, "candidates": 3, "neighbours": 0, "name": 60, "text": 80, "facts": 4, "line": 60},
        {"text": 30, "name": 30, "candidates": 1, "facts": 0, "line": 30},
    ):
        steps.append(replace(steps[-1], **smaller))
    return tuple(steps)


STEPS = _steps()


@dataclass(slots=True)
class Told:
    """Plain values for a prompt."""

    ours: dict[str, Any] = field(default_factory=dict)
    candidates: list[dict[str, str]] = field(default_factory=list)
    """Sorted by id."""
    ranked: list[str] = field(default_factory=list)
    """Their ids, the likeliest first: who stays when it must be shorter."""
    incident: dict[str, Any] = field(default_factory=dict)
    tainted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def cut(self, caps: Caps) -> Told:
        """The same, within `caps`."""
        ours = dict(self.ours)
        if "service" in ours:
            card = dict(ours["service"])
            for key in ("depends_on", "used_by"):
                card[key] = card[key][: caps.neighbours]
            ours["service"] = {key: _short(value, caps.name) if isinstance(value, str) else value for key, value in card.items()}
        stay = set(self.ranked[: caps.candidates])
        books = [_book(one, caps) for one in self.candidates if one["id"] in stay]
        incident = dict(self.incident)
        incident["title"] = _short(incident["title"], caps.name)
        for key, most in (("changes", caps.changes), ("history", caps.history), ("timeline", caps.timeline)):
            lines = incident[key][-most:] if key == "timeline" and most else incident[key][:most]
            incident[key] = [_short(line, caps.line) for line in lines]
        incident["facts"] = {key: _fact(value, caps) for key, value in list(incident["facts"].items())[: caps.facts]}
        incident["alerts"] = [_alert(one, caps) for one in incident["alerts"][: caps.alerts]]
        told = {key: value for key, value in incident.items() if value not in ([], {}, "")}
        return Told(ours=ours, candidates=books, ranked=self.ranked, incident=told, tainted=self.tainted, removed=self.removed)


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def _book(one: dict[str, str], caps: Caps) -> dict[str, str]:
    book = {"id": one["id"], "title": _short(one["title"], caps.name)}
    if caps.book and one["text"]:
        book["text"] = _short(one["text"], caps.book)
    return book


def _fact(value: Any, caps: Caps) -> Any:
    if isinstance(value, list):
        return [_fact(item, caps) for item in value]
    return _short(value, caps.line) if isinstance(value, str) else value


def _alert(one: dict[str, Any], caps: Caps) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for key, value in one.items():
        if key == "labels":
            cut[key] = {name: _short(text, caps.label) for name, text in list(value.items())[: caps.labels]}
        elif key == "annotations":
            cut[key] = {name: _short(text, caps.annotation) for name, text in list(value.items())[: caps.annotations]}
        else:
            cut[key] = _short(value, caps.text if key in ("summary", "description") else caps.name)
    return {key: value for key, value in cut.items() if value}


@dataclass(slots=True)
class _Reader:
    """Takes texts in and keeps book of where they came from."""

    tainted: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def take(self, path: str, text: str, limit: int) -> str:
        if not text:
            return ""
        self.tainted.append(path)
        written, signs = abstracted(text, limit)
        self.removed += [f"{path}: {sign}" for sign in signs]
        return written

    def pairs(self, path: str, pairs: dict[str, str], most: int, limit: int) -> dict[str, str]:
        taken: dict[str, str] = {}
        for number, key in enumerate(sorted(pairs)[:most]):
            name = _KEY.sub("_", clean(key, 64))
            if not name or len(key) > LONGEST_KEY or _NO_KEY.search(key) is not None or suspicious(name) is not None or name in taken:
                self.removed.append(f"{path}: key {number}")
                name = f"label_{number}"
            taken[name] = self.take(f"{path}.{name}", pairs[key], limit)
        return {key: value for key, value in taken.items() if value}


def abstracted(text: str, limit: int) -> tuple[str, list[str]]:
    """(text without what speaks to a machine, links made harmless, at most `limit` characters; names of the signs). After a strong sign the
    rest of the text goes as well."""
    text = text[:LOOK]
    signs: list[str] = []
    if (whole := suspicious(text)) is not None:
        kept = []
        for sentence in sentences(text):
            sign = suspicious(sentence)
            if sign is None:
                kept.append(sentence)
                continue
            if sign not in signs:
                kept.append(f"{REMOVED.format(sign)} ")
                signs.append(sign)
            if is_strong(sign):
                break
        text = "".join(kept)
        if not signs or suspicious(text) is not None:
            signs = signs or [whole]
            text = REMOVED.format(signs[0])
    return _short(defanged(clean(text, limit)), limit), signs


def defanged(text: str) -> str:
    """Links that nobody can follow by mistake: `hxxps://host[.]example/path`."""
    return _URL.sub(_harmless, text) if ":" in text else text


def _harmless(found: re.Match[str]) -> str:
    if found[1]:
        return f"{'hxxp' if found[1].islower() else 'HXXP'}{found[3][1:]}://{found[5].replace('.', '[.]')}"
    return f"{found[6]}[:]"


def told(question: Question) -> Told:
    """A question as plain values, cleaned and within the widest caps."""
    caps = STEPS[0]
    reader = _Reader()
    ours: dict[str, Any] = {"rule_severity": question.rule_severity.value, "alert_count": question.alert_count}
    if question.learned:
        ours["learned"] = {name: round(share, 2) for name, share in sorted(question.learned.items()) if math.isfinite(share)}
    if question.service is not None:
        card = question.service
        ours["service"] = {
            "name": clean(card.service, caps.name),
            "owner": clean(card.owner, caps.name),
            "tier": card.tier,
            "customers_see_it": card.customer_facing,
            "depends_on": [clean(name, caps.name) for name in card.depends_on[: caps.neighbours]],
            "used_by": [clean(name, caps.name) for name in card.used_by[: caps.neighbours]],
        }
    ranked = sorted(question.candidates, key=lambda one: (-one.score if math.isfinite(one.score) else 0.0, one.id))
    usable = {one.id: one for one in ranked if clean(one.id, 128) == one.id and one.id and suspicious(one.id) is None}
    kept = list(usable)[: caps.candidates]
    books = [
        {
            "id": id_,
            "title": reader.take(f"candidates.{id_}.title", usable[id_].title, caps.name),
            "text": reader.take(f"candidates.{id_}.text", usable[id_].text, caps.book),
        }
        for id_ in sorted(kept)
    ]
    incident = {
        "title": reader.take("title", question.title, caps.name),
        "facts": _facts(question.facts, reader.take, caps),
        **{
            name: [reader.take(f"{name}[{number}]", line, caps.line) for number, line in enumerate(lines)]
            for name, lines in (
                ("changes", question.changes[: caps.changes]),
                ("history", question.history[: caps.history]),
                ("timeline", question.timeline[-caps.timeline :]),
            )
        },
        "alerts": [_asked(f"alerts[{number}]", one, reader, caps) for number, one in enumerate(question.alerts[: caps.alerts])],
    }
    return Told(ours, books, kept, incident, tuple(reader.tainted), tuple(reader.removed))


def _asked(path: str, alert: AskedAlert, reader: _Reader, caps: Caps) -> dict[str, Any]:
    one: dict[str, Any] = {
        name: reader.take(f"{path}.{name}", getattr(alert, name), caps.text if name in ("summary", "description") else caps.name)
        for name in ("name", "service", "environment", "source", "source_severity", "summary", "description")
    }
    if one["description"] == one["summary"]:
        one["description"] = ""
    one["labels"] = reader.pairs(f"{path}.labels", alert.labels, caps.labels, caps.label)
    one["annotations"] = reader.pairs(f"{path}.annotations", alert.annotations, caps.annotations, caps.annotation)
    return one


def _facts(facts: dict[str, Any], take: Callable[[str, str, int], str], caps: Caps) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for number, key in enumerate(sorted(facts)[: caps.facts]):
        name = _KEY.sub("_", clean(key, 64))
        if not name or "=" in key or ":" in key or suspicious(name) is not None:
            name = f"fact_{number}"
        value = facts[key]
        items = value[:8] if isinstance(value, list | tuple) else [value]
        plain = [_scalar(f"facts.{name}", item, take, caps) for item in items]
        kept[name] = plain if isinstance(value, list | tuple) else plain[0]
    return kept


def _scalar(path: str, value: Any, take: Callable[[str, str, int], str], caps: Caps) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return take(path, str(value), caps.line)
