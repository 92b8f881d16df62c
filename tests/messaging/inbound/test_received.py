"""Messages from customers: stored once, with contact, window and counter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django_tenants.utils import schema_context

from tests.messaging.inbound.bodies import AT, PHONE, body, change, text

Make = Callable[..., Any]
NOW = datetime.fromtimestamp(AT, UTC)
INES = [{"profile": {"name": "Ines Okafor"}, "wa_id": PHONE, "user_id": "BJ.7Qm2Zk81"}]


def _messages(organization: Any) -> list[Any]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        return list(Message.objects.filter(direction="in").select_related("contact").order_by("id"))


def test_a_text_is_stored_with_its_contact_window_and_counter(live: Any, feed: Make, counters: Make) -> None:
    from contacts.models import ServiceWindow

    organization, channel, other, _ = live
    message = text("wamid.1", "Bonjour", from_user_id="BJ.7Qm2Zk81", context={"id": "wamid.asked"})
    event = feed(body(change(channel.external_id, contacts=INES, messages=[message])))
    assert (event.status, event.problems) == ("done", [])
    (stored,) = _messages(organization)
    assert (stored.status, stored.type, stored.address, stored.origin) == ("received", "text", PHONE, "customer")
    assert (stored.provider_id, stored.reply_to, stored.sent_at) == ("wamid.1", "wamid.asked", NOW)
    assert stored.content == {"type": "text", "text": {"body": "Bonjour"}, "context": {"id": "wamid.asked"}}
    assert (stored.contact.name, stored.contact.phone, stored.contact.last_seen_at) == ("Ines Okafor", PHONE, NOW)
    with schema_context(organization.schema_name):
        assert sorted(stored.contact.identities.values_list("kind", "value")) == [
            ("bsuid", "BJ.7Qm2Zk81"),
            ("phone", PHONE),
        ]
        assert sorted(ServiceWindow.objects.values_list("channel_id", "address", "last_inbound_at")) == [
            (channel.pk, PHONE, NOW),
            (channel.pk, "BJ.7Qm2Zk81", NOW),
        ]
    assert counters(organization) == {"received": 1}
    assert _messages(other) == []


def test_the_same_message_again_changes_nothing(live: Any, feed: Make, counters: Make) -> None:
    organization, channel, *_ = live
    raw = body(change(channel.external_id, contacts=INES, messages=[text("wamid.1"), text("wamid.1")]))
    feed(raw)
    feed(raw)
    assert len(_messages(organization)) == 1
    assert counters(organization) == {"received": 1}


def test_two_messages_of_one_second_stay_in_the_order_of_the_batch(live: Any, feed: Make) -> None:
    organization, channel, *_ = live
    batch = [text(f"wamid.{9 - index}", f"part {index}") for index in range(5)]
    feed(body(change(channel.external_id, messages=batch)))
    assert [message.content["text"]["body"] for message in _messages(organization)] == [f"part {n}" for n in range(5)]


def test_an_album_delivered_by_parallel_posts_gives_one_contact_and_each_message_once(
    live: Any, feed: Make, counters: Make
) -> None:
    from contacts.models import Contact

    organization, channel, *_ = live
    bodies = [
        body(change(channel.external_id, contacts=INES, messages=[text(f"wamid.{n % 4}", from_user_id="BJ.7Qm2Zk81")]))
        for n in range(8)
    ]
    errors: list[Exception] = []

    def deliver(raw: bytes) -> None:
        try:
            assert feed(raw).status == "done"
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver, args=(raw,)) for raw in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sorted(message.provider_id for message in _messages(organization)) == [f"wamid.{n}" for n in range(4)]
    with schema_context(organization.schema_name):
        assert Contact.objects.count() == 1
    assert counters(organization) == {"received": 4}


def test_overlapping_batches_in_other_orders_do_not_deadlock(live: Any, feed: Make, counters: Make) -> None:
    organization, channel, *_ = live
    batch = [text(f"wamid.{n}", sender=f"2299700{n:04}") for n in range(30)]
    events: list[Any] = []

    def deliver(messages: list[dict[str, Any]]) -> None:
        try:
            events.append(feed(body(change(channel.external_id, messages=messages))))
        finally:
            connection.close()

    threads = [
        threading.Thread(target=deliver, args=(order,)) for order in (batch, batch[::-1], batch[15:] + batch[:15])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [event.status for event in events] == ["done"] * 3
    assert counters(organization) == {"received": 30}


def test_batches_of_one_channel_are_stored_one_after_the_other_and_other_channels_do_not_wait(
    live: Any, feed: Make, make_channel: Make
) -> None:
    from messaging.drivers.base import ReceivedMessage
    from messaging.inbound.received import received_store

    organization, channel, *_ = live
    elsewhere = make_channel(organization)
    stored: list[str] = []

    def store(target: Any, provider_id: str) -> None:
        message = ReceivedMessage(provider_id, (("phone", provider_id),), "", "text", {"type": "text"}, NOW)
        with schema_context(organization.schema_name):
            assert received_store(channel_id=target.pk, messages=[message]) == []
        stored.append(provider_id)

    def store_in_thread(target: Any, provider_id: str) -> threading.Thread:
        def run() -> None:
            store(target, provider_id)
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with schema_context(organization.schema_name), transaction.atomic():
        store(channel, "22997000011")
        same, other = store_in_thread(channel, "22997000012"), store_in_thread(elsewhere, "22997000013")
        other.join(10)
        same.join(0.3)
        assert stored == ["22997000011", "22997000013"]
    same.join(30)
    assert stored == ["22997000011", "22997000013", "22997000012"]


def test_one_message_that_cannot_be_stored_does_not_hold_up_the_others(live: Any, feed: Make, counters: Make) -> None:
    organization, channel, *_ = live
    bad = text("wamid.\x00bad")
    event = feed(body(change(channel.external_id, messages=[text("wamid.1"), bad, text("wamid.2")])))
    assert [message.provider_id for message in _messages(organization)] == ["wamid.1", "wamid.2"]
    assert event.status == "partial"
    assert event.problems == [
        {"where": "entry[0].changes[0]", "code": "error", "reason": "A message could not be stored."}
    ]
    assert counters(organization) == {"received": 2}


def test_characters_that_the_database_cannot_hold_are_taken_out_of_the_text(live: Any, feed: Make) -> None:
    organization, channel, *_ = live
    feed(body(change(channel.external_id, messages=[text("wamid.1", "a\x00b")])))
    assert _messages(organization)[0].content["text"]["body"] == "ab"


def test_half_a_surrogate_pair_does_not_lose_the_body(live: Any, feed: Make) -> None:
    organization, channel, *_ = live
    raw = body(change(channel.external_id, messages=[text("wamid.1", "odd BROKEN text")]))
    event = feed(raw.replace(b"BROKEN", b"\\ud83d"))
    assert event.status == "done"
    assert _messages(organization)[0].content["text"]["body"] == "odd ? text"


def test_a_customer_known_by_a_user_id_alone_is_stored(live: Any, feed: Make) -> None:
    organization, channel, *_ = live
    message = text("wamid.1", from_user_id="BJ.7Qm2Zk81")
    del message["from"]
    contacts = [{"profile": {"name": "Ines", "username": "ines.ok"}, "user_id": "BJ.7Qm2Zk81"}]
    feed(body(change(channel.external_id, contacts=contacts, messages=[message])))
    (stored,) = _messages(organization)
    assert (stored.address, stored.contact.name, stored.contact.phone) == ("BJ.7Qm2Zk81", "Ines", None)


def test_a_reaction_opens_no_window_and_keeps_its_target(live: Any, feed: Make) -> None:
    from contacts.models import ServiceWindow

    organization, channel, *_ = live
    reaction = {
        "from": PHONE, "id": "wamid.1", "timestamp": str(AT), "type": "reaction",
        "reaction": {"message_id": "wamid.ours", "emoji": "👍"},
    }  # fmt: skip
    feed(body(change(channel.external_id, messages=[reaction])))
    (stored,) = _messages(organization)
    assert (stored.type, stored.reply_to, stored.content["reaction"]["emoji"]) == ("reaction", "wamid.ours", "👍")
    with schema_context(organization.schema_name):
        assert not ServiceWindow.objects.exists()


def test_an_unknown_type_is_kept_with_everything_in_it(live: Any, feed: Make) -> None:
    organization, channel, *_ = live
    poll = {"from": PHONE, "id": "wamid.1", "timestamp": str(AT), "type": "hologram", "hologram": {"depth": 3}}
    assert feed(body(change(channel.external_id, messages=[poll]))).status == "done"
    (stored,) = _messages(organization)
    assert (stored.type, stored.content) == ("unsupported", {"type": "hologram", "hologram": {"depth": 3}})


def test_an_older_message_that_comes_late_does_not_move_window_and_contact_back(live: Any, feed: Make) -> None:
    from contacts.models import ServiceWindow

    organization, channel, *_ = live
    feed(body(change(channel.external_id, messages=[text("wamid.2", at=AT)])))
    feed(body(change(channel.external_id, messages=[text("wamid.1", at=AT - 500)])))
    with schema_context(organization.schema_name):
        assert [window.last_inbound_at for window in ServiceWindow.objects.all()] == [NOW]
    assert {message.contact.last_seen_at for message in _messages(organization)} == {NOW}


def test_a_number_change_keeps_the_contact(live: Any, feed: Make) -> None:
    from contacts.models import Contact

    organization, channel, *_ = live
    moved = {
        "from": PHONE, "id": "wamid.2", "timestamp": str(AT + 1), "type": "system",
        "system": {"body": "changed", "wa_id": "22997000099", "type": "user_changed_number"},
    }  # fmt: skip
    feed(body(change(channel.external_id, contacts=INES, messages=[text("wamid.1")])))
    feed(body(change(channel.external_id, messages=[moved])))
    feed(body(change(channel.external_id, messages=[text("wamid.3", sender="22997000099", at=AT + 2)])))
    with schema_context(organization.schema_name):
        contact = Contact.objects.get()
        assert contact.phone == "22997000099"
    assert {message.contact_id for message in _messages(organization)} == {contact.pk}
