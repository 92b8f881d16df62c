"""Templates against a real provider: submit, read all, note removals, delete, and the guard before sending."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from messaging.drivers.news import TemplateNews
from messaging.models import Message, MessageTemplate, TemplateSync
from messaging.services import template_changes, template_guard
from messaging.services.accept import Draft, messages_accept
from messaging.services.channels import channel_by_uuid
from messaging.services.template_changes import TemplateChange
from messaging.services.templates import (
    sync_when_due,
    template_create,
    template_delete,
    template_news_apply,
    templates_of,
    templates_sync,
)
from tenants.errors import Conflict, InvalidInput, NotFound
from tenants.models import AgendaItem

BODY = {"type": "BODY", "text": "Hello {{1}}, your order {{2}} is ready."}


@pytest.fixture(autouse=True)
def fresh_guard() -> None:
    template_guard.cache_clear()


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[TemplateChange]:
    """What listeners were told."""
    told: list[TemplateChange] = []
    monkeypatch.setattr(template_changes, "_listeners", [told.extend])
    return told


@pytest.fixture
def create(provider: Any, channel: Any) -> Callable[..., MessageTemplate]:
    def make(name: str = "order_ready", **fields: Any) -> MessageTemplate:
        values = {"channel": channel, "language": "en_US", "category": "UTILITY", "components": [BODY]}
        return template_create(name=name, **(values | fields))

    return make


def test_a_submitted_template_is_in_review_here_and_at_the_provider(create: Any, channel: Any) -> None:
    template = create()
    assert (template.status, template.category, template.language) == ("PENDING", "UTILITY", "en_US")
    assert template.provider_id.isdigit()
    assert template.components[0]["example"] == {"body_text": [["[1]", "[2]"]]}
    assert list(templates_of(channel=channel)) == [template]


def test_a_template_that_breaks_rules_reaches_nobody(create: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        create("Bad Name", components=[{"type": "BODY", "text": "{{1}}"}])
    assert caught.value.code == "template_invalid"
    assert set(caught.value.fields) == {"name", "components.0.text"}
    assert not MessageTemplate.objects.exists()


def test_the_same_name_and_language_is_refused_here_before_the_provider_is_asked(create: Any) -> None:
    create()
    with pytest.raises(Conflict) as caught:
        create()
    assert caught.value.code == "template_exists"
    assert create(language="fr").language == "fr"


def test_a_refusal_of_the_provider_leaves_nothing(create: Any, provider: Any, channel: Any) -> None:
    create()
    MessageTemplate.objects.all().delete()
    with pytest.raises(InvalidInput) as caught:
        create()
    assert (caught.value.code, "already" in caught.value.message) == ("provider_refused", True)
    assert not MessageTemplate.objects.exists()


def test_when_the_provider_does_not_answer_the_row_stays_and_the_account_is_read_again(
    create: Any, settings: Any, channel: Any
) -> None:
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    with pytest.raises(Conflict) as caught:
        create()
    assert caught.value.code == "provider_unreachable"
    assert MessageTemplate.objects.get().status == "PENDING"
    key = f"{channel.kind}:{channel.account_id}"
    assert AgendaItem.objects.filter(schema=connection.schema_name, kind="template_sync", key=key).exists()


def test_reading_takes_all_pages_and_notices_what_is_gone(
    create: Any, provider: Any, channel: Any, changes: list[TemplateChange]
) -> None:
    for number in range(130):
        create(f"order_{number}")
    MessageTemplate.objects.filter(name="order_7").delete()
    gone = MessageTemplate.objects.create(
        kind=channel.kind,
        account_id=channel.account_id,
        name="old",
        language="en",
        category="UTILITY",
        status="APPROVED",
    )
    outcome = templates_sync(channel=channel)
    assert (outcome.added, outcome.removed) == (1, 1)
    assert templates_of(channel=channel).count() == 130
    gone.refresh_from_db()
    assert gone.status == "DELETED"
    assert [
        (item.name, item.old_status, item.new_status, item.stops_sending) for item in changes if item.name == "old"
    ] == [("old", "APPROVED", "DELETED", True)]
    again = templates_sync(channel=channel)
    assert (again.added, again.removed) == (0, 0)


def test_deleting_by_name_deletes_every_language(create: Any, channel: Any, changes: list[TemplateChange]) -> None:
    create()
    create(language="fr")
    create("other")
    assert sorted(template_delete(channel=channel, name="order_ready")) == ["en_US", "fr"]
    assert [item.name for item in templates_of(channel=channel)] == ["other"]
    assert {(item.language, item.new_status) for item in changes} == {("en_US", "DELETED"), ("fr", "DELETED")}
    with pytest.raises(NotFound):
        template_delete(channel=channel, name="order_ready")


def test_a_template_deleted_before_its_approval_can_be_made_again(create: Any, channel: Any, provider: Any) -> None:
    provider.control("PUT", "switches", {"template_review": "hold"})
    first = create()
    template_delete(channel=channel, name="order_ready")
    assert create().pk == first.pk


def test_channels_of_one_account_share_their_templates_and_another_account_does_not(
    create: Any, in_schema: Any, make_channel: Any
) -> None:
    create()
    second = make_channel(in_schema, address="22997000009")
    foreign = make_channel(in_schema, account_id="980215774409999", address="22997000008")
    assert templates_of(channel=second).count() == 1
    assert templates_of(channel=foreign).count() == 0


@pytest.fixture
def template(channel: Any) -> MessageTemplate:
    return MessageTemplate.objects.create(
        kind=channel.kind,
        account_id=channel.account_id,
        provider_id="14",
        name="promo",
        language="en_US",
        category="UTILITY",
        status="APPROVED",
        components=[BODY],
    )


def news(**found: Any) -> TemplateNews:
    return TemplateNews("14", "promo", "en_US", **found)


def test_reports_change_the_template_once_and_say_why_campaigns_must_stop(
    channel: Any, template: MessageTemplate, changes: list[TemplateChange]
) -> None:
    for _twice in range(2):
        template_news_apply(channel_ids=[channel.pk], news=news(status="PAUSED", reason="Three hours."))
    template_news_apply(channel_ids=[channel.pk], news=news(quality="RED"))
    template.refresh_from_db()
    assert (template.status, template.reason, template.quality) == ("PAUSED", "Three hours.", "RED")
    assert [item.hold_reason for item in changes] == ["Template promo (en_US) is PAUSED. Three hours."]


def read_again() -> bool:
    """Whether the account is going to be read; forgets it."""
    return bool(AgendaItem.objects.filter(kind="template_sync").delete()[0])


def test_an_old_report_that_comes_late_undoes_nothing_and_has_the_account_read_again(
    channel: Any, template: MessageTemplate, changes: list[TemplateChange]
) -> None:
    read_again()
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    reports = [(0, "PENDING"), (10, "APPROVED"), (20, "PAUSED")]
    template_news_apply(channel_ids=[channel.pk], news=news(status="PAUSED"), at=noon + timedelta(seconds=20))
    assert not read_again()
    for seconds, status in [*reports, *reversed(reports)]:
        template_news_apply(channel_ids=[channel.pk], news=news(status=status), at=noon + timedelta(seconds=seconds))
        template.refresh_from_db()
        assert template.status == "PAUSED"
        assert read_again() is (seconds < 20)
    assert len(changes) == 1
    template_news_apply(channel_ids=[channel.pk], news=news(status="APPROVED"), at=noon + timedelta(seconds=21))
    template.refresh_from_db()
    assert (template.status, read_again()) == ("APPROVED", False)


def test_two_reports_of_one_second_that_differ_have_the_account_read_again(
    channel: Any, template: MessageTemplate
) -> None:
    read_again()
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    template_news_apply(channel_ids=[channel.pk], news=news(status="PAUSED"), at=noon)
    template_news_apply(channel_ids=[channel.pk], news=news(status="PAUSED"), at=noon)
    assert not read_again()
    template_news_apply(channel_ids=[channel.pk], news=news(status="APPROVED"), at=noon)
    assert read_again()


def test_reports_from_before_the_account_was_read_are_late(create: Any, channel: Any, provider: Any) -> None:
    before = timezone.now() - timedelta(seconds=2)
    create()
    time.sleep(0.1)
    templates_sync(channel=channel)
    row = MessageTemplate.objects.get()
    assert (row.status, row.news_at > before) == ("APPROVED", True)
    late = TemplateNews(row.provider_id, row.name, row.language, status="PENDING")
    template_news_apply(channel_ids=[channel.pk], news=late, at=before)
    row.refresh_from_db()
    assert row.status == "APPROVED"


def test_a_new_category_is_told_with_the_old_one(
    channel: Any, template: MessageTemplate, changes: list[TemplateChange]
) -> None:
    template_news_apply(channel_ids=[channel.pk], news=news(next_category="MARKETING"))
    assert changes == []
    template_news_apply(channel_ids=[channel.pk], news=news(category="MARKETING"))
    template.refresh_from_db()
    assert (template.category, template.previous_category, template.next_category) == ("MARKETING", "UTILITY", "")
    (change,) = changes
    assert change.is_new_category and not change.stops_sending
    assert "check price and consent" in change.hold_reason


def test_an_error_of_a_listener_undoes_the_change(
    channel: Any, template: MessageTemplate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_changes: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(template_changes, "_listeners", [refuse])
    with pytest.raises(RuntimeError):
        template_news_apply(channel_ids=[channel.pk], news=news(status="PAUSED"))
    template.refresh_from_db()
    assert template.status == "APPROVED"


@pytest.mark.parametrize("report", [TemplateNews("9", "unseen", "fr", status="APPROVED"), news(is_text_changed=True)])
def test_what_cannot_be_applied_has_the_account_read_again(
    channel: Any, template: MessageTemplate, report: TemplateNews
) -> None:
    template_news_apply(channel_ids=[channel.pk], news=report)
    item = AgendaItem.objects.get(kind="template_sync")
    assert item.due_at <= timezone.now()


def test_the_agenda_reads_the_account_and_comes_again_tomorrow(create: Any, channel: Any) -> None:
    create()
    next_at = sync_when_due(connection.schema_name, f"{channel.kind}:{channel.account_id}")
    assert next_at is not None and 23 < (next_at - timezone.now()).total_seconds() / 3600 < 25
    assert TemplateSync.objects.count() == 1
    assert sync_when_due(connection.schema_name, "whatsapp_cloud:1") is None


# The guard before a message is queued.


@pytest.fixture
def send(channel: Any, in_schema: Any) -> Callable[..., Any]:
    def call(name: str, *values: str, language: str = "en_US") -> Any:
        parameters = [{"type": "text", "text": value} for value in values]
        parts = [{"type": "body", "parameters": parameters}] if values else []
        content = {
            "type": "template",
            "template": {"name": name, "language": {"code": language}, "components": parts},
        }
        acceptance = messages_accept(
            organization=in_schema,
            channel=channel_by_uuid(schema=connection.schema_name, uuid=channel.uuid),
            drafts=[Draft("22961000001", content)],
            origin="api",
            priority=10,
        )
        return acceptance.rejections[0].code if acceptance.rejections else "accepted"

    return call


def test_nobody_guards_accounts_whose_templates_were_never_read(send: Any) -> None:
    assert send("anything", "a") == "accepted"


def test_unknown_unapproved_and_wrongly_filled_templates_are_refused_before_they_are_queued(
    send: Any, channel: Any, template: MessageTemplate
) -> None:
    TemplateSync.objects.create(kind=channel.kind, account_id=channel.account_id, synced_at=timezone.now())
    assert send("unknown", "a") == "template_unknown"
    assert send("promo", "a", "b", language="fr") == "template_unknown"
    assert send("promo", "a") == "template_values_wrong"
    MessageTemplate.objects.update(status="PAUSED")
    template_guard.cache_clear()
    assert send("promo", "a", "b") == "template_not_approved"
    assert not Message.objects.exists()
    MessageTemplate.objects.update(status="APPROVED")
    template_guard.cache_clear()
    assert send("promo", "Ada", "1042") == "accepted"
