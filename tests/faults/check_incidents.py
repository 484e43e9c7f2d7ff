"""Incidents and what was told of them, against the decisions and the ledger: each told when it should be, once, in order, to its end."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.faults.check_events import Alert, Decided

OVER = ("resolved", "false_positive")
ENDS = ("resolved", "fired_and_resolved")
FIRES = ("fired", "fired_and_resolved")
TOLD = ("status", "severity", "title", "service", "alert_count", "opened_at", "resolved_at")
NOTICE = "unreadable alerts from "
SLACK_S = 0.005


@dataclass
class Story:
    """One incident: its decisions, revisions, effects and receipts, each in order."""

    decisions: list[Decided] = field(default_factory=list)
    revisions: list[dict[str, Any]] = field(default_factory=list)
    effects: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def asked(self) -> dict[str, dict[str, Any]]:
        """Each effect by its id, as first asked for, in order."""
        found: dict[str, dict[str, Any]] = {}
        for one in self.effects:
            found.setdefault(one["effect_id"], one)
        return found

    @property
    def done(self) -> set[str]:
        return {one["effect_id"] for one in self.receipts if one["status"] == "done"}

    def episodes(self) -> list[list[Decided]]:
        """From the first alert that fires to the last that ends. One that is held back begins none."""
        firing: set[str] = set()
        found: list[list[Decided]] = []
        for one in self.decisions:
            if one.entry["status"] == "firing" and one.body["outcome"] != "suppressed":
                if not firing:
                    found.append([])
                firing.add(one.entry["key"])
            if found:
                found[-1].append(one)
            if one.entry["status"] == "resolved" or one.entry.get("over"):
                firing.discard(one.entry["key"])
        return found


def gather(decided: list[Decided], revisions: list[Any], effects: list[Any], receipts: list[Any]) -> dict[str, Story]:
    stories: defaultdict[str, Story] = defaultdict(Story)
    for one in decided:
        if one.body["incident_id"] is not None:
            stories[one.body["incident_id"]].decisions.append(one)
    for message in revisions:
        body = json.loads(message.value())
        stories[body["incident_id"]].revisions.append(body)
    for message in effects:
        body = json.loads(message.value())
        stories[body["incident"]["incident_id"]].effects.append(body)
    for message in receipts:
        body = json.loads(message.value())
        stories[body["incident_id"]].receipts.append(body)
    return dict(stories)


def check_incidents(stories: dict[str, Story], alerts: dict[str, Alert], hold_s: float | None, wrong: list[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for name, story in stories.items():
        problems: list[str] = []
        check_revisions(story, problems)
        check_effects(story, problems)
        if story.decisions and story.revisions:
            check_end(story, alerts, problems)
            check_told(story, hold_s, problems, counts)
        elif story.revisions and story.revisions[-1]["title"].startswith(NOTICE):
            check_notice(story, problems)
        wrong += [f"incident {name}: {problem}" for problem in problems]
        for one in story.decisions:
            groups[one.entry["domain"], one.entry["service"]].add(name)
        counts["incidents"] += 1
        counts["revisions"] += len(story.revisions)
        counts["effects"] += len(story.asked)
        counts["attempts"] += len(story.effects)
        counts["receipts"] += len(story.receipts)
    wrong += [f"{service} has the incidents {sorted(names)}" for service, names in groups.items() if len(names) > 1]
    return counts


def check_revisions(story: Story, wrong: list[str]) -> None:
    """From 1 without a gap, none twice; what is told is what was published under that number."""
    published = {one["revision"]: one for one in story.revisions}
    numbers = [one["revision"] for one in story.revisions]
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        wrong.append(f"its revisions are {numbers}")
    for one in story.effects:
        told, known = one["incident"], published.get(one["incident"]["revision"], {})
        if [told[name] for name in TOLD] != [known.get(name) for name in TOLD]:
            wrong.append(f"effect {one['effect_id']} tells of revision {told['revision']} what was not published so")
    carried = {(one["receiver"], one["incident"]["revision"], one["transition"]): one["effect_id"] for one in story.effects}
    if len(set(carried.values())) != len(carried):
        wrong.append("two transitions share an effect id")


def check_effects(story: Story, wrong: list[str]) -> None:
    """Attempts count from 1 without a gap, each asked for once, and only after the one before it was answered or given up."""
    attempts: defaultdict[str, list[int]] = defaultdict(list)
    for one in story.effects:
        attempts[one["effect_id"]].append(one["attempt"])
    wrong += [f"effect {name} was asked for in the attempts {found}" for name, found in attempts.items()
              if found != list(range(1, len(found) + 1))]  # fmt: skip
    for one in story.receipts:
        if one["attempt"] > len(attempts.get(one["effect_id"], ())):
            wrong.append(f"a receipt of {one['effect_id']} attempt {one['attempt']}, which was never asked for")
    latest: dict[str, int] = {}
    for one in story.effects:
        if one["attempt"] == 1 and one["incident"]["revision"] < latest.get(one["receiver"], 0):
            wrong.append(f"{one['receiver']} is told revision {one['incident']['revision']} after {latest[one['receiver']]}")
        latest[one["receiver"]] = max(latest.get(one["receiver"], 0), one["incident"]["revision"])


def check_end(story: Story, alerts: dict[str, Alert], wrong: list[str]) -> None:
    """The last revision says what the last events of its alerts imply."""
    last = story.revisions[-1]
    members = {one.entry["key"]: alerts[one.entry["key"]] for one in story.decisions}
    firing = sorted(key for key, alert in members.items() if alert.firing)
    if (last["status"] in OVER) == bool(firing):
        wrong.append(f"it ended {last['status']} and {firing} fire")
    episode = story.episodes()[-1]
    severity = min(one.body["severity"] for one in episode if one.entry["status"] == "firing")
    if last["severity"] != severity:
        wrong.append(f"its severity is {last['severity']}, that of its alerts {severity}")
    wanted = {next(iter(alert.fingerprints)): (alert.count, "firing" if alert.firing else "resolved") for alert in members.values()}
    listed = {one["fingerprint"]: (one["count"], one["status"]) for one in last["alerts"]}
    if listed != wanted:
        wrong.append(f"its alerts are {listed}, should be {wanted}")
    if last["alert_count"] != len(members):
        wrong.append(f"it counts {last['alert_count']} alerts and had {len(members)}")


def check_told(story: Story, hold_s: float | None, wrong: list[str], counts: Counter[str]) -> None:
    """Each episode that was not withdrawn was told, each that was withdrawn was not, and the receiver's last word is the truth."""
    episodes = story.episodes()
    told = [one for one in episodes if not any(each.code == "resolved/resolve_withdrawn" for each in one)]
    asked = story.asked
    fires = [one for one in asked.values() if one["transition"] in FIRES]
    flapped = [one for one in asked.values() if one["transition"] == "flapping"]
    counts["episodes"] += len(episodes)
    counts["told"] += len(told)
    if not told and asked and not flapped:
        wrong.append(f"its page was withdrawn, and {sorted(one['transition'] for one in asked.values())} were asked for")
    receivers = {one["receiver"] for one in asked.values()}
    unanswered = {name for name in asked if name not in story.done}
    for receiver in receivers or {"anybody"} if told else ():
        mine = [one for one in fires + flapped if one["receiver"] == receiver]
        if not mine or (len(mine) != len(told) and not unanswered):
            wrong.append(f"{receiver} was told of {len(mine)} of its {len(told)} episodes")
    for receiver in receivers:
        final = [one for one in story.effects if one["receiver"] == receiver][-1]
        if final["effect_id"] not in story.done:
            wrong.append(f"{receiver} never confirmed {final['transition']}")
        if (final["transition"] in ENDS) != (story.revisions[-1]["status"] in OVER):
            wrong.append(f"{receiver} heard {final['transition']} last, it is {story.revisions[-1]['status']}")
    confirmed = len(story.revisions[-1]["notified"])
    if not unanswered and confirmed != min(50, len(story.done)):
        wrong.append(f"it says that {confirmed} messages were confirmed, receipts say {len(story.done)}")
    if fires:
        check_first_page(story, episodes, fires[0], hold_s, wrong)


def check_notice(story: Story, wrong: list[str]) -> None:
    """Unreadable input is one incident a source, told once."""
    fires = [name for name, one in story.asked.items() if one["transition"] in FIRES]
    if story.revisions[-1]["status"] in OVER or len(fires) != 1 or fires[0] not in story.done:
        wrong.append(f"a notice is {story.revisions[-1]['status']} and was told by {fires}")


def check_first_page(story: Story, episodes: list[list[Decided]], first: dict[str, Any], hold_s: float | None, wrong: list[str]) -> None:
    """A P1 is asked to be told in the very step that decides it; milder ones not before their hold is over."""
    for episode in episodes:
        if not any(one.code == "resolved/resolve_withdrawn" for one in episode):
            break
    opened = seconds(episode[0].body["decided_at"])
    critical = [one for one in episode if one.body["severity"] == "P1" and one.entry["status"] == "firing"]
    urgent = seconds(critical[0].body["decided_at"]) if critical else None
    asked = seconds(first["asked_at"])
    if urgent is not None and asked - urgent > SLACK_S:
        wrong.append(f"its P1 was decided at {urgent} and told at {asked}")
    if urgent is None and hold_s is not None and asked - opened < hold_s - SLACK_S:
        wrong.append(f"it was told {asked - opened:.3f} s after it opened, held should it be {hold_s} s")


def check_acknowledged(feedback: list[Any], stories: dict[str, Story], wrong: list[str]) -> None:
    """What a person said stands once in the timeline."""
    for message in feedback:
        body = json.loads(message.value())
        story = stories.get(body["incident_id"])
        said = [entry for entry in story.revisions[-1]["timeline"] if entry["by"] == body["by"]] if story else []
        if len(said) != 1:
            wrong.append(f"incident {body['incident_id']}: {body['by']} spoke once, the timeline has it {len(said)} times")


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
