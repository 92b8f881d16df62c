"""Channels and customers: connected only with a token that the provider accepts, masked, and never another's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from messaging.models import Channel, Customer
from tenants.models import AgendaItem, InboundRoute
from tests.api.gateway.caller import Vendor, refusal, wrong_fields

NEW = {
    "id": "iq_chan_client_new",
    "type": "WHATSAPP",
    "name": "Main Support Line",
    "systemUserAccessToken": "sandbox-token-vendor",
    "wabaId": "89234802934",
    "phoneId": "82394829384",
}


@pytest.fixture
def number(provider: Any) -> Any:
    """The number of NEW at the provider."""
    provider.control(
        "POST",
        "numbers",
        {
            "phone_number_id": NEW["phoneId"],
            "waba_id": NEW["wabaId"],
            "display_phone_number": "+52 1 55 1234 0000",
            "verified_name": "DentalCare",
        },
    )
    return provider


def test_a_channel_is_connected_with_what_the_provider_says_of_it(vendor: Vendor, number: Any) -> None:
    response = vendor.post("/auth/onboard/channel", NEW)
    assert response.status_code == 201, response.content
    shown = response.json()["channel"]
    assert (shown["id"], shown["type"], shown["status"], shown["phoneNumber"]) == (
        "iq_chan_client_new",
        "WHATSAPP",
        "connected",
        "5215512340000",
    )
    assert (shown["phoneId"], shown["wabaId"], shown["messagesPerSecond"]) == ("82394829384", "89234802934", 80)
    assert "sandbox-token-vendor" not in response.content.decode()
    channel = Channel.objects.get(reference="iq_chan_client_new")
    assert channel.secrets == {"access_token": "sandbox-token-vendor"}
    assert InboundRoute.objects.filter(external_id="82394829384", channel_id=channel.pk).exists()
    assert AgendaItem.objects.filter(kind="template_sync").exists()
    listed = vendor.get("/auth/channels").json()["channels"]
    assert [(row["id"], row["systemUserAccessToken"]) for row in listed] == [("iq_chan_client_new", "••••••••")]


def test_a_token_that_the_provider_refuses_connects_nothing(vendor: Vendor, number: Any, settings: Any) -> None:
    settings.META_GRAPH_URL = number.url
    response = vendor.post("/auth/onboard/channel", NEW | {"systemUserAccessToken": "EAAQ3d8..."})
    assert refusal(response) == (422, "token_refused")
    assert wrong_fields(response) == {"systemUserAccessToken"}
    number.control("POST", "tokens", {"token": "sandbox-old", "state": "expired"})
    expired = vendor.post("/auth/onboard/channel", NEW | {"systemUserAccessToken": "sandbox-old"})
    assert refusal(expired) == (422, "token_refused")
    assert not Channel.objects.exists()


def test_a_provider_that_does_not_answer_is_a_503(vendor: Vendor, settings: Any) -> None:
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    assert refusal(vendor.post("/auth/onboard/channel", NEW)) == (503, "provider_unreachable")


def test_the_id_and_the_number_are_taken_once(vendor: Vendor, number: Any) -> None:
    assert vendor.post("/auth/onboard/channel", NEW).status_code == 201
    other_number = NEW | {"phoneId": "82394829385"}
    assert refusal(vendor.post("/auth/onboard/channel", other_number)) == (409, "reference_taken")
    assert refusal(vendor.post("/auth/onboard/channel", NEW | {"id": "second"})) == (409, "channel_taken")
    assert Channel.objects.count() == 1


def test_another_account_may_use_the_same_id_but_not_the_same_number(
    vendor: Vendor, number: Any, make_vendor: Callable[..., Vendor], other_organization: Any
) -> None:
    vendor.post("/auth/onboard/channel", NEW)
    other = make_vendor(other_organization)
    assert refusal(other.post("/auth/onboard/channel", NEW)) == (409, "channel_taken")
    assert other.post("/auth/onboard/channel", NEW | {"phoneId": "82394829399"}).status_code == 201


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"id": "0190b8a2-6c1e-7f3a-9a53-2f1b4c5d6e7f"}, {"id"}),
        ({"id": "a b"}, {"id"}),
        ({"type": "SMS"}, {"type"}),
        ({"name": ""}, {"name"}),
        ({"systemUserAccessToken": 5}, {"systemUserAccessToken"}),
    ],
)
def test_bad_values_name_their_field(vendor: Vendor, changed: Any, fields: set[str]) -> None:
    response = vendor.post("/auth/onboard/channel", NEW | changed)
    assert (response.status_code, wrong_fields(response)) == (422, fields)


def test_one_of_both_ids_is_needed_and_the_only_number_of_an_account_is_found(vendor: Vendor, number: Any) -> None:
    bare = {name: NEW[name] for name in ("id", "type", "name", "systemUserAccessToken")}
    assert wrong_fields(vendor.post("/auth/onboard/channel", bare)) == {"phoneId"}
    response = vendor.post("/auth/onboard/channel", bare | {"wabaId": NEW["wabaId"]})
    assert response.json()["channel"]["phoneId"] == NEW["phoneId"]


def test_a_test_key_connects_and_sees_sandbox_channels_only(
    make_vendor: Callable[..., Vendor], in_schema: Any, make_channel: Any
) -> None:
    tester = make_vendor(in_schema, mode="test")
    make_channel(in_schema, name="Live", is_sandbox=False)
    assert refusal(tester.post("/auth/onboard/channel", NEW | {"systemUserAccessToken": "EAA"})) == (
        422,
        "sandbox_only",
    )
    assert tester.get("/auth/channels").json()["channels"] == []


def test_customers_are_added_once_per_external_id_and_listed_page_by_page(vendor: Vendor) -> None:
    for index in range(5):
        body = {"name": f"Clinic {index}", "email": "a@clinic.example", "externalId": f"crm_{index}"}
        created = vendor.post("/customers", body)
        assert created.status_code == 201
    assert created.json()["customer"]["externalId"] == "crm_4"
    taken = vendor.post("/customers", {"name": "Again", "externalId": "crm_4"})
    assert (refusal(taken), wrong_fields(taken)) == ((409, "external_id_taken"), {"externalId"})
    names: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = vendor.get("/customers", limit="2", **cursor).json()
        names += [row["name"] for row in page["customers"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert names == [f"Clinic {index}" for index in (4, 3, 2, 1, 0)]
    assert [row["name"] for row in vendor.get("/customers", externalId="crm_2").json()["customers"]] == ["Clinic 2"]
    assert len(vendor.get("/customers", name="clinic").json()["customers"]) == 5
    assert vendor.post("/customers", {"name": "No external id"}).status_code == 201
    assert vendor.post("/customers", {"name": "Neither"}).status_code == 201


@pytest.mark.parametrize(
    ("query", "field"), [({"limit": "0"}, "limit"), ({"limit": "x"}, "limit"), ({"cursor": "!!"}, "cursor")]
)
def test_odd_pages_are_refused(vendor: Vendor, query: dict[str, str], field: str) -> None:
    response = vendor.get("/customers", **query)
    assert (response.status_code, wrong_fields(response)) == (422, {field})


def test_another_accounts_customer_does_not_exist(
    vendor: Vendor, make_vendor: Callable[..., Vendor], other_organization: Any, number: Any
) -> None:
    mine = vendor.post("/customers", {"name": "Mine"}).json()["customer"]["id"]
    other = make_vendor(other_organization)
    assert other.get("/customers").json()["customers"] == []
    assert refusal(other.get("/messages", customerId=mine)) == (404, "customer_not_found")
    foreign = other.post("/auth/onboard/channel", NEW | {"customerId": mine})
    assert refusal(foreign) == (404, "customer_not_found")
    assert vendor.post("/auth/onboard/channel", NEW | {"customerId": mine}).json()["channel"]["customerId"] == mine
    assert Customer.objects.get(uuid=mine).channels.count() == 1


@pytest.mark.parametrize(("network", "kind"), [("FACEBOOK", "messenger"), ("INSTAGRAM", "instagram")])
def test_pages_and_instagram_accounts_are_connected_with_their_token(
    vendor: Vendor, provider: Any, network: str, kind: str
) -> None:
    body = {"id": f"iq_{kind}", "type": network, "name": "Page", "systemUserAccessToken": "sandbox-p"}
    assert wrong_fields(vendor.post("/auth/onboard/channel", body)) == {"phoneId"}
    response = vendor.post("/auth/onboard/channel", body | {"phoneId": "112233445566"})
    assert response.status_code == 201, response.content
    assert response.json()["channel"]["type"] == network
    assert Channel.objects.get().kind == kind
    text = {"channelId": f"iq_{kind}", "channelType": network, "to": "+229", "type": "text", "text": "Hello"}
    assert refusal(vendor.post("/messages", text)) == (422, "invalid_recipient")
    closed = vendor.post("/messages", text | {"to": "7788990011223344", "type": "template", "template": {"name": "x"}})
    assert refusal(closed) == (422, "invalid_content")
