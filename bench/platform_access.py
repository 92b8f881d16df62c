"""What the benchmarks need of a running instance: Django on its database, channels, queues, the sandbox's controls."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.stack.instance import Instance


def django_connect(instance: Instance) -> None:
    """Point this process's Django at the instance's database. Call once per process, before importing models."""
    os.environ.update(instance.env)
    import django

    django.setup()


def control(instance: Instance, method: str, path: str, body: Any = None) -> Any:
    """Call the sandbox's control interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{instance.sandbox_url}/_control/{path}", data=data, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  our own loopback address
        return json.loads(answer.read())


def phone_numbers(count: int, prefix: str = "22961") -> list[str]:
    """`count` numbers that do not end in the sandbox's magic digits."""
    return [f"{prefix}{index // 90:04d}{index % 90:02d}" for index in range(count)]


def wait_for(condition: Callable[[], bool], *, seconds: float, every: float = 0.1) -> None:
    """Poll until `condition()`; RuntimeError after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("the benchmark did not finish in time")
        time.sleep(every)


def resident_mib(pid: int) -> float:
    """Resident memory of a process and its children, in MiB."""
    total = 0.0
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            fields = (directory / "stat").read_text().rsplit(")", 1)[1].split()
            if int(directory.name) == pid or int(fields[1]) == pid or int(fields[2]) == pid:
                total += int((directory / "statm").read_text().split()[1]) * 4096 / 1024 / 1024
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total
