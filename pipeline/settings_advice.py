"""Settings of the language models: which there are, and what they may cost."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, SecretStr

from pipeline.setting import Switch, Url, setting


class AdviceSettings(BaseModel):
    """Part of `pipeline.settings.Settings`."""

    ollama_url: Url = setting(
        "OLLAMA_URL", "", "Ollama server that is asked for advice; unset asks none", "Give a URL: http://127.0.0.1:11434"
    )
    ollama_model: str = setting(
        "OLLAMA_MODEL", "llama3.1:8b", "Model that Ollama is asked", "Give a name that `ollama list` shows", min_length=1
    )
    ollama_slots: int = setting(
        "OLLAMA_NUM_PARALLEL",
        1,
        "Requests that the Ollama server works on at once: the same value that the server was started with",
        "Give a whole number from 1 to 256",
        ge=1,
        le=256,
    )
    anthropic_key: SecretStr | None = setting(
        "ANTHROPIC_API_KEY", None, "Key for Claude; unset asks it never", "Copy it from the console of Anthropic", min_length=8
    )
    anthropic_model: str = setting("ANTHROPIC_MODEL", "claude-haiku-5-5", "Model of Claude", "Give a model's id", min_length=1)
    anthropic_url: Url = setting("ANTHROPIC_BASE_URL", "", "Where Claude is, if not at its makers'", "Give a URL: https://host/")
    openai_url: Url = setting(
        "OPENAI_BASE_URL",
        "",
        "OpenAI-compatible server (vLLM, LM Studio, ...); unset asks none",
        "Give a URL: http://host:8000/v1",
    )
    openai_key: SecretStr | None = setting("OPENAI_API_KEY", None, "Key for that server, where it wants one", "Give the key")
    openai_model: str = setting("OPENAI_MODEL", "", "Model of that server; unset takes the first one that it lists", "Give a model's id")
    openai_slots: int = setting(
        "OPENAI_SLOTS",
        8,
        "Requests that the OpenAI-compatible server is given at once",
        "Give a whole number from 1 to 1024",
        ge=1,
        le=1024,
    )
    advice_mode: Literal["", "active", "shadow", "off"] = setting(
        "AI_MODE", "", "active, shadow (ask models, tell nobody what they say) or off; wins over the file", "Use active, shadow or off"
    )
    advice_profile: Literal["", "default", "staging", "production"] = setting(
        "AI_PROFILE",
        "",
        "default, staging or production: confidence 0.75, 0.70, 0.80; budget 5, 2, 10 a day",
        "Use default, staging or production",
    )
    local_only: Switch = setting("AI_LOCAL_ONLY", False, "true: no question leaves this network", "Use true or false")
    advice_budget: float | None = setting(
        "AI_BUDGET_PER_DAY", None, "USD a day for paid models, of all workers", "Give a number from 0", ge=0
    )
    analyses_per_hour: int | None = setting(
        "AI_ANALYSES_PER_HOUR", None, "Calls an hour to paid models, of all workers; default 20", "Give a whole number from 0", ge=0
    )
    min_confidence: float | None = setting(
        "AI_MIN_CONFIDENCE", None, "An answer less sure than this is marked for review", "Give a number from 0 to 1", ge=0, le=1
    )
    redaction_key: SecretStr | None = setting(
        "FLUX_REDACTION_KEY",
        None,
        "Key of the placeholders that stand for secrets and addresses; unset makes one at each start",
        "Give any text of 16 characters or more",
        min_length=16,
    )

    @property
    def providers(self) -> tuple[str, ...]:
        """Names of the providers that are set up, whether or not they answer."""
        given = {"ollama": self.ollama_url, "openai": self.openai_url, "claude": self.anthropic_key}
        return tuple(name for name, value in given.items() if value)
