"""What an on-call engineer may rely on, as timelines."""

from __future__ import annotations

from schemas.base import Matcher
from schemas.rule import Rule
from tests.scenarios.conftest import scenario
from tests.scenarios.shop import false_p1, feedback, silence, with_topology
from tests.scenarios.timeline import Timeline

P1 = "critical"
P2 = "error"
P3 = "warning"


# -- pages and holds --------------------------------------------------------------------------------------------------------------------


@scenario
def test_a_p1_pages_at_once(timeline: Timeline) -> None:
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.between(1, 1).pages("CheckoutDown", severity="P1")
    timeline.between(1.5, 60).is_silent()
    timeline.outcome("CheckoutDown", 0, "notified", "paged")


@scenario
def test_a_p3_waits_thirty_seconds_and_then_pages(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    timeline.between(0, 29.9).is_silent()
    timeline.between(30, 31).pages("DiskFilling", severity="P3")
    timeline.between(31, 600).is_silent()
    timeline.outcome("DiskFilling", 0, "open", "hold")


@scenario
def test_a_transient_is_withdrawn_with_its_reason(timeline: Timeline) -> None:
    timeline.at(0).fires("Blip", severity=P3)
    timeline.at(3).resolves("Blip")
    timeline.between(0, 600).is_silent()
    timeline.outcome("Blip", 1, "resolved", "resolve_withdrawn")
    timeline.then(lambda: check_silence(timeline, "Blip", "transient"))


def check_silence(timeline: Timeline, name: str, code: str) -> None:
    incident = timeline.latest(name)
    assert incident.silence is not None and incident.silence.code == code
    assert incident.status == "resolved" and incident.notified == []


@scenario
def test_an_escalation_inside_the_hold_pages_at_once(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    timeline.at(10).fires("DiskFilling", severity=P1)
    timeline.between(10, 10).pages("DiskFilling", severity="P1")
    timeline.between(11, 60).is_silent()
    timeline.outcome("DiskFilling", 1, "notified", "escalation")


@scenario
def test_an_escalation_after_the_page_pages_again(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    timeline.at(40).fires("DiskFilling", severity=P1)
    timeline.between(30, 31).pages("DiskFilling", severity="P3")
    timeline.between(40, 41).pages("DiskFilling", severity="P1")
    timeline.between(41, 300).is_silent()


@scenario
def test_recovery_is_told_once_to_who_was_paged(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    timeline.at(100).resolves("CheckoutDown", severity=P1)
    timeline.at(101).resolves("CheckoutDown", severity=P1)
    timeline.between(100, 100).tells("resolved", "CheckoutDown")
    timeline.between(100.5, 900).is_silent()
    timeline.outcome("CheckoutDown", 1, "resolved", "resolve_told")
    timeline.outcome("CheckoutDown", 2, "resolved", "resolve_repeat")


# -- repeats ----------------------------------------------------------------------------------------------------------------------------


@scenario
def test_repeats_of_a_long_fire_page_once_and_update_the_incident(timeline: Timeline) -> None:
    for minute in range(12):
        timeline.at(minute * 240).fires("CheckoutDown", severity=P1)
    timeline.at(1).do(lambda _: None)
    feedback(timeline, 60, "acknowledge", "CheckoutDown")
    timeline.between(0, 3000).pages("CheckoutDown", times=1)
    timeline.outcome("CheckoutDown", 11, "grouped", "repeat")
    timeline.then(lambda: check_count(timeline, "CheckoutDown", 12))


def check_count(timeline: Timeline, name: str, count: int) -> None:
    assert timeline.latest(name).alerts[0].count == count


@scenario
def test_the_same_alert_back_soon_reopens_its_incident(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    timeline.at(60).resolves("CheckoutDown", severity=P1)
    timeline.at(120).fires("CheckoutDown", severity=P1)
    timeline.between(120, 120).pages("CheckoutDown", severity="P1")
    timeline.then(lambda: check_incidents(timeline, 1))


def check_incidents(timeline: Timeline, count: int) -> None:
    assert len({one.incident_id for one in timeline.incidents}) == count


# -- order ------------------------------------------------------------------------------------------------------------------------------


@scenario
def test_a_resolve_before_its_fire_ends_as_resolved(timeline: Timeline) -> None:
    timeline.at(5).resolves("Blip", severity=P3, started=0)
    timeline.at(6).fires("Blip", severity=P3, started=0)
    timeline.between(0, 600).is_silent()
    timeline.outcome("Blip", 0, "resolved", "resolve_unknown")
    timeline.outcome("Blip", 1, "suppressed", "already_resolved")


@scenario
def test_a_p1_whose_resolve_came_first_is_told_once_as_both(timeline: Timeline) -> None:
    timeline.at(5).resolves("CheckoutDown", severity=P1, started=0)
    timeline.at(6).fires("CheckoutDown", severity=P1, started=0)
    timeline.between(6, 6).tells("fired_and_resolved", "CheckoutDown")
    timeline.between(6.5, 600).is_silent()
    timeline.outcome("CheckoutDown", 1, "notified")


@scenario
def test_a_late_resolve_of_an_earlier_episode_ends_nothing(timeline: Timeline) -> None:
    timeline.at(100).fires("CheckoutDown", severity=P1, started=100)
    timeline.at(110).resolves("CheckoutDown", severity=P1, started=10, ended=50)
    timeline.between(101, 200).is_silent()
    timeline.outcome("CheckoutDown", 1, "resolved", "resolve_late")


# -- silences and windows -----------------------------------------------------------------------------------------------------------------


@scenario
def test_a_silence_is_explained_and_its_end_is_not_the_end_of_the_alert(timeline: Timeline) -> None:
    silence(timeline, 0, minutes=10, service="checkout")
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.between(0, 599).is_silent()
    timeline.outcome("CheckoutDown", 0, "suppressed", "silence")
    timeline.between(600, 601).pages("CheckoutDown", severity="P1")
    timeline.then(lambda: check_would_notify(timeline, "CheckoutDown"))


def check_would_notify(timeline: Timeline, name: str) -> None:
    decision = next(one for one in timeline.decided if one.name == name)
    assert decision.would_notify == ["oncall"] and decision.severity == "P1"
    assert "ann" in decision.reason.text


@scenario
def test_a_maintenance_window_holds_back_only_what_it_names(timeline: Timeline) -> None:
    silence(timeline, 0, minutes=10, kind="maintenance", service="batch")
    timeline.at(1).fires("JobFailed", severity=P1, service="batch")
    timeline.at(2).fires("CheckoutDown", severity=P1)
    timeline.at(300).resolves("JobFailed", severity=P1, service="batch")
    timeline.between(0, 900).pages("JobFailed", times=0)
    timeline.between(2, 2).pages("CheckoutDown")
    timeline.outcome("JobFailed", 0, "suppressed", "maintenance")
    timeline.outcome("JobFailed", 1, "resolved", "resolve_suppressed")


@scenario
def test_staging_stays_out_of_the_production_view(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1, environment="staging")
    timeline.between(0, 600).is_silent()
    timeline.outcome("CheckoutDown", 0, "suppressed", "non_production")


@scenario
def test_a_known_false_p1_is_held_back_up_to_its_daily_cap(timeline: Timeline) -> None:
    false_p1(timeline, 0, daily_cap=1, name="SensorBroken")
    timeline.at(1).fires("SensorBroken", severity=P1, labels={"unit": "a"})
    timeline.at(2).fires("SensorBroken", severity=P1, labels={"unit": "b"})
    timeline.outcome("SensorBroken", 0, "suppressed", "false_p1")
    timeline.outcome("SensorBroken", 1, "notified", "paged")
    timeline.between(2, 2).pages("SensorBroken")


@scenario
def test_below_its_threshold_an_alert_is_not_significant(timeline: Timeline) -> None:
    rule = Rule(
        rule_id="r2",
        kind="significance",
        matchers=[Matcher(name="name", value="Slow")],
        owner="ann",
        reason="noise",
        metric="ms",
        threshold=100,
    )
    timeline.at(0).puts("rules", "r2", lambda _: rule.to_json())
    timeline.at(1).fires("Slow", severity=P3, annotations={"ms": "40"})
    timeline.at(2).fires("Slow", severity=P3, annotations={"ms": "400"}, labels={"path": "/pay"})
    timeline.outcome("Slow", 0, "suppressed", "insignificant")
    timeline.between(32, 33).pages("Slow")


# -- flapping -----------------------------------------------------------------------------------------------------------------------------


@scenario
def test_flapping_is_told_once_when_it_starts_and_once_when_it_ends(timeline: Timeline) -> None:
    for cycle in range(8):
        timeline.at(cycle * 20).fires("Flappy", severity=P3)
        timeline.at(cycle * 20 + 5).resolves("Flappy")
    timeline.between(0, 64.9).is_silent()
    timeline.between(65, 65).tells("flapping", "Flappy")
    timeline.between(66, 1044).is_silent()
    timeline.between(1045, 1046).tells("resolved", "Flappy")
    timeline.between(1047, 3000).is_silent()
    timeline.outcome("Flappy", 8, "suppressed", "flap")


@scenario
def test_a_flapping_p1_joins_the_incident_that_was_told(timeline: Timeline) -> None:
    for cycle in range(6):
        timeline.at(cycle * 20).fires("Flappy", severity=P1)
        timeline.at(cycle * 20 + 5).resolves("Flappy", severity=P1)
    timeline.outcome("Flappy", 8, "grouped", "flapping_p1")
    timeline.outcome("Flappy", 0, "notified", "paged")


@scenario
def test_an_alert_that_still_fires_when_the_flap_ends_is_told_so(timeline: Timeline) -> None:
    for cycle in range(5):
        timeline.at(cycle * 20).fires("Flappy", severity=P3)
        timeline.at(cycle * 20 + 5).resolves("Flappy")
    timeline.at(120).fires("Flappy", severity=P3)
    timeline.between(1019, 1021).tells("flapping_ended", "Flappy")


# -- topology -----------------------------------------------------------------------------------------------------------------------------


@scenario
def test_children_of_a_service_with_an_open_p1_are_linked_to_it(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(5).fires("SlowSearch", severity=P3, service="search")
    timeline.between(1, 1).pages("DatabaseDown")
    timeline.between(2, 200).is_silent()
    timeline.outcome("SlowSearch", 0, "suppressed", "parent_open")
    timeline.then(lambda: check_parent(timeline))


def check_parent(timeline: Timeline) -> None:
    decision = next(one for one in timeline.decided if one.name == "SlowSearch")
    assert decision.reason.facts["parent"] == timeline.latest("DatabaseDown").incident_id


@scenario
def test_a_child_that_still_fires_when_its_parent_recovers_is_told(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(5).fires("SlowSearch", severity=P3, service="search")
    timeline.at(100).resolves("DatabaseDown", severity=P1, service="db")
    timeline.between(101, 200).pages("SlowSearch")


@scenario
def test_a_p1_child_updates_the_page_of_its_parent(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(200).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.outcome("CheckoutDown", 0, "grouped", "parent_p1")
    timeline.between(200, 200).tells("updated", "DatabaseDown")


@scenario
def test_a_p1_child_pages_by_itself_when_its_parent_recovers(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(10).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.at(100).resolves("DatabaseDown", severity=P1, service="db")
    timeline.between(100, 100).tells("resolved", "DatabaseDown")
    timeline.between(100, 100).tells("fired", "CheckoutDown")


@scenario
def test_a_p1_child_pages_by_itself_when_the_parents_page_does_not_arrive(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(0).receiver("storage", "failed")
    timeline.at(1).fires("DatabaseDown", severity=P1, service="db")
    timeline.at(10).fires("CheckoutDown", severity=P1, service="checkout")
    timeline.between(25, 25).tells("fired", "CheckoutDown")


@scenario
def test_a_storm_of_related_alerts_is_one_incident(timeline: Timeline) -> None:
    with_topology(timeline)
    for number, service in enumerate(["checkout", "search", "api", "db", "checkout", "search"]):
        timeline.at(number).fires(f"Slow{number}", severity=P3, service=service)
    timeline.between(0, 100).tells("fired", times=1)
    timeline.then(lambda: check_incidents(timeline, 1))


@scenario
def test_unrelated_services_are_separate_incidents(timeline: Timeline) -> None:
    with_topology(timeline)
    timeline.at(0).fires("SlowSearch", severity=P3, service="search")
    timeline.at(1).fires("JobFailed", severity=P3, service="batch")
    timeline.between(30, 32).tells("fired", times=2)


# -- receivers ----------------------------------------------------------------------------------------------------------------------------


@scenario
def test_fired_and_resolved_while_every_receiver_was_down_is_told_once_as_both(timeline: Timeline) -> None:
    timeline.at(0).receiver("oncall", "failed").receiver("boss", "failed")
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.at(60).resolves("CheckoutDown", severity=P1)
    timeline.at(1200).receiver("oncall", None).receiver("boss", None)
    timeline.between(0, 1199).is_silent()
    timeline.between(1200, 3000).tells("fired_and_resolved", "CheckoutDown")
    timeline.between(1200, 3000).tells("fired", "CheckoutDown", times=0)


@scenario
def test_an_undeliverable_p1_reaches_the_second_receiver_within_two_minutes(timeline: Timeline) -> None:
    timeline.at(0).receiver("oncall", "silent")
    timeline.at(1).fires("CheckoutDown", severity=P1)
    timeline.between(1, 121).pages("CheckoutDown", receiver="boss")


@scenario
def test_nobody_acknowledges_and_the_backup_is_told(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    timeline.between(299, 301).pages("CheckoutDown", receiver="boss")


@scenario
def test_an_acknowledged_incident_does_not_escalate(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    feedback(timeline, 60, "acknowledge", "CheckoutDown")
    timeline.between(60, 60).tells("acknowledged", "CheckoutDown")
    timeline.between(61, 3000).is_silent()


# -- unreadable input -----------------------------------------------------------------------------------------------------------------


@scenario
def test_unreadable_input_is_one_grouped_incident_a_source(timeline: Timeline) -> None:
    for second in range(20):
        timeline.at(second).arrives(b"{nonsense", "zabbix")
    timeline.between(0, 600).pages("unreadable alerts from zabbix", times=1)
    timeline.then(lambda: check_no_decision(timeline))


def check_no_decision(timeline: Timeline) -> None:
    assert timeline.decided == []


@scenario
def test_an_alert_that_fires_on_after_a_person_resolved_it_is_told_again(timeline: Timeline) -> None:
    timeline.at(0).fires("CheckoutDown", severity=P1)
    feedback(timeline, 60, "resolve", "CheckoutDown")
    timeline.at(240).fires("CheckoutDown", severity=P1)
    timeline.between(60, 60).tells("resolved", "CheckoutDown")
    timeline.between(240, 240).pages("CheckoutDown")


@scenario
def test_a_silence_made_during_the_hold_holds_the_page(timeline: Timeline) -> None:
    timeline.at(0).fires("DiskFilling", severity=P3)
    silence(timeline, 10, minutes=10, service="checkout")
    timeline.between(0, 609).is_silent()
    timeline.between(610, 611).pages("DiskFilling")


@scenario
def test_repeats_of_a_flapping_p1_are_never_suppressed(timeline: Timeline) -> None:
    for cycle in range(5):
        timeline.at(cycle * 20).fires("Flappy", severity=P1)
        timeline.at(cycle * 20 + 5).resolves("Flappy", severity=P1)
    timeline.at(100).fires("Flappy", severity=P1)
    timeline.at(110).fires("Flappy", severity=P1)
    timeline.outcome("Flappy", 10, "grouped", "flapping_p1")
    timeline.outcome("Flappy", 11, "grouped", "repeat")
