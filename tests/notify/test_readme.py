"""The configuration in the README is one that starts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from agents.notify.routes import whom
from pipeline.config import load_file
from schemas.base import Severity, to_ms

README = Path(__file__).parents[2] / "agents" / "notify" / "README.md"


def test_the_example_in_the_readme_is_valid_and_routes_as_it_says(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    path = tmp_path / "flux.yaml"
    path.write_text(found[1])
    config = load_file(path, {}).notify
    night, noon = (to_ms(datetime(2026, 3, 2, hour, tzinfo=UTC)) for hour in (23, 12))

    def told(now: int) -> tuple[str, ...]:
        return whom(config, severity=Severity.P1, service="checkout", environment="production", owner="payments", labels={}, now=now)

    assert told(night) == ("pager", "chat") and told(noon) == ("chat",)
    assert config.backup_for("chat") == "console" and config.backup_for("hook") == "pager"
