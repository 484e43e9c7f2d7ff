"""The README's tables, made from the catalogues: `python -m pipeline.reference_tables` writes them, `--check` only compares (exit 1)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pipeline.broker.topics import describe
from pipeline.settings import as_markdown

README = Path(__file__).resolve().parents[1] / "README.md"
DEFAULT_PREFIX = "flux."


def topics_table() -> str:
    rows = [f"| `{name}` | {about} | {key} | {partitions} | {kept} |" for name, about, key, partitions, kept in describe(DEFAULT_PREFIX)]
    return "\n".join(["| topic | what | key | partitions | kept |", "|---|---|---|---|---|", *rows])


def written(text: str) -> str:
    """`text` with what stands between the markers of each table replaced. Raises ValueError when a marker is missing."""
    for name, table in (("topics", topics_table()), ("settings", as_markdown().strip())):
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"the README has no place for the table of {name}: {begin} ... {end}")
        text = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, new=f"{begin}\n{table}\n{end}": new, text, flags=re.S)  # type: ignore[misc]
    return text


def main() -> int:
    text = README.read_text()
    new = written(text)
    if "--check" in sys.argv[1:]:
        return 0 if new == text else 1
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
