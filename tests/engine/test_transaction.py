"""What each class of error of a transactional call leads to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipeline.engine.errors import AbortNeeded, FatalEngineError, Stopped
from pipeline.engine.settings import EngineSettings
from pipeline.engine.transaction import Transactions


class Script:
    """A producer whose commit and abort raise what is written, one after the other, then succeed."""

    def __init__(self, *errors: KafkaError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def commit_transaction(self, timeout: float) -> None:
        self.calls += 1
        if self.errors:
            raise KafkaException(self.errors.pop(0))

    abort_transaction = commit_transaction


def error(code: int, *, retriable: bool = False, abortable: bool = False, fatal: bool = False) -> KafkaError:
    return KafkaError(code, "as written", fatal, retriable, abortable)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Transactions, Script]]:
    def make(*errors: KafkaError, stopping: bool = False, budget: float = 60.0) -> tuple[Transactions, Script]:
        script = Script(*errors)
        monkeypatch.setattr("pipeline.engine.transaction.Producer", lambda settings: script)
        settings = EngineSettings("unused:1", "t.", 0, budget_seconds=budget)
        return Transactions(settings, "toy", lambda _: None, lambda: stopping), script

    return make


Make = Callable[..., tuple[Transactions, Script]]


def test_a_retriable_error_leads_to_the_same_call_again(scripted: Make) -> None:
    transactions, script = scripted(error(KafkaError._TIMED_OUT, retriable=True), error(KafkaError.CONCURRENT_TRANSACTIONS, retriable=True))
    transactions.commit()
    assert script.calls == 3


def test_a_retriable_error_that_does_not_end_is_fatal_when_the_budget_is_spent(scripted: Make) -> None:
    transactions, _ = scripted(*[error(KafkaError._TIMED_OUT, retriable=True)] * 5, budget=0.0)
    with pytest.raises(FatalEngineError, match="commit_transaction: _TIMED_OUT"):
        transactions.commit()


def test_a_stop_ends_the_retries(scripted: Make) -> None:
    transactions, _ = scripted(*[error(KafkaError._TIMED_OUT, retriable=True)] * 5, stopping=True)
    with pytest.raises(Stopped):
        transactions.commit()


@pytest.mark.parametrize(
    "problem",
    [
        error(KafkaError.ILLEGAL_GENERATION, abortable=True),
        error(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, abortable=True),
        error(KafkaError._STATE),
    ],
    ids=["an old generation", "a lost sequence", "a commit without a transaction"],
)
def test_an_abortable_error_of_the_commit_asks_for_an_abort(scripted: Make, problem: KafkaError) -> None:
    transactions, _ = scripted(problem)
    with pytest.raises(AbortNeeded):
        transactions.commit()
    assert transactions.committing


@pytest.mark.parametrize(
    "problem",
    [error(KafkaError._FENCED, fatal=True), error(KafkaError.INVALID_TXN_STATE), error(KafkaError._CONFLICT)],
    ids=["fenced", "an invalid state", "a conflict"],
)
def test_what_no_abort_mends_ends_the_process(scripted: Make, problem: KafkaError) -> None:
    transactions, _ = scripted(problem)
    with pytest.raises(FatalEngineError):
        transactions.abort()


def test_a_second_abort_clears_a_lost_sequence(scripted: Make) -> None:
    transactions, script = scripted(error(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, abortable=True))
    transactions.abort()
    assert script.calls == 2
