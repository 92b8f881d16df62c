"""Setup links: one channel for one customer, step by step, by a token that is stored as a hash."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from django.test import Client
from django.utils import timezone

from messaging.models import Channel, SetupLink
from messaging.services.setup_links import result_sign
from tenants.models import InboundRoute
from tests.api.gateway.caller import Vendor, refusal, wrong_fields

BACK = "https://vendor.example/connected?tab=1"


@pytest.fixture
def customer(vendor: Vendor) -> str:
    return str(vendor.post("/customers", {"name": "DentalCare"}).json()["customer"]["id"])


@pytest.fixture
def make_link(vendor: Vendor, customer: str, provider: Any) -> Callable[..., dict[str, Any]]:
    def make(**fields: Any) -> dict[str, Any]:
        response = vendor.post("/setup-links", {"customerId": customer, "redirectUrl": BACK} | fields)
        assert response.status_code == 201, response.content
        link: dict[str, Any] = response.json()["setupLink"]
        return link

    return make


class Page:
    """The hosted page of one link, as its script uses it."""

    def __init__(self, link: dict[str, Any]) -> None:
        self.path = f"/setup/{link['token']}"
        self.client = Client()

    def open(self, **headers: str) -> Any:
        return self.client.get(self.path, headers=headers)

    def act(self, action: str, body: Any) -> Any:
        return self.client.post(f"{self.path}/{action}", body, content_type="application/json")


def dialog(provider: Any, *numbers: str, coexistence: bool = False) -> dict[str, Any]:
    """What Meta's simulated dialog hands to the page, in the page's words."""
    body = {"name": "DentalCare", "numbers": list(numbers or ("+1 555 014 2200",)), "coexistence": coexistence}
    answer = requests.post(f"{provider.url}/dialog/signup", json=body, timeout=5).json()
    return {
        "network": "WHATSAPP",
        "code": answer["code"],
        "accountId": answer["waba_id"],
        "externalId": answer.get("phone_number_id", ""),
        "isCoexistence": coexistence,
    }


def test_a_link_leads_from_the_dialog_to_a_channel_and_back_with_a_signed_result(
    make_link: Any, provider: Any, vendor: Vendor, customer: str
) -> None:
    link = make_link()
    assert link["url"].endswith(f"/setup/{link['token']}")
    stored = SetupLink.objects.get(uuid=link["id"])
    assert link["token"] not in str(stored.__dict__) and len(stored.token_hash) == 64
    page = Page(link)
    assert page.open().status_code == 200
    state = page.act("connect", dialog(provider)).json()["state"]
    assert (state["isDone"], state["error"]) == (True, "")
    vendor.get("/customers")
    channel = Channel.objects.get()
    assert (channel.address, channel.status, channel.is_sandbox, channel.name) == (
        "15550142200",
        "connected",
        True,
        "DentalCare",
    )
    assert str(channel.customer.uuid) == customer
    assert channel.secrets["access_token"].startswith("sandbox-AQ") and len(channel.secrets["pin"]) == 6
    assert InboundRoute.objects.filter(external_id=channel.external_id, channel_id=channel.pk).exists()
    number = requests.get(
        f"{provider.url}/v25.0/{channel.external_id}",
        headers={"Authorization": f"Bearer {channel.secrets['access_token']}"},
        timeout=5,
    ).json()
    assert number["status"] == "CONNECTED"
    # The result, signed.
    result = dict(parse_qsl(urlsplit(state["redirect"]).query))
    assert state["redirect"].startswith("https://vendor.example/connected?tab=1&")
    signature = result.pop("signature")
    result.pop("tab")
    assert set(result) == {"channelId", "customerId", "setupLinkId", "status", "timestamp"}
    assert (result["channelId"], result["status"]) == (str(channel.uuid), "connected")
    assert signature == result_sign(result, link["signingSecret"])
    # Nothing that opens the business's account stays with the link.
    stored.refresh_from_db()
    assert set(stored.secrets) == {"signing"}
    shown = vendor.get(f"/setup-links/{link['id']}").json()["setupLink"]
    assert (shown["status"], shown["channelId"]) == ("completed", str(channel.uuid))


def test_a_completed_link_connects_nothing_more(make_link: Any, provider: Any, vendor: Vendor) -> None:
    page = Page(make_link())
    page.act("connect", dialog(provider))
    again = page.act("connect", dialog(provider, "+1 555 014 2201"))
    assert again.status_code == 409
    vendor.get("/customers")
    assert Channel.objects.count() == 1


def test_a_number_on_the_phone_app_is_not_registered(make_link: Any, provider: Any, vendor: Vendor) -> None:
    state = Page(make_link()).act("connect", dialog(provider, coexistence=True)).json()["state"]
    assert state["isDone"]
    vendor.get("/customers")
    assert "pin" not in Channel.objects.get().secrets


def test_with_several_numbers_the_person_chooses(make_link: Any, provider: Any, vendor: Vendor) -> None:
    page = Page(make_link())
    state = page.act("connect", dialog(provider, "+1 555 014 2200", "+1 555 014 2201")).json()["state"]
    assert [number["label"] for number in state["numbers"]] == [
        "DentalCare (+15550142200)",
        "DentalCare (+15550142201)",
    ]
    odd = page.act("continue", {"externalId": "1"})
    assert (odd.status_code, "one of those" in odd.json()["problem"]) == (422, True)
    done = page.act("continue", {"externalId": state["numbers"][1]["external_id"]}).json()["state"]
    assert done["isDone"]
    vendor.get("/customers")
    assert Channel.objects.get().address == "15550142201"


def test_an_error_stops_at_its_step_and_the_next_try_goes_on_there(
    make_link: Any, provider: Any, vendor: Vendor
) -> None:
    link = make_link()
    page = Page(link)
    given = dialog(provider)
    # Somebody has set another pin on the number before.
    requests.post(
        f"{provider.url}/v25.0/{given['externalId']}/register",
        json={"messaging_product": "whatsapp", "pin": "111111"},
        headers={"Authorization": "Bearer sandbox-x"},
        timeout=5,
    )
    provider.control(
        "POST",
        "numbers",
        {"phone_number_id": given["externalId"], "waba_id": given["accountId"], "registered": False},
    )
    state = page.act("connect", given).json()["state"]
    assert (state["step"], state["isDone"]) == ("register", False)
    assert "PIN" in state["error"]
    vendor.get("/customers")
    assert not Channel.objects.exists()
    shown = vendor.get(f"/setup-links/{link['id']}").json()["setupLink"]
    assert (shown["status"], shown["step"], shown["error"]) == ("open", "register", state["error"])
    assert page.act("continue", {"pin": "12"}).status_code == 422
    assert page.act("continue", {"pin": "111111"}).json()["state"]["isDone"]
    vendor.get("/customers")
    stored = SetupLink.objects.get(uuid=link["id"])
    assert [entry["step"] for entry in stored.log] == [
        *("exchange", "inspect", "choose", "subscribe", "register"),
        *("register", "channel"),
    ]


def test_a_used_code_asks_for_a_new_login(make_link: Any, provider: Any) -> None:
    given = dialog(provider)
    assert Page(make_link()).act("connect", given).json()["state"]["isDone"]
    second = Page(make_link())
    state = second.act("connect", given).json()["state"]
    assert (state["step"], state["isDone"]) == ("exchange", False)
    assert "used" in state["error"]
    assert second.act("continue", {}).status_code == 409


def test_a_provider_that_is_away_is_said_in_words(make_link: Any, provider: Any, settings: Any) -> None:
    page, given = Page(make_link()), dialog(provider)
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    state = page.act("connect", given).json()["state"]
    assert state["error"] == "The provider did not answer. Try again in a moment."


def test_what_the_dialog_reports_is_checked_against_the_token(make_link: Any, provider: Any, vendor: Vendor) -> None:
    other = dialog(provider, "+1 555 014 9999")
    mine = dialog(provider)
    state = Page(make_link()).act("connect", mine | {name: other[name] for name in ("accountId", "externalId")}).json()
    assert state["state"]["isDone"]
    vendor.get("/customers")
    assert Channel.objects.get().address == "15550142200"


def test_two_clicks_at_once_do_the_work_once(make_link: Any, provider: Any, vendor: Vendor) -> None:
    link = make_link()
    vendor.get("/customers")
    SetupLink.objects.filter(uuid=link["id"]).update(busy_until=timezone.now() + timedelta(minutes=1))
    second = Page(link).act("connect", dialog(provider))
    assert second.status_code == 409
    vendor.get("/customers")
    SetupLink.objects.filter(uuid=link["id"]).update(busy_until=timezone.now() - timedelta(seconds=1))
    assert Page(link).act("connect", dialog(provider)).json()["state"]["isDone"]


def test_revoked_and_expired_links_are_closed(make_link: Any, provider: Any, vendor: Vendor) -> None:
    revoked, expired = make_link(), make_link()
    assert vendor.delete(f"/setup-links/{revoked['id']}").json()["setupLink"]["status"] == "revoked"
    assert refusal(vendor.delete(f"/setup-links/{revoked['id']}")) == (409, "setup_link_closed")
    SetupLink.objects.filter(uuid=expired["id"]).update(expires_at=timezone.now())
    for link in (revoked, expired):
        page = Page(link)
        assert page.open().status_code == 410
        assert page.act("connect", dialog(provider)).status_code == 409
    vendor.get("/customers")
    assert not Channel.objects.exists()


@pytest.mark.parametrize("token", ["x", "zz-" + "A" * 43, "1-" + "A" * 43, "../../admin", "1-%00"])
def test_unknown_tokens_are_404(organization: Any, token: str) -> None:
    assert Client().get(f"/setup/{token}").status_code == 404


def test_a_token_does_not_work_for_another_organisation(
    make_link: Any, other_organization: Any, organization: Any
) -> None:
    from messaging.services.setup_links import _base36

    token = make_link()["token"]
    own, _, secret = token.partition("-")
    assert own == _base36(organization.pk)
    assert Client().get(f"/setup/{_base36(other_organization.pk)}-{secret}").status_code == 404


def test_the_page_is_protected_branded_and_speaks_the_visitors_language(
    make_link: Any, organization: Any, settings: Any
) -> None:
    type(organization).objects.filter(pk=organization.pk).update(brand_color="#aa3300")
    page = Page(make_link())
    response = page.open(**{"Accept-Language": "fr"})
    body = response.content.decode()
    assert "--brand: #aa3300" in body and "Demo Shop" in body and "DentalCare" in body
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe-inline" not in policy
    assert response["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert response["Referrer-Policy"] == "strict-origin"
    assert 'lang="fr"' in body
    assert 'lang="es"' in page.client.get(page.path, {"lang": "es"}).content.decode()


def test_names_are_escaped_on_the_page(vendor: Vendor, make_link: Any) -> None:
    evil = vendor.post("/customers", {"name": "</script><b>x"}).json()["customer"]["id"]
    body = Page(make_link(customerId=evil)).open().content.decode()
    assert "<b>x" not in body


@pytest.mark.parametrize(
    "url",
    [
        "http://vendor.example/back",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://user:secret@vendor.example/",
        "https://",
        "//vendor.example",
        "https://vendor.example/ x",
        "https://vendor.example\\@evil.example/",
        "https://vendor.example:99999/",
        "https://vendor.example/back?status=x",
    ],
)
def test_other_redirects_are_refused(vendor: Vendor, customer: str, url: str) -> None:
    response = vendor.post("/setup-links", {"customerId": customer, "redirectUrl": url})
    assert (response.status_code, wrong_fields(response)) == (422, {"redirectUrl"})


def test_loopback_is_for_development_only(vendor: Vendor, customer: str, settings: Any) -> None:
    body = {"customerId": customer, "redirectUrl": "http://127.0.0.1:3000/back"}
    assert vendor.post("/setup-links", body).status_code == 201
    settings.PRODUCTION = True
    settings.META_APP_ID = settings.META_APP_SECRET = settings.META_CONFIG_ID = "1"
    assert wrong_fields(vendor.post("/setup-links", body)) == {"redirectUrl"}
    settings.META_CONFIG_ID = ""
    assert refusal(vendor.post("/setup-links", {"customerId": customer})) == (409, "signup_not_configured")


@pytest.mark.parametrize("hours", [0, 721, "x"])
def test_odd_expiries_are_refused(vendor: Vendor, customer: str, hours: Any) -> None:
    response = vendor.post("/setup-links", {"customerId": customer, "expiresInHours": hours})
    assert (response.status_code, wrong_fields(response)) == (422, {"expiresInHours"})


def test_another_accounts_links_do_not_exist(
    make_link: Any, make_vendor: Callable[..., Vendor], other_organization: Any, customer: str
) -> None:
    link = make_link()
    other = make_vendor(other_organization)
    assert refusal(other.post("/setup-links", {"customerId": customer})) == (404, "customer_not_found")
    assert other.get("/setup-links").json()["setupLinks"] == []
    assert refusal(other.get(f"/setup-links/{link['id']}")) == (404, "setup_link_not_found")
    assert refusal(other.delete(f"/setup-links/{link['id']}")) == (404, "setup_link_not_found")


def test_a_person_who_cancels_is_sent_back_and_the_link_stays_open(make_link: Any) -> None:
    page = Page(make_link())
    target = page.act("cancel", {}).json()["redirect"]
    assert dict(parse_qsl(urlsplit(target).query))["status"] == "cancelled"
    assert page.open().status_code == 200


@pytest.mark.parametrize("body", ["[]", "{", '{"code": 5}', '{"code": ""}', "x" * 20_000])
def test_odd_bodies_are_refused(make_link: Any, body: str) -> None:
    assert Page(make_link()).act("connect", body).status_code == 422


def test_cancelling_a_link_that_is_closed_promises_nothing(make_link: Any, provider: Any, vendor: Vendor) -> None:
    done, revoked = make_link(), make_link()
    assert Page(done).act("connect", dialog(provider)).json()["state"]["isDone"]
    assert vendor.delete(f"/setup-links/{revoked['id']}").status_code == 200
    for link in (done, revoked):
        answer = Page(link).act("cancel", {})
        assert (answer.status_code, "redirect" in answer.json()) == (409, False)


def test_a_link_that_is_revoked_while_the_work_goes_on_makes_no_channel(
    make_link: Any, provider: Any, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.services import signup

    link = make_link()
    real = signup._STEPS[SetupLink.Step.REGISTER]

    def revoked_meanwhile(*arguments: Any) -> None:
        real(*arguments)
        SetupLink.objects.filter(uuid=link["id"]).update(revoked_at=timezone.now())

    monkeypatch.setitem(signup._STEPS, SetupLink.Step.REGISTER, revoked_meanwhile)
    state = Page(link).act("connect", dialog(provider)).json()["state"]
    assert (state["isDone"], state["error"]) == (False, "This link is used up, revoked or expired.")
    vendor.get("/customers")
    assert not Channel.objects.exists()
    assert vendor.get(f"/setup-links/{link['id']}").json()["setupLink"]["status"] == "revoked"


def test_a_crash_at_the_end_leaves_no_channel_behind_and_trying_again_makes_it(
    make_link: Any, provider: Any, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.services import signup

    link = make_link()
    real = signup._store

    def dies(stored: SetupLink) -> None:
        if stored.step == SetupLink.Step.DONE:
            raise SystemExit
        real(stored)

    with monkeypatch.context() as broken, pytest.raises(SystemExit):
        broken.setattr(signup, "_store", dies)
        Page(link).act("connect", dialog(provider))
    vendor.get("/customers")
    assert not Channel.objects.exists()
    assert Page(link).act("continue", {}).json()["state"]["isDone"]
    vendor.get("/customers")
    assert Channel.objects.count() == 1


def test_what_meta_refuses_is_said_in_the_language_of_the_reader(
    make_link: Any, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from messaging.setup import views

    link = make_link()
    vendor.get("/customers")
    SetupLink.objects.filter(uuid=link["id"]).update(error="The access token has expired. Enter a new one.")
    monkeypatch.setattr(views, "reason_said", lambda text: f"said: {text}" if text else "")
    assert "said: The access token has expired. Enter a new one." in Page(link).open().content.decode()


def test_a_click_that_saw_an_older_state_goes_on_from_the_present_one(
    make_link: Any, provider: Any, vendor: Vendor, organization: Any
) -> None:
    from messaging.services.signup import signup_continue

    link = make_link()
    vendor.get("/customers")
    stale = SetupLink.objects.get(uuid=link["id"])
    two = dialog(provider, "+1 555 014 2200", "+1 555 014 2201")
    state = Page(link).act("connect", two).json()["state"]
    assert len(state["numbers"]) == 2
    vendor.get("/customers")
    signup_continue(link=stale, organization=organization, external_id=state["numbers"][1]["external_id"])
    assert (stale.step, Channel.objects.get().external_id) == ("done", state["numbers"][1]["external_id"])


def test_a_choice_that_is_not_offered_leaves_the_link_free_for_the_next_click(
    make_link: Any, provider: Any, vendor: Vendor
) -> None:
    page = Page(make_link())
    two = dialog(provider, "+1 555 014 2200", "+1 555 014 2201")
    numbers = page.act("connect", two).json()["state"]["numbers"]
    assert page.act("continue", {"externalId": "1234567"}).status_code == 422
    assert page.act("continue", {"externalId": numbers[0]["external_id"]}).json()["state"]["isDone"]
