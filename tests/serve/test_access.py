"""Who is let in, as values."""

from __future__ import annotations

import pytest

from qwq_gguf.serve.access import Access, digest_of, is_loopback, origins_of
from qwq_gguf.serve.refusal import Refusal


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST", "127.1.2.3"],
)
def test_names_of_this_machine(host: str) -> None:
    Access().check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.7",  # nobody calls a loopback server so
        "0.0.0.0",
        "[::1",
        "::",
        "a:b:c",
        "localhost evil.example",
    ],
)
def test_other_names_are_refused(host: str | None) -> None:
    with pytest.raises(Refusal) as caught:
        Access().check_host(host)
    assert caught.value.status == 403


def test_an_open_address_goes_by_addresses_and_by_told_names() -> None:
    access = Access(bound="0.0.0.0", hosts=frozenset({"box.lan"}))
    for host in ("192.168.0.7:8080", "box.lan", "BOX.LAN:8080", "localhost", "[fe80::1]:8080"):
        access.check_host(host)
    with pytest.raises(Refusal):
        access.check_host("evil.example")
    Access(bound="box.lan").check_host("box.lan:8080")


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8080", "https://127.0.0.1:8080", "HTTP://127.0.0.1:8080"]
)
def test_its_own_page(origin: str) -> None:
    Access().check_origin(origin, "127.0.0.1:8080")
    Access().check_origin(None, "127.0.0.1:8080")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1:9999",  # another program of this machine
        "http://127.0.0.1:8080.evil.example",
        "http://127.0.0.1:8080@evil.example",
        "http://127.0.0.1:8080/",
        "file://",
        "chrome-extension://abc",
        "127.0.0.1:8080",
    ],
)
def test_other_pages_are_refused(origin: str) -> None:
    access = Access(origins=origins_of(["https://chat.example.org"]))
    with pytest.raises(Refusal) as caught:
        access.check_origin(origin, "127.0.0.1:8080")
    assert caught.value.status == 403
    assert not access.shares_with(origin)


def test_named_pages() -> None:
    access = Access(origins=origins_of(["https://Chat.example.org"]))
    access.check_origin("https://chat.example.org", "127.0.0.1:8080")
    assert access.shares_with("https://chat.example.org")
    with pytest.raises(Refusal):
        access.check_origin("http://chat.example.org", "127.0.0.1:8080")


@pytest.mark.parametrize("origin", ["*", "chat.example.org", "https://a/b", "https://a b", "null"])
def test_no_origins(origin: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        origins_of([origin])


def test_keys() -> None:
    access = Access(keys=(digest_of("first-key"), digest_of("second-key")))
    access.check_key("Bearer second-key", None)
    access.check_key("bearer  first-key ", None)
    access.check_key(None, "first-key")
    for shown in (
        None,
        "",
        "first-key",
        "Basic first-key",
        "Bearer",
        "Bearer wrong",
        "Bearer \ud800",
    ):
        with pytest.raises(Refusal) as caught:
            access.check_key(shown, None)
        assert caught.value.status == 401
        assert "first" not in caught.value.message
    with pytest.raises(Refusal):
        access.check_key(None, "wrong")
    Access().check_key(None, None)


def test_loopback() -> None:
    assert is_loopback("127.0.0.1") and is_loopback("::1") and is_loopback("localhost")  # noqa: PT018
    assert not is_loopback("0.0.0.0") and not is_loopback("::") and not is_loopback("box.lan")  # noqa: PT018
