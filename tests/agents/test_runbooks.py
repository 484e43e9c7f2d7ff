from __future__ import annotations

from agents.runbooks import RunbookIndex, words
from schemas.runbook import Runbook

BOOKS = [
    Runbook(
        runbook_id="r1", title="Disk is filling up", alert_names=["DiskFilling"], patterns=["no space left on device"], steps=["df -h"]
    ),
    Runbook(
        runbook_id="r2",
        title="Payments answers with errors",
        services=["payments"],
        description="5xx from the payments api",
        steps=["roll back"],
    ),
    Runbook(runbook_id="r3", title="Certificate expires", url="https://wiki.example/cert", steps=["renew"]),
    Runbook(runbook_id="r4", title="Kafka consumer lag grows", patterns=["consumer group lag"], steps=["scale"]),
]


def match(name: str, service: str = "", text: str = "", hint: str = "") -> list[tuple[str, float]]:
    return [(one.id, one.score) for one in RunbookIndex(BOOKS).match(name=name, service=service, text=text, hint=hint)]


def test_a_name_decides() -> None:
    assert match("disk_filling")[0] == ("r1", 0.95)


def test_a_link_in_the_alert_decides() -> None:
    assert match("Whatever", hint="https://wiki.example/cert/")[0] == ("r3", 1.0)


def test_words_find_a_runbook_of_another_name() -> None:
    found = match("HighConsumerLag", text="the consumer group lag of orders grows")
    assert found[0][0] == "r4" and 0 < found[0][1] < 0.95


def test_nothing_fits_is_an_answer() -> None:
    assert match("QuantumFluxInverted", service="warp", text="tachyons everywhere") == []


def test_no_runbooks_at_all() -> None:
    assert RunbookIndex().match(name="DiskFilling", service="", text="", hint="") == []


def test_words_take_names_apart() -> None:
    assert words("KubePodCrashLooping HTTP node_disk_full") == ["kube", "pod", "crash", "looping", "http", "node", "disk", "full"]
