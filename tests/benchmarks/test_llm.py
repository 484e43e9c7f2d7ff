"""The measurement of a model server measures, says on what, and says what is missing."""

from __future__ import annotations

import json

import pytest

from benchmarks import llm
from benchmarks.fake_ollama import process


def test_it_measures_each_level_and_says_on_what(capsys: pytest.CaptureFixture[str]) -> None:
    with process("--slots", "2", "--step-ms", "1:4,2:6", "--prefill-ms", "0") as fake:
        llm.main(["--url", fake.url, "--model", "llama3.1:8b", "--slots", "1,2", "--seconds", "0", "--least", "4"])
        assert fake.stats()["reloads"] == 0
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [level["at_once"] for level in line["levels"]] == [1, 2]
    assert all(level["answered"] == level["asked"] >= 4 and level["in_15_s"] == 1.0 for level in line["levels"])
    assert line["levels"][0]["step_ms"] == pytest.approx(4.0, rel=0.2)
    assert line["measured_on"]["weights"] == "8B fake"


@pytest.mark.parametrize("given", [["--url", ""], ["--url", "http://127.0.0.1:9"]], ids=["no server named", "nobody there"])
def test_without_a_server_it_says_so_and_ends_with_4(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        llm.main(given)
    assert ended.value.code == 4
    said = capsys.readouterr()
    assert said.err.startswith("llm: ") and not said.out


@pytest.mark.parametrize(
    ("gain", "step_ms", "serial"),
    [(4.0, 12.0, False), (1.0, 11.0, True), (1.0, 40.0, False)],
    ids=["batches", "one after the other", "batches, and the processor is the bound"],
)
def test_a_server_that_works_on_one_after_the_other_is_recognised(gain: float, step_ms: float, serial: bool) -> None:
    alone = {"at_once": 1, "triages_per_s": 5.0, "step_ms": 10.0}
    most = {"at_once": 4, "triages_per_s": 5.0 * gain, "step_ms": step_ms}
    assert llm.compared(alone, most) == {"gain": gain, "looks_serial": serial}
