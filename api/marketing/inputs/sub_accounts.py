"""Bodies of sub-accounts, their permissions and credits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from api.bodies import body_field
from api.body_types import Choice, Text, Whole, Words
from api.marketing.inputs.accounts import _PASSWORD
from api.marketing.inputs.form import EMAIL, Examples, Form

ROLES: Final = ("admin", "manager", "sender", "viewer")
PERMISSIONS: Final = (
    *("send_sms", "view_history", "manage_contacts", "manage_groups"),
    *("create_campaigns", "view_analytics", "manage_templates", "export_data"),
)


@dataclass(frozen=True, slots=True)
class SubAccountInput(Form):
    component: ClassVar[str] = "SubAccountInput"
    examples: ClassVar[Examples] = {
        "A manager": {
            "name": "Manager User",
            "email": "manager@example.com",
            "password": "secure123",
            "role": "manager",
            "sms_credit_limit": 1000,
        }
    }

    name: str = body_field("name", Text(1, 120, strip=True))
    email: str = body_field("email", EMAIL)
    password: str = body_field("password", _PASSWORD, help="At least 8 characters.")
    role: str = body_field("role", Choice(ROLES))
    sms_credit_limit: int | None = body_field("sms_credit_limit", Whole(0, 1_000_000_000), default=None)
    permissions: list[str] | None = body_field(
        "permissions", Words(0, 20), default=None, help="By default those of the role."
    )


@dataclass(frozen=True, slots=True)
class PermissionsInput(Form):
    component: ClassVar[str] = "PermissionsInput"
    examples: ClassVar[Examples] = {"Three": {"permissions": ["send_sms", "view_history", "manage_contacts"]}}

    permissions: list[str] = body_field("permissions", Words(0, 20))


@dataclass(frozen=True, slots=True)
class CreditsInput(Form):
    component: ClassVar[str] = "CreditsInput"
    examples: ClassVar[Examples] = {"Five hundred": {"amount": 500}}

    amount: int = body_field("amount", Whole(1, 1_000_000_000))
