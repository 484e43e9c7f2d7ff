"""Effects: what the stages asked to be told becomes deliveries, and receipts become facts of the incident.

The state machine of one receiver and one incident is `agents.notify.delivery`; here it meets the state, the timers and the topics.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.case import Tell, Turn
from agents.incidents import PAGES, is_open, load, may_purge, note
from agents.notify.delivery import DeliveryRow, Step, on_receipt, on_timer, tell
from agents.notify.policy import DeliveryPolicy
from agents.rows import IncidentRow
from agents.state import Store
from pipeline.decide.messages import LISTED_IN_DELIVERY, incident_message, revise
from pipeline.engine.processor import Context
from schemas.base import Severity, to_ms
from schemas.effect import Delivery, Receipt, Transition

DELIVERIES = Store("delivery", DeliveryRow)
DeadLetter = Callable[[Context, Delivery, str, str], None]


class Deliveries:
    """Tells receivers on behalf of one decide lane. `dead_letter(context, delivery, reason, error)` sets aside what nobody will take."""

    def __init__(self, policy: DeliveryPolicy, dead_letter: DeadLetter, *, shadow: bool = False) -> None:
        """`shadow`: the act lane tells nobody, and what is written down says so."""
        self.shadow = shadow
        self.policy = policy
        self.dead_letter = dead_letter

    def carry_out(self, turn: Turn, context: Context) -> None:
        """Turn every `tell` of the turn into steps of its receivers. May ask for more tells (a backup receiver)."""
        while turn.tells:
            asked = turn.tells.pop(0)
            for receiver in asked.receivers:
                self.tell_one(turn, context, asked.incident, receiver, asked.transition)

    def tell_one(self, turn: Turn, context: Context, row: IncidentRow, receiver: str, transition: Transition) -> None:
        key = f"{row.incident_id}|{receiver}"
        revise(row, turn)
        turn.publish.add(row.incident_id)
        message = incident_message(row, turn, LISTED_IN_DELIVERY, paging=True)
        known = DELIVERIES.get(turn.state, key)
        self.apply(
            turn, context, row, tell(known, receiver=receiver, transition=transition, incident=message, now=turn.now, policy=self.policy)
        )

    def receipt(self, turn: Turn, context: Context, receipt: Receipt) -> None:
        known = DELIVERIES.get(turn.state, f"{receipt.incident_id}|{receipt.receiver}")
        row = load(turn, receipt.incident_id)
        if known is not None and row is not None:
            self.apply(turn, context, row, on_receipt(known, receipt, turn.now, self.policy))
            self.carry_out(turn, context)

    def timer(self, turn: Turn, context: Context, key: str, due: int) -> None:
        known = DELIVERIES.get(turn.state, key)
        row = load(turn, key.split("|", 1)[0])
        if known is not None and row is not None:
            self.apply(turn, context, row, on_timer(known, due, turn.now, self.policy))
            self.carry_out(turn, context)

    def forget(self, turn: Turn, incident_id: str) -> bool:
        """Drop what is kept of the receivers of an incident that may be forgotten; False while one of them is still to be told."""
        row = load(turn, incident_id)
        if row is None or not may_purge(turn, incident_id):
            return True
        known = [one for receiver in row.receivers if (one := DELIVERIES.get(turn.state, f"{incident_id}|{receiver}")) is not None]
        if not all(one.idle for one in known):
            return False
        for one in known:
            DELIVERIES.delete(turn.state, f"{incident_id}|{one.receiver}")
        return True

    def apply(self, turn: Turn, context: Context, row: IncidentRow, step: Step) -> None:
        key = f"{row.incident_id}|{step.row.receiver}"
        if step.row.blank or (step.row.idle and not is_open(row) and not step.row.open_there):
            DELIVERIES.delete(turn.state, key)
        else:
            DELIVERIES.put(turn.state, key, step.row)
        if step.ask is not None:
            context.emit("effects.delivery", row.incident_id.encode(), step.ask.to_json())
        if step.timer is not None:
            context.at(step.timer, "delivery", key)
        if step.told is not None:
            told = step.told
            row.notified = [
                *row.notified,
                (told.receiver, to_ms(told.at), f"shadow_{told.reason}" if self.shadow else told.reason, told.attempt),
            ][-50:]
            row.page_confirmed = row.page_confirmed or Transition(told.reason) in PAGES
            note(row, turn.now, f"{told.receiver} {'would have been' if self.shadow else 'was'} told: {told.reason}")
            turn.publish.add(row.incident_id)
        if step.dropped is not None:
            self.dead_letter(context, step.dropped, "rejected" if step.rejected else "gave_up", step.reason)
            note(row, turn.now, step.reason)
            turn.publish.add(row.incident_id)
        if step.undeliverable:
            self.second_receiver(turn, row, step)

    def second_receiver(self, turn: Turn, row: IncidentRow, step: Step) -> None:
        """A P1 that one receiver cannot be told goes to its backup."""
        backup = turn.world.backup(step.row.receiver)
        turn.publish.add(row.incident_id)
        if backup is None:
            note(row, turn.now, f"{step.reason}; there is no backup receiver")
        elif backup in row.receivers or row.severity != Severity.P1 or not is_open(row):
            note(row, turn.now, step.reason)
        else:
            note(row, turn.now, f"{step.reason}; telling {backup}")
            row.receivers = [*row.receivers, backup]
            turn.tells.append(Tell(row, Transition.FIRED, (backup,)))
