"""The detectors on labelled series, strictly online: every sample is scored before it or anything later is known. Needs no Kafka.

    python -m benchmarks.anomaly --data DIR --labels FILE --out SCORES_DIR [--scorer nab_score.py]

DIR holds the files that the keys of FILE name (CSV: timestamp, value). SCORES_DIR gets one CSV a file (timestamp, value, anomaly_score);
a sample that is warming up or no sample at all is written as 0, since the format knows no other word. With `--scorer` (a file with
`corpus_score` and `prepare`) NAB's three profiles are printed, for all files and for those apart that a digest of the name held out of
tuning. Then: simulated web series at the same threshold (`benchmarks/anomaly_sim.py`), and what a step costs.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.anomaly.arrays import Exact, Fast
from agents.anomaly.bank import ArrayBank, Kind
from agents.anomaly.config import FROZEN
from benchmarks.anomaly_sim import judge, simulate, together
from benchmarks.report import Aim, Result, Wrong, arguments, conduct, parse, say

AIMS = (Aim("nab_standard", 70, at_least=True), Aim("us_per_sample_10000", 0.1))
SEEDS_REPORTED = (101, 102)
"""Other seeds than those that constants were chosen on."""


@dataclass(frozen=True)
class File:
    name: str
    stamps: list[str]
    t: Exact
    x: Exact


@dataclass(frozen=True)
class Scored:
    score: Fast  # 0 where there is none
    alarm: NDArray[np.bool_]


def main() -> None:
    parser = arguments(__doc__ or "", seconds=3, rate=None, quick_seconds=0.2)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, help="a scorer to import, such as nab_score.py; without it no NAB figures")
    parser.add_argument("--detector", choices=[kind.value for kind in Kind], default=Kind.COMBINED.value)
    conduct("anomaly", parse(parser), measure, AIMS)


def measure(options: argparse.Namespace) -> Result:
    labels: dict[str, list[list[str]]] = json.loads(options.labels.read_text())
    files = [read(options.data, name) for name in sorted(labels)]
    kind = Kind(options.detector)
    begun = time.process_time()
    scored = online([(file.t, file.x) for file in files], kind)
    result: Result = {"us_per_sample_files": 1e6 * (time.process_time() - begun) / max(sum(len(file.t) for file in files), 1)}
    for file, found in zip(files, scored, strict=True):
        write(options.out, file, found.score)
    result["alarms_per_file"] = {file.name: int(found.alarm.sum()) for file, found in zip(files, scored, strict=True)}
    alarms = list(result["alarms_per_file"].values())
    told = f"a file: median {np.median(alarms):g}, most {max(alarms)}"
    say(f"  {sum(alarms)} alarms in {len(files)} files at a score of {FROZEN.threshold}; {told}")
    for name, count in result["alarms_per_file"].items():
        say(f"    {count:4}  {name}")
    if options.scorer is not None:
        result |= profiles(load(options.scorer), labels, files, scored)
    result |= simulated(kind, quick=options.quick) | cost(kind, options.seconds)
    return result


def read(folder: Path, name: str) -> File:
    path = next((base / name for base in (folder, folder / "data") if (base / name).is_file()), None)
    if path is None:
        raise Wrong(f"{name} is not in {folder}")
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    stamps = [row["timestamp"] for row in rows]
    return File(name, stamps, np.array([seconds(stamp) for stamp in stamps]), np.array([float(row["value"]) for row in rows]))


def moment(stamp: str) -> datetime:
    found = datetime.fromisoformat(stamp.strip())
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def seconds(stamp: str) -> float:
    return moment(stamp).timestamp()


def online(series: Sequence[tuple[Exact, Exact]], kind: Kind = Kind.COMBINED) -> list[Scored]:
    """All series in one bank, a sample of each a step; a series that has ended takes no part in later steps."""
    order = sorted(range(len(series)), key=lambda place: -len(series[place][0]))
    sizes = [len(series[place][0]) for place in order]
    longest = sizes[0] if sizes else 0
    t, x = (np.full((longest, len(order)), np.nan) for _ in range(2))
    for column, place in enumerate(order):
        t[: sizes[column], column], x[: sizes[column], column] = series[place]
    score, alarm = np.zeros(t.shape, np.float32), np.zeros(t.shape, np.bool_)
    bank, running = ArrayBank(len(order), kind), len(order)
    for row in range(longest):
        while sizes[running - 1] <= row:
            running -= 1
            bank = ArrayBank(running, kind, arrays=bank.arrays.columns(0, running))
        found = bank.step(t[row, :running], x[row, :running])
        score[row, :running], alarm[row, :running] = np.nan_to_num(found.value), found.alarm
    made: list[Scored | None] = [None] * len(order)
    for column, place in enumerate(order):
        made[place] = Scored(score[: sizes[column], column], alarm[: sizes[column], column])
    return [one for one in made if one is not None]


def write(folder: Path, file: File, score: Fast) -> None:
    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as lines:
        out = csv.writer(lines)
        out.writerow(("timestamp", "value", "anomaly_score"))
        out.writerows(zip(file.stamps, file.x.tolist(), (f"{value:.9g}" for value in score.tolist()), strict=True))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("scorer", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise Wrong(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def held_out(name: str) -> bool:
    """A third of the files, by a digest of the name: constants were chosen on the others only."""
    return blake2b(name.encode()).digest()[0] % 3 == 0


def profiles(scorer: Any, labels: dict[str, list[list[str]]], files: Sequence[File], scored: Sequence[Scored]) -> Result:
    prepared = {}
    for file, found in zip(files, scored, strict=True):
        stamps = [moment(stamp) for stamp in file.stamps]
        windows = scorer.window_indices(stamps, [(moment(a), moment(b)) for a, b in labels[file.name]])
        prepared[file.name] = (found.score.astype(float), *scorer.prepare(len(found.score), windows))
    result: Result = {}
    for word, chosen in (
        ("all", list(prepared)),
        ("tuned", [name for name in prepared if not held_out(name)]),
        ("held_out", [name for name in prepared if held_out(name)]),
    ):
        if not chosen:
            continue
        part = [prepared[name] for name in chosen]
        best = {profile: scorer.corpus_score(part, profile) for profile in scorer.PROFILES}
        fixed = {profile: scorer.corpus_score(part, profile, FROZEN.threshold)[0] for profile in scorer.PROFILES}
        result[f"nab_{word}"] = {profile: round(float(found[0]), 2) for profile, found in best.items()}
        result[f"nab_{word}_at_threshold"] = {profile: round(float(found), 2) for profile, found in fixed.items()}
        shown = " / ".join(f"{found[0]:.1f}" for found in best.values())
        at = " / ".join(f"{found:.1f}" for found in fixed.values())
        say(f"  NAB {word} ({len(chosen)} files), standard / low FP / low FN: {shown}; at the fixed threshold {at}")
    result["nab_standard"] = result.get("nab_all", {}).get("standard")
    return result


def simulated(kind: Kind, *, quick: bool) -> Result:
    """Alarms as a user gets them, at the one threshold, on series that are made up."""
    series = [one for seed in SEEDS_REPORTED[: 1 if quick else None] for one in simulate(seed, each=1 if quick else 4)]
    scored = online([(one.t, one.x) for one in series], kind)
    result: Result = {}
    for word in ("minute", "hourly"):
        found = together(
            [judge(one, how.alarm) for one, how in zip(series, scored, strict=True) if one.name.startswith(word)],
        )
        result[f"simulated_{word}"] = {"f1": round(found.f1, 3), "events": found.events, "found": found.found, "false": found.false}
        told = f"{found.found} of {found.events} events, {found.false} false in {found.days:.0f} series days"
        say(f"  simulated {word}: F1 {found.f1:.2f}, {told}")
    return result


def cost(kind: Kind, how_long: float) -> Result:
    """CPU of the array step for 10,000 series in lockstep, and of one series alone."""
    result: Result = {}
    rng = np.random.default_rng(7)
    for size in (10_000, 1):
        bank = ArrayBank(size, kind)
        values = rng.normal(100, 5, (64, size))
        start, steps = 1_760_313_600.0, 0
        for steps in range(300 if size == 1 else 20):
            bank.step(np.full(size, start + 60 * steps), values[steps % 64])
        first, begun = steps, time.process_time()
        while time.process_time() - begun < how_long / 2:
            steps += 1
            bank.step(np.full(size, start + 60 * steps), values[steps % 64])
        result[f"us_per_sample_{size}"] = round(1e6 * (time.process_time() - begun) / (steps - first) / size, 4)
        result["bytes_per_series"] = bank.arrays.bytes_per_series
    say(f"  a step: {result['us_per_sample_10000']} µs a sample at 10,000 series, {result['us_per_sample_1']} at one")
    return result


if __name__ == "__main__":
    main()
