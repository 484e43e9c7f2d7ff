"""What the Faust bridge would commit, and that it is optional. (Behind a real broker: tests/kafka/test_faust_bridge.py.)"""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parents[1]
BRIDGE = ROOT / "pipeline" / "bridge"


@pytest.fixture(scope="module")
def progress_module() -> ModuleType:
    """Loaded by its path: the package would import Faust, which stays out of this process."""
    spec = importlib.util.spec_from_file_location("bridge_progress", BRIDGE / "progress.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_committed_before_anything_was_read(progress_module: ModuleType) -> None:
    assert progress_module.Progress().committable("p0") is None


def test_the_oldest_in_flight_holds_the_commit_back(progress_module: ModuleType) -> None:
    progress = progress_module.Progress()
    progress.fetched({"p0": [10, 11, 14]}, {"p0": 16})
    progress.handled("p0", 11)
    progress.handled("p0", 14)
    assert progress.committable("p0") == 10


def test_with_nothing_in_flight_the_commit_passes_markers_and_aborted_records(progress_module: ModuleType) -> None:
    progress = progress_module.Progress()
    progress.fetched({"p0": [10, 14]}, {"p0": 16})
    progress.handled("p0", 14)
    progress.handled("p0", 10)
    assert progress.committable("p0") == 16
    progress.fetched({}, {"p0": 40})  # only aborted records and markers lay there
    assert progress.committable("p0") == 40


def test_partitions_do_not_hold_each_other_back(progress_module: ModuleType) -> None:
    progress = progress_module.Progress()
    progress.fetched({"p0": [1]}, {"p0": 2, "p1": 9})
    assert (progress.committable("p0"), progress.committable("p1")) == (1, 9)


def test_what_was_taken_away_is_forgotten_and_its_late_end_changes_nothing(progress_module: ModuleType) -> None:
    progress = progress_module.Progress()
    progress.fetched({"p0": [1, 2]}, {"p0": 3})
    progress.forget(["p0"])
    assert progress.committable("p0") is None
    progress.fetched({"p0": [7]}, {"p0": 8})
    progress.handled("p0", 2)
    assert progress.committable("p0") == 7


def test_without_the_extra_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['faust'] = None; import pipeline.bridge"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("ImportError: pipeline.bridge needs Faust, which is an optional extra: pip install 'fluxai[faust]'")


def test_nothing_of_ours_imports_faust_or_the_bridge() -> None:
    importers = []
    for folder in ("schemas", "agents", "pipeline"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if BRIDGE in path.parents:
                continue
            names = imported(path)
            if any(name.split(".")[0] in ("faust", "mode") or name.startswith("pipeline.bridge") for name in names):
                importers.append(path.relative_to(ROOT))
    assert importers == []


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
