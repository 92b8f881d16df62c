"""TCP ports: reading them from the environment, finding a free one, saying what to change when one is taken."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping

from config.stack.errors import StackError


def port_setting(environ: Mapping[str, str], name: str, default: int) -> int:
    """The port in variable `name`, 1 to 65535. StackError when it is anything else."""
    value = environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        raise StackError(f"{name}={value!r}: expected a port from 1 to 65535")
    return int(value)


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """True when a server could listen on `port` now. Connections in TIME_WAIT do not count."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise StackError(f"Port {port}: this user may not listen on it; choose one above 1023") from error
            if error.errno == errno.EADDRINUSE:
                return False
            raise StackError(f"Cannot listen on {host}:{port}: {error.strerror}") from error
    return True


def port_require(name: str, port: int, host: str = "127.0.0.1") -> None:
    """StackError that names the port and its setting when another program listens on it."""
    if not port_is_free(port, host):
        other = port + 1 if port < 65535 else port - 1
        raise StackError(
            f"Port {port} is in use on {host}: stop the program that holds it, or choose another, {name}={other}"
        )


def port_choose(preferred: int | None = None) -> int:
    """`preferred` when it is free, else a free port that the system picks on 127.0.0.1."""
    if preferred is not None and port_is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
