"""How many database connections the platform opens under load: the bound in docs/engine.md, "Database connections"."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psycopg
import requests

from config.stack import children

WEB = int(children._WEB_WORKERS) * int(children._WEB_THREADS)
WORKERS, BEAT = int(children._DEFAULT_PROCESSES), 1


def test_connections_stay_within_the_stated_bound_under_load(live_stack):
    from django.conf import settings

    most: Counter[str] = Counter()
    done = threading.Event()

    def watch() -> None:
        name = urlsplit(live_stack.env["DATABASE_URL"]).path[1:]
        with psycopg.connect(live_stack.env["DATABASE_URL"], autocommit=True) as connection:
            while not done.wait(0.02):
                rows = connection.execute(
                    "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> "
                    "pg_backend_pid() AND backend_type = 'client backend' GROUP BY 1", [name]
                ).fetchall()  # fmt: skip
                counts: dict[str, int] = dict(rows)
                for group, count in {**counts, "": counts.get("", 0), "all": sum(counts.values())}.items():
                    most[group] = max(most[group], count)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(24) as threads:
            list(threads.map(lambda number: _send(live_stack, number), range(200)))
            # The web server's idle threads end, and with them their connections.
            time.sleep(7)
            list(threads.map(lambda number: _send(live_stack, number), range(200)))
    finally:
        done.set()
        watcher.join()
    assert 1 <= most["griot-dispatch"] <= settings.DISPATCH_CONNECTIONS
    assert most[""] <= WEB + WORKERS + BEAT, "those that Django opens"
    assert most["all"] <= WEB + settings.DISPATCH_CONNECTIONS + settings.WEBHOOK_CONNECTIONS + WORKERS + BEAT
    assert most["all"] > WORKERS + BEAT


def _send(stack: Any, number: int) -> None:
    demo = stack.demo["transactional"]
    answer = requests.post(
        f"{stack.base_url}/api/v1/messages/send",
        json={"providerId": demo["provider_id"], "to": f"2296144{number % 90:04d}", "message": "Hello"},
        headers={"X-API-Key": demo["api_key"]},
        timeout=60,
    )
    assert answer.status_code == 202, answer.text
