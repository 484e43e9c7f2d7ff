"""`fluxai feedback`, `advice compare` and `advice calibrate`, on files and on a broker."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from agents.advice import prompt as library
from agents.calibrate import CLASSES, Calibration, temperature_apply
from pipeline.cli.kafka import Reader
from pipeline.cli.learning import prompt_named
from pipeline.cli.main import app
from pipeline.learn.compare import better_prompt, classifiers, fold
from pipeline.learn.measure import Judged
from schemas.advice import AdviceRequest, AdviceTask, AskedAlert, Question
from schemas.base import Severity
from schemas.feedback import Feedback
from schemas.incident import Incident
from schemas.learning import Label
from schemas.runbook import RunbookMatch
from tests.learn.conftest import Room
from tests.learn.samples import START, labels, nonsense

Said = tuple[int, str, str]
Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """(exit code, stdout, stderr) of a command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLUX_USER", "ada")

    def call(*arguments: object) -> Said:
        with pytest.raises(SystemExit) as left:
            app([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return call


def advised(stream: Sequence[Label], *, right: float = 0.7, prompt: str = "triage@1", sharp: float = 0.3) -> list[Label]:
    """With the answers of a model that is right so often, and says so much too sure."""
    chance, found = random.Random(5), []
    for one in stream:
        said = str(one.severity) if chance.random() < right else chance.choice(CLASSES)
        stated = temperature_apply({name: 0.55 if name == said else 0.15 for name in CLASSES}, sharp)
        answer = {"advised": Severity(said), "advised_probabilities": stated, "model": f"ollama/m {prompt}"}
        found.append(one.model_copy(update=answer))
    return found


def written(path: Path, stream: Sequence[Label]) -> Path:
    path.write_bytes(b"\n".join(one.to_json() for one in stream) + b"\n")
    return path


def test_a_file_of_labels_is_compared_without_a_broker(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "labels.jsonl", advised(list(labels(50))))
    code, out, _ = run("advice", "compare", "--labels", file)
    assert code == 0
    for words in ("CANDIDATE", "IN USE", "RULES", "MODEL", "kappa, quadratic", "under-triage", "false P1 of 1,000", "ECE", "Better: "):
        assert words in out
    found = json.loads(run("advice", "compare", "--labels", file, "--json")[1])
    columns = found["columns"]
    assert (found["better"], columns["candidate"]["n"], columns["in use"]) == (True, 50, None)
    assert columns["candidate"]["log_loss"] < columns["rules"]["log_loss"]
    low, high = columns["model"]["intervals"]["accuracy"]
    assert low <= columns["model"]["accuracy"] <= high
    assert columns["model"]["ece"] > 0.1


def test_what_is_not_better_is_said_by_exit_code_1(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("advice", "compare", "--labels", written(tmp_path / "n.jsonl", nonsense(60)))
    assert code == 1 and "Not better: " in out and "log-loss" in out
    code, out, _ = run("advice", "compare", "--labels", written(tmp_path / "few.jsonl", list(labels(10))))
    assert code == 1 and "10 labels that neither had learned; 30 are needed" in out
    code, out, _ = run("advice", "compare", "--labels", written(tmp_path / "none.jsonl", []))
    assert code == 1 and "0 labels" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--promote"], "has no place in the topic's order"),
        (["--promote", "--force"], "--force needs --promote and --reason"),
        (["--ask"], "--ask asks with a version of a prompt"),
        (["--prompt", "triage.v999"], "There is no prompt 'triage.v999'"),
        (["--prompt", "triage"], "There is no prompt"),
        (["--prompt", "triage@1"], "is the version in use"),
    ],
    ids=["promote", "force", "ask", "no version", "no number", "in use"],
)
def test_wrong_options_are_refused_with_the_way_out(run: Run, tmp_path: Path, options: list[str], words: str) -> None:
    code, _, err = run("advice", "compare", "--labels", written(tmp_path / "labels.jsonl", list(labels(3))), *options)
    assert (code, words in err) == (2, True), err


def test_a_line_that_is_no_label_is_named(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "labels.jsonl", list(labels(2)))
    file.write_bytes(file.read_bytes() + b'{"kind": "severity"}\n')
    code, _, err = run("advice", "compare", "--labels", file)
    assert code == 2 and "line 3: label_id" in err


def test_a_model_that_is_too_sure_is_calibrated_on_what_the_fit_has_not_seen(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "labels.jsonl", advised(list(labels(160))))
    (line,) = run("advice", "calibrate", "--labels", file, "--json")[1].splitlines()
    found = json.loads(line)
    assert (found["model"], found["labels"], found["chosen"]) == ("ollama/m triage@1", 160, "temperature")
    assert found["after"]["temperature"]["nll"] < found["before"]["nll"]
    assert found["after"]["temperature"]["ece"] < found["before"]["ece"]
    assert found["temperature"] > 1.5
    code, out, _ = run("advice", "calibrate", "--labels", file)
    assert code == 0 and "isotonic" in out and "(temperature " in out


def test_few_labels_calibrate_nothing_and_a_calibrated_model_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("advice", "calibrate", "--labels", written(tmp_path / "few.jsonl", advised(list(labels(29)))))
    assert code == 1 and "29 labels; 30 are needed" in out
    code, out, _ = run("advice", "calibrate", "--labels", written(tmp_path / "none.jsonl", list(labels(50))))
    assert code == 1 and "nothing to calibrate" in out


@pytest.fixture
def second_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    first = library.template(AdviceTask.TRIAGE, 1)
    two = first.model_copy(update={"version": 2, "current": False})
    monkeypatch.setitem(library._LIBRARY, (first.task, 2), two)


def test_versions_of_a_prompt_are_compared_by_recorded_answers(run: Run, tmp_path: Path, second_prompt: None) -> None:
    old = advised(list(labels(60)), right=0.4)
    new = advised(list(labels(60, first=60)), right=0.95, prompt="triage@2")
    code, out, _ = run("advice", "compare", "--prompt", "triage.v2", "--labels", written(tmp_path / "better.jsonl", [*old, *new]))
    assert code == 0 and "Better: better than triage@1 on 60 labelled answers" in out
    swapped = [*advised(list(labels(60)), right=0.95), *advised(list(labels(60, first=60)), right=0.4, prompt="triage@2")]
    code, out, _ = run("advice", "compare", "--prompt", "triage@2", "--labels", written(tmp_path / "worse.jsonl", swapped))
    assert code == 1 and "is not below" in out
    code, out, _ = run("advice", "compare", "--prompt", "triage@2", "--labels", written(tmp_path / "few.jsonl", old))
    assert code == 1 and "0 and 60 labelled answers; 30 of each are needed" in out
    assert prompt_named("triage:2")[1] == 2


def test_a_prompt_that_calls_more_false_p1_is_not_better_though_it_misses_less() -> None:
    old = [Judged("P3", "P1", {})] * 20 + [Judged("P2", "P2", {})] * 20
    new = [Judged("P1", "P1", {})] * 20 + [Judged("P1", "P2", {})] * 20
    verdict = better_prompt(new, old, "triage@1")
    assert not verdict.better and "false P1" in verdict.reason and "levels" not in verdict.reason


# -- on a broker ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def there(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setenv("FLUX_KAFKA_BROKERS", room.settings.brokers)
    monkeypatch.setenv("FLUX_TOPIC_PREFIX", room.settings.topic_prefix)
    return room


def test_a_better_candidate_is_promoted_and_a_worse_one_only_with_a_reason(run: Run, there: Room) -> None:
    there.say([*advised(list(labels(50))), b"no label"])
    code, _, err = run("advice", "compare", "--last", 30, "--promote")
    assert code == 0, err
    assert "1 records of the topic labels are no labels" in err and "severity version 50 is in use" in err
    code, out, err = run("advice", "compare", "--last", 30, "--promote")
    assert code == 1 and "Not promoted: 0 labels that neither had learned" in err and "in use: version 50; 0 labels since" in out
    code, _, err = run("advice", "compare", "--last", 30, "--promote", "--force", "--reason", "a new team")
    assert code == 0 and "(forced)" in err
    first, forced = there.published()
    assert (first.by, first.version, first.replaced, forced.replaced) == ("ada", 50, None, 50)
    assert (first.content.get("forced"), forced.content["forced"]) == (None, "a new team")
    assert forced.content["weights"] == first.content["weights"]


def test_a_calibration_in_use_is_not_fitted_again_on_what_it_corrected(run: Run, there: Room) -> None:
    there.say(advised(list(labels(80))))
    assert run("advice", "calibrate", "--promote")[0] == 0
    (first,) = there.published()
    assert first.name == "calibration/ollama/m triage@1"
    calibration = Calibration.from_content(first.content)
    corrected = [
        one.model_copy(update={"advised_probabilities": calibration.apply(one.advised_probabilities)})
        for one in advised(list(labels(80, first=80)))
    ]
    there.say(corrected)
    found = json.loads(run("advice", "calibrate", "--json")[1])
    assert found["labels"] == 160
    assert found["temperature"] == pytest.approx(1, abs=0.25)  # on top of the first


def test_a_version_of_a_prompt_is_asked_again_about_labelled_incidents(run: Run, there: Room, second_prompt: None) -> None:
    """The script stands for a model that says what the rules say; the recorded answers of the version in use are wrong more often."""
    right = [one.model_copy(update={"severity": one.rule_severity}) for one in labels(35)]
    there.say(advised(right, right=0.3))
    producer = Producer({"bootstrap.servers": there.settings.brokers})
    for one in right:
        alert = AskedAlert(name=one.features.name)
        question = Question(task=AdviceTask.TRIAGE, incident_id=one.incident_id, rule_severity=one.rule_severity, alerts=[alert])
        request = AdviceRequest(
            effect_id=one.incident_id, incident_id=one.incident_id, domain="eu-1", revision=1, question=question,
            asked_at=START, deadline=START, late_until=START,
        )  # fmt: skip
        producer.produce(f"{there.settings.topic_prefix}effects.advice", request.to_json(), one.incident_id)
    assert producer.flush(10) == 0
    code, out, err = run("advice", "compare", "--prompt", "triage@2", "--ask", "--provider", "scripted", "--promote")
    assert code == 0, err
    assert "35 incidents, asked again with triage@2; triage@1 as it was recorded" in out
    assert "prompt/triage version 2 is in use" in err
    (made,) = there.published()
    assert (made.name, made.version, made.replaced, made.content) == ("prompt/triage", 2, 1, {"prompt": "triage@2"})


def test_feedback_goes_to_the_incidents_domain(run: Run, there: Room) -> None:
    incident = Incident.model_validate(
        {
            "incident_id": "i1", "revision": 1, "domain": "eu-1", "status": "resolved", "severity": "P1", "service": "db", "title": "t",
            "summary": "s", "confidence": 1, "provenance": "rules", "alerts": [], "opened_at": START, "updated_at": START,
            "deadline": START + timedelta(seconds=15), "runbooks": [RunbookMatch(id="rb-disk", title="Disk", score=0.5)],
        }
    )  # fmt: skip
    producer = Producer({"bootstrap.servers": there.settings.brokers})
    producer.produce(f"{there.settings.topic_prefix}incidents.triaged", incident.to_json(), b"eu-1")
    producer.produce(f"{there.settings.topic_prefix}runbooks", b"{}", b"rb-net")
    assert producer.flush(10) == 0
    code, out, err = run(
        "feedback", "i1", "--severity", "p2", "--wrong-runbook", "rb-disk", "--right-runbook", "rb-net", "-m", "one customer"
    )
    assert code == 0, err
    assert out.splitlines()[0] == "i1: severity P2, said ada."
    with Reader(there.settings) as reader:
        reader.start(["feedback"])
        said = [(one.key(), Feedback.from_json(one.value() or b"")) for one in reader.to_the_end()]
    assert {key for key, _ in said} == {b"eu-1"}
    facts: list[tuple[Any, ...]] = [(one.kind, one.severity, one.runbook_id, one.by, one.comment) for _, one in said]
    assert facts == [
        ("severity", "P2", None, "ada", "one customer"),
        ("runbook_wrong", None, "rb-disk", "ada", "one customer"),
        ("runbook_right", None, "rb-net", "ada", "one customer"),
    ]
    assert run("feedback", "i1", "--wrong-runbook", "rb-x")[0] == 1
    code, out, err = run("feedback", "i1", "--right-runbook", "nope", "--json")
    assert code == 1 and "No runbook 'nope' is known." in err and json.loads(out)["error"] == "No runbook 'nope' is known."
    assert "No incident i2" in run("feedback", "i2", "--severity", "P1")[2]
    for wrong in (["i1"], ["i1", "--severity", "P9"], ["i1", "--wrong-runbook", "rb-disk", "--right-runbook", "rb-disk"]):
        code, _, err = run("feedback", *wrong)
        assert code == 2 and "P1" in err


def test_the_column_of_the_rules_is_what_the_rules_said_and_nothing_that_was_learned() -> None:
    """`rule_severity` of a label is the rules' own; what decide made of it with what was learned stands in `learned`."""
    stream = [one.model_copy(update={"learned": {"P1": 0.97, "P2": 0.01, "P3": 0.01, "P4": 0.01}}) for one in labels(60)]
    learners, unusable = fold(enumerate(stream), {}, 60)
    columns = {one.name: one.found for one in classifiers(learners.severity).columns}
    rules, right = columns["rules"], sum(one.rule_severity == one.severity for one in stream)
    assert rules is not None and unusable == 0
    assert (rules.accuracy, rules.n) == (right / 60, 60)
    assert rules.under_triage == pytest.approx(
        sum(one.rule_severity > str(one.severity) for one in stream if one.severity in ("P1", "P2"))
        / sum(one.severity in ("P1", "P2") for one in stream)
    )
