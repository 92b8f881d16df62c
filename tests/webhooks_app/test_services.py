"""Endpoints, the log, tests, replays and numbers, as the surfaces use them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django_tenants.utils import schema_context

from tenants.errors import Conflict, InvalidInput, NotFound
from tests.webhooks_app.receiver import Reply
from webhooks_app.catalogue import surface_events
from webhooks_app.models import Attempt, Delivery, Endpoint, EndpointCount, Event, Replay
from webhooks_app.reports import endpoint_stats
from webhooks_app.services import replays
from webhooks_app.services.deliveries import (
    attempt_request,
    deliveries_last,
    deliveries_of,
    delivery_replay,
    payloads_of,
)
from webhooks_app.services.endpoints import (
    endpoint_create,
    endpoint_get,
    endpoint_rotate_secret,
    endpoint_toggle,
    endpoint_update,
    endpoints_of,
)
from webhooks_app.services.testing import endpoint_test

NOW = datetime.now(UTC)


def test_marketing_gets_32_characters_and_gateway_what_it_gave(in_schema):
    endpoint, secret = endpoint_create(
        surface="marketing", name="Shop", url="http://127.0.0.1:9/", events=["message.sent"]
    )
    assert len(secret) == 32 and secret.isalnum()
    assert (endpoint.retry_limit, endpoint.timeout) == (3, 30)
    other, given = endpoint_create(
        surface="gateway", url="http://127.0.0.1:9/", events=["message.status"], secret="my_secure_secret_key"
    )
    assert (given, other.name) == ("my_secure_secret_key", "127.0.0.1")
    assert other.types == ["message.delivered", "message.failed", "message.read", "message.sent"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM webhooks_app_endpoint")
        assert all("secret" not in text and secret not in text for (text,) in cursor.fetchall())


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.5/", "http://192.168.1.1/", "http://169.254.169.254/latest", "http://[fd12::1]/",
        "http://[::ffff:10.0.0.1]/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f.1/", "ftp://example.com/",
        "http://user:pw@example.com/", "not a url", "http://does-not-exist.invalid/", "",
    ],
)  # fmt: skip
def test_a_url_that_must_not_be_fetched_is_refused_by_name(in_schema, url):
    with pytest.raises(InvalidInput) as refused:
        endpoint_create(surface="gateway", url=url, events=["message.received"])
    assert "url" in refused.value.fields
    assert Endpoint.objects.count() == 0


def test_all_problems_are_told_at_once_and_nothing_is_written(in_schema):
    with pytest.raises(InvalidInput) as refused:
        endpoint_create(
            surface="marketing", name="x" * 200, url="http://10.1.1.1/", events=["message.exploded"], retry_limit=99,
            timeout=0, channel_ids=[999],
        )  # fmt: skip
    assert set(refused.value.fields) == {"name", "url", "events", "retry_limit", "timeout", "channel_ids"}
    endpoint, _ = endpoint_create(surface="marketing", name="a", url="http://127.0.0.1:9/", events=["message.sent"])
    with pytest.raises(InvalidInput):
        endpoint_update(endpoint_id=endpoint.pk, name="b", events=[])
    assert endpoint_get(id=endpoint.pk).name == "a"


@pytest.mark.parametrize("secret", ["short", "x" * 201, "with\nnewline-in-it", "whsec_not base64!", "clé-très-secrète"])
def test_a_secret_that_cannot_sign_is_refused(in_schema, secret):
    with pytest.raises(InvalidInput) as refused:
        endpoint_create(surface="gateway", url="http://127.0.0.1:9/", events=["message.received"], secret=secret)
    assert set(refused.value.fields) == {"secret"}


def test_changes_keep_what_is_not_given(in_schema, make_endpoint):
    endpoint = make_endpoint(in_schema, surface="marketing", events=["message.sent"])
    changed = endpoint_update(endpoint_id=endpoint.pk, events=["message.sent", "contact.created"], is_active=False)
    assert (changed.name, changed.events, changed.is_active) == ("Test", ["message.sent", "contact.created"], False)
    assert endpoint_toggle(endpoint_id=endpoint.pk).is_active is True
    with pytest.raises(Conflict):
        endpoint_rotate_secret(endpoint_id=endpoint.pk, secret="a-secret-for-the-tests")


def test_another_organizations_and_another_surfaces_endpoint_is_not_found(in_schema, other_organization, make_endpoint):
    mine = make_endpoint(in_schema, surface="gateway", events=["message.received"])
    foreign = make_endpoint(other_organization)
    for _ in range(3):
        make_endpoint(other_organization)
    with pytest.raises(NotFound):
        endpoint_get(uuid=foreign.uuid)
    with pytest.raises(NotFound):
        endpoint_get(surface="marketing", id=mine.pk)
    assert list(endpoints_of(surface="gateway")) == [mine]


def test_the_documented_events_of_marketing_have_their_labels(in_schema):
    assert list(surface_events("marketing")) == [
        "message.sent", "message.delivered", "message.failed", "campaign.started", "campaign.completed",
        "campaign.failed", "contact.created", "contact.updated", "contact.deleted", "sub_account.created",
        "sub_account.suspended", "blacklist.added",
    ]  # fmt: skip


def test_a_test_delivery_is_sent_at_once_and_answers_with_code_and_latency(committed, receiver, make_endpoint):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url(), surface="marketing", name="My Integration", events=["*"])
    receiver.reply = lambda request, number: Reply(202, body=b"taken", wait=0.05)
    with schema_context(organization.schema_name):
        done = endpoint_test(endpoint_id=endpoint.pk)
        assert (done.succeeded, done.status_code, done.error, done.response_head) == (True, 202, "", "taken")
        assert done.latency_ms >= 50
        [request] = receiver.requests
        assert request.headers["x-webhook-event"] == "webhook.test"
        assert request.json["event"] == "webhook.test"
        assert request.json["data"] == {
            "message": "This is a test webhook delivery",
            "webhook_id": endpoint.pk,
            "webhook_name": "My Integration",
        }
        [row] = deliveries_last(endpoint_id=endpoint.pk)
        assert (row.status, row.event_type, row.status_code) == ("succeeded", "webhook.test", 202)
        attempt = Attempt.objects.get()
        rebuilt = attempt_request(attempt=attempt, delivery=row)
        assert rebuilt is not None
        assert rebuilt.body.encode() == request.body
        assert rebuilt.headers["x-webhook-signature"] == request.headers["x-webhook-signature"]
        assert EndpointCount.objects.count() == 0
        receiver.reply = lambda request, number: Reply(500)
        assert endpoint_test(endpoint_id=endpoint.pk).error == "The receiver answered with HTTP 500."


def make_deliveries(endpoint: Endpoint, statuses: list[str], **fields: Any) -> list[Delivery]:
    made = []
    for status in statuses:
        event = Event.objects.create(type="contact.created", data={"contact": {"number": 1}})
        made.append(
            Delivery.objects.create(
                endpoint=endpoint, event_id=event.pk, event_type="contact.created", status=status, **fields
            )
        )
    return made


def test_the_log_is_filtered_and_paged_by_key(in_schema, make_endpoint):
    endpoint, other = (
        make_endpoint(in_schema),
        make_endpoint(in_schema, surface="marketing", events=["contact.created"]),
    )
    rows = make_deliveries(endpoint, ["succeeded", "failed", "pending", "sending"])
    make_deliveries(other, ["failed"])
    assert [row.pk for row in deliveries_of(endpoint_id=endpoint.pk, status="pending")] == [rows[3].pk, rows[2].pk]
    assert [row.pk for row in deliveries_of(surface="workspace", status="failed")] == [rows[1].pk]
    assert [row.pk for row in deliveries_of(endpoint_id=endpoint.pk, before_id=rows[2].pk)] == [rows[1].pk, rows[0].pk]
    assert deliveries_of(endpoint_id=endpoint.pk, event="contact.deleted").count() == 0
    [body] = payloads_of(deliveries=[deliveries_of(endpoint_id=other.pk).get()]).values()
    assert (body["event"], body["data"]["id"]) == ("contact.created", 1)


def test_one_delivery_is_replayed_with_its_id(in_schema, make_endpoint):
    endpoint = make_endpoint(in_schema)
    [row] = make_deliveries(endpoint, ["failed"], attempts=8)
    row.refresh_from_db()
    delivery_replay(delivery_id=row.pk)
    after = Delivery.objects.get()
    assert (after.status, after.attempts, after.uuid) == ("pending", 0, row.uuid)
    with pytest.raises(Conflict, match="still waiting"):
        delivery_replay(delivery_id=row.pk)
    Delivery.objects.update(status="succeeded")
    Event.objects.update(data={"removed": True})
    with pytest.raises(Conflict, match="not kept"):
        delivery_replay(delivery_id=row.pk)


def test_replaying_all_since_goes_on_in_batches_and_reports_progress(in_schema, make_endpoint, monkeypatch):
    monkeypatch.setattr(replays, "BATCH", 3)
    endpoint, other = make_endpoint(in_schema), make_endpoint(in_schema)
    make_deliveries(endpoint, ["failed"], created_at=NOW - timedelta(days=3))
    make_deliveries(endpoint, ["failed", "succeeded", "cancelled", "failed", "pending"], created_at=NOW)
    make_deliveries(other, ["failed"], created_at=NOW)
    job = replays.replay_start(endpoint_id=endpoint.pk, since=NOW - timedelta(hours=1))
    with pytest.raises(Conflict, match="running"):
        replays.replay_start(endpoint_id=endpoint.pk, since=NOW - timedelta(hours=1))
    assert replays.replay_continue(in_schema.schema_name, str(job.pk)) is not None
    assert Replay.objects.get().replayed == 2
    assert replays.replay_continue(in_schema.schema_name, str(job.pk)) is None
    done = Replay.objects.get()
    assert (done.status, done.replayed) == ("done", 3)
    statuses = list(Delivery.objects.filter(endpoint=endpoint).order_by("id").values_list("status", flat=True))
    assert statuses == ["failed", "pending", "succeeded", "pending", "pending", "pending"]
    assert Delivery.objects.get(endpoint=other).status == "failed"
    assert replays.replay_continue(in_schema.schema_name, str(job.pk)) is None


def test_the_numbers_are_what_the_counters_say(in_schema, make_endpoint):
    endpoint = make_endpoint(in_schema, surface="marketing", events=["message.sent", "campaign.completed"])
    day = NOW.date()
    for kind, good, bad in (("message.sent", 96, 4), ("campaign.completed", 49, 1)):
        EndpointCount.objects.create(
            endpoint=endpoint,
            day=day,
            event_type=kind,
            succeeded=good,
            failed=bad,
            attempts=good + bad,
            latency_ms=1000,
        )
    stats = endpoint_stats(endpoint=endpoint)
    assert (stats.total, stats.successful, stats.failed, stats.success_rate) == (150, 145, 5, 96.67)
    assert stats.by_event == (("message.sent", 100), ("campaign.completed", 50))
    assert stats.last_triggered_at is None
