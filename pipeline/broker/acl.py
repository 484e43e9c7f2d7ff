"""What each lane may touch on Kafka, as commands for an administrator: nothing that a lane does not use is granted."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from schemas.topics import BY_NAME, full_name


@dataclass(frozen=True)
class Lane:
    """Its group and its transactional ids begin with its name; `reads_whole` are the reference topics that it keeps in memory."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    transactional: bool = False
    reads_whole: tuple[str, ...] = field(default=())


REFERENCE = ("topology", "runbooks", "rules", "silences", "models")
LANES = (
    Lane("intake", ("alerts.raw", "intake.state"), ("alerts", "changes", "dead_letters", "intake.state"), transactional=True),
    Lane(
        "decide",
        ("alerts", "receipts", "feedback", "changes", "decide.state"),
        ("decisions", "incidents.triaged", "effects.delivery", "effects.advice", "labels", "dead_letters", "decide.state"),
        transactional=True,
        reads_whole=REFERENCE,
    ),
    Lane("act", ("effects.delivery",), ("receipts", "dead_letters")),
    Lane("advise", ("effects.advice", "usage"), ("receipts", "dead_letters", "usage", "alerts.raw"), reads_whole=("routing", "models")),
    Lane("learn", ("labels",), ("models",), reads_whole=("models",)),
    Lane("record", ("decisions", "incidents.triaged", "receipts", "dead_letters", "feedback", "usage", "labels"), ()),
    Lane(
        "api",
        ("decisions", "incidents.triaged", "receipts", "dead_letters", "usage"),
        ("alerts.raw", "feedback", "silences", "routing"),
        reads_whole=(*REFERENCE, "routing"),
    ),
    Lane("admin", (*REFERENCE, "routing", "labels", "effects.advice"), (*REFERENCE, "routing", "feedback")),
)


def commands(brokers: str, prefix: str, principal: str = "User:flux-{lane}") -> list[str]:
    """Lines for `kafka-acls.sh`; `{lane}` in `principal` is replaced. Consumer groups are granted by prefix, transactional ids too."""
    lines = []
    for lane in LANES:
        who = principal.replace("{lane}", lane.name)
        base = ["kafka-acls.sh", "--bootstrap-server", brokers, "--add", "--allow-principal", who]
        reads = dict.fromkeys((*lane.reads, *lane.reads_whole))
        for topic in reads:
            lines.append([*base, "--operation", "Read", "--operation", "Describe", "--topic", full_name(prefix, topic)])
        for topic in lane.writes:
            lines.append([*base, "--operation", "Write", "--operation", "Describe", "--topic", full_name(prefix, topic)])
        prefixed = ["--resource-pattern-type", "prefixed"]
        lines.append([*base, "--operation", "Read", "--operation", "Describe", "--group", prefix + lane.name, *prefixed])
        if lane.reads_whole:
            lines.append([*base, "--operation", "Read", "--operation", "Describe", "--group", prefix + "reference"])
        if lane.transactional:
            lines.append(
                [*base, "--operation", "Write", "--operation", "Describe", "--transactional-id", f"{prefix}{lane.name}-", *prefixed]
            )
    return [shlex.join(line) for line in lines]


def unused_topics() -> set[str]:
    """Topics of the catalogue that no lane reads or writes: there should be none."""
    used = {topic for lane in LANES for topic in (*lane.reads, *lane.writes, *lane.reads_whole)}
    return set(BY_NAME) - used
