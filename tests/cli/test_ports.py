"""Two runs that start at the same time do not choose the same ports."""

from __future__ import annotations

import socket
from contextlib import closing

from pipeline.ports import Ports, free_port

HERE = "127.0.0.1"


def test_a_port_that_another_run_is_about_to_use_is_not_free_and_can_still_be_listened_on() -> None:
    port = free_port(HERE)
    with closing(Ports()) as one, closing(Ports()) as two:
        assert one.take(HERE, port)
        assert not two.take(HERE, port)
        with socket.create_server((HERE, port)):
            assert not two.take(HERE, port)
    with closing(Ports()) as three:
        assert three.take(HERE, port)


def test_a_base_is_taken_whole_or_not_at_all() -> None:
    with closing(Ports()) as one, closing(Ports()) as two:
        base = one.take_base(HERE, free_port(HERE), 3, 4)
        other = two.take_base(HERE, base - 3, 3, 4)
        assert not {base + 3 * number for number in range(4)} & {other + 3 * number for number in range(4)}
