"""Messenger and Instagram: what comes in, what comes back, what people take back, in the right organisation only."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone
from django_tenants.utils import schema_context

from messaging.inbound.signatures import signature_of

Make = Callable[..., Any]
AT = 1_790_000_000_000
WHEN = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
PERSON, PAGE, OTHER_PAGE = "24581177336690015", "304455667788990", "304455667788991"
BUTTON = {"type": "button_reply", "button_reply": {"id": "YES", "title": "Yes"}}


def event(name: str, body: dict[str, Any], *, sender: str = PERSON, recipient: str = PAGE, at: int = AT) -> Any:
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at, name: body}


def message(mid: str, text: str = "Hello", **extra: Any) -> Any:
    return event("message", {"mid": mid, "text": text, **extra})


def echo(mid: str, text: str = "Hello", page: str = PAGE, **extra: Any) -> Any:
    return event("message", {"mid": mid, "text": text, "is_echo": True, **extra}, sender=page, recipient=PERSON)


def post(*events: Any, page: str = PAGE, kind: str = "page", key: str = "messaging") -> bytes:
    return json.dumps({"object": kind, "entry": [{"id": page, "time": AT, key: list(events)}]}).encode()


@pytest.fixture
def pages(committed: Any, make_channel: Make) -> Any:
    """(organisation, its page's channel, other organisation, its page's channel)."""
    organization, other = committed
    fields = {"kind": "messenger", "address": "demoshop", "account_id": ""}
    first = make_channel(organization, external_id=PAGE, **fields)
    return organization, first, other, make_channel(other, external_id=OTHER_PAGE, **fields)


def stored(organization: Any) -> list[Any]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        return list(Message.objects.order_by("id"))


@pytest.mark.parametrize(
    ("given", "kind", "content"),
    [
        (message("m_1"), "text", {"type": "text", "text": {"body": "Hello"}}),
        (
            message("m_1", "Yes", quick_reply={"payload": "YES"}),
            "interactive",
            {"type": "interactive", "interactive": BUTTON},
        ),
        (
            event("postback", {"mid": "m_1", "title": "Start", "payload": "START"}),
            "button",
            {"type": "button", "button": {"payload": "START", "text": "Start"}},
        ),
        (
            event("reaction", {"mid": "m_0", "action": "react", "emoji": "❤", "reaction": "love"}),
            "reaction",
            {"type": "reaction", "reaction": {"message_id": "m_0", "emoji": "❤"}},
        ),
        (
            event("reaction", {"mid": "m_0", "action": "unreact", "emoji": "❤"}),
            "reaction",
            {"type": "reaction", "reaction": {"message_id": "m_0"}},
        ),
        (
            event("message", {"mid": "m_1", "attachments": [{"type": "file", "payload": {"url": "https://a.test/x"}}]}),
            "document",
            {"type": "document", "document": {"url": "https://a.test/x"}},
        ),
        (
            event("referral", {"ref": "poster", "source": "SHORTLINK"}),
            "referral",
            {"type": "referral", "referral": {"ref": "poster", "source": "SHORTLINK"}},
        ),
    ],
)
def test_each_event_becomes_a_message_of_the_person_in_the_shape_of_all_channels(
    pages: Any, feed: Make, given: Any, kind: str, content: dict[str, Any]
) -> None:
    from contacts.models import Identity

    organization, channel, other, _ = pages
    assert feed(post(given)).status == "done"
    assert feed(post(given)).status == "done"
    (row,) = stored(organization)
    assert (row.type, row.content, row.address, row.direction, row.origin) == (kind, content, PERSON, "in", "customer")
    assert (row.channel_id, row.sent_at) == (channel.pk, WHEN)
    with schema_context(organization.schema_name):
        identity = Identity.objects.get()
        assert (identity.kind, identity.value, identity.contact_id) == ("psid", PERSON, row.contact_id)
    assert stored(other) == []


def test_the_window_opens_with_messages_and_taps_but_not_with_reactions(pages: Any, feed: Make) -> None:
    from contacts.models import ServiceWindow

    organization = pages[0]
    feed(post(event("reaction", {"mid": "m_0", "action": "react", "emoji": "❤"}), event("referral", {"ref": "x"})))
    with schema_context(organization.schema_name):
        assert ServiceWindow.objects.count() == 0
    feed(post(event("postback", {"title": "Start", "payload": "START"})))
    with schema_context(organization.schema_name):
        assert ServiceWindow.objects.get().last_inbound_at == WHEN


def test_several_files_become_several_messages_and_all_go_when_the_person_takes_them_back(
    pages: Any, feed: Make
) -> None:
    organization = pages[0]
    files = [{"type": "image", "payload": {"url": f"https://a.test/{number}"}} for number in range(3)]
    feed(post(event("message", {"mid": "m_1", "text": "Look", "attachments": files})))
    rows = stored(organization)
    assert [row.content["image"] for row in rows] == [
        {"url": "https://a.test/0", "caption": "Look"}, {"url": "https://a.test/1"}, {"url": "https://a.test/2"},
    ]  # fmt: skip
    feed(post(event("message", {"mid": "m_1", "is_deleted": True}, at=AT + 5000)))
    assert [row.content for row in stored(organization)[:3]] == [{"type": "image", "revoked": True}] * 3


def test_edits_and_retractions_in_any_order_leave_the_same(pages: Any, feed: Make) -> None:
    organization = pages[0]
    acts = [
        message("m_1", "first"),
        event("message_edit", {"mid": "m_1", "text": "second", "num_edit": 1}, at=AT + 1000),
        event("message_edit", {"mid": "m_1", "text": "third", "num_edit": 2}, at=AT + 2000),
    ]
    gone = event("message", {"mid": "m_1", "is_deleted": True}, at=AT + 3000)
    for number, order in enumerate(itertools.permutations(acts)):
        mid = f"m_{number}"
        for act in order:
            feed(post(json.loads(json.dumps(act).replace("m_1", mid))))
        (row,) = [row for row in stored(organization) if row.provider_id == mid]
        assert row.content == {"type": "text", "text": {"body": "third"}, "edited": True}
        feed(post(json.loads(json.dumps(gone).replace("m_1", mid))))
        feed(post(json.loads(json.dumps(acts[1]).replace("m_1", mid))))
    rows = stored(organization)
    assert "third" not in json.dumps([row.content for row in rows])
    assert {row.content.get("revoked") for row in rows if row.type == "text"} == {True}


def test_nobody_changes_the_message_of_somebody_else(pages: Any, feed: Make) -> None:
    organization = pages[0]
    feed(post(message("m_1", "mine")))
    feed(post(event("message", {"mid": "m_1", "is_deleted": True}, sender="999999")))
    assert stored(organization)[0].content == {"type": "text", "text": {"body": "mine"}}


def test_an_echo_with_our_uuid_settles_a_message_in_doubt_and_adds_nothing(
    pages: Any, feed: Make, make_message: Make, reread: Make
) -> None:
    organization, channel, *_ = pages
    ours = make_message(organization, channel, status="in_doubt", address=PERSON)
    feed(post(echo("m_9", "whatever", metadata=str(ours.uuid))))
    row = reread(organization, ours)
    assert (row.status, row.provider_id) == ("sent", "m_9")
    assert len(stored(organization)) == 1


def test_an_echo_that_is_quicker_than_the_answer_is_recognised_by_person_and_words(
    pages: Any, feed: Make, make_message: Make, reread: Make
) -> None:
    organization, channel, *_ = pages
    content = {"type": "text", "text": {"body": "It costs  19 €\n"}}
    first, second = (make_message(organization, channel, address=PERSON, content=content) for _ in range(2))
    feed(post(echo("m_1", "It costs 19 €"), echo("m_2", "It costs 19 €"), echo("m_3", "It costs 19 €")))
    assert [reread(organization, row).provider_id for row in (first, second)] == ["m_1", "m_2"]
    third = stored(organization)[2]
    assert (third.provider_id, third.origin, third.status, third.direction) == ("m_3", "app", "sent", "out")


def test_what_somebody_wrote_in_another_tool_is_stored_once_as_sent_from_elsewhere(
    pages: Any, feed: Make, counters: Make
) -> None:
    organization, channel, *_ = pages
    for _ in range(2):
        feed(post(echo("m_5", "From the inbox", app_id=263902037430900)))
    (row,) = stored(organization)
    assert (row.direction, row.origin, row.status, row.address) == ("out", "app", "sent", PERSON)
    assert row.content == {"type": "text", "text": {"body": "From the inbox"}, "source": "app 263902037430900"}
    assert (row.channel_id, row.sent_at, counters(organization)) == (channel.pk, WHEN, {})


def test_a_watermark_covers_everything_up_to_it_for_this_person_alone(
    pages: Any, feed: Make, make_message: Make, reread: Make, counters: Make
) -> None:
    organization, channel, *_ = pages

    def sent(number: int, minutes: int, **fields: Any) -> Any:
        at = WHEN - timedelta(minutes=minutes)
        fields = {"status": "sent", "address": PERSON, "provider_id": f"m_{number}", "queued_at": at} | fields
        return make_message(organization, channel, sent_at=at, **fields)

    early, late = sent(1, 10), sent(2, -10)
    stranger, failed = sent(3, 10, address="77777"), sent(4, 10, status="failed")
    for _ in range(2):
        assert feed(post(event("delivery", {"watermark": AT}), event("read", {"watermark": AT}))).status == "done"
    assert [reread(organization, row).status for row in (early, late, stranger, failed)] == [
        "read", "sent", "sent", "failed",
    ]  # fmt: skip
    assert (early.delivered_at, early.read_at) == (WHEN, WHEN)
    assert counters(organization) == {"delivered": 1, "read": 1}


def test_a_report_before_the_answer_comes_again(pages: Any, feed: Make, make_message: Make, reread: Make) -> None:
    from messaging.inbound.processing import event_process
    from messaging.models import Message

    organization, channel, *_ = pages
    ours = make_message(organization, channel, address=PERSON, claimed_at=WHEN - timedelta(seconds=1))
    early = feed(post(event("read", {"watermark": AT})))
    assert (early.status, early.attempts) == ("failed", 1)
    with schema_context(organization.schema_name):
        Message.objects.filter(pk=ours.pk).update(status="sent", provider_id="m_1", sent_at=WHEN, queued_at=WHEN)
    event_process(event_id=early.pk)
    early.refresh_from_db()
    assert (early.status, reread(organization, ours).status) == ("done", "read")


def test_instagram_names_the_message_that_was_seen(
    committed: Any, make_channel: Make, feed: Make, make_message: Make, reread: Make
) -> None:
    organization, _ = committed
    channel = make_channel(organization, kind="instagram", external_id="17841455502233441", account_id=PAGE, address="")
    ours = make_message(organization, channel, status="sent", address=PERSON, provider_id="aWd1", queued_at=WHEN)
    feed(post(event("read", {"mid": "aWd1"}), page="17841455502233441", kind="instagram"))
    assert (reread(organization, ours).status, ours.read_at) == ("read", WHEN)


def test_events_in_standby_are_stored_with_a_mark(pages: Any, feed: Make) -> None:
    feed(post(message("m_1"), key="standby"))
    assert stored(pages[0])[0].content == {"type": "text", "text": {"body": "Hello"}, "standby": True}


def test_what_nobody_knows_is_kept_and_shown(pages: Any, feed: Make) -> None:
    unsupported = event("message", {"mid": "m_1", "is_unsupported": True})
    kept = feed(post(unsupported, event("take_thread_control", {"x": 1}), event("new_thing", {"x": 1}), 7))
    assert [(problem["code"], problem["reason"]) for problem in kept.problems] == [
        ("unknown", "event new_thing"),
        ("unknown", "an event that is not an object"),
        ("news", "Another app has taken over the conversation."),
    ]
    (row,) = stored(pages[0])
    assert (row.type, row.content) == ("unsupported", {"type": "unsupported", "unsupported": {"is_unsupported": True}})


def test_one_post_for_pages_of_two_organisations_reaches_each_its_own(pages: Any, feed: Make) -> None:
    organization, _, other, _ = pages
    both = json.loads(post(message("m_1", "first")))
    foreign = json.loads(json.dumps(message("m_2", "second")).replace(PAGE, OTHER_PAGE))
    both["entry"].append({"id": OTHER_PAGE, "time": AT, "messaging": [foreign]})
    both["entry"].append({"id": "1234567", "time": AT, "messaging": [message("m_3")]})
    event_ = feed(json.dumps(both).encode())
    assert [row.content["text"]["body"] for row in stored(organization)] == ["first"]
    assert [row.content["text"]["body"] for row in stored(other)] == ["second"]
    assert [problem["code"] for problem in event_.problems] == ["unroutable"]


def test_an_address_of_one_organisation_takes_nothing_for_another(pages: Any, feed: Make) -> None:
    organization, _, other, _ = pages
    event_ = feed(post(message("m_1"), page=OTHER_PAGE), organization)
    assert [problem["code"] for problem in event_.problems] == ["foreign"]
    assert stored(organization) == stored(other) == []


def test_a_page_and_an_instagram_account_with_one_id_are_not_the_same(pages: Any, feed: Make) -> None:
    event_ = feed(post(message("m_1"), kind="instagram"))
    assert [problem["code"] for problem in event_.problems] == ["unroutable"]
    assert stored(pages[0]) == []


@pytest.mark.parametrize("kind", ["page", "instagram"])
def test_forged_truncated_and_huge_bodies_store_nothing(pages: Any, client: Any, settings: Any, kind: str) -> None:
    from tenants.models import InboundEvent

    settings.META_APP_SECRET, settings.INSTAGRAM_APP_SECRET = "the-platforms-app-secret", "instagrams-secret"
    raw = post(message("m_1"), kind=kind)
    signature = signature_of(raw, "the-platforms-app-secret")

    def send(body: bytes, header: str) -> int:
        return int(
            client.post(
                "/webhook/meta", data=body, content_type="application/json", headers={"X-Hub-Signature-256": header}
            ).status_code
        )

    assert send(raw, signature_of(raw, "another-secret")) == 401
    assert send(raw[:-2], signature) == 401
    assert send(raw + b" ", signature) == 401
    assert send(b" " * (3 * 1024 * 1024 + 1), signature) == 413
    assert InboundEvent.objects.count() == 0
    assert send(raw, signature) == 200
    assert send(raw, signature_of(raw, "instagrams-secret")) == 200
    assert InboundEvent.objects.count() == 2


def test_everything_doubled_and_shuffled_ends_the_same(
    pages: Any, feed: Make, make_message: Make, counters: Make
) -> None:
    organization, channel, *_ = pages
    at = WHEN - timedelta(minutes=1)
    for number in range(3):
        make_message(
            organization, channel, status="sent", address=PERSON, provider_id=f"m_o{number}", sent_at=at, queued_at=at
        )
    events = [
        *(message(f"m_{number}") for number in range(5)),
        *(echo(f"m_e{number}", "elsewhere") for number in range(2)),
        *(echo(f"m_o{number}", "ours") for number in range(3)),
        event("delivery", {"mids": ["m_o0"], "watermark": AT - 30_000}),
        event("read", {"watermark": AT - 20_000}),
        event("message", {"mid": "m_0", "is_deleted": True}, at=AT + 1),
    ]
    random = Random(7)
    shuffled = random.sample(events * 2, len(events) * 2)
    for start in range(0, len(shuffled), 4):
        feed(post(*shuffled[start : start + 4]))
    rows = stored(organization)
    assert sorted((row.provider_id, row.status) for row in rows if row.direction == "out") == [
        ("m_e0", "sent"), ("m_e1", "sent"), ("m_o0", "read"), ("m_o1", "read"), ("m_o2", "read"),
    ]  # fmt: skip
    assert sorted(row.provider_id for row in rows if row.type == "text" and row.direction == "in") == [
        f"m_{number}" for number in range(5)
    ]
    assert counters(organization) == {"received": 6, "delivered": 3, "read": 3}
    assert next(row for row in rows if row.provider_id == "m_0").content == {"type": "text", "revoked": True}


def test_accepting_needs_an_id_of_the_channels_kind_and_an_open_window(pages: Any, feed: Make) -> None:
    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    organization, channel, *_ = pages
    feed(post(event("message", {"mid": "m_1", "text": "Hi"}, at=int(timezone.now().timestamp() * 1000))))
    drafts = [
        Draft(to, {"type": "text", "text": {"body": "Hello"}})
        for to in (PERSON, "+229 97 00 00 01", "24581177336690016", "US.7Qm2Zk81LxTe0aWv")
    ]
    with schema_context(organization.schema_name):
        snapshot = channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid)
        options = {"organization": organization, "origin": "api", "priority": 10}
        live = replace(snapshot, enforce_window=True)
        acceptance = messages_accept(channel=live, drafts=drafts, **options)
        assert [accepted.to for accepted in acceptance.accepted] == [PERSON]
        assert [(refusal.code, refusal.fields) for refusal in acceptance.rejections] == [
            ("invalid_recipient", {"to": "is not a Messenger user id"}),
            ("window_closed", {"to": "has no open 24 h window"}),
            ("invalid_recipient", {"to": "is not a Messenger user id"}),
        ]


def test_a_person_may_answer_for_seven_days_where_the_channel_allows_it(pages: Any, feed: Make) -> None:
    from messaging.models import Message
    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    organization, channel, *_ = pages
    three_days_ago = int((timezone.now() - timedelta(days=3)).timestamp() * 1000)
    feed(post(event("message", {"mid": "m_1", "text": "Hi"}, at=three_days_ago)))
    content = {"type": "text", "text": {"body": "Hello"}}
    options = {"organization": organization, "origin": "admin", "priority": 5}
    with schema_context(organization.schema_name):
        snapshot = replace(channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid), enforce_window=True)
        allowed = replace(snapshot, config={"human_agent": True})

        def codes(channel_: Any, given: dict[str, Any], *, by_person: bool) -> list[str]:
            acceptance = messages_accept(
                channel=channel_, drafts=[Draft(PERSON, given)], by_person=by_person, **options
            )
            return [refusal.code for refusal in acceptance.rejections]

        assert codes(snapshot, content, by_person=True) == ["window_closed"]
        assert codes(allowed, content, by_person=False) == ["window_closed"]
        assert codes(snapshot, content | {"tag": "HUMAN_AGENT"}, by_person=False) == ["invalid_content"]
        assert codes(allowed, content, by_person=True) == []
        assert Message.objects.get(direction="out").content == content | {"tag": "HUMAN_AGENT"}
