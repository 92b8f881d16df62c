"""Each stage of a message's way alone, next to the least that the same rows or requests can cost on this machine.

The dispatch worker is stopped. The stage furthest from its floor is where the platform spends the time; the slowest
floor is the next limit.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg

from bench.engine import CONCURRENCY, channel_make, queue_messages
from bench.platform_access import control, phone_numbers
from bench.table import Row
from config.stack.instance import Instance

_CONTENT = {"type": "text", "text": {"body": "Hello from the benchmark"}}
_COLUMNS = (
    "uuid, channel_id, direction, status, priority, address, type, content, is_sensitive, origin, reply_to, queued_at"
)


def rows_stages(instance: Instance, organization: Any, *, count: int) -> list[Row]:
    """Messages a second of every stage over `count` messages (single accepts and sends: a tenth)."""
    control(instance, "PUT", "switches", {"latency_ms": 0, "webhooks": False})
    rows = [*_accept(instance, organization, count), *_engine(instance, organization, count)]
    rows += _send(instance, organization, max(count // 2, 500))
    rows += _inbound(instance, organization, count)
    control(instance, "PUT", "switches", {"webhooks": True})
    return rows


def _row(what: str, rate: float, floor: float, least: str) -> Row:
    return Row(f"stage: {what}", f"{rate:,.0f}/s = {rate / floor:.0%}", "", None, f"floor {floor:,.0f}/s: {least}")


def _timed(count: int, act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return count / (time.perf_counter() - started)


@contextmanager
def _plain(instance: Instance, organization: Any) -> Iterator[psycopg.Connection[Any]]:
    """psycopg alone, in the organisation's schema, each statement its own transaction, prepared after a few uses."""
    with psycopg.connect(
        instance.env["DATABASE_URL"], autocommit=True, options=f"-c search_path={organization.schema_name},public"
    ) as connection:
        yield connection


# -- accept ------------------------------------------------------------------------------------------------------------


def _accept(instance: Instance, organization: Any, count: int) -> list[Row]:
    from django_tenants.utils import tenant_context

    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    channel = channel_make(organization, rate_per_second=0)
    few = max(count // 10, 100)
    with tenant_context(organization):
        snapshot = channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid)

        def accept(numbers: list[str], each: int) -> None:
            for start in range(0, len(numbers), each):
                drafts = [Draft(to=number, content=_CONTENT) for number in numbers[start : start + each]]
                messages_accept(organization=organization, channel=snapshot, drafts=drafts, origin="api", priority=10)

        numbers = phone_numbers(count)
        # Numbers that were seen before are not parsed again: as in life, but not in the first thousand.
        accept(numbers[:1000], 1000)
        single = _timed(few, lambda: accept(numbers[:few], 1))
        bulk = _timed(count, lambda: accept(numbers, 1000))
    with _plain(instance, organization) as connection:
        single_floor = _timed(few, lambda: _insert(connection, channel.id, numbers[:few], 1))
        bulk_floor = _timed(count, lambda: _insert(connection, channel.id, numbers, 1000))
    return [
        _row("accept, one a call", single, single_floor, "psycopg, one INSERT each"),
        _row("accept, 1,000 a call", bulk, bulk_floor, "psycopg, one INSERT for 1,000"),
    ]


def _insert(connection: psycopg.Connection[Any], channel_id: int, numbers: list[str], each: int) -> None:
    for start in range(0, len(numbers), each):
        rows = [{"address": number, "content": _CONTENT} for number in numbers[start : start + each]]
        connection.execute(
            f"""INSERT INTO messaging_message ({_COLUMNS})
                SELECT gen_random_uuid(), %s, 'out', 'cancelled', 10, address, 'text', content, false, 'api', '', now()
                FROM json_to_recordset(%s::json) AS row(address text, content jsonb)""",  # noqa: S608
            [channel_id, orjson.dumps(rows).decode()],
        )


# -- claim and settle --------------------------------------------------------------------------------------------------


def _engine(instance: Instance, organization: Any, count: int) -> list[Row]:
    channel = channel_make(organization, rate_per_second=0)
    queue_messages(organization, channel, count)
    claim, settle, ids = asyncio.run(_claim_and_settle(instance, organization.schema_name, channel.id))
    if len(ids) != count:
        raise RuntimeError(f"{len(ids)} of {count} messages were claimed")
    with _plain(instance, organization) as connection:
        claim_floor = _timed(count, lambda: _update(connection, ids, 500, "claimed_at = now()"))
        settle_floor = _timed(count, lambda: _update(connection, ids, 200, "provider_id = 'floor.' || id"))
    return [
        _row("claim, 500 at once", claim, claim_floor, "psycopg, UPDATE of the same rows by id"),
        _row("settle, 200 at once", settle, settle_floor, "psycopg, UPDATE of the same rows by id"),
    ]


async def _claim_and_settle(instance: Instance, schema: str, channel_id: int) -> tuple[float, float, list[int]]:
    """(claims/s, settles/s, ids) with the engine's own statements on one connection."""
    from psycopg_pool import AsyncConnectionPool

    from messaging.dispatch.outcomes import result_sent
    from messaging.dispatch.store import Store
    from messaging.dispatch.together import Ask
    from messaging.drivers.base import Sent
    from tenants.lanes.database import LaneDatabase

    async with AsyncConnectionPool(
        instance.env["DATABASE_URL"], min_size=1, max_size=1, kwargs={"autocommit": True}, open=False
    ) as pool:
        store = Store(schema=schema, channel_id=channel_id, database=LaneDatabase(pool, under_way=1))
        lane, fence = (await store.take(Ask(channel_id, "bench", 0)))[0][:2]
        params = {"lane": lane, "fence": fence, "channel": channel_id, "limit": 500}
        ids: list[int] = []
        started = time.perf_counter()
        while rows := await store.execute(store.sql.claim, params):
            ids += [row[0] for row in rows]
        claimed = time.perf_counter()
        for start in range(0, len(ids), 200):
            results = [result_sent(message_id=id_, sent=Sent(f"wamid.bench{id_}"), at=time.time())
                       for id_ in ids[start : start + 200]]  # fmt: skip
            await store.settle(results, fence=fence, pause="", is_first=False)
        settled = time.perf_counter()
    return len(ids) / (claimed - started), len(ids) / (settled - claimed), ids


def _update(connection: psycopg.Connection[Any], ids: list[int], each: int, change: str) -> None:
    for start in range(0, len(ids), each):
        connection.execute(
            f"UPDATE messaging_message SET {change} WHERE id = ANY(%s) RETURNING id",  # noqa: S608
            [ids[start : start + each]],
        ).fetchall()


# -- send --------------------------------------------------------------------------------------------------------------


def _send(instance: Instance, organization: Any, count: int) -> list[Row]:
    from messaging.dispatch.channel_state import channel_info
    from messaging.dispatch.transport import Transport
    from messaging.drivers.base import Outgoing
    from messaging.drivers.registry import driver_of

    driver = driver_of("whatsapp_cloud")
    sandbox = channel_info(
        external_id=f"9{time.time_ns() % 10**15:015d}", account_id="980215774401239", address="22951000000",
        config={}, secrets={"access_token": "sandbox-token-bench"}, is_sandbox=True,
    )  # fmt: skip
    content = orjson.dumps(_CONTENT)

    async def through_driver(transport: Transport, index: int) -> None:
        to = f"22961{index // 90:04d}{index % 90:02d}"
        outgoing = Outgoing(f"stage-{index}", to, orjson.loads(content), "phone", "")
        driver.read_send(await transport.send(driver.build_send(sandbox, outgoing)))

    def to_noop(port: int) -> Callable[[Transport, int], Awaitable[None]]:
        request = driver.build_send(sandbox, Outgoing("stage", "22961000001", orjson.loads(content), "phone", ""))
        same = type(request)(request.method, f"http://127.0.0.1:{port}/", request.headers, request.body)

        async def send(transport: Transport, index: int) -> None:
            await transport.send(same)

        return send

    ours = asyncio.run(_send_all(through_driver, count))
    with subprocess.Popen([sys.executable, "-m", "bench.noop_server"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            floor = asyncio.run(_send_all(to_noop(int(server.stdout.readline())), count))
        finally:
            server.kill()
    return [_row("send, driver and HTTP client against the sandbox", ours, floor, "same client, no-op server")]


async def _send_all(send: Callable[[Any, int], Awaitable[None]], count: int) -> float:
    from messaging.dispatch.transport import Transport

    transport = Transport(timeout=60)
    numbers = iter(range(count))

    async def work() -> None:
        for index in numbers:
            await send(transport, index)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    elapsed = time.perf_counter() - started
    await transport.close()
    return count / elapsed


# -- inbound -----------------------------------------------------------------------------------------------------------


def _inbound(instance: Instance, organization: Any, count: int) -> list[Row]:
    from django_tenants.utils import tenant_context

    from messaging.drivers.base import ReceivedMessage, StatusUpdate
    from messaging.inbound.received import received_store
    from messaging.inbound.statuses import statuses_apply
    from messaging.models import Message

    channel = channel_make(organization, rate_per_second=0)
    few = max(count // 10, 100)
    queue_messages(organization, channel, count)
    with tenant_context(organization):
        # As the engine leaves them, so that a status finds them.
        Message.objects.filter(channel=channel).update(status="sent", sent_at=datetime.now(UTC))
        known = list(Message.objects.filter(channel=channel).values_list("id", "uuid"))
        now = datetime.now(UTC)
        updates = [StatusUpdate(f"wamid.s{id_}", "delivered", now, str(uuid)) for id_, uuid in known]
        received = [
            ReceivedMessage(f"wamid.r{channel.id}.{index}", (("phone", number),), "Ada", "text", _CONTENT, now)
            for index, number in enumerate(phone_numbers(few, "22963"))
        ]
        statuses = _timed(count, lambda: [
            statuses_apply(channel_id=channel.id, updates=updates[start : start + 100])
            for start in range(0, count, 100)
        ])  # fmt: skip
        # Once for the contacts, which are new; then again from the same people.
        fresh = _timed(few, lambda: received_store(channel_id=channel.id, messages=received))
        again = [
            ReceivedMessage(f"{message.provider_id}.2", message.identities, "Ada", "text", _CONTENT, now)
            for message in received
        ]
        stored = _timed(few, lambda: [
            received_store(channel_id=channel.id, messages=again[start : start + 10]) for start in range(0, few, 10)
        ])  # fmt: skip
    ids = [id_ for id_, _ in known]
    with _plain(instance, organization) as connection:
        status_floor = _timed(count, lambda: _update(connection, ids, 100, "read_at = now(), status = 'read'"))
        numbers = phone_numbers(few)
        stored_floor = _timed(few, lambda: _insert(connection, channel.id, numbers, 10))
        fresh_floor = _timed(few, lambda: _insert(connection, channel.id, numbers, few))
    return [
        _row("apply statuses, 100 at once", statuses, status_floor, "psycopg, UPDATE of the same rows by id"),
        _row("store received, 10 at once, people known", stored, stored_floor, "psycopg, one INSERT for 10"),
        _row(f"store received, {few:,} at once, all new people", fresh, fresh_floor, "psycopg, one INSERT"),
    ]
