"""What the platform's processes get as environment: the person's own variables win over ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.stack.paths import PYTHON
from config.stack.ports import port_require, port_setting
from config.stack.secret_store import secrets_load
from config.stack.servers import EmbeddedServers


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the web server and the sandbox listen. `own_sandbox` is False when SANDBOX_URL names another one."""

    host: str
    port: int
    sandbox_port: int
    own_sandbox: bool

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Listening:
        """From PORT, SANDBOX_PORT, LISTEN_HOST and SANDBOX_URL. StackError for a bad port."""
        return cls(
            host=environ.get("LISTEN_HOST") or "127.0.0.1",
            port=port_setting(environ, "PORT", 8000),
            sandbox_port=port_setting(environ, "SANDBOX_PORT", 8900),
            own_sandbox=not environ.get("SANDBOX_URL"),
        )

    def require_free(self) -> None:
        """StackError that names the port and its setting when one is taken."""
        port_require("PORT", self.port, self.host)
        if self.own_sandbox:
            port_require("SANDBOX_PORT", self.sandbox_port)


def wanted_servers(environ: Mapping[str, str]) -> dict[str, bool]:
    """Which embedded servers are needed: those whose URL is not given (as a value or as a `*_FILE`)."""
    given = {name: bool(environ.get(name) or environ.get(f"{name}_FILE")) for name in ("DATABASE_URL", "REDIS_URL")}
    return {"postgres": not given["DATABASE_URL"], "valkey": not given["REDIS_URL"]}


def platform_environment(
    environ: Mapping[str, str], listening: Listening, *, mode: str, secrets_file: Path
) -> dict[str, str]:
    """Variables for Django, Celery and the sandbox, without the addresses of the servers. `mode`: dev or test."""
    base_url = environ.get("PUBLIC_BASE_URL") or f"http://localhost:{listening.port}"
    sandbox_url = environ.get("SANDBOX_URL") or f"http://127.0.0.1:{listening.sandbox_port}"
    defaults = {
        "GRIOT_ENV": mode,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PORT": str(listening.port),
        "SANDBOX_PORT": str(listening.sandbox_port),
        "PUBLIC_BASE_URL": base_url,
        "SANDBOX_URL": sandbox_url,
        "META_GRAPH_URL": sandbox_url,
        "INSTAGRAM_GRAPH_URL": sandbox_url,
        "META_APP_ID": "100000000000001",
        # The sandbox calls the web server where it listens, whatever its public address is.
        "SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{listening.port}/webhook/meta",
        "PYTHONUNBUFFERED": "1",
        **secrets_load(secrets_file),
    }
    given = {name for name in defaults if environ.get(name) or environ.get(f"{name}_FILE")}
    return {**environ, **{name: value for name, value in defaults.items() if name not in given}}


def with_servers(environ: Mapping[str, str], servers: EmbeddedServers, wanted: Mapping[str, bool]) -> dict[str, str]:
    """`environ` with the addresses of the embedded servers. Celery's broker is Redis database 1 unless it is set."""
    complete = dict(environ)
    if wanted["postgres"]:
        complete["DATABASE_URL"] = servers.database_url
    if wanted["valkey"]:
        complete["REDIS_URL"] = servers.redis_url
        complete.setdefault("CELERY_BROKER_URL", servers.broker_url)
    return complete


def child_path() -> str:
    """PATH with the virtualenv's programs first."""
    return f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
