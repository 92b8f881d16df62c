"""What each role may do in its organisation. One table, read by the admin (as Django permissions) and by the APIs."""

from __future__ import annotations

from typing import Final

from tenants.models import Membership

Role = Membership.Role
VIEW: Final = frozenset({"view"})
WRITE: Final = frozenset({"view", "add", "change"})
FULL: Final = frozenset({"view", "add", "change", "delete"})

# "app.model" or "app.*" -> actions. A more exact entry wins over "app.*".
_VIEWER = {"messaging.*": VIEW, "contacts.*": VIEW, "campaigns.*": VIEW, "otp.*": VIEW}
_SENDER = _VIEWER | {
    "messaging.message": frozenset({"view", "add"}),
    "contacts.contact": WRITE,
    "contacts.identity": WRITE,
}
_MANAGER = _SENDER | {
    "messaging.*": WRITE,
    "campaigns.*": FULL,
    "contacts.*": FULL,
    "webhooks_app.*": VIEW,
    "contacts.contact": FULL,
    "contacts.identity": FULL,
    "tenants.membership": VIEW,
    "tenants.user": VIEW,
}
_ADMIN = _MANAGER | {
    "messaging.*": FULL,
    "webhooks_app.*": FULL,
    "otp.*": WRITE,
    "tenants.membership": FULL,
    "tenants.invitation": FULL,
    "tenants.apikey": FULL,
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


def role_allows(*, role: str, app_label: str, model: str, action: str) -> bool:
    """Whether `role` may do `action` (view, add, change, delete) on `app_label.model`."""
    rules = ROLE_RULES[role]
    allowed = rules.get(f"{app_label}.{model}", rules.get(f"{app_label}.*", frozenset()))
    return action in allowed


def role_allows_app(*, role: str, app_label: str) -> bool:
    """Whether `role` may see anything of `app_label`."""
    return any(rule.split(".")[0] == app_label and actions for rule, actions in ROLE_RULES[role].items())
