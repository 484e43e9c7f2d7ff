"""Nothing secret leaves: what is sent is redacted, looked at once more, and refused where either fails.

Addresses and hosts are put back into the answer here, so that people read what they know; secrets and personal data never are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agents.advice.redact import Redaction, RedactionFailed, Redactor, harmless, restore, without_marks
from pipeline.act.providers.base import Answer, Ask, Failure, Provider, ProviderError
from pipeline.act.providers.wrapping import Wrapping


class Redacting(Wrapping):
    """Redacts what goes to a provider outside this network; a local one is asked as it is.

    Everything that differs between calls goes through the redactor: the user part and each text of the schema. The system part is
    static, ours and public, and goes byte-identical; the second look reads it too. The scope of placeholders is the incident.
    """

    def __init__(self, inner: Provider, redactor: Redactor) -> None:
        super().__init__(inner)
        self.redactor = redactor

    async def ask(self, ask: Ask) -> Answer:
        """Raises ProviderError UNREDACTABLE, and nothing has been sent, where redaction fails or something shows in what would go."""
        if self.inner.local:
            return await self.inner.ask(ask)
        try:
            safe, redaction, counts = self.made_safe(ask)
        except RedactionFailed as error:
            raise ProviderError(Failure.UNREDACTABLE, f"nothing was sent: {error}", asked=False) from None
        answer = await self.inner.ask(safe)
        text = without_marks(restore(answer.text, harmless(redaction.originals)))
        return replace(answer, text=text, redacted=dict(counts))

    def made_safe(self, ask: Ask) -> tuple[Ask, Redaction, Counter[str]]:
        """What may be sent, the table of placeholders, and how many of each kind were put in. Raises RedactionFailed."""
        redaction = Redaction(self.redactor, ask.incident_id)
        counts: Counter[str] = Counter()
        user = taken_out(ask.user, redaction, counts)
        schema = taken_out(ask.schema, redaction, counts)
        if user != ask.user or schema != ask.schema:
            # A secret that only the schema shows may stand in the user part as well.
            user = taken_out(user, redaction, counts)
        safe = replace(ask, user=user, schema=schema)
        self.second_look(safe, redaction)
        return safe, redaction, counts

    def second_look(self, ask: Ask, redaction: Redaction) -> None:
        """At all that is about to go, as it is and as JSON. Raises RedactionFailed."""
        written = json.dumps([ask.system, ask.user, ask.schema, ask.labels, ask.prompt], ensure_ascii=False)
        kinds = self.redactor.shown(f"{ask.system}\n{ask.user}") or self.redactor.shown(written)
        if kinds:
            raise RedactionFailed(f"the second look found {', '.join(kinds)}")
        differs = json.dumps([ask.user, ask.schema], ensure_ascii=False)
        if any(secret in ask.user or json.dumps(secret, ensure_ascii=False)[1:-1] in differs for secret in redaction.sweep):
            raise RedactionFailed("the second look found a secret that had been taken out elsewhere")


def taken_out(value: Any, redaction: Redaction, counts: Counter[str]) -> Any:
    """The same shape with every text redacted. A name of a property is ours: one that would have to be changed is refused."""
    if isinstance(value, str):
        redacted = redaction.redact(value)
        counts.update(redacted.counts)
        return redacted.text
    if isinstance(value, Mapping):
        for name in value:
            if redaction.redact(name).text != name:
                raise RedactionFailed("a name in the schema of the answer looks like a secret")
        return {name: taken_out(item, redaction, counts) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [taken_out(item, redaction, counts) for item in value]
    return value
