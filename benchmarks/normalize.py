"""What normalizing an alert event costs, and how often it is right where the truth of a folder of payloads is told. Needs no Kafka."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from agents.normalize import NormalizeRules, normalize
from agents.normalize.lines import documents, lines
from benchmarks.payloads import Traffic, stream
from benchmarks.report import Result, Wrong, arguments, conduct, parse, say
from benchmarks.rig import ROOT

SHARED = ROOT.parent / "shared"
FOLDERS = (SHARED / "data" / "payloads", ROOT / "schemas" / "examples" / "payloads")
RULES = NormalizeRules()


def main() -> None:
    parser = arguments(__doc__ or "", seconds=5, rate=None, quick_seconds=0.5)
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=next((folder for folder in FOLDERS if folder.is_dir()), FOLDERS[-1]),
        help="payloads, *.json; truth.jsonl beside them",
    )
    parser.add_argument(
        "--scorer", type=Path, default=SHARED / "tools" / "score_normalize.py", help="command that scores against truth.jsonl"
    )
    conduct("normalize", parse(parser), measure, ())


def measure(options: argparse.Namespace) -> Result:
    files = sorted(path for path in options.folder.glob("*.json") if path.name != "index.json")
    if not files:
        raise Wrong(f"there are no *.json files in {options.folder}: name the folder of payloads")
    payloads = [document for file in files for document in documents(file.read_bytes())]
    result = cost(payloads, options.seconds, None) | {"files": len(files), "folder": options.folder.name}
    result["us_per_alertmanager_event"] = cost(list(islice(stream(Traffic()), 200)), options.seconds, "alertmanager")["us_per_event"]
    say(f"  {result['events']} alert events of {len(files)} files: {result['us_per_event']} us an event")
    say(f"  alerts of the other benchmarks: {result['us_per_alertmanager_event']} us an event")
    truth = options.folder / "truth.jsonl"
    if truth.is_file() and options.scorer.is_file():
        found = score(files, truth, options.scorer)
        say(f"  right in every judged field: {found['exact']['right']} of {found['exact']['judged']}; missing {found['missing']}")
        result["score"] = found
    return result


def cost(payloads: list[bytes], seconds: float, hint: str | None) -> Result:
    """Time on one core, from the bytes to the messages; writing them as JSON is in it, as intake does that too."""
    received = time.time_ns() // 1_000_000
    events = rounds = 0
    ends = time.monotonic() + seconds
    used = time.process_time()
    while time.monotonic() < ends or not rounds:
        for offset, payload in enumerate(payloads):
            found = normalize(payload, source_hint=hint, topic="raw", partition=0, offset=offset, received_ms=received, rules=RULES)
            for alert in found.alerts:
                alert.to_json()
            events += len(found.alerts)
        rounds += 1
    used = time.process_time() - used
    if not events:
        raise Wrong("no payload became an alert")
    return {"us_per_event": round(used / events * 1e6, 1), "events": events // rounds, "bytes": sum(map(len, payloads))}


def score(files: list[Path], truth: Path, scorer: Path) -> Result:
    """The scorer's verdict on what `fluxai normalize --json` would print for these files."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "out.jsonl")
        with out.open("w") as stream:
            for file in files:
                for line in lines(file.name, file.read_bytes(), RULES, received_ms=time.time_ns() // 1_000_000):
                    stream.write(json.dumps(line, default=str) + "\n")
        answer = subprocess.run([sys.executable, str(scorer), str(truth), str(out)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise Wrong(f"the scorer refused: {answer.stderr.strip()[-500:]}")
    verdict: Result = json.loads(answer.stdout)
    return {name: verdict[name] for name in ("exact", "kind", "missing", "extra", "false_alerts", "joins")}


if __name__ == "__main__":
    main()
