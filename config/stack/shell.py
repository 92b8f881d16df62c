"""`env` and `exec`: other commands on the embedded servers."""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from config.stack.catalogues import catalogues_compile
from config.stack.environment import Listening, child_path, platform_environment, wanted_servers, with_servers
from config.stack.errors import StackError
from config.stack.paths import ROOT, VAR
from config.stack.servers import EmbeddedServers, running_urls


def execute(environ: Mapping[str, str], command: Sequence[str], *, test: bool, data_dir: Path | None) -> int:
    """Run `command` with the platform's environment and the embedded servers. Returns its exit code (128 + signal).

    Servers that run already are used and stay up; otherwise they are started and stopped again. `test`: servers whose
    data is thrown away, and GRIOT_ENV=test.
    """
    listening = Listening.read(environ)
    wanted = wanted_servers(environ)
    catalogues_compile(ROOT)
    with EmbeddedServers(None if test else data_dir or VAR, durable=not test, **wanted) as servers:
        mode = "test" if test else "dev"
        env = platform_environment(environ, listening, mode=mode, secrets_file=servers.data_dir / "secrets.json")
        env = with_servers(env, servers, wanted) | {"PATH": child_path()}
        if test and all(wanted.values()):
            # Several test processes can have such servers each; of servers that somebody named there is one of each.
            env["EMBEDDED_SERVERS"] = "both"
        return _run(command, env)


def _run(command: Sequence[str], env: Mapping[str, str]) -> int:
    try:
        child = subprocess.Popen(list(command), env=dict(env))
    except OSError as error:
        raise StackError(f"{command[0]}: {error.strerror}") from error

    def forward(number: int, frame: FrameType | None) -> None:
        # Ctrl-C reaches the child by itself, from the terminal; only what is sent to us alone has to be passed on.
        if number != signal.SIGINT:
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def export_lines(environ: Mapping[str, str]) -> str:
    """Shell lines that point another terminal at the servers of a running `make run`. StackError when none runs."""
    wanted = wanted_servers(environ)
    urls = running_urls(VAR) if any(wanted.values()) else {}
    if any(wanted.values()) and not urls:
        raise StackError("The embedded servers are not running: start them with make run")
    before = dict(environ)
    env = platform_environment(before, Listening.read(environ), mode="dev", secrets_file=VAR / "secrets.json")
    for name, key in (
        ("DATABASE_URL", "database_url"),
        ("REDIS_URL", "redis_url"),
        ("CELERY_BROKER_URL", "broker_url"),
    ):
        if urls.get(key) and not env.get(name):
            env[name] = urls[key]
    changed = {name: value for name, value in env.items() if before.get(name) != value}
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(changed.items()))
