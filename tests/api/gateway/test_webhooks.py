"""Webhooks over the gateway API: registered, tested, logged; and the events that templates make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from messaging.drivers.news import TemplateNews
from messaging.models import Channel, Customer, MessageTemplate
from messaging.services.templates import template_news_apply
from tests.api.gateway.caller import Vendor, refusal, wrong_fields
from webhooks_app.models import Delivery
from webhooks_app.services.deliveries import payloads_of

EVENTS = ["message.received", "message.status", "template.status_changed"]


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """(URL, bodies received): a server that says 200."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/events", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def register(vendor: Vendor, url: str, **fields: Any) -> dict[str, Any]:
    response = vendor.post("/webhooks", {"url": url, "events": EVENTS} | fields)
    assert response.status_code == 201, response.content
    body: dict[str, Any] = response.json()
    return body


def test_a_webhook_is_registered_listed_tested_logged_and_deleted(vendor: Vendor, receiver: Any) -> None:
    url, bodies = receiver
    made = register(vendor, url, secret="my_secure_secret_key")
    webhook = made["webhook"]
    assert (webhook["url"], webhook["events"], webhook["isActive"]) == (url, EVENTS, True)
    listed = vendor.get("/webhooks")
    assert [row["id"] for row in listed.json()["webhooks"]] == [webhook["id"]]
    assert "my_secure_secret_key" not in listed.content.decode()
    tested = vendor.post(f"/webhooks/{webhook['id']}/test", {}).json()
    assert (tested["delivered"], tested["statusCode"], len(bodies)) == (True, 200, 1)
    assert tested["latencyMs"] >= 0
    logged = vendor.get("/webhook-deliveries", webhookId=webhook["id"], status="SUCCESS").json()["deliveries"]
    assert [(row["id"], row["status"], row["statusCode"]) for row in logged] == [(tested["deliveryId"], "SUCCESS", 200)]
    assert vendor.get("/webhook-deliveries", status="FAILED").json()["deliveries"] == []
    assert vendor.delete(f"/webhooks/{webhook['id']}").status_code == 200
    assert vendor.get("/webhooks").json()["webhooks"] == []


def test_a_receiver_that_is_away_is_no_error_of_the_request(vendor: Vendor) -> None:
    made = register(vendor, "http://127.0.0.1:9/events")
    tested = vendor.post(f"/webhooks/{made['webhook']['id']}/test", {}).json()
    assert (tested["delivered"], tested["statusCode"]) == (False, None)
    assert tested["error"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"url": "ftp://x.example"}, "url"),
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["odd.event"]}, "events"),
        ({"events": "all"}, "events"),
    ],
)
def test_bad_webhooks_are_refused(vendor: Vendor, changed: Any, field: str) -> None:
    response = vendor.post("/webhooks", {"url": "http://127.0.0.1:9/", "events": EVENTS} | changed)
    assert (response.status_code, wrong_fields(response)) == (422, {field})


def test_another_accounts_webhooks_do_not_exist(
    vendor: Vendor, make_vendor: Callable[..., Vendor], other_organization: Any
) -> None:
    mine = register(vendor, "http://127.0.0.1:9/events")["webhook"]["id"]
    other = make_vendor(other_organization)
    assert other.get("/webhooks").json()["webhooks"] == []
    assert refusal(other.post(f"/webhooks/{mine}/test", {})) == (404, "webhook_not_found")
    assert refusal(other.delete(f"/webhooks/{mine}")) == (404, "webhook_not_found")
    assert refusal(other.get("/webhook-deliveries", webhookId=mine)) == (404, "webhook_not_found")


def test_a_change_of_a_template_is_told_with_the_vendors_own_ids(vendor: Vendor, channel: Any) -> None:
    register(vendor, "http://127.0.0.1:9/events")
    customer = Customer.objects.create(name="DentalCare")
    Channel.objects.filter(pk=channel.pk).update(reference="iq_chan_wa_soporte", customer=customer)
    MessageTemplate.objects.create(
        kind=channel.kind,
        account_id=channel.account_id,
        provider_id="893472093847029",
        name="factura_disponible_cta",
        language="es",
        category="UTILITY",
        status="PENDING",
    )
    news = TemplateNews("893472093847029", "factura_disponible_cta", "es", status="APPROVED")
    for _twice in range(2):
        template_news_apply(channel_ids=[channel.pk], news=news)
    delivery = Delivery.objects.get()
    payload = payloads_of(deliveries=[delivery])[delivery.pk]
    assert payload["event"] == "template.status_changed"
    assert payload["channel"] == {"id": "iq_chan_wa_soporte", "type": "WHATSAPP"}
    assert payload["customerId"] == str(customer.uuid)
    assert {name: payload["template"][name] for name in ("id", "name", "oldStatus", "newStatus")} == {
        "id": "893472093847029",
        "name": "factura_disponible_cta",
        "oldStatus": "PENDING",
        "newStatus": "APPROVED",
    }
