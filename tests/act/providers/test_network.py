"""What counts as this network."""

from __future__ import annotations

import pytest

from pipeline.act.providers.network import is_local, is_loopback
from pipeline.act.providers.sdk import host
from pipeline.models import shown_url


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost.", "127.0.0.1", "127.8.8.8", "[::1]", "0.0.0.0", "2130706433"),
        *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "[fd00::1]", "[fe80::1%25eth0]", "[::ffff:10.0.0.1]"),
        *("ollama", "gpu_1", "GPU.local", "a.internal", "nas.lan", "ollama.ai.svc", "ollama.ai.svc.cluster.local", "x.home.arpa"),
    ],
)
def test_it_stays_in_this_network(host: str) -> None:
    assert is_local(f"http://user:pass@{host}:11434/v1")


@pytest.mark.parametrize(
    "host",
    [
        *("api.anthropic.com", "8.8.8.8", "172.32.0.1", "100.64.1.1", "[2001:db8::1]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]"),
        *("134744072", "0x08080808", "99999999999", "010.8.8.8", "127.1", "8.8.2056"),
        *("evil.local.example", "evil。com", "evil%2ecom", "ai.", "-x", "", "localhost.evil.example", "10.0.0.1@evil.example"),
    ],
)
def test_it_leaves_this_network_or_cannot_be_told(host: str) -> None:
    assert not is_local(f"http://{host}/v1")


@pytest.mark.parametrize(
    "url", ["http://evil.example\\@localhost/", "http://local host/", "http://[::1", "localhost:11434", "", "file:///etc"]
)
def test_a_url_that_two_parsers_may_read_in_two_ways_is_not_local(url: str) -> None:
    assert not is_local(url) and not is_loopback(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://bob:S3cretPw@gpu:11434/v1", "gpu:11434"),
        ("http://bob:S3c@retPw@gpu/v1", "gpu"),
        ("http://bob:S3c/retPw@gpu/v1", "the server"),
        ("http://bob:33/S3cretPw@gpu/v1", "the server"),
        ("http://bob:S3c#retPw@gpu", "the server"),
        ("http://[::1]:11434", "[::1]:11434"),
        ("", "the server"),
    ],
)
def test_a_host_for_people_never_holds_a_part_of_a_password(url: str, shown: str) -> None:
    assert host(url) == shown
    assert "S3c" not in shown_url(url) and "bob" not in shown_url(url)
