"""Settings: one catalogue; errors name the variable, the fault and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.settings import BY_NAME, CATALOGUE, Settings, SettingsError, as_markdown, unknown_names


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("FLUX_KAFKA_BROKERS", "kafka", "'kafka' is not HOST:PORT"),
        ("FLUX_KAFKA_BROKERS", "kafka:9092,other:99999", "'other:99999' is not HOST:PORT"),
        ("FLUX_SLOT", "-1", "greater than or equal to 0"),
        ("FLUX_TOPIC_PREFIX", "a b", "'a b' is not allowed"),
        ("FLUX_MODE", "on", "'shadow', 'notify-only' or 'active'"),
        ("NOISE_SUPPRESSION_ENABLED", "perhaps", "neither true nor false"),
        ("TRANSIENT_TTL", "-3", "greater than or equal to 0"),
        ("FLUX_CONFIG", "nowhere.yaml", "there is no file"),
        ("FLUX_KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "needs a mechanism"),
        ("OLLAMA_URL", "bob:S3cretPw@gpu:11434", "the value is without http://"),
        ("OLLAMA_URL", "http://bob:S3c/retPw@gpu:11434", "the value is not a URL"),
        ("OPENAI_BASE_URL", "http://bob:33/retPw@gpu/v1", "the value is not a URL"),
        ("OLLAMA_URL", "127.0.0.1:33963", "'127.0.0.1:33963' is without http://"),
        ("OLLAMA_URL", "ftp://gpu:21", "'ftp://gpu:21' is not a URL like http://HOST:PORT/PATH"),
        ("OLLAMA_URL", "http://127.0.0.1:99999", "'http://127.0.0.1:99999' has a port that is not from 1 to 65535"),
        ("OPENAI_BASE_URL", "http://gpu:0/v1", "has a port"),
        ("ANTHROPIC_BASE_URL", "https://bob:S3cretPw@gpu:123456/", "the value has a port"),
        ("OPENAI_BASE_URL", "http://[::zz]:8000/v1", "is not a URL"),
        ("OPENAI_BASE_URL", "http://[1:2]:8000/v1", "has a host"),
        ("OPENAI_BASE_URL", "http://gpu..lan/v1", "has a host"),
        ("OLLAMA_URL", "http://", "is not a URL"),
    ],
)
def test_a_wrong_setting_is_named_with_its_fault_and_fix(name: str, value: str, fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.load({name: value})
    (problem,) = raised.value.problems
    assert problem.name == name
    assert fault in problem.what
    assert problem.fix
    assert "S3c" not in str(problem)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:11434", "https://bob:S3cretPw@gpu.lan/v1?a=b", "http://[::1]:65535/", "http://gpu_1:80"],
)
def test_a_url_of_a_server_may_be_any_whole_one(url: str) -> None:
    for name in ("OLLAMA_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        Settings.load({name: url})


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.load({"FLUX_SLOT": "x", "FLUX_MODE": "y", "FLAP_THRESHOLD": "0"})
    assert {problem.name for problem in raised.value.problems} == {"FLUX_SLOT", "FLUX_MODE", "FLAP_THRESHOLD"}


def test_a_secret_is_in_no_error_and_no_text() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.load({"FLUX_API_TOKEN": "hunter2"})
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in repr(Settings.load({"FLUX_POSTGRES_URL": "postgresql://flux:hunter2@db/flux"}))


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    token = Settings.load({"FLUX_API_TOKEN_FILE": str(file)}).api_token
    assert token is not None and token.get_secret_value() == "0123456789abcdef"
    with pytest.raises(SettingsError, match="FLUX_API_TOKEN_FILE"):
        Settings.load({"FLUX_API_TOKEN_FILE": str(tmp_path / "nothing")})


def test_an_empty_variable_is_an_unset_one() -> None:
    assert Settings.load({"FLUX_SLOT": "", "FLUX_MODE": ""}) == Settings.load({})


def test_the_environment_of_a_child_says_the_same(tmp_path: Path) -> None:
    given = {
        "FLUX_KAFKA_BROKERS": "a:1,b:2",
        "FLUX_SLOT": "3",
        "NOISE_SUPPRESSION_ENABLED": "off",
        "TRANSIENT_TTL": "12.5",
        "FLUX_POSTGRES_URL": "postgresql://flux:secret@db/flux",
        "FLUX_MODE": "shadow",
        "FLUX_STATE_DIR": str(tmp_path),
    }
    settings = Settings.load(given)
    assert Settings.load(settings.environ()) == settings


def test_clients_get_what_the_security_settings_say(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    settings = Settings.load(
        {
            "FLUX_KAFKA_BROKERS": "k:9093",
            "FLUX_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "FLUX_KAFKA_SECURITY_SASL_MECHANISM": "SCRAM-SHA-512",
            "FLUX_KAFKA_SECURITY_SASL_USERNAME": "flux",
            "FLUX_KAFKA_SECURITY_SASL_PASSWORD": "secret",
            "FLUX_KAFKA_SECURITY_CA_FILE": str(authority),
        }
    )
    assert settings.kafka_client() == {
        "bootstrap.servers": "k:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "flux",
        "sasl.password": "secret",
        "ssl.ca.location": str(authority),
    }
    assert Settings.load({}).kafka_client() == {"bootstrap.servers": "localhost:9092"}


def test_a_misspelled_variable_is_noticed_with_the_name_it_resembles() -> None:
    found = unknown_names({"FLUX_KAFKA_BROKER": "x", "FLUX_TEST_KAFKA": "x", "FLUX_API_TOKEN_FILE": "x", "FLUX_7_PORT_TCP": "x"})
    assert ("FLUX_KAFKA_BROKER", "FLUX_KAFKA_BROKERS") in found
    assert [name for name, _ in found] == ["FLUX_7_PORT_TCP", "FLUX_KAFKA_BROKER"]


def test_every_setting_is_documented() -> None:
    table = as_markdown()
    for entry in CATALOGUE:
        assert entry.about and entry.fix and f"`{entry.name}`" in table
    assert len(BY_NAME) == len(CATALOGUE)
