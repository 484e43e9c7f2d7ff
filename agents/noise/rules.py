"""Thresholds of noise and incidents: one place, each with the reason for its default; and when a person's rule ends."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.base import to_ms
from schemas.rule import Rule

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class NoiseRules(BaseModel):
    """Times in seconds unless the name says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suppression_enabled: bool = Field(default=True, description="false: what would be suppressed is written down and told all the same.")
    transient_hold_s: float = Field(default=30, ge=0, le=600, description="Most transients clear within two scrapes of 15 s.")
    flap_threshold: int = Field(default=3, ge=1, le=100, description="More cycles of fire and clear than this in the window are flapping.")
    flap_window_s: float = Field(default=3600, ge=60, le=86400)
    flap_quiet_s: float = Field(default=900, ge=1, le=86400, description="No change for this long ends a flap.")
    late_window_s: float = Field(
        default=60, ge=0, le=3600, description="A fire this soon after the resolve of the same episode is late, not new."
    )
    episodic_sources: tuple[str, ...] = Field(
        default=("alertmanager", "prometheus", "grafana", "flux", "cloudwatch", "gcpmonitoring"),
        description="Sources whose started_at is the start of an episode, not of a long-lived issue.",
    )
    non_production: tuple[str, ...] = (
        "staging",
        "stage",
        "dev",
        "development",
        "test",
        "testing",
        "qa",
        "sandbox",
        "preprod",
        "uat",
        "local",
    )
    join_same_service_s: float = Field(default=3600, ge=0, description="An open incident takes alerts of its own services for this long.")
    join_decay_s: float = Field(default=120, gt=0, description="Relatedness falls by e in this time; measured on ITBench incidents.")
    join_hop_decay: float = Field(default=0.5, ge=0, description="Relatedness falls by e to this at each hop from the common cause.")
    join_threshold: float = Field(default=0.1, ge=0, le=1)
    join_hops: int = Field(default=4, ge=0, le=10)
    reopen_window_s: float = Field(default=600, ge=0, description="The same alert back within this time reopens its incident.")
    release_check_s: float = Field(default=30, ge=1, description="How often a suppressed alert that still fires is looked at again.")
    publish_gap_s: float = Field(default=1, ge=0, description="Small changes of an incident are published together this often.")
    count_gap_s: float = Field(default=30, ge=0, description="Repeats are counted on the published incident this often.")
    update_gap_s: float = Field(default=60, ge=0, description="At most one update message an incident in this time.")
    parent_page_grace_s: float = Field(
        default=15, ge=0, description="A P1 child pages by itself when its parent's page is not delivered by then."
    )
    respond_p1_s: float = Field(default=300, ge=0, description="Nobody has acknowledged by then: escalate. 0 never.")
    respond_p2_s: float = Field(default=900, ge=0)
    respond_p3_s: float = Field(default=7200, ge=0)
    notice_quiet_s: float = Field(default=900, ge=1, description="No unreadable input for this long resolves the notice.")
    history_days: int = Field(default=90, ge=1, le=366, description="How long an alert that ended is remembered.")


def expired(rule: Rule, now: int) -> bool:
    return rule.ends_at is not None and to_ms(rule.ends_at) <= now
