"""Whom to tell: routes are read from the top; the first that fits decides, unless it says `continue`.

Nothing here raises for an incident: where no route fits, the default receivers are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agents.matching import check, matches
from agents.notify.policy import DeliveryPolicy
from agents.notify.receivers import ConsoleReceiver, Receiver, problem_of
from schemas.base import Matcher, Severity, from_ms

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPERATORS = ("=~", "!~", "!=", "=")
LONGEST_FIRST = "!=~"


def _matcher(value: Any) -> Any:
    """`service=~"pay.*"`, as Alertmanager writes it, is the same as {name, op, value}."""
    if not isinstance(value, str):
        return value
    end = next((index for index, letter in enumerate(value) if letter in LONGEST_FIRST), -1)
    op = next((operator for operator in OPERATORS if end > 0 and value.startswith(operator, end)), None)
    if op is None:
        raise ValueError(f'{value!r} is no matcher. Write name="value", with one of = != =~ !~')
    text = value[end + len(op) :].strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return {"name": value[:end].strip(), "op": op, "value": text}


def _compiles(matcher: Matcher) -> Matcher:
    check([matcher])
    return matcher


def _timezone(value: str) -> str:
    try:
        zone(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no known time zone. Write one such as Europe/Berlin, or UTC") from error
    return value


@cache
def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


RouteMatcher = Annotated[Matcher, BeforeValidator(_matcher), AfterValidator(_compiles)]


class Hours(BaseModel):
    """When a route is active, on the clock of `timezone`. `to` before `from` runs over midnight and belongs to the day it began."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    start: time = Field(alias="from", description='Time of day, "09:00"')
    end: time = Field(alias="to", description='Time of day, "17:30"')
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"

    def include(self, now: int) -> bool:
        """Whether `now` (epoch ms) lies within."""
        local = from_ms(now).astimezone(UTC if self.timezone == "UTC" else zone(self.timezone))
        clock = local.time()
        if self.start < self.end:
            return self.start <= clock < self.end and self._on(local, 0)
        return (clock >= self.start and self._on(local, 0)) or (clock < self.end and self._on(local, 1))

    def _on(self, local: datetime, days_ago: int) -> bool:
        return DAYS[(local.weekday() - days_ago) % 7] in self.days


class Route(BaseModel):
    """Incidents that all `matchers` and one of `severities` fit go to `receivers`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(default="", max_length=80, description="Shown as the reason why somebody was told")
    matchers: tuple[RouteMatcher, ...] = Field(default=(), description='Such as team="payments" or service=~"pay.*"')
    severities: tuple[Severity, ...] = Field(default=(), description="P1 to P4; none means all")
    hours: Hours | None = None
    receivers: tuple[str, ...] = Field(min_length=1, description="Names of receivers")
    go_on: bool = Field(default=False, alias="continue", description="true: the routes below are tried as well")


class NotifyConfig(BaseModel):
    """Receivers and routes. Without any, the console is told."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    receivers: tuple[Receiver, ...] = (ConsoleReceiver(name="console"),)
    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] = Field(default=(), description="Receivers where no route fits; unset means the first receiver")
    backup: str | None = Field(default=None, description="Receiver for a P1 that another cannot be told; unset means the next one")
    public_url: str = Field(
        default="", pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$", description="Where people reach this Flux AI, for links in messages"
    )
    second_receiver_after_s: float = Field(default=90, ge=1, le=110, description="Seconds until the backup of a P1 is told")
    give_up_after_h: float = Field(default=24, gt=0, le=168, description="Hours that an attempt is repeated")

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        if not self.receivers:
            raise ValueError("there is no receiver. Name one, or leave receivers out for the console")
        known = [receiver.name for receiver in self.receivers]
        doubled = next((name for name in known if known.count(name) > 1), None)
        if doubled:
            raise ValueError(f"two receivers are called {doubled}. Give each its own name")
        named = [(name, f"route {route.name or number}") for number, route in enumerate(self.routes, 1) for name in route.receivers]
        named += [(name, "default") for name in self.default]
        named += [(receiver.backup, f"backup of {receiver.name}") for receiver in self.receivers if receiver.backup]
        named += [(self.backup, "backup")] if self.backup else []
        for name, place in named:
            if name not in known:
                raise ValueError(f"{place} names the receiver {name}, which there is not. Use one of {', '.join(known)}")
        for receiver in self.receivers:
            if problem := problem_of(receiver):
                raise ValueError(problem)
        return self

    def policy(self) -> DeliveryPolicy:
        """The waiting times of `agents.notify.delivery` for these receivers."""
        return DeliveryPolicy(
            timeouts={receiver.name: round(receiver.timeout_s * 1000) for receiver in self.receivers},
            second_receiver_after=round(self.second_receiver_after_s * 1000),
            give_up_after=round(self.give_up_after_h * 3_600_000),
        )

    def backup_for(self, receiver: str) -> str | None:
        """Who is told of a P1 that `receiver` cannot be told; None when there is nobody else."""
        own = next((one.backup for one in self.receivers if one.name == receiver), None)
        choices = [own, self.backup, *(one.name for one in self.receivers)]
        return next((name for name in choices if name and name != receiver), None)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who is told, and the routes that say so ("default" where none fitted)."""

    receivers: tuple[str, ...]
    routes: tuple[str, ...]


def choose(
    config: NotifyConfig, *, severity: Severity, service: str, environment: str, owner: str, labels: Mapping[str, str], now: int
) -> Chosen:
    """Receivers in the order of the routes, each once, and at least one. `now` is epoch ms."""
    fields = {"service": service, "environment": environment, "owner": owner, "severity": severity.value}
    found: list[str] = []
    reasons: list[str] = []
    for number, route in enumerate(config.routes, 1):
        if not _fits(route, severity, fields, labels, now):
            continue
        found.extend(route.receivers)
        reasons.append(route.name or f"route {number}")
        if not route.go_on:
            break
    if not found:
        return Chosen(config.default or (config.receivers[0].name,), ("default",))
    return Chosen(tuple(dict.fromkeys(found)), tuple(reasons))


def whom(
    config: NotifyConfig, *, severity: Severity, service: str, environment: str, owner: str, labels: Mapping[str, str], now: int
) -> tuple[str, ...]:
    """The names alone."""
    return choose(config, severity=severity, service=service, environment=environment, owner=owner, labels=labels, now=now).receivers


def router(config: NotifyConfig) -> Callable[..., tuple[str, ...]]:
    """`whom` with the configuration bound: what a decision's world holds."""

    def bound(*, severity: Severity, service: str, environment: str, owner: str, labels: Mapping[str, str], now: int) -> tuple[str, ...]:
        return whom(config, severity=severity, service=service, environment=environment, owner=owner, labels=labels, now=now)

    return bound


def _fits(route: Route, severity: Severity, fields: Mapping[str, str], labels: Mapping[str, str], now: int) -> bool:
    if route.severities and severity not in route.severities:
        return False
    if route.hours is not None and not route.hours.include(now):
        return False
    return matches(route.matchers, labels=labels, fields=fields)
