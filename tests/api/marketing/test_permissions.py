"""Who may call what: every address and method for every role, for every permission, and for other organisations."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import URLPattern
from django_tenants.utils import tenant_context

from api.marketing.endpoint import NotFoundEndpoint, PublicEndpoint
from api.marketing.urls import urlpatterns
from audit.models import AuditEntry
from campaigns.models import Campaign, MarketingTemplate
from contacts.models import Contact, ContactImport, Group, Suppression
from messaging.models import Message
from messaging.services.accept import Draft, messages_accept
from messaging.services.channels import channel_by_uuid
from tenants.models import Membership
from tenants.roles import CAPABILITIES, PERMISSIONS, ROLE_PERMISSIONS, capabilities_of, role_allows
from tests.api.marketing.caller import Marketer
from webhooks_app.services.endpoints import endpoint_create

pytestmark = pytest.mark.usefixtures("unlimited")
METHODS = ("GET", "POST", "PUT", "DELETE")
ROLES = tuple(Membership.Role.values)
FORBIDDEN = {"message": "Cette action n'est pas autorisée."}
# What each operation needs; "" stands for any member. A new operation without a line here fails the test below.
NEEDS = {
    ("GET", "auth/me"): "",
    ("POST", "auth/logout"): "",
    ("GET", "contacts"): "view_contacts",
    ("POST", "contacts"): "manage_contacts",
    ("GET", "contacts/<number:id>"): "view_contacts",
    ("PUT", "contacts/<number:id>"): "manage_contacts",
    ("DELETE", "contacts/<number:id>"): "manage_contacts",
    ("POST", "contacts/import"): "manage_contacts",
    ("GET", "contacts/import/<number:id>"): "manage_contacts",
    ("DELETE", "contacts/import/<number:id>"): "manage_contacts",
    ("GET", "contacts/import/<number:id>/errors"): "manage_contacts",
    ("GET", "contact-groups"): "view_contacts",
    ("POST", "contact-groups"): "manage_groups",
    ("GET", "contact-groups/<number:id>"): "view_contacts",
    ("PUT", "contact-groups/<number:id>"): "manage_groups",
    ("DELETE", "contact-groups/<number:id>"): "manage_groups",
    ("GET", "contact-groups/<number:id>/contacts"): "view_contacts",
    ("POST", "contact-groups/<number:id>/contacts/add"): "manage_groups",
    ("POST", "contact-groups/<number:id>/contacts/remove"): "manage_groups",
    ("GET", "campaigns"): "view_campaigns",
    ("POST", "campaigns"): "create_campaigns",
    ("GET", "campaigns/<number:id>"): "view_campaigns",
    ("PUT", "campaigns/<number:id>"): "create_campaigns",
    ("DELETE", "campaigns/<number:id>"): "create_campaigns",
    ("POST", "campaigns/<number:id>/send"): "create_campaigns",
    ("POST", "campaigns/<number:id>/pause"): "create_campaigns",
    ("POST", "campaigns/<number:id>/resume"): "create_campaigns",
    ("POST", "campaigns/<number:id>/cancel"): "create_campaigns",
    ("POST", "campaigns/<number:id>/retry"): "create_campaigns",
    ("POST", "campaigns/<number:id>/duplicate"): "create_campaigns",
    ("GET", "campaigns/<number:id>/schedule"): "view_campaigns",
    ("POST", "campaigns/<number:id>/schedule"): "create_campaigns",
    ("GET", "campaigns/<number:id>/preview"): "view_campaigns",
    ("GET", "campaigns/<number:id>/variants"): "view_campaigns",
    ("POST", "campaigns/<number:id>/variants"): "create_campaigns",
    ("GET", "campaigns/<number:id>/results"): "view_analytics",
    ("POST", "messages/send"): "send_sms",
    ("POST", "messages/analyze"): "send_sms",
    ("GET", "messages/history"): "view_history",
    ("GET", "messages/export"): "export_data",
    ("GET", "messages/<number:id>"): "view_history",
    ("GET", "templates"): "view_templates",
    ("POST", "templates"): "manage_templates",
    ("GET", "templates/categories"): "view_templates",
    ("GET", "templates/<number:id>"): "view_templates",
    ("PUT", "templates/<number:id>"): "manage_templates",
    ("DELETE", "templates/<number:id>"): "manage_templates",
    ("POST", "templates/<number:id>/preview"): "view_templates",
    ("POST", "templates/<number:id>/use"): "view_templates",
    ("GET", "sub-accounts"): "view_members",
    ("POST", "sub-accounts"): "manage_members",
    ("GET", "sub-accounts/<number:id>"): "view_members",
    ("POST", "sub-accounts/<number:id>/permissions"): "manage_members",
    ("POST", "sub-accounts/<number:id>/suspend"): "manage_members",
    ("POST", "sub-accounts/<number:id>/activate"): "manage_members",
    ("POST", "sub-accounts/<number:id>/credits"): "manage_members",
    ("GET", "webhooks"): "view_webhooks",
    ("POST", "webhooks"): "manage_webhooks",
    ("GET", "webhooks/events"): "view_webhooks",
    ("GET", "webhooks/<number:id>"): "view_webhooks",
    ("PUT", "webhooks/<number:id>"): "manage_webhooks",
    ("DELETE", "webhooks/<number:id>"): "manage_webhooks",
    ("POST", "webhooks/<number:id>/test"): "manage_webhooks",
    ("POST", "webhooks/<number:id>/toggle"): "manage_webhooks",
    ("GET", "webhooks/<number:id>/logs"): "view_webhooks",
    ("GET", "webhooks/<number:id>/stats"): "view_webhooks",
    ("GET", "blacklist"): "view_blacklist",
    ("POST", "blacklist"): "manage_blacklist",
    ("POST", "blacklist/check"): "view_blacklist",
    ("DELETE", "blacklist/<number:id>"): "manage_blacklist",
    ("GET", "audit-logs"): "view_audit",
    ("GET", "audit-logs/actions"): "view_audit",
    ("GET", "audit-logs/<number:id>"): "view_audit",
}
# The logout last: it ends the token that the others use.
ORDERED = sorted(NEEDS.items(), key=lambda item: item[0][1] == "auth/logout")
# Roles without own permissions.
ALLOWED = {
    "viewer": {"view_history", "view_analytics", "view_contacts", "view_campaigns", "view_templates", "view_blacklist"},
    "sender": {"view_history", "send_sms", "view_contacts", "view_campaigns", "view_templates", "view_blacklist"},
    "manager": set(CAPABILITIES) - {"manage_members", "manage_webhooks", "view_audit"},
    "admin": set(CAPABILITIES),
    "owner": set(CAPABILITIES),
}


def operations() -> list[tuple[str, str]]:
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = pattern.callback.view_class  # type: ignore[attr-defined]
        if not issubclass(view, (NotFoundEndpoint, PublicEndpoint)):
            found += [(method, str(pattern.pattern)) for method in METHODS if hasattr(view, method.lower())]
    return found


def test_the_table_has_every_operation() -> None:
    assert sorted(operations()) == sorted(NEEDS)


def path_of(route: str, id: int = 987654321) -> str:
    return "/" + route.replace("<number:id>", str(id))


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_let_in_where_its_permissions_say_and_nowhere_else(
    in_schema: Any, make_marketer: Any, role: str
) -> None:
    marketer = make_marketer(in_schema, role)
    for (method, route), needed in ORDERED:
        response = marketer.call(method, path_of(route), None if method == "GET" else {})
        may = needed == "" or needed in ALLOWED[role]
        assert (response.status_code != 403) == may, (role, method, route, response.content)
        if not may:
            assert response.json() == FORBIDDEN
        assert response.status_code < 500


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_each_permission_alone_opens_exactly_its_operations(
    in_schema: Any, make_marketer: Any, permission: str
) -> None:
    own = capabilities_of(role="sender", own=[permission])
    marketer = make_marketer(in_schema, "sender", [permission])
    for (method, route), needed in ORDERED:
        response = marketer.call(method, path_of(route), None if method == "GET" else {})
        if route == "messages/export":
            # What one may not see one may not export either.
            assert response.status_code == 403
            continue
        may = needed in ("", "view_blacklist", permission) or needed in own
        assert (response.status_code != 403) == may, (permission, method, route)
        if needed in PERMISSIONS and needed != permission:
            assert response.status_code == 403, (permission, method, route)


def test_nobody_without_a_token_gets_anything(organization: Any) -> None:
    for method, route in NEEDS:
        response = Marketer(None).call(method, path_of(route), None if method == "GET" else {})
        assert (response.status_code, response.json()) == (401, {"message": "Unauthenticated."}), (method, route)


def test_the_permissions_of_roles_are_those_of_the_table() -> None:
    for role, allowed in ALLOWED.items():
        assert capabilities_of(role=role, own=None) == allowed, role
        assert ROLE_PERMISSIONS[role] <= allowed
    assert capabilities_of(role="owner", own=[]) == set(CAPABILITIES)
    assert "view_contacts" not in capabilities_of(role="manager", own=["view_history"])


def test_own_permissions_count_in_the_admin_too() -> None:
    def may(role: str, model: str, action: str, own: Any) -> bool:
        app_label, _, name = model.partition(".")
        return role_allows(role=role, app_label=app_label, model=name, action=action, own=own)

    assert may("manager", "contacts.contact", "delete", None)
    assert not may("manager", "contacts.contact", "delete", ["send_sms"])
    assert not may("manager", "contacts.contact", "view", ["send_sms"])
    assert may("viewer", "contacts.contact", "add", ["manage_contacts"])
    assert not may("viewer", "campaigns.campaign", "view", ["manage_contacts"])
    assert may("viewer", "campaigns.campaign", "add", ["create_campaigns"])
    assert may("owner", "campaigns.campaign", "add", [])
    # What no permission is about stays with the role.
    assert may("manager", "messaging.channel", "change", ["send_sms"])
    assert not may("viewer", "messaging.channel", "change", list(PERMISSIONS))


@pytest.fixture
def foreign(other_organization: Any, make_channel: Any, make_member: Any) -> dict[str, int]:
    """One object of each kind in the other organisation: route prefix -> its id."""
    channel = make_channel(other_organization)
    member = make_member(other_organization, "sender")
    with tenant_context(other_organization):
        contact = Contact.objects.create(name="Theirs", phone="24162000000")
        accepted = messages_accept(
            organization=other_organization,
            channel=channel_by_uuid(schema=other_organization.schema_name, uuid=channel.uuid),
            drafts=[Draft("+24162000000", {"type": "text", "text": {"body": "secret words"}})],
            origin="api",
            priority=10,
        )
        webhook, _secret = endpoint_create(surface="marketing", url="http://127.0.0.1:9/x", events=["message.sent"])
        campaign = Campaign.objects.create(name="Theirs", channel=channel, content={"type": "text", "text": {}})
        found = {
            "contacts": contact.pk,
            "contacts/import": ContactImport.objects.create(
                filename="f", format="csv", size=1, path="x", encoding="utf-8", delimiter=",", country="BJ"
            ).pk,
            "contact-groups": Group.objects.create(name="Theirs").pk,
            "campaigns": campaign.pk,
            "messages": Message.objects.get(uuid=accepted.accepted[0].uuid).pk,
            "templates": MarketingTemplate.objects.create(name="T", content="x", is_public=True).pk,
            "webhooks": webhook.pk,
            "blacklist": Suppression.objects.create(address="24162000001", reason="blacklist", scope="all").pk,
            "audit-logs": AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[0],
        }
    return found | {"sub-accounts": member.pk}


BODIES: dict[str, Any] = {
    "contacts/add": {"contact_ids": [1]},
    "contacts/remove": {"contact_ids": [1]},
    "send": {"recipients": ["+24162000000"]},
    "schedule": {"frequency": "daily", "time": "09:00", "start_date": "2098-01-01"},
    "variants": {
        "variants": [
            {"variant_name": "A", "message": "a", "percentage": 50},
            {"variant_name": "B", "message": "b", "percentage": 50},
        ]
    },
    "permissions": {"permissions": []},
    "credits": {"amount": 5},
}


def test_objects_of_another_organisation_do_not_exist(marketer: Marketer, foreign: dict[str, int]) -> None:
    tried = 0
    for method, route in NEEDS:
        if "<number:id>" not in route:
            continue
        prefix, _, rest = route.partition("/<number:id>")
        body = BODIES.get(rest.strip("/"), {}) if method != "GET" else None
        response = marketer.call(method, path_of(route, foreign[prefix]), body)
        assert response.status_code == 404, (method, route, response.content)
        tried += 1
    assert tried > 35


def test_lists_show_nothing_of_another_organisation(marketer: Marketer, foreign: dict[str, int]) -> None:
    for method, route in NEEDS:
        if method != "GET" or "<number:id>" in route or route == "auth/me":
            continue
        response = marketer.get(path_of(route), **({"format": "json"} if route == "messages/export" else {}))
        content = b"".join(response.streaming_content) if response.streaming else response.content
        assert response.status_code == 200, route
        assert b"Theirs" not in content and b"secret words" not in content and b"24162000000" not in content, route


def test_senders_see_only_what_they_sent(in_schema: Any, make_marketer: Any, channel: Any) -> None:
    owner, sender, other = (make_marketer(in_schema, role) for role in ("owner", "sender", "sender"))
    body = {"recipients": ["+24162000001"], "message": "Hello"}
    mine = sender.post("/messages/send", body).json()["data"]["message_ids"]
    theirs = other.post("/messages/send", body).json()["data"]["message_ids"]
    assert [row["id"] for row in sender.get("/messages/history").json()["data"]] == mine
    assert sender.get(f"/messages/{theirs[0]}").status_code == 404
    assert sender.get(f"/messages/{mine[0]}").status_code == 200
    assert [row["id"] for row in owner.get("/messages/history").json()["data"]] == theirs + mine
    exporter = make_marketer(in_schema, "sender", ["export_data", "view_history"])
    exported = exporter.get("/messages/export", format="json")
    assert b"".join(exported.streaming_content) == b'{"data":[]}'


def test_an_administrator_cannot_raise_somebody_to_owner_nor_touch_one(in_schema: Any, make_marketer: Any) -> None:
    owner, admin = make_marketer(in_schema), make_marketer(in_schema, "admin")
    given = {"name": "X", "email": "x@people.test", "password": "secure123", "role": "owner"}
    assert admin.post("/sub-accounts", given).status_code == 422
    for move in ("suspend", "activate"):
        assert admin.post(f"/sub-accounts/{owner.member.pk}/{move}").status_code == 403
    refused = admin.post(f"/sub-accounts/{owner.member.pk}/permissions", {"permissions": []})
    assert refused.status_code == 403
    assert Membership.objects.get(pk=owner.member.pk).is_suspended is False


def test_private_templates_are_their_makers(in_schema: Any, make_marketer: Any) -> None:
    one, two = make_marketer(in_schema, "manager"), make_marketer(in_schema, "manager")
    admin = make_marketer(in_schema, "admin")
    private = one.post("/templates", {"name": "P", "content": "x"}).json()["data"]["id"]
    public = one.post("/templates", {"name": "Q", "content": "y", "is_public": True}).json()["data"]["id"]
    assert [row["id"] for row in two.get("/templates").json()["data"]] == [public]
    assert two.put(f"/templates/{private}", {"name": "Z"}).status_code == 404
    assert [row["id"] for row in admin.get("/templates").json()["data"]] == [public, private]
