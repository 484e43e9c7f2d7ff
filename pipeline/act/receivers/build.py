"""From a receiver's configuration to the receiver."""

from __future__ import annotations

from collections.abc import Mapping

from agents.notify.receivers import (
    ConsoleReceiver,
    FluxNotifyReceiver,
    HttpReceiver,
    PagerDutyReceiver,
    SlackReceiver,
    WebhookReceiver,
    is_plainly_private,
)
from agents.notify.receivers import Receiver as ReceiverConfig
from pipeline.act.desk import reserve
from pipeline.act.receivers.base import Receiver
from pipeline.act.receivers.console import Console
from pipeline.act.receivers.flux_notify import FluxNotify
from pipeline.act.receivers.http import Endpoint
from pipeline.act.receivers.pagerduty import PagerDuty
from pipeline.act.receivers.slack import Slack
from pipeline.act.receivers.webhook import Webhook
from pipeline.act.secrets import reveal, reveal_url
from pipeline.settings import Problem, SettingsError


def build(config: ReceiverConfig, environ: Mapping[str, str], public_url: str) -> Receiver:
    """Raises SettingsError when a secret that it names is not there; a retry does not help."""
    if isinstance(config, ConsoleReceiver):
        return Console(config)
    secret = reveal(config.secret, environ, whose=config.name) if config.secret else ""
    endpoint = _endpoint(config, config.url, secret, environ)
    match config:
        case WebhookReceiver():
            return Webhook(endpoint, secret, public_url)
        case SlackReceiver():
            return Slack(endpoint, secret, config.channel, public_url)
        case PagerDutyReceiver():
            return PagerDuty(endpoint, secret, public_url)
        case FluxNotifyReceiver():
            return FluxNotify(endpoint, secret, public_url)


def _endpoint(config: HttpReceiver, url: str, secret: str, environ: Mapping[str, str]) -> Endpoint:
    plain = reveal_url(url, environ, whose=config.name)
    hidden = url != plain
    if hidden and not config.allow_private and is_plainly_private(plain):
        fault = f"the value for {config.name} is on a private address"
        raise SettingsError([Problem(url.partition(":")[2], fault, "Set allow_private: true if that is meant")])
    return Endpoint(
        plain,
        timeout_s=config.timeout_s,
        connections=config.max_in_flight + reserve(config.max_in_flight),
        allow_private=config.allow_private,
        secrets=(secret, plain if hidden else ""),
    )
