"""The start page names webhooks that were switched off or fail for long, to those who may see webhooks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context

from webhooks_app.models import Endpoint
from webhooks_app.services.endpoints import endpoint_create, endpoint_toggle


@pytest.fixture
def make_webhook(organization: Any) -> Any:
    def make(name: str, **fields: Any) -> Any:
        with tenant_context(organization):
            endpoint, _secret = endpoint_create(
                surface="gateway", name=name, url="http://127.0.0.1:9/events", events=["*"]
            )
            Endpoint.objects.filter(pk=endpoint.pk).update(**fields)
        return endpoint

    return make


@pytest.fixture
def start_page(organization: Any, make_member: Any, login: Any) -> Any:
    def read(role: str = "admin") -> str:
        browser = login(
            make_member(organization, role, email=f"{role}{timezone.now().timestamp()}@x.example").user, organization
        )
        response = browser.get("/admin/")
        assert response.status_code == 200
        return str(response.content.decode())

    return read


def test_what_was_switched_off_or_fails_for_long_is_named_with_its_reason(make_webhook: Any, start_page: Any) -> None:
    hours_ago = timezone.now() - timedelta(hours=3)
    make_webhook("Gone CRM", is_active=False, disabled_reason="The receiver says that it is gone for good (HTTP 410).")
    make_webhook("Weak CRM", failing_since=hours_ago)
    make_webhook("Good CRM")
    make_webhook("Hiccup CRM", failing_since=timezone.now() - timedelta(minutes=5))
    make_webhook("Paused by us", is_active=False)
    make_webhook("Deleted CRM", is_active=False, disabled_reason="x", deleted_at=hours_ago)
    page = start_page()
    assert "Webhooks that nothing reaches" in page and "(HTTP 410)" in page
    named = [name for name in ("Gone", "Weak", "Good", "Hiccup", "Paused by us", "Deleted") if f">{name}" in page]
    assert named == ["Gone", "Weak"]


def test_without_trouble_there_is_no_card(make_webhook: Any, start_page: Any) -> None:
    make_webhook("Good CRM")
    assert "Webhooks that nothing reaches" not in start_page()


def test_switching_it_on_again_takes_it_off_the_page(make_webhook: Any, start_page: Any, organization: Any) -> None:
    endpoint = make_webhook("Gone CRM", is_active=False, disabled_reason="gone")
    with tenant_context(organization):
        endpoint_toggle(endpoint_id=endpoint.pk)
    assert "Gone CRM" not in start_page()


def test_whoever_may_not_see_webhooks_and_other_organisations_learn_nothing(
    make_webhook: Any, start_page: Any, other_organization: Any, make_member: Any, login: Any
) -> None:
    make_webhook("Gone CRM", is_active=False, disabled_reason="gone")
    assert "Gone CRM" not in start_page("sender")
    stranger = login(make_member(other_organization, "admin").user, other_organization)
    assert "Gone CRM" not in stranger.get("/admin/").content.decode()
