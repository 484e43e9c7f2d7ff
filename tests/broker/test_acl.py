"""The access list covers the catalogue and grants nothing beyond it."""

from __future__ import annotations

from pipeline.broker.acl import LANES, commands, unused_topics
from schemas.topics import BY_NAME


def test_every_topic_of_the_catalogue_is_somebodys_and_no_other_is_named() -> None:
    assert unused_topics() == set()
    named = {topic for lane in LANES for topic in (*lane.reads, *lane.writes, *lane.reads_whole)}
    assert named <= set(BY_NAME)


def test_only_decide_may_write_its_changelog() -> None:
    writing = [line for line in commands("b:9092", "flux.") if "Write" in line and "flux.decide.state" in line]
    assert len(writing) == 1
    assert "User:flux-decide" in writing[0]


def test_engine_lanes_may_use_their_transactional_ids() -> None:
    lines = commands("b:9092", "flux.", principal="User:x-{lane}")
    assert [line for line in lines if "--transactional-id" in line and "x-intake" in line] == [
        "kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal User:x-intake --operation Write --operation Describe "
        "--transactional-id flux.intake- --resource-pattern-type prefixed"
    ]
