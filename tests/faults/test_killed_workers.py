"""Workers killed with SIGKILL in the middle of a bulk: every message reaches the provider exactly once."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import psycopg
import requests

COUNT = 3000
KILLS = 4


def states(stack: Any, schema: str, bulk: str) -> dict[str, int]:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        rows = connection.execute(
            f'SELECT status, count(*) FROM "{schema}".messaging_message WHERE bulk_uuid = %s GROUP BY 1', [bulk]
        ).fetchall()
    return dict(rows)


def sent_by_sandbox(stack: Any) -> dict[str, Any]:
    return json.loads(requests.get(f"{stack.sandbox_url}/_control/ledger/summary", timeout=30).content)


def test_killed_workers_lose_nothing_and_send_nothing_twice(live_stack):
    stack = live_stack
    before = sent_by_sandbox(stack)
    requests.put(f"{stack.sandbox_url}/_control/switches", json={"latency_ms": 40}, timeout=10).raise_for_status()
    recipients = [{"to": f"22962{index // 90:04d}{index % 90:02d}"} for index in range(COUNT)]
    answer = requests.post(
        f"{stack.base_url}/api/v1/messages/send-bulk",
        json={
            "providerId": stack.demo["transactional"]["provider_id"],
            "messageTemplate": "Hello",
            "recipients": recipients,
        },
        headers={"X-API-Key": stack.demo["transactional"]["api_key"]},
        timeout=60,
    )
    assert answer.json()["accepted"] == COUNT, answer.text
    bulk = answer.json()["bulkId"]
    schema = _schema(stack)
    dice = random.Random(20)
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.2, 0.9))
        stack.kill("dispatch")
        stack.start("dispatch")
    deadline = time.monotonic() + 100
    while set(states(stack, schema, bulk)) - {"sent", "delivered", "read"}:
        assert time.monotonic() < deadline, states(stack, schema, bulk)
        time.sleep(0.5)
    requests.put(f"{stack.sandbox_url}/_control/switches", json={"latency_ms": 0}, timeout=10).raise_for_status()
    after = sent_by_sandbox(stack)
    assert sum(states(stack, schema, bulk).values()) == COUNT
    assert after["accepted"] - before["accepted"] == COUNT
    assert after["duplicates"] == before["duplicates"]


def _schema(stack: Any) -> str:
    with psycopg.connect(stack.env["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT schema_name FROM tenants_organization WHERE slug = %s", [stack.demo["organization"]["slug"]]
        ).fetchone()
    assert row is not None
    return str(row[0])
