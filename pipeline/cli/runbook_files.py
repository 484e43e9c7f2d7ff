"""Runbooks as people keep them: Markdown with or without front matter, or YAML and JSON files of the message itself.

From Markdown: the title is the first heading, the description the first paragraph, steps are the numbered lists (or else the bullets
under a heading such as "Mitigation"), symptoms the bullets under "Symptoms". Front matter wins over all of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from pipeline.yaml_lines import Document, FileError, FileProblem, check, parse, read
from schemas.runbook import Runbook

FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
NUMBERED = re.compile(r"^\s{0,3}\d{1,3}[.)]\s+(.+)$")
BULLET = re.compile(r"^\s{0,3}[-*+]\s+(.+)$")
FENCE = re.compile(r"^\s*(```|~~~)")
TO_DO = re.compile(r"step|mitigation|resol|remed|action|fix|recover|what to do|procedure|response|troubleshoot", re.I)
SYMPTOMS = re.compile(r"symptom|pattern|sign|meaning|impact", re.I)
ALERT_NAME = re.compile(r"^[A-Z][A-Za-z0-9]*(?:[A-Z][a-z0-9]+)+$")
MAX_STEPS, MAX_TEXT = 50, 2000
"""A runbook is embedded in incidents of at most 1 MiB, three at a time: these bounds keep it below 100 kB."""


class Front(BaseModel):
    """What front matter may say."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    runbook_id: str = Field(default="", alias="id")
    title: str = ""
    description: str = ""
    services: list[str] = []
    alert_names: list[str] = Field(default=[], alias="alerts")
    patterns: list[str] = []
    steps: list[str] = []
    url: str = ""


class Entry(Runbook):
    """A runbook in a YAML or JSON file; an unknown key is a fault."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


@dataclass
class Section:
    heading: str
    paragraphs: list[str] = field(default_factory=list)
    numbered: list[str] = field(default_factory=list)
    bullets: list[str] = field(default_factory=list)


def read_folder(folder: Path) -> list[Runbook]:
    """Every .md, .yaml, .yml and .json below a folder (or the one file). READMEs are passed over.

    Raises FileError with all faults, also for two runbooks of one id.
    """
    kinds = (".md", ".yaml", ".yml", ".json")
    files = (
        [folder]
        if folder.is_file()
        else sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds and path.stem.lower() != "readme")
    )
    if not files:
        raise FileError([FileProblem(str(folder), 1, "", "holds no runbooks", "Name a folder with .md, .yaml or .json files")])
    problems: list[FileProblem] = []
    found: dict[str, tuple[Path, Runbook]] = {}
    for path in files:
        try:
            runbook = read_file(path, folder)
        except FileError as error:
            problems += error.problems
            continue
        if runbook.runbook_id in found:
            what = f"has the id {runbook.runbook_id!r} of {found[runbook.runbook_id][0]}"
            problems.append(FileProblem(str(path), 1, "", what, "Give it another id in its front matter"))
        found[runbook.runbook_id] = (path, runbook)
    if problems:
        raise FileError(problems)
    return [runbook for _, runbook in found.values()]


def read_file(path: Path, root: Path) -> Runbook:
    if path.suffix.lower() == ".md":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise FileError([FileProblem(str(path), 1, "", "is no readable UTF-8 text")]) from None
        return from_markdown(text, default_id(path, root), str(path))
    return Runbook.model_validate(check(read(path), Entry).model_dump(by_alias=True))


def default_id(path: Path, root: Path) -> str:
    relative = path.relative_to(root) if path != root and path.is_relative_to(root) else Path(path.name)
    return re.sub(r"[^a-z0-9]+", "-", str(relative.with_suffix("")).lower()).strip("-")


def from_markdown(text: str, runbook_id: str, name: str = "runbook.md") -> Runbook:
    """A runbook from Markdown. Raises FileError when its front matter is wrong."""
    front = Front()
    matched = FRONT.match(text)
    if matched:
        document = parse(matched[1], name)
        front = check(Document(name, document.value, {where: line + 1 for where, line in document.lines.items()}), Front)
        text = text[matched.end() :]
    sections = split(text)
    title = front.title or next((section.heading for section in sections if section.heading), "") or runbook_id.replace("-", " ")
    description = front.description or next((section.paragraphs[0] for section in sections if section.paragraphs), "")
    steps = [step for section in sections for step in section.numbered] or [
        step for section in sections if TO_DO.search(section.heading) for step in section.bullets or section.paragraphs
    ]
    symptoms = [line for section in sections if SYMPTOMS.search(section.heading) for line in [*section.bullets, *section.paragraphs]]
    return Runbook(
        runbook_id=front.runbook_id or runbook_id,
        title=short(title),
        description=short(description),
        services=front.services,
        alert_names=front.alert_names or ([title] if ALERT_NAME.match(title) else []),
        patterns=[short(line) for line in front.patterns or symptoms][:MAX_STEPS],
        steps=[short(step) for step in front.steps or steps][:MAX_STEPS],
        url=front.url,
    )


def split(text: str) -> list[Section]:
    """Sections by heading. Code fences belong to the step or paragraph that they follow; wrapped lines are joined."""
    sections = [Section("")]
    target: list[str] | None = None
    fenced = False
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif fenced:
            if target:
                target[-1] += f" `{line.strip()}`" if line.strip() else ""
        elif heading := HEADING.match(line):
            sections.append(Section(plain(heading[2])))
            target = None
        elif not line.strip():
            target = target if target is sections[-1].numbered else None  # a code block may stand below its step
        else:
            target = add_line(sections[-1], target, line)
    return sections


def add_line(section: Section, target: list[str] | None, line: str) -> list[str]:
    for pattern, items in ((NUMBERED, section.numbered), (BULLET, section.bullets)):
        if found := pattern.match(line):
            items.append(plain(found[1]))
            return items
    if target and (target is section.paragraphs or line[:1].isspace()):
        target[-1] += " " + plain(line)
        return target
    section.paragraphs.append(plain(line))
    return section.paragraphs


def plain(text: str) -> str:
    """Text without Markdown's links and emphasis."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text.strip())
    return re.sub(r"(\*\*|__)(.+?)\1", r"\2", text)


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
