"""The benchmark runs on a small folder, and its figures are of verdicts that were given before their labels."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.learning import labelled, measure
from benchmarks.report import Wrong


def row(number: int, name: str, severity: str) -> dict[str, str]:
    return {"id": f"r{number}", "alertname": name, "severity": severity, "service": "db", "source": "team", "summary": "of no help"}


def test_it_measures_a_folder(tmp_path: Path) -> None:
    names = ("DiskGone", "BackupLate", "CheckoutFails", "QueueGrows", "NodeAway", "QuotaNear")
    rows = [row(number, names[number % 6], ("critical", "info")[number % 2]) for number in range(120)]
    (tmp_path / "team.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = measure(argparse.Namespace(data=tmp_path, seconds=0.01))["sets"]["team"]
    assert (found["labels"], found["majority"]["accuracy"], found["rules"]["accuracy"]) == (120, 0.5, 0.0)
    assert 0.9 < found["classifier"]["accuracy"] < 1.0  # the first of each name cannot be known
    assert found["promoted"] >= 1


def test_a_name_does_not_give_the_truth_away() -> None:
    for name in ("DiskCritical", "disk_critically", "CriticalDisk", "DiskWarnings", "DISK_WARN", "DiskSeverity1"):
        made = labelled(0, row(0, name, "s2"))
        assert made is not None and made.features.name.lower() == "disk", name
        assert made.features.source_severity == "" and made.severity == "P2"


def test_an_empty_folder_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match=r"no \*\.jsonl files"):
        measure(argparse.Namespace(data=tmp_path, seconds=0.01))
