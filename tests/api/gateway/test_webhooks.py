"""Webhooks over the gateway API: registered, tested, logged; and the events that templates make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from messaging.drivers.news import TemplateNews
from messaging.models import Channel, Customer, MessageTemplate
from messaging.services.channels import channel_pause
from messaging.services.templates import template_news_apply
from tests.api.gateway.caller import Vendor, refusal, wrong_fields
from webhooks_app.models import Delivery, Endpoint, Replay
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


def test_a_webhook_is_shown_changed_and_switched(vendor: Vendor) -> None:
    identifier = register(vendor, "http://127.0.0.1:9/events")["webhook"]["id"]
    changed = vendor.call("PATCH", f"/webhooks/{identifier}", {"events": ["message.status"], "isActive": False})
    assert changed.status_code == 200, changed.content
    webhook = changed.json()["webhook"]
    assert (webhook["url"], webhook["events"], webhook["isActive"]) == (
        "http://127.0.0.1:9/events",
        ["message.status"],
        False,
    )
    assert vendor.get(f"/webhooks/{identifier}").json()["webhook"] == webhook
    wrong = vendor.call("PATCH", f"/webhooks/{identifier}", {"events": ["odd.event"], "isActive": True})
    assert (wrong.status_code, wrong_fields(wrong)) == (422, {"events"})
    assert vendor.get(f"/webhooks/{identifier}").json()["webhook"] == webhook


def test_a_secret_is_changed_and_the_old_one_signs_for_a_while(vendor: Vendor, receiver: Any) -> None:
    made = register(vendor, receiver[0])
    path = f"/webhooks/{made['webhook']['id']}"
    changed = vendor.call("POST", f"{path}/rotate-secret")
    assert (changed.status_code, changed["Cache-Control"]) == (200, "no-store")
    secret, until = changed.json()["secret"], changed.json()["previousUntil"]
    assert secret.startswith("whsec_") and secret != made["secret"] and until is not None
    endpoint = Endpoint.objects.get()
    assert endpoint.secrets == {"current": secret, "previous": made["secret"]}
    own = {"secret": "my_secure_secret_key", "overlapHours": 0}
    assert vendor.post(f"{path}/rotate-secret", own).json()["previousUntil"] is None
    assert refusal(vendor.post(f"{path}/rotate-secret", own)) == (409, "secret_unchanged")
    assert wrong_fields(vendor.post(f"{path}/rotate-secret", {"secret": "short"})) == {"secret"}
    assert wrong_fields(vendor.post(f"{path}/rotate-secret", {"overlapHours": 721})) == {"overlapHours"}
    assert Endpoint.objects.get().secrets == {"current": "my_secure_secret_key"}


def test_one_delivery_goes_out_again_with_its_attempts_shown(vendor: Vendor, receiver: Any) -> None:
    path = f"/webhooks/{register(vendor, receiver[0])['webhook']['id']}"
    delivery = vendor.post(f"{path}/test", {}).json()["deliveryId"]
    shown = vendor.get(f"/webhook-deliveries/{delivery}").json()
    assert (shown["delivery"]["id"], shown["delivery"]["status"]) == (delivery, "SUCCESS")
    assert [(row["number"], row["statusCode"], row["error"]) for row in shown["attempts"]] == [(1, 200, None)]
    again = vendor.call("POST", f"/webhook-deliveries/{delivery}/replay")
    assert (again.status_code, again.json()["deliveryId"]) == (202, delivery)
    assert vendor.get(f"/webhook-deliveries/{delivery}").json()["delivery"]["status"] == "PENDING"
    assert refusal(vendor.call("POST", f"/webhook-deliveries/{delivery}/replay")) == (409, "delivery_waiting")
    vendor.call("PATCH", path, {"isActive": False})
    Delivery.objects.update(status=Delivery.Status.FAILED)
    assert refusal(vendor.call("POST", f"/webhook-deliveries/{delivery}/replay")) == (409, "webhook_off")


def test_everything_since_a_time_goes_out_again(vendor: Vendor) -> None:
    path = f"/webhooks/{register(vendor, 'http://127.0.0.1:9/events')['webhook']['id']}"
    started = vendor.post(f"{path}/replay", {"since": "2026-09-21T14:00:00+02:00", "failedOnly": False})
    assert started.status_code == 202, started.content
    replay = started.json()["replay"]
    assert (replay["since"], replay["status"], replay["failedOnly"]) == ("2026-09-21T12:00:00Z", "running", False)
    assert vendor.get(f"/webhook-replays/{replay['id']}").json()["replay"] == replay
    assert refusal(vendor.post(f"{path}/replay", {"since": "2026-09-21T14:00:00Z"})) == (409, "replay_running")
    for body in ({}, {"since": "yesterday"}, {"since": "2126-09-21T14:00:00Z"}):
        response = vendor.post(f"{path}/replay", body)
        assert (response.status_code, wrong_fields(response)) == (422, {"since"}), body
    assert Replay.objects.count() == 1


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
    vendor.get("/webhooks")
    delivery = vendor.post(f"/webhooks/{mine}/test", {}).json()["deliveryId"]
    replay = vendor.post(f"/webhooks/{mine}/replay", {"since": "2026-09-21T14:00:00Z"}).json()["replay"]["id"]
    for method, path, body in (
        ("GET", f"/webhooks/{mine}", None),
        ("PATCH", f"/webhooks/{mine}", {"isActive": False}),
        ("POST", f"/webhooks/{mine}/rotate-secret", None),
        ("POST", f"/webhooks/{mine}/replay", {"since": "2026-09-21T14:00:00Z"}),
    ):
        assert refusal(other.call(method, path, body)) == (404, "webhook_not_found"), path
    assert refusal(other.get(f"/webhook-deliveries/{delivery}")) == (404, "delivery_not_found")
    assert refusal(other.call("POST", f"/webhook-deliveries/{delivery}/replay")) == (404, "delivery_not_found")
    assert refusal(other.get(f"/webhook-replays/{replay}")) == (404, "replay_not_found")
    assert vendor.get(f"/webhooks/{mine}").json()["webhook"]["isActive"] is True


def test_a_test_key_sees_its_own_webhooks_only_and_they_hear_of_sandbox_channels_only(
    vendor: Vendor, make_vendor: Callable[..., Vendor], organization: Any, make_channel: Any
) -> None:
    tester = make_vendor(organization, mode="test")
    vendor.get("/webhooks")
    real = make_channel(organization, is_sandbox=False, name="Real")
    sandbox = make_channel(organization, is_sandbox=True, name="Sandbox")
    vendor.get("/webhooks")
    events = ["channel.status_changed"]
    live = register(vendor, "http://127.0.0.1:9/live", events=events)["webhook"]["id"]
    own = register(tester, "http://127.0.0.1:9/test", events=events)["webhook"]["id"]
    for channel in (real, sandbox):
        assert channel_pause(channel_id=channel.pk, reason="x")
    heard = sorted((str(row.endpoint.uuid), row.event_id) for row in Delivery.objects.select_related("endpoint"))
    assert [identifier for identifier, _event in heard].count(live) == 2
    assert [identifier for identifier, _event in heard].count(own) == 1
    told = tester.get("/webhook-deliveries").json()["deliveries"]
    assert [(row["webhookId"], row["payload"]["channel"]["id"]) for row in told] == [(own, str(sandbox.uuid))]
    assert [row["id"] for row in tester.get("/webhooks").json()["webhooks"]] == [own]
    assert {row["id"] for row in vendor.get("/webhooks").json()["webhooks"]} == {live, own}
    assert refusal(tester.get(f"/webhooks/{live}")) == (404, "webhook_not_found")
    assert refusal(tester.delete(f"/webhooks/{live}")) == (404, "webhook_not_found")
    assert refusal(tester.call("POST", f"/webhooks/{live}/rotate-secret")) == (404, "webhook_not_found")
    hidden = str(Delivery.objects.filter(endpoint__uuid=live).values_list("uuid", flat=True)[0])
    assert refusal(tester.get(f"/webhook-deliveries/{hidden}")) == (404, "delivery_not_found")
    replay = vendor.post(f"/webhooks/{live}/replay", {"since": "2026-09-21T14:00:00Z"}).json()["replay"]["id"]
    assert refusal(tester.get(f"/webhook-replays/{replay}")) == (404, "replay_not_found")


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
