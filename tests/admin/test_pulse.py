"""The page of what is going on, and what super-admins see of all organisations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from config.heartbeat import monitor_redis
from messaging.models import Channel, Message
from messaging.services.channels import channel_pause
from tenants.models import ChannelHealth
from tests.admin.conftest import ROLES
from tests.admin.test_lists import MOST_QUERIES, queries_of
from tests.admin.test_pages import page

URL = "/admin/messaging/channel/pulse/"


@pytest.fixture
def paused(organization: Any, make_channel: Callable[..., Any]) -> Any:
    channel = make_channel(organization, name="Shop <b>line</b>")
    with tenant_context(organization):
        Message.objects.create(channel=channel, direction="out", status="queued", address="1", type="text",
                               origin="api", content={})  # fmt: skip
        channel_pause(channel_id=channel.pk, reason="<script>bill</script>", by="ada@demo.example")
    return channel


@pytest.mark.parametrize("role", ROLES)
def test_the_page_says_why_messages_wait_and_escapes_what_people_wrote(
    role: str, paused: Any, browser_of: Callable[[str], Client]
) -> None:
    html = browser_of(role).get(URL).content.decode()
    assert "Waits because paused by ada@demo.example: &lt;script&gt;bill&lt;/script&gt;" in html
    assert "Shop &lt;b&gt;line&lt;/b&gt;" in html and "<script>bill" not in html
    assert (page("messaging.channel", "resume", paused.pk) in html) is (role in {"owner", "admin", "manager"})


def test_the_part_that_is_renewed_is_no_whole_page(paused: Any, browser_of: Callable[[str], Client]) -> None:
    html = browser_of("viewer").get(URL + "?part=1").content.decode()
    assert "Waits because paused" in html and "<html" not in html


def test_nothing_of_another_organisation_is_on_the_page(
    paused: Any, other_organization: Any, make_member: Callable[..., Any], login: Callable[..., Client]
) -> None:
    browser = login(make_member(other_organization, "owner").user, other_organization)
    assert "Waits because" not in browser.get(URL).content.decode()


def test_without_a_session_there_is_no_part_of_the_page(paused: Any, organization: Any) -> None:
    assert Client(HTTP_HOST=organization.host).get(URL + "?part=1").status_code == 302


def test_a_queue_without_any_worker_says_so(
    organization: Any, make_channel: Callable[..., Any], browser_of: Callable[[str], Client]
) -> None:
    channel = make_channel(organization)
    with tenant_context(organization):
        Message.objects.create(channel=channel, direction="out", status="queued", address="1", type="text",
                               origin="api", content={})  # fmt: skip
    monitor_redis().delete("griot:alive:dispatch")
    assert "no dispatch worker takes it" in browser_of("viewer").get(URL).content.decode()


def test_few_queries_however_many_channels(
    organization: Any, make_channel: Callable[..., Any], browser_of: Callable[[str], Client]
) -> None:
    for number in range(30):
        make_channel(organization, name=f"Channel {number}")
    browser = browser_of("viewer")
    browser.get(URL)
    assert len(queries_of(browser, URL)) <= MOST_QUERIES


def test_who_pauses_and_resumes_is_recorded(
    organization: Any, make_channel: Callable[..., Any], browser_of: Callable[[str], Client]
) -> None:
    channel, browser = make_channel(organization), browser_of("manager")

    def now() -> tuple[str, str, str]:
        with tenant_context(organization):
            row = Channel.objects.get(pk=channel.pk)
        return row.status, row.status_reason, row.status_by

    browser.post(page("messaging.channel", "pause", channel.pk), {"reason": ""})
    assert now()[0] == "connected"
    browser.post(page("messaging.channel", "pause", channel.pk), {"reason": "Holiday"})
    assert now() == ("paused", "Holiday", f"manager@{organization.slug}.example")
    browser.post(page("messaging.channel", "resume", channel.pk), {})
    assert now() == ("connected", "", f"manager@{organization.slug}.example")


def test_super_admins_see_the_troubled_channels_of_all(
    paused: Any, organization: Any, other_organization: Any, make_channel: Callable[..., Any], super_browser: Client
) -> None:
    make_channel(other_organization, name="Calm line")
    ChannelHealth.objects.filter(channel_id=paused.pk, organization=organization).update(
        oldest_at=timezone.now() - timedelta(minutes=9)
    )
    listed = "/admin/tenants/channelhealth/"
    assert "Calm line" in super_browser.get(listed).content.decode()
    for trouble, shown in (("paused", True), ("old", True), ("queued", False), ("doubt", False), ("nonsense", True)):
        html = super_browser.get(listed, {"trouble": trouble}).content.decode()
        assert ("Shop &lt;b&gt;line&lt;/b&gt;" in html) is shown, trouble
        assert ("Calm line" in html) is (trouble == "nonsense")
    assert "Shop &lt;b&gt;line" in super_browser.get("/admin/").content.decode()
    found = super_browser.get(listed, {"q": other_organization.slug}).content.decode()
    assert "Calm line" in found and "Shop" not in found
