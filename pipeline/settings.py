"""Settings from the environment: one catalogue, read once, checked before anything starts.

The fields of `Settings` are the catalogue: name, default, meaning and fix stand together, and `fluxai doctor`, the
README's table and the error messages are made from them. A secret NAME may also be given as NAME_FILE, a path.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from pydantic import ConfigDict, SecretStr, ValidationError

from pipeline.setting import Brokers, Port, Switch, setting
from pipeline.settings_advice import AdviceSettings

OTHERS = {"FLUX_KAFKA_HOME", "FLUX_SUPERVISED", "FLUX_USER"}
"""Names that are read elsewhere: the local Kafka's folder, the supervisor's mark on its workers, who is at the keyboard."""


class Mode(StrEnum):
    """How far the pipeline goes: shadow decides and tells nobody; notify-only tells and changes nothing; active may also act."""

    SHADOW = "shadow"
    NOTIFY_ONLY = "notify-only"
    ACTIVE = "active"


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class SecurityProtocol(StrEnum):
    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class Settings(AdviceSettings):
    """What the environment says. Frozen: whoever needs other settings loads them anew or uses `model_copy`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    brokers: Brokers = setting(
        "FLUX_KAFKA_BROKERS",
        "localhost:9092",
        "Kafka bootstrap servers",
        "Give HOST:PORT, several separated by commas: kafka-1:9092,kafka-2:9092",
    )
    topic_prefix: str = setting(
        "FLUX_TOPIC_PREFIX",
        "flux.",
        "Put before every topic's name on the broker",
        "Use letters, digits, dots, dashes and underscores only",
        pattern=r"^[A-Za-z0-9._-]*$",
        max_length=100,
    )
    cluster_id: str | None = setting(
        "FLUX_KAFKA_CLUSTER_ID",
        None,
        "Names the cluster in the history, where not the brokers' own id is to be used",
        "Use letters, digits, dots, dashes and underscores only",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
    )
    embedded_broker: Switch = setting(
        "FLUX_KAFKA_EMBEDDED",
        False,
        "The brokers are the embedded one, whose transaction markers carry no check sum; set by `fluxai run`",
        "Use true or false",
    )
    slot: int = setting(
        "FLUX_SLOT",
        0,
        "This worker's stable number among its lane's workers",
        "Give each worker of a lane its own number from 0",
        ge=0,
        le=9999,
    )
    postgres_url: SecretStr | None = setting(
        "FLUX_POSTGRES_URL",
        None,
        "History database; `fluxai run` starts its own where this is unset",
        "Give a URL: postgresql://user:password@host/database",
    )
    state_dir: Path = setting(
        "FLUX_STATE_DIR", Path(".flux"), "Logs, the embedded database and the local Kafka live here", "Name a folder that can be written"
    )
    config_file: Path | None = setting(
        "FLUX_CONFIG",
        None,
        "YAML file with receivers, routes, mappings and noise rules",
        "Name a file that exists, or unset it to use the built-in rules",
    )
    mode: Mode = setting(
        "FLUX_MODE",
        Mode.ACTIVE,
        "shadow: decide, tell nobody; notify-only: tell, change nothing; active",
        "Use shadow, notify-only or active",
    )
    noise_suppression: Switch = setting(
        "NOISE_SUPPRESSION_ENABLED", True, "false: suppress nothing, but record what would have been", "Use true or false"
    )
    flap_threshold: int = setting(
        "FLAP_THRESHOLD",
        3,
        "More fire-and-clear cycles in an hour than this are flapping",
        "Give a whole number from 1 to 100",
        ge=1,
        le=100,
    )
    transient_ttl_s: float = setting(
        "TRANSIENT_TTL",
        30.0,
        "Seconds that the page of a P2-P4 waits for the alert to clear by itself",
        "Give seconds from 0 to 600",
        ge=0,
        le=600,
    )
    history_days: int = setting(
        "FLUX_HISTORY_DAYS", 90, "Days of history kept in PostgreSQL", "Give whole days from 1 to 3650", ge=1, le=3650
    )
    api_host: str = setting(
        "FLUX_API_HOST",
        "127.0.0.1",
        "Address that the HTTP front door listens on",
        "Give an address of this machine, or 0.0.0.0 for all",
        min_length=1,
    )
    api_port: Port = setting("FLUX_API_PORT", 8080, "Port of the HTTP front door; 0 takes a free one", "Give a port from 0 to 65535")
    api_token: SecretStr | None = setting(
        "FLUX_API_TOKEN",
        None,
        "Callers of the HTTP API must present it; unset means no check",
        "Give any text of 16 characters or more",
        min_length=16,
    )
    slack_signing_secret: SecretStr | None = setting(
        "SLACK_SIGNING_SECRET",
        None,
        "Proves that buttons pressed in Slack come from Slack",
        "Copy it from the Slack application's settings",
    )
    metrics_host: str = setting(
        "FLUX_METRICS_HOST", "127.0.0.1", "Address of /metrics, /health and /ready", "Give an address of this machine", min_length=1
    )
    metrics_port: Port = setting(
        "FLUX_METRICS_PORT", 0, "Port of /metrics, /health and /ready of a worker; 0 takes a free one", "Give a port from 0 to 65535"
    )
    log_level: str = setting(
        "FLUX_LOG_LEVEL",
        "info",
        "Least severe log line that is written",
        "Use debug, info, warning or error",
        pattern=r"^(?i:debug|info|warning|error)$",
    )
    log_format: LogFormat = setting("FLUX_LOG_FORMAT", LogFormat.AUTO, "auto: JSON unless stderr is a terminal", "Use auto, json or text")
    security_protocol: SecurityProtocol = setting(
        "FLUX_KAFKA_SECURITY_PROTOCOL",
        SecurityProtocol.PLAINTEXT,
        "How to speak to the brokers",
        "Use PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    sasl_mechanism: str = setting(
        "FLUX_KAFKA_SECURITY_SASL_MECHANISM",
        "",
        "How to log in to the brokers",
        "Use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
        pattern=r"^(|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$",
    )
    sasl_username: str = setting("FLUX_KAFKA_SECURITY_SASL_USERNAME", "", "User name at the brokers", "Give the user's name")
    sasl_password: SecretStr | None = setting("FLUX_KAFKA_SECURITY_SASL_PASSWORD", None, "Password at the brokers", "Give the password")
    ca_file: Path | None = setting(
        "FLUX_KAFKA_SECURITY_CA_FILE", None, "Certificates that vouch for the brokers (PEM)", "Name a readable PEM file"
    )
    cert_file: Path | None = setting(
        "FLUX_KAFKA_SECURITY_CERT_FILE", None, "Our certificate for the brokers (PEM)", "Name a readable PEM file"
    )
    key_file: Path | None = setting("FLUX_KAFKA_SECURITY_KEY_FILE", None, "Key of our certificate (PEM)", "Name a readable PEM file")
    key_password: SecretStr | None = setting("FLUX_KAFKA_SECURITY_KEY_PASSWORD", None, "Password of that key", "Give the password")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check the environment (default: of this process). An empty value counts as unset.

        Raises SettingsError with every problem found; a retry does not help.
        """
        environ = os.environ if environ is None else environ
        problems: list[Problem] = []
        values: dict[str, str] = {}
        for entry in CATALOGUE:
            text = environ.get(entry.name, "")
            path = environ.get(f"{entry.name}_FILE", "") if entry.secret else ""
            if path:
                try:
                    text = Path(path).read_text().strip()
                except OSError as error:
                    problems.append(
                        Problem(
                            f"{entry.name}_FILE", f"{path} cannot be read ({error.strerror})", "Name a readable file with the secret in it"
                        )
                    )
            if text:
                values[entry.name] = text
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            for item in error.errors(include_url=False, include_input=False):
                name = str(item["loc"][0])
                problems.append(Problem(name, _plainly(item["msg"], values.get(name, ""), BY_NAME[name].secret), BY_NAME[name].fix))
            raise SettingsError(problems) from None
        problems.extend(settings._together())
        if problems:
            raise SettingsError(problems)
        return settings

    def _together(self) -> list[Problem]:
        """What no field can see by itself."""
        problems = []
        if self.config_file is not None and not self.config_file.is_file():
            problems.append(Problem("FLUX_CONFIG", f"there is no file {self.config_file}", BY_NAME["FLUX_CONFIG"].fix))
        for name, path in (("CA", self.ca_file), ("CERT", self.cert_file), ("KEY", self.key_file)):
            if path is not None and not path.is_file():
                problems.append(Problem(f"FLUX_KAFKA_SECURITY_{name}_FILE", f"there is no file {path}", "Name a readable PEM file"))
        if self.security_protocol.value.startswith("SASL") and not (self.sasl_mechanism and self.sasl_username and self.sasl_password):
            fix = "Set FLUX_KAFKA_SECURITY_SASL_MECHANISM, _SASL_USERNAME and _SASL_PASSWORD"
            problems.append(
                Problem("FLUX_KAFKA_SECURITY_PROTOCOL", f"{self.security_protocol.value} needs a mechanism, a user and a password", fix)
            )
        return problems

    def kafka_client(self) -> dict[str, str]:
        """What every confluent-kafka client needs to reach the brokers; secrets included, so never log it."""
        client = {"bootstrap.servers": self.brokers, "security.protocol": self.security_protocol.value}
        client |= {
            key: str(value)
            for key, value in {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": reveal(self.sasl_password),
                "ssl.ca.location": self.ca_file,
                "ssl.certificate.location": self.cert_file,
                "ssl.key.location": self.key_file,
                "ssl.key.password": reveal(self.key_password),
            }.items()
            if value
        }
        if self.security_protocol is SecurityProtocol.PLAINTEXT:
            return {"bootstrap.servers": self.brokers}
        return client

    def aiokafka_client(self) -> dict[str, Any]:
        """The same for aiokafka: keyword arguments of its clients."""
        client: dict[str, Any] = {"bootstrap_servers": self.brokers, "security_protocol": self.security_protocol.value}
        if self.security_protocol.value.startswith("SASL"):
            client |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": reveal(self.sasl_password),
            }
        if self.security_protocol.value.endswith("SSL"):
            import ssl

            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file, reveal(self.key_password) or None)
            client["ssl_context"] = context
        return client

    def environ(self) -> dict[str, str]:
        """The environment variables that say the same, for a child process; what is at its default is left out."""
        said = {}
        for entry in CATALOGUE:
            value = getattr(self, entry.field)
            if value != entry.default and value is not None:
                said[entry.name] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        return said


def reveal(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting of the catalogue, as documentation shows it."""

    name: str
    field: str
    default: Any
    about: str
    fix: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the variable, what is wrong with it, and what to do."""

    name: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}. {self.fix}."


class SettingsError(Exception):
    """The environment is wrong. `problems` has all of it; a retry does not help."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def _catalogue() -> tuple[Entry, ...]:
    entries = []
    inherited = AdviceSettings.model_fields
    for field, info in sorted(Settings.model_fields.items(), key=lambda item: item[0] in inherited):
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        secret = info.annotation is SecretStr or SecretStr in get_args(info.annotation)
        entries.append(Entry(str(info.alias), field, info.default, str(info.description), str(extra["fix"]), secret))
    return tuple(entries)


def _plainly(message: str, value: str, secret: bool) -> str:
    """A validator's sentence, with the value where it is no secret and no URL that may hold one."""
    message = message.removeprefix("Value error, ").removeprefix("Input ").removeprefix("Value ").replace(" items ", " characters ")
    message = message.partition(" after validation")[0]
    shown = "the value" if secret or "@" in value else repr(value)
    if message.startswith("String should match pattern"):
        return f"{shown} is not allowed"
    return f"{shown} {message}" if message.startswith(("should", "is ", "has ")) else message


CATALOGUE: tuple[Entry, ...] = _catalogue()
BY_NAME: dict[str, Entry] = {entry.name: entry for entry in CATALOGUE}


def unknown_names(environ: Mapping[str, str] | None = None) -> list[tuple[str, str | None]]:
    """FLUX_* names in the environment that mean nothing to us, each with the name it resembles.

    Not an error: Kubernetes puts FLUX_..._PORT variables of its own into pods. `FLUX_TEST_*` belongs to the tests.
    """
    environ = os.environ if environ is None else environ
    known = set(BY_NAME) | {f"{entry.name}_FILE" for entry in CATALOGUE if entry.secret} | OTHERS
    names = sorted(name for name in environ if name.startswith("FLUX_") and not name.startswith("FLUX_TEST_") and name not in known)
    return [(name, next(iter(difflib.get_close_matches(name, known, 1, 0.8)), None)) for name in names]


def as_markdown() -> str:
    """The README's table of settings."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for entry in CATALOGUE:
        default = "" if entry.default is None else str(getattr(entry.default, "value", entry.default))
        lines.append(f"| `{entry.name}` | {f'`{default}`' if default else ''} | {entry.about}{' (secret)' if entry.secret else ''} |")
    return "\n".join(lines) + "\n"
