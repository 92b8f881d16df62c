"""Accepting messages: what is refused and why, what is inserted, and that the lane will be looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from contacts.models import Contact, Identity, ServiceWindow, Suppression
from messaging.models import Channel, ChannelCount, Message
from messaging.services.accept import Draft, messages_accept
from messaging.services.channels import channel_by_uuid
from tenants.errors import Conflict, InvalidInput
from tenants.models import AgendaItem

TEXT = {"type": "text", "text": {"body": "Hello {{name}}"}}


@pytest.fixture
def accept(channel: Channel, in_schema: Any, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch):
    """`accept(drafts, **options)` on the fixture channel; `accept.woken` collects the wake-ups of its commits."""
    woken: list[tuple[str, int]] = []
    monkeypatch.setattr("messaging.services.accept.lane_wake", lambda schema, pk: woken.append((schema, pk)))

    def call(drafts: list[Draft], **options: Any) -> Any:
        snapshot = channel_by_uuid(schema=connection.schema_name, uuid=channel.uuid)
        with django_capture_on_commit_callbacks(execute=True):
            return messages_accept(
                organization=in_schema,
                channel=options.pop("channel", snapshot),
                drafts=drafts,
                **({"origin": "api", "priority": 10} | options),
            )

    call.woken = woken
    return call


def test_good_drafts_are_inserted_and_bad_ones_listed_with_their_place(accept, channel):
    drafts = [
        Draft("22961000001", TEXT, {"name": "Ada"}),
        Draft("not a number", TEXT, {"name": "Bob"}),
        Draft("+229 61 00 00 02", TEXT, {}),
        Draft("22961000003", {"type": "text", "text": {"body": ""}}),
        Draft("61000004", TEXT, {"name": "{{name}}"}),
    ]
    acceptance = accept(drafts)
    assert [(item.index, item.to) for item in acceptance.accepted] == [(0, "22961000001"), (4, "22961000004")]
    assert [(item.index, item.to, item.code) for item in acceptance.rejections] == [
        (1, "not a number", "invalid_phone"),
        (2, "+229 61 00 00 02", "variable_missing"),
        (3, "22961000003", "invalid_content"),
    ]
    assert acceptance.rejections[1].fields == {"variables.name": "is missing"}
    first, second = Message.objects.order_by("id")
    assert first.uuid == acceptance.accepted[0].uuid
    assert first.content == {"type": "text", "text": {"body": "Hello Ada"}}
    assert second.content["text"]["body"] == "Hello {{name}}"
    assert (first.status, first.direction, first.priority, first.attempts) == ("queued", "out", 10, 0)
    assert [count.count for count in ChannelCount.objects.filter(metric="accepted")] == [2]
    assert accept.woken == [(connection.schema_name, channel.pk)]
    assert AgendaItem.objects.get(kind="channel", key=str(channel.pk)).due_at is not None


def test_a_lane_that_is_due_soon_is_left_alone(accept, channel):
    soon = datetime.now(UTC) + timedelta(seconds=1)
    AgendaItem.objects.update(due_at=soon)
    accept([Draft("22961000001", TEXT, {"name": "Ada"})])
    assert AgendaItem.objects.get(kind="channel").due_at == soon


def test_a_later_message_sets_the_lane_and_wakes_nobody(accept, channel):
    at = datetime.now(UTC) + timedelta(hours=2)
    accept([Draft("22961000001", TEXT, {"name": "Ada"})], scheduled_at=at)
    assert Message.objects.get().status == "scheduled"
    assert Message.objects.get().due_at == at
    assert AgendaItem.objects.get(kind="channel").due_at == at
    assert accept.woken == []


def test_more_than_a_year_ahead_is_refused(accept):
    with pytest.raises(InvalidInput) as refusal:
        accept([Draft("22961000001", TEXT, {"name": "A"})], scheduled_at=datetime.now(UTC) + timedelta(days=400))
    assert refusal.value.code == "schedule_too_far"


@pytest.mark.parametrize("status", ["paused", "pending", "disconnected"])
def test_a_channel_that_is_not_connected_accepts_nothing(accept, channel, status):
    Channel.objects.update(status=status)
    import messaging.services.channels as channels

    channels._snapshots.clear()
    with pytest.raises(Conflict) as refusal:
        accept(
            [Draft("22961000001", TEXT, {"name": "A"})],
            channel=channel_by_uuid(schema=connection.schema_name, uuid=channel.uuid),
        )
    assert refusal.value.code == "channel_not_connected"
    assert Message.objects.count() == 0


def test_suppressed_numbers_are_refused_but_a_marketing_opt_out_is_not_for_all(accept):
    Suppression.objects.create(address="22961000001", reason="blacklist", scope="all")
    Suppression.objects.create(address="22961000002", reason="opt_out", scope="marketing")
    acceptance = accept([Draft(f"2296100000{n}", TEXT, {"name": "A"}) for n in (1, 2, 3)])
    assert [(item.index, item.code) for item in acceptance.rejections] == [(0, "suppressed")]
    assert Message.objects.count() == 2


def test_free_text_needs_an_open_window_where_the_channel_asks_for_it(accept, channel):
    import messaging.services.channels as channels

    Channel.objects.update(enforce_window=True)
    channels._snapshots.clear()
    now = datetime.now(UTC)
    ServiceWindow.objects.create(channel=channel, address="22961000001", last_inbound_at=now - timedelta(hours=23))
    ServiceWindow.objects.create(channel=channel, address="22961000002", last_inbound_at=now - timedelta(hours=25))
    template = {"type": "template", "template": {"name": "hello", "language": {"code": "en"}}}
    snapshot = channel_by_uuid(schema=connection.schema_name, uuid=channel.uuid)
    acceptance = accept([Draft(f"2296100000{n}", TEXT, {"name": "A"}) for n in (1, 2, 3)], channel=snapshot)
    assert [item.to for item in acceptance.accepted] == ["22961000001"]
    assert {item.code for item in acceptance.rejections} == {"window_closed"}
    assert accept([Draft("22961000003", template)], channel=snapshot).rejections == []


def test_the_channels_own_number_is_refused(accept, channel):
    acceptance = accept([Draft(channel.address, TEXT, {"name": "A"})])
    assert acceptance.rejections[0].code == "recipient_is_sender"


def test_saving_contacts_creates_each_once_and_links_the_messages(accept):
    Contact.objects.create(phone="22961000001", name="Known")
    drafts = [Draft(f"2296100000{n}", TEXT, {"name": "A"}) for n in (1, 2, 2)]
    accept(drafts, save_contact=True)
    assert dict(Contact.objects.values_list("phone", "name")) == {"22961000001": "Known", "22961000002": ""}
    assert Identity.objects.get(value="22961000002").contact.phone == "22961000002"
    assert [message.contact.phone for message in Message.objects.order_by("id")] == [
        "22961000001",
        "22961000002",
        "22961000002",
    ]


def test_one_statement_inserts_ten_thousand(accept, django_assert_max_num_queries):
    drafts = [Draft(f"22961{n:06d}"[:11], TEXT, {"name": "A"}) for n in range(10_000)]
    with django_assert_max_num_queries(3):
        acceptance = accept(drafts)
    assert len(acceptance.accepted) == 10_000
    assert Message.objects.count() == 10_000


def test_marketing_is_refused_to_who_opted_out_of_it_and_marked_for_the_others(accept):
    Suppression.objects.create(address="22961000002", reason="opt_out", scope="marketing")
    drafts = [Draft(f"2296100000{n}", TEXT, {"name": "A"}) for n in (1, 2)]
    acceptance = accept(drafts, is_marketing=True)
    assert [(item.index, item.code, item.fields) for item in acceptance.rejections] == [
        (1, "suppressed", {"to": "has opted out of marketing"})
    ]
    assert list(Message.objects.values_list("address", "is_marketing")) == [("22961000001", True)]
    assert accept(drafts[1:]).rejections == []
    assert Message.objects.get(address="22961000002").is_marketing is False


def test_a_template_of_the_marketing_category_is_marketing(accept, channel):
    from messaging.models import MessageTemplate
    from messaging.services.template_guard import cache_clear

    cache_clear()
    for name, category in (("sale", "MARKETING"), ("receipt", "UTILITY")):
        MessageTemplate.objects.create(
            kind=channel.kind, account_id=channel.account_id, name=name, language="en", category=category,
            status="APPROVED", components=[],
        )  # fmt: skip
    Suppression.objects.create(address="22961000002", reason="opt_out", scope="marketing")

    def template(name: str) -> Draft:
        return Draft("22961000002", {"type": "template", "template": {"name": name, "language": {"code": "en"}}})

    acceptance = accept([template("sale"), template("receipt")])
    assert [(item.index, item.code) for item in acceptance.rejections] == [(0, "suppressed")]
    assert [item.index for item in acceptance.accepted] == [1]
    cache_clear()
