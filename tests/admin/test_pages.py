"""Every page of both sites: open for the right role, refused for others, and never another organisation's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django_tenants.utils import tenant_context

from config.admin_sites import organization_site, public_site
from messaging.models import Message
from tenants.models import Membership
from tests.admin.conftest import ROLES

# model -> the roles that may open its list, written down by hand: the role table itself is what is tested.
EVERYBODY = set(ROLES)
OPEN_TO = {
    "messaging.message": EVERYBODY,
    "messaging.channel": EVERYBODY,
    "campaigns.campaign": EVERYBODY,
    "campaigns.marketingtemplate": EVERYBODY,
    "messaging.messagetemplate": EVERYBODY,
    "messaging.mediafile": EVERYBODY - {"sender"},
    "messaging.customer": EVERYBODY,
    "messaging.setuplink": EVERYBODY,
    "messaging.operatorprefix": EVERYBODY,
    "billing.creditaccount": {"owner", "admin", "manager"},
    "billing.ledgerentry": {"owner", "admin", "manager"},
    "tariffs.tariff": {"owner", "admin", "manager"},
    "contacts.contact": EVERYBODY,
    "contacts.group": EVERYBODY,
    "contacts.segment": EVERYBODY,
    "contacts.customfield": EVERYBODY,
    "contacts.contactimport": EVERYBODY,
    "contacts.contactjob": EVERYBODY,
    "contacts.suppression": EVERYBODY,
    "contacts.optoutpolicy": EVERYBODY,
    "webhooks_app.endpoint": {"owner", "admin", "manager"},
    "webhooks_app.delivery": {"owner", "admin", "manager"},
    "otp.onetimepassword": EVERYBODY - {"sender"},
    "otp.otppolicy": EVERYBODY - {"sender"},
    "tenants.membership": {"owner", "admin", "manager"},
    "tenants.invitation": {"owner", "admin"},
    "tenants.apikey": {"owner", "admin"},
    "tenants.organization": {"owner"},
    "tenants.retentionperiod": {"owner", "admin"},
    "admin.logentry": {"owner", "admin"},
    "audit.auditentry": {"owner", "admin"},
}
MAY_ADD = {
    "messaging.message": {"owner", "admin", "manager", "sender"},
    "messaging.channel": {"owner", "admin", "manager"},
    "campaigns.campaign": {"owner", "admin", "manager"},
    "campaigns.marketingtemplate": {"owner", "admin", "manager"},
    "messaging.messagetemplate": {"owner", "admin", "manager"},
    "messaging.customer": {"owner", "admin", "manager"},
    "messaging.operatorprefix": {"owner", "admin", "manager"},
    "contacts.contact": {"owner", "admin", "manager", "sender"},
    "contacts.group": {"owner", "admin", "manager"},
    "contacts.segment": {"owner", "admin", "manager"},
    "contacts.customfield": {"owner", "admin", "manager"},
    "contacts.contactimport": {"owner", "admin", "manager"},
    "contacts.suppression": {"owner", "admin", "manager"},
    "webhooks_app.endpoint": {"owner", "admin"},
    "tenants.invitation": {"owner", "admin"},
    "tenants.apikey": {"owner", "admin"},
    "billing.creditaccount": {"owner", "admin"},
}
# (model, action) -> roles, for the object that `fill` makes.
ACTIONS = {
    ("messaging.message", "retry"): {"owner", "admin", "manager", "sender"},
    ("messaging.channel", "pause"): {"owner", "admin", "manager"},
    ("messaging.channel", "settings"): {"owner", "admin", "manager"},
    ("messaging.channel", "new_secrets"): {"owner", "admin", "manager"},
    ("campaigns.campaign", "launch"): {"owner", "admin", "manager"},
    ("campaigns.campaign", "edit"): {"owner", "admin", "manager"},
    ("campaigns.campaign", "test_send"): {"owner", "admin", "manager"},
    ("campaigns.campaign", "duplicate"): {"owner", "admin", "manager"},
    ("campaigns.campaign", "remove"): {"owner", "admin", "manager"},
    ("billing.creditaccount", "give"): {"owner", "admin"},
    ("billing.creditaccount", "take_back"): {"owner", "admin"},
    ("campaigns.marketingtemplate", "edit"): {"owner", "admin", "manager"},
    ("campaigns.marketingtemplate", "remove"): {"owner", "admin", "manager"},
    ("contacts.contact", "edit"): {"owner", "admin", "manager", "sender"},
    ("contacts.group", "members_add"): {"owner", "admin", "manager"},
    ("contacts.group", "members_remove"): {"owner", "admin", "manager"},
    ("contacts.segment", "edit"): {"owner", "admin", "manager"},
    ("contacts.segment", "remove"): {"owner", "admin", "manager"},
    ("contacts.contactimport", "columns_choose"): {"owner", "admin", "manager"},
    ("contacts.contactimport", "remove"): {"owner", "admin", "manager"},
    ("contacts.contactjob", "cancel"): {"owner", "admin", "manager"},
    ("messaging.messagetemplate", "remove"): {"owner", "admin"},
    ("messaging.customer", "setup_link"): {"owner", "admin", "manager"},
    ("messaging.setuplink", "revoke"): {"owner", "admin", "manager"},
    ("tenants.apikey", "revoke"): {"owner", "admin"},
    ("webhooks_app.endpoint", "test"): {"owner", "admin"},
    ("webhooks_app.endpoint", "toggle"): {"owner", "admin"},
    ("webhooks_app.endpoint", "settings"): {"owner", "admin"},
    ("webhooks_app.endpoint", "rotate"): {"owner", "admin"},
    ("webhooks_app.endpoint", "replay"): {"owner", "admin"},
    ("webhooks_app.endpoint", "remove"): {"owner", "admin"},
    ("webhooks_app.delivery", "replay"): {"owner", "admin"},
    ("tenants.membership", "change_role"): {"owner"},
    ("tenants.membership", "suspend"): {"owner"},
    ("tenants.membership", "remove"): {"owner"},
}
SINGLE_ROW = {"contacts.optoutpolicy", "otp.otppolicy", "tenants.organization"}


def page(model: str, name: str, *arguments: Any) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_{name}", args=arguments, urlconf="config.urls_tenant")


def _sent_by(organization: Any, role: str, message_id: int) -> None:
    """Make it the message of the member with this role: senders see their own only."""
    member = Membership.objects.filter(organization=organization, role=role).latest("pk")
    with tenant_context(organization):
        Message.objects.filter(pk=message_id).update(membership_id=member.pk)


def test_the_tables_of_this_test_know_every_page() -> None:
    registered = {model._meta.label_lower for model in organization_site._registry}

    assert registered == set(OPEN_TO)


@pytest.mark.parametrize("role", ROLES)
def test_lists_and_details_open_for_their_roles_only(
    role: str, organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    made, browser = fill(organization, "here"), browser_of(role)
    _sent_by(organization, role, made["messaging.message"])

    for model, roles in OPEN_TO.items():
        listed = 302 if model in SINGLE_ROW else 200
        opened = browser.get(page(model, "changelist")).status_code
        detail = browser.get(page(model, "change", made[model])).status_code
        assert (model, opened, detail) == (model, listed, 200) if role in roles else (model, 403, 403)


@pytest.mark.parametrize("role", ROLES)
def test_add_pages_open_for_their_roles_only(role: str, browser_of: Callable[[str], Client]) -> None:
    browser = browser_of(role)

    for model in OPEN_TO:
        allowed = role in MAY_ADD.get(model, set())
        assert (model, browser.get(page(model, "add")).status_code) == (model, 200 if allowed else 403)


@pytest.mark.parametrize("role", ROLES)
def test_actions_open_for_their_roles_only_and_others_see_no_button(
    role: str, organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    made, browser = fill(organization, "here"), browser_of(role)
    _sent_by(organization, role, made["messaging.message"])

    for (model, action), roles in ACTIONS.items():
        url = page(model, action, made[model])
        shown = url in browser.get(page(model, "change", made[model])).content.decode()
        status = browser.get(url).status_code
        assert (model, action, status, shown) == (model, action, *((200, True) if role in roles else (403, False)))


def test_an_outsider_gets_the_login_page_of_every_list(organization: Any, login: Callable[..., Client]) -> None:
    from tenants.models import User

    outsider = login(User.objects.create_user("nobody@griot.example", None), organization)

    for model in OPEN_TO:
        answer = outsider.get(page(model, "changelist"))
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


def test_nothing_of_another_organisation_is_on_any_page(
    organization: Any, other_organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    mine, theirs, browser = fill(organization, "ours"), fill(other_organization, "zebra"), browser_of("owner")
    urls = ["/admin/", "/admin/search/?s=zebr"]
    for model in OPEN_TO:
        urls += [page(model, "changelist"), page(model, "changelist") + "?q=zebr", page(model, "change", mine[model])]
        urls.append(page(model, "history", mine[model]))
    urls += [page(model, "add") for model in MAY_ADD]

    for url in urls:
        answer = browser.get(url, follow=True)
        html = answer.content.decode()
        assert "zebra" not in html, url
        assert other_organization.name not in html, url
    assert theirs


@pytest.mark.parametrize("method", ["get", "post"])
def test_public_rows_of_another_organisation_are_404_in_every_way(
    method: str,
    organization: Any,
    other_organization: Any,
    browser_of: Callable[[str], Client],
    fill: Callable[..., dict[str, Any]],
) -> None:
    theirs, browser = fill(other_organization, "foreign"), browser_of("owner")
    shared = (
        "tenants.apikey",
        "tenants.membership",
        "tenants.invitation",
        "tenants.organization",
        "tenants.retentionperiod",
    )
    urls = [page(model, name, theirs[model]) for model in shared for name in ("change", "delete", "history")]
    urls += [page(model, action, theirs[model]) for model, action in ACTIONS if model in shared]

    statuses = {
        url: getattr(browser, method)(url, {"post": "yes"} if method == "post" else {}).status_code for url in urls
    }

    # What nobody may do here at all is 403 whoever owns the row; all that somebody may do is 404.
    assert set(statuses.values()) <= {403, 404}
    if method == "get":
        assert {url for url, status in statuses.items() if status == 403} <= {url for url in urls if "/delete/" in url}


def test_ids_that_exist_only_next_door_are_404(
    organization: Any, other_organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]]
) -> None:
    theirs, browser = fill(other_organization, "foreign"), browser_of("owner")

    for model in (
        "messaging.message",
        "messaging.channel",
        "campaigns.campaign",
        "contacts.contact",
        "contacts.suppression",
        "otp.onetimepassword",
    ):
        assert (model, browser.get(page(model, "change", theirs[model])).status_code) == (model, 404)


@pytest.mark.parametrize("object_id", ["0", "99999999999999999999999", "abc", "%00", "-1"])
def test_odd_ids_are_404(object_id: str, browser_of: Callable[[str], Client]) -> None:
    browser = browser_of("owner")

    for model in OPEN_TO:
        url = page(model, "change", 1).replace("/1/", f"/{object_id}/")
        assert (model, browser.get(url).status_code) == (model, 404)


def test_every_page_of_the_public_site_opens_for_a_super_admin(
    organization: Any, super_browser: Client, fill: Callable[..., dict[str, Any]]
) -> None:
    fill(organization, "here")
    for model, model_admin in public_site._registry.items():
        label = model._meta.label_lower
        url = reverse(f"admin:{label.replace('.', '_')}_changelist", urlconf="config.urls_public")
        answer = super_browser.get(url)
        assert (label, answer.status_code) == (label, 200)
        first = model_admin.get_queryset(answer.wsgi_request).first()
        if first is not None:
            detail = reverse(f"admin:{label.replace('.', '_')}_change", args=[first.pk], urlconf="config.urls_public")
            assert (label, super_browser.get(detail).status_code) == (label, 200)
    assert super_browser.get("/admin/").status_code == 200


def test_the_public_site_is_closed_for_members_and_the_organisations_for_super_admins(
    organization: Any, make_member: Callable[..., Any], login: Callable[..., Client]
) -> None:
    from tenants.models import User

    owner = make_member(organization, "owner").user
    ruler = User.objects.create_superuser("ruler@griot.example", None)

    assert login(owner, None).get("/admin/tenants/organization/").status_code == 302
    assert login(ruler, organization).get("/admin/messaging/message/").status_code == 302
