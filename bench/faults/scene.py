"""The stage of a fault run: servers, platform, proxy, channels, and what can be asked of them while they fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from bench.faults.proxy import Proxy
from bench.platform_access import control
from config.stack.instance import Instance
from config.stack.servers import EmbeddedServers

# Two of what sends, so that every fault also meets a colleague who goes on. name -> kind of process.
PROCESSES = {
    "dispatch": "dispatch",
    "dispatch2": "dispatch",
    "webhooks": "webhooks",
    "worker": "worker",
    "worker2": "worker",
    "beat": "beat",
    "beat2": "beat",
}
FINAL = ("sent", "delivered", "read", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class LoadedChannel:
    """One channel under load, its rate (messages/s, 0: no limit), and the key that may send through it."""

    schema: str
    channel_id: int
    uuid: str
    external_id: str
    api_key: str
    rate: int


@dataclass(slots=True)
class Scene:
    """Without `proxy` or `servers` of its own, a scene has no faults of the network or no crashes of servers."""

    instance: Instance
    channels: list[LoadedChannel]
    proxy: Proxy | None = None
    servers: EmbeddedServers | None = None
    # Whether the provider tells that a message was read; else `delivered` is the last that is heard of it.
    tells_read: bool = True

    @property
    def schemas(self) -> list[str]:
        """The organisations' schemas."""
        return sorted({channel.schema for channel in self.channels})

    def query(self, text: str, **params: Any) -> list[tuple[Any, ...]]:
        """One statement on a connection of its own, because faults cut those that are open; waits up to 60 s."""
        end = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(self.instance.env["DATABASE_URL"], autocommit=True) as connection:
                    cursor = connection.execute(text.encode(), params)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def count(self, text: str, **params: Any) -> int:
        """The sum over all organisations of a statement that gives one number. `{schema}` is the organisation's schema,
        the parameter `channels` its channels under load."""
        total = 0
        for schema in self.schemas:
            statement = sql.SQL(text).format(schema=sql.Identifier(schema)).as_string(None)
            channels = [channel.channel_id for channel in self.channels if channel.schema == schema]
            total += int(self.query(statement, channels=channels, **params)[0][0])
        return total

    def open_messages(self) -> int:
        """Messages that are not in a final state."""
        return self.count(
            "SELECT count(*) FROM {schema}.messaging_message"
            " WHERE channel_id = ANY(%(channels)s) AND direction = 'out' AND status <> ALL(%(final)s)",
            final=list(FINAL),
        )

    def sends(self) -> dict[str, int]:
        """Number at the provider -> accepted sends."""
        by_number = control(self.instance, "GET", "ledger/summary")["by_number"]
        return {channel.external_id: int(by_number.get(channel.external_id, 0)) for channel in self.channels}

    def switch(self, **switches: Any) -> None:
        """Change switches of the simulated provider."""
        control(self.instance, "PUT", "switches", switches)

    def restart(self, *names: str, after: float = 0.0, kind: str = "") -> None:
        """`kill -9` these processes at once and start them again `after` seconds later, as `kind` or what they were."""
        for name in names:
            self.instance.kill(name)
        time.sleep(after)
        for name in names:
            self.instance.start(kind or PROCESSES.get(name, name), as_name=name)

    def crash(self, name: Any, *, away: float, lose_data: bool = False) -> None:
        """End a server without notice; it comes back on its old port `away` seconds later."""
        if self.servers is None:
            raise RuntimeError(f"{name} does not belong to this run")
        self.servers.crash(name, lose_data=lose_data)
        time.sleep(away)
        before = self.servers.database_url, self.servers.redis_url
        self.servers.heal()
        if before != (self.servers.database_url, self.servers.redis_url):
            raise RuntimeError(f"{name} came back on another port")


def poll(condition: Callable[[], bool], *, seconds: float, what: str, every: float = 0.1) -> float:
    """Wait for the condition; seconds until it held. RuntimeError that names `what` when it does not in time."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise RuntimeError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
    return time.monotonic() - started
