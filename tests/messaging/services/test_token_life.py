"""Tokens of channels: their end is known and told, those that can be exchanged are, in time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from messaging.models import Channel
from messaging.services.channels import channel_create, channel_update_secrets
from messaging.services.token_life import AGENDA_KIND, token_look, tokens_in_trouble
from tenants.errors import Conflict
from tenants.models import AgendaItem

ACCOUNT, PAGE = "17841400008460056", "300000000000042"


@pytest.fixture
def login_channel(in_schema: Any, provider: Any, settings: Any) -> Channel:
    """An Instagram channel with a token of Instagram's own login, entered two days ago."""
    settings.INSTAGRAM_GRAPH_URL = provider.url
    provider.control("POST", "pages", {"page_id": PAGE, "instagram_id": ACCOUNT, "name": "Demo Shop"})
    channel = channel_create(
        organization=in_schema,
        name="Insta",
        kind="instagram",
        external_id=ACCOUNT,
        secrets={"access_token": f"sandbox-ig-{time.monotonic_ns()}"},
        config={"login": "instagram"},
        is_sandbox=True,
    )
    return aged(channel, days=2)


def aged(channel: Channel, *, days: float, **fields: Any) -> Channel:
    Channel.objects.filter(pk=channel.pk).update(token_at=timezone.now() - timedelta(days=days), **fields)
    channel.refresh_from_db()
    return channel


def look(channel: Channel, organization: Any) -> Any:
    """One look; the channel is read again."""
    at = token_look(organization.schema_name, str(channel.pk))
    channel.refresh_from_db()
    return at


def test_a_new_channel_and_a_new_token_are_looked_after(login_channel: Channel, in_schema: Any) -> None:
    items = AgendaItem.objects.filter(schema=in_schema.schema_name, kind=AGENDA_KIND, key=str(login_channel.pk))
    assert items.count() == 1
    items.delete()
    aged(login_channel, days=9, token_expires_at=timezone.now(), token_problem="Ended.")
    channel_update_secrets(channel=login_channel, secrets={"access_token": "sandbox-fresh"})
    login_channel.refresh_from_db()
    assert items.count() == 1
    assert (login_channel.token_expires_at, login_channel.token_problem) == (None, "")
    assert timezone.now() - login_channel.token_at < timedelta(minutes=1)


def test_instagrams_token_is_exchanged_for_one_of_sixty_days(login_channel: Channel, in_schema: Any) -> None:
    old = login_channel.secrets["access_token"]
    next_at = look(login_channel, in_schema)
    assert login_channel.secrets["access_token"] not in ("", old)
    lives = login_channel.token_expires_at - timezone.now()
    assert timedelta(days=59) < lives <= timedelta(days=60)
    assert login_channel.token_problem == ""
    assert next_at == login_channel.token_expires_at - timedelta(days=30)
    entry = AuditEntry.objects.filter(action="channel.token_renewed").get()
    assert entry.new_values["token_expires_at"] is not None
    assert login_channel.secrets["access_token"] not in repr(AuditEntry.objects.values())


def test_a_token_of_today_is_not_exchanged_yet(login_channel: Channel, in_schema: Any) -> None:
    aged(login_channel, days=0.5)
    old = login_channel.secrets["access_token"]
    assert look(login_channel, in_schema) == login_channel.token_at + timedelta(hours=25)
    assert login_channel.secrets["access_token"] == old


def test_a_token_with_more_than_a_month_left_is_kept(login_channel: Channel, in_schema: Any) -> None:
    ends = timezone.now() + timedelta(days=31)
    aged(login_channel, days=29, token_expires_at=ends)
    old = login_channel.secrets["access_token"]
    assert look(login_channel, in_schema) == ends - timedelta(days=30)
    assert login_channel.secrets["access_token"] == old


def test_a_refusal_is_told_and_tried_again_tomorrow(login_channel: Channel, in_schema: Any, provider: Any) -> None:
    token = login_channel.secrets["access_token"]
    provider.control("POST", "tokens", {"token": token, "state": "revoked"})
    next_at = look(login_channel, in_schema)
    assert login_channel.secrets["access_token"] == token
    assert "password changed" in login_channel.token_problem
    assert list(tokens_in_trouble()) == [login_channel]
    assert timedelta(hours=23) < next_at - timezone.now() <= timedelta(days=1)
    provider.control("POST", "tokens", {"token": token, "state": "valid"})
    look(login_channel, in_schema)
    assert login_channel.token_problem == ""
    assert list(tokens_in_trouble()) == []


def test_a_provider_that_is_away_changes_nothing_and_the_agenda_comes_again(
    login_channel: Channel, in_schema: Any, settings: Any
) -> None:
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    with pytest.raises(Conflict, match="did not answer"):
        look(login_channel, in_schema)
    login_channel.refresh_from_db()
    assert (login_channel.token_problem, login_channel.token_expires_at) == ("", None)


def test_a_token_entered_while_the_old_one_was_exchanged_stays(
    login_channel: Channel, in_schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.services import token_life

    real = token_life.provider_ask

    def meanwhile(*arguments: Any) -> Any:
        fresh = real(*arguments)
        channel_update_secrets(channel=login_channel, secrets={"access_token": "sandbox-by-hand"})
        return fresh

    monkeypatch.setattr(token_life, "provider_ask", meanwhile)
    look(login_channel, in_schema)
    assert login_channel.secrets["access_token"] == "sandbox-by-hand"
    assert login_channel.token_expires_at is None


def test_the_end_of_other_tokens_is_looked_up_every_day(channel: Channel, in_schema: Any, provider: Any) -> None:
    token = channel.secrets["access_token"]
    ends = int(time.time()) + 5 * 86_400
    provider.control("POST", "tokens", {"token": token, "state": "valid", "expires_at": str(ends)})
    next_at = look(channel, in_schema)
    assert channel.token_expires_at == datetime.fromtimestamp(ends, UTC)
    assert timedelta(hours=23) < next_at - timezone.now() <= timedelta(days=1)
    assert list(tokens_in_trouble()) == [channel]
    provider.control("POST", "tokens", {"token": token, "state": "expired"})
    look(channel, in_schema)
    assert "invalidated" in channel.token_problem
    assert channel.token_expires_at == datetime.fromtimestamp(ends, UTC)


def test_channels_without_such_tokens_and_those_that_are_gone_end_the_looking(
    in_schema: Any, channel: Channel, provider: Any, settings: Any
) -> None:
    assert token_look(in_schema.schema_name, "999999") is None
    settings.META_APP_SECRET = ""
    assert look(channel, in_schema) is None
