"""Launching: who gets the message and who does not, with what text, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from campaigns.models import Run, SkippedRecipient
from campaigns.services.campaigns import VariantInput, audience_set, campaign_update, variants_set
from campaigns.services.control import campaign_launch
from campaigns.services.launch import piece_queue
from contacts.models import Contact, ServiceWindow, Suppression
from contacts.services.custom_fields import fields_ensure
from contacts.services.groups import group_create, group_members_add
from contacts.services.segments import segment_save
from messaging.models import Channel, ChannelCount, Message
from messaging.services import channels
from tenants.errors import Conflict, InvalidInput
from tests.campaigns.conftest import totals


def bodies() -> dict[str, str]:
    return {message.address: message.content["text"]["body"] for message in Message.objects.all()}


def launched(campaign, work) -> Run:
    run = campaign_launch(campaign_id=campaign.pk)
    work()
    run.refresh_from_db()
    return run


def test_everybody_gets_their_own_text_once(
    make_contacts, make_campaign, work, no_wake_ups, channel, django_capture_on_commit_callbacks
):
    make_contacts(2500)
    Contact.objects.filter(phone="22961000001").update(name="")
    campaign = make_campaign()
    with django_capture_on_commit_callbacks(execute=True):
        run = launched(campaign, work)
    assert (run.status, run.phase) == ("sending", "queued")
    texts = bodies()
    assert len(texts) == 2500
    assert texts["22961000000"] == "Bonjour Ada0!"
    assert texts["22961000001"] == "Bonjour client!"
    message = Message.objects.get(address="22961000002")
    assert (message.status, message.priority, message.origin, message.type) == ("queued", 30, "campaign", "text")
    assert message.contact.phone == "22961000002"
    assert (message.campaign_run_id, message.campaign_variant_id) == (run.pk, None)
    assert totals(run) == {"accepted": 2500}
    assert sum(ChannelCount.objects.filter(metric="accepted").values_list("count", flat=True)) == 2500
    assert set(no_wake_ups) == {(connection.schema_name, channel.pk)}


def test_who_must_not_be_written_to_is_skipped_with_the_reason(make_contacts, make_campaign, work, channel):
    make_contacts(6)
    Suppression.objects.create(address="22961000000", reason="blacklist", scope="all")
    Suppression.objects.create(address="22961000001", reason="opt_out", scope="marketing")
    Contact.objects.filter(phone="22961000002").update(status="inactive")
    without = Contact.objects.create(name="No phone")
    Contact.objects.filter(phone="22961000004").update(phone=channel.address)
    run = launched(make_campaign(), work)
    skipped = dict(SkippedRecipient.objects.values_list("address", "reason"))
    assert skipped == {
        "22961000000": "suppressed",
        "22961000001": "opted_out",
        "22961000002": "inactive",
        f"#{without.pk}": "no_address",
        channel.address: "recipient_is_sender",
    }
    assert set(bodies()) == {"22961000003", "22961000005"}
    assert totals(run) == {"accepted": 2} | dict.fromkeys(skipped.values(), 1)


def test_an_opt_out_of_marketing_does_not_stop_information(make_contacts, make_campaign, work):
    make_contacts(1)
    Suppression.objects.create(address="22961000000", reason="opt_out", scope="marketing")
    assert totals(launched(make_campaign(category="utility"), work)) == {"accepted": 1}


def test_free_text_goes_only_into_open_windows(make_contacts, make_campaign, work, channel):
    Channel.objects.update(enforce_window=True)
    channels._snapshots.clear()
    make_contacts(3)
    now = datetime.now(UTC)
    ServiceWindow.objects.create(channel=channel, address="22961000000", last_inbound_at=now - timedelta(hours=23))
    ServiceWindow.objects.create(channel=channel, address="22961000001", last_inbound_at=now - timedelta(hours=25))
    run = launched(make_campaign(), work)
    assert set(bodies()) == {"22961000000"}
    assert totals(run) == {"accepted": 1, "window_closed": 2}


def test_values_that_need_a_closer_look_are_judged_by_the_driver_one_by_one(make_contacts, make_campaign, work):
    make_contacts(4)
    Contact.objects.filter(phone="22961000001").update(name="")
    Contact.objects.filter(phone="22961000002").update(name="  Ada   of  two\tlines ")
    campaign = make_campaign(
        content={
            "type": "template",
            "template": {
                "name": "hello",
                "language": {"code": "en"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "{nom}"}]}],
            },
        }
    )
    run = launched(campaign, work)
    found = {m.address: m.content["template"]["components"][0]["parameters"][0]["text"] for m in Message.objects.all()}
    assert found["22961000000"] == "Ada0 Sample"
    assert found["22961000003"] == "Ada3 Sample"
    held = {row.address: row for row in SkippedRecipient.objects.all()}
    assert {row.reason for row in held.values()} == {"invalid_content"}
    assert "22961000001" in held
    assert "text" in held["22961000001"].detail
    assert set(found) | set(held) == {f"2296100000{n}" for n in range(4)}
    assert totals(run) == {"accepted": len(found), "invalid_content": len(held)}


def test_a_long_text_is_refused_for_the_one_whose_name_makes_it_too_long(make_contacts, make_campaign, work):
    make_contacts(2)
    Contact.objects.filter(phone="22961000001").update(custom={"story": "x" * 400})
    fields_ensure(keys=["story"])
    content = {"type": "text", "text": {"body": "y" * 4000 + "{custom.story}"}}
    run = launched(make_campaign(content=content), work)
    assert totals(run) == {"accepted": 1, "invalid_content": 1}
    assert SkippedRecipient.objects.get().address == "22961000001"


def test_a_row_that_the_database_refuses_is_passed_over_and_reported(make_contacts, make_campaign, work, monkeypatch):
    make_contacts(30)
    from campaigns.services import launch

    original = launch.launch_sql

    def explosive(plan, **options):
        statement = original(plan, **options)
        text = statement.sql.replace(
            "COALESCE(NULLIF(split_part",
            "COALESCE(NULLIF((1 / (CASE WHEN placed.address = '22961000013' THEN 0 ELSE 1 END))::text, '1'),"
            " NULLIF(split_part",
            1,
        )
        return type(statement)(text, statement.params)

    monkeypatch.setattr(launch, "launch_sql", explosive)
    monkeypatch.setattr(launch, "FIRST_PIECE", 20)
    run = launched(make_campaign(), work)
    assert len(bodies()) == 29
    assert "22961000013" not in bodies()
    assert SkippedRecipient.objects.get().reason == "unusable"
    assert totals(run) == {"accepted": 29, "unusable": 1}


def test_lists_groups_contacts_and_segments(make_contacts, make_campaign, work, in_schema):
    ids = make_contacts(6)
    group = group_create(name="VIP")
    group_members_add(group_id=group.pk, contact_ids=ids[:3])
    other = group_create(name="Press")
    group_members_add(group_id=other.pk, contact_ids=ids[2:4])
    Contact.objects.filter(pk=ids[5]).update(tags=["gold"])
    segment = segment_save(
        name="Gold 100%",
        rules={
            "any": [
                {"field": "tags", "op": "has", "value": "gold"},
                {"field": "name", "op": "contains", "value": "100%"},
            ]
        },
    )
    campaign = make_campaign()
    for selection, expected in (
        ({"kind": "groups", "group_ids": [group.pk, other.pk]}, {0, 1, 2, 3}),
        ({"kind": "segment", "segment_id": segment.pk}, {5}),
        ({"kind": "contacts", "contact_ids": [ids[4], ids[0], ids[4]]}, {0, 4}),
    ):
        audience_set(organization=in_schema, campaign_id=campaign.pk, **selection)
        run = launched(campaign, work)
        found = set(Message.objects.filter(campaign_run_id=run.pk).values_list("address", flat=True))
        assert found == {f"2296100000{n}" for n in expected}
        Message.objects.update(status="sent")
        Run.objects.update(status="completed")
        campaign.__class__.objects.update(status="completed")
    phones = ["+229 61 00 00 01", "22961000001", "not a number", "22977000000"]
    summary = audience_set(organization=in_schema, campaign_id=campaign.pk, kind="list", phones=phones)
    assert (summary.kept, summary.duplicates, summary.invalid) == (2, 1, 1)
    run = launched(campaign, work)
    messages = Message.objects.filter(campaign_run_id=run.pk).order_by("id")
    assert [(m.address, m.contact_id, m.content["text"]["body"]) for m in messages] == [
        ("22961000001", ids[1], "Bonjour Ada1!"),
        ("22977000000", None, "Bonjour client!"),
    ]
    skipped = SkippedRecipient.objects.get(run=run)
    assert (skipped.address, skipped.reason, skipped.detail) == (
        "not a number",
        "invalid_phone",
        "is not a phone number",
    )


def test_variants_are_shared_out_exactly(make_contacts, make_campaign, work):
    make_contacts(200)
    campaign = make_campaign()
    variants = variants_set(
        campaign_id=campaign.pk,
        variants=[
            VariantInput("A", {"type": "text", "text": {"body": "A {prenom}"}}, 70),
            VariantInput("B", {"type": "text", "text": {"body": "B"}}, 30),
        ],
    )
    run = launched(campaign, work)
    counts = [Message.objects.filter(campaign_variant_id=variant.pk).count() for variant in variants]
    assert counts == [140, 60]
    texts = bodies()
    assert sum(text == "B" for text in texts.values()) == 60
    assert totals(run) == {"accepted": 200}


def test_percentages_must_add_up_to_100(make_campaign):
    campaign = make_campaign()
    with pytest.raises(InvalidInput) as refusal:
        variants_set(
            campaign_id=campaign.pk,
            variants=[
                VariantInput("A", campaign.content, 50),
                VariantInput("B", {"type": "text", "text": {"body": "{pronom}"}}, 49),
            ],
        )
    assert set(refusal.value.fields) == {"variants", "variants.1.content"}
    assert campaign.variants.count() == 0


def test_a_crash_between_pieces_loses_nobody_and_repeats_nobody(make_contacts, make_campaign, work, monkeypatch):
    from campaigns.services import runs

    make_contacts(250)
    monkeypatch.setattr(runs, "FIRST_PIECE", 40)
    monkeypatch.setattr(runs, "PIECE", 40)
    done = []

    def dying(**options):
        if len(done) in (2, 4):
            done.append(None)
            raise ConnectionError("killed")
        done.append(piece_queue(**options))
        return done[-1]

    monkeypatch.setattr(runs, "piece_queue", dying)
    run = campaign_launch(campaign_id=make_campaign().pk)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            work()
    assert Message.objects.count() == 120
    work()
    assert Message.objects.count() == 250
    assert Message.objects.values("address").distinct().count() == 250
    assert totals(run) == {"accepted": 250}


def test_the_unique_key_keeps_a_second_queueing_from_sending_twice(make_contacts, make_campaign, work):
    make_contacts(20)
    run = launched(make_campaign(), work)
    Run.objects.update(cursor=0, position=0, status="preparing", phase="all")
    from campaigns.services.progress import run_wake

    run_wake(run.pk)
    work()
    assert Message.objects.count() == 20
    assert totals(run) == {"accepted": 20}


def test_contacts_who_come_after_the_start_are_not_part_of_it(make_contacts, make_campaign, work, monkeypatch):
    from campaigns.services import runs

    make_contacts(5)
    original = runs._begin

    def begin(run):
        original(run)
        make_contacts(3, start=100)

    monkeypatch.setattr(runs, "_begin", begin)
    launched(make_campaign(), work)
    assert len(bodies()) == 5


def test_a_full_plan_pauses_the_campaign_with_the_reason_and_fills_what_fits(
    make_contacts, make_campaign, work, in_schema, monkeypatch
):
    from tenants.errors import LimitReached

    room = [12]

    def take(*, organization, count):
        if count > room[0]:
            raise LimitReached("plan_limit_reached", "The plan allows 12 messages per month.")
        room[0] -= count

    monkeypatch.setattr("campaigns.services.launch.quota_take", take)
    monkeypatch.setattr(
        "campaigns.services.launch.quota_return", lambda *, organization, count: room.__setitem__(0, room[0] + count)
    )
    make_contacts(30)
    campaign = make_campaign()
    run = launched(campaign, work)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.status_reason) == ("paused", "The plan allows 12 messages per month.")
    assert run.status == "paused"
    assert Message.objects.count() == 12


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_campaign_that_is_under_way_is_not_launched_again(make_contacts, make_campaign, status):
    make_contacts(1)
    campaign = make_campaign()
    campaign.__class__.objects.update(status=status)
    with pytest.raises(Conflict):
        campaign_launch(campaign_id=campaign.pk)
    assert Run.objects.count() == 0


def test_what_cannot_be_launched_says_why(make_contacts, make_campaign, channel):
    campaign = make_campaign()
    with pytest.raises(Conflict) as refusal:
        campaign_launch(campaign_id=campaign.pk)
    assert refusal.value.code == "audience_empty"
    make_contacts(1)
    Channel.objects.update(status="paused", status_reason="Token refused")
    with pytest.raises(Conflict) as refusal:
        campaign_launch(campaign_id=campaign.pk)
    assert (refusal.value.code, refusal.value.message) == (
        "channel_not_connected",
        "The channel is paused. Token refused",
    )
    assert Run.objects.count() == 0


def test_every_wrong_field_of_a_campaign_is_named(make_campaign):
    with pytest.raises(InvalidInput) as refusal:
        make_campaign(
            zone="Mars/Olympus",
            category="spam",
            quiet_from=None,
            quiet_until=datetime.now(UTC).time(),
            sample_percent=10,
            grace_minutes=-1,
        )
    assert set(refusal.value.fields) == {"zone", "category", "quiet_until", "sample_percent", "grace_minutes"}
    with pytest.raises(InvalidInput) as refusal:
        make_campaign(content={"type": "text", "text": {"body": "Hello {pronom}"}})
    assert refusal.value.code == "unknown_variable"
    campaign = make_campaign()
    with pytest.raises(InvalidInput):
        campaign_update(campaign_id=campaign.pk, status="running")


def test_a_marketing_campaigns_messages_are_marked_and_others_are_not(make_contacts, make_campaign, work):
    make_contacts(2)
    for category, marked in (("marketing", True), ("utility", False)):
        run = launched(make_campaign(name=category, category=category), work)
        assert (
            list(Message.objects.filter(campaign_run_id=run.pk).values_list("is_marketing", flat=True)) == [marked] * 2
        )
