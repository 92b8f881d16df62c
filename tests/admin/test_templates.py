"""The template pages: a form that names every broken rule at its field, reading, deleting, setup links."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django_tenants.utils import tenant_context

from messaging.models import Customer, MessageTemplate, SetupLink


def page(name: str, *arguments: Any) -> str:
    return reverse(f"admin:messaging_{name}", args=arguments, urlconf="config.urls_tenant")


@pytest.fixture
def browser(browser_of: Callable[[str], Client]) -> Client:
    return browser_of("manager")


def form(channel: Any, **fields: str) -> dict[str, Any]:
    values = {
        "channel": channel.pk,
        "name": "order_done",
        "language": "en",
        "category": "UTILITY",
        "header": "",
        "body": "Hello {{1}}, your order is ready.",
        "footer": "",
        "replies": "Yes\nNo",
        "link_text": "",
        "link_url": "",
    }
    return values | fields


def test_a_template_is_submitted_from_the_form(
    browser: Client, organization: Any, make_channel: Any, provider: Any
) -> None:
    channel = make_channel(organization)
    response = browser.post(page("messagetemplate_add"), form(channel))
    assert response.status_code == 302, response.content
    with tenant_context(organization):
        template = MessageTemplate.objects.get()
        assert (template.name, template.status, len(template.components[1]["buttons"])) == ("order_done", "PENDING", 2)


def test_every_broken_rule_stands_at_its_field(
    browser: Client, organization: Any, make_channel: Any, provider: Any
) -> None:
    channel = make_channel(organization)
    wrong = form(channel, name="Bad Name", body="{{1}} x", footer="Ask {{1}}", replies="x" * 26)
    response = browser.post(page("messagetemplate_add"), wrong)
    assert response.status_code == 200
    errors = response.context["form"].errors
    assert set(errors) == {"name", "body", "footer", "replies"}
    assert "must not begin or end with a variable" in errors["body"][0]
    with tenant_context(organization):
        assert not MessageTemplate.objects.exists()


def test_templates_are_read_from_the_provider(
    browser: Client, organization: Any, make_channel: Any, provider: Any
) -> None:
    channel = make_channel(organization)
    response = browser.post(page("messagetemplate_sync"), {"channel": channel.pk}, follow=True)
    assert "0 new, 0 changed, 0 gone." in response.content.decode()


def test_a_setup_link_is_shown_once(browser: Client, organization: Any) -> None:
    with tenant_context(organization):
        customer = Customer.objects.create(name="DentalCare")
    response = browser.post(page("customer_setup_link", customer.pk), {"hours": "2", "redirect_url": ""})
    body = response.content.decode()
    assert "/setup/" in body and "no-store" in response["Cache-Control"]
    refused = browser.post(page("customer_setup_link", customer.pk), {"hours": "2", "redirect_url": "javascript:x"})
    assert refused.context["form"].errors["redirect_url"]
    with tenant_context(organization):
        link = SetupLink.objects.get()
        assert link.token_hash not in body
