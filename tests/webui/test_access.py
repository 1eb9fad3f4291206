import socket

import pytest

from vgtoolbox.webui import Access, AccessError, Credentials, read_credentials
from vgtoolbox.webui.access import AUTH_VARIABLE

PASSWORD = Credentials("ann", "se:cret")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "localhost", "::1", "[::1]"])
def test_loopback_needs_no_password(host):
    assert Access(host=host).credentials is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "::ffff:192.0.2.1"])
def test_other_addresses_need_a_password(host):
    with pytest.raises(AccessError, match=r"other machines can reach; set VGTOOLBOX_AUTH"):
        Access(host=host)
    assert Access(host=host, credentials=PASSWORD).host == host


def test_name_with_a_loopback_and_a_public_address_needs_a_password(monkeypatch):
    found = [(2, 1, 6, "", ("127.0.0.1", 0)), (2, 1, 6, "", ("192.0.2.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words, **options: found)
    with pytest.raises(AccessError, match="other machines can reach"):
        Access(host="mine")


def test_unknown_host():
    with pytest.raises(AccessError, match="host must be an address or a name of this machine"):
        Access(host="nowhere.invalid")


@pytest.mark.parametrize(
    ("host", "own_address", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("localhost", "192.0.2.1", False),  # a rebound name
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.2", "192.0.2.1", False),
        ("demo.example", "192.0.2.1", True),
        ("evil.example", "192.0.2.1", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
def test_allowed_hosts(host, own_address, allowed):
    access = Access(host="0.0.0.0", credentials=PASSWORD, allowed_hosts=frozenset({"demo.example"}))
    assert access.allows_host(host, own_address) is allowed


def test_sources_of_the_password(monkeypatch, tmp_path):
    file = tmp_path / "auth"
    file.write_text("file:a\n")
    monkeypatch.delenv(AUTH_VARIABLE, raising=False)
    assert read_credentials(None, None) is None
    monkeypatch.setenv(AUTH_VARIABLE, "variable:b")
    assert read_credentials(None, None) == Credentials("variable", "b")
    assert read_credentials(None, file) == Credentials("file", "a")
    assert read_credentials("option:se:cret", file) == Credentials("option", "se:cret")


@pytest.mark.parametrize("text", ["", "ann", "ann:", ":secret", ":"])
def test_password_of_a_wrong_form_is_refused_and_not_shown(text, monkeypatch):
    with pytest.raises(AccessError, match="--auth must be USER:PASSWORD") as raised:
        read_credentials(text, None)
    assert "secret" not in str(raised.value)
    monkeypatch.setenv(AUTH_VARIABLE, text)
    with pytest.raises(AccessError, match=f"{AUTH_VARIABLE} must be USER:PASSWORD"):
        read_credentials(None, None)


def test_unreadable_password_file(tmp_path):
    with pytest.raises(AccessError, match="must be a text file"):
        read_credentials(None, tmp_path / "absent")
    (tmp_path / "binary").write_bytes(b"\xff\xfe:x")
    with pytest.raises(AccessError, match="must be a text file"):
        read_credentials(None, tmp_path / "binary")


def test_password_is_not_part_of_repr():
    assert "se:cret" not in repr(Access(credentials=PASSWORD))


@pytest.mark.parametrize(
    ("user", "password", "match"),
    [
        ("ann", "se:cret", True),
        ("ann", "se:cre", False),
        ("bob", "se:cret", False),
        ("", "", False),
    ],
)
def test_comparison(user, password, match):
    assert PASSWORD.match(user, password) is match
