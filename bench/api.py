"""The transactional API: single sends against a bare DRF view with one insert, and bulk rows per second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import orjson
import requests

from bench.platform_access import phone_numbers
from bench.table import Row
from config.stack.instance import Instance
from messaging.dispatch.transport import Transport
from messaging.drivers.base import HttpRequest

# (address, headers, body) of the request with this index.
RequestMaker = Callable[[int], tuple[str, dict[str, str], bytes]]


def _hammer(make: RequestMaker, *, count: int, clients: int) -> float:
    """Requests per second of `clients` keep-alive connections; any answer of 400 or more is an error.

    The client is the engine's own, which needs a tenth of the time of `requests`: on two cores a slow client would be
    what is measured.
    """
    return asyncio.run(_hammer_async(make, count=count, clients=clients))


async def _hammer_async(make: RequestMaker, *, count: int, clients: int) -> float:
    transport = Transport(timeout=60)
    numbers = iter(range(count))

    async def work() -> None:
        for index in numbers:
            url, headers, body = make(index)
            answer = await transport.send(HttpRequest("POST", url, headers, body))
            if answer.status >= 400:
                raise RuntimeError(f"{answer.status} {answer.body[:300].decode()}")

    started = time.monotonic()
    await asyncio.gather(*(work() for _ in range(clients)))
    elapsed = time.monotonic() - started
    await transport.close()
    return count / elapsed


def rows_single(instance: Instance, *, count: int, rounds: int = 3) -> list[Row]:
    """Single sends and the bare view in turn, so that the machine's moods hit both alike."""
    key = instance.demo["transactional"]["api_key"]
    provider = instance.demo["transactional"]["provider_id"]

    def single(index: int) -> tuple[str, dict[str, str], bytes]:
        body = {"providerId": provider, "to": f"22961{index // 90:04d}{index % 90:02d}", "message": "Hello"}
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        return f"{instance.base_url}/api/v1/messages/send", headers, orjson.dumps(body)

    def bare(index: int) -> tuple[str, dict[str, str], bytes]:
        body = {"providerId": provider, "to": f"22961{index:06d}", "message": "Hello"}
        return f"{instance.base_url}/bench/bare", {"Content-Type": "application/json"}, orjson.dumps(body)

    _hammer(single, count=200, clients=8)
    _hammer(bare, count=200, clients=8)
    singles, bares = [], []
    for _ in range(rounds):
        bares.append(_hammer(bare, count=count, clients=8))
        singles.append(_hammer(single, count=count, clients=8))
    ratios = sorted(ours / floor for ours, floor in zip(singles, bares, strict=True))
    ratio = ratios[len(ratios) // 2]
    return [
        Row(
            "bare DRF view with one ORM insert",
            f"{sorted(bares)[rounds // 2]:,.0f} req/s",
            note="same server, same clients",
        ),
        Row(
            "API single sends (auth, limits, guards, insert, wake)",
            f"{sorted(singles)[rounds // 2]:,.0f} req/s = {ratio:.0%}",
            ">= 70 % of the bare view",
            ratio >= 0.7,
            "dispatch worker stopped: what is measured is the API",
        ),
    ]


def rows_bulk(instance: Instance, *, calls: int = 3) -> list[Row]:
    """send-bulk with 10,000 recipients a call."""
    key = instance.demo["transactional"]["api_key"]
    provider = instance.demo["transactional"]["provider_id"]
    recipients = [
        {"to": number, "variables": {"name": f"N{index}"}} for index, number in enumerate(phone_numbers(10_000))
    ]
    body: dict[str, Any] = {"providerId": provider, "messageTemplate": "Hello {{name}}", "recipients": recipients}
    rates = []
    with requests.Session() as session:
        for _ in range(calls):
            started = time.monotonic()
            answer = session.post(
                f"{instance.base_url}/api/v1/messages/send-bulk", json=body, headers={"X-API-Key": key}, timeout=120
            )
            elapsed = time.monotonic() - started
            if answer.json().get("accepted") != 10_000:
                raise RuntimeError(answer.text[:500])
            rates.append(10_000 / elapsed)
    return [Row("API bulk, 10,000 recipients a call, each with a variable", f"{sorted(rates)[calls // 2]:,.0f} rows/s")]
