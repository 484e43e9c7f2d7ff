"""YAML and JSON files that people write, checked against a model so that every complaint names file, line, fault and fix."""

from __future__ import annotations

import difflib
import re
import types
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

Model = TypeVar("Model", bound=BaseModel)
Where = tuple[str | int, ...]
MAX_BYTES = 4 * 1024 * 1024
"""A file that people write is smaller; a larger one is a mistake, and YAML needs 50 times its size in memory."""
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class FileProblem:
    """One fault: `line` counts from 1, `where` is the dotted path of keys."""

    file: str
    line: int
    where: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " + (f"{self.where}: " if self.where else "")
        return f"{place}{self.what}." + (f" {self.fix}." if self.fix else "")


class FileError(Exception):
    """The file is wrong. `problems` has all that was found; a retry does not help."""

    def __init__(self, problems: list[FileProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Document:
    """Plain values, and the line that each path of keys stands on."""

    file: str
    value: Any
    lines: Mapping[Where, int]

    def line(self, where: Where) -> int:
        """The line of the deepest part of `where` that is in the file. Parts that are not (a union's tag) are passed over."""
        known: Where = ()
        for part in where:
            if (*known, part) in self.lines:
                known = (*known, part)
        return self.lines.get(known, 1)

    def line_of_word(self, where: Where, message: str) -> int:
        """The line of the value below `where` that a complaint speaks of: the rarest that it names, of those the last.

        For rules over several parts (a route that names no receiver): what is wrong stands alone, what is right stands twice.
        """
        words = set(re.findall(r"[\w.-]+", message))
        named = [(at, text) for at, text in self.texts() if at[: len(where)] == where and text in words]
        if not named:
            return self.line(where)
        often = Counter(text for _, text in named)
        rarest = min(often.values())
        return self.line([at for at, text in named if often[text] == rarest][-1])

    def texts(self) -> list[tuple[Where, str]]:
        return [(where, value) for where in self.lines if isinstance(value := self._at(where), str)]

    def _at(self, where: Where) -> Any:
        value = self.value
        for part in where:
            value = value[part]
        return value


def read(path: Path, environ: Mapping[str, str] | None = None) -> Document:
    """Parse a file of one document. With `environ`, `${NAME}` and `${NAME:-default}` in values are replaced.

    Raises FileError for what is unreadable, no YAML, or names a variable that is not set.
    """
    name = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(
                [FileProblem(name, 1, "", f"is larger than {MAX_BYTES // 1024 // 1024} MiB", "Split it or remove what is generated")]
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise FileError([FileProblem(name, 1, "", f"cannot be read ({reason})", "Name a readable text file")]) from None
    return parse(text, name, environ)


def parse(text: str, name: str, environ: Mapping[str, str] | None = None) -> Document:
    """As `read`, from a text that is called `name` in complaints."""
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(error.problem or error.context or "no YAML").split())
        line = mark.line + 1 if mark else 1
        raise FileError([FileProblem(name, line, "", what, "Check indentation, quotes and that no key stands twice")]) from None
    except YAMLError as error:
        raise FileError([FileProblem(name, 1, "", " ".join(str(error).split()), "Write plain YAML")]) from None
    plain = _Plain(name, environ)
    value = plain.of(tree, ())
    if plain.problems:
        raise FileError(plain.problems)
    return Document(name, value, plain.lines)


class _Plain:
    """Turns ruamel's values into plain ones, and remembers where each stood."""

    def __init__(self, name: str, environ: Mapping[str, str] | None) -> None:
        self.name = name
        self.environ = environ
        self.lines: dict[Where, int] = {(): 1}
        self.problems: list[FileProblem] = []

    def of(self, node: Any, where: Where) -> Any:
        if isinstance(node, CommentedMap):
            for key in node:
                self.lines[(*where, key)] = node.lc.key(key)[0] + 1 if node.lc.data and key in node.lc.data else self.lines[where]
            return {key: self.of(value, (*where, key)) for key, value in node.items()}
        if isinstance(node, CommentedSeq):
            for index in range(len(node)):
                self.lines[(*where, index)] = node.lc.item(index)[0] + 1
            return [self.of(value, (*where, index)) for index, value in enumerate(node)]
        if isinstance(node, str):
            return str(node) if self.environ is None else VARIABLE.sub(lambda found: self.variable(found, where), str(node))
        for kind in (int, float):
            if isinstance(node, kind) and not isinstance(node, bool):
                return kind(node)
        return node

    def variable(self, found: re.Match[str], where: Where) -> str:
        given: str | None = (self.environ or {}).get(found[1]) or found[2]
        if given is None:
            fix = f"Set {found[1]}, or give a default: ${{{found[1]}:-...}}"
            what = f"the environment variable {found[1]} is not set"
            self.problems.append(FileProblem(self.name, self.lines.get(where, 1), dotted(where), what, fix))
        return given or ""


def check(document: Document, model: type[Model]) -> Model:
    """The document as that model. Raises FileError with every fault; an unknown key gets the name it resembles."""
    value = {} if document.value is None else document.value
    return checked(document, model, value, ())


def checked(document: Document, model: type[Model], value: Any, at: Where) -> Model:
    """The part of the document at `at` as that model. Raises FileError."""
    try:
        return TypeAdapter(model).validate_python(value)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False, include_input=False):
            where = (*at, *item["loc"])
            what, fix = _complaint(item["type"], item["msg"], item["loc"], model)
            line = document.line_of_word(where, item["msg"]) if item["type"] == "value_error" else document.line(where)
            problems.append(FileProblem(document.file, line, dotted(where), what, fix))
        problems.sort(key=lambda problem: problem.line)
        raise FileError(problems) from None


def dotted(where: Where) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")


def _complaint(kind: str, message: str, where: Where, model: type[BaseModel]) -> tuple[str, str]:
    message = message.removeprefix("Value error, ")
    names = known_keys(model, where[:-1])
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(where[-1]), names, 1, 0.6)
        return "unknown key", f"Did you mean {close[0]}" if close else f"Known here: {', '.join(sorted(names))}"
    if kind == "missing":
        return "is missing", "Add it" + (f": {about}" if (about := _about(model, where)) else "")
    if kind in ("model_type", "dict_type") and not where:
        return "is no mapping of keys to values", f"Begin with one of {', '.join(sorted(known_keys(model, ())))}"
    what, _, fix = message.partition(". ")
    return what.rstrip("."), fix.rstrip(".") or _about(model, where)


def known_keys(model: Any, where: Where) -> list[str]:
    """The keys that may stand at a path of keys; of all alternatives where a union leaves several."""
    return sorted({name for found in _models(model, where) for field, info in found.model_fields.items() for name in [info.alias or field]})


def _about(model: Any, where: Where) -> str:
    for found in _models(model, where[:-1]):
        info = found.model_fields.get(str(where[-1]))
        if info is not None and info.description:
            return info.description.rstrip(".")
    return ""


def _models(kind: Any, where: Where) -> list[type[BaseModel]]:
    """The models that a path of keys and union tags may lead to, from the annotation `kind`."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _models(get_args(kind)[0], where)
    if origin in (Union, types.UnionType):
        steps = [where, where[1:]] if where else [where]
        return [found for member in get_args(kind) for step in steps for found in _models(member, step)]
    if origin is not None:
        members = [member for member in get_args(kind) if member is not Ellipsis]
        return _models(members[-1], where[1:]) if where and members else []
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    if not where:
        return [kind]
    for name, info in kind.model_fields.items():
        if str(where[0]) in (name, info.alias):
            return _models(info.annotation, where[1:])
    return []
