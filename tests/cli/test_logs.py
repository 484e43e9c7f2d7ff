"""What a log line must not say."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from pipeline import logs
from pipeline.settings import LogFormat, Settings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.TEXT])
def test_a_traceback_shows_no_values_of_variables(form: LogFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    logs.set_up(Settings(log_format=form))
    password = "".join(("hun", "ter2"))
    try:
        assert password
        raise ZeroDivisionError("no division")
    except ZeroDivisionError:
        structlog.get_logger("one").exception("it failed", api_token="".join(("hun", "ter2")))
        logging.getLogger("two").exception("it failed too")
    assert said.getvalue().count("ZeroDivisionError") >= 2
    assert "hunter2" not in said.getvalue()


def test_what_a_library_says_again_and_again_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    logs.set_up(Settings(log_format=LogFormat.JSON))
    for number in range(100):
        logging.getLogger("client").error("no connection to node %s", number)
        structlog.get_logger("ours").warning("ours", number=number)
    logging.getLogger("client").error("another thing")
    lines = said.getvalue().splitlines()
    assert len([line for line in lines if "no connection" in line]) == 1
    assert len([line for line in lines if "ours" in line]) == 100
    assert len([line for line in lines if "another thing" in line]) == 1
