"""Bodies within bounds of time and bytes."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from pipeline.api.body import BadEncoding, Budget, Gunzip, TooSlow, read_body


async def dripping(count: int, wait_s: float) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(wait_s)
        yield b"x"


def test_a_body_that_drips_is_given_up_and_its_bytes_are_given_back() -> None:
    budget = Budget()
    with pytest.raises(TooSlow):
        asyncio.run(read_body(dripping(100, 0.02), budget, gzip=False, read_s=0.1))
    assert budget.held == 0


def test_reading_stops_at_the_limit() -> None:
    budget = Budget()
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65_536
            yield b"x" * 65_536

    body = asyncio.run(read_body(endless(), budget, gzip=False, limit=1_000_000))
    assert not body.whole
    assert budget.held == len(body.data)
    assert read < 10_000_000


def test_unpacking_stops_at_the_limit_and_at_the_end() -> None:
    machine = Gunzip(1000)
    assert len(machine.feed(gzip.compress(b"x" * 1_000_000))) == 1001
    machine = Gunzip(1000)
    with pytest.raises(BadEncoding):
        machine.feed(gzip.compress(b"x") + b"more")
