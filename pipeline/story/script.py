"""The story as it is written down: alerts, changes, silences and the steps that use them, checked when it is read."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from pipeline.story.forms import Form, StoryAlert
from pipeline.yaml_lines import check, read

FOLDER = Path(__file__).parent
SAMPLES = FOLDER.parent.parent / "schemas" / "examples" / "payloads"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoryChange(Part):
    service: str
    version: str
    by: str
    what: str


class StorySilence(Part):
    kind: str = "silence"
    service: str
    owner: str
    reason: str
    for_s: float


class Deed(Part):
    """Something that is sent. `broken` adds a null element to a batch; `raw` is bytes that are no payload."""

    note: str = ""
    fires: tuple[str, ...] = ()
    clears: tuple[str, ...] = ()
    deploys: str | None = None
    raw: str | None = None
    source: str | None = None
    broken: bool = False


class Step(Deed):
    at: float


class Turn(Part):
    """One turn of the hum after the story. `sample` sends the next golden payload."""

    fires: tuple[str, ...] = ()
    clears_after_s: float | None = None
    sample: bool = False


class Hum(Part):
    every_s: float
    turns: tuple[Turn, ...]


class Story(Part):
    alerts: dict[str, StoryAlert]
    changes: dict[str, StoryChange]
    silences: tuple[StorySilence, ...] = ()
    steps: tuple[Step, ...]
    hum: Hum

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        alerts = [name for step in self.steps for name in (*step.fires, *step.clears)] + [
            name for turn in self.hum.turns for name in turn.fires
        ]
        for name in alerts:
            if name not in self.alerts:
                raise ValueError(f"a step names the alert {name}, which there is not. Use one of {', '.join(self.alerts)}")
        for step in self.steps:
            if step.deploys is not None and step.deploys not in self.changes:
                raise ValueError(f"a step names the change {step.deploys}, which there is not. Use one of {', '.join(self.changes)}")
        return self

    @cached_property
    def length_s(self) -> float:
        return max(step.at for step in self.steps)


class Forms(BaseModel):
    """Whatever sources the file has."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Form]


def load_story(file: Path = FOLDER / "timeline.yaml") -> Story:
    """Raises FileError with file and line."""
    return check(read(file), Story)


def load_forms(file: Path = FOLDER / "forms.yaml") -> dict[str, Form]:
    return dict(check(read(file), Forms).__pydantic_extra__)


def load_samples(folder: Path = SAMPLES) -> list[Any]:
    """Golden payloads of real sources, each source's fire before its resolve. Not those that are several JSON texts in a file."""
    files = sorted([*folder.glob("*__firing.json"), *folder.glob("*__resolved.json")])
    texts = [file.read_text(encoding="utf-8") for file in files]
    return [json.loads(text) for text in texts if is_one_object(text)]


def is_one_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
