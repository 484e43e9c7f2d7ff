"""The front door over fakes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agents.normalize import NormalizeRules
from pipeline.api.parts import Parts
from pipeline.api.read import Archive
from pipeline.api.server import as_intake_does
from pipeline.health import Health
from pipeline.history.choose import Choice
from pipeline.metrics import build
from tests.api.fakes import NOW, Door, FakeDesk, FakeHistory, FakeKafka


@pytest.fixture(autouse=True)
def no_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """For revisions that no fake makes."""
    monkeypatch.setattr("pipeline.api.page.WAIT_S", 0.2)


@pytest.fixture
def broker() -> FakeKafka:
    return FakeKafka()


@pytest.fixture
def history() -> FakeHistory:
    return FakeHistory()


@pytest.fixture
def parts(broker: FakeKafka, history: FakeHistory) -> Iterator[Parts]:
    metrics = build(process=False)
    archive = Archive(lambda: Choice(history))  # type: ignore[arg-type]  # it answers what the front door asks
    yield Parts(
        publisher=broker,
        normalize=as_intake_does(NormalizeRules()),
        archive=archive,
        silences=broker,
        advice=FakeDesk(broker),
        metrics=metrics,
        health=Health(metrics, "api"),
        now=lambda: NOW,
    )
    archive.close()


@pytest.fixture
def door(parts: Parts) -> Door:
    return Door(parts)
