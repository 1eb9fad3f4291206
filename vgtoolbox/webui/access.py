"""Decide who may reach the page: address, host names and password."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
AUTH_VARIABLE = "VGTOOLBOX_AUTH"


class AccessError(ValueError):
    """Options under which the page would be open to everybody, or cannot be served."""


@dataclass(frozen=True)
class Credentials:
    """User name and password of the page.

    Attributes:
        user: User name.
        password: Password; it is not part of `repr`.
    """

    user: str
    password: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, source: str) -> Credentials:
        """Split `USER:PASSWORD`; the password may contain colons.

        Args:
            text: User name and password.
            source: Option, variable or file that the text is from, for the error message.

        Raises:
            AccessError: The user name or the password is missing.
        """
        user, colon, password = text.strip("\r\n").partition(":")
        if not (user and colon and password):
            found = "a text without a colon" if not colon else "an empty user name or password"
            raise AccessError(
                f"{source} must be USER:PASSWORD, got {found}; write both, separated by a colon"
            )
        return cls(user, password)

    def match(self, user: str, password: str) -> bool:
        """Compare in a time that does not depend on the position of the first difference."""
        same_user = secrets.compare_digest(user.encode(), self.user.encode())
        same_password = secrets.compare_digest(password.encode(), self.password.encode())
        return same_user and same_password


@dataclass(frozen=True, kw_only=True)
class Access:
    """Address that the page listens on, and who may use it.

    Attributes:
        host: Address or host name to listen on.
        credentials: User name and password that each request needs. If `None`, no authentication
            is required, which is allowed on the loopback interface only.
        allowed_hosts: Additional host names under which visitors may reach the page, such as that
            of a reverse proxy.

    Raises:
        AccessError: The host is unknown, or other machines can reach it and there are no
            credentials.
    """

    host: str = LOOPBACK
    credentials: Credentials | None = None
    allowed_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.credentials is None and not _is_loopback(self.host):
            raise AccessError(
                f"host must be a loopback address such as {LOOPBACK} without authentication, got "
                f"{self.host!r}, which other machines can reach; set {AUTH_VARIABLE} to "
                "USER:PASSWORD, or give --auth-file FILE or --auth USER:PASSWORD"
            )

    def allows_host(self, host: str, own_address: str) -> bool:
        """Return whether a request may name this host.

        Names are refused unless they are known, since a foreign name that leads to this machine is
        the sign of a DNS rebinding attack.

        Args:
            host: Host name of the request without port, in lower case.
            own_address: Address of this machine that the request has arrived at.
        """
        if host == own_address or host in self.allowed_hosts:
            return True
        if host == "localhost":
            return _is_loopback_address(own_address)
        names = {self.host.lower(), socket.gethostname().lower()}
        return host in names - {"0.0.0.0", "::", ""}


def read_credentials(auth: str | None, auth_file: Path | None) -> Credentials | None:
    """Read user name and password from the first source that is given.

    Args:
        auth: Value of `--auth`. If `None`, the next source is used.
        auth_file: File with one line `USER:PASSWORD`. If `None`, the environment variable
            `VGTOOLBOX_AUTH` is used; if it is not set, there are no credentials.

    Raises:
        AccessError: The source is not of the form `USER:PASSWORD`, or the file cannot be read.
    """
    if auth is not None:
        return Credentials.parse(auth, "--auth")
    if auth_file is not None:
        try:
            return Credentials.parse(auth_file.read_text(encoding="utf-8"), f"{auth_file}")
        except (OSError, UnicodeDecodeError) as error:
            raise AccessError(f"{auth_file} must be a text file: {error}") from error
    text = os.environ.get(AUTH_VARIABLE)
    return None if text is None else Credentials.parse(text, AUTH_VARIABLE)


def _is_loopback(host: str) -> bool:
    """Return whether all addresses of a host are loopback addresses.

    Raises:
        AccessError: The host is unknown.
    """
    if not host:
        return False  # all interfaces
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AccessError(
            f"host must be an address or a name of this machine, got {host!r}: {error}"
        ) from error
    return all(_is_loopback_address(str(entry[4][0])) for entry in found)


def _is_loopback_address(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
