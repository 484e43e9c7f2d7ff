"""Receivers as the user configures them: one model a type. A message of a validator is "what is wrong. What to do".

Secrets are named, never written: `env:NAME` or `file:PATH`. They are read when the act lane starts (`pipeline.act.secrets`).
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agents.notify.addresses import is_public

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")


def _secret(value: str) -> str:
    kind, _, rest = value.partition(":")
    if kind not in ("env", "file") or not rest.strip():
        raise ValueError("a secret may not stand in the file. Write env:NAME (an environment variable) or file:PATH")
    return value


def _url(value: str) -> str:
    if value.startswith(("env:", "file:")):
        return _secret(value)
    problem = url_problem(value)
    if problem:
        raise ValueError(problem)
    return value


def url_problem(value: str) -> str | None:
    """What is wrong with a URL that we should post to, as "what. Fix"; None when nothing is."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        return f"is no URL ({error}). Write https://host/path"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "is no URL that can be posted to. Write https://host/path"
    if parts.username is not None or parts.password is not None:
        return "carries a password. Give the whole URL as env:NAME or file:PATH"
    if port == 0:
        return "has port 0. Name the port, or leave it out"
    return None


def is_plainly_private(url: str) -> bool:
    """Whether the host is written as a loopback name or a non-public address; a name may still resolve to one."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host in LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return not is_public(host)
    except ValueError:
        return False


Secret = Annotated[str, AfterValidator(_secret)]
Url = Annotated[str, AfterValidator(_url)]


class BaseReceiver(BaseModel):
    """What all receivers have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME, description="A name of letters, digits, dots, dashes and underscores, for routes and metrics")
    backup: str | None = Field(default=None, description="Receiver that is told of a P1 when this one cannot be")
    timeout_s: float = Field(default=10, gt=0, le=60, description="Seconds for one attempt")
    max_in_flight: int = Field(default=8, ge=1, le=256, description="Attempts at the same time; more are put off for a second")


class ConsoleReceiver(BaseReceiver):
    """Writes to this process's standard output: a line for a person, or JSON."""

    type: Literal["console"] = "console"
    style: Literal["text", "json"] = Field(default="text", description="text or json")


class HttpReceiver(BaseReceiver):
    allow_private: bool = Field(default=False, description="true: this receiver may be on a private or loopback address")


class WebhookReceiver(HttpReceiver):
    """Any HTTP endpoint. With `secret` each request is signed (X-Flux-Signature)."""

    type: Literal["webhook"]
    url: Url
    secret: Secret | None = Field(default=None, description="Key that requests are signed with, as env:NAME or file:PATH")


class SlackReceiver(HttpReceiver):
    """A Slack incoming webhook (`url`), or the Slack API with a bot token (`secret`) and a `channel`."""

    type: Literal["slack"]
    url: Url = Field(default="https://slack.com/api/chat.postMessage", description="Incoming webhook as env:NAME, or leave it out")
    secret: Secret | None = Field(default=None, description="Bot token as env:NAME or file:PATH")
    channel: str = Field(default="", max_length=80, description="Channel id, needed with a bot token")


class PagerDutyReceiver(HttpReceiver):
    """PagerDuty Events v2; the incident's id is the dedup_key."""

    type: Literal["pagerduty"]
    url: Url = "https://events.pagerduty.com/v2/enqueue"
    secret: Secret = Field(description="Integration key (routing key) as env:NAME or file:PATH")


class FluxNotifyReceiver(HttpReceiver):
    """Flux Notify over REST: POST {url}/api/v1/notifications with a bearer token."""

    type: Literal["flux_notify"]
    url: Url = Field(description="Base URL of Flux Notify")
    secret: Secret | None = Field(default=None, description="Token as env:NAME or file:PATH")


Receiver = Annotated[
    ConsoleReceiver | WebhookReceiver | SlackReceiver | PagerDutyReceiver | FluxNotifyReceiver, Field(discriminator="type")
]


def problem_of(receiver: BaseReceiver) -> str | None:
    """What no single field can see, as "what. Fix"; None when nothing is wrong."""
    if not isinstance(receiver, WebhookReceiver | SlackReceiver | PagerDutyReceiver | FluxNotifyReceiver):
        return None
    written = not receiver.url.startswith(("env:", "file:"))
    if written and not receiver.allow_private and is_plainly_private(receiver.url):
        return f"the url of {receiver.name} is on a private address. Set allow_private: true if that is meant"
    if isinstance(receiver, SlackReceiver):
        by_token = written and receiver.url.endswith("/chat.postMessage")
        if by_token and not (receiver.secret and receiver.channel):
            return f"{receiver.name} has neither an incoming webhook nor a bot. Set url: env:NAME, or secret: env:NAME with channel"
        if receiver.secret and not receiver.channel:
            return f"{receiver.name} has a bot token and no channel. Set channel to the channel's id"
    return None
