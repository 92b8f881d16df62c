"""Logging in over HTTP, as a browser would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tenants.services.hosts import hosts_forget

PASSWORD = "a-long-test-password"


@pytest.fixture(autouse=True)
def fresh_hosts() -> Iterator[None]:
    """Hosts are remembered for less than a second; a test must not see those of the test before."""
    hosts_forget()
    yield
    hosts_forget()


@pytest.fixture(autouse=True)
def collected_static(settings: Any, tmp_path: Path) -> None:
    """WhiteNoise warns of a missing directory of collected files, and warnings are errors here."""
    settings.STATIC_ROOT = str(tmp_path)


@pytest.fixture
def browser() -> Callable[..., Client]:
    """`browser(host)`: a client that talks to that host."""
    return lambda host, **headers: Client(headers={"host": host}, **headers)


@pytest.fixture
def log_in(browser: Callable[..., Client]) -> Callable[..., tuple[Client, Any]]:
    """`log_in(host, email, password)`: (client, answer of the login form)."""

    def act(host: str, email: str, password: str = PASSWORD, **extra: Any) -> tuple[Client, Any]:
        client = browser(host, **extra)
        return client, client.post("/admin/login/?next=/admin/", {"username": email, "password": password})

    return act
