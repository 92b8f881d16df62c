"""SMS through the real engine: to the sandbox's gateway, and to gateways whose address an organisation gave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django_tenants.utils import schema_context

from messaging.dispatch import gateways
from tenants.errors import InvalidInput

Make = Callable[..., Any]


class FakeGateway:
    """An HTTP server that answers every request with `reply` and keeps the queries."""

    def __init__(self) -> None:
        self.queries: list[dict[str, list[str]]] = []
        self.reply: tuple[int, bytes, dict[str, str]] = (202, b"0: Accepted for delivery", {})
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                gateway.queries.append(parse_qs(urlsplit(self.path).query))
                status, body, headers = gateway.reply
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/cgi-bin/sendsms"


@pytest.fixture
def gateway(settings: Any) -> Iterator[FakeGateway]:
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    gateways._known.clear()
    fake = FakeGateway()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def sms_channel(make_channel: Make, organization: Any, **fields: Any) -> Any:
    return make_channel(organization, **({"kind": "sms_http", "account_id": "", "secrets": {}} | fields))


def live(url: str) -> dict[str, Any]:
    config = {"preset": "kannel", "gateway_url": url, "username": "griot"}
    return {"is_sandbox": False, "config": config, "secrets": {"password": "p"}}


def rows(organization: Any) -> list[Any]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        return list(Message.objects.order_by("id"))


def status_of(organization: Any, channel: Any) -> tuple[str, str]:
    from messaging.models import Channel

    with schema_context(organization.schema_name):
        found = Channel.objects.get(pk=channel.pk)
    return found.status, found.status_reason


def test_an_sms_is_on_the_phone_with_our_id_and_a_lost_answer_is_in_doubt(
    committed: Any, engine: Any, make_channel: Make, queue: Make, sandbox: Any, wait_until: Make
) -> None:
    organization, _ = committed
    channel = sms_channel(make_channel, organization)
    first, _lost = queue(organization, channel, ["24106000011", "24106000096"], "Bonjour ☕")
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: [row.status for row in rows(organization)] == ["sent", "in_doubt"], 15)
    (shown,) = sandbox.inbox("24106000011")
    assert (shown["body"], shown["biz_opaque_callback_data"]) == ("Bonjour ☕", str(first))
    assert shown["id"] == rows(organization)[0].provider_id
    assert len(sandbox.inbox("24106000096")) == 1


def test_a_busy_gateway_gets_the_message_again_and_a_refused_number_fails(
    committed: Any, engine: Any, make_channel: Make, queue: Make, sandbox: Any, wait_until: Make
) -> None:
    organization, _ = committed
    channel = sms_channel(make_channel, organization)
    sandbox.control("PUT", "switches", {"failures": "sync"})
    queue(organization, channel, ["24106000098", "24106000099"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: [row.status for row in rows(organization)] == ["scheduled", "failed"], 15)
    assert [row.error_code for row in rows(organization)] == ["throttled", "invalid_number"]
    wait_until(
        lambda: bool(engine.pump(organization.schema_name, channel.pk)) or rows(organization)[0].status == "sent", 15
    )
    wait_until(lambda: rows(organization)[0].status == "sent", 15)


def test_an_own_gateway_is_reached_with_its_parameters(
    committed: Any, engine: Any, make_channel: Make, queue: Make, gateway: FakeGateway, wait_until: Make
) -> None:
    organization, _ = committed
    channel = sms_channel(make_channel, organization, **live(gateway.url))
    (uuid,) = queue(organization, channel, ["24106000011"], "a&b=c")
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "sent", 15)
    (query,) = gateway.queries
    assert (query["to"], query["text"], query["password"]) == (["+24106000011"], ["a&b=c"], ["p"])
    assert (
        f"/webhook/callback/{channel.external_id}/{channel.secrets['callback_token']}/report?id={uuid}"
        in (query["dlr-url"][0])
    )
    assert rows(organization)[0].provider_id is None


@pytest.mark.parametrize(
    "reply", [(403, b"Authorization failed for sendsms", {}), (302, b"", {"location": "http://127.0.0.1:9/"})]
)
def test_a_gateway_that_refuses_everybody_pauses_the_channel_and_keeps_the_messages(
    committed: Any, engine: Any, make_channel: Make, queue: Make, gateway: FakeGateway, wait_until: Make, reply: Any
) -> None:
    organization, _ = committed
    gateway.reply = reply
    channel = sms_channel(make_channel, organization, **live(gateway.url))
    queue(organization, channel, ["24106000011"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: status_of(organization, channel)[0] == "paused", 15)
    assert rows(organization)[0].status == "queued"


def test_an_endless_answer_is_read_to_a_bound(
    committed: Any, engine: Any, make_channel: Make, queue: Make, gateway: FakeGateway, wait_until: Make
) -> None:
    organization, _ = committed
    gateway.reply = (202, b"0: Accepted" + b"x" * 5_000_000, {})
    channel = sms_channel(make_channel, organization, **live(gateway.url))
    queue(organization, channel, ["24106000011"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "sent", 15)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/x", "http://169.254.169.254/latest", "http://[::1]/", "http://10.1.2.3/"]
)
def test_an_address_in_our_own_network_is_refused_when_it_is_given(
    committed: Any, make_channel: Make, settings: Any, url: str
) -> None:
    settings.EGRESS_ALLOWED_NETWORKS = []
    with pytest.raises(InvalidInput) as caught:
        sms_channel(make_channel, committed[0], **live(url))
    assert list(caught.value.fields) == ["gateway_url"]


def test_an_address_that_is_not_allowed_any_more_is_not_reached(
    committed: Any, engine: Any, make_channel: Make, queue: Make, gateway: FakeGateway, wait_until: Make, settings: Any
) -> None:
    organization, _ = committed
    channel = sms_channel(make_channel, organization, **live(gateway.url))
    settings.EGRESS_ALLOWED_NETWORKS = []
    queue(organization, channel, ["24106000011"])
    engine.pump(organization.schema_name, channel.pk)
    wait_until(lambda: rows(organization)[0].status == "scheduled", 15)
    assert rows(organization)[0].error_code == "gateway_refused"
    assert gateway.queries == []
