"""What a call costs, by the dated table `prices.yaml`."""

from __future__ import annotations

import json
import math
import re
from datetime import date
from functools import cache
from importlib.resources import files

import structlog
from pydantic import BaseModel, ConfigDict, Field

from pipeline import yaml_lines
from pipeline.act.providers.base import Ask

MILLION = 1_000_000
UNITS_PER_TOKEN = 3.5 / 1.3
"""Bytes of text to a token, at least: 3.5 of English, and 30 % more tokens with the tokenizers since 2026 [makers' migration guide].
Bytes and not characters, because a character of Chinese (3 bytes) may be a token of its own."""
FRAME_TOKENS = 300
"""What a server puts around a question: roles, and its own words about the schema."""

log = structlog.get_logger(__name__)


class Rates(BaseModel):
    """USD per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_write: float = Field(default=0, ge=0)
    cache_read: float = Field(default=0, ge=0)


class LongRates(Rates):
    above: int = Field(gt=0, description="Tokens of input, cached or not, from which on these rates hold")


class Price(Rates):
    """Of one model."""

    long: LongRates | None = None

    def cost(self, fresh: int, output: int, *, written: int = 0, read: int = 0) -> float:
        """USD of a call: `fresh` tokens of input that no cache had to do with, `written` to the cache, `read` from it."""
        rates: Rates = self.long if self.long is not None and fresh + written + read > self.long.above else self
        write, hit = rates.cache_write or rates.input, rates.cache_read or rates.input
        return (fresh * rates.input + output * rates.output + written * write + read * hit) / MILLION

    def worst(self, ask: Ask, output: int) -> float:
        """USD that `ask` costs at most, with up to `output` tokens of answer, where all of its input is written to the cache."""
        tokens = input_tokens(ask)
        return max(self.cost(tokens, output), self.cost(0, output, written=tokens))


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: date
    source: str
    models: dict[str, Price] = Field(min_length=1)


FREE = Price(input=0, output=0)


@cache
def table() -> Table:
    text = (files("pipeline.act.providers") / "prices.yaml").read_text(encoding="utf-8")
    return yaml_lines.check(yaml_lines.parse(text, "prices.yaml"), Table)


@cache
def price(model: str) -> Price:
    """Of a model, or of a dated snapshot of it. One that is not in the table counts as the dearest, with a warning once."""
    known = table().models
    found = known.get(model) or known.get(re.sub(r"-\d{8}$", "", model))
    if found is not None:
        return found
    dearest = max(known, key=lambda name: (known[name].output, known[name].input))
    log.warning("model without a price: counted as the dearest", model=model, as_if=dearest, prices_of=str(table().as_of))
    return known[dearest]


def input_tokens(ask: Ask) -> int:
    """Estimate, rather too high."""
    sent = ask.system + ask.user + json.dumps(ask.schema)
    return math.ceil(len(sent.encode("utf-8", "surrogatepass")) / UNITS_PER_TOKEN) + FRAME_TOKENS
