"""Typed rows over a byte map: what a stage remembers between events.

A stage declares its store in one line; the engine that keeps the bytes knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import msgspec

Row = TypeVar("Row", bound=msgspec.Struct)


class ByteMap(Protocol):
    """What the engine's context offers: the bytes of one task, as of this event."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...


@dataclass(frozen=True)
class Store(Generic[Row]):
    """A named kind of row. Rows are msgspec structs, kept as MessagePack; `name` is part of the key and must not change."""

    name: str
    row: type[Row]
    prefix: bytes = field(init=False)
    decode: Callable[[bytes], Row] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefix", self.name.encode() + b"|")
        object.__setattr__(self, "decode", msgspec.msgpack.Decoder(self.row).decode)

    def get(self, state: ByteMap, key: str) -> Row | None:
        data = state.get(self.prefix + key.encode())
        return None if data is None else self.decode(data)

    def put(self, state: ByteMap, key: str, row: Row) -> None:
        state.put(self.prefix + key.encode(), ENCODE(row))

    def delete(self, state: ByteMap, key: str) -> None:
        state.delete(self.prefix + key.encode())


ENCODE = msgspec.msgpack.Encoder().encode
