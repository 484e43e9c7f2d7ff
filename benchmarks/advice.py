"""Language models under load: does the adviser use all that a server's slots allow, do P1s come first, and does every incident have its
verdict in time when the server is dead, hangs, is busy, dribbles or talks nonsense? The server is a fake of Ollama (made-up speed, real
sockets, a process of its own). `--pipeline` adds the whole pipeline on a real Kafka."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import advice_alone as alone
from benchmarks.report import Aim, Result, arguments, conduct, parse, say

STEP_MS = "1:6.7,4:8.4,8:10.7,16:13.2,32:18.3"
AIMS = (
    Aim("verdicts_in_time", 1.0, at_least=True, gated=True),
    Aim("p1_model_share", 0.99, at_least=True, gated=True),
    Aim("makespan_to_optimum", 1.05),
    Aim("reloads", 0, gated=True),
    Aim("wrong_answers_accepted", 0, gated=True),
)


def aims(slots: int) -> tuple[Aim, ...]:
    """Of a run against a server with so many slots: it is never asked more at once."""
    return (*AIMS, Aim("in_flight_max", slots, gated=True))


def main() -> None:
    parser = arguments(__doc__ or "", seconds=alone.VERDICT_S - alone.RECEIPT_S, rate=None, quick_seconds=3)
    parser.add_argument("--slots", type=int, default=8, choices=(1, 4, 8, 16, 32), help="of the server; default 8")
    parser.add_argument("--step-ms", default=STEP_MS, help=f"time of a token by how many slots generate; default {STEP_MS}")
    parser.add_argument("--tokens", type=int, default=60, help="of an answer; default 60")
    parser.add_argument("--rounds", type=int, default=15, help="answers that each slot gives in the storm without a deadline; default 15")
    parser.add_argument("--incidents", type=int, default=1000, help="that meet each fault; default 1000")
    parser.add_argument("--pipeline", action="store_true", help="also through the whole pipeline, with Kafka")
    parser.add_argument("--only-pipeline", action="store_true", help="nothing but that")
    options = parse(parser)
    conduct("advice", options, measure, aims(options.slots))


def measure(options: argparse.Namespace) -> Result:
    result: Result = {} if options.only_pipeline else by_itself(options)
    if options.pipeline or options.only_pipeline:
        from benchmarks.advice_pipeline import measure as through_the_pipeline

        result |= through_the_pipeline(options)
    return result


def by_itself(options: argparse.Namespace) -> Result:
    server = alone.Server(options.slots, options.step_ms, options.tokens)
    say("a storm without a deadline")
    spans = alone.makespan(server, options.slots * (3 if options.quick else options.rounds))
    result: dict[str, Any] = dict(spans)
    if not options.quick:
        say("the largest storm that the server's speed allows")
        largest = alone.priority(server, spans["answer_s"])
        result |= largest
        for key in ("in_flight_max", "reloads"):
            result[key] = max(spans[key], largest[key])
    say(f"{options.incidents} incidents before a server that was well and then fails")
    with ThreadPoolExecutor(len(alone.FAULTS) if options.quick else 1) as pool:  # together they disturb each other
        results = pool.map(lambda fault: alone.failing(server, fault, options.incidents, options.seconds), alone.FAULTS)
        faults = {fault.value: found for fault, found in zip(alone.FAULTS, results, strict=True)}
    result["verdicts_in_time"] = min(one["receipts_in_time"] for one in faults.values())
    result["wrong_answers_accepted"] = sum(one["accepted"] for one in faults.values())
    result["slots"] = options.slots
    result["faults"] = faults
    return result


if __name__ == "__main__":
    main()
