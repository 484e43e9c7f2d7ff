"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

from pipeline.config import load_file
from pipeline.reference_tables import README, written

ROOT = README.parent


def test_the_tables_are_those_of_the_catalogues() -> None:
    text = README.read_text()
    assert written(text) == text, "run python -m pipeline.reference_tables"


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text())
    assert targets
    assert [target for target in targets if not target.startswith("http") and not Path(ROOT, target).exists()] == []


def test_the_configuration_it_shows_is_valid(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.S)
    shown = tmp_path / "flux.yaml"
    shown.write_text(dedent("   " + block.lstrip(" ")) if block.startswith("   ") else block)
    config = load_file(shown, {"PAGERDUTY_ROUTING_KEY": "k" * 32, "SLACK_WEBHOOK_URL": "https://hooks.example/services/T/B/x"})
    assert [receiver.name for receiver in config.notify.receivers] == ["on-call", "team-chat"]


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:`|\$ )make ([a-z]+)", README.read_text()))
    assert {"run", "test"} <= named
    assert [name for name in sorted(named) if not re.search(rf"^{name}:", makefile, re.M)] == []
