"""The configuration file: who is told, how unknown sources are read, and the thresholds of noise.

A wrong file refuses to start; the complaint names file, line, fault and fix. `${NAME}` in a value is taken from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from agents.advice.config import AdviceConfig
from agents.noise.rules import NoiseRules
from agents.normalize import FieldMapping, NormalizeRules
from agents.notify.routes import NotifyConfig
from pipeline.settings import Settings
from pipeline.yaml_lines import check, read


class NormalizeConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    domain_labels: tuple[str, ...] = Field(
        default=("cluster", "tenant"),
        description="The first of these labels that an alert has is its correlation domain; else its environment",
    )
    default_environment: str = Field(default="", description="Environment of alerts that name none")


class Config(BaseModel):
    """What the file says, or the built-in rules where there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notify: NotifyConfig = Field(default=NotifyConfig(), description="Receivers, and the routes that choose among them")
    mappings: dict[str, FieldMapping] = Field(default={}, description="Source name to where the fields of its payloads lie")
    normalize: NormalizeConfig = NormalizeConfig()
    noise: NoiseRules = NoiseRules()
    advice: AdviceConfig = Field(default=AdviceConfig(), description="Language models: who is asked, how far an answer reaches")

    def normalize_rules(self) -> NormalizeRules:
        return NormalizeRules(self.normalize.domain_labels, self.normalize.default_environment, self.mappings)


def load_config(settings: Settings, environ: Mapping[str, str] | None = None) -> Config:
    """The file of FLUX_CONFIG, with the settings that override it. Raises pipeline.yaml_lines.FileError."""
    config = Config() if settings.config_file is None else load_file(settings.config_file, environ)
    return config.model_copy(update={"noise": overridden(config.noise, settings), "advice": advised(config.advice, settings)})


def load_file(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    return check(read(path, os.environ if environ is None else environ), Config)


def overridden(noise: NoiseRules, settings: Settings) -> NoiseRules:
    """An environment variable that was set wins over the file: it is what a person turns at three in the morning."""
    pairs = {
        "noise_suppression": ("suppression_enabled", settings.noise_suppression),
        "transient_ttl_s": ("transient_hold_s", settings.transient_ttl_s),
        "flap_threshold": ("flap_threshold", settings.flap_threshold),
        "history_days": ("history_days", min(settings.history_days, 366)),
    }
    return noise.model_copy(update={name: value for field, (name, value) in pairs.items() if field in settings.model_fields_set})


def advised(advice: AdviceConfig, settings: Settings) -> AdviceConfig:
    given = {
        "mode": settings.advice_mode or None,
        "profile": settings.advice_profile or None,
        "local_only": settings.local_only or None,
        "budget_per_day_usd": settings.advice_budget,
        "analyses_per_hour": settings.analyses_per_hour,
        "min_confidence": settings.min_confidence,
    }
    return advice.model_copy(update={name: value for name, value in given.items() if value is not None})
