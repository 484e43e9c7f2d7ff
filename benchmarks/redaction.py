"""What the redactor lets out, and what it takes out that it need not: planted secrets of every kind, and clean lines.

    python -m benchmarks.redaction [--rounds N] [--clean FILE_OR_FOLDER] [--show]

Prints one JSON object; exit status 1 where anything leaked or more than 2 % of the clean lines were changed. A secret counts as leaked
when six characters of it in a row are in what comes out. `--clean` reads lines of real texts too; of those only finds of secrets count as
false, as addresses and names of hosts in them are real. `blind` are texts of kinds that nothing was made for; what leaks of them
is told and fails nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agents.advice.config import RedactConfig
from agents.advice.redact import Redactor
from agents.advice.spans import SECRETS
from benchmarks.alert_texts import CONTEXTS, clean_lines
from benchmarks.blind_texts import BLIND
from benchmarks.planted import KEYS, Planted
from benchmarks.planted_places import makers

CUT_SHORT = (*KEYS.keys() - {"unlisted_key", "unlisted_key_b64", "discord_bot"}, "jwt")
"""Kinds that are also planted in a text that was cut to a length in the middle of the secret. The others have no beginning of their own:
what is left of them may be any word, and is not found when it is short."""
WINDOW = 6
LINES = 2000
MOST_FALSE = 0.02
LONGEST_LINE = 4000


def leaks(planted: Planted, sent: str) -> bool:
    """Whether six characters in a row of a secret part are in `sent`."""
    for part in planted.parts:
        size = min(WINDOW, len(part))
        if any(part[at : at + size] in sent for at in range(len(part) - size + 1)):
            return True
    return False


def cases(rounds: int, seed: int) -> Iterator[tuple[str, Planted, str]]:
    """(context, what was planted, text): each kind in `rounds` contexts, by chance but the same each time."""
    rng = random.Random(seed)
    contexts = list(CONTEXTS)
    for make in makers().values():
        for context in rng.sample(contexts, min(rounds, len(contexts))):
            planted = make(rng)
            yield context, planted, CONTEXTS[context](planted.text, rng)
    for name, make in makers().items():
        if name in CUT_SHORT or name.startswith("named_"):
            planted = make(rng)
            part = rng.choice(planted.parts)
            ends = planted.text.index(part) + rng.randint(1, len(part))
            yield "cut", planted, f"Last output was: {planted.text[:ends]}…"


def plant(redactor: Redactor, rounds: int, seed: int, show: bool) -> dict[str, Any]:
    by_kind: dict[str, list[int]] = {}
    leaked = characters = 0
    spent = 0.0
    for context, planted, text in cases(rounds, seed):
        began = time.perf_counter()
        sent = redactor.redact(text, "incident").text
        spent += time.perf_counter() - began
        characters += len(text)
        counts = by_kind.setdefault(planted.kind, [0, 0])
        counts[0] += 1
        if leaks(planted, sent):
            counts[1] += 1
            leaked += 1
            if show:
                print(f"LEAK {planted.kind} in {context}\n  {text!r}\n  {sent!r}", file=sys.stderr)
    return {
        "cases": sum(count for count, _ in by_kind.values()),
        "leaked": leaked,
        "us_per_kib_with_secrets": round(spent * 1e6 / (characters / 1024), 1),
        "by_kind": {kind: {"cases": count, "leaked": out} for kind, (count, out) in sorted(by_kind.items())},
    }


def blind(redactor: Redactor, show: bool) -> dict[str, Any]:
    """Kinds that nobody tuned for. Not gated: what leaks here is what the documentation says is not found."""
    out = [text for text, secret in BLIND if leaks(Planted("blind", text, (secret,)), redactor.redact(text, "incident").text)]
    for text in out if show else ():
        print(f"BLIND {text}", file=sys.stderr)
    return {"blind": len(BLIND), "blind_leaked": len(out)}


def clean(redactor: Redactor, seed: int, show: bool) -> dict[str, Any]:
    lines = clean_lines(random.Random(seed), LINES)
    changed: Counter[str] = Counter()
    began = time.perf_counter()
    results = [redactor.redact(text, "incident") for _, text in lines]
    spent = time.perf_counter() - began
    for (name, text), result in zip(lines, results, strict=True):
        if result.counts:
            changed[name] += 1
            if show:
                print(f"FALSE {name} {result.counts}\n  {text}\n  {result.text}", file=sys.stderr)
    size = sum(len(text) for _, text in lines)
    return {
        "clean_lines": len(lines),
        "false_redaction_share": round(sum(changed.values()) / len(lines), 5),
        "false_by_form": dict(changed),
        "us_per_kib_clean": round(spent * 1e6 / (size / 1024), 1),
    }


def real(redactor: Redactor, place: Path, show: bool) -> dict[str, Any]:
    """Lines of text files, and of every string in JSON ones."""
    files = sorted(path for path in place.rglob("*") if path.suffix in (".txt", ".log", ".json", ".jsonl")) if place.is_dir() else [place]
    lines = sorted({line for file in files for line in lines_of(file)})
    false: Counter[str] = Counter()
    touched = 0
    for line in lines:
        result = redactor.redact(line, "incident")
        kinds = [kind for kind in result.counts if kind in SECRETS]
        touched += bool(result.counts)
        false.update(kinds[:1])
        if kinds and show:
            print(f"REAL {result.counts}\n  {line}\n  {result.text}", file=sys.stderr)
    share = round(sum(false.values()) / max(1, len(lines)), 5)
    return {"real_lines": len(lines), "real_secret_share": share, "real_by_kind": dict(false), "real_changed": touched}


def lines_of(file: Path) -> Iterator[str]:
    for line in file.read_text("utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            value = line
        for text in texts_of(value):
            yield from (piece.strip()[:LONGEST_LINE] for piece in text.splitlines() if piece.strip())


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


def measure(rounds: int, *, seed: int = 4, clean_place: Path | None = None, show: bool = False) -> dict[str, Any]:
    redactor = Redactor(RedactConfig(), b"key of a benchmark, not a secret")
    result = {"benchmark": "redaction", **plant(redactor, rounds, seed, show), **blind(redactor, show), **clean(redactor, seed, show)}
    if clean_place is not None:
        result |= real(redactor, clean_place, show)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Planted secrets that leak, and clean lines that are changed")
    parser.add_argument("--rounds", type=int, default=len(CONTEXTS), help="contexts of each kind of secret")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--clean", type=Path, default=None, help="file or folder of real texts")
    parser.add_argument("--show", action="store_true", help="print each leak and each false find to stderr")
    options = parser.parse_args()
    result = measure(options.rounds, seed=options.seed, clean_place=options.clean, show=options.show)
    print(json.dumps(result))
    missed = result["leaked"] or result["cases"] < 200 or result["clean_lines"] < 1000 or result["false_redaction_share"] >= MOST_FALSE
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
