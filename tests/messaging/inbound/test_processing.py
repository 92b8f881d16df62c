"""Events: routing, isolation, what is kept aside, what is tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from django_tenants.utils import schema_context

from tests.messaging.inbound.bodies import AT, PHONE, account_change, body, change, status, text

Make = Callable[..., Any]


def _texts(organization: Any) -> list[str]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        return [m.content["text"]["body"] for m in Message.objects.filter(direction="in").order_by("id")]


def test_one_body_for_two_organisations_reaches_each_with_its_own(live: Any, feed: Make) -> None:
    organization, channel, other, other_channel = live
    raw = body(
        change(channel.external_id, messages=[text("wamid.1", "for one")]),
        change(other_channel.external_id, messages=[text("wamid.2", "for two")]),
        change(channel.external_id, messages=[text("wamid.3", "for one again")]),
    )
    assert feed(raw).status == "done"
    assert _texts(organization) == ["for one", "for one again"]
    assert _texts(other) == ["for two"]


def test_an_organisations_own_address_takes_only_its_own_numbers(live: Any, feed: Make) -> None:
    organization, channel, other, other_channel = live
    raw = body(
        change(other_channel.external_id, messages=[text("wamid.1", "forged for two")]),
        change(channel.external_id, messages=[text("wamid.2", "own")]),
    )
    event = feed(raw, organization)
    assert _texts(other) == []
    assert _texts(organization) == ["own"]
    assert event.status == "partial"
    assert [(problem["where"], problem["code"]) for problem in event.problems] == [("entry[0].changes[0]", "foreign")]


def test_an_unknown_number_is_kept_aside(live: Any, feed: Make) -> None:
    event = feed(body(change("999", messages=[text("wamid.1")])))
    assert event.status == "partial"
    assert event.problems == [
        {"where": "entry[0].changes[0]", "code": "unroutable", "reason": "No channel has whatsapp_phone 999."}
    ]


@pytest.mark.parametrize("state", ["suspended", "deleted"])
def test_parts_of_a_closed_organisation_are_kept_aside_and_others_applied(live: Any, feed: Make, state: str) -> None:
    from tenants.models import Organization

    organization, channel, other, other_channel = live
    Organization.objects.filter(pk=organization.pk).update(status=state)
    try:
        event = feed(
            body(
                change(channel.external_id, messages=[text("wamid.1", "closed")]),
                change(other_channel.external_id, messages=[text("wamid.2", "open")]),
            )
        )
    finally:
        Organization.objects.filter(pk=organization.pk).update(status="active")
    assert (_texts(organization), _texts(other)) == ([], ["open"])
    assert event.status == "partial"
    assert [problem["code"] for problem in event.problems] == ["organization_closed"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b'{"object": "whatsapp_business_account", "entry": [{"changes', "malformed"),
        (b'{"object": "calendar", "entry": []}', "unknown"),
        (b'{"object": "whatsapp_business_account", "entry": {}}', "malformed"),
        (b'{"object": "whatsapp_business_account", "entry": [3, {"changes": 1}]}', "malformed"),
        (
            b'{"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [null, {"field": 3}]}]}',
            "malformed",
        ),
    ],
)
def test_a_signed_body_that_makes_no_sense_is_kept_and_shown(committed: Any, feed: Make, raw: bytes, code: str) -> None:
    event = feed(raw)
    assert event.status == "partial"
    assert {problem["code"] for problem in event.problems} == {code}
    assert bytes(event.body) == raw


@pytest.mark.parametrize("garbage", [None, 3, "x", [], {}, {"id": 5}, {"id": "wamid.x", "timestamp": "soon"}])
def test_odd_items_are_kept_aside_and_the_good_ones_applied(live: Any, feed: Make, garbage: Any) -> None:
    organization, channel, *_ = live
    event = feed(body(change(channel.external_id, messages=[garbage, text("wamid.1", "good")], statuses=[garbage])))
    assert _texts(organization) == ["good"]
    assert [problem["code"] for problem in event.problems] == ["unknown", "unknown"]


def test_a_database_failure_leaves_the_event_for_another_try_and_spares_the_other_organisation(
    live: Any, feed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.inbound import processing

    organization, channel, other, other_channel = live
    store = processing.received_store

    def fail_for_one(*, channel_id: int, messages: Any) -> Any:
        if messages[0].provider_id == "wamid.1":
            raise OperationalError("the server closed the connection")
        return store(channel_id=channel_id, messages=messages)

    monkeypatch.setattr(processing, "received_store", fail_for_one)
    raw = body(
        change(channel.external_id, messages=[text("wamid.1", "one")]),
        change(other_channel.external_id, messages=[text("wamid.2", "two")]),
    )
    event = feed(raw)
    assert (event.status, event.attempts) == ("failed", 1)
    assert (_texts(organization), _texts(other)) == ([], ["two"])
    monkeypatch.setattr(processing, "received_store", store)
    processing.event_process(event_id=event.pk)
    event.refresh_from_db()
    assert (event.status, event.attempts) == ("done", 2)
    assert (_texts(organization), _texts(other)) == (["one"], ["two"])


def test_after_the_last_attempt_the_event_is_shown_as_given_up(
    live: Any, feed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.inbound import processing
    from tenants.models import InboundEvent

    def fail(**_: Any) -> Any:
        raise OperationalError("down")

    monkeypatch.setattr(processing, "received_store", fail)
    _, channel, *_ = live
    event = feed(body(change(channel.external_id, messages=[text("wamid.1")])))
    InboundEvent.objects.filter(pk=event.pk).update(attempts=processing.MAX_ATTEMPTS - 1)
    processing.event_process(event_id=event.pk)
    event.refresh_from_db()
    assert (event.status, event.attempts) == ("partial", processing.MAX_ATTEMPTS)
    assert event.problems[0]["reason"] == "Given up after 15 attempts; the log has the errors."


def test_the_sweep_takes_up_what_was_left_behind_once_a_minute(committed: Any) -> None:
    from messaging.inbound.sweeping import events_left_behind
    from tenants.models import InboundEvent

    now = timezone.now()

    def event(**fields: Any) -> int:
        received = fields.pop("received", 0)
        row = InboundEvent.objects.create(body=b"{}", **fields)
        InboundEvent.objects.filter(pk=row.pk).update(received_at=now - timedelta(seconds=received))
        return int(row.pk)

    lost = event(received=15)
    event(received=5)
    event(received=4000, status="done", processed_at=now)
    event(received=4000, status="partial", processed_at=now)
    ready = event(received=4000, status="failed", attempts=2, processed_at=now - timedelta(seconds=25))
    event(received=4000, status="failed", attempts=2, processed_at=now - timedelta(seconds=15))
    hour = event(received=9000, status="failed", attempts=14, processed_at=now - timedelta(seconds=3700))
    assert events_left_behind() == sorted([lost, ready, hour])
    assert events_left_behind() == []


def test_the_sweep_enqueues_what_it_found(committed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from messaging.inbound import tasks
    from tenants.models import InboundEvent

    sent: list[int] = []
    monkeypatch.setattr(tasks.process, "delay", sent.append)
    row = InboundEvent.objects.create(body=b"{}")
    InboundEvent.objects.filter(pk=row.pk).update(received_at=timezone.now() - timedelta(minutes=5))
    assert tasks.inbound_sweep() == 1
    assert sent == [row.pk]


def test_a_stop_is_stored_for_every_name_of_the_person_and_a_later_resume_lifts_it(live: Any, feed: Make) -> None:
    from contacts.models import Suppression

    organization, channel, *_ = live

    def preference(value: str, at: int) -> bytes:
        entry = {
            "wa_id": PHONE, "user_id": "BJ.1", "category": "marketing_messages", "value": value, "timestamp": at,
        }  # fmt: skip
        wrapped = change(channel.external_id, user_preferences=[entry])
        return body(wrapped | {"field": "user_preferences"})

    def suppressed() -> list[str]:
        with schema_context(organization.schema_name):
            return sorted(Suppression.objects.filter(scope="marketing").values_list("address", flat=True))

    assert feed(preference("stop", AT)).status == "done"
    assert suppressed() == [PHONE, "BJ.1"]
    feed(preference("resume", AT - 60))
    assert suppressed() == [PHONE, "BJ.1"], "an older resume that comes late must not lift the stop"
    feed(preference("resume", AT + 60))
    assert suppressed() == []


def test_a_restriction_pauses_the_accounts_channels_and_no_others(live: Any, feed: Make, make_channel: Make) -> None:
    from messaging.models import Channel

    organization, _, other, _ = live
    make_channel(organization, account_id="77", name="Elsewhere")
    raw = body(
        account_change(
            "account_update",
            event="ACCOUNT_RESTRICTION",
            restriction_info=[{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": AT}],
        )
    )
    assert feed(raw).status == "done"
    expected = "Meta restricts the account until 2026-09-21 14:13 UTC: RESTRICTED_BIZ_INITIATED_MESSAGING."
    for each in (organization, other):
        with schema_context(each.schema_name):
            states = dict(Channel.objects.values_list("name", "status"))
            reason = Channel.objects.get(name="Support").status_reason
        assert states["Support"] == "paused"
        assert reason == expected
    with schema_context(organization.schema_name):
        assert Channel.objects.get(name="Elsewhere").status == "connected"


def test_an_old_restriction_delivered_again_does_not_pause_a_mended_channel(live: Any, feed: Make) -> None:
    from messaging.models import Channel
    from messaging.services.channels import channel_resume

    organization, channel, *_ = live
    raw = body(account_change("account_update", event="ACCOUNT_DELETED"))
    feed(raw)
    with schema_context(organization.schema_name):
        assert channel_resume(channel_id=channel.pk)
    feed(raw)
    with schema_context(organization.schema_name):
        assert Channel.objects.get(pk=channel.pk).status == "connected"


def test_quality_and_limit_reach_the_number_they_are_about(live: Any, feed: Make, make_channel: Make) -> None:
    from messaging.models import Channel

    organization, channel, *_ = live
    second = make_channel(organization, address="22997111111", config={"graph_version": "v24.0"})
    raw = body(
        account_change(
            "phone_number_quality_update",
            display_phone_number="22997111111",
            event="FLAGGED",
            current_limit="TIER_10K",
        )
    )
    assert feed(raw).status == "done"
    with schema_context(organization.schema_name):
        rows = {row.pk: (row.quality_rating, row.config) for row in Channel.objects.all()}
    assert rows[second.pk] == ("RED", {"graph_version": "v24.0", "messaging_limit": "TIER_10K"})
    assert rows[channel.pk] == ("", {})


def number_news(event: str, limit: str, at: int) -> bytes:
    """News of the organisation's only number."""
    told = {"display_phone_number": "22997000000", "event": event, "current_limit": limit}
    return body(account_change("phone_number_quality_update", **told), at=at)


def test_quality_and_limit_that_come_late_do_not_undo_newer_ones(live: Any, feed: Make) -> None:
    from messaging.models import Channel

    organization, channel, *_ = live

    def known() -> tuple[str, str | None]:
        with schema_context(organization.schema_name):
            row = Channel.objects.get(pk=channel.pk)
        return row.quality_rating, row.config.get("messaging_limit")

    with schema_context(organization.schema_name):
        Channel.objects.filter(pk=channel.pk).update(address="22997000000")
    newer, older = number_news("UNFLAGGED", "TIER_10K", AT + 60), number_news("FLAGGED", "TIER_250", AT)
    assert feed(newer).status == "done"
    assert known() == ("UNKNOWN", "TIER_10K")
    assert feed(older).status == "done"
    assert known() == ("UNKNOWN", "TIER_10K"), "news of a minute before must not count"
    feed(newer)
    feed(number_news("FLAGGED", "TIER_2K", AT + 61))
    assert known() == ("RED", "TIER_2K")


def test_news_that_nobody_acts_upon_are_kept_in_plain_language(live: Any, feed: Make) -> None:
    raw = body(
        account_change(
            "phone_number_name_update",
            display_phone_number="22997000000",
            decision="REJECTED",
            requested_verified_name="Demo",
            rejection_reason="NAME_EMPLOYEE",
        )
    )
    event = feed(raw, live[0])
    assert event.problems == [
        {
            "where": "entry[0].changes[0]",
            "code": "news",
            "reason": "Display name Demo: REJECTED, NAME_EMPLOYEE.",
        }
    ]


def test_an_error_of_the_number_and_an_unknown_field_are_kept(live: Any, feed: Make) -> None:
    _, channel, *_ = live
    event = feed(
        body(
            change(channel.external_id, errors=[{"code": 130429, "title": "Rate limit hit"}]),
            change(channel.external_id) | {"field": "telepathy"},
        )
    )
    assert [problem["reason"] for problem in event.problems] == [
        "an error of the number: The number's rate at Meta is used up.",
        "field telepathy",
    ]


def test_a_driver_that_breaks_on_one_part_does_not_lose_the_others(
    live: Any, feed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.drivers.whatsapp_cloud import webhook

    organization, channel, *_ = live
    parse = webhook._message

    def explode(message: Any, contacts: Any) -> Any:
        if message.get("id") == "wamid.boom":
            raise RuntimeError("boom")
        return parse(message, contacts)

    monkeypatch.setattr(webhook, "_message", explode)
    event = feed(
        body(
            change(channel.external_id, messages=[text("wamid.boom")]),
            change(channel.external_id, messages=[text("wamid.1", "fine")]),
        )
    )
    assert _texts(organization) == ["fine"]
    assert [problem["code"] for problem in event.problems] == ["error"]


def test_the_current_schema_is_public_again_afterwards(live: Any, feed: Make) -> None:
    from django.db import connection

    _, channel, *_ = live
    feed(body(change(channel.external_id, statuses=[status("wamid.1", "sent")])))
    assert connection.schema_name == "public"
