"""One plain sentence for an anomaly, as a person would say it."""

from __future__ import annotations

from datetime import UTC, datetime

from agents.anomaly.levels import Deviation, deviation

WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def sentence(what: str, t: float, value: float, baseline: float, spread: float) -> str:
    """`what` names the series ("p99 latency of checkout"); it is the caller's text and is used as it is."""
    when = datetime.fromtimestamp(t, UTC)
    usual = f"its usual level for {WEEK[when.weekday()]} {when.hour:02d}:00"
    return f"{what} is {number(value)}: {compared(value, baseline, deviation(value, baseline, spread))} {usual} ({number(baseline)})"


def compared(value: float, baseline: float, apart: Deviation) -> str:
    side = "above" if apart.sigmas > 0 else "below"
    if abs(apart.sigmas) < 1:
        return "its course is unusual, though it is near"
    if apart.percent is None or value * baseline <= 0:
        return f"{abs(apart.sigmas):.1f} times its usual spread {side}"
    times = value / baseline
    if times >= 2:
        return f"{times:.1f}x"
    if times <= 0.5:
        return f"only {100 * times:.0f} % of"
    return f"{abs(apart.percent):.0f} % {side}"


def number(x: float) -> str:
    """Three digits; no exponent between a thousandth and a million."""
    size = abs(x)
    if size == 0 or 1e-3 <= size < 1e6:
        digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 4
        text = f"{x:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{x:.3g}"
