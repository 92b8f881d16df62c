"""What each role may do in its organisation. One table, read by the admin (as Django permissions) and by the APIs.

A membership may have permissions of its own (`PERMISSIONS`, the marketing API's words). They take the place of the
role's in everything that they are about; owners always have all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.models import Membership

Role = Membership.Role
VIEW: Final = frozenset({"view"})
WRITE: Final = frozenset({"view", "add", "change"})
FULL: Final = frozenset({"view", "add", "change", "delete"})

# "app.model" or "app.*" -> actions. A more exact entry wins over "app.*".
_VIEWER = {"messaging.*": VIEW, "contacts.*": VIEW, "campaigns.*": VIEW, "otp.*": VIEW}
_SENDER = _VIEWER | {
    # Their history is what they sent themselves, and one-time passwords are sent by programs.
    "otp.*": frozenset(),
    # Files of messages: those that customers sent, and what others uploaded.
    "messaging.mediafile": frozenset(),
    "messaging.message": frozenset({"view", "add"}),
    "contacts.contact": WRITE,
    "contacts.identity": WRITE,
}
_MANAGER = _SENDER | {
    "otp.*": VIEW,
    "messaging.*": WRITE,
    "messaging.mediafile": WRITE,
    "campaigns.*": FULL,
    "contacts.*": FULL,
    "webhooks_app.*": VIEW,
    "billing.*": VIEW,
    "tariffs.tariff": VIEW,
    "contacts.contact": FULL,
    "contacts.identity": FULL,
    "tenants.membership": VIEW,
    "tenants.user": VIEW,
}
_ADMIN = _MANAGER | {
    "messaging.*": FULL,
    "messaging.mediafile": FULL,
    "webhooks_app.*": FULL,
    "otp.*": WRITE,
    "tenants.membership": FULL,
    "tenants.invitation": FULL,
    "tenants.apikey": FULL,
    "billing.creditaccount": frozenset({"view", "change"}),
    "tenants.retentionperiod": frozenset({"view", "change"}),
    "admin.logentry": VIEW,
    "audit.auditentry": VIEW,
}
_OWNER = _ADMIN | {"tenants.organization": frozenset({"view", "change"})}

ROLE_RULES: Final[dict[str, dict[str, frozenset[str]]]] = {
    Role.VIEWER: _VIEWER,
    Role.SENDER: _SENDER,
    Role.MANAGER: _MANAGER,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _OWNER,
}


PERMISSIONS: Final[Mapping[str, str | Promise]] = {
    "send_sms": _("Send messages"),
    "view_history": _("See what was sent"),
    "manage_contacts": _("Add, change, delete and import contacts"),
    "manage_groups": _("Make groups and choose their members"),
    "create_campaigns": _("Make and send campaigns"),
    "view_analytics": _("See results and numbers"),
    "manage_templates": _("Make and change text templates"),
    "export_data": _("Export data as files"),
}
_EVERYTHING: Final = frozenset(PERMISSIONS)
ROLE_PERMISSIONS: Final[Mapping[str, frozenset[str]]] = {
    Role.VIEWER: frozenset({"view_history", "view_analytics"}),
    Role.SENDER: frozenset({"send_sms", "view_history"}),
    Role.MANAGER: _EVERYTHING,
    Role.ADMIN: _EVERYTHING,
    Role.OWNER: _EVERYTHING,
}
# What follows from permissions, and what belongs to a role alone. The APIs ask for these like for permissions.
_SEES: Final[Mapping[str, frozenset[str]]] = {
    "view_contacts": frozenset({"manage_contacts", "manage_groups", "create_campaigns"}),
    "view_campaigns": frozenset({"create_campaigns", "view_analytics"}),
    "view_templates": frozenset({"manage_templates", "create_campaigns", "send_sms"}),
}
_OF_ROLE: Final[Mapping[str, frozenset[str]]] = {
    "view_blacklist": frozenset(Role),
    "manage_blacklist": frozenset({Role.MANAGER, Role.ADMIN, Role.OWNER}),
    "view_members": frozenset({Role.MANAGER, Role.ADMIN, Role.OWNER}),
    "manage_members": frozenset({Role.ADMIN, Role.OWNER}),
    "view_webhooks": frozenset({Role.MANAGER, Role.ADMIN, Role.OWNER}),
    "manage_webhooks": frozenset({Role.ADMIN, Role.OWNER}),
    "view_audit": frozenset({Role.ADMIN, Role.OWNER}),
}
CAPABILITIES: Final = frozenset({*PERMISSIONS, *_SEES, *_OF_ROLE})
# What a member with permissions of their own may do in the admin: "app.model" -> action -> capability.
_EDIT_CONTACTS: Final = {"view": "view_contacts"} | dict.fromkeys(("add", "change", "delete"), "manage_contacts")
_EDIT_GROUPS: Final = {"view": "view_contacts"} | dict.fromkeys(("add", "change", "delete"), "manage_groups")
_EDIT_CAMPAIGNS: Final = {"view": "view_campaigns"} | dict.fromkeys(("add", "change", "delete"), "create_campaigns")
_EDIT_TEMPLATES: Final = {"view": "view_templates"} | dict.fromkeys(("add", "change", "delete"), "manage_templates")
MODEL_CAPABILITIES: Final[Mapping[str, Mapping[str, str]]] = {
    "messaging.message": {"add": "send_sms", "view": "view_history"},
    "messaging.mediafile": {"view": "view_history"},
    "messaging.messagetemplate": _EDIT_TEMPLATES,
    "contacts.contact": _EDIT_CONTACTS,
    "contacts.identity": _EDIT_CONTACTS,
    "contacts.contactimport": _EDIT_CONTACTS,
    "contacts.customfield": _EDIT_CONTACTS,
    "contacts.group": _EDIT_GROUPS,
    "contacts.groupmember": _EDIT_GROUPS,
    "contacts.segment": _EDIT_GROUPS,
    "campaigns.campaign": _EDIT_CAMPAIGNS,
    "campaigns.variant": _EDIT_CAMPAIGNS,
    "campaigns.schedule": _EDIT_CAMPAIGNS,
    "campaigns.run": _EDIT_CAMPAIGNS,
    "campaigns.marketingtemplate": _EDIT_TEMPLATES,
}


def permissions_of(*, role: str, own: Iterable[str] | None) -> frozenset[str]:
    """The permissions of a member: their own when they have some set (also none at all), else those of the role."""
    if own is None or role == Role.OWNER:
        return ROLE_PERMISSIONS[role]
    return _EVERYTHING & frozenset(own)


def capabilities_of(*, role: str, own: Iterable[str] | None) -> frozenset[str]:
    """Everything that a member may do, in the words of `CAPABILITIES`. Any role sees what no own permission hides."""
    permissions = permissions_of(role=role, own=own)
    is_free = own is None or role == Role.OWNER
    sees = {name for name, given_by in _SEES.items() if is_free or permissions & given_by}
    return permissions | sees | {name for name, roles in _OF_ROLE.items() if role in roles}


def role_allows(*, role: str, app_label: str, model: str, action: str, own: Iterable[str] | None = None) -> bool:
    """Whether `role` may do `action` (view, add, change, delete) on `app_label.model`; `own`: as `permissions_of`."""
    if own is not None and role != Role.OWNER:
        needed = MODEL_CAPABILITIES.get(f"{app_label}.{model}", {}).get(action)
        if needed is not None:
            return needed in capabilities_of(role=role, own=own)
    rules = ROLE_RULES[role]
    allowed = rules.get(f"{app_label}.{model}", rules.get(f"{app_label}.*", frozenset()))
    return action in allowed


def role_allows_app(*, role: str, app_label: str) -> bool:
    """Whether `role` may see anything of `app_label`."""
    return any(rule.split(".")[0] == app_label and actions for rule, actions in ROLE_RULES[role].items())
