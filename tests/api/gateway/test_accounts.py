"""Accounts and keys: registering, logging in for a key, and what keys may make."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from django_tenants.utils import schema_context

from messaging.models import Channel
from tenants.models import ApiKey, Membership, Organization, User
from tenants.services.keys import SCOPES
from tests.api.gateway.caller import Vendor, refusal, wrong_fields

ACCOUNT = {"name": "Whatsaky SaaS", "email": "dev@whatsaky.com", "password": "secure_password_123"}


@pytest.fixture
def anybody(db: None) -> Vendor:
    return Vendor(None)


def basic(email: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{email}:{password}".encode()).decode()}


def test_registering_makes_an_account_whose_key_works_at_once(anybody: Vendor) -> None:
    started = time.perf_counter()
    response = anybody.post("/auth/register", ACCOUNT)
    assert time.perf_counter() - started < 10
    assert response.status_code == 201, response.content
    body = response.json()
    assert (body["success"], body["name"], body["email"]) == (True, "Whatsaky SaaS", "dev@whatsaky.com")
    assert body["apiKey"].startswith("iq_live_")
    assert response["Cache-Control"] == "no-store"
    organization = Organization.objects.get(uuid=body["accountId"])
    assert organization.slug == "whatsaky-saas"
    assert Membership.objects.get(organization=organization).role == "owner"
    with schema_context(organization.schema_name):
        assert Channel.objects.count() == 0
    assert Vendor(body["apiKey"]).get("/auth/channels").json() == {"success": True, "channels": []}


def test_the_same_name_gets_another_short_name_and_the_same_address_is_refused(anybody: Vendor) -> None:
    anybody.post("/auth/register", ACCOUNT)
    again = anybody.post("/auth/register", ACCOUNT | {"email": "other@whatsaky.com"})
    assert again.status_code == 201
    before = Organization.objects.count()
    taken = anybody.post("/auth/register", ACCOUNT | {"email": "DEV@whatsaky.com", "name": "Else"})
    assert refusal(taken) == (409, "email_taken")
    assert wrong_fields(taken) == {"email"}
    assert Organization.objects.count() == before


def test_nobody_becomes_owner_of_something_through_an_address_that_has_an_account(
    anybody: Vendor, organization: Any
) -> None:
    owner = f"owner@{organization.slug}.test"
    assert refusal(anybody.post("/auth/register", ACCOUNT | {"email": owner})) == (409, "email_taken")
    assert User.objects.get(email=owner).memberships.count() == 1


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"name": " "}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"email": "nobody"}, {"email"}),
        ({"password": "short"}, {"password"}),
        ({"password": "password123"}, {"password"}),
        ({"email": None}, {"email"}),
        ({"name": 7, "email": [], "password": {}}, {"name", "email", "password"}),
    ],
)
def test_bad_registrations_are_refused_and_leave_nothing(anybody: Vendor, changed: Any, fields: set[str]) -> None:
    before = (Organization.objects.count(), User.objects.count())
    response = anybody.post("/auth/register", ACCOUNT | changed)
    assert response.status_code == 422, response.content
    assert wrong_fields(response) == fields
    assert (Organization.objects.count(), User.objects.count()) == before


@pytest.mark.parametrize("name", ["北京", "7", "www", "!!"])
def test_a_name_without_letters_for_a_short_name_works(anybody: Vendor, name: str) -> None:
    assert anybody.post("/auth/register", ACCOUNT | {"name": name}).status_code == 201


def test_registration_can_be_closed_and_is_limited_per_address(anybody: Vendor, settings: Any) -> None:
    settings.REGISTRATIONS_PER_HOUR = 0
    assert refusal(anybody.post("/auth/register", ACCOUNT)) == (403, "registration_closed")
    settings.REGISTRATIONS_PER_HOUR = 1
    limited = Vendor(None, REMOTE_ADDR="192.0.2.77")
    for _once in range(3):
        last = limited.post("/auth/register", {})
    assert refusal(last) == (429, "registration_limited")
    assert int(last["Retry-After"]) > 0


def test_other_methods_and_addresses_are_errors_of_this_api(anybody: Vendor, vendor: Vendor) -> None:
    assert refusal(anybody.get("/auth/register")) == (405, "method_not_allowed")
    assert refusal(vendor.call("DELETE", "/auth/keys")) == (405, "method_not_allowed")
    assert refusal(anybody.get("/nothing")) == (404, "not_found")


def test_a_key_makes_keys_that_may_do_no_more_than_itself(vendor: Vendor, make_vendor: Any, in_schema: Any) -> None:
    made = vendor.post("/auth/keys", {"keyName": "Production Key"})
    assert made.status_code == 201
    body = made.json()
    assert (body["success"], body["name"], body["scopes"]) == (True, "Production Key", sorted(SCOPES["gateway"]))
    assert Vendor(body["apiKey"]).get("/auth/keys").status_code == 200
    small = make_vendor(in_schema, scopes=["keys", "customers"])
    assert small.call("POST", "/auth/keys").json()["scopes"] == ["customers", "keys"]
    refused = small.post("/auth/keys", {"scopes": ["messages:send"]})
    assert (refused.status_code, wrong_fields(refused)) == (422, {"scopes"})
    test = make_vendor(in_schema, mode="test")
    assert test.post("/auth/keys", {}).json()["apiKey"].startswith("iq_test_")


def test_keys_are_listed_without_secrets_and_without_other_accounts(
    vendor: Vendor, make_vendor: Any, other_organization: Any
) -> None:
    make_vendor(other_organization, name="Foreign")
    response = vendor.get("/auth/keys")
    (row,) = response.json()["keys"]
    stored = ApiKey.objects.get(key_id=row["prefix"].split("_")[2])
    assert row["name"] == "Tests" and row["revokedAt"] is None
    assert vendor.key is not None
    assert vendor.key.split("_")[3] not in response.content.decode()
    assert stored.secret_hash not in response.content.decode()


def test_the_owner_gets_a_key_by_e_mail_and_password(anybody: Vendor) -> None:
    anybody.post("/auth/register", ACCOUNT)
    made = anybody.call("POST", "/auth/keys", headers=basic(ACCOUNT["email"], ACCOUNT["password"]))
    assert made.status_code == 201
    assert Vendor(made.json()["apiKey"]).get("/customers").status_code == 200
    wrong = anybody.call("POST", "/auth/keys", headers=basic(ACCOUNT["email"], "not the password"))
    assert refusal(wrong) == (401, "login_failed")
    for broken in ("Basic !!!", "Basic " + base64.b64encode(b"no colon").decode()):
        assert refusal(anybody.call("POST", "/auth/keys", headers={"Authorization": broken})) == (401, "login_failed")


def test_many_wrong_passwords_lock_the_address(anybody: Vendor, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    anybody.post("/auth/register", ACCOUNT)
    for _guess in range(4):
        anybody.call("POST", "/auth/keys", headers=basic(ACCOUNT["email"], "wrong"))
    right = anybody.call("POST", "/auth/keys", headers=basic(ACCOUNT["email"], ACCOUNT["password"]))
    assert refusal(right) == (429, "login_locked")


def test_members_without_the_right_get_no_key_and_several_accounts_must_be_told_apart(
    anybody: Vendor, organization: Any, other_organization: Any
) -> None:
    user = User.objects.create_user("both@vendor.example", "a-long-password-1")
    Membership.objects.create(user=user, organization=organization, role="sender")
    login = basic(user.email, "a-long-password-1")
    assert refusal(anybody.call("POST", "/auth/keys", headers=login)) == (403, "key_creation_refused")
    Membership.objects.filter(user=user).update(role="admin")
    Membership.objects.create(user=user, organization=other_organization, role="owner")
    ambiguous = anybody.call("POST", "/auth/keys", headers=login)
    assert (refusal(ambiguous), wrong_fields(ambiguous)) == ((422, "account_ambiguous"), {"accountId"})
    chosen = anybody.post("/auth/keys", {"accountId": str(other_organization.uuid)}, headers=login)
    assert ApiKey.objects.get(uuid=chosen.json()["id"]).organization == other_organization


@pytest.mark.parametrize("key", [None, "iq_live_x", "rf_live_aaaaaaaaaaaa_" + "b" * 40])
def test_without_a_good_key_there_is_nothing(db: None, key: str | None) -> None:
    status, code = refusal(Vendor(key).get("/customers"))
    assert (status, code in ("api_key_missing", "api_key_unknown")) == (401, True)


def test_a_key_lacks_what_it_was_not_given(make_vendor: Any, in_schema: Any, text: Any) -> None:
    reader = make_vendor(in_schema, scopes=["messages:read"])
    assert reader.get("/messages").status_code == 200
    assert refusal(reader.post("/messages", text)) == (403, "scope_missing")
    assert refusal(reader.get("/customers")) == (403, "scope_missing")


def test_everything_that_is_wrong_with_a_registration_is_told_at_once(anybody: Vendor) -> None:
    response = anybody.post("/auth/register", {"name": " ", "email": "dev", "password": "short"})
    assert (response.status_code, wrong_fields(response)) == (422, {"name", "email", "password"})
    assert response.json()["error"]["fields"]["name"] == "This must not be empty."


def test_an_address_that_does_not_exist_says_where_the_list_is(anybody: Vendor) -> None:
    response = anybody.get("/nothing")
    assert refusal(response) == (404, "not_found")
    assert "/docs/gateway/" in response.json()["error"]["message"]
