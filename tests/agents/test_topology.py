from __future__ import annotations

from agents.topology import Graph
from schemas.topology import Service

GRAPH = Graph(
    [
        Service(name="web", depends_on=["api", "cdn"]),
        Service(name="api", depends_on=["db", "web"]),
        Service(name="db"),
    ]
)


def test_hops_upstream_nearest_first() -> None:
    assert GRAPH.upstream("web", 4) == {"web": 0, "api": 1, "cdn": 1, "db": 2}
    assert list(GRAPH.upstream("web", 4)) == ["web", "api", "cdn", "db"]


def test_a_cycle_ends() -> None:
    assert GRAPH.upstream("api", 10) == {"api": 0, "db": 1, "web": 1, "cdn": 2}


def test_hops_are_a_limit() -> None:
    assert GRAPH.upstream("web", 1) == {"web": 0, "api": 1, "cdn": 1}


def test_an_unknown_service_depends_on_nothing() -> None:
    assert GRAPH.upstream("nowhere", 4) == {"nowhere": 0}
