"""The service graph: what a service depends on, directly and further up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from schemas.topology import Service


class Graph:
    """An immutable view of the topology. Unknown services depend on nothing; cycles are allowed."""

    def __init__(self, services: Iterable[Service] = (), version: int = 0) -> None:
        self.services: dict[str, Service] = {service.name: service for service in services}
        self.version = version
        self._users: dict[str, list[Service]] = {}
        for service in self.services.values():
            for dependency in service.depends_on:
                self._users.setdefault(dependency, []).append(service)
        self._upstream: dict[tuple[str, int], dict[str, int]] = {}

    def get(self, name: str) -> Service | None:
        return self.services.get(name)

    def users(self, name: str) -> list[Service]:
        """Services that depend on `name` directly."""
        return self._users.get(name, [])

    def upstream(self, name: str, hops: int) -> dict[str, int]:
        """Services that `name` depends on, within `hops`, and itself at 0: name to hops, nearest first."""
        found = self._upstream.get((name, hops))
        if found is not None:
            return found
        found = {name: 0}
        queue = deque([name])
        while queue:
            here = queue.popleft()
            distance = found[here] + 1
            service = self.services.get(here)
            if service is None or distance > hops:
                continue
            for dependency in service.depends_on:
                if dependency not in found:
                    found[dependency] = distance
                    queue.append(dependency)
        if len(self._upstream) < 100_000:  # names come from alerts: an unbounded memory would be an attack
            self._upstream[(name, hops)] = found
        return found
