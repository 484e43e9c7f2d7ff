"""What one setting is: its name in the environment, default, meaning and fix; and the types that settings have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


def _switch(value: Any) -> Any:
    if isinstance(value, str):
        word = value.strip().lower()
        if word in TRUE or word in FALSE:
            return word in TRUE
        raise ValueError("is neither true nor false")
    return value


def _brokers(value: Any) -> Any:
    for part in str(value).split(","):
        host, _, port = part.strip().rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{part.strip()!r} is not HOST:PORT")
    return str(value).replace(" ", "")


URL = r"^(|https?://([^\s/?#@]*@)?(\[[0-9A-Fa-f:.%]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?([/?#][^\s@]*)?)$"
"""A `/`, `?`, `#` or `@` in a password must be written as `%2F`, `%3F`, `%23`, `%40`: else nobody can tell where the host begins."""
Switch = Annotated[bool, BeforeValidator(_switch)]
Brokers = Annotated[str, BeforeValidator(_brokers)]
Port = Annotated[int, Field(ge=0, le=65535)]


def setting(name: str, default: Any, about: str, fix: str, **limits: Any) -> Any:
    return Field(default=default, alias=name, description=about, json_schema_extra={"fix": fix}, **limits)
