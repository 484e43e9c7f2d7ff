"""Two things at once: what holds an alert back, and what happens to it or its incident meanwhile."""

from __future__ import annotations

from datetime import timedelta

from schemas.base import Matcher, Severity, from_ms
from schemas.rule import Rule
from tests.scenarios.conftest import scenario
from tests.scenarios.shop import false_p1, feedback, silence, with_topology
from tests.scenarios.timeline import Timeline

P1 = "critical"
P2 = "error"
P3 = "warning"


def check_over(timeline: Timeline, name: str) -> None:
    assert timeline.latest(name).status == "resolved", timeline.latest(name)


# -- silences that change ----------------------------------------------------------------------------------------------------------------


@scenario
def test_a_silence_that_is_taken_back_holds_a_p1_no_longer(timeline: Timeline) -> None:
    silence(timeline, 0, minutes=600, service="checkout")
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.at(100).puts("silences", "s1", lambda _: None)
    timeline.between(0, 99).is_silent()
    timeline.between(100, 131).pages("CheckoutDown", severity="P1")


@scenario
def test_a_page_held_by_a_silence_that_is_taken_back_is_told(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    silence(timeline, 10, minutes=600, service="checkout")
    timeline.at(100).puts("silences", "s1", lambda _: None)
    timeline.between(0, 99).is_silent()
    timeline.between(100, 131).pages("DiskFilling")
    timeline.then(lambda: check_unsilenced(timeline))


def check_unsilenced(timeline: Timeline) -> None:
    reasons = [one.silence.code for one in timeline.incidents if one.silence is not None]
    assert reasons and set(reasons) == {"silence"}
    assert timeline.latest("DiskFilling").silence is None


@scenario
def test_a_silence_by_the_sources_own_severity_holds_until_its_end(timeline: Timeline) -> None:
    silence(timeline, 0, minutes=10, severity="critical")
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.between(0, 599).is_silent()
    timeline.between(600, 631).pages("CheckoutDown", severity="P1")


@scenario
def test_a_silence_of_one_service_does_not_hold_the_page_of_another_in_the_same_incident(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("SlowSearch", severity=P3, service="search")
    timeline.at(2).fires("SlowApi", severity=P3, service="api")
    silence(timeline, 10, minutes=60, service="search")
    timeline.between(30, 32).pages("SlowApi")


@scenario
def test_an_incident_that_was_told_ends_although_its_alert_got_worse_inside_a_silence(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    silence(timeline, 60, minutes=10, service="checkout")
    timeline.at(100).fires("DiskFilling", severity=P2)
    timeline.at(200).resolves("DiskFilling", severity=P2)
    timeline.outcome("DiskFilling", 1, "suppressed", "silence")
    timeline.between(100, 199).is_silent()
    timeline.between(200, 200).tells("resolved", "DiskFilling")
    timeline.then(lambda: check_over(timeline, "DiskFilling"))


@scenario
def test_what_got_worse_inside_a_silence_escalates_at_its_end(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    silence(timeline, 60, minutes=10, service="checkout")
    timeline.at(100).fires("DiskFilling", severity=P1)
    timeline.at(700).resolves("DiskFilling", severity=P1)
    timeline.between(100, 659).is_silent()
    timeline.between(660, 661).pages("DiskFilling", severity="P1")
    timeline.between(700, 700).tells("resolved", "DiskFilling")
    timeline.then(lambda: check_over(timeline, "DiskFilling"))


@scenario
def test_a_p1_child_that_is_silenced_does_not_page_when_its_parent_recovers(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(10).fires("CheckoutDown", severity=P1, service="checkout")
    silence(timeline, 60, minutes=10, service="checkout")
    timeline.at(100).resolves("DatabaseDown", severity=P1, service="db")
    timeline.between(100, 659).pages("CheckoutDown", times=0)
    timeline.between(660, 691).pages("CheckoutDown", severity="P1")


# -- rules --------------------------------------------------------------------------------------------------------------------------------


def significant(timeline: Timeline) -> None:
    rule = Rule(
        rule_id="r2", kind="significance", matchers=[Matcher(name="name", value="Slow")], owner="ann", reason="noise", metric="ms",
        threshold=100,
    )  # fmt: skip
    timeline.at(0).puts("rules", "r2", lambda _: rule.to_json())


@scenario
def test_what_is_too_small_stays_so_as_long_as_it_says_no_more(timeline: Timeline) -> None:
    significant(timeline)
    timeline.at(1).fires("Slow", severity=P3, annotations={"ms": "40"})
    timeline.between(0, 900).is_silent()


@scenario
def test_what_was_too_small_is_told_once_it_is_not(timeline: Timeline) -> None:
    significant(timeline)
    for minute in range(5):
        timeline.at(1 + minute * 20).fires("Slow", severity=P3, annotations={"ms": "40" if minute < 2 else "400"})
    timeline.between(0, 70.9).is_silent()
    timeline.between(71, 72).pages("Slow")


@scenario
def test_a_known_false_p1_uses_its_cap_once_however_long_it_fires(timeline: Timeline) -> None:
    false_p1(timeline, 0, daily_cap=1, name="SensorBroken")
    timeline.at(1).fires("SensorBroken", severity=P1)
    timeline.between(0, 900).is_silent()


@scenario
def test_a_false_p1_rule_that_is_taken_back_holds_a_p1_no_longer(timeline: Timeline) -> None:
    false_p1(timeline, 0, daily_cap=1, name="SensorBroken")
    timeline.at(1).fires("SensorBroken", severity=P1)
    timeline.at(100).puts("rules", "r1", lambda _: None)
    timeline.between(100, 131).pages("SensorBroken", severity="P1")


@scenario
def test_a_severity_rule_that_has_ended_lowers_nothing(timeline: Timeline) -> None:
    def make(now: int) -> bytes:
        return Rule(
            rule_id="r3", kind="severity", matchers=[Matcher(name="name", value="CheckoutDown")], owner="ann", reason="tests",
            severity=Severity.P4, ends_at=from_ms(now) - timedelta(days=1),
        ).to_json()  # fmt: skip

    timeline.at(0).puts("rules", "r3", make)
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.between(1, 1).pages("CheckoutDown", severity="P1")


# -- flapping -----------------------------------------------------------------------------------------------------------------------------


def flapping(timeline: Timeline, severity: str, cycles: int = 5) -> None:
    for cycle in range(cycles):
        timeline.at(cycle * 20).fires("Flappy", severity=severity)
        timeline.at(cycle * 20 + 5).resolves("Flappy", severity=severity)


@scenario
def test_a_flapping_alert_that_becomes_a_p1_pages_and_its_incident_ends(timeline: Timeline) -> None:
    flapping(timeline, P3)
    timeline.at(120).fires("Flappy", severity=P1)
    timeline.at(130).resolves("Flappy", severity=P1)
    feedback(timeline, 140, "acknowledge", "Flappy")
    timeline.between(120, 120).tells("escalated", "Flappy")
    timeline.between(1029, 1031).tells("resolved", "Flappy")
    timeline.then(lambda: check_over(timeline, "Flappy"))


@scenario
def test_a_flapping_alert_that_gets_worse_is_told_so_once(timeline: Timeline) -> None:
    flapping(timeline, P3)
    for cycle in range(3):
        timeline.at(120 + cycle * 20).fires("Flappy", severity=P2)
        timeline.at(130 + cycle * 20).resolves("Flappy", severity=P2)
    timeline.between(120, 120).tells("escalated", "Flappy")
    timeline.between(121, 400).is_silent()


@scenario
def test_a_flapping_p1_whose_incident_a_person_resolved_pages_when_it_fires_again(timeline: Timeline) -> None:
    flapping(timeline, P1)
    feedback(timeline, 110, "resolve", "Flappy")
    timeline.at(150).fires("Flappy", severity=P1)
    timeline.at(200).resolves("Flappy", severity=P1)
    timeline.between(150, 150).pages("Flappy", severity="P1")
    timeline.between(200, 200).tells("resolved", "Flappy")


@scenario
def test_a_flap_that_calms_down_inside_a_silence_stays_silent_until_its_end(timeline: Timeline) -> None:
    flapping(timeline, P3)
    silence(timeline, 110, minutes=60, service="checkout")
    timeline.at(120).fires("Flappy", severity=P3)
    timeline.at(4000).resolves("Flappy", severity=P3)
    timeline.between(111, 3709).is_silent()
    timeline.between(4000, 4000).tells("resolved", "Flappy")


# -- many in one incident -----------------------------------------------------------------------------------------------------------------


@scenario
def test_an_incident_of_many_alerts_ends_also_when_its_first_got_worse(timeline: Timeline) -> None:
    for number in range(60):
        timeline.at(number / 10).fires(f"Slow{number}", severity=P3)
    timeline.at(100).fires("Slow0", severity=P2)
    for number in range(60):
        timeline.at(200 + number / 10).resolves(f"Slow{number}", severity=P3)
    timeline.between(100, 100).pages("Slow0", severity="P2")
    timeline.between(200, 300).tells("resolved", "Slow0")
    timeline.then(lambda: check_over(timeline, "Slow0"))


@scenario
def test_an_incident_stays_open_for_an_alert_that_came_back_by_way_of_its_parent(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("SlowSearch", severity=P3, service="search")
    timeline.at(2).fires("SearchQueue", severity=P3, service="search")
    timeline.at(60).resolves("SlowSearch", severity=P3, service="search")
    timeline.at(300).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(310).fires("SlowSearch", severity=P3, service="search")
    timeline.at(315).fires("SlowSearch", severity=P3, service="search", summary="still slow")
    timeline.at(400).resolves("DatabaseDown", severity=P1, service="db")
    timeline.at(500).resolves("SearchQueue", severity=P3, service="search")
    timeline.outcome("SlowSearch", 2, "suppressed", "parent_open")
    timeline.between(500, 600).tells("resolved", "Search", times=0)


@scenario
def test_a_p1_of_another_team_in_a_told_incident_pages_that_team(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("ApiDown", severity=P1, service="api")
    timeline.at(10).fires("DatabaseDown", severity=P1, service="db")
    timeline.between(10, 10).pages("DatabaseDown", receiver="storage")
    timeline.between(10, 10).pages("DatabaseDown", receiver="oncall", times=0)
    timeline.outcome("DatabaseDown", 0, "notified", "paged")


# -- parents ------------------------------------------------------------------------------------------------------------------------------


@scenario
def test_a_p1_that_was_over_when_it_came_is_no_parent(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(5).resolves("DatabaseDown", severity=P1, service="db", started=0)
    timeline.at(6).fires("DatabaseDown", severity=P1, service="db", started=0)
    timeline.at(60).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.between(60, 60).pages("CheckoutDown", severity="P1")


@scenario
def test_a_p1_that_a_person_lowered_holds_no_child_back(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    feedback(timeline, 30, "severity", "DatabaseDown", severity=Severity.P3)
    timeline.at(200).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.between(200, 200).pages("CheckoutDown", severity="P1", receiver="oncall")


@scenario
def test_a_p1_child_stays_with_the_root_that_still_burns_when_one_between_recovers(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(2).fires("ApiDown", severity=P1, service="api")
    timeline.at(3).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.at(100).resolves("ApiDown", severity=P1, service="api")
    timeline.between(100, 200).pages("CheckoutDown", times=0)


@scenario
def test_a_p1_child_of_a_reopened_parent_whose_new_page_does_not_arrive_pages_by_itself(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(60).resolves("DatabaseDown", severity=P1, service="db")
    timeline.at(70).receiver("storage", "failed")
    timeline.at(100).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(110).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.between(125, 125).tells("fired", "CheckoutDown")


# -- order ------------------------------------------------------------------------------------------------------------------------------


@scenario
def test_a_swapped_pair_of_a_known_alert_ends_as_resolved(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1, started=0)
    timeline.at(50).resolves("CheckoutDown", severity=P1, started=0)
    timeline.at(2000).resolves("CheckoutDown", severity=P1, started=1990)
    timeline.at(2001).fires("CheckoutDown", severity=P1, started=1990)
    timeline.between(2001, 2001).tells("fired_and_resolved", "CheckoutDown")
    timeline.between(2002, 3000).is_silent()


@scenario
def test_a_resolve_ends_an_alert_whose_source_moved_its_start_back(timeline: Timeline) -> None:
    timeline.at(20).fires("CheckoutDown", severity=P1, started=12)
    timeline.at(60).fires("CheckoutDown", severity=P1, started=10)
    timeline.at(100).resolves("CheckoutDown", severity=P1, started=10)
    timeline.between(100, 100).tells("resolved", "CheckoutDown")


# -- people -----------------------------------------------------------------------------------------------------------------------------


@scenario
def test_a_new_p1_in_an_incident_that_a_person_lowered_pages(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    feedback(timeline, 30, "severity", "CheckoutDown", severity=Severity.P3)
    timeline.at(60).fires("CheckoutLost", severity=P1)
    timeline.between(60, 60).pages("CheckoutLost", severity="P1")


@scenario
def test_an_acknowledged_incident_that_gets_worse_wants_to_be_acknowledged_again(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    feedback(timeline, 40, "acknowledge", "DiskFilling")
    timeline.at(60).fires("DiskFilling", severity=P1)
    timeline.between(60, 60).pages("DiskFilling", severity="P1")
    timeline.between(359, 361).pages("DiskFilling", receiver="boss")


@scenario
def test_an_incident_that_a_person_reopened_ends_when_its_alert_does(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    timeline.at(50).resolves("CheckoutDown", severity=P1)
    feedback(timeline, 60, "reopen", "CheckoutDown")
    timeline.at(100).fires("CheckoutDown", severity=P1)
    timeline.at(150).resolves("CheckoutDown", severity=P1)
    timeline.between(150, 150).tells("resolved", "CheckoutDown")


@scenario
def test_nobody_is_paged_for_the_same_unanswered_incident_for_ever(timeline: Timeline) -> None:
    for minute in range(15):
        timeline.at(minute * 240).fires("CheckoutDown", severity=P1)
    timeline.between(299, 301).tells("escalated", "CheckoutDown", times=2)
    timeline.between(302, 7200).is_silent()


# -- receivers --------------------------------------------------------------------------------------------------------------------------


@scenario
def test_a_message_that_no_receiver_took_for_a_day_is_set_aside_and_not_forgotten(timeline: Timeline) -> None:
    timeline.at(0).receiver("oncall", "failed").receiver("boss", "failed")
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.at(60).resolves("CheckoutDown", severity=P1)
    timeline.at(90_000).receiver("oncall", None).receiver("boss", None)
    timeline.between(0, 180_000).is_silent()
    timeline.then(lambda: check_gave_up(timeline))


def check_gave_up(timeline: Timeline) -> None:
    said = [entry.what for one in timeline.incidents for entry in one.timeline if "could not be told within" in entry.what]
    assert said
