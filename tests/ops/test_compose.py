"""The compose folder, checked by the programs that will read it. Starting the containers is not tested."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from compose.grafana.make_dashboard import FILE, text
from pipeline import metrics
from pipeline.config import load_file
from pipeline.health import metrics_port
from pipeline.settings import BY_NAME
from tests.kafka.programs import program

COMPOSE = Path(__file__).parents[2] / "compose"
RULES = sorted((COMPOSE / "prometheus" / "rules").glob("*.yml"))
RESERVED = re.compile(r'"(?:[^"\\]|\\.)*"')
NAME = re.compile(r"\bflux_[a-z_]+|\bflux:[a-z0-9_:]+")


def run(*command: str | Path) -> str:
    done = subprocess.run([str(one) for one in command], cwd=COMPOSE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def test_debians_docker_compose_accepts_it() -> None:
    compose = program("docker-compose", "docker-compose")
    services = run(compose, "config", "--services").split()
    for name in (
        "kafka",
        "topics",
        "intake",
        "decide-0",
        "decide-1",
        "act",
        "advise",
        "learn",
        "record",
        "api",
        "postgres",
        "ollama",
        "prometheus",
        "grafana",
    ):
        assert name in services
    run(compose, "-f", "docker-compose.yml", "-f", "docker-compose.gpu.yml", "config", "-q")


def test_promtool_accepts_configuration_and_rules() -> None:
    promtool = program("promtool", "prometheus")
    run(promtool, "check", "config", "prometheus/prometheus.yml")
    run(promtool, "check", "rules", *RULES)


def test_each_alert_rule_fires_when_it_should_and_only_then() -> None:
    run(program("promtool", "prometheus"), "test", "rules", "prometheus/alerts_test.yml")
    named = {rule["alert"] for group in load(RULES[0])["groups"] for rule in group["rules"]}
    tested = {
        one["alertname"]
        for test in load(COMPOSE / "prometheus" / "alerts_test.yml")["tests"]
        for one in test["alert_rule_test"]
        if one.get("exp_alerts")
    }
    assert tested == named


def test_amtool_accepts_alertmanagers_configuration() -> None:
    run(program("amtool", "prometheus-alertmanager"), "check-config", "alertmanager/alertmanager.yml")


def expressions() -> list[tuple[str, str]]:
    """Every PromQL expression of rules and dashboard, with where it stands."""
    found = []
    for path in RULES:
        for group in load(path)["groups"]:
            found += [(f"{path.name}: {rule.get('alert') or rule['record']}", rule["expr"]) for rule in group["rules"]]
    for panel in json.loads(FILE.read_text())["panels"]:
        found += [(f"dashboard: {panel['title']}", target["expr"]) for target in panel.get("targets", [])]
    return found


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=[where for where, _ in expressions()])
def test_every_metric_that_is_asked_for_exists(where: str, expression: str) -> None:
    recorded = {rule["record"] for path in RULES for group in load(path)["groups"] for rule in group["rules"] if "record" in rule}
    asked = set(NAME.findall(RESERVED.sub("", expression)))
    assert asked <= metrics.names() | recorded
    assert asked or "up{" in expression or "process_" in expression


def test_the_dashboard_is_what_its_code_says() -> None:
    assert FILE.read_text() == text(), "run python -m compose.grafana.make_dashboard"
    panels = json.loads(text())["panels"]
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels]
    assert len(set(places)) == len(panels)
    assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= 24 for one in panels)


def test_prometheus_scrapes_every_worker_at_the_port_it_serves() -> None:
    services = load(COMPOSE / "docker-compose.yml")["services"]
    targets = set(load(COMPOSE / "prometheus" / "prometheus.yml")["scrape_configs"][0]["static_configs"][0]["targets"])
    expected = set()
    for name, service in services.items():
        if service.get("command", [None])[0] != "worker":
            continue
        lane, *slot = (part for part in service["command"][1:] if part != "--slot")
        base = int(service["environment"]["FLUX_METRICS_PORT"])
        port = 8080 if lane == "api" else metrics_port(base, lane, int(slot[0]) if slot else 0)
        expected.add(f"{name}:{port}")
        assert f"localhost:{port}/health" in service["healthcheck"]["test"][-1]
    assert targets == expected


def test_the_workers_settings_and_configuration_are_ones_that_exist() -> None:
    services = load(COMPOSE / "docker-compose.yml")["services"]
    named = {name for service in services.values() for name in (service.get("environment") or {}) if name.startswith("FLUX_")}
    assert {name.removesuffix("_FILE") if name not in BY_NAME else name for name in named} <= set(BY_NAME)
    assert load_file(COMPOSE / "fluxai.yaml", {}).notify.receivers[0].name == "console"


def test_ollama_and_who_asks_it_are_told_the_same_slots_with_and_without_a_gpu() -> None:
    plain, gpu = (load(COMPOSE / name)["services"] for name in ("docker-compose.yml", "docker-compose.gpu.yml"))
    for services in (plain, gpu):
        slots = {services[name]["environment"]["OLLAMA_NUM_PARALLEL"] for name in ("ollama", "advise")}
        assert len(slots) == 1, slots
    assert plain["ollama"]["environment"]["OLLAMA_KEEP_ALIVE"] == "-1"
    assert all(plain[name]["environment"]["OLLAMA_URL"] == "http://ollama:11434" for name in ("decide-0", "decide-1", "advise"))


def test_no_secret_and_no_port_open_to_others_is_in_the_files() -> None:
    services = load(COMPOSE / "docker-compose.yml")["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert [one.name for one in (COMPOSE / "secrets").iterdir() if one.name != ".gitignore" and not ignored(one)] == []


def ignored(path: Path) -> bool:
    return subprocess.run(["git", "check-ignore", "-q", str(path)], cwd=COMPOSE, check=False).returncode == 0
