"""The outbox: what is written, for whom, and that nothing is when nobody listens."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django_tenants.utils import schema_context

from tenants.models import AgendaItem
from webhooks_app.models import Delivery, Event
from webhooks_app.payloads import MARKER, payload_bounded, size_of
from webhooks_app.services.events import NewEvent, event_publish, events_publish

CONTACT = {"contact": {"id": "0192", "name": "Ada"}}


def test_nothing_is_written_when_nobody_listens(in_schema, make_endpoint, django_assert_num_queries):
    make_endpoint(in_schema, events=["contact.deleted"])
    idle = make_endpoint(in_schema, events=["contact.created"])
    type(idle).objects.filter(pk=idle.pk).update(is_active=False)
    event_publish(type="contact.created", data=CONTACT)
    assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)


def test_an_event_is_delivered_to_every_endpoint_that_wants_it(in_schema, make_endpoint):
    first = make_endpoint(in_schema, events=["contact.created"])
    second = make_endpoint(in_schema, events=["*"])
    make_endpoint(in_schema, events=["contact.updated"])
    event_publish(type="contact.created", data=CONTACT, key="0192")
    [event] = Event.objects.all()
    assert (event.type, event.data, event.key, event.is_test) == ("contact.created", CONTACT, "0192", False)
    rows = Delivery.objects.order_by("endpoint_id").values_list(
        "endpoint_id", "event_id", "event_type", "ordering_key", "status", "attempts"
    )
    assert list(rows) == [(item.pk, event.pk, "contact.created", "0192", "pending", 0) for item in (first, second)]


def test_only_events_of_the_chosen_channels_reach_an_endpoint(in_schema, make_endpoint, channel, make_channel):
    other = make_channel(in_schema)
    chosen = make_endpoint(in_schema, channel_ids=[channel.pk])
    for place in (channel.pk, other.pk, None):
        event_publish(type="channel.status_changed", data={"channel": {}}, channel_id=place)
    assert list(Delivery.objects.values_list("endpoint_id", flat=True)) == [chosen.pk]
    assert Event.objects.get().channel_id == channel.pk


def test_many_events_are_one_statement_and_keep_their_order(in_schema, make_endpoint, django_assert_num_queries):
    make_endpoint(in_schema, events=["contact.created", "contact.updated"])
    events = [
        NewEvent(("contact.created", "contact.updated", "contact.deleted")[index % 3], {"contact": {"number": index}})
        for index in range(300)
    ]
    events_publish(events=events)
    written = list(Event.objects.order_by("id").values_list("data__contact__number", flat=True))
    assert written == [index for index in range(300) if index % 3 != 2]


def test_a_change_that_is_rolled_back_tells_nobody(in_schema, make_endpoint):
    make_endpoint(in_schema)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        event_publish(type="contact.created", data=CONTACT)
        raise ZeroDivisionError
    assert Event.objects.count() == 0


def test_the_lane_is_due_soon_and_not_written_when_it_is_already(in_schema, make_endpoint):
    endpoint = make_endpoint(in_schema)
    lane = AgendaItem.objects.filter(schema=in_schema.schema_name, kind="webhook", key=str(endpoint.pk))
    assert lane.get().due_at is None
    event_publish(type="contact.created", data=CONTACT)
    due = lane.get().due_at
    assert due is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text, ctid::text FROM public.tenants_agendaitem WHERE id = %s", [lane.get().pk])
        before = cursor.fetchone()
        event_publish(type="contact.created", data=CONTACT)
        cursor.execute("SELECT xmin::text, ctid::text FROM public.tenants_agendaitem WHERE id = %s", [lane.get().pk])
        assert cursor.fetchone() == before


def test_another_organizations_endpoints_hear_nothing(in_schema, other_organization, make_endpoint):
    make_endpoint(other_organization)
    event_publish(type="contact.created", data=CONTACT)
    with schema_context(other_organization.schema_name):
        assert Event.objects.count() == 0


def test_a_type_outside_the_catalogue_is_a_programming_error(in_schema):
    with pytest.raises(ValueError, match=r"contact\.exploded"):
        event_publish(type="contact.exploded", data={})


def test_nul_characters_are_left_out_and_backslashes_survive(in_schema, make_endpoint):
    make_endpoint(in_schema)
    event_publish(type="contact.created", data={"contact": {"name": "A\x00da \\u0000"}})
    assert Event.objects.get().data == {"contact": {"name": "Ada \\u0000"}}


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ({"message": {"id": "1", "content": {"text": "x" * 500}}}, {"message": {"id": "1", "content": MARKER}}),
        ({"id": "1", "rows": list(range(900))}, {"id": "1", "rows": MARKER}),
        ({"id": "1", "map": {str(i): i for i in range(900)}}, {"id": "1", "map": MARKER}),
    ],
)
def test_what_is_too_large_gives_way_to_a_marker_and_ids_survive(data, kept):
    if "content" in str(data):
        kept = {"message": {"id": "1", "content": {"text": dict(MARKER)}}}
    assert payload_bounded(data, 300) == kept
    assert size_of(data) > 300


def test_a_payload_of_countless_small_values_becomes_the_marker():
    assert payload_bounded({str(index): index for index in range(5_000)}, 300) == MARKER
