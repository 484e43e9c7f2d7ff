"""What people and the learn lane change while advice is given: routing rules, prompt versions and calibrations, from compacted topics."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import structlog

from agents.advice.config import AdviceConfig
from agents.calibrate import Calibration
from pipeline.broker.reference import Reference
from pipeline.health import Health
from pipeline.settings import Settings
from schemas.advice import AdviceTask
from schemas.learning import Snapshot
from schemas.routing import RoutingRule

LOG = structlog.get_logger("advise")
TOPICS = ("routing", "models")
POLL_S = 0.25
LOAD_S = 4.0
AGAIN_S = 1.0
CALIBRATION, PROMPT = "calibration/", "prompt/"
FOLLOWING = "live rules"
"""What health calls them."""


class LiveRules:
    """A thread reads the topics; any thread may ask. What is answered is whole and never changes: a change replaces it.

    The thread goes on after every error, with what it had read; while it cannot read, and should it ever end, `health` is not ready
    and says why: rules that forbid a provider are no longer followed then.
    """

    def __init__(self, settings: Settings, config: AdviceConfig, health: Health | None = None) -> None:
        self._settings = settings
        self._config = config
        self._health = health
        self._stop = threading.Event()
        self._loaded = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="rules", daemon=True)
        self._routes: tuple[RoutingRule, ...] = merged(config.routes, {})
        self._versions: dict[AdviceTask, int] = {}
        self._calibrations: dict[str, Calibration] = {}

    def start(self) -> None:
        self._thread.start()

    @property
    def loaded(self) -> bool:
        """Both topics were read to their end. Nobody may be asked before: a rule may forbid it."""
        return self._loaded.is_set()

    def routes(self) -> Sequence[RoutingRule]:
        """By order, then id: those of the configuration and of the topic, which wins where both have an id."""
        return self._routes

    def active_version(self, task: AdviceTask) -> int | None:
        """Of the prompt in use; None: the one that the prompt library marks as current."""
        return self._versions.get(task)

    def calibrate(self, model: str, prompt: str, probabilities: Mapping[str, float]) -> dict[str, float]:
        """`model` is `provider/model`. Unchanged where no calibration is in use for it."""
        calibration = self._calibrations.get(f"{model} {prompt}")
        return dict(probabilities) if calibration is None else calibration.apply(probabilities)

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(POLL_S * 4)

    def _follow(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._read_on()
                except Exception as error:  # whatever it is: without this thread a rule that forbids a provider would go unseen
                    self._say(f"{type(error).__name__}: {error}"[:200])
                    LOG.warning("routing rules and prompt versions not readable now", error=f"{type(error).__name__}: {error}"[:500])
                    self._stop.wait(AGAIN_S)
        finally:
            if not self._stop.is_set():
                self._say("the thread that follows them has ended: restart this worker")

    def _say(self, why: str) -> None:
        """In health, why the rules in force may be old; empty when they are not."""
        if self._health is not None and why:
            self._health.waits(FOLLOWING, why)
        elif self._health is not None:
            self._health.has(FOLLOWING)

    def _read_on(self) -> None:
        """Until `close`. Raises BrokersUnavailable, KafkaException and what nobody thought of; what was read before stays in use."""
        reference = Reference(self._settings.brokers, self._settings.topic_prefix, TOPICS, client=self._settings.kafka_client())
        try:
            reference.load(timeout=LOAD_S)
            seen = (-1, -1)
            while not self._stop.is_set():
                now = (reference.version("routing"), reference.version("models"))
                if now != seen:
                    self._take(reference.table("routing"), reference.table("models"))
                    seen = now
                    self._loaded.set()
                    self._say("")
                self._stop.wait(POLL_S)
                reference.poll()
        finally:
            reference.close()

    def _take(self, rules: Mapping[str, RoutingRule], snapshots: Mapping[str, Snapshot]) -> None:
        self._routes = merged(self._config.routes, rules)
        versions, calibrations = {}, {}
        for name, snapshot in snapshots.items():
            try:
                if name.startswith(CALIBRATION):
                    calibrations[name.removeprefix(CALIBRATION)] = Calibration.from_content(snapshot.content)
                elif name.startswith(PROMPT):
                    versions[AdviceTask(name.removeprefix(PROMPT))] = snapshot.version
            except Exception as error:  # one that nobody can read must not keep the others, or a rule, from being seen
                LOG.error("a snapshot cannot be used and is left out", name=name, error=f"{type(error).__name__}: {error}"[:500])
        self._versions, self._calibrations = versions, calibrations


def merged(configured: Sequence[RoutingRule], live: Mapping[str, RoutingRule]) -> tuple[RoutingRule, ...]:
    by_id = {rule.rule_id: rule for rule in (*configured, *live.values())}
    return tuple(sorted(by_id.values(), key=lambda rule: (rule.order, rule.rule_id)))
