"""One sandbox process and one receiver for all tests here; each test starts from a reset sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyreqwest.client import SyncClientBuilder

from sandbox.testing import SandboxProcess
from tests.sandbox.receiver import SECRET, VERIFY, Receiver

NUMBER = "512094478812345"
WABA = "980215774401238"
TOKEN = "sandbox-token-demo"
PHONE = "+15550140071"
SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "meta" / "samples"
ENV = {
    "META_APP_ID": "720011223344556",
    "META_APP_SECRET": SECRET,
    "META_VERIFY_TOKEN": VERIFY,
    "SANDBOX_SWITCH_SENT_AFTER_MS": "20",
    "SANDBOX_SWITCH_DELIVERED_AFTER_MS": "60",
    "SANDBOX_SWITCH_READ_AFTER_MS": "100",
    "SANDBOX_SWITCH_TEMPLATE_REVIEW_MS": "50",
    "SANDBOX_SWITCH_SLOW_MS": "400",
}


class Graph:
    """Calls to the sandbox's Graph API as (HTTP status, parsed body)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = SyncClientBuilder().no_proxy().build()

    def call(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, **query: str
    ) -> tuple[int, dict[str, Any]]:
        request = self.client.request(method, f"{self.url}/v25.0/{path}").query(query)
        if token is not None:
            request = request.header("authorization", f"Bearer {token}")
        if isinstance(body, bytes):
            request = request.body_bytes(body)
        elif body is not None:
            request = request.body_json(body)
        response = request.build().send()
        return response.status, response.json()

    def send(self, number: str = NUMBER, token: str | None = TOKEN, **body: Any) -> tuple[int, dict[str, Any]]:
        """Send a message; text "Hello" to PHONE unless told otherwise."""
        full = {"messaging_product": "whatsapp", "to": PHONE, **body}
        if "type" not in full and "text" not in full:
            full["text"] = {"body": "Hello"}
        return self.call("POST", f"{number}/messages", full, token)

    def accepted(self, **body: Any) -> str:
        """Send a message that must be accepted; its id."""
        status, answer = self.send(**body)
        assert status == 200, answer
        wamid: str = answer["messages"][0]["id"]
        return wamid


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def _process(_receiver: Receiver) -> Iterator[SandboxProcess]:
    with SandboxProcess(env={**ENV, "SANDBOX_WEBHOOK_URL": _receiver.url}) as process:
        yield process


@pytest.fixture
def sandbox(_process: SandboxProcess) -> SandboxProcess:
    """A sandbox with one configured number."""
    _process.control("POST", "reset")
    _process.control(
        "POST",
        "numbers",
        {
            "phone_number_id": NUMBER,
            "waba_id": WABA,
            "display_phone_number": "+1 555-012-3400",
            "verified_name": "Demo Shop",
            "token": "EAAKdemo",
        },
    )
    return _process


@pytest.fixture
def receiver(_receiver: Receiver, sandbox: SandboxProcess) -> Iterator[Receiver]:
    _receiver.clear()
    yield _receiver
    assert _receiver.forged == 0


@pytest.fixture
def graph(sandbox: SandboxProcess) -> Graph:
    return Graph(sandbox.url)


@pytest.fixture
def switch(sandbox: SandboxProcess) -> Callable[..., Any]:
    return lambda **values: sandbox.control("PUT", "switches", values)


def sample(name: str) -> Any:
    """A documented JSON case; the test is skipped where the folder is absent."""
    path = SAMPLES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the documented sample {name} is not available here")
    return json.loads(path.read_text(encoding="utf-8"))


def shape(value: Any) -> Any:
    """The structure of a JSON value: keys and types, without the values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__
