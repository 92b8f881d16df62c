"""One-time passwords, provider secrets and API keys: what is never shown, by no page and by no trick."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from tests.admin.test_pages import OPEN_TO, page

KEY = re.compile(r"rf_(live|test)_[a-z0-9]{12}_[A-Za-z0-9]{32,64}")


def test_a_one_time_password_is_on_no_page(
    organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    made, browser = fill(organization, "here"), browser_of("owner")
    urls = [
        page(model, name, *ids) for model in OPEN_TO for name, ids in (("changelist", ()), ("change", (made[model],)))
    ]
    urls += [page("messaging.message", name, made["sensitive"]) for name in ("change", "history")]

    pages = {url: browser.get(url, follow=True).content.decode() for url in urls}

    assert [url for url, html in pages.items() if "845193" in html] == []
    assert "••••••" in pages[page("messaging.message", "changelist")]
    assert "••••••" in pages[page("messaging.message", "change", made["sensitive"])]
    assert "••••••" in pages[page("contacts.contact", "change", made["contacts.contact"])]


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        ("messaging.message", "content__text__body__contains=845193"),
        ("messaging.message", "content__icontains=8451"),
        ("otp.onetimepassword", "code_hash__startswith=f"),
        ("tenants.apikey", "secret_hash__startswith=a"),
        ("tenants.membership", "user__password__startswith=p"),
        ("messaging.channel", "secrets__contains=x"),
    ],
)
def test_the_address_bar_cannot_be_used_to_guess_what_is_hidden(
    model: str, lookup: str, browser_of: Callable[[str], Client]
) -> None:
    assert browser_of("owner").get(f"{page(model, 'changelist')}?{lookup}").status_code == 400


def test_a_masked_message_is_not_found_by_its_text(
    organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    fill(organization, "here")

    answer = browser_of("owner").get(page("messaging.message", "changelist"), {"q": "845193"})

    assert list(answer.context["cl"].result_list) == []


def test_a_new_api_key_is_shown_exactly_once(organization: Any, browser_of: Callable[[str], Client]) -> None:
    from tenants.models import ApiKey
    from tenants.services.keys import api_key_authenticate

    browser = browser_of("admin")
    form = {"name": "Web shop", "mode": "test", "scopes": ["messages:send"], "rate_per_minute": "60", "expires_at": ""}

    answer = browser.post(page("tenants.apikey", "add"), form)

    plain = KEY.search(answer.content.decode())
    assert plain is not None and answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    key = ApiKey.objects.get(organization=organization, name="Web shop")
    assert (key.mode, key.scopes, key.rate_per_minute, key.expires_at) == ("test", ["messages:send"], 60, None)
    assert api_key_authenticate(plain[0], "transactional").api_key_id == key.pk
    later = [
        page("tenants.apikey", "changelist"),
        page("tenants.apikey", "change", key.pk),
        page("tenants.apikey", "history", key.pk),
    ]
    assert [url for url in later if KEY.search(browser.get(url).content.decode())] == []


def test_a_key_without_a_scope_is_refused_at_the_field(browser_of: Callable[[str], Client]) -> None:
    from tenants.models import ApiKey

    answer = browser_of("admin").post(
        page("tenants.apikey", "add"), {"name": "x", "mode": "live", "rate_per_minute": "60"}
    )

    assert answer.context["form"].errors["scopes"] == ["This field is required."]
    assert ApiKey.objects.filter(name="x").count() == 0


def test_revoking_a_key_asks_first_and_then_works(
    organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    from tenants.models import ApiKey

    made, browser = fill(organization, "here"), browser_of("admin")
    url = page("tenants.apikey", "revoke", made["tenants.apikey"])

    browser.get(url)
    assert ApiKey.objects.get(pk=made["tenants.apikey"]).revoked_at is None
    browser.post(url)

    assert ApiKey.objects.get(pk=made["tenants.apikey"]).revoked_at is not None


def test_channel_secrets_go_in_and_never_come_out(
    organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    from messaging.models import Channel

    made, browser = fill(organization, "here"), browser_of("admin")
    channel = made["messaging.channel"]
    secrets = page("messaging.channel", "new_secrets", channel)

    browser.post(
        secrets, {"secret_access_token": "", "secret_app_secret": "hush-app-secret", "secret_verify_token": ""}
    )

    with tenant_context(organization):
        stored = Channel.objects.get(pk=channel).secrets
    assert stored == {"access_token": "sandbox-token-test", "app_secret": "hush-app-secret"}
    urls = [secrets, page("messaging.channel", "change", channel), page("messaging.channel", "history", channel)]
    for url in urls:
        html = browser.get(url).content.decode()
        assert "sandbox-token-test" not in html and "hush-app-secret" not in html, url


def test_a_mistake_in_another_field_does_not_send_the_secret_back(browser_of: Callable[[str], Client]) -> None:
    form = {"name": "", "address": "nonsense", "external_id": "1", "secret_access_token": "hush-token"}

    answer = browser_of("admin").post(page("messaging.channel", "add"), form)

    assert set(answer.context["form"].errors) == {"name", "address"}
    assert "hush-token" not in answer.content.decode()
