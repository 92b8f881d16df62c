"""API keys as services: form, storage, limits of the cache, and the record of their use."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tenants.errors import Forbidden, InvalidInput
from tenants.models import ApiKey
from tenants.services import keys
from tenants.services.keys import api_key_authenticate, api_key_create

pytestmark = pytest.mark.django_db
SURFACE = "transactional"


def test_a_key_has_its_form_and_only_its_hash_is_stored(organization):
    api_key, plain = api_key_create(organization=organization, name=" Shop ", scopes=["otp:send"], mode="live")
    prefix, mode, key_id, secret = re.fullmatch(r"(rf)_(live)_([a-z0-9]{12})_([A-Za-z0-9]{40})", plain).groups()
    row = ApiKey.objects.filter(pk=api_key.pk).values().get()
    assert (row["name"], row["key_id"], row["mode"], row["surface"]) == ("Shop", key_id, mode, SURFACE)
    assert row["secret_hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(row)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"mode": "prod"}, "mode"),
        ({"surface": "soap"}, "surface"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"rate_per_minute": 1_000_001}, "rate_per_minute"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
    ],
)
def test_a_key_that_could_not_work_is_refused_and_the_field_named(organization, changed, field):
    options = {"organization": organization, "name": "k", "scopes": ["otp:send"], **changed}
    with pytest.raises(InvalidInput) as caught:
        api_key_create(**options)
    assert set(caught.value.fields) == {field}
    assert not ApiKey.objects.exists()


def test_the_credential_says_who_calls(organization):
    api_key, plain = api_key_create(organization=organization, name="k", scopes=["otp:send"], rate_per_minute=7)
    credential = api_key_authenticate(plain, SURFACE)
    assert credential.api_key_id == api_key.pk
    assert credential.scopes == {"otp:send"}
    assert credential.rate_per_minute == 7
    assert credential.is_test
    assert credential.organization.schema_name == organization.schema_name
    assert credential.organization.default_country == organization.default_country


def test_a_busy_key_costs_one_query_in_a_while(organization, django_assert_num_queries):
    _, plain = api_key_create(organization=organization, name="k", scopes=["otp:send"])
    api_key_authenticate(plain, SURFACE)
    with django_assert_num_queries(0):
        for _ in range(20):
            api_key_authenticate(plain, SURFACE)


def test_an_unknown_key_that_insists_costs_one_query(organization, django_assert_num_queries):
    plain = "rf_live_zzzzzzzzzzzz_" + "q" * 40
    with django_assert_num_queries(1):
        for _ in range(5):
            with pytest.raises(Forbidden):
                api_key_authenticate(plain, SURFACE)


def test_the_cache_is_bounded(organization, monkeypatch):
    monkeypatch.setattr(keys, "CACHE_ENTRIES", 3)
    monkeypatch.setattr(keys, "_cache", keys._Cache())
    for number in range(10):
        with pytest.raises(Forbidden):
            api_key_authenticate(f"rf_live_zzzzzzzzzzz{number}_" + "q" * 40, SURFACE)
    assert len(keys._cache._entries) == 3


def test_last_use_is_written_once_a_minute(organization, monkeypatch, time_machine):
    api_key, plain = api_key_create(organization=organization, name="k", scopes=["otp:send"])
    written = []
    time_machine.move_to(timezone.now(), tick=False)
    for seconds in (0, 30, 29, 2):
        time_machine.shift(timedelta(seconds=seconds))
        keys._cache.clear()
        api_key_authenticate(plain, SURFACE)
        written.append(ApiKey.objects.get(pk=api_key.pk).last_used_at)
    assert written[0] == written[1] == written[2]
    assert written[3] - written[0] == timedelta(seconds=61)


def test_a_wrong_secret_does_not_count_as_use(organization):
    api_key, plain = api_key_create(organization=organization, name="k", scopes=["otp:send"])
    with pytest.raises(Forbidden):
        api_key_authenticate(plain[:-4] + "0000", SURFACE)
    assert ApiKey.objects.get(pk=api_key.pk).last_used_at is None


def test_the_command_prints_a_key_that_works(organization):
    out, notes = StringIO(), StringIO()
    call_command(
        "api_key_create", organization.slug, name="Cron", mode="live", scopes=["otp:send"], stdout=out, stderr=notes
    )
    plain = out.getvalue().strip()
    assert api_key_authenticate(plain, SURFACE).name == "Cron"
    assert plain not in notes.getvalue()


@pytest.mark.parametrize(
    "options",
    [{"slug": "nobody"}, {"scopes": ["x"]}, {"expires_at": "tomorrow"}, {"expires_at": "2027-01-01T00:00:00"}],
)
def test_the_command_refuses_what_cannot_work(organization, options):
    slug = options.pop("slug", organization.slug)
    with pytest.raises(CommandError):
        call_command("api_key_create", slug, name="Cron", stdout=StringIO(), stderr=StringIO(), **options)
    assert not ApiKey.objects.exists()
