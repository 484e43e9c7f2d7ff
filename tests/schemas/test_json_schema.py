"""JSON Schema files and golden examples: what a consumer may build on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import json_schema
from schemas.json_schema import broken_promises, described, path_of, schema_of
from schemas.topics import BY_NAME, Topic

EXAMPLES = Path(json_schema.__file__).parent / "examples" / "messages"
TOPICS = pytest.mark.parametrize("topic", described(), ids=lambda topic: topic.name)


def example_of(topic: Topic) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((EXAMPLES / f"{topic.name}.json").read_text(encoding="utf-8"))
    return value


def committed(topic: Topic) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path_of(topic).read_text(encoding="utf-8"))
    return value


def paths(value: object, at: str = "") -> Iterator[str]:
    """The field paths of a JSON value, written as json_schema writes them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{at}.{name}" if at else name
            yield here
            yield from paths(inner, here)
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, at + "[]")


def test_the_schema_files_are_what_the_models_say() -> None:
    assert json_schema.differing() == [], "run python -m schemas.json_schema"


def test_check_fails_for_a_changed_a_missing_and_a_stray_file(tmp_path: Path) -> None:
    assert json_schema.write(tmp_path) == []
    assert json_schema.differing(tmp_path) == []
    (tmp_path / "alerts.schema.json").write_text("{}", encoding="utf-8")
    (tmp_path / "changes.schema.json").unlink()
    (tmp_path / "gone.schema.json").write_text("{}", encoding="utf-8")
    assert json_schema.differing(tmp_path) == ["alerts.schema.json", "changes.schema.json", "gone.schema.json"]


@TOPICS
def test_no_field_is_taken_away_within_a_schema_version(topic: Topic) -> None:
    assert broken_promises(committed(topic), schema_of(topic)) == []


def test_removing_a_field_is_noticed_at_every_depth() -> None:
    old = schema_of(BY_NAME["incidents.triaged"])
    new = deepcopy(old)
    del new["properties"]["summary"]
    del new["$defs"]["RunbookMatch"]["properties"]["score"]
    del new["$defs"]["Reason"]["properties"]["code"]
    assert broken_promises(old, new) == [
        "summary is removed",
        "advice.reason.code is removed",
        "runbooks[].score is removed",
        "silence.code is removed",
    ]


def test_a_field_that_becomes_optional_or_changes_its_type_is_noticed() -> None:
    old = schema_of(BY_NAME["incidents.triaged"])
    new = deepcopy(old)
    new["required"].remove("title")
    new["properties"]["revision"] = {"type": "string"}
    new["properties"]["service"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert broken_promises(old, new) == [
        "revision may now be string, which it could not be",
        "service may now be null, which it could not be",
        "title is no longer always written",
    ]


def test_more_fields_and_a_higher_version_are_allowed() -> None:
    old = schema_of(BY_NAME["changes"])
    more = deepcopy(old)
    more["properties"]["team"] = {"type": "string"}
    assert broken_promises(old, more) == []
    next_version = deepcopy(old)
    next_version["properties"] = {"schema": {"type": "integer", "default": 2}}
    assert broken_promises(old, next_version) == []


def test_writing_refuses_to_break_a_promise_and_leaves_the_file_alone(tmp_path: Path) -> None:
    json_schema.write(tmp_path)
    path = path_of(BY_NAME["changes"], tmp_path)
    promised = json.loads(path.read_text(encoding="utf-8"))
    promised["properties"]["ticket"] = {"type": "string"}
    path.write_text(json.dumps(promised), encoding="utf-8")
    assert json_schema.write(tmp_path) == ["changes: ticket is removed"]
    assert json.loads(path.read_text(encoding="utf-8")) == promised


@TOPICS
def test_the_golden_example_is_valid_and_survives_the_model_unchanged(topic: Topic) -> None:
    example = example_of(topic)
    schema = committed(topic)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(example)
    assert topic.value is not None
    message = topic.value.model_validate_json(json.dumps(example))
    assert json.loads(message.model_dump_json(by_alias=True)) == example


@TOPICS
def test_the_golden_example_shows_every_field(topic: Topic) -> None:
    shown = set(paths(example_of(topic)))
    assert [path for path, _ in json_schema.fields(committed(topic)) if path not in shown] == []


def test_every_example_belongs_to_a_topic() -> None:
    assert {path.name for path in EXAMPLES.glob("*.json")} == {f"{topic.name}.json" for topic in described()}


def test_the_page_for_consumers_links_only_what_exists_and_every_schema() -> None:
    page = EXAMPLES.parents[2] / "docs" / "consumers.md"
    linked = {(page.parent / link).resolve() for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))}
    assert [str(path) for path in linked if not path.exists()] == []
    assert {path_of(topic).resolve() for topic in described()} <= linked
