"""Every golden payload becomes what is written down beside it. `python -m tests.normalize.test_examples` writes it down anew."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from agents.normalize import NormalizeRules, normalize
from agents.normalize.lines import documents, lines

FOLDER = Path(__file__).parents[2] / "schemas" / "examples" / "payloads"
EXPECTED = FOLDER / "expected.jsonl"
FILES = sorted(path for path in FOLDER.glob("*.json"))
NOW = 1_777_890_000_000
FIELDS = ("source", "name", "service", "environment", "status", "source_severity", "severity", "started_at", "ended_at", "fingerprint")
CHANGE_FIELDS = ("source", "kind", "service", "environment", "author", "version", "happened_at", "change_id")


def read(path: Path) -> list[dict[str, Any]]:
    found = []
    for line in lines(str(path), path.read_bytes(), NormalizeRules(), received_ms=NOW):
        if "change" in line:
            found.append({"file": line["file"], "change": {key: line["change"][key] for key in CHANGE_FIELDS}})
        elif "source" in line:
            found.append({"file": line["file"], **{key: line[key] for key in FIELDS}})
        else:
            found.append(line)
    return found


def expected() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        found[json.loads(line)["file"]].append(json.loads(line))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_payload_becomes_what_is_expected(path: Path) -> None:
    assert read(path) == expected()[path.name]


def pairs() -> list[tuple[Path, Path]]:
    return [(path, path.with_name(path.name.replace("__firing", "__resolved"))) for path in FILES if path.stem.endswith("__firing")]


@pytest.mark.parametrize(("fire", "resolve"), [pair for pair in pairs() if pair[1].exists()], ids=lambda path: path.stem)
def test_fire_and_resolve_of_one_alert_share_a_fingerprint(fire: Path, resolve: Path) -> None:
    fired, resolved = read(fire), read(resolve)
    assert [line["fingerprint"] for line in fired] == [line["fingerprint"] for line in resolved]
    assert {line["status"] for line in fired} == {"firing"}
    assert {line["status"] for line in resolved} == {"resolved"}


def test_alerts_of_different_example_families_never_share_a_fingerprint() -> None:
    """Families that tell of one alert in several formats of its source are named here."""
    told_twice = {"cloudevents": "flux", "cloudwatch_eventbridge": "cloudwatch"}
    homes: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in FILES:
        family = path.stem.partition("__")[0]
        if family in ("keep_datadog", "keep_libre_nms"):
            continue
        for line in read(path):
            if "fingerprint" in line:
                homes[line["fingerprint"]].add((told_twice.get(family, family), line["source"]))
    assert {mark: places for mark, places in homes.items() if len(places) > 1} == {}


def test_every_listed_source_has_a_firing_example() -> None:
    listed = (
        "flux alertmanager grafana datadog cloudwatch gcp_monitoring azure_monitor newrelic pagerduty sentry zabbix "
        "splunk pingdom uptime_kuma checkmk graylog librenms dynatrace elastic opsgenie nagios "
    )
    found = {line["source"] for path in FILES for line in read(path) if line.get("status") == "firing"}
    assert set(listed.split()) - found == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_written_to_the_topic_validates_against_the_model(path: Path) -> None:
    from schemas.alert import Alert

    for document in documents(path.read_bytes()):
        result = normalize(document, source_hint=None, topic="alerts.raw", partition=0, offset=1, received_ms=NOW, rules=NormalizeRules())
        for alert in result.alerts:
            assert Alert.from_json(alert.to_json()) == alert


if __name__ == "__main__":
    EXPECTED.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for path in FILES for line in read(path)), encoding="utf-8")
