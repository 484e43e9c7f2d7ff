"""Writes the Grafana dashboard: `python -m compose.grafana.make_dashboard`. Panels are a list; the JSON beside it is what Grafana reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "dashboards" / "flux.json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24
ALERTS_ROUTE = 'route="/api/v1/alerts/{source}"'


def rate(counter: str, *by: str, where: str = "") -> str:
    return f"sum by ({', '.join(by)}) (rate({counter}{{{where}}}[5m]))".replace("{}", "")


def quantile(share: float, histogram: str, *by: str, where: str = "", over: str = "5m") -> str:
    buckets = f"{histogram}_bucket{{{where}}}".replace("{}", "")
    return f"histogram_quantile({share}, sum by ({', '.join(('le', *by))}) (rate({buckets}[{over}])))"


@dataclass(frozen=True)
class Panel:
    """A graph (or one number, with `stat`): title, what it means, queries with their legends, unit, width of 24."""

    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    width: int = 8
    stat: bool = False
    stacked: bool = False


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Is the promise kept?",
        (
            Panel(
                "Verdict, 99th percentile",
                "Raw record's arrival to its decision; 15 s is promised.",
                (("flux:verdict_seconds:p99_5m", ""),),
                "s",
                6,
                stat=True,
            ),
            Panel(
                "Deadline misses, 1 h",
                "Decisions later than 15 s.",
                (("sum(increase(flux_deadline_misses_total[1h]))", ""),),
                "short",
                6,
                stat=True,
            ),
            Panel(
                "Unaccounted",
                "Events without a decision or a dead letter. Anything but 0 is a fault.",
                (("max(flux_unaccounted_events)", ""),),
                "short",
                6,
                stat=True,
            ),
            Panel("Workers ready", "Of those that are scraped.", (("sum(flux_worker_ready)", ""),), "short", 6, stat=True),
        ),
    ),
    (
        "Alerts",
        (
            Panel("Decisions a second by outcome", "", (("sum by (outcome) (flux:decisions:rate5m)", "{{outcome}}"),), "cps", stacked=True),
            Panel(
                "Silences by reason",
                "Decisions that told nobody.",
                (('sum by (reason) (flux:decisions:rate5m{outcome="suppressed"})', "{{reason}}"),),
                "cps",
                stacked=True,
            ),
            Panel(
                "Time to the verdict",
                "",
                (
                    (quantile(0.5, "flux_verdict_seconds"), "p50"),
                    (quantile(0.99, "flux_verdict_seconds"), "p99"),
                ),
                "s",
            ),
            Panel("Lag, seconds", "Age of the oldest record not handled.", (("flux:lag_seconds:max", "{{lane}} {{topic}}"),), "s"),
            Panel("Lag, records", "", (("flux:lag_messages:sum", "{{lane}} {{topic}}"),)),
            Panel(
                "Slack at the decision, 1st percentile",
                "Seconds left to the deadline.",
                ((quantile(0.01, "flux_deadline_slack_seconds"), "p1"),),
                "s",
            ),
        ),
    ),
    (
        "People are told",
        (
            Panel("Attempts a second by state", "", ((rate("flux_effects_total", "state"), "{{state}}"),), "cps", stacked=True),
            Panel(
                "Attempts that did not arrive", "Share of attempts.", (("flux:deliveries_undone:ratio5m", "{{receiver}}"),), "percentunit"
            ),
            Panel("Time of an attempt, 99th percentile", "", ((quantile(0.99, "flux_effect_seconds", "receiver"), "{{receiver}}"),), "s"),
        ),
    ),
    (
        "Models",
        (
            Panel(
                "Providers asked a second by outcome",
                "Passed over ones among them.",
                ((rate("flux_advice_requests_total", "provider", "outcome"), "{{provider}} {{outcome}}"),),
                "cps",
                stacked=True,
            ),
            Panel(
                "Verdicts a second by what became of advice",
                "As the decide lane weighed it.",
                ((rate("flux_advice_verdicts_total", "status", "reason"), "{{status}} {{reason}}"),),
                "cps",
                stacked=True,
            ),
            Panel(
                "Time of a call, and wait for a slot",
                "90th percentile; 13 s are left for both.",
                (
                    (quantile(0.9, "flux_advice_seconds", "provider"), "{{provider}} call"),
                    (quantile(0.9, "flux_advice_wait_seconds", "provider"), "{{provider}} wait"),
                ),
                "s",
            ),
            Panel(
                "Slots taken, questions waiting",
                "",
                (
                    ("sum by (provider) (flux_advice_in_flight)", "{{provider}} in flight"),
                    ("sum by (provider) (flux_advice_queue)", "{{provider}} waiting"),
                ),
            ),
            Panel(
                "Tokens a second", "", ((rate("flux_advice_tokens_total", "provider", "direction"), "{{provider}} {{direction}}"),), "cps"
            ),
            Panel(
                "Money",
                "Left of the day's budget, and what calls cost an hour.",
                (
                    ("min(flux_advice_budget_left_usd)", "left today"),
                    ("sum by (provider) (increase(flux_advice_cost_usd_total[1h]))", "{{provider}} an hour"),
                ),
                "currencyUSD",
            ),
        ),
    ),
    (
        "Front door and what could not be read",
        (
            Panel(
                "Requests a second by code",
                "",
                ((rate("flux_http_requests_total", "code", where=ALERTS_ROUTE), "{{code}}"),),
                "reqps",
                stacked=True,
            ),
            Panel(
                "Request time, 99th percentile",
                "With Kafka's acknowledgement.",
                ((quantile(0.99, "flux_http_request_seconds", where=ALERTS_ROUTE), "p99"),),
                "s",
            ),
            Panel(
                "Dead letters a second",
                "",
                ((rate("flux_dead_letters_total", "stage", "reason"), "{{stage}} {{reason}}"),),
                "cps",
                stacked=True,
            ),
        ),
    ),
    (
        "Engine",
        (
            Panel("Records a second", "", ((rate("flux_events_total", "lane", "topic"), "{{lane}} {{topic}}"),), "cps"),
            Panel("Transaction time, 99th percentile", "", ((quantile(0.99, "flux_transaction_seconds", "lane"), "{{lane}}"),), "s"),
            Panel(
                "Aborted transactions and failed records a second",
                "",
                (
                    (rate("flux_transactions_total", "lane", where='result="aborted"'), "{{lane}} aborted"),
                    (rate("flux_failures_total", "lane"), "{{lane}} failed"),
                ),
            ),
            Panel(
                "Restore time, 99th percentile",
                "Of one partition.",
                ((quantile(0.99, "flux_restore_seconds", "lane", over="1h"), "{{lane}}"),),
                "s",
            ),
            Panel("History rows a second", "Written to PostgreSQL.", ((rate("flux_record_rows_total", "table"), "{{table}}"),), "cps"),
            Panel("Memory", "Resident, by process.", (('process_resident_memory_bytes{job="flux"}', "{{instance}}"),), "bytes"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    down = 0
    for title, row in ROWS:
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place(0, down, COLUMNS, 1)}
        )
        down += 1
        across = height = 0
        for one in row:
            if across + one.width > COLUMNS:
                across, down = 0, down + height
            height = 4 if one.stat else 8
            panels.append(panel(one, len(panels) + 1, place(across, down, one.width, height)))
            across += one.width
        down += height
    return {
        "uid": "flux-ai",
        "title": "Flux AI",
        "tags": ["flux"],
        "timezone": "browser",
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": panels,
    }


def panel(one: Panel, number: int, where: dict[str, int]) -> dict[str, Any]:
    custom = {"stacking": {"mode": "normal"}, "fillOpacity": 30} if one.stacked else {"fillOpacity": 5}
    return {
        "id": number,
        "type": "stat" if one.stat else "timeseries",
        "title": one.title,
        "description": one.about,
        "datasource": SOURCE,
        "gridPos": where,
        "fieldConfig": {"defaults": {"unit": one.unit, **({} if one.stat else {"custom": custom})}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": expr, "legendFormat": legend or "__auto"}
            for index, (expr, legend) in enumerate(one.queries)
        ],
    }


def place(x: int, y: int, w: int, h: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": w, "h": h}


def text() -> str:
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
