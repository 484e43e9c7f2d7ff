"""JSON Schema files for consumers, one for each public topic that has a model: `python -m schemas.json_schema [--check]`.

The files describe what is written (serialization mode, names by alias), so every field we always write is `required`.
Within a schema version a consumer's field never goes away: writing refuses to break the promise of the file it replaces.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas.topics import CATALOGUE, Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).parent / "json"

Schema = dict[str, Any]


def described() -> tuple[Topic, ...]:
    """The topics that have a schema file: public ones with a model."""
    return tuple(topic for topic in CATALOGUE if topic.public and topic.value is not None)


def path_of(topic: Topic, folder: Path = FOLDER) -> Path:
    return folder / f"{topic.name}.schema.json"


def schema_of(topic: Topic) -> Schema:
    """The schema of the topic's values. Raises ValueError for a topic without a model."""
    if topic.value is None:
        raise ValueError(f"topic {topic.name} has no model")
    body = topic.value.model_json_schema(by_alias=True, mode="serialization")
    version = version_of(body)
    return {"$schema": DIALECT, "$id": f"urn:flux-ai:{topic.name}:{version}", **body}


def version_of(schema: Schema) -> int:
    """The schema version that messages of this schema carry in their field `schema`."""
    return int(schema["properties"]["schema"]["default"])


def text_of(topic: Topic) -> str:
    return json.dumps(schema_of(topic), indent=2, ensure_ascii=False) + "\n"


def broken_promises(old: Schema, new: Schema) -> list[str]:
    """What a consumer of `old` relies on and `new` takes away, in words; empty when nothing is, or when the version was raised.

    Relied on, at every depth: that a field exists, that it is always written, and that its JSON types stay within those it had.
    """
    if version_of(new) > version_of(old):
        return []
    was, now = dict(fields(old)), dict(fields(new))
    broken = []
    for path, (types, always) in was.items():
        if path not in now:
            broken.append(f"{path} is removed")
            continue
        new_types, still_always = now[path]
        if always and not still_always:
            broken.append(f"{path} is no longer always written")
        if added := sorted(new_types - types):
            broken.append(f"{path} may now be {' or '.join(added)}, which it could not be")
    return broken


Field = tuple[str, tuple[frozenset[str], bool]]
"""A field's path (`alerts[].name`), its JSON types, and whether it is always written."""


def fields(schema: Schema) -> Iterator[Field]:
    """Each field of a schema, at every depth."""
    yield from _fields(schema, schema, "", ())


def _fields(schema: Schema, root: Schema, path: str, seen: tuple[str, ...]) -> Iterator[Field]:
    """Each field below `schema`; a reference is followed once on the way down."""
    schema, seen = _resolved(schema, root, seen)
    always = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, (frozenset(_types(field, root)), name in always)
        yield from _fields(field, root, here, seen)
    for choice in schema.get("anyOf", ()):
        yield from _fields(choice, root, path, seen)
    if isinstance(items := schema.get("items"), dict):
        yield from _fields(items, root, path + "[]", seen)


def _resolved(schema: Schema, root: Schema, seen: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
    reference = schema.get("$ref")
    if reference is None:
        return schema, seen
    name = str(reference).rsplit("/", 1)[-1]
    if name in seen:
        return {}, seen
    return root["$defs"][name], (*seen, name)


def _types(field: Schema, root: Schema) -> Iterator[str]:
    field, _ = _resolved(field, root, ())
    for choice in field.get("anyOf", ()):
        yield from _types(choice, root)
    if "type" in field:
        yield str(field["type"])


def differing(folder: Path = FOLDER) -> list[str]:
    """Names of schema files that are missing, differ from the models, or belong to no topic."""
    expected = {path_of(topic, folder): text_of(topic) for topic in described()}
    stale = [path for path, text in expected.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    orphans = [path for path in folder.glob("*.schema.json") if path not in expected]
    return sorted(path.name for path in stale + orphans)


def write(folder: Path = FOLDER) -> list[str]:
    """Write all files and return the promises that this would break, in words; if there are any, nothing is written."""
    broken = []
    for topic in described():
        path = path_of(topic, folder)
        if path.exists():
            broken += [f"{topic.name}: {what}" for what in broken_promises(json.loads(path.read_text(encoding="utf-8")), schema_of(topic))]
    if broken:
        return broken
    folder.mkdir(parents=True, exist_ok=True)
    for topic in described():
        path_of(topic, folder).write_text(text_of(topic), encoding="utf-8")
    return []


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 written, or current; 1 `--check` found differences; 2 refused, since a consumer would lose a field."""
    parser = argparse.ArgumentParser(prog="python -m schemas.json_schema", description="Write the JSON Schema files of the public topics.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs from its model")
    options = parser.parse_args(arguments)
    if options.check:
        stale = differing()
        for name in stale:
            print(f"schemas/json/{name} differs from its model; run python -m schemas.json_schema", file=sys.stderr)
        return 1 if stale else 0
    broken = write()
    for what in broken:
        print(f"{what}; keep it, or raise the default of schema_version of that message", file=sys.stderr)
    return 2 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
