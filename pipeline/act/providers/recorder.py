"""Records what a provider said, and says it again without asking: for demonstrations, and tests of what cannot be called in tests.

A file of JSON lines. What was sent is kept as its SHA-256 only. The Recorder stands inside Redacting, so that an answer that quotes
its question quotes placeholders.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.wrapping import Wrapping

MAX_BYTES = 256 * 1024 * 1024
"""Of a recording. When it is full, calls go on and are no longer recorded."""

log = structlog.get_logger(__name__)


class Record(BaseModel):
    """One call: an answer or a failure."""

    model_config = ConfigDict(frozen=True)

    prompt: str
    sent_sha256: str
    """Of what decides the answer: system, user, schema, labels and the limit of tokens."""
    answer: Answer | None = None
    failure: Failure | None = None
    what: str = ""
    asked: bool = True
    retry_after_s: float | None = None


class Recorder(Wrapping):
    """`inner`, with each call appended to `file`. Warm-ups are not recorded."""

    def __init__(self, inner: Provider, file: Path) -> None:
        super().__init__(inner)
        self._file = file

    async def ask(self, ask: Ask) -> Answer:
        sent = digest(ask)
        try:
            answer = await self.inner.ask(ask)
        except ProviderError as error:
            known = {"failure": error.failure, "what": error.what, "asked": error.asked, "retry_after_s": error.retry_after_s}
            await self._keep(ask, Record(prompt=ask.prompt, sent_sha256=sent, **known))
            raise
        await self._keep(ask, Record(prompt=ask.prompt, sent_sha256=sent, answer=answer))
        return answer

    async def _keep(self, ask: Ask, record: Record) -> None:
        if not ask.warm:
            await asyncio.to_thread(self._append, record.model_dump_json(exclude_defaults=True) + "\n")

    def _append(self, line: str) -> None:
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(handle, "a", encoding="utf-8") as out:
                if out.tell() + len(line) <= MAX_BYTES:
                    out.write(line)
        except OSError as error:
            log.warning("call not recorded", file=str(self._file), reason=error.strerror)


class Replayer:
    """Answers from a recording: of equal asks the answers in the order in which they were given, the last one again and again.

    Raises ValueError, which names file and line, for a file that is no recording. An ask that is not in it fails as REFUSED.
    """

    paid = False
    local = True

    def __init__(self, file: Path, *, name: str = "recorded", model: str = "recording") -> None:
        self.name = name
        self.model = model
        self._records: dict[str, list[Record]] = {}
        for number, line in enumerate(file.read_text(encoding="utf-8").removesuffix("\n").split("\n"), 1):
            try:
                record = Record.model_validate_json(line)
            except ValidationError as error:
                raise ValueError(f"{file}:{number}: no record of a call ({error.error_count()} faults). Record it again") from None
            self._records.setdefault(record.sent_sha256, []).append(record)

    async def ask(self, ask: Ask) -> Answer:
        if ask.warm:
            return Answer("", self.name, self.model)
        records = self._records.get(digest(ask))
        if not records:
            raise ProviderError(Failure.REFUSED, f"this question of {ask.prompt} is not in the recording. Record it", asked=False)
        record = records.pop(0) if len(records) > 1 else records[0]
        if record.answer is None:
            failure = record.failure or Failure.INTERNAL
            raise ProviderError(failure, record.what, retry_after_s=record.retry_after_s, asked=record.asked)
        return dataclasses.replace(record.answer, cost_usd=0.0)

    async def close(self) -> None:
        return None


def digest(ask: Ask) -> str:
    """SHA-256 of what decides an answer."""
    sent = [ask.system, ask.user, ask.schema, list(ask.labels), ask.max_tokens]
    return hashlib.sha256(json.dumps(sent, ensure_ascii=True).encode()).hexdigest()
