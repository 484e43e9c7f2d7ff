"""State of N series as numpy arrays with named rows, and as bytes.

`fast` holds float32 rows, `exact` float64 rows (times, origins); both have one column a series, so that a step over all series runs along
contiguous memory. The bytes carry a magic word, a version, a name and the layout's digest; others are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Fast = NDArray[np.float32]
Exact = NDArray[np.float64]
Index = NDArray[np.intp]

MAGIC = b"FXAN"
VERSION = 1
HEADER = struct.Struct("<4sH8sQ")


class WrongState(ValueError):
    """These bytes are not the state of this detector. A retry does not help: start empty or migrate."""


class Layout:
    """Rows by name: `fast` and `exact` give the number of rows of each name."""

    def __init__(self, fast: Mapping[str, int], exact: Mapping[str, int]) -> None:
        self.fast = MappingProxyType(slices(fast))
        self.exact = MappingProxyType(slices(exact))
        self.fast_rows, self.exact_rows = sum(fast.values()), sum(exact.values())
        self.digest = blake2b(repr((sorted(fast.items()), sorted(exact.items()))).encode(), digest_size=8).digest()


def slices(rows: Mapping[str, int]) -> dict[str, slice]:
    found, start = {}, 0
    for name, count in rows.items():
        found[name] = slice(start, start + count)
        start += count
    return found


class Arrays:
    """The state of `size` series. Columns are series; an empty series is all zero."""

    def __init__(self, layout: Layout, size: int) -> None:
        self.layout = layout
        self.fast: Fast = np.zeros((layout.fast_rows, size), np.float32)
        self.exact: Exact = np.zeros((layout.exact_rows, size), np.float64)

    @property
    def size(self) -> int:
        return int(self.fast.shape[1])

    @property
    def bytes_per_series(self) -> int:
        return 4 * self.layout.fast_rows + 8 * self.layout.exact_rows

    def rows(self, name: str) -> Fast:
        """A view: (rows, series), or (series,) where the name has one row."""
        where = self.layout.fast[name]
        return self.fast[where.start] if where.stop - where.start == 1 else self.fast[where]

    def times(self, name: str) -> Exact:
        row: Exact = self.exact[self.layout.exact[name].start]
        return row

    def columns(self, first: int, last: int) -> Arrays:
        """A view of the series first..last-1: what is written there is written here."""
        part = Arrays.__new__(Arrays)
        part.layout, part.fast, part.exact = self.layout, self.fast[:, first:last], self.exact[:, first:last]
        return part

    def take(self, series: Index, before: str) -> Arrays:
        """A copy of these series, of the float32 rows only those before that name: profiles are long and a sample touches two cells."""
        part = Arrays.__new__(Arrays)
        part.layout, part.fast, part.exact = self.layout, self.fast[: self.layout.fast[before].start, series], self.exact[:, series]
        return part

    def put(self, series: Index, part: Arrays) -> None:
        self.fast[: len(part.fast), series] = part.fast
        self.exact[:, series] = part.exact

    def clear(self, series: Index) -> None:
        """Forget these series: their columns may be given to others."""
        self.fast[:, series] = 0
        self.exact[:, series] = 0

    def grow(self, size: int) -> None:
        """Room for `size` series; those that are there stay."""
        more = size - self.size
        if more > 0:
            self.fast = np.concatenate([self.fast, np.zeros((len(self.fast), more), np.float32)], axis=1)
            self.exact = np.concatenate([self.exact, np.zeros((len(self.exact), more), np.float64)], axis=1)

    def to_bytes(self) -> bytes:
        head = HEADER.pack(MAGIC, VERSION, self.layout.digest, self.size)
        return head + self.fast.astype("<f4").tobytes() + self.exact.astype("<f8").tobytes()

    @classmethod
    def from_bytes(cls, layout: Layout, data: bytes) -> Arrays:
        if len(data) < HEADER.size:
            raise WrongState("too short for a header")
        magic, version, digest, size = HEADER.unpack_from(data)
        if magic != MAGIC or version != VERSION or digest != layout.digest:
            raise WrongState(f"another format: magic {magic!r}, version {version}, layout {digest.hex()}")
        cut = HEADER.size + 4 * layout.fast_rows * size
        if len(data) != cut + 8 * layout.exact_rows * size:
            raise WrongState(f"{len(data)} bytes are not {size} series")
        state = cls(layout, 0)
        state.fast = np.frombuffer(data[HEADER.size : cut], "<f4").astype(np.float32).reshape(layout.fast_rows, size)
        state.exact = np.frombuffer(data[cut:], "<f8").astype(np.float64).reshape(layout.exact_rows, size)
        return state
