"""The configuration file: a wrong one refuses to start, with file, line, fault and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import Config, load_config, load_file
from pipeline.settings import Settings
from pipeline.yaml_lines import FileError, FileProblem, parse

GOOD = """\
notify:
  receivers:
    - {name: console, type: console}
    - {name: hook, type: webhook, url: "${HOOK_URL}", secret: env:HOOK_KEY}
  routes:
    - {severities: [P1], receivers: [hook, console]}
noise:
  transient_hold_s: 10
mappings:
  mine: {name: check.title, severity: prio}
"""


def problems_of(tmp_path: Path, text: str) -> list[FileProblem]:
    file = tmp_path / "flux.yaml"
    file.write_text(text)
    with pytest.raises(FileError) as raised:
        load_file(file, {"HOOK_URL": "https://hooks.example/x"})
    assert all(problem.file == str(file) for problem in raised.value.problems)
    return raised.value.problems


def test_a_good_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "flux.yaml"
    file.write_text(GOOD)
    config = load_file(file, {"HOOK_URL": "https://hooks.example/x"})
    assert [receiver.name for receiver in config.notify.receivers] == ["console", "hook"]
    assert config.notify.receivers[1].model_dump()["url"] == "https://hooks.example/x"
    assert config.noise.transient_hold_s == 10
    assert config.normalize_rules().mappings["mine"].name == ["check.title"]


@pytest.mark.parametrize(
    ("name", "text", "line", "where", "says"),
    [
        ("unknown section", "nose: {}\n", 1, "nose", "Did you mean noise"),
        ("unknown key", "noise:\n  transient_hold: 3\n", 2, "noise.transient_hold", "Did you mean transient_hold_s"),
        ("out of range", "noise:\n  # a comment\n  flap_threshold: 300\n", 3, "noise.flap_threshold", "less than or equal to 100"),
        ("unknown key of a receiver", GOOD.replace("secret:", "secrt:"), 4, "notify.receivers[1].webhook.secrt", "Did you mean secret"),
        ("route to nobody", GOOD.replace("[hook, console]", "[hok, console]"), 6, "notify", "names the receiver hok"),
        ("unknown key of a mapping", GOOD.replace("severity: prio", "sevrity: prio"), 10, "mappings.mine.sevrity", "Did you mean severity"),
        (
            "route to no provider",
            "advice:\n  routes:\n    - {rule_id: r, providers: [scripted], reason: x}\n",
            3,
            "advice.routes",
            "no provider scripted: use ollama, openai, claude",
        ),
        ("a key twice", "noise: {}\nnoise: {}\n", 2, "", "duplicate key"),
        ("broken YAML", "noise:\n  - [1, 2\nother: 3\n", 3, "", "expected"),
        ("variable that is not set", "notify:\n  public_url: ${NOT_SET}\n", 2, "notify.public_url", "NOT_SET is not set"),
        ("a list for a map", "notify: []\n", 1, "notify", "dictionary"),
        ("a list for the whole", "- notify\n", 1, "", "Begin with one of advice, mappings, noise, normalize, notify"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value and "\n" not in value and len(value) < 40 else "",
)
def test_a_wrong_file_is_refused_with_line_and_fix(tmp_path: Path, name: str, text: str, line: int, where: str, says: str) -> None:
    (problem,) = problems_of(tmp_path, text)
    assert (problem.line, problem.where) == (line, where)
    assert says in str(problem)


def test_all_faults_are_told_in_the_order_of_their_lines(tmp_path: Path) -> None:
    found = problems_of(tmp_path, "noise:\n  a: 1\n  flap_threshold: x\nb: 2\n")
    assert [problem.line for problem in found] == [2, 3, 4]


def test_a_default_fills_in_for_a_variable() -> None:
    assert parse("a: ${NOT_SET:-7}", "x.yaml", {}).value == {"a": "7"}


def test_without_a_file_the_built_in_rules_hold() -> None:
    assert load_config(Settings.load({})) == Config()


def test_an_environment_variable_wins_over_the_file_only_when_it_is_set(tmp_path: Path) -> None:
    file = tmp_path / "flux.yaml"
    file.write_text("noise: {flap_threshold: 7, suppression_enabled: true}\n")
    assert load_config(Settings.load({"FLUX_CONFIG": str(file)})).noise.flap_threshold == 7
    both = load_config(Settings.load({"FLUX_CONFIG": str(file), "FLAP_THRESHOLD": "5", "NOISE_SUPPRESSION_ENABLED": "no"})).noise
    assert both.flap_threshold == 5 and not both.suppression_enabled
