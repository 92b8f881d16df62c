from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django_tenants.utils import schema_context

from contacts.models import Contact
from messaging.models import Channel, Message
from otp.models import OtpPolicy
from tenants.models import ApiKey, User
from tenants.services.keys import SCOPES, api_key_authenticate

pytestmark = pytest.mark.django_db
# design: what tests and people read from the file, as far as the surfaces exist.
KEYS = {
    "base_url": None,
    "sandbox_url": None,
    "super_admin": {"email", "password"},
    "organization": {"id", "name", "slug", "admin_url", "email", "password"},
    "second_organization": {"id", "name", "slug", "admin_url", "email", "password", "transactional_api_key"},
    "transactional": {"api_key", "provider_id"},
    "marketing": {"email", "password"},
    "gateway": {"api_key", "channel_id"},
    "meta": {"app_secret", "verify_token"},
}


@pytest.fixture
def file(tmp_path: Path, settings: Any) -> Path:
    settings.SANDBOX_URL = "http://127.0.0.1:1"
    return tmp_path / "var" / "demo.json"


def run(file: Path) -> dict[str, Any]:
    call_command("demo_data", file=file, verbosity=0)
    return json.loads(file.read_text())


def test_the_file_has_exactly_the_promised_keys(file: Path) -> None:
    content = run(file)
    assert {name: set(value) if isinstance(value, dict) else None for name, value in content.items()} == KEYS
    assert content["organization"]["admin_url"] == "http://demo.localhost:8000/admin/"
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_reach_their_own_organisation_with_every_scope(file: Path) -> None:
    content = run(file)
    for key, section in (
        (content["transactional"]["api_key"], "organization"),
        (content["second_organization"]["transactional_api_key"], "second_organization"),
    ):
        credential = api_key_authenticate(key, "transactional")
        assert str(credential.organization.uuid) == content[section]["id"]
        assert credential.mode == "live"
        assert credential.scopes == frozenset(SCOPES[ApiKey.Surface.TRANSACTIONAL])


def test_both_organisations_have_different_data_to_show(file: Path) -> None:
    content = run(file)
    seen = []
    for schema in ("t_demo", "t_demo_two"):
        with schema_context(schema):
            channel = Channel.objects.get(kind="whatsapp_cloud")
            assert channel.is_sandbox and channel.secrets["access_token"].startswith("sandbox-token-")
            assert OtpPolicy.objects.get().resend_after_seconds == 0
            assert Message.objects.filter(status="queued").count() == Contact.objects.count() > 1
            seen.append((channel.external_id, *Contact.objects.values_list("phone", flat=True)))
            if schema == "t_demo":
                assert content["transactional"]["provider_id"] == str(channel.uuid)
    assert not set(seen[0]) & set(seen[1])


def test_the_logins_work(file: Path, settings: Any) -> None:
    content = run(file)
    admin = User.objects.get(email=content["super_admin"]["email"])
    assert admin.is_superuser and admin.check_password(content["super_admin"]["password"])


def test_a_second_run_changes_nothing_and_is_quick(file: Path) -> None:
    before = run(file)
    counts = (ApiKey.objects.count(), User.objects.count(), file.stat().st_mtime_ns)
    started = time.perf_counter()
    assert run(file) == before
    assert time.perf_counter() - started < 0.5
    assert (ApiKey.objects.count(), User.objects.count(), file.stat().st_mtime_ns) == counts


@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_a_lost_file_gets_new_keys_and_the_old_ones_stop(file: Path, damage: str) -> None:
    before = run(file)
    if damage == "missing":
        file.unlink()
    else:
        file.write_text('{"transactional": {"api')
    after = run(file)
    assert after["transactional"]["api_key"] != before["transactional"]["api_key"]
    assert ApiKey.objects.filter(name="Demo", revoked_at__isnull=True).count() == 3


def test_sections_of_other_surfaces_are_kept(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"crm": {"api_key": "kept"}}')
    assert run(file)["crm"] == {"api_key": "kept"}


def test_production_refuses_passwords_that_everybody_knows(file: Path, settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="refused in production"):
        run(file)
    assert not file.exists()
