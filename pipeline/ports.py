"""Which TCP ports of this machine are free, and which of them another run of ours is about to use."""

from __future__ import annotations

import socket

TRIES = 50


class Ports:
    """Ports for processes that will listen on them later. Until `close` no other `Ports` on this machine takes them.

    A port is held by its number in UDP, which nobody else wants: holding it in TCP would be in the way of the process it is for, and a
    probe alone lets two runs that start at the same time choose the same ports. The operating system lets go with the process.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self, host: str, port: int) -> bool:
        """Whether the port was free, and is now held."""
        if not port_is_free(host, port):
            return False
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            return False
        self._held.append(mark)
        return True

    def take_any(self, host: str) -> int:
        """A port that was free. Raises OSError when there is none."""
        for _ in range(TRIES):
            if self.take(host, port := free_port(host)):
                return port
        raise OSError(f"no free port on {host}")

    def take_base(self, host: str, usual: int, step: int, count: int) -> int:
        """A port from which each `step`-th of `count` ports was free: the usual one, or else any. Raises OSError when there is none."""
        base = usual
        for _ in range(TRIES):
            before = len(self._held)
            if base + step * count < 65536 and all(self.take(host, base + step * number) for number in range(count)):
                return base
            while len(self._held) > before:
                self._held.pop().close()
            base = free_port(host)
        raise OSError(f"no free ports for the workers on {host}")

    def close(self) -> None:
        while self._held:
            self._held.pop().close()


def port_is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
