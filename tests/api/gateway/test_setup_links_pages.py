"""Setup links for Messenger and Instagram: the pages that were allowed, one of them chosen, subscribed, connected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from messaging.models import Channel, SetupLink
from tenants.models import InboundRoute
from tests.api.gateway.caller import Vendor, refusal, wrong_fields
from tests.api.gateway.test_setup_links import BACK, Page

CLINIC, LAB = {"name": "DentalCare", "instagram": "dentalcare"}, {"name": "Laboratory"}


@pytest.fixture
def make_page(vendor: Vendor, provider: Any) -> Callable[..., Page]:
    """`make_page(type="FACEBOOK")`: the hosted page of a new link."""
    customer = vendor.post("/customers", {"name": "DentalCare"}).json()["customer"]["id"]

    def make(**fields: Any) -> Page:
        body = {"customerId": customer, "redirectUrl": BACK} | fields
        response = vendor.post("/setup-links", body)
        assert response.status_code == 201, response.content
        return Page(response.json()["setupLink"])

    return make


def login(provider: Any, *pages: dict[str, str]) -> str:
    """The code that Meta's simulated dialog gives for these pages."""
    answer = requests.post(f"{provider.url}/dialog/signup", json={"pages": list(pages)}, timeout=5)
    assert answer.status_code == 200, answer.text
    code: str = answer.json()["code"]
    return code


def connect(page: Page, network: str, code: str) -> Any:
    return page.act("connect", {"network": network, "code": code})


def subscribed(provider: Any, page_id: str) -> bool:
    answer = requests.get(
        f"{provider.url}/v25.0/{page_id}/subscribed_apps", headers={"Authorization": "Bearer sandbox-x"}, timeout=5
    )
    return bool(answer.json()["data"])


@pytest.mark.parametrize(
    ("network", "kind", "name"), [("FACEBOOK", "messenger", "DentalCare"), ("INSTAGRAM", "instagram", "dentalcare")]
)
def test_the_only_page_is_subscribed_and_connected_with_its_own_token(
    make_page: Any, provider: Any, vendor: Vendor, network: str, kind: str, name: str
) -> None:
    state = connect(make_page(type=network), network, login(provider, CLINIC)).json()["state"]
    assert (state["isDone"], state["error"]) == (True, "")
    assert "Register the number" not in {step["name"] for step in state["steps"]}
    vendor.get("/customers")
    channel = Channel.objects.get()
    assert (channel.kind, channel.name, channel.status, channel.is_sandbox) == (kind, name, "connected", True)
    assert channel.secrets["access_token"] == f"sandbox-page-{channel.account_id}"
    assert (channel.external_id == channel.account_id) == (network == "FACEBOOK")
    assert subscribed(provider, channel.account_id)
    assert InboundRoute.objects.filter(external_id=channel.external_id, channel_id=channel.pk).exists()
    assert set(SetupLink.objects.get().secrets) == {"signing"}


def test_of_several_pages_the_person_chooses_and_only_that_one_is_subscribed(
    make_page: Any, provider: Any, vendor: Vendor
) -> None:
    page = make_page()
    state = connect(page, "FACEBOOK", login(provider, CLINIC, LAB)).json()["state"]
    assert [row["label"].split(" (")[0] for row in state["numbers"]] == ["DentalCare", "Laboratory"]
    assert (state["step"], state["network"]) == ("choose", "FACEBOOK")
    first, second = (row["external_id"] for row in state["numbers"])
    assert page.act("continue", {"externalId": second}).json()["state"]["isDone"]
    vendor.get("/customers")
    assert Channel.objects.get().external_id == second
    assert (subscribed(provider, first), subscribed(provider, second)) == (False, True)


def test_a_page_without_an_instagram_account_is_said_in_words_and_another_login_helps(
    make_page: Any, provider: Any, vendor: Vendor
) -> None:
    page = make_page(type="INSTAGRAM")
    state = connect(page, "INSTAGRAM", login(provider, LAB)).json()["state"]
    assert (state["step"], state["isDone"]) == ("choose", False)
    assert state["error"].startswith("Nothing was allowed that can be connected.")
    state = connect(page, "INSTAGRAM", login(provider, LAB, CLINIC)).json()["state"]
    assert state["isDone"]
    vendor.get("/customers")
    assert Channel.objects.get().name == "dentalcare"


def test_a_login_for_numbers_lacks_the_permissions_for_pages(make_page: Any, provider: Any) -> None:
    body = {"name": "DentalCare", "numbers": ["+1 555 014 2200"]}
    code = requests.post(f"{provider.url}/dialog/signup", json=body, timeout=5).json()["code"]
    state = connect(make_page(), "FACEBOOK", code).json()["state"]
    assert (state["step"], "pages_messaging" in state["error"]) == ("inspect", True)


def test_a_page_is_connected_once_only(make_page: Any, provider: Any, vendor: Vendor) -> None:
    assert connect(make_page(), "FACEBOOK", login(provider, CLINIC)).json()["state"]["isDone"]
    vendor.get("/customers")
    page_id = Channel.objects.get().external_id
    again, code = make_page(), login(provider, LAB)
    # The person allows the same page once more, next to nothing new.
    vendor.get("/customers")
    Channel.objects.filter(external_id=page_id).update(external_id=_granted(provider, code))
    state = connect(again, "FACEBOOK", code).json()["state"]
    assert state["error"].startswith("Every page that you allowed is connected already.")


def _granted(provider: Any, code: str) -> str:
    """The id of the page of a code that was not used yet: the newest page that the sandbox knows."""
    rows = requests.get(
        f"{provider.url}/v25.0/me/accounts", headers={"Authorization": "Bearer sandbox-all"}, timeout=5
    ).json()["data"]
    return str(rows[-1]["id"])


def test_a_subscription_that_meta_refuses_stops_there_and_goes_on_with_the_same_page(
    make_page: Any, provider: Any, vendor: Vendor
) -> None:
    page, code = make_page(), login(provider, CLINIC)
    token = f"sandbox-page-{_granted(provider, code)}"
    provider.control("POST", "tokens", {"token": token, "state": "revoked"})
    state = connect(page, "FACEBOOK", code).json()["state"]
    assert (state["step"], state["isDone"], bool(state["error"])) == ("subscribe", False, True)
    vendor.get("/customers")
    assert not Channel.objects.exists()
    assert token not in str(SetupLink.objects.values_list("found", "log", "error").get())
    provider.control("POST", "tokens", {"token": token, "state": "valid"})
    assert page.act("continue", {}).json()["state"]["isDone"]
    vendor.get("/customers")
    log = [entry["step"] for entry in SetupLink.objects.get().log]
    # Pages have nothing to register: that step passes at once.
    assert log == ["exchange", "inspect", "choose", "subscribe", "subscribe", "register", "channel"]


def test_a_live_link_offers_only_what_is_configured_at_meta(
    vendor: Vendor, make_page: Any, settings: Any, provider: Any
) -> None:
    settings.PRODUCTION = True
    settings.META_CONFIG_ID, settings.META_PAGE_CONFIG_ID = "1", ""
    body = make_page().open().content.decode()
    assert '"WHATSAPP"' in body and '"FACEBOOK"' not in body
    customer = vendor.get("/customers").json()["customers"][0]["id"]
    refused = vendor.post("/setup-links", {"customerId": customer, "type": "INSTAGRAM"})
    assert refusal(refused) == (409, "signup_not_configured")
    settings.META_PAGE_CONFIG_ID = "2"
    body = make_page(type="INSTAGRAM").open().content.decode()
    assert '"configId": "2"' in body and '"WHATSAPP"' not in body


def test_a_link_for_one_type_takes_no_other(make_page: Any, provider: Any) -> None:
    response = connect(make_page(type="INSTAGRAM"), "FACEBOOK", login(provider, CLINIC))
    assert response.status_code == 422
    assert connect(make_page(), "SMS", "x").status_code == 422


@pytest.mark.parametrize("network", ["sms", "whatsapp", 5])
def test_odd_types_are_refused(vendor: Vendor, make_page: Any, network: Any) -> None:
    make_page()
    customer = vendor.get("/customers").json()["customers"][0]["id"]
    response = vendor.post("/setup-links", {"customerId": customer, "type": network})
    assert (response.status_code, wrong_fields(response)) == (422, {"type"})
