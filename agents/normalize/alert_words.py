"""The keys under which most sources keep the same things: severities and services among labels, tags and details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.normalize.dig import head, plain_key, words

SEVERITY_KEYS = words(
    "severity alertseverity severitylevel sev priority alertpriority criticality level alertlevel loglevel urgency importance"
)
SERVICE_KEYS = words(
    "service servicename app application applicationname appname component componentname microservice workload deployment ",
    "job servicegroup",
)
HOST_KEYS = words(
    "host hostname instance node nodename server servername device devicename machine entity entityname resource ",
    "resourcename target monitorname container pod function functionname queue database cluster clustername project ",
    "projectname ip ipaddress address",
)
ENVIRONMENT_KEYS = ("environment", "env", "environmentname", "stage", "deploymentenvironment")


def among(values: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """Text of the first key (spelled in any usual way) that has one."""
    plain = {plain_key(key): value for key, value in values.items()}
    return next((found for key in keys if key in plain and (found := head(plain[key]))), "")


def severity_in(values: Mapping[str, Any]) -> str:
    return among(values, SEVERITY_KEYS)


def service_in(values: Mapping[str, Any]) -> str:
    """A named service, or else the host or resource."""
    return among(values, SERVICE_KEYS) or among(values, HOST_KEYS)


def environment_in(values: Mapping[str, Any]) -> str:
    return among(values, ENVIRONMENT_KEYS)
