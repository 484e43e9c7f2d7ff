"""From evidence to one score and one alarm an event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.anomaly.arrays import Arrays, Fast
from agents.anomaly.config import Config
from agents.anomaly.tick import Tick

FAST = {"carried": 1, "record": 1, "hold": 1, "spent": 1, "quiet": 1}
ZERO, ONE = np.float32(0), np.float32(1)


def decide(state: Arrays, now: Tick, evidence: Fast, config: Config) -> tuple[Fast, NDArray[np.bool_]]:
    """Scores (NaN while warming up) and alarms.

    Evidence is carried from sample to sample; it passes where it beats the record of the last `refractory_samples`. An alarm is raised where
    the score passes the threshold and no alarm stood within that time.
    """
    carried, record, hold = state.rows("carried"), state.rows("record"), state.rows("hold")
    spent, quiet = state.rows("spent"), state.rows("quiet")
    counted = np.where(now.warm, evidence, ZERO)
    carried *= np.float32(config.carry)
    carried += counted
    hold -= ONE
    np.copyto(record, ZERO, where=hold <= 0)
    passes = carried > record
    np.copyto(record, carried, where=passes)
    np.copyto(hold, np.float32(config.refractory_samples), where=passes)
    out = np.where(passes, carried, ZERO) / (ONE + spent * np.float32(1 / config.budget))
    spent += counted - spent * (now.gap * np.float32(1 / config.budget_memory))
    score = out / (out + np.float32(config.scale))
    above = now.warm & (score >= config.threshold)
    alarm = above & (quiet <= 0)
    np.maximum(quiet - ONE, ZERO, out=quiet)
    np.copyto(quiet, np.float32(config.refractory_samples), where=above)
    return np.where(now.warm, score, np.float32(np.nan)), alarm
