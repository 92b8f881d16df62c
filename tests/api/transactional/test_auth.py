"""Who may call: keys, hosts, scopes, and how soon a change is effective."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from tenants.models import ApiKey
from tenants.services.keys import api_key_create, api_key_revoke
from tenants.services.organizations import organization_resume, organization_suspend
from tests.api.transactional.caller import Caller, problem

pytestmark = pytest.mark.django_db
WITHIN = 1.0


def test_without_a_key_the_answer_is_401_and_names_the_header(organization):
    response = Caller(None).get("/providers")
    assert problem(response) == (401, "api_key_missing")
    assert "X-API-Key" in response["WWW-Authenticate"]
    assert "X-RateLimit-Limit" not in response


@pytest.mark.parametrize(
    "key",
    [
        "nonsense",
        "rf_live_aaaaaaaaaaaa_" + "x" * 40,
        "ma_live_aaaaaaaaaaaa_" + "x" * 40,
        "rf_live_' OR 1=1 --_" + "x" * 40,
        "rf_live_aaaaaaaaaaaa_" + "é" * 40,
        "x" * 5000,
    ],
)
def test_an_unknown_key_is_401(organization, key):
    assert problem(Caller(key).get("/providers")) == (401, "api_key_unknown")


def test_the_right_key_id_with_another_secret_or_mode_is_401(organization):
    _, plain = api_key_create(organization=organization, name="k", scopes=["providers:read"], mode="live")
    changed = plain[:-1] + ("a" if plain[-1] != "a" else "b")
    assert problem(Caller(changed).get("/providers")) == (401, "api_key_unknown")
    assert problem(Caller(plain.replace("_live_", "_test_")).get("/providers")) == (401, "api_key_unknown")
    assert Caller(plain).get("/providers").status_code == 200


def test_an_expired_key_is_401(organization):
    api_key, plain = api_key_create(
        organization=organization, name="k", scopes=["providers:read"], expires_at=timezone.now() + timedelta(hours=1)
    )
    ApiKey.objects.filter(pk=api_key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert problem(Caller(plain).get("/providers")) == (401, "api_key_expired")


def test_a_key_expires_to_the_moment_although_it_is_cached(organization, time_machine):
    expires_at = timezone.now() + timedelta(hours=1)
    _, plain = api_key_create(organization=organization, name="k", scopes=["providers:read"], expires_at=expires_at)
    caller = Caller(plain)
    time_machine.move_to(expires_at - timedelta(milliseconds=100), tick=False)
    assert caller.get("/providers").status_code == 200
    time_machine.shift(timedelta(milliseconds=200))
    assert problem(caller.get("/providers")) == (401, "api_key_expired")


def test_a_key_revoked_elsewhere_stops_within_a_second(organization):
    api_key, plain = api_key_create(organization=organization, name="k", scopes=["providers:read"])
    caller = Caller(plain)
    assert caller.get("/providers").status_code == 200
    # Not through the service, which would clear this process' cache: another process revoked it.
    ApiKey.objects.filter(pk=api_key.pk).update(revoked_at=timezone.now())
    deadline = time.monotonic() + WITHIN
    while caller.get("/providers").status_code == 200:
        assert time.monotonic() < deadline, "still works after a second"
        time.sleep(0.02)
    assert problem(caller.get("/providers")) == (401, "api_key_revoked")


def test_a_key_revoked_here_stops_at_once_and_only_once(organization):
    api_key, plain = api_key_create(organization=organization, name="k", scopes=["providers:read"])
    caller = Caller(plain)
    assert caller.get("/providers").status_code == 200
    assert api_key_revoke(api_key=api_key) is True
    assert problem(caller.get("/providers")) == (401, "api_key_revoked")
    assert api_key_revoke(api_key=api_key) is False


def test_suspending_the_organisation_stops_its_keys_within_a_second_and_resuming_starts_them(organization):
    _, plain = api_key_create(organization=organization, name="k", scopes=["providers:read"])
    caller = Caller(plain)
    assert caller.get("/providers").status_code == 200
    organization_suspend(organization=organization, reason="unpaid")
    time.sleep(WITHIN)
    assert problem(caller.get("/providers")) == (401, "organization_suspended")
    organization_resume(organization=organization)
    time.sleep(WITHIN)
    assert caller.get("/providers").status_code == 200


def test_an_organisations_own_host_takes_its_keys_and_refuses_those_of_others(
    organization, other_organization, make_caller
):
    caller = make_caller(organization)
    host = {"Host": organization.host}
    assert caller.get("/providers", host).status_code == 200
    assert problem(make_caller(other_organization).get("/providers", host)) == (401, "api_key_wrong_host")


def test_each_operation_needs_its_scope(in_schema, channel, make_caller):
    operations = {
        "providers:read": lambda caller: [caller.get("/providers"), caller.get(f"/providers/{channel.uuid}")],
        "messages:send": lambda caller: [
            caller.post(path, {}) for path in ("/messages/send", "/messages/send-media", "/messages/send-bulk")
        ],
        "messages:read": lambda caller: [caller.get("/messages/x")],
        "otp:send": lambda caller: [caller.post("/otp/send", {})],
        "otp:verify": lambda caller: [caller.post("/otp/verify", {})],
    }
    for granted in operations:
        caller = make_caller(in_schema, scopes=[granted])
        for scope, run in operations.items():
            for response in run(caller):
                if scope == granted:
                    assert response.status_code not in (401, 403)
                else:
                    assert problem(response) == (403, "scope_missing")
                    assert response.json()["scope"] == scope


def test_the_next_request_of_another_organisation_sees_its_own_data_only(
    organization, other_organization, make_channel, make_caller
):
    mine, theirs = make_channel(organization, name="Mine"), make_channel(other_organization, name="Theirs")
    callers = make_caller(organization), make_caller(other_organization)
    for _ in range(2):
        assert [row["id"] for row in callers[0].get("/providers").json()["providers"]] == [str(mine.uuid)]
        assert [row["id"] for row in callers[1].get("/providers").json()["providers"]] == [str(theirs.uuid)]
