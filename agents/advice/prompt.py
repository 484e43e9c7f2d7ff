"""Prompts: the library of versioned files, and how a question is put.

The static text of a version comes first and is byte-identical in all its calls, so that a server reuses what it has read. What differs
comes after it, service and runbooks before alerts. No time and no id is in it: the same question is the same prompt.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib import resources
from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.advice.view import STEPS, Told, told
from schemas.advice import AdviceTask, Question
from schemas.base import Severity

CHARS_PER_TOKEN = 3.5
"""Of English and JSON; a character outside ASCII is taken for a whole token."""
SEVERITIES = tuple(severity.value for severity in Severity)


class AnswerField(BaseModel):
    """One field of an answer, in the order in which it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: Literal["severity", "percent", "text", "candidates", "lines"]
    limit: int = Field(default=0, ge=0, description="Characters, of text and of each line")
    most: int = Field(default=0, ge=0, description="Items, of candidates and lines")


class Template(BaseModel):
    """One version of the prompt of a task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: AdviceTask
    version: int = Field(ge=1)
    current: bool = False
    about: str
    recommended: dict[str, str] = Field(description="Provider to the model that it was written for")
    max_input_tokens: int
    max_tokens: int
    fields: tuple[AnswerField, ...]
    prompt: dict[Literal["system"], str]

    @property
    def id(self) -> str:
        """`triage@1`: what advice, metrics and caches name."""
        return f"{self.task.value}@{self.version}"

    @property
    def system(self) -> str:
        return self.prompt["system"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt, ready to be asked."""

    prompt_id: str
    system: str
    user: str
    schema: Mapping[str, Any]
    max_tokens: int
    labels: tuple[str, ...]
    input_tokens: int
    """Estimated: a tokenizer of English text gives about this."""
    tainted: tuple[str, ...]
    """Paths of the question's fields that somebody outside may have written, all of them between delimiters."""
    removed: tuple[str, ...]
    """`path: sign` of every field from which text was taken because it speaks to a machine."""


def _library() -> dict[tuple[AdviceTask, int], Template]:
    files = sorted(
        (file for file in resources.files("agents.advice").joinpath("prompts").iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    found: dict[tuple[AdviceTask, int], Template] = {}
    for file in files:
        one = Template.model_validate(tomllib.loads(file.read_text("utf-8")))
        if file.name != f"{one.task.value}.v{one.version}.toml":
            raise ValueError(f"agents/advice/prompts/{file.name} holds {one.id}: rename one of them")
        found[one.task, one.version] = one
    for task in AdviceTask:
        marked = sum(one.current for one in found.values() if one.task is task)
        if marked != 1:
            raise ValueError(f"agents/advice/prompts: {marked} versions of {task.value} are marked current, it must be one")
    return found


_LIBRARY = _library()


def templates() -> list[Template]:
    """All versions of all tasks, in the order of task and version."""
    order = list(AdviceTask)
    return sorted(_LIBRARY.values(), key=lambda one: (order.index(one.task), one.version))


def template(task: AdviceTask, version: int | None = None) -> Template:
    """The version, or the one marked current. Raises KeyError where there is no such."""
    if version is None:
        return next(one for one in _LIBRARY.values() if one.task is task and one.current)
    return _LIBRARY[task, version]


def tokens(text: str) -> int:
    """About how many tokens a text is."""
    wide = 0 if text.isascii() else sum(letter > "\x7f" for letter in text)
    return ceil((len(text) - wide) / CHARS_PER_TOKEN) + wide


def render(template: Template, question: Question, *, secret: bytes) -> Rendered:
    """The question as a prompt of at most `max_input_tokens` (estimated). `secret` (any length) makes delimiters that nobody outside can
    know. The same question and secret give the same bytes."""
    key = blake2b(secret, digest_size=32).digest()
    whole = told(question)
    room = template.max_input_tokens - tokens(template.system)
    user, shown = "", whole
    for step in STEPS:
        shown = whole.cut(step)
        user = _written(shown, key)
        if tokens(user) <= room:
            break
    ids = [one["id"] for one in shown.candidates]
    return Rendered(
        prompt_id=template.id,
        system=template.system,
        user=user,
        schema=schema(template, ids),
        max_tokens=template.max_tokens,
        labels=SEVERITIES if template.fields[0].kind == "severity" else (),
        input_tokens=tokens(template.system) + tokens(user),
        tainted=whole.tainted,
        removed=whole.removed,
    )


def _written(shown: Told, key: bytes) -> str:
    parts = [f"Ours: {_json(shown.ours)}"]
    if shown.candidates:
        parts.append(_between("runbooks", shown.candidates, key))
    parts.append(_between("incident", shown.incident, key))
    parts.append("Answer with the JSON object.")
    return "\n".join(parts)


def _between(name: str, value: Any, key: bytes) -> str:
    written = _json(value)
    tag = blake2b(f"{name}\x1f{written}".encode(), key=key, digest_size=6).hexdigest()
    return f"<<data {name} {tag}>>\n{written}\n<<end {tag}>>"


def _json(value: Any) -> str:
    """JSON in which no angle bracket stands, so nothing in it can look like a delimiter or a special token."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return written.replace("<", "\\u003c").replace(">", "\\u003e")


def schema(template: Template, candidates: Iterable[str]) -> dict[str, Any]:
    """JSON Schema of the answer: properties in the order in which they are to be written, each bounded. Without candidates the field that
    chooses among them is left out."""
    ids = list(candidates)
    properties: dict[str, Any] = {}
    for field in template.fields:
        if field.kind == "severity":
            properties[field.name] = {"type": "string", "enum": list(SEVERITIES)}
        elif field.kind == "percent":
            properties[field.name] = {"type": "integer", "minimum": 0, "maximum": 100}
        elif field.kind == "text":
            properties[field.name] = {"type": "string", "maxLength": field.limit}
        elif field.kind == "lines":
            items = {"type": "string", "maxLength": field.limit}
            properties[field.name] = {"type": "array", "items": items, "maxItems": field.most}
        elif ids:
            properties[field.name] = {"type": "array", "items": {"type": "string", "enum": ids}, "maxItems": field.most}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def estimate_usd(template: Template, rendered: Rendered, price_in: float, price_out: float) -> float:
    """USD that a call costs at most, about: all of its input and the longest answer. Prices in USD per million tokens."""
    return (rendered.input_tokens * price_in + template.max_tokens * price_out) / 1e6
