"""Tell one receiver about one incident until it is told: one row, one attempt outstanding, the newest word wins.

The decide lane keeps a `DeliveryRow` for each (incident, receiver) and calls `tell` when there is something to say, `on_receipt`
for each receipt, and `on_timer` at each time that a `Step` named. Every step answers with the row to keep, at most one `Delivery`
to emit, and what to record.

Times are epoch milliseconds on the decide lane's clock. Nothing here raises for a receipt or timer that no longer fits: it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec

from agents.notify.merge import CLOSING, PAGES, is_over, merged
from agents.notify.policy import DeliveryPolicy
from schemas.base import Severity, from_ms, to_ms
from schemas.effect import Delivery, Receipt, Transition
from schemas.incident import Incident, Notified

SUPERSEDED_KEPT = 4
"""Attempts of unknown outcome whose content was replaced: a late `done` still counts. Four cover a minute of overdue receipts."""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """An effect that was asked for and then replaced, so that its late receipt can be understood."""

    effect_id: str
    transition: str
    severity: str


class Wanted(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to tell. `incident` is its JSON, kept until it is told; `due`: the receipt is overdue, or the next attempt starts."""

    transition: str
    revision: int
    severity: str
    incident: bytes
    since: int
    effect_id: str = ""
    attempt: int = 0
    tries: int = 0
    deferrals: int = 0
    silent: int = 0
    due: int = 0
    outstanding: bool = False


class DeliveryRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one receiver knows of one incident, and what it is still to be told. Under 150 bytes when nothing is wanted."""

    incident_id: str
    receiver: str
    told: str = ""
    """The last transition that the receiver confirmed."""
    unsure: bool = False
    """A fire was attempted and neither it nor what followed was confirmed: the receiver may believe that it burns."""
    current: Wanted | None = None
    pending: Wanted | None = None
    page_since: int = 0
    """A P1 page is wanted since then and is not delivered; 0 when there is none."""
    page_reported: bool = False
    superseded: list[Asked] = msgspec.field(default_factory=list)

    @property
    def idle(self) -> bool:
        return self.current is None and self.pending is None

    @property
    def blank(self) -> bool:
        """Nothing was ever told or tried: the row need not be kept."""
        return self.idle and not self.told and not self.unsure

    @property
    def open_there(self) -> bool:
        """Whether the receiver was told that it burns and not that it is over."""
        return bool(self.told) and Transition(self.told) not in CLOSING


@dataclass(frozen=True, slots=True)
class Step:
    """What one step decided. Each flag is raised by exactly one step."""

    row: DeliveryRow
    ask: Delivery | None = None
    timer: int | None = None
    """Call `on_timer` at this time. The same time again is the same timer; one too many does no harm."""
    told: Notified | None = None
    """The receiver confirmed: belongs into the incident's `notified`."""
    undeliverable: bool = False
    """A P1 page has not come through: tell the backup receiver now."""
    gave_up: bool = False
    """Nothing more is tried for `dropped`: dead-letter it."""
    rejected: bool = False
    """The receiver will never take `dropped` (bad key, bad request): a person must look at the configuration."""
    dropped: Delivery | None = None
    reason: str = ""


def effect_id(incident_id: str, receiver: str, revision: int, transition: Transition) -> str:
    """The idempotency key: the same for every attempt at this transition to this receiver, on any worker."""
    text = "\x1f".join((incident_id, receiver, str(revision), transition.value))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def tell(row: DeliveryRow | None, *, receiver: str, transition: Transition, incident: Incident, now: int, policy: DeliveryPolicy) -> Step:
    """Something is to be told. Each transition needs its own revision of the incident.

    A resolve that nobody could have missed (no fire was told or tried) is not told.
    """
    row = row or DeliveryRow(incident.incident_id, receiver)
    new_page = transition in PAGES and incident.severity is Severity.P1 and not row.page_since
    if transition in CLOSING:
        row = _without_page(row)
    elif new_page:
        row = msgspec.structs.replace(row, page_since=now)
    wanted = Wanted(transition.value, incident.revision, incident.severity.value, incident.to_json(), now)
    current = row.current
    if current is None:
        return _start(row, wanted, now, policy, incident)
    if current.revision >= wanted.revision and current.transition == wanted.transition:
        return _step(row, policy)
    if current.outstanding:
        pending = wanted if row.pending is None else _merge(row.pending, wanted, incident)
        return _step(msgspec.structs.replace(row, pending=pending), policy)
    row = msgspec.structs.replace(_supersede(row, current), current=None)
    fresh = _carry(_merge(current, wanted, incident), current)
    if new_page:
        return _start(row, fresh, now, policy, incident)  # a P1 never waits for the back-off of something milder
    return _step(msgspec.structs.replace(row, current=_named(row, fresh)), policy)


def on_receipt(row: DeliveryRow, receipt: Receipt, now: int, policy: DeliveryPolicy) -> Step:
    """A receipt came. Only the attempt that is outstanding may fail; `done` counts whenever it comes."""
    current = row.current
    mine = current is not None and current.effect_id == receipt.effect_id and current.attempt > 0
    if receipt.status == "done":
        if mine and current is not None:
            return _done(row, current, receipt, now, policy)
        return _done_late(row, receipt, policy)
    if current is None or not mine or not current.outstanding or receipt.attempt != current.attempt:
        return _step(row, policy)
    if receipt.status == "rejected":
        return _rejected(row, current, receipt, now, policy)
    if receipt.status == "deferred":
        wait = policy.deferral(current.effect_id, current.attempt, current.deferrals, page=bool(row.page_since))
        current = msgspec.structs.replace(current, deferrals=current.deferrals + 1, silent=0)
    else:
        wait = policy.backoff(current.effect_id, current.attempt, current.tries, page=bool(row.page_since))
        current = msgspec.structs.replace(current, tries=current.tries + 1, silent=0)
    due = now + max(wait, min(receipt.retry_after_ms or 0, policy.retry_after_max))
    row = msgspec.structs.replace(row, current=msgspec.structs.replace(current, outstanding=False, due=due))
    return _take_pending(row, policy)


def on_timer(row: DeliveryRow, due: int, now: int, policy: DeliveryPolicy) -> Step:
    """A timer that a step named is due: a receipt is overdue, a back-off is over, or a P1 page took too long."""
    now = max(now, due)
    late = row.current is not None and _page_due(row, policy) is not None and now >= (_page_due(row, policy) or 0)
    if late:
        row = msgspec.structs.replace(row, page_reported=True)
    step = _advance(row, now, policy)
    if not late:
        return step
    text = f"a P1 page to {row.receiver} was not delivered within {policy.second_receiver_after // 1000} s"
    return replace(step, undeliverable=True, reason=step.reason or text)


def _advance(row: DeliveryRow, now: int, policy: DeliveryPolicy) -> Step:
    current = row.current
    if current is None or now < current.due:
        return _step(row, policy)
    if current.outstanding:
        current = msgspec.structs.replace(current, outstanding=False, silent=current.silent + 1)
        row = _take_pending(msgspec.structs.replace(row, current=current), policy).row
        current = row.current
    if current is not None and now - current.since >= policy.give_up_after:
        hours = policy.give_up_after / 3_600_000
        return Step(
            msgspec.structs.replace(_supersede(row, current), current=None),
            gave_up=True,
            dropped=_delivery(row, current, now, now),
            reason=f"{row.receiver} could not be told within {hours:g} h ({current.tries} failed attempts)",
        )
    return _ask(row, now, policy)


def _start(row: DeliveryRow, wanted: Wanted, now: int, policy: DeliveryPolicy, incident: Incident | None = None) -> Step:
    wanted = _named(row, wanted)
    if wanted.transition == Transition.RESOLVED and not row.open_there:
        return _step(row, policy)  # nothing was told or tried
    return _ask(msgspec.structs.replace(row, current=wanted), now, policy, incident)


def _named(row: DeliveryRow, wanted: Wanted) -> Wanted:
    """Settles the words of an end by what the receiver knows, and the idempotency key with them."""
    transition = Transition(wanted.transition)
    if transition in CLOSING:
        if row.open_there:
            transition = Transition.RESOLVED
        elif row.unsure:
            transition = Transition.FIRED_AND_RESOLVED
    key = effect_id(row.incident_id, row.receiver, wanted.revision, transition)
    return msgspec.structs.replace(wanted, transition=transition.value, effect_id=key)


def _ask(row: DeliveryRow, now: int, policy: DeliveryPolicy, incident: Incident | None = None) -> Step:
    current = row.current
    if current is None:
        return _step(row, policy)
    deadline = now + policy.patience(row.receiver, current.silent)
    current = msgspec.structs.replace(current, attempt=current.attempt + 1, outstanding=True, due=deadline)
    unsure = row.unsure or Transition(current.transition) not in CLOSING
    row = msgspec.structs.replace(row, current=current, unsure=unsure)
    return _step(row, policy, ask=_delivery(row, current, now, deadline, incident))


def _delivery(row: DeliveryRow, wanted: Wanted, now: int, deadline: int, incident: Incident | None = None) -> Delivery:
    return Delivery(
        effect_id=wanted.effect_id,
        attempt=wanted.attempt,
        receiver=row.receiver,
        transition=Transition(wanted.transition),
        incident=incident or Incident.from_json(wanted.incident),
        asked_at=from_ms(now),
        deadline=from_ms(deadline),
    )


def _done(row: DeliveryRow, current: Wanted, receipt: Receipt, now: int, policy: DeliveryPolicy) -> Step:
    pending = row.pending
    row = _confirmed(row, current.transition, current.severity)
    row = msgspec.structs.replace(row, current=None, pending=None, superseded=[], unsure=False)
    told = Notified(receiver=row.receiver, at=receipt.at, reason=current.transition, attempt=receipt.attempt)
    if pending is None:
        return _step(row, policy, told=told)
    return replace(_start(row, pending, now, policy), told=told)


def _done_late(row: DeliveryRow, receipt: Receipt, policy: DeliveryPolicy) -> Step:
    """An attempt that was given up on came through after all. What replaced it is still told: it is newer."""
    known = next((asked for asked in row.superseded if asked.effect_id == receipt.effect_id), None)
    if known is None:
        return _step(row, policy)
    left = [asked for asked in row.superseded if asked is not known]
    row = msgspec.structs.replace(_confirmed(row, known.transition, known.severity), superseded=left)
    told = Notified(receiver=row.receiver, at=receipt.at, reason=known.transition, attempt=receipt.attempt)
    return _step(row, policy, told=told)


def _confirmed(row: DeliveryRow, transition: str, severity: str) -> DeliveryRow:
    row = msgspec.structs.replace(row, told=transition)
    paged = severity == Severity.P1 and Transition(transition) not in CLOSING
    return _without_page(row) if paged else row


def _rejected(row: DeliveryRow, current: Wanted, receipt: Receipt, now: int, policy: DeliveryPolicy) -> Step:
    alarm = bool(row.page_since) and not row.page_reported
    dropped = _delivery(row, current, now, to_ms(receipt.at))
    row = msgspec.structs.replace(row, page_reported=row.page_reported or alarm)
    pending = row.pending
    bare = msgspec.structs.replace(row, current=None, pending=None)
    step = Step(bare)
    if pending is not None:
        step = _start(bare, _merge(current, pending, None), now, policy)
    reason = f"{row.receiver} rejected it: {receipt.detail or 'no reason given'}"
    return replace(step, undeliverable=alarm, rejected=True, dropped=dropped, reason=reason)


def _take_pending(row: DeliveryRow, policy: DeliveryPolicy) -> Step:
    """The attempt is over without success: what waited behind it takes its place, on the same schedule."""
    current, pending = row.current, row.pending
    if current is None or pending is None:
        return _step(row, policy)
    row = msgspec.structs.replace(_supersede(row, current), pending=None, current=None)
    fresh = _carry(_merge(current, pending, None), current)
    return _step(msgspec.structs.replace(row, current=_named(row, fresh)), policy)


def _merge(unsent: Wanted, new: Wanted, incident: Incident | None) -> Wanted:
    over = is_over(incident or Incident.from_json(new.incident))
    transition = merged(Transition(unsent.transition), Transition(new.transition), over=over)
    return msgspec.structs.replace(new, transition=transition.value)


def _carry(wanted: Wanted, before: Wanted) -> Wanted:
    """The receiver is as ill as it was: new content keeps the back-off of the old."""
    return msgspec.structs.replace(wanted, tries=before.tries, deferrals=before.deferrals, silent=before.silent, due=before.due)


def _supersede(row: DeliveryRow, wanted: Wanted) -> DeliveryRow:
    if wanted.attempt == 0:
        return row
    asked = Asked(wanted.effect_id, wanted.transition, wanted.severity)
    return msgspec.structs.replace(row, superseded=[*row.superseded, asked][-SUPERSEDED_KEPT:])


def _without_page(row: DeliveryRow) -> DeliveryRow:
    return msgspec.structs.replace(row, page_since=0, page_reported=False)


def _page_due(row: DeliveryRow, policy: DeliveryPolicy) -> int | None:
    return row.page_since + policy.second_receiver_after if row.page_since and not row.page_reported else None


def _step(row: DeliveryRow, policy: DeliveryPolicy, ask: Delivery | None = None, told: Notified | None = None) -> Step:
    timer = None
    if row.current is not None:
        page = _page_due(row, policy)
        timer = row.current.due if page is None else min(page, row.current.due)
    return Step(row, ask=ask, timer=timer, told=told)
