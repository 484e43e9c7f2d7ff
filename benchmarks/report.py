"""Options, repeated runs, the lines for people and the JSON line for scripts."""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import machine

Result = dict[str, Any]


class Wrong(Exception):
    """The run measured nothing that could be believed: something was lost, doubled, or did not start."""


@dataclass(frozen=True)
class Aim:
    """`key` should be at most (or at least) `bound`. One that is `gated` holds whatever the machine: a run that misses it went wrong."""

    key: str
    bound: float
    at_least: bool = False
    gated: bool = False

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


def say(text: str) -> None:
    print(text, flush=True)


def arguments(about: str, *, seconds: float, rate: float | None, quick_seconds: float) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seconds", type=float, default=None, help=f"how long to measure; default {seconds:g}")
    if rate is not None:
        parser.add_argument("--rate", type=float, default=rate, help=f"alerts a second; default {rate:g}")
    parser.add_argument("--runs", type=int, default=1, help="measure so often and print the medians")
    parser.add_argument("--quick", action="store_true", help="a short run that only shows that it works; its figures mean little")
    parser.add_argument("--broker", default="", help="HOST:PORT of a Kafka to use instead of starting one")
    parser.add_argument("--log", action="store_true", help="show the end of each worker's log")
    parser.set_defaults(full_seconds=seconds, quick_seconds=quick_seconds)
    return parser


def parse(parser: argparse.ArgumentParser, given: Sequence[str] | None = None) -> argparse.Namespace:
    options = parser.parse_args(given)
    if options.seconds is None:
        options.seconds = options.quick_seconds if options.quick else options.full_seconds
    return options


def conduct(name: str, options: argparse.Namespace, measure: Callable[[argparse.Namespace], Result], aims: Sequence[Aim]) -> None:
    """Run `measure` so often as asked, print figures, aims and the JSON line, and end the process: 0, or 1 when a run went wrong or
    missed a gated aim."""
    # A kill leaves as tidily as Ctrl-C, and so does Ctrl-C where a shell started us in the background and had it ignored.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    facts = machine.facts()
    results = []
    try:
        for number in range(options.runs):
            if options.runs > 1:
                say(f"run {number + 1} of {options.runs}")
            results.append(measure(options))
    except Wrong as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    medians = median_of(results)
    missed = False
    for aim in aims:
        value = medians.get(aim.key)
        if value is not None:
            # Of a gated aim each run counts: the median would hide the one that went wrong.
            missed |= aim.gated and not all(aim.met(result[aim.key]) for result in results)
            sign = ">=" if aim.at_least else "<="
            word = "met" if aim.met(value) else "MISSED"
            say(f"  {aim.key}: {value:,.6g} (aim {sign} {aim.bound:,.6g}: {word})")
    line: dict[str, Any] = {"benchmark": name, **medians, "seconds_measured": options.seconds, "quick": options.quick, "runs": len(results)}
    if len(results) > 1:
        line["each"] = [{aim.key: result.get(aim.key) for aim in aims} for result in results]
    print(json.dumps(line | {"machine": facts}), flush=True)
    sys.exit(1 if missed else 0)


def median_of(results: Sequence[Mapping[str, Any]]) -> Result:
    """The median of each number; of what is no number, the last run's."""
    medians: Result = {}
    for key, last in results[-1].items():
        values = [result[key] for result in results if isinstance(result.get(key), int | float)]
        medians[key] = round(statistics.median(values), 4) if values and not isinstance(last, bool) else last
    return medians


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted `values` lie."""
    return values[min(len(values) - 1, int(share * len(values)))]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, 99th percentile and maximum; raises Wrong when there is nothing to tell of."""
    if not values:
        raise Wrong("nothing was measured")
    ordered = sorted(values)
    return round(percentile(ordered, 0.5), 1), round(percentile(ordered, 0.99), 1), round(ordered[-1], 1)
