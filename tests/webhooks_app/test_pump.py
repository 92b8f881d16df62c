"""The pump against a real receiver and committed rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_tenants.utils import schema_context
from standardwebhooks.webhooks import Webhook

from tenants.models import AgendaItem
from tests.webhooks_app.receiver import Receiver, Reply
from webhooks_app.models import Attempt, Delivery, Endpoint, EndpointCount, Event
from webhooks_app.services.endpoints import endpoint_delete, endpoint_rotate_secret, endpoint_toggle

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def deliveries(organization: Any, **filters: Any) -> list[Delivery]:
    with schema_context(organization.schema_name):
        return list(Delivery.objects.filter(**filters).order_by("id"))


def endpoint_now(organization: Any, endpoint: Endpoint) -> Endpoint:
    with schema_context(organization.schema_name):
        return Endpoint.objects.get(pk=endpoint.pk)


def due_now(organization: Any) -> None:
    with schema_context(organization.schema_name):
        Delivery.objects.filter(status="pending").update(due_at=datetime.now(UTC) - timedelta(seconds=1))


def settled(organization: Any, count: int) -> bool:
    return len(deliveries(organization, status__in=["succeeded", "failed"])) == count


def test_an_event_arrives_signed_and_everything_is_written_down(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), secret=SECRET, events=["contact.created"])
    publish(organization, 3)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 3))
    assert sorted(request.json["data"]["contact"]["number"] for request in receiver.requests) == [0, 1, 2]
    for request in receiver.requests:
        assert Webhook(SECRET).verify(request.body, request.headers) == request.json
        assert request.headers["x-webhook-event"] == "contact.created"
        assert request.headers["content-type"] == "application/json"
    rows = deliveries(organization)
    assert {str(row.uuid) for row in rows} == {request.headers["webhook-id"] for request in receiver.requests}
    assert [(row.status, row.attempts, row.status_code, row.error) for row in rows] == [("succeeded", 1, 200, "")] * 3
    with schema_context(organization.schema_name):
        assert list(Attempt.objects.values_list("number", "status_code", "response_head")) == [(1, 200, "ok")] * 3
        count = EndpointCount.objects.get()
        assert (count.event_type, count.succeeded, count.failed, count.attempts) == ("contact.created", 3, 0, 3)
    wait_until(pump.idle)
    assert endpoint_now(organization, endpoint).last_success_at is not None
    lane = AgendaItem.objects.get(kind="webhook", key=str(endpoint.pk))
    assert lane.leased_until is None


def test_a_failing_receiver_is_tried_again_on_schedule_and_given_up_after_the_last_retry(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), retry_limit=2)
    receiver.reply = lambda request, number: Reply(500, body=b'{"token": "super-secret-1"} a-secret-for-the-tests')
    publish(organization)
    waits = []
    for attempt in (1, 2):
        pump.pump(organization.schema_name, endpoint.pk)
        wait_until(lambda wanted=attempt: deliveries(organization, attempts=wanted, status="pending") != [])
        [row] = deliveries(organization)
        waits.append((row.due_at - datetime.now(UTC)).total_seconds())
        wait_until(pump.idle)
        due_now(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: deliveries(organization, status="failed") != [])
    assert 3 < waits[0] <= 6
    assert 239 < waits[1] <= 360
    [row] = deliveries(organization)
    assert (row.attempts, row.status_code, row.error) == (3, 500, "The receiver answered with HTTP 500.")
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    with schema_context(organization.schema_name):
        heads = set(Attempt.objects.values_list("response_head", flat=True))
    assert heads == {'{"token": "•••"} •••'}
    assert endpoint_now(organization, endpoint).failing_since is not None


def test_the_next_event_of_a_message_waits_for_the_one_that_is_tried_again(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    receiver.reply = lambda request, number: Reply(500 if request.json["data"]["contact"]["number"] == 0 else 200)
    publish(organization, 3, key="one")
    publish(organization, 1, key="two", start=10)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1) and deliveries(organization, attempts=1, status="pending") != [])
    wait_until(pump.idle)
    assert [request.json["data"]["contact"]["number"] for request in receiver.requests].count(1) == 0
    [first, *waiting] = deliveries(organization, status="pending")
    assert [row.due_at for row in waiting] == [first.due_at, first.due_at]
    receiver.reply = lambda request, number: Reply()
    due_now(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 4))
    order = [request.json["data"]["contact"]["number"] for request in receiver.requests]
    assert [number for number in order if number < 10][-3:] == [0, 1, 2]


def test_after_the_final_failure_the_later_events_of_the_message_go_on(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), retry_limit=0)
    receiver.reply = lambda request, number: Reply(400 if number == 0 else 200)
    publish(organization, 2, key="one")
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 2))
    assert [row.status for row in deliveries(organization)] == ["failed", "succeeded"]


def test_an_event_that_comes_in_while_an_earlier_one_waits_does_not_keep_the_lane_busy(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    receiver.reply = lambda request, number: Reply(500)
    publish(organization, 1, key="one")
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: deliveries(organization, attempts=1, status="pending") != [])
    wait_until(pump.idle)
    publish(organization, 1, key="one", start=1)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(pump.idle, 5)
    first, second = deliveries(organization)
    assert second.due_at == first.due_at
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(302, {"location": "http://127.0.0.1:1/"}), "redirect (HTTP 302)"),
        (Reply(200, wait=2.5), "No answer within 1 s."),
    ],
)
def test_what_is_no_success_is_explained(committed, pump, receiver, make_endpoint, publish, wait_until, reply, error):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), retry_limit=0, timeout=1)
    receiver.reply = lambda request, number: reply
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    [row] = deliveries(organization)
    assert row.status == "failed"
    assert error in row.error
    assert len(receiver.requests) == 1


def test_nobody_listening_there_is_explained(committed, pump, make_endpoint, publish, wait_until):
    organization, _ = committed
    endpoint = make_endpoint(organization, "http://127.0.0.1:9/hook", retry_limit=0)
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    assert deliveries(organization)[0].error.startswith("No connection:")


def test_a_name_that_turns_private_after_registration_is_not_delivered_to(
    committed, pump, receiver, make_endpoint, publish, wait_until, monkeypatch, settings
):
    from config import egress

    organization, _ = committed
    answers = iter(["93.184.216.34", "10.0.0.7"])
    real = egress.socket.getaddrinfo

    def look_up(host: str, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != "hooks.example.com":
            return real(host, port, *arguments, **options)
        return [(egress.socket.AF_INET, egress.socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(egress.socket, "getaddrinfo", look_up)
    endpoint = make_endpoint(organization, f"http://hooks.example.com:{receiver.port}/hook", retry_limit=0)
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    [row] = deliveries(organization)
    assert (row.status, row.error) == ("failed", "The URL leads to an address that is not public.")
    assert receiver.requests == []


def test_the_connection_goes_to_the_checked_address_under_the_given_name(
    committed, pump, receiver, make_endpoint, publish, wait_until, monkeypatch
):
    from config import egress

    organization, _ = committed
    real = egress.socket.getaddrinfo

    def look_up(host: str, port: Any, *arguments: Any, **options: Any) -> Any:
        if host != "hooks.example.com":
            return real(host, port, *arguments, **options)
        return [(egress.socket.AF_INET, egress.socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(egress.socket, "getaddrinfo", look_up)
    endpoint = make_endpoint(organization, f"http://HOOKS.example.com:{receiver.port}/hook?a=b")
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    [request] = receiver.requests
    assert request.headers["host"] == f"hooks.example.com:{receiver.port}"
    assert request.path == "/hook?a=b"


def test_retry_after_is_honoured(committed, pump, receiver, make_endpoint, publish, wait_until):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    receiver.reply = lambda request, number: Reply(429, {"retry-after": "90"})
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: deliveries(organization, attempts=1, status="pending") != [])
    wait = (deliveries(organization)[0].due_at - datetime.now(UTC)).total_seconds()
    assert 80 < wait <= 90


def test_a_receiver_that_is_gone_is_switched_off_and_the_others_are_told(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), name="Old shop")
    watcher = make_endpoint(organization, "http://127.0.0.1:9/watch", events=["webhook.disabled"])
    receiver.reply = lambda request, number: Reply(410)
    publish(organization, 1)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: not endpoint_now(organization, endpoint).is_active)
    wait_until(pump.idle)
    assert endpoint_now(organization, endpoint).disabled_reason == (
        "The receiver says that it is gone for good (HTTP 410)."
    )
    [told] = deliveries(organization, endpoint_id=watcher.pk)
    with schema_context(organization.schema_name):
        assert Event.objects.get(pk=told.event_id).data["webhook"]["name"] == "Old shop"
    publish(organization, 1)
    assert len(deliveries(organization, endpoint_id=endpoint.pk)) == 1


def test_days_without_a_success_switch_the_endpoint_off(committed, pump, receiver, make_endpoint, publish, wait_until):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    receiver.reply = lambda request, number: Reply(500)
    with schema_context(organization.schema_name):
        Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=datetime.now(UTC) - timedelta(days=5, minutes=1))
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: not endpoint_now(organization, endpoint).is_active)
    assert endpoint_now(organization, endpoint).disabled_reason == "Nothing has arrived for 5 days."
    with schema_context(organization.schema_name):
        endpoint_toggle(endpoint_id=endpoint.pk)
    after = endpoint_now(organization, endpoint)
    assert (after.is_active, after.disabled_reason, after.failing_since) == (True, "", None)


def test_a_slow_receiver_delays_nobody_else(committed, pump, make_endpoint, publish, wait_until):
    organization, _ = committed
    slow, fast = Receiver(), Receiver()
    try:
        slow.reply = lambda request, number: Reply(wait=5)
        sluggish = make_endpoint(organization, slow.url(), timeout=30)
        quick = make_endpoint(organization, fast.url())
        publish(organization, 100)
        pump.pump(organization.schema_name, sluggish.pk)
        pump.pump(organization.schema_name, quick.pk)
        wait_until(lambda: len(fast.requests) == 100, 4.5)
        assert deliveries(organization, endpoint_id=sluggish.pk, status="succeeded") == []
        assert len(slow.requests) <= 8
    finally:
        slow.reply = lambda request, number: Reply()
        pump.stop()
        slow.close()
        fast.close()


def test_two_pumps_deliver_each_event_once(committed, pump, receiver, make_endpoint, publish, wait_until):
    from webhooks_app.pump.runtime import Deliverer

    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    publish(organization, 300)
    second = Deliverer().start()
    try:
        for _ in range(20):
            pump.pump(organization.schema_name, endpoint.pk)
            second.pump(organization.schema_name, endpoint.pk)
        wait_until(lambda: settled(organization, 300))
    finally:
        second.stop()
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert (len(ids), len(set(ids))) == (300, 300)


def test_what_a_dead_owner_had_under_way_is_delivered_again_with_the_same_id(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    publish(organization)
    with schema_context(organization.schema_name):
        Delivery.objects.update(status="sending", fence=7, attempts=1)
    AgendaItem.objects.filter(kind="webhook").update(
        fence=7, lease_owner="dead", leased_until=datetime.now(UTC) - timedelta(seconds=1)
    )
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    [row] = deliveries(organization)
    assert (row.status, row.attempts) == ("succeeded", 2)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [str(row.uuid)]


def test_both_secrets_sign_while_they_overlap_and_only_the_new_one_afterwards(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), secret=SECRET)
    with schema_context(organization.schema_name):
        fresh = endpoint_rotate_secret(endpoint_id=endpoint.pk)
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    wait_until(pump.idle)
    [request] = receiver.requests
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    for secret in (SECRET, fresh):
        assert Webhook(secret).verify(request.body, request.headers) == request.json
    with schema_context(organization.schema_name):
        Endpoint.objects.update(previous_until=datetime.now(UTC) - timedelta(seconds=1))
    publish(organization)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 2))
    assert len(receiver.requests[1].headers["webhook-signature"].split(" ")) == 1
    assert "x-webhook-signature-previous" not in receiver.requests[1].headers


def test_a_switched_off_endpoint_waits_and_goes_on_when_it_is_on_again(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    publish(organization)
    with schema_context(organization.schema_name):
        endpoint_toggle(endpoint_id=endpoint.pk)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(pump.idle)
    assert receiver.requests == []
    assert AgendaItem.objects.get(kind="webhook").due_at is None
    with schema_context(organization.schema_name):
        endpoint_toggle(endpoint_id=endpoint.pk)
    assert AgendaItem.objects.get(kind="webhook").due_at is not None
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))


def test_deleting_an_endpoint_cancels_what_waits_and_ends_its_lane(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    publish(organization, 5)
    with schema_context(organization.schema_name):
        endpoint_delete(endpoint_id=endpoint.pk)
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: not AgendaItem.objects.filter(kind="webhook").exists())
    assert {row.status for row in deliveries(organization)} == {"cancelled"}
    assert receiver.requests == []


def test_a_suspended_organization_delivers_nothing(committed, pump, receiver, make_endpoint, publish, wait_until):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    publish(organization)
    organization.status = "suspended"
    organization.save(update_fields=["status"])
    try:
        pump.pump(organization.schema_name, endpoint.pk)
        wait_until(pump.idle)
        assert receiver.requests == []
    finally:
        organization.status = "active"
        organization.save(update_fields=["status"])


def test_a_payload_that_is_no_longer_kept_fails_with_words(
    committed, pump, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    publish(organization)
    with schema_context(organization.schema_name):
        Event.objects.update(data={"removed": True})
    pump.pump(organization.schema_name, endpoint.pk)
    wait_until(lambda: settled(organization, 1))
    assert deliveries(organization)[0].error == "The payload is not kept any more."
    assert receiver.requests == []
