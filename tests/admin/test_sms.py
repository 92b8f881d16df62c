"""SMS in the admin: connecting a gateway, its addresses, a test, what a text costs and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from messaging.models import Channel

Make = Callable[..., Any]
ADD = "/admin/messaging/channel/add/?kind=sms_http"
COST = "/admin/messaging/message/cost/"
KANNEL = {
    "name": "Our Kannel",
    "address": "",
    "setting_preset": "kannel",
    "setting_gateway_url": "http://127.0.0.1:9/cgi-bin/sendsms",
    "setting_sender": "DEMO",
    "setting_username": "griot",
    "secret_password": "s3cret-word",
}


@pytest.fixture
def manager(organization: Any, browser_of: Callable[[str], Client], settings: Any) -> Client:
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    return browser_of("manager")


@pytest.fixture
def sms(organization: Any, make_channel: Make) -> Channel:
    made: Channel = make_channel(organization, kind="sms_http", account_id="", secrets={})
    return made


def test_a_gateway_is_connected_with_a_form_and_its_password_is_never_shown(organization: Any, manager: Client) -> None:
    assert manager.post(ADD, KANNEL).status_code == 302

    with tenant_context(organization):
        channel = Channel.objects.get()
    assert channel.config == {
        "preset": "kannel",
        "gateway_url": "http://127.0.0.1:9/cgi-bin/sendsms",
        "sender": "DEMO",
        "username": "griot",
        "definition": {},
    }
    assert channel.secrets["password"] == "s3cret-word"
    assert len(channel.secrets["callback_token"]) > 30
    page = manager.get(f"/admin/messaging/channel/{channel.pk}/change/").content.decode()
    assert "s3cret-word" not in page
    assert channel.secrets["callback_token"] not in page


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"setting_gateway_url": "http://10.0.0.1/"}, "setting_gateway_url"),
        ({"setting_gateway_url": "nonsense"}, "setting_gateway_url"),
        ({"setting_gateway_url": ""}, "setting_gateway_url"),
        ({"setting_sender": ""}, "setting_sender"),
        ({"secret_password": ""}, "secret_password"),
        ({"setting_definition": "{"}, "setting_definition"),
        ({"setting_definition": "[]"}, "setting_definition"),
        ({"setting_definition": '{"send": {"method": "BREW"}}'}, "setting_definition"),
        ({"setting_preset": "unknown"}, "setting_preset"),
        ({"address": "nonsense"}, "address"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(
    organization: Any, manager: Client, changes: dict[str, str], field: str
) -> None:
    answer = manager.post(ADD, KANNEL | changes)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    with tenant_context(organization):
        assert not Channel.objects.exists()


def test_settings_are_changed_and_checked_again(organization: Any, manager: Client) -> None:
    manager.post(ADD, KANNEL)
    with tenant_context(organization):
        channel = Channel.objects.get()
    url = f"/admin/messaging/channel/{channel.pk}/settings/"
    form = {name: value for name, value in KANNEL.items() if name.startswith("setting_")}
    form |= {"name": "Kannel", "in_doubt_policy": "fail", "setting_definition": '{"callback_answer": "OK"}'}

    assert manager.post(url, form | {"setting_gateway_url": "http://192.168.1.1/"}).status_code == 200
    assert manager.post(url, form).status_code == 302

    with tenant_context(organization):
        channel.refresh_from_db()
    assert (channel.name, channel.config["definition"]) == ("Kannel", {"callback_answer": "OK"})
    assert channel.config["gateway_url"] == "http://127.0.0.1:9/cgi-bin/sendsms"


def test_the_addresses_for_the_gateway_are_for_those_who_may_change_it_and_can_be_made_anew(
    organization: Any, sms: Channel, browser_of: Callable[[str], Client]
) -> None:
    url = f"/admin/messaging/channel/{sms.pk}/addresses/"
    token = sms.secrets["callback_token"]
    browser = browser_of("manager")

    assert f"{sms.external_id}/{token}/message" in browser.get(url).content.decode()
    assert browser_of("sender").get(url).status_code == 403
    assert browser.post(url).status_code == 302

    with tenant_context(organization):
        sms.refresh_from_db()
    assert sms.secrets["callback_token"] != token


def test_a_test_message_opens_the_form_with_the_channel_chosen(
    sms: Channel, browser_of: Callable[[str], Client]
) -> None:
    answer = browser_of("manager").get(f"/admin/messaging/channel/{sms.pk}/test/")
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/messaging/message/add/?channel={sms.pk}")
    assert browser_of("viewer").get(f"/admin/messaging/channel/{sms.pk}/test/").status_code == 403


@pytest.mark.parametrize(
    ("text", "said", "unsaid"),
    [
        (
            "Hello",
            ["This text takes 1 SMS.", "155 more characters fit in; each carries 160."],
            ["because", "Write it so"],
        ),
        ("x" * 161, ["This text takes 2 SMS."], ["because"]),
        ("5 €", ["Counted twice: “€” (place 3)."], ["Write it so"]),
        ("Caf\u00e9 ☕", ["instead of 160", "“☕” (place 6)"], ["Write it so"]),
        (
            "\u2019" + "x" * 80,
            ["takes 2 SMS.", "Written in plain letters it takes 1.", f'data-with="&#x27;{"x" * 80}"'],
            [],
        ),
        ("a\u200bb", ["U+200B"], []),
        ("<b>☕</b>", ["“☕” (place 4)"], ["<b>☕"]),
    ],
)
def test_the_composer_says_what_a_text_costs_and_why(
    sms: Channel, browser_of: Callable[[str], Client], text: str, said: list[str], unsaid: list[str]
) -> None:
    shown = browser_of("sender").post(COST, {"channel": sms.pk, "text": text}).content.decode()
    assert [part for part in said if part not in shown] == []
    assert [part for part in unsaid if part in shown] == []


def test_other_channels_are_not_counted_in_sms(
    organization: Any, make_channel: Make, browser_of: Callable[[str], Client]
) -> None:
    channel = make_channel(organization)
    assert browser_of("sender").post(COST, {"channel": channel.pk, "text": "Hello"}).content.strip() == b""


def test_the_campaign_composer_says_it_for_each_version(sms: Channel, browser_of: Callable[[str], Client]) -> None:
    form = {"channel": sms.pk, "text": "Hello {nom}", "text_b": "Ça coûte {nom}"}
    shown = browser_of("manager").post("/admin/campaigns/campaign/preview/", form).content.decode()
    assert shown.count("This text takes 1 SMS.") == 2
    assert "“û”" in shown
