"""What depends on what, and who owns it. One record a service on the compacted topic; a null value forgets the service."""

from __future__ import annotations

from pydantic import Field

from schemas.base import Message


class Service(Message):
    name: str = Field(min_length=1, max_length=253)
    depends_on: list[str] = Field(default_factory=list)
    owner: str = ""
    tier: int = Field(default=3, ge=1, le=4, description="1 is what the business stops without.")
    customer_facing: bool = False
    environment: str = ""
    domain: str = Field(default="", description="Correlation domain, where it is not the environment.")
