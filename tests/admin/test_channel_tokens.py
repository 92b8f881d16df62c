"""The admin says how long access tokens are valid, and names on the start page those that need a new one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from django_tenants.utils import tenant_context

from messaging.models import Channel

CARD = "Channels that need a new access token"


@pytest.fixture
def admin(organization: Any, make_member: Any, login: Any) -> Any:
    return login(make_member(organization, "admin").user, organization)


@pytest.fixture
def make(organization: Any, make_channel: Any) -> Any:
    def made(name: str, **fields: Any) -> Any:
        channel = make_channel(organization, name=name)
        with tenant_context(organization):
            Channel.objects.filter(pk=channel.pk).update(**fields)
        return channel

    return made


def test_the_start_page_names_tokens_that_end_soon_or_do_not_work(admin: Any, make: Any) -> None:
    now = timezone.now()
    make("Soon", token_expires_at=now + timedelta(days=3, hours=1))
    make("Ended", token_expires_at=now - timedelta(hours=1))
    make("Refused", token_problem="The token was revoked.")
    make("Later", token_expires_at=now + timedelta(days=40))
    make("Renewed", kind="instagram", config={"login": "instagram"}, token_expires_at=now + timedelta(days=3))
    card = admin.get("/admin/").content.decode().partition(CARD)[2].partition("</section>")[0]
    assert [name for name in ("Ended", "Soon", "Refused", "Later", "Renewed") if f">{name}<" in card] == [
        "Ended",
        "Soon",
        "Refused",
    ]
    assert "The token was revoked." in card and "ends in 3\xa0days" in card


def test_without_trouble_there_is_no_card(admin: Any, make: Any) -> None:
    make("Later", token_expires_at=timezone.now() + timedelta(days=40))
    assert CARD not in admin.get("/admin/").content.decode()


def test_the_channels_page_tells_the_end_quality_and_limit_in_words(admin: Any, make: Any, organization: Any) -> None:
    ends = timezone.now() + timedelta(days=9)
    channel = make("Soon", token_expires_at=ends, quality_rating="RED", config={"messaging_limit": "TIER_10K"})
    page = admin.get(reverse("admin:messaging_channel_change", args=[channel.pk], urlconf="config.urls_tenant"))
    body = page.content.decode()
    assert "The access token ends in" in body
    assert ">Low<" in body.replace("\n", "").replace("  ", "") or "Low" in body
    assert "10,000" in body and "TIER_10K" not in body
