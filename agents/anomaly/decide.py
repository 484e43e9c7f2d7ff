"""From evidence to one score and one alarm an event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.anomaly.arrays import Arrays, Fast
from agents.anomaly.config import Config
from agents.anomaly.seasonal import Seasonal
from agents.anomaly.tick import Tick

FAST = {"carried": 1, "record": 1, "hold": 1, "quiet": 1, "z_record": 1}
ZERO, ONE = np.float32(0), np.float32(1)


def z_evidence(state: Arrays, now: Tick, usual: Seasonal, config: Config) -> Fast:
    """0 to 1: how far |z| goes beyond its own record of the last week.

    A series with heavy tails thus needs a higher z than a smooth one; the record grows to twice itself at most by one sample.
    """
    record = state.rows("z_record")
    size = np.abs(usual.z)
    base = np.maximum(record, np.float32(config.z_from))
    share: Fast = np.maximum(size / base - ONE, ZERO)
    record -= record * (now.gap * np.float32(1 / config.z_memory))
    most = np.where(now.warm, base + base, np.float32(config.z_first))
    np.maximum(record, np.minimum(size, most), out=record)
    share /= share + np.float32(config.z_knee)
    return share


def decide(state: Arrays, now: Tick, evidence: Fast, config: Config) -> tuple[Fast, NDArray[np.bool_]]:
    """Scores (NaN while warming up) and alarms.

    Evidence is carried from sample to sample; it passes where it beats the record of the last `refractory` samples. An alarm is raised
    where the score passes the threshold and none did within that time: an event that goes on is still the same one.
    """
    carried, record = state.rows("carried"), state.rows("record")
    hold, quiet = state.rows("hold"), state.rows("quiet")
    carried *= np.float32(config.carry)
    carried += np.where(now.warm, evidence * (now.count / (now.count + np.float32(config.settle))), ZERO)
    hold -= ONE
    record *= hold > 0
    passes = carried > record
    np.maximum(record, carried, out=record)
    np.copyto(hold, np.float32(config.refractory), where=passes)
    out = carried * passes
    score = out / (out + np.float32(config.scale))
    above = now.warm & (score >= np.float32(config.threshold))
    alarm = above & (quiet <= 0)
    np.maximum(quiet - ONE, ZERO, out=quiet)
    np.copyto(quiet, np.float32(config.refractory), where=above)
    return np.where(now.warm, score, np.float32(np.nan)), alarm
