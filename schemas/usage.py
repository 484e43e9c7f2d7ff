"""What models cost. One partition, so that its order is the same for every worker: a paid call is allowed only when its reservation,
read back in that order, still fits the budget."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Message, Moment


class Usage(Message):
    """`reserve`: a paid call wants to spend up to `cost_usd`. `settle`: it has ended; what it really cost. `call`: an unpaid call ended."""

    usage_id: str = Field(description="Of the call: a settle names the reserve that it ends.")
    kind: Literal["reserve", "settle", "call"]
    provider: str
    model: str = ""
    task: str = ""
    prompt: str = ""
    incident_id: str = ""
    worker: str = ""
    outcome: str = ""
    cost_usd: float = Field(default=0.0, ge=0)
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    took_ms: int = 0
    waited_ms: int = 0
    cached: bool = Field(default=False, description="Answered from our own cache: nothing was asked.")
    asked: bool = Field(default=True, description="False: nothing was sent, so a settle also gives the hour's analysis back.")
    at: Moment
