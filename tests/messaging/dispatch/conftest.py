"""The engine against a real sandbox process and committed rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_tenants.utils import schema_context

from sandbox.testing import SandboxProcess


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxProcess]:
    """One sandbox for all engine tests; its webhooks go nowhere."""
    with SandboxProcess(env={"SANDBOX_WEBHOOK_URL": "http://127.0.0.1:9/webhook/meta"}) as process:
        yield process


@pytest.fixture
def engine(committed: Any, sandbox: SandboxProcess, settings: Any) -> Iterator[Any]:
    """An engine in this process whose channels talk to the sandbox."""
    from messaging.dispatch.runtime import Engine

    settings.SANDBOX_URL = sandbox.url
    sandbox.control("POST", "reset")
    started = Engine().start()
    yield started
    started.stop()


@pytest.fixture
def queue(committed: Any) -> Callable[..., list[Any]]:
    """`queue(organization, channel, count, **options)`: messages accepted and committed, nobody woken."""
    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    def accept(organization: Any, channel: Any, numbers: list[str], text: str = "Hello", **options: Any) -> list[Any]:
        with schema_context(organization.schema_name):
            snapshot = channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid)
            content = {"type": "text", "text": {"body": text}}
            acceptance = messages_accept(
                organization=organization,
                channel=snapshot,
                drafts=[Draft(to=number, content=content) for number in numbers],
                **({"origin": "api", "priority": 10} | options),
            )
            assert acceptance.rejections == []
            return [accepted.uuid for accepted in acceptance.accepted]

    return accept


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`wait_until(condition)`: poll until true, fail after `seconds`."""

    def wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.02)

    return wait
