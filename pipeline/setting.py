"""What one setting is: its name in the environment, default, meaning and fix; and the types that settings have."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

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


SHAPE = re.compile(r"https?://([^\s/?#@]*@)?(\[[0-9A-Fa-f:.%]+\]|[^\s/?#@:\[\]\\]+)(:[0-9]+)?([/?#][^\s@]*)?")
"""A `/`, `?`, `#` or `@` in a password must be written as `%2F`, `%3F`, `%23`, `%40`: else nobody can tell where the host begins."""


def _url(value: Any) -> Any:
    """Sentences without any part of the value: it may hold a password."""
    if not isinstance(value, str) or not value:
        return value
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value):
        raise ValueError("is without http:// (or https://) before it")
    found = SHAPE.fullmatch(value)
    if found is None:
        raise ValueError("is not a URL like http://HOST:PORT/PATH")
    if (found[3] and not 0 < int(found[3][1:6]) < 65536) or len(found[3] or "") > 6:
        raise ValueError("has a port that is not from 1 to 65535")
    try:
        host = urlsplit(value).hostname or ""
        if found[2].startswith("["):
            ipaddress.IPv6Address(host)
        else:
            host.encode("idna")
    except ValueError:
        raise ValueError("has a host that is neither a name nor an address") from None
    return value


Url = Annotated[str, BeforeValidator(_url)]
"""Empty, or a whole URL of http or https. User and password may be in it; it is never shown with them."""
Switch = Annotated[bool, BeforeValidator(_switch)]
Brokers = Annotated[str, BeforeValidator(_brokers)]
Port = Annotated[int, Field(ge=0, le=65535)]


def setting(name: str, default: Any, about: str, fix: str, **limits: Any) -> Any:
    return Field(default=default, alias=name, description=about, json_schema_extra={"fix": fix}, **limits)
