"""The catalogue of metrics, and the observers through which the lanes feed them.

Every metric that exists is declared here, once: `flux_<noun>_<unit>[_total]`, labels from closed sets. Dashboards and alert rules are
checked against this file. The hot path pays for a batch, not for an event: observers count into plain dictionaries and flush once a
transaction, and a child of a labelled metric is looked up once and kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
MAX_SERIES: Final = 256
"""Label combinations a metric may have; later ones are counted under `other`. The closed sets are far below it."""

FAST = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds of one transaction, request or call."""
VERDICT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 120.0)
"""Seconds from a raw record's arrival to its decision; 15 is the promise."""
SLACK = (-60.0, -10.0, 0.0, 1.0, 2.0, 5.0, 10.0, 12.0, 13.0, 14.0, 14.5, 15.0)
"""Seconds left to the deadline when the decision was made; below zero is a miss."""
ADVICE = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 13.0, 15.0, 30.0, 60.0, 180.0)
"""Seconds of one call to a model, or of waiting for a slot; 13 of 15 are left for both."""
RESTORE = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

Metric = TypeVar("Metric", bound=MetricWrapperBase)


class Family(Generic[Metric]):
    """A labelled metric that keeps its children and has at most `MAX_SERIES` of them."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._width = len(metric._labelnames)
        self._children: dict[tuple[str, ...], Metric] = {}

    def of(self, *labels: str) -> Metric:
        child = self._children.get(labels)
        if child is not None:
            return child
        if len(self._children) >= MAX_SERIES:
            return self.metric.labels(*("other",) * self._width)
        return self._children.setdefault(labels, self.metric.labels(*labels))

    def remove(self, *labels: str) -> None:
        """Forget one combination, so that a partition that moved away does not show its last value for ever."""
        if self._children.pop(labels, None) is not None:
            self.metric.remove(*labels)


class BulkHistogram:
    """A histogram without labels that takes a batch of values at once, at 0.2 µs a value where prometheus-client's own takes 2.

    One thread writes; the scraping thread may see a batch half counted, never a count that goes back.
    """

    def __init__(self, name: str, about: str, buckets: tuple[float, ...], registry: CollectorRegistry) -> None:
        self.name, self.about, self.bounds = name, about, buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe_all(self, values: Iterable[float]) -> None:
        counts, bounds, total = self._counts, self.bounds, 0.0
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            total += value
        self._sum += total

    def describe(self) -> Iterable[HistogramMetricFamily]:
        return [HistogramMetricFamily(self.name, self.about)]

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self.name, self.about)
        ends = [*(str(bound) for bound in self.bounds), "+Inf"]
        family.add_metric([], buckets=list(zip(ends, accumulate(self._counts), strict=True)), sum_value=self._sum)
        yield family


@dataclass(frozen=True, slots=True)
class AdviceFamilies:
    """Of language models. Providers are named, reasons and outcomes are closed sets."""

    requests: Family[Counter]
    seconds: Family[Histogram]
    wait_seconds: Family[Histogram]
    in_flight: Family[Gauge]
    queue: Family[Gauge]
    in_hand: Gauge
    cost_usd: Family[Counter]
    tokens: Family[Counter]
    breaker_state: Family[Gauge]
    reloads: Family[Counter]
    budget_left_usd: Gauge
    budget_exceeded: Family[Gauge]
    usage_dropped: Counter
    degraded: Family[Counter]
    verdicts: Family[Counter]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All metrics of one process, on a registry of its own: two of them in one process (tests) do not meet."""

    registry: CollectorRegistry
    up: Family[Gauge]
    ready: Family[Gauge]
    lag_messages: Family[Gauge]
    lag_seconds: Family[Gauge]
    events: Family[Counter]
    batch_events: Family[Histogram]
    transactions: Family[Counter]
    transaction_seconds: Family[Histogram]
    restore_seconds: Family[Histogram]
    restored_rows: Family[Counter]
    timers: Family[Counter]
    failures: Family[Counter]
    decisions: Family[Counter]
    verdict_seconds: BulkHistogram
    deadline_slack_seconds: BulkHistogram
    deadline_misses: Counter
    unaccounted: Family[Gauge]
    dead_letters: Family[Counter]
    effects: Family[Counter]
    effect_seconds: Family[Histogram]
    effects_in_flight: Gauge
    http_requests: Family[Counter]
    http_request_seconds: Family[Histogram]
    http_alerts: Family[Counter]
    http_in_flight_records: Gauge
    record_rows: Family[Counter]
    record_connected: Gauge
    advice: AdviceFamilies

    def text(self) -> bytes:
        """The exposition that Prometheus scrapes."""
        return generate_latest(self.registry)


def build(*, process: bool = True) -> Metrics:
    """Declare every metric on a new registry; with `process`, those of the Python process too (memory, CPU, open files)."""
    registry = CollectorRegistry()
    if process:
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def count(name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=registry)

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=registry)

    def spread(name: str, about: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=registry)

    place = ("lane", "topic", "partition")
    sizes = (1, 5, 20, 100, 500, 1000, 2000, 5000, 10000)
    slack = BulkHistogram("flux_deadline_slack_seconds", "Seconds left to the deadline at the decision.", SLACK, registry)
    return Metrics(
        registry=registry,
        up=Family(gauge("flux_worker_up", "1 while the worker's process lives.", "lane", "slot")),
        ready=Family(gauge("flux_worker_ready", "1 while the worker is restored and connected.", "lane", "slot")),
        lag_messages=Family(gauge("flux_lag_messages", "Records not read yet.", *place)),
        lag_seconds=Family(gauge("flux_lag_seconds", "Age of the oldest record not yet handled.", *place)),
        events=Family(count("flux_events_total", "Records handled and committed.", "lane", "topic")),
        batch_events=Family(spread("flux_batch_events", "Records in one transaction.", sizes, "lane")),
        transactions=Family(count("flux_transactions_total", "Transactions by result: committed, aborted.", "lane", "result")),
        transaction_seconds=Family(spread("flux_transaction_seconds", "Time of one transaction, begin to commit.", FAST, "lane")),
        restore_seconds=Family(spread("flux_restore_seconds", "Time to read one partition's state back.", RESTORE, "lane")),
        restored_rows=Family(count("flux_restored_rows_total", "Rows of state read back.", "lane")),
        timers=Family(count("flux_timers_total", "Timers fired.", "lane")),
        failures=Family(count("flux_failures_total", "Records whose processing raised; each was dead-lettered and failed open.", "lane")),
        decisions=Family(count("flux_decisions_total", "Decisions by outcome and reason.", "outcome", "reason")),
        verdict_seconds=BulkHistogram("flux_verdict_seconds", "Raw record's arrival to its decision.", VERDICT, registry),
        deadline_slack_seconds=slack,
        deadline_misses=count("flux_deadline_misses_total", "Decisions made after their deadline."),
        unaccounted=Family(gauge("flux_unaccounted_events", "Alert events read that have neither a decision nor a dead letter.", "lane")),
        dead_letters=Family(count("flux_dead_letters_total", "Dead letters by stage and reason.", "stage", "reason")),
        effects=Family(count("flux_effects_total", "Deliveries by state (asked, done, failed, rejected, deferred).", "state", "receiver")),
        effect_seconds=Family(spread("flux_effect_seconds", "Time of one attempt at a receiver.", FAST, "receiver")),
        effects_in_flight=gauge("flux_effects_in_flight", "Attempts running now."),
        http_requests=Family(count("flux_http_requests_total", "Requests by route and status code.", "route", "code")),
        http_request_seconds=Family(spread("flux_http_request_seconds", "Time of one request.", FAST, "route")),
        http_alerts=Family(count("flux_http_alerts_total", "Alert events by what the front door answered.", "result")),
        http_in_flight_records=gauge("flux_http_in_flight_records", "Records waiting for Kafka's acknowledgement."),
        record_rows=Family(count("flux_record_rows_total", "Rows written to PostgreSQL.", "table")),
        record_connected=gauge("flux_record_connected", "1 while PostgreSQL answers."),
        advice=advice_families(registry),
    )


def advice_families(registry: CollectorRegistry) -> AdviceFamilies:
    def count(name: str, about: str, *labels: str) -> Family[Counter]:
        return Family(Counter(name, about, labels, registry=registry))

    def gauge(name: str, about: str, *labels: str) -> Family[Gauge]:
        return Family(Gauge(name, about, labels, registry=registry))

    def spread(name: str, about: str) -> Family[Histogram]:
        return Family(Histogram(name, about, ("provider",), buckets=ADVICE, registry=registry))

    return AdviceFamilies(
        requests=count("flux_advice_requests_total", "Providers asked or passed over, by what came of it.", "provider", "outcome"),
        seconds=spread("flux_advice_seconds", "Time of one call to a model that answered."),
        wait_seconds=spread("flux_advice_wait_seconds", "Wait for a slot of a server, before the call."),
        in_flight=gauge("flux_advice_in_flight", "Slots of a server that are taken now.", "provider"),
        queue=gauge("flux_advice_queue", "Questions that wait for a slot now.", "provider"),
        in_hand=Gauge("flux_advice_in_hand", "Questions read that have no receipt yet.", registry=registry),
        cost_usd=count("flux_advice_cost_usd_total", "What calls to models cost, in USD.", "provider"),
        tokens=count("flux_advice_tokens_total", "Tokens by direction (in, cached, out).", "provider", "direction"),
        breaker_state=gauge("flux_advice_breaker_state", "1 for the state that a provider's breaker is in.", "provider", "state"),
        reloads=count("flux_advice_reloads_total", "Times that a server loaded its model again.", "provider"),
        budget_left_usd=Gauge("flux_advice_budget_left_usd", "Left of the day's budget for paid models.", registry=registry),
        budget_exceeded=gauge("flux_advice_budget_exceeded", "1 while the hour's or the day's budget has refused a call.", "limit"),
        usage_dropped=Counter("flux_advice_usage_dropped_total", "Records of usage that were not written.", registry=registry),
        degraded=count("flux_advice_degraded_total", "Questions that no model answered, by the last reason.", "reason"),
        verdicts=count("flux_advice_verdicts_total", "Advice that the decide lane weighed.", "status", "reason"),
    )


def names() -> frozenset[str]:
    """Every sample name that can appear on /metrics: with `_total`, `_bucket`, `_sum` and `_count`."""
    found: set[str] = set()
    metrics = build(process=False)
    for family in metrics.registry.collect():
        if family.type == "counter":
            found.add(family.name + "_total")
        elif family.type == "histogram":
            found.update(family.name + end for end in ("_bucket", "_sum", "_count"))
        else:
            found.add(family.name)
    return frozenset(found)


class LaneMetrics:
    """Counts of one lane, gathered in plain dictionaries and flushed once a batch. Not thread-safe: the loop's own thread calls it."""

    def __init__(self, metrics: Metrics, lane: str) -> None:
        self.metrics = metrics
        self.lane = lane
        self._read: Tally[str] = Tally()
        self._decided: Tally[tuple[str, str]] = Tally()
        self._dead: Tally[tuple[str, str]] = Tally()
        self._asked: Tally[str] = Tally()
        self._advised: Tally[tuple[str, str]] = Tally()
        self._verdicts: list[float] = []
        self._slack: list[float] = []
        self._accounted = 0
        self._open = 0

    def read(self, events: int) -> None:
        """Alert events of a committed batch; each must be accounted for by `decided` or `accounted`."""
        self._open += events

    def accounted(self, events: int) -> None:
        """Alert events that rightly have no decision."""
        self._accounted += events

    def decided(self, outcome: str, reason: str, received_ms: int, decided_ms: int, deadline_ms: int) -> None:
        """One decision: epoch milliseconds of the raw record, of the decision and of its deadline. Costs under 1 µs."""
        self._decided[(outcome, reason)] += 1
        self._verdicts.append((decided_ms - received_ms) / 1000)
        self._slack.append((deadline_ms - decided_ms) / 1000)

    def dead_letter(self, stage: str, reason: str) -> None:
        self._dead[(stage, reason)] += 1

    def asked(self, receiver: str) -> None:
        self._asked[receiver] += 1

    def advised(self, status: str, reason: str) -> None:
        """A model's answer was weighed, or there was none."""
        self._advised[(status, reason)] += 1

    def flush(self) -> None:
        """Move what was gathered to the registry; call once a committed batch."""
        for key, n in self._decided.items():
            self.metrics.decisions.of(*key).inc(n)
        for key, n in self._dead.items():
            self.metrics.dead_letters.of(*key).inc(n)
        for receiver, n in self._asked.items():
            self.metrics.effects.of("asked", receiver).inc(n)
        for key, n in self._advised.items():
            self.metrics.advice.verdicts.of(*key).inc(n)
        if self._slack:
            self.metrics.verdict_seconds.observe_all(self._verdicts)
            self.metrics.deadline_slack_seconds.observe_all(self._slack)
            self.metrics.deadline_misses.inc(sum(1 for left in self._slack if left < 0))
        if self._open or self._slack or self._accounted:
            self._open -= len(self._slack) + self._accounted
            self.metrics.unaccounted.of(self.lane).set(self._open)
        self.discard()

    def discard(self) -> None:
        """Forget what was gathered: the batch was aborted and will be done again."""
        self._decided.clear()
        self._dead.clear()
        self._asked.clear()
        self._advised.clear()
        self._verdicts.clear()
        self._slack.clear()
        self._accounted = 0
