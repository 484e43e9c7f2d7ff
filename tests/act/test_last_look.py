"""No secret of an alert comes back in an answer, not even in that of a model of this network, which is asked unredacted."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from agents.advice.answer import Accepted, Refused
from agents.advice.config import AdviceConfig, RedactConfig
from agents.advice.redact import RedactionFailed
from pipeline.act.adviser import Adviser
from pipeline.act.last_look import NOT_LOOKED_THROUGH, LastLook
from pipeline.act.providers.scripted import Scripted
from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Question
from schemas.base import Severity, from_ms
from schemas.effect import Receipt

SECRET = "Hunter2xx9"
SAYS = f"Login of app fails with password {SECRET}"


def advised(summary: str, task: AdviceTask = AdviceTask.TRIAGE, *, local: bool = True) -> Receipt:
    now = time.time()
    alert = AskedAlert(name="LoginFails", service="app", annotations={"debug": SAYS})
    question = Question(task=task, incident_id="i1", title="LoginFails on app", rule_severity=Severity.P3, alerts=[alert])
    moments = {name: from_ms(round((now + late) * 1000)) for name, late in (("asked_at", 0), ("deadline", 5), ("late_until", 6))}
    request = AdviceRequest(effect_id="e1", incident_id="i1", domain="prod", revision=1, question=question, **moments)
    field = {"summary": summary, "severity": "P3", "confidence": 70} if task is AdviceTask.TRIAGE else {"text": summary}

    async def run() -> Receipt:
        adviser = Adviser({"ollama": Scripted([json.dumps(field)], name="ollama", local=local)}, AdviceConfig())
        try:
            return await adviser.advise(request)
        finally:
            await adviser.close()

    return asyncio.run(run())


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("task", [AdviceTask.TRIAGE, AdviceTask.HANDOVER])
def test_a_secret_that_a_model_copies_is_taken_out_of_what_is_shown(task: AdviceTask, local: bool) -> None:
    receipt = advised(f"{SAYS}.", task, local=local)
    assert receipt.advice is not None, receipt.detail
    assert receipt.advice.summary == "Login of app fails with password [password]."
    assert receipt.advice.dropped == ["had what nobody may read: password"]
    assert SECRET not in receipt.model_dump_json()


def test_it_is_known_also_without_the_word_that_told() -> None:
    receipt = advised(f"Login of app fails with {SECRET}.")
    assert receipt.advice is not None and receipt.advice.summary == "Login of app fails with [password]."


def test_addresses_and_hosts_stay_and_people_go() -> None:
    look = LastLook(RedactConfig(), b"sixteen bytes and more of a key")
    said = "db-1.shop.internal at 10.20.30.40 refuses kim@shop.example"
    found = look.at(Accepted(summary=said), said, "i1")
    assert isinstance(found, Accepted)
    assert found.summary == "db-1.shop.internal at 10.20.30.40 refuses [email]"


def test_where_the_look_fails_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RedactionFailed("a test")

    monkeypatch.setattr("pipeline.act.last_look.Redaction.redact", fails)
    look = LastLook(RedactConfig(), b"sixteen bytes and more of a key")
    assert isinstance(look.at(Accepted(text="x"), "", "i1"), Refused)
    receipt = advised(f"{SAYS}.")
    assert receipt.advice is not None
    assert (receipt.advice.severity, receipt.advice.summary, receipt.advice.dropped) == (Severity.P3, "", [NOT_LOOKED_THROUGH])
    assert advised(f"{SAYS}.", AdviceTask.HANDOVER).advice is None
