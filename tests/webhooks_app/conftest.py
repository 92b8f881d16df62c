"""Endpoints and receivers for the tests of webhooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_tenants.utils import schema_context

from tests.webhooks_app.receiver import Receiver


@pytest.fixture
def make_endpoint() -> Callable[..., Any]:
    """`make_endpoint(organization, url, **fields)`: an active endpoint with its lane; the schema stays as it was."""
    from webhooks_app.services.endpoints import endpoint_create

    def make(organization: Any, url: str = "http://127.0.0.1:9/hook", **fields: Any) -> Any:
        defaults = {"surface": "workspace", "name": "Test", "events": ["*"], "secret": "a-secret-for-the-tests"}
        with schema_context(organization.schema_name):
            return endpoint_create(url=url, **(defaults | fields))[0]

    return make


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def pump(committed: Any) -> Iterator[Any]:
    """A pump in this process; `pump.pump(schema, endpoint id)` delivers what is due."""
    from webhooks_app.pump.runtime import Deliverer

    started = Deliverer().start()
    yield started
    started.stop()


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`wait_until(condition)`: poll until true, fail after `seconds`."""

    def wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.02)

    return wait


@pytest.fixture
def publish() -> Callable[..., None]:
    """`publish(organization, count, key=...)`: committed contact.created events, numbered from `start`."""
    from webhooks_app.services.events import NewEvent, events_publish

    def run(organization: Any, count: int = 1, *, key: str = "", start: int = 0, type: str = "contact.created") -> None:
        with schema_context(organization.schema_name):
            events_publish(
                events=[NewEvent(type, {"contact": {"number": start + index}}, key=key) for index in range(count)]
            )

    return run
