"""Range novelty: nine derived streams, each with the range that it has kept so far; evidence is how far a stream leaves its range.

A range relaxes towards the running mean of its stream (`memory`), and one sample may widen it by a share of it at most (`widen`).
"""

from __future__ import annotations

import numpy as np

from agents.anomaly.arrays import Arrays, Fast
from agents.anomaly.config import Config
from agents.anomaly.seasonal import Seasonal
from agents.anomaly.tick import Tick

STREAMS = (
    "value",
    "deviation",  # root of the variance over `short`
    "trend",  # mean over `short` less mean over `long`
    "day",  # residual to the day profile
    "week",  # smoothed residual to the week profile
    "roughness",  # mean step against the spread, over `middle`
    "surprise_short",  # how surprising the last hours were
    "surprise_long",
    "ratio",  # the value against its usual size: sees a fall to almost nothing
)
N = len(STREAMS)
FAST = {
    "top": N,
    "bottom": N,
    "centre": N,
    "mean_short": 1,
    "square_short": 1,
    "mean_long": 1,
    "week_smooth": 1,
    "mean_step": 1,
    "scale": 1,
    "rate_short": 1,
    "rate_long": 1,
    "before": 1,
}
SELDOM = np.float32(16)
TINY = np.float32(1e-12)
ONE = np.float32(1)


def novelty(state: Arrays, now: Tick, usual: Seasonal, config: Config) -> Fast:
    """Evidence of the nine streams together, 0 to 9, after which all is learned."""
    streams = derive(state, now, usual, config)
    top, bottom, centre = state.rows("top"), state.rows("bottom"), state.rows("centre")
    new = now.count == 0
    if new.any():
        for rows in (top, bottom, centre):
            np.copyto(rows, streams, where=new)
    relax(top, bottom, centre, streams, now, config)
    over = streams - top
    excess = np.maximum(over, bottom - streams)
    stream, place = np.nonzero(excess > 0)  # few: to leave a range is rare
    if not len(place):
        return np.zeros(len(now.v), np.float32)
    much, upwards = excess[stream, place], over[stream, place] > 0
    high, low = top[stream, place], bottom[stream, place]
    width = high - low
    evidence = much / (much + np.float32(config.knee) * width + TINY)
    yields = np.where(now.warm, np.float32(config.yield_share), ONE)[place]
    widen = np.minimum(much, np.maximum(width * np.float32(config.widen), much * yields))
    top[stream, place] = np.where(upwards, high + widen, high)
    bottom[stream, place] = np.where(upwards, low, low - widen)
    return np.bincount(place, evidence, len(now.v)).astype(np.float32)


def relax(top: Fast, bottom: Fast, centre: Fast, streams: Fast, now: Tick, config: Config) -> None:
    """Each series at its every 16th sample, for 16 of them.

    The centre may be outside of a range that is slow to follow: a range never relaxes outwards.
    """
    due = np.flatnonzero(np.mod(now.count, SELDOM) == 0)
    if not len(due):
        return
    gap, count = now.gap[due] * SELDOM, now.count[due]
    high, low, middle = top[:, due], bottom[:, due], centre[:, due]
    pull = np.minimum(gap * np.float32(1 / config.memory), ONE)
    weight = np.maximum(pull, SELDOM / (count + SELDOM))
    middle += weight * (streams[:, due] - middle)
    top[:, due] = high + pull * np.minimum(middle - high, np.float32(0))
    bottom[:, due] = low + pull * np.maximum(middle - low, np.float32(0))
    centre[:, due] = middle


def derive(state: Arrays, now: Tick, usual: Seasonal, config: Config) -> Fast:
    v = now.v
    new = now.count == 0
    mean_short, mean_long, before = state.rows("mean_short"), state.rows("mean_long"), state.rows("before")
    if new.any():
        for row in (mean_short, mean_long, before):
            np.copyto(row, v, where=new)
    out = np.empty((N, len(v)), np.float32)
    short, long, middle = now.rate(config.short), now.rate(config.long), now.rate(config.middle)
    scale, step = state.rows("scale"), state.rows("mean_step")
    apart = v - mean_short
    surprise = np.abs(apart) / (scale + TINY)
    surprise = surprise / (surprise + ONE)
    square = state.rows("square_short")
    mean_short += short * apart
    square += short * (apart * apart * (ONE - short) - square)
    mean_long += long * (v - mean_long)
    scale += long * (np.abs(apart) - scale)
    step += middle * (np.abs(v - before) - step)
    before[:] = v
    smooth = state.rows("week_smooth")
    smooth += short * (usual.week_residual - smooth)
    out[0] = v
    np.sqrt(square, out=out[1])
    out[2] = mean_short - mean_long
    out[3] = usual.day_residual
    out[4] = smooth
    out[5] = (step - out[1]) / (step + out[1] + TINY)
    for place, name, seconds in ((6, "rate_short", config.rate_short), (7, "rate_long", config.rate_long)):
        row = state.rows(name)
        row += now.rate(seconds) * (surprise - row)
        out[place] = row
    out[8] = v / (np.abs(v) + state.rows("size") + TINY)
    return out
