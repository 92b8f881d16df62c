"""The transactional API: single sends against a bare DRF view with one insert, and bulk rows per second."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

from bench.platform_access import phone_numbers
from bench.table import Row
from config.stack.instance import Instance


def _hammer(send: Callable[[requests.Session, int], requests.Response], *, count: int, clients: int) -> float:
    """Requests per second of `clients` threads with keep-alive; any answer of 400 or more is an error."""
    numbers = iter(range(count))
    lock = threading.Lock()
    errors: list[str] = []

    def work() -> None:
        with requests.Session() as session:
            while True:
                with lock:
                    index = next(numbers, None)
                if index is None or errors:
                    return
                answer = send(session, index)
                if answer.status_code >= 400:
                    errors.append(f"{answer.status_code} {answer.text[:300]}")

    threads = [threading.Thread(target=work) for _ in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(errors[0])
    return count / (time.monotonic() - started)


def rows_single(instance: Instance, *, count: int, rounds: int = 3) -> list[Row]:
    """Single sends and the bare view in turn, so that the machine's moods hit both alike."""
    key = instance.demo["transactional"]["api_key"]
    provider = instance.demo["transactional"]["provider_id"]

    def single(session: requests.Session, index: int) -> requests.Response:
        body = {"providerId": provider, "to": f"22961{index // 90:04d}{index % 90:02d}", "message": "Hello"}
        return session.post(
            f"{instance.base_url}/api/v1/messages/send", json=body, headers={"X-API-Key": key}, timeout=30
        )

    def bare(session: requests.Session, index: int) -> requests.Response:
        body = {"providerId": provider, "to": f"22961{index:06d}", "message": "Hello"}
        return session.post(f"{instance.base_url}/bench/bare", json=body, timeout=30)

    _hammer(single, count=200, clients=4)
    _hammer(bare, count=200, clients=4)
    singles, bares = [], []
    for _ in range(rounds):
        bares.append(_hammer(bare, count=count, clients=4))
        singles.append(_hammer(single, count=count, clients=4))
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


def bench_settings() -> dict[str, str]:
    """Settings of the instance that adds the bare view."""
    return {"DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONPATH": os.getcwd()}
