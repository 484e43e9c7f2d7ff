from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.advice.config import RedactConfig
from agents.advice.prompt import render, template, templates
from agents.advice.redact import Redacted, RedactionFailed, Redactor
from benchmarks.alert_texts import CONTEXTS
from benchmarks.planted import Planted
from benchmarks.planted_places import makers
from benchmarks.redaction import WINDOW
from pipeline.act.providers.base import Answer, Ask, Failure, ProviderError
from pipeline.act.providers.claude import Claude
from pipeline.act.providers.redacting import Redacting
from pipeline.act.providers.scripted import Scripted
from schemas.advice import AdviceTask, AskedAlert, Candidate, Question
from tests.act.providers.asks import an_ask
from tests.fakes.claude import KEY, FakeClaude

REDACTOR = Redactor(RedactConfig(), b"sixteen bytes and more of a key")
CLAUDE = Claude("sk-ant-of-a-test", "claude-haiku-5-5")
"""Asks nobody: it only writes the body of a request."""


class Wire:
    """Claude, but for the network: keeps the bytes that its client would send, in both ways that JSON may be written."""

    name, model, local, paid = "claude", CLAUDE.model, False, True

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def ask(self, ask: Ask) -> Answer:
        body = CLAUDE._body(ask)
        self.sent += [json.dumps(body, ensure_ascii=ascii_).encode() for ascii_ in (False, True)]
        return Answer(text='{"severity": "P2"}', provider=self.name, model=self.model)

    async def close(self) -> None:
        return None


def asked(question: Question) -> Ask:
    rendered = render(template(question.task), question, secret=b"s" * 16)
    return Ask(
        task=question.task.value,
        prompt=rendered.prompt_id,
        system=rendered.system,
        user=rendered.user,
        schema=rendered.schema,
        max_tokens=rendered.max_tokens,
        timeout_s=5,
        labels=rendered.labels,
        incident_id="inc-1",
    )


def told(place: str, text: str) -> Question:
    alert: dict[str, Any] = {"name": "JobFailed", "service": "orders", "labels": {"job": "nightly"}, "annotations": {}}
    question: dict[str, Any] = {"task": AdviceTask.TRIAGE, "incident_id": "inc-1", "title": "JobFailed"}
    match place:
        case "summary" | "description":
            alert[place] = text
        case "labels" | "annotations":
            alert[place] = {"detail": text}
        case "title":
            question["title"] = text
        case "facts":
            question["facts"] = {"output": text}
        case "runbook":
            question["candidates"] = [Candidate(id="rb-jobs", title="Jobs", text=text)]
        case "runbook_id":
            question["candidates"] = [Candidate(id=text if len(text) <= 120 else "rb-jobs", title="Jobs")]
        case _:
            question[place] = [text]
    return Question(alerts=[AskedAlert(**alert)], **question)


PLACES = ["title", "summary", "description", "labels", "annotations", "runbook", "runbook_id", "facts", "changes", "history", "timeline"]


def windows(planted: Planted) -> set[str]:
    """What must not be sent: six characters in a row of a secret part, as they are and as JSON writes them."""
    plain = {part[at : at + WINDOW] for part in planted.parts for at in range(max(1, len(part) - WINDOW + 1))}
    return plain | {json.dumps(one)[1:-1] for one in plain}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([kind for kind in sorted(makers()) if not kind.startswith("unlisted")]),
    st.sampled_from(sorted(CONTEXTS)),
    st.sampled_from(PLACES),
    st.integers(0, 2**32),
)
def test_no_planted_secret_is_in_any_byte_that_is_sent(kind: str, context: str, place: str, seed: int) -> None:
    rng = random.Random(seed)
    planted = makers()[kind](rng)
    wire = Wire()
    ask = asked(told(place, CONTEXTS[context](planted.text, rng)))
    try:
        asyncio.run(Redacting(wire, REDACTOR).ask(ask))
    except ProviderError as error:
        assert error.failure is Failure.UNREDACTABLE and wire.sent == []
    for body in wire.sent:
        text = body.decode()
        assert not [one for one in windows(planted) if one in text], (planted, text)


def test_the_property_can_fail() -> None:
    wire = Wire()
    planted = makers()["github_token"](random.Random(1))
    asyncio.run(wire.ask(asked(told("summary", planted.text))))
    assert any(one in wire.sent[0].decode() for one in windows(planted))


def test_bytes_on_the_socket_hold_no_secret_and_the_answer_reads_well() -> None:
    def answer(body: Mapping[str, Any]) -> str:
        words = str(body["messages"][0]["content"]).split()
        host, secret = (next(word for word in words if word.startswith(kind)) for kind in ("[host:", "[password:"))
        return json.dumps({"severity": "P2", "confidence": 80, "summary": f"{host} refuses {secret}", "runbooks": []})

    server = FakeClaude(answer)

    async def over_the_socket() -> Answer:
        async with server:
            claude = Redacting(Claude(KEY, "claude-haiku-5-5", url=server.url), REDACTOR)
            try:
                return await claude.ask(an_ask(user="db-7.prod.internal refuses password: Tr0ub4dor9 twice", incident_id="inc-1"))
            finally:
                await claude.close()

    found = asyncio.run(over_the_socket())
    assert "Tr0ub4dor9" not in json.dumps(server.requests[0].body) and "db-7" not in json.dumps(server.requests[0].body)
    assert json.loads(found.text)["summary"] == "db-7.prod.internal refuses [password]"
    assert found.redacted == {"host": 1, "password": 1}


def ask_of(inner: Scripted, ask: Ask) -> Answer:
    return asyncio.run(Redacting(inner, REDACTOR).ask(ask))


def test_a_provider_of_this_network_is_asked_as_it_is() -> None:
    inner = Scripted(["{}"], local=True)
    ask = an_ask(user="password=Tr0ub4dor9")
    assert ask_of(inner, ask).redacted == {}
    assert inner.asked == [ask]


def test_only_what_differs_between_calls_is_changed() -> None:
    inner = Scripted(["{}"], local=False)
    ask = an_ask(user="password=Tr0ub4dor9", incident_id="inc-1")
    ask_of(inner, ask)
    [sent] = inner.asked
    assert sent.system is ask.system and sent.schema == ask.schema
    assert replace(sent, user=ask.user, schema=ask.schema) == ask


def test_texts_of_the_schema_are_redacted_with_the_same_placeholders() -> None:
    schema = {"type": "object", "properties": {"runbooks": {"type": "array", "items": {"enum": ["rb-10.20.30.40", "rb-disk"]}}}}

    def first_runbook(ask: Ask) -> str:
        return json.dumps({"runbooks": ask.schema["properties"]["runbooks"]["items"]["enum"][:1]})

    inner = Scripted(first_runbook, local=False)
    answer = ask_of(inner, an_ask(user="runbooks: rb-disk, and 10.20.30.40 is down", schema=schema, incident_id="inc-1"))
    [sent] = inner.asked
    assert "10.20" not in json.dumps(sent.schema)
    assert json.loads(answer.text) == {"runbooks": ["rb-10.20.30.40"]}


def test_a_secret_that_only_the_schema_shows_is_taken_out_of_the_text_too() -> None:
    schema = {"enum": ["password=Tr0ub4dor9"]}
    inner = Scripted(["{}"], local=False)
    ask_of(inner, an_ask(user="the runbook Tr0ub4dor9", schema=schema))
    assert "Tr0ub4dor9" not in inner.asked[0].user


def test_nothing_is_sent_when_redaction_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RedactionFailed("as asked")

    monkeypatch.setattr("agents.advice.redact.Redaction.redact", fails)
    inner = Scripted(["{}"], local=False)
    with pytest.raises(ProviderError) as caught:
        ask_of(inner, an_ask())
    assert caught.value.failure is Failure.UNREDACTABLE and not caught.value.asked
    assert inner.asked == []


@pytest.mark.parametrize("place", ["user", "system", "schema", "labels"])
def test_the_second_look_refuses_what_the_first_let_through(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr("agents.advice.redact.Redaction.settled", lambda _, text: Redacted(text, {}, {}))
    key = makers()["aws_access_key_id"](random.Random(2)).text
    value: Any = {"user": key, "system": key, "schema": {"enum": [key]}, "labels": (key,)}[place]
    inner = Scripted(["{}"], local=False)
    with pytest.raises(ProviderError, match="second look found api_key") as caught:
        ask_of(inner, an_ask(**{place: value}))
    assert key not in str(caught.value)
    assert inner.asked == []


def test_a_property_named_like_a_secret_is_refused() -> None:
    inner = Scripted(["{}"], local=False)
    with pytest.raises(ProviderError, match="a name in the schema"):
        ask_of(inner, an_ask(schema={"properties": {"jo.smith@acme-mail.com": {"type": "string"}}}))
    assert inner.asked == []


def test_the_prompts_of_the_library_pass_the_second_look() -> None:
    for one in templates():
        question = told("summary", "41% of requests answer 503 since 10:04, token expired for user app")
        ask = asked(question.model_copy(update={"task": one.task}))
        inner = Scripted(["{}"], local=False)
        assert ask_of(inner, ask).redacted == {}
        assert inner.asked == [ask]
