"""`python -m sandbox`."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys

from sandbox.config import Config, ConfigError, config_from_env


def main() -> int:
    """Read the settings, serve, and return the exit status: 2 for a bad setting, 1 for a busy port."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = config_from_env(os.environ)
        _check_port(config)
    except ConfigError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"sandbox: port {config.port} of {config.host} cannot be used ({error}); see SANDBOX_PORT\n")
        return 1
    from sandbox.server import serve

    asyncio.run(serve(config))
    # Everything is closed; the server's native threads must not meet an interpreter that is being taken apart, which
    # now and then ends in an abort.
    logging.shutdown()
    os._exit(0)


def _check_port(config: Config) -> None:
    """The server library would log a traceback for a busy port; this finds out first."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((config.host, config.port))


if __name__ == "__main__":
    sys.exit(main())
