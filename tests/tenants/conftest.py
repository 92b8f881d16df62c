"""Logging in over HTTP as a browser would, and messages of long ago."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from messaging.models import Message
from tenants.services.hosts import hosts_forget
from tests.tenants.aging import aged

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


@pytest.fixture
def make_message(channel: Any) -> Callable[..., Message]:
    """`make_message(days, **fields)`: a message that was queued so many days ago."""

    def make(days: float, **fields: Any) -> Message:
        defaults = {
            "channel": channel,
            "direction": "out",
            "status": "sent",
            "address": "22997120001",
            "type": "text",
            "origin": "api",
            "content": {"type": "text", "text": {"body": "Hello"}},
        }
        at = timezone.now() - timedelta(days=days)
        return Message.objects.create(**(defaults | {"uuid": aged(at), "queued_at": at} | fields))

    return make
