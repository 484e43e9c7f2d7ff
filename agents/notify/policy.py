"""How long a receiver may take, and how long we wait between attempts. All times in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    timeout: int = 10_000
    """Of one attempt, where `timeouts` has no value for the receiver."""
    timeouts: Mapping[str, int] = field(default_factory=dict)
    slack: int = 15_000
    """What the way to the act lane and back may take beyond the attempt itself."""
    second_receiver_after: int = 90_000
    """With the backup's own first attempt this stays within the two minutes promised."""
    give_up_after: int = 24 * 3_600_000
    backoff_first: int = 1_000
    backoff_max: int = 300_000
    backoff_max_page: int = 60_000
    """While a P1 page waits: a receiver that comes back is found within a minute."""
    deferral_first: int = 1_000
    deferral_max: int = 15_000
    deferral_max_page: int = 2_000
    retry_after_max: int = 3_600_000
    """A receiver cannot put us off for longer than this."""

    def patience(self, receiver: str, silent: int) -> int:
        """From asking until the receipt is overdue. When `silent` of them did not come the lane is down: asking often would not wake it."""
        return self.timeouts.get(receiver, self.timeout) + min(self.slack << min(silent, 10), self.backoff_max)

    def backoff(self, effect_id: str, attempt: int, tries: int, *, page: bool) -> int:
        """After a failure, when `tries` had failed before it."""
        return _spread(self.backoff_first, self.backoff_max_page if page else self.backoff_max, tries, effect_id, attempt)

    def deferral(self, effect_id: str, attempt: int, deferrals: int, *, page: bool) -> int:
        """After a busy receiver was not tried at all."""
        return _spread(self.deferral_first, self.deferral_max_page if page else self.deferral_max, deferrals, effect_id, attempt)


def _spread(first: int, most: int, steps: int, effect_id: str, attempt: int) -> int:
    """Doubles with each step, times 0.75 to 1.25 by a hash: what failed together does not come back together, and replay agrees."""
    fraction = int.from_bytes(blake2b(f"{effect_id}|{attempt}".encode(), digest_size=4).digest()) / 0xFFFFFFFF
    wait = min(most, first << min(steps, 20))
    return max(first, min(most, round(wait * (0.75 + fraction / 2))))
