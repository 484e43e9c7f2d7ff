"""The last look at an answer before anybody reads it: no secret and nothing personal in it, whichever provider gave it.

A local model reads what it is asked as it is, and may copy a secret of an alert into its summary. Addresses and hosts stay: the on-call
needs them.
"""

from __future__ import annotations

from dataclasses import replace

from agents.advice.answer import Accepted, Refused
from agents.advice.config import RedactConfig
from agents.advice.redact import Redaction, RedactionFailed, Redactor, without_marks

NOT_LOOKED_THROUGH = "could not be looked through for secrets"


class LastLook:
    """`key`: at least 16 bytes, known to nobody outside this process."""

    def __init__(self, config: RedactConfig, key: bytes) -> None:
        self._redactor = Redactor(config.model_copy(update={"addresses": False, "hosts": False}), key)

    def at(self, found: Accepted, asked: str, incident_id: str) -> Accepted | Refused:
        """`found` with `[password]` and the like in its texts. What is a secret in `asked`, the prompt's part that differs, is one in the
        answer as well, also without the word that told. Where the look fails the summary is dropped, and an answer that is nothing but
        text is refused."""
        if not found.summary and not found.text:
            return found
        try:
            redaction = Redaction(self._redactor, incident_id)
            redaction.redact(asked)
            summary, text = redaction.redact(found.summary), redaction.redact(found.text)
        except RedactionFailed:
            if found.text:
                return Refused("unredactable", f"the answer {NOT_LOOKED_THROUGH}")
            return replace(found, summary="", dropped=[*found.dropped, NOT_LOOKED_THROUGH])
        kinds = sorted({**summary.counts, **text.counts})
        dropped = [*found.dropped, f"had what nobody may read: {', '.join(kinds)}"] if kinds else found.dropped
        return replace(found, summary=without_marks(summary.text), text=without_marks(text.text), dropped=dropped)
