"""Finding values in payloads of unknown shape. Nothing here raises: what is missing or of another type reads as empty."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

Obj = dict[str, Any]
"""A JSON object as decoded."""

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")


def at(value: Any, path: str) -> Any:
    """Value at a dotted path (`data.context.name`, list positions as numbers), or None. A key that itself has dots wins over the path."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def words(*listed: str) -> tuple[str, ...]:
    """Words of texts, for tables that read better as prose than as lists."""
    return tuple(word for line in listed for word in line.split())


def text(value: Any) -> str:
    """A scalar as text; empty for null, objects and lists."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    return repr(value)


def first(value: Any, *paths: str) -> str:
    """First non-blank scalar among the paths, as text."""
    for path in paths:
        found = text(at(value, path)).strip()
        if found:
            return found
    return ""


def first_value(value: Any, *paths: str) -> Any:
    """First value among the paths that is neither null, blank nor an empty container."""
    for path in paths:
        found = at(value, path)
        if found not in (None, "", [], {}):
            return found
    return None


def obj(value: Any) -> Obj:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def dicts(value: Any) -> list[Obj]:
    return [item for item in items(value) if isinstance(item, dict)]


def head(value: Any) -> str:
    """First scalar of a list (or of a dict's name-like keys), or the scalar itself, as text."""
    if isinstance(value, list):
        return next((found for found in map(head, value) if found), "")
    if isinstance(value, dict):
        return first(value, "name", "displayName", "display_name", "summary", "title", "id", "slug", "value")
    return text(value).strip()


@lru_cache(maxsize=4096)
def plain_key(key: str) -> str:
    """`alert_name`, `Alert Name` and `alertName` are one key: `alertname`."""
    return _NOT_ALNUM.sub("", key.lower())


def plain_keys(value: Obj) -> Obj:
    """The object with plain keys; of two keys that become one, the first that is not empty stays."""
    result: Obj = {}
    for key, item in value.items():
        name = plain_key(key)
        if name not in result or result[name] in (None, ""):
            result[name] = item
    return result


def pairs(value: Any) -> dict[str, Any]:
    """Tags in any of the usual spellings as a mapping: an object; `["env:prod", "monitor"]`; `"env:prod, team:db"`; `[["k", "v"]]`;
    `[{"key": "k", "value": "v"}]` (or tag/name). A bare word maps to an empty text."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return _split(part for part in re.split(r"[,;\n]", value))
    result: dict[str, Any] = {}
    for item in items(value):
        if isinstance(item, str):
            result.update(_split([item]))
        elif isinstance(item, list) and len(item) == 2:
            result[text(item[0])] = item[1]
        elif isinstance(item, dict):
            key = first(item, "key", "tag", "name", "label", "context")
            if key:
                result[key] = first_value(item, "value", "val", "stringRepresentation")
    return result


def _split(parts: Iterable[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for part in parts:
        word = part.strip().strip("{}[]\"'")
        mark = re.search(r"[:=]", word)
        if mark and mark.start():
            result[word[: mark.start()].strip()] = word[mark.end() :].strip()
        elif word:
            result[word] = ""
    return result


def only(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without the empty entries."""
    return {key: item for key, item in value.items() if item not in (None, "", [], {})}


def scalars(value: Obj, *, without: frozenset[str] = frozenset(), longest: int = 1024) -> dict[str, str]:
    """The top-level scalars as text, for labels or annotations that are worth keeping."""
    found = {}
    for key, item in value.items():
        if key not in without:
            written = text(item)
            if written and len(written) <= longest:
                found[key] = written
    return found


def last_segment(path: str) -> str:
    """Last part of a resource path: `/subscriptions/x/virtualMachines/web01` -> `web01`."""
    return path.rstrip("/").rpartition("/")[2]
